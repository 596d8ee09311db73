/* A second program, so that execve has something to start: prints its arguments; its exit status is their number. */
#include "linux.h"

int main(int argc, char **argv)
{
    print("hello from process %d:", sys_getpid());
    for (int i = 0; i < argc; i++)
        print(" %s", argv[i]);
    print("\n");
    return argc - 1;
}
