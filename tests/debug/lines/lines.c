/* A program with source lines, for the stepper: two loops and a call. `make` in this folder builds lines.elf. */

static int total;

static int __attribute__((noinline)) square(int n)
{
    int result = 0;
    for (int i = 0; i < n; i++)
        result += n;
    return result;
}

void _start(void)
{
    for (int n = 1; n <= 3; n++)
        total += square(n);
    for (;;)
        __asm__ volatile("halt");
}
