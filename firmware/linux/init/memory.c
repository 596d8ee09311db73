/* Commands that exercise the MMU: copy on write, mappings, protection, walks over many pages. */
#include "shell.h"

enum { STEP = PAGE / sizeof(u32) };

static u32 count_of(const u32 *memory, u32 pages, u32 base)
{
    u32 right = 0;
    for (u32 i = 0; i < pages; i++)
        right += memory[i * STEP] == base + i;
    return right;
}

static void write_all(u32 *memory, u32 pages, u32 base)
{
    for (u32 i = 0; i < pages; i++)
        memory[i * STEP] = base + i;
}

static int copy_on_write(int argc, char **argv)
{
    u32 pages = number_argument(argc, argv, 1, 40);
    u32 *memory = map_pages(pages, PROT_READ | PROT_WRITE);
    write_all(memory, pages, 1000);
    int pid = fork_or_die();
    if (pid == 0) {
        u32 inherited = count_of(memory, pages, 1000);
        write_all(memory, pages, 2000000);
        u32 own = count_of(memory, pages, 2000000);
        print("child: %u pages inherited, %u its own\n", inherited, own);
        sys_exit(inherited != pages || own != pages);
    }
    int status = wait_for(pid);
    u32 kept = count_of(memory, pages, 1000);
    write_all(memory, pages, 3000);
    u32 own = count_of(memory, pages, 3000);
    print("parent: %u pages unchanged, %u its own\n", kept, own);
    return status || kept != pages || own != pages;
}

static int map(int argc, char **argv)
{
    u32 pages = number_argument(argc, argv, 1, 100);
    u32 *memory = map_pages(pages, PROT_READ | PROT_WRITE), zero = 0;
    for (u32 i = 0; i < pages; i++)
        zero += memory[i * STEP] == 0;
    write_all(memory, pages, 7);
    u32 right = count_of(memory, pages, 7);
    int status = sys_munmap(memory, pages * PAGE);
    print("%u pages mapped: %u were zero, %u keep what is written\n", pages, zero, right);
    return status || zero != pages || right != pages;
}

static u32 *protected_page;
static volatile int refused;

static void open_page(int signo, struct siginfo *info, void *context)
{
    refused++;
    if (info->address != protected_page + 5)
        sys_exit(1);
    sys_mprotect(protected_page, PAGE, PROT_READ | PROT_WRITE);
}

static int protect(int argc, char **argv)
{
    protected_page = map_pages(1, PROT_READ | PROT_WRITE);
    protected_page[5] = 41;
    catch_signal(SIGSEGV, open_page);
    sys_mprotect(protected_page, PAGE, PROT_READ);
    volatile u32 *word = protected_page + 5;
    *word = *word + 1;
    print("%d store refused, then %u\n", refused, *word);
    return refused != 1 || *word != 42;
}

static int walk(int argc, char **argv)
{
    int writes = argc > 1 && same(argv[argc - 1], "-w");
    argc -= writes;
    u32 pages = number_argument(argc, argv, 1, 64), rounds = number_argument(argc, argv, 2, 10), sum = 0;
    u32 *memory = map_pages(pages, PROT_READ | PROT_WRITE);
    write_all(memory, pages, 1);
    for (u32 round = 0; round < rounds; round++)
        for (u32 i = 0; i < pages; i++) {
            sum += memory[i * STEP];
            if (writes)
                memory[i * STEP] += 1;
        }
    print("%u rounds over %u pages%s: %u\n", rounds, pages, writes ? ", writing" : "", sum);
    return 0;
}

const struct command memory_commands[] = {
    {"walk", "[PAGES [ROUNDS]] [-w]", "touch one word of each of many pages", 0, 3, walk},
    {"cow", "[PAGES]", "write pages that two processes share: copy on write", 0, 1, copy_on_write},
    {"mmap", "[PAGES]", "map, use and unmap memory", 0, 1, map},
    {"mprotect", "", "write to a page that is read-only, and open it in the signal's handler", 0, 0, protect},
    {0},
};
