/* Process 1: an interactive shell on the console. Each command runs in a process of its own. */
#include "shell.h"

enum { TCGETS = 0x5401, TCSETS = 0x5402, TCSBRK = 0x5409, TIOCSCTTY = 0x540E, ICANON = 2, ECHO = 8 };
enum { CTRL_D = 4, BACKSPACE = 8, CTRL_U = 0x15, ESCAPE = 0x1B, DELETE = 0x7F };
enum { VSUSP = 10 };
enum { LINE = 256, WORDS = 32 };
enum { REBOOT_RESTART = 0x01234567 };

struct termios {
    u32 input, output, control, local;
    u8 line, characters[19];
};

static const struct command *const tables[] = {process_commands, memory_commands, file_commands};

u32 number_argument(int argc, char **argv, int i, u32 otherwise)
{
    u32 value = otherwise;
    if (i < argc && !parse_number(argv[i], &value)) {
        print("%s: %s is no number\n", argv[0], argv[i]);
        sys_exit(2);
    }
    return value;
}

int fork_or_die(void)
{
    int pid = sys_fork();
    if (pid < 0) {
        print("fork: %s\n", error_text(pid));
        sys_exit(1);
    }
    return pid;
}

int wait_for(int pid)
{
    int status = 0, found;
    do
        found = sys_waitpid(pid, &status, 0);
    while (found == -EINTR);
    return status & 0x7F ? 128 + (status & 0x7F) : status >> 8 & 0xFF;
}

u32 *map_pages(u32 pages, int protection)
{
    u32 *memory = pages && pages < 0x20000 ? sys_mmap(pages * PAGE, protection) : 0;
    if (!memory) {
        print("cannot map %u pages\n", pages);
        sys_exit(1);
    }
    return memory;
}

static void help(void)
{
    for (u32 t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct command *c = tables[t]; c->name; c++)
            print("%s %s: %s\n", c->name, c->arguments, c->help);
    print("FILE [ARGUMENT...]: run a program; there is /bin/hello\nexit, poweroff: restart the board\n");
}

/* The shell echoes itself, when it reads: what is typed ahead then appears where it belongs. */
static void own_the_terminal(void)
{
    struct termios mode;
    sys_setsid();
    sys_ioctl(STDIN, TIOCSCTTY, 0);
    if (sys_ioctl(STDIN, TCGETS, &mode) == 0) {
        mode.local &= ~(ICANON | ECHO);
        mode.characters[VSUSP] = 0; /* nobody here could continue a stopped command */
        sys_ioctl(STDIN, TCSETS, &mode);
    }
}

static void interrupted(int signo, struct siginfo *info, void *context) {}

/* A line of input, empty after Ctrl-C; 0 at the end of all input. */
static int read_line(char *line)
{
    u32 used = 0;
    for (;;) {
        u8 c;
        int got = sys_read(STDIN, &c, 1);
        if (got == -EINTR) {
            print("^C\n");
            *line = 0;
            return 1;
        }
        if (got <= 0 || (c == CTRL_D && !used))
            return 0;
        if (c == '\r' || c == '\n') {
            print("\n");
            line[used] = 0;
            return 1;
        }
        if (c == ESCAPE) { /* cursor keys: ESC [ letter */
            sys_read(STDIN, &c, 1);
            sys_read(STDIN, &c, 1);
            continue;
        }
        if ((c == BACKSPACE || c == DELETE) && used) {
            used--;
            print("\b \b");
        } else if (c == CTRL_U)
            for (; used; used--)
                print("\b \b");
        else if (c >= ' ' && c < DELETE && used < LINE - 1) {
            line[used++] = c;
            print("%c", c);
        }
    }
}

static int split(char *line, char **words)
{
    int n = 0;
    while (n < WORDS - 1) {
        while (*line == ' ')
            *line++ = 0;
        if (!*line)
            break;
        words[n++] = line;
        while (*line && *line != ' ')
            line++;
    }
    words[n] = 0;
    return n;
}

static const struct command *find(const char *name)
{
    for (u32 t = 0; t < sizeof tables / sizeof *tables; t++)
        for (const struct command *c = tables[t]; c->name; c++)
            if (same(c->name, name))
                return c;
    return 0;
}

/* In the child. */
static int execute(int argc, char **argv)
{
    const struct command *c = find(argv[0]);
    if (c) {
        if (argc - 1 >= c->least && argc - 1 <= c->most)
            return c->run(argc, argv);
        print("usage: %s %s\n", c->name, c->arguments);
        return 2;
    }
    if (same(argv[0], "help")) {
        help();
        return 0;
    }
    char *const nothing[] = {0};
    int error = argv[0][0] == '/' ? sys_execve(argv[0], argv, nothing) : 0;
    if (error)
        print("%s: %s\n", argv[0], error_text(error));
    else
        print("%s: no such command; try help\n", argv[0]);
    return 127;
}

int main(void)
{
    static char line[LINE];
    char *words[WORDS];
    int console = sys_open("/dev/console", O_RDWR);
    while (console >= 0 && console < 2)
        console = sys_dup(console);
    sys_mount("proc", "/proc", "proc");
    own_the_terminal();
    catch_signal(SIGINT, interrupted);
    print("\nA shell of the ColdFire emulator cfemu; help tells its commands.\n");
    for (;;) {
        print("cf# ");
        if (!read_line(line))
            break;
        int count = split(line, words);
        if (!count)
            continue;
        if (same(words[0], "exit") || same(words[0], "poweroff"))
            break;
        int pid = sys_fork();
        if (pid == 0) {
            catch_signal(SIGINT, 0);
            sys_exit(execute(count, words));
        }
        int status = pid < 0 ? -pid : wait_for(pid);
        if (status == 128 + SIGINT)
            print("^C\n");
        else if (status)
            print("%s: exit status %d\n", words[0], status);
        while (sys_waitpid(-1, 0, WNOHANG) > 0) /* orphans */
            ;
    }
    print("restarting\n");
    sys_ioctl(STDOUT, TCSBRK, (void *)1); /* wait until that has been sent */
    sys_reboot(REBOOT_RESTART);
    return 1;
}
