/* System calls: TRAP #0 with the number in D0 and arguments in D1 to D5; the sixth, in A0, is 0. */
#include "linux.h"

enum {
    NR_exit = 1, NR_fork = 2, NR_read = 3, NR_write = 4, NR_open = 5, NR_close = 6, NR_waitpid = 7, NR_execve = 11,
    NR_getpid = 20, NR_mount = 21, NR_alarm = 27, NR_pause = 29, NR_kill = 37, NR_dup = 41, NR_pipe = 42,
    NR_ioctl = 54, NR_setsid = 66, NR_reboot = 88, NR_munmap = 91, NR_uname = 122, NR_mprotect = 125,
    NR_getdents = 141, NR_nanosleep = 162, NR_rt_sigaction = 174, NR_mmap2 = 192,
};
enum { REBOOT_MAGIC_1 = 0xFEE1DEAD, REBOOT_MAGIC_2 = 0x28121969, SA_SIGINFO = 4, SA_NODEFER = 0x40000000 };

static long call(long number, long a, long b, long c, long d, long e)
{
    register long d0 asm("d0") = number;
    register long d1 asm("d1") = a;
    register long d2 asm("d2") = b;
    register long d3 asm("d3") = c;
    register long d4 asm("d4") = d;
    register long d5 asm("d5") = e;
    register long a0 asm("a0") = 0;
    asm volatile("trap #0" : "+d"(d0) : "d"(d1), "d"(d2), "d"(d3), "d"(d4), "d"(d5), "a"(a0) : "memory");
    return d0;
}

long sys_exit(int status)
{
    for (;;)
        call(NR_exit, status, 0, 0, 0, 0);
}

int sys_fork(void) { return call(NR_fork, 0, 0, 0, 0, 0); }
int sys_read(int fd, void *buffer, u32 size) { return call(NR_read, fd, (long)buffer, size, 0, 0); }
int sys_write(int fd, const void *buffer, u32 size) { return call(NR_write, fd, (long)buffer, size, 0, 0); }
int sys_open(const char *path, int flags) { return call(NR_open, (long)path, flags, 0, 0, 0); }
int sys_close(int fd) { return call(NR_close, fd, 0, 0, 0, 0); }
int sys_waitpid(int pid, int *status, int options) { return call(NR_waitpid, pid, (long)status, options, 0, 0); }
int sys_getpid(void) { return call(NR_getpid, 0, 0, 0, 0, 0); }
int sys_alarm(u32 seconds) { return call(NR_alarm, seconds, 0, 0, 0, 0); }
int sys_pause(void) { return call(NR_pause, 0, 0, 0, 0, 0); }
int sys_kill(int pid, int signo) { return call(NR_kill, pid, signo, 0, 0, 0); }
int sys_pipe(int fds[2]) { return call(NR_pipe, (long)fds, 0, 0, 0, 0); }
int sys_dup(int fd) { return call(NR_dup, fd, 0, 0, 0, 0); }
int sys_ioctl(int fd, u32 request, void *argument) { return call(NR_ioctl, fd, request, (long)argument, 0, 0); }
int sys_setsid(void) { return call(NR_setsid, 0, 0, 0, 0, 0); }
int sys_munmap(void *address, u32 size) { return call(NR_munmap, (long)address, size, 0, 0, 0); }
int sys_uname(void *names) { return call(NR_uname, (long)names, 0, 0, 0, 0); }
int sys_getdents(int fd, void *buffer, u32 size) { return call(NR_getdents, fd, (long)buffer, size, 0, 0); }
int sys_nanosleep(const struct timespec *wanted) { return call(NR_nanosleep, (long)wanted, 0, 0, 0, 0); }

int sys_execve(const char *path, char *const argv[], char *const envp[])
{
    return call(NR_execve, (long)path, (long)argv, (long)envp, 0, 0);
}

int sys_mount(const char *source, const char *target, const char *type)
{
    return call(NR_mount, (long)source, (long)target, (long)type, 0, 0);
}

int sys_reboot(u32 command) { return call(NR_reboot, REBOOT_MAGIC_1, REBOOT_MAGIC_2, command, 0, 0); }

int sys_mprotect(void *address, u32 size, int protection)
{
    return call(NR_mprotect, (long)address, size, protection, 0, 0);
}

void *sys_mmap(u32 size, int protection)
{
    long result = call(NR_mmap2, 0, size, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1);
    return result < 0 && result > -4096 ? 0 : (void *)result;
}

int catch_signal(int signo, handler *function)
{
    struct {
        handler *function;
        u32 flags;
        void *restorer;
        u32 mask[2];
    } action = {function, function ? SA_SIGINFO | SA_NODEFER : 0, 0, {0, 0}}; /* without SA_RESTART: calls are cut short */
    return call(NR_rt_sigaction, signo, (long)&action, 0, sizeof action.mask, 0);
}
