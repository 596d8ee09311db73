/* The system calls of Linux/m68k that the programs here use (arch/m68k/include/uapi/asm), and text output. No libc for
 * ColdFire is packaged, so everything that a program needs stands in this folder. */
#ifndef LINUX_H
#define LINUX_H

typedef unsigned char u8;
typedef unsigned int u32;
typedef unsigned long long u64;

enum { STDIN, STDOUT };
enum { O_RDONLY = 0, O_RDWR = 2 };
enum { PROT_READ = 1, PROT_WRITE = 2, MAP_PRIVATE = 2, MAP_ANONYMOUS = 0x20 };
enum { SIGINT = 2, SIGKILL = 9, SIGUSR1 = 10, SIGSEGV = 11, SIGALRM = 14, SIGTERM = 15, SIGCHLD = 17 };
enum { WNOHANG = 1, EINTR = 4 };

struct siginfo {
    int signo, code, error;
    void *address; /* of SIGSEGV */
    u8 rest[112];
};
typedef void handler(int signo, struct siginfo *info, void *context);

struct timespec {
    int seconds, nanoseconds;
};

/* Results below 0 are negated error numbers. */
long sys_exit(int status) __attribute__((noreturn));
int sys_fork(void);
int sys_read(int fd, void *buffer, u32 size);
int sys_write(int fd, const void *buffer, u32 size);
int sys_open(const char *path, int flags);
int sys_close(int fd);
int sys_waitpid(int pid, int *status, int options);
int sys_execve(const char *path, char *const argv[], char *const envp[]);
int sys_getpid(void);
int sys_mount(const char *source, const char *target, const char *type);
int sys_alarm(u32 seconds);
int sys_pause(void);
int sys_kill(int pid, int signo);
int sys_pipe(int fds[2]);
int sys_dup(int fd);
int sys_ioctl(int fd, u32 request, void *argument);
int sys_setsid(void);
int sys_reboot(u32 command);
int sys_munmap(void *address, u32 size);
int sys_mprotect(void *address, u32 size, int protection);
int sys_uname(void *names);
int sys_getdents(int fd, void *buffer, u32 size);
int sys_nanosleep(const struct timespec *wanted);
void *sys_mmap(u32 size, int protection); /* private and anonymous; 0 if there is no memory */
int catch_signal(int signo, handler *function); /* 0: the default action */
const char *error_text(int error); /* text.c: of a negated error number */

/* text.c */
u32 length(const char *text);
int same(const char *a, const char *b);
int parse_number(const char *text, u32 *value); /* decimal; 0 if it is none */
void fill(void *buffer, u8 value, u32 size);
void print(const char *format, ...) __attribute__((format(printf, 1, 2))); /* %s %c %d %u %x %%, width and 0 */

#endif
