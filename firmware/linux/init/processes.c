/* Commands about processes: fork, wait, pipes, signals, time, floating point. */
#include "shell.h"

enum { MOST_CHILDREN = 64 };

static int fork_many(int argc, char **argv)
{
    u32 count = number_argument(argc, argv, 1, 3), right = 0;
    int pids[MOST_CHILDREN];
    if (count > MOST_CHILDREN) {
        print("fork: at most %d\n", MOST_CHILDREN);
        return 2;
    }
    for (u32 i = 0; i < count; i++) {
        pids[i] = fork_or_die();
        if (pids[i] == 0)
            sys_exit(i + 1);
    }
    for (u32 i = 0; i < count; i++)
        right += wait_for(pids[i]) == (int)i + 1;
    print("%u children, %u with their own exit status\n", count, right);
    return right != count;
}

/* The same for both ends of a pipe. */
static u8 byte_at(u32 i) { return i * 7 + (i >> 8); }

static int pipe_bytes(int argc, char **argv)
{
    static u8 buffer[512];
    u32 wanted = number_argument(argc, argv, 1, 10000), got = 0, wrong = 0;
    int fds[2], size;
    if (sys_pipe(fds) < 0)
        return 1;
    int pid = fork_or_die();
    if (pid == 0) {
        sys_close(fds[0]);
        for (u32 sent = 0; sent < wanted;) {
            u32 part = wanted - sent < sizeof buffer ? wanted - sent : sizeof buffer;
            for (u32 i = 0; i < part; i++)
                buffer[i] = byte_at(sent + i);
            if (sys_write(fds[1], buffer, part) != (int)part)
                sys_exit(1);
            sent += part;
        }
        sys_exit(0);
    }
    sys_close(fds[1]);
    while ((size = sys_read(fds[0], buffer, sizeof buffer)) > 0)
        for (int i = 0; i < size; i++, got++)
            wrong += buffer[i] != byte_at(got);
    int status = wait_for(pid);
    print("%u bytes through a pipe, %u wrong\n", got, wrong);
    return status || wrong || got != wanted;
}

static volatile int caught;
static void *volatile caught_address;

static void note(int signo, struct siginfo *info, void *context)
{
    caught = signo;
    caught_address = info->address;
}

/* A store that faults: the handler ends the process and says whether the address was right. */
static void note_and_leave(int signo, struct siginfo *info, void *context)
{
    print("SIGSEGV at 0x%x\n", (u32)info->address);
    sys_exit(info->address == (void *)0x50000000 ? 0 : 1);
}

static int signals(int argc, char **argv)
{
    int failed = 0;
    catch_signal(SIGUSR1, note);
    catch_signal(SIGALRM, note);
    sys_kill(sys_getpid(), SIGUSR1);
    print("signal %d to myself\n", caught);
    failed |= caught != SIGUSR1;
    sys_alarm(1);
    sys_pause();
    print("signal %d from the clock\n", caught);
    failed |= caught != SIGALRM;

    int pid = fork_or_die();
    if (pid == 0)
        for (;;)
            sys_pause();
    sys_kill(pid, SIGTERM);
    int status = wait_for(pid);
    print("a child ended by signal %d\n", status - 128);
    failed |= status != 128 + SIGTERM;

    pid = fork_or_die();
    if (pid == 0) {
        catch_signal(SIGSEGV, note_and_leave);
        *(volatile u32 *)0x50000000 = 1;
    }
    failed |= wait_for(pid);

    pid = fork_or_die();
    if (pid == 0)
        *(volatile u32 *)0x50000000 = 1;
    status = wait_for(pid);
    print("a child ended by signal %d, which it did not catch\n", status - 128);
    return failed | (status != 128 + SIGSEGV);
}

static int sleep(int argc, char **argv)
{
    struct timespec wanted = {number_argument(argc, argv, 1, 1), 0};
    return sys_nanosleep(&wanted) != 0;
}

static int spin(int argc, char **argv)
{
    u32 n = number_argument(argc, argv, 1, 1000000), x = 1;
    for (u32 i = 0; i < n; i++)
        x = x * 1664525 + 1013904223;
    print("%u steps of a random number generator: %u\n", n, x);
    return 0;
}

static void show_double(const char *name, double value)
{
    union {
        double value;
        u32 words[2];
    } bits = {value};
    u32 whole = value;
    print("%s: %u.%09u, in hexadecimal %08x%08x\n", name, whole, (u32)((value - whole) * 1e9), bits.words[0], bits.words[1]);
}

/* Newton's square root of 2 and a sum, exact to the last bit. The kernel of this ColdFire port does
 * not switch the FPU between processes, so only one process may use it at a time. */
static int floating_point(int argc, char **argv)
{
    volatile double root = 1, sum = 0;
    for (int i = 0; i < 6; i++)
        root = (root + 2 / root) / 2;
    for (int i = 1; i <= 1000; i++)
        sum += 1.0 / i;
    show_double("square root of 2", root);
    show_double("sum of 1/n to 1000", sum);
    return 0;
}

const struct command process_commands[] = {
    {"fork", "[N]", "start N processes, wait for all", 0, 1, fork_many},
    {"pipe", "[BYTES]", "send bytes from a child through a pipe", 0, 1, pipe_bytes},
    {"signal", "", "send and catch signals, also of wrong addresses", 0, 0, signals},
    {"sleep", "[SECONDS]", "let time pass", 0, 1, sleep},
    {"spin", "[N]", "compute", 0, 1, spin},
    {"fp", "", "compute with the FPU", 0, 0, floating_point},
    {0},
};
