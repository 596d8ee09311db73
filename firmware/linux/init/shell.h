/* The commands of the shell, and what they share. */
#ifndef SHELL_H
#define SHELL_H

#include "linux.h"

enum { PAGE = 8192 };

struct command {
    const char *name, *arguments, *help;
    int least, most; /* how many arguments it takes */
    int (*run)(int argc, char **argv); /* its exit status */
};

extern const struct command file_commands[], process_commands[], memory_commands[];

/* The number that argument i must be, or a complaint and the end of this process. */
u32 number_argument(int argc, char **argv, int i, u32 otherwise);
/* fork, or a complaint and the end of this process. */
int fork_or_die(void);
/* Exit status of a child, 128 + the signal that ended it. */
int wait_for(int pid);
/* An anonymous mapping of so many pages, or a complaint and the end of this process. */
u32 *map_pages(u32 pages, int protection);

#endif
