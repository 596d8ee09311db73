/* Commands that read files, most of them of /proc. */
#include "shell.h"

enum { NAME = 65 };

static int copy(const char *path)
{
    static char buffer[1024];
    int fd = sys_open(path, O_RDONLY), size;
    if (fd < 0) {
        print("%s: %s\n", path, error_text(fd));
        return 1;
    }
    while ((size = sys_read(fd, buffer, sizeof buffer)) > 0)
        sys_write(STDOUT, buffer, size);
    sys_close(fd);
    return size < 0;
}

static int cat(int argc, char **argv)
{
    int failed = 0;
    for (int i = 1; i < argc; i++)
        failed |= copy(argv[i]);
    return failed;
}

struct entry {
    u32 inode, offset;
    unsigned short length;
    char name[];
};

/* Call visit for each name of a directory. */
static int each_name(const char *path, void (*visit)(const char *))
{
    static char buffer[1024];
    int fd = sys_open(path, O_RDONLY), size;
    if (fd < 0) {
        print("%s: %s\n", path, error_text(fd));
        return 1;
    }
    while ((size = sys_getdents(fd, buffer, sizeof buffer)) > 0)
        for (int at = 0; at < size; at += ((struct entry *)(buffer + at))->length)
            visit(((struct entry *)(buffer + at))->name);
    sys_close(fd);
    return size < 0;
}

static void show_name(const char *name)
{
    if (name[0] != '.')
        print("%s\n", name);
}

static int ls(int argc, char **argv) { return each_name(argc > 1 ? argv[1] : "/", show_name); }

/* /proc/PID/stat begins with PID (name) state. */
static void show_process(const char *name)
{
    static char path[32], text[128];
    u32 pid, n = 0;
    if (!parse_number(name, &pid))
        return;
    for (const char *part = "/proc/"; *part; part++)
        path[n++] = *part;
    for (const char *part = name; *part; part++)
        path[n++] = *part;
    for (const char *part = "/stat"; *part; part++)
        path[n++] = *part;
    path[n] = 0;
    int fd = sys_open(path, O_RDONLY);
    int size = fd < 0 ? 0 : sys_read(fd, text, sizeof text - 1);
    sys_close(fd);
    for (n = 0; (int)n < size && text[n] != ')'; n++)
        ;
    text[n + 3 < sizeof text ? n + 3 : sizeof text - 1] = 0;
    print("%s\n", text);
}

static int ps(int argc, char **argv) { return each_name("/proc", show_process); }

static int uname(int argc, char **argv)
{
    char names[6][NAME];
    sys_uname(names);
    print("%s %s %s %s\n", names[0], names[2], names[3], names[4]);
    return 0;
}

static int uptime(int argc, char **argv) { return copy("/proc/uptime"); }
static int memory(int argc, char **argv) { return copy("/proc/meminfo"); }

const struct command file_commands[] = {
    {"cat", "FILE...", "print files", 1, 30, cat},
    {"ls", "[DIRECTORY]", "list a directory", 0, 1, ls},
    {"ps", "", "list processes: number, name, state", 0, 0, ps},
    {"free", "", "memory in use: /proc/meminfo", 0, 0, memory},
    {"uname", "", "name and version of the kernel", 0, 0, uname},
    {"uptime", "", "seconds since the start, and of them idle", 0, 0, uptime},
    {0},
};
