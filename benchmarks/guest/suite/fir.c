/* A FIR filter over a block of samples. On the V4e the inner product is done by the EMAC in signed integer mode, which
   GCC does not use by itself; elsewhere by multiplication and addition. No sum leaves 32 bits. */
#include "suite.h"

#define TAPS 64

static s32 coefficients[TAPS], samples[8192 + TAPS];

/* of TAPS numbers each */
static s32 __attribute__((noinline)) inner_product(const s32 *x, const s32 *h)
{
#ifdef __mcfv4e__
    s32 sum, count = TAPS / 4;
    register s32 sample asm("d4");
    asm volatile("move.l #0,%%acc0\n\t"
                 "move.l (%[x])+,%[sample]\n"
                 "1:\tmovem.l (%[h]),%%d0-%%d3\n\t"
                 "lea 16(%[h]),%[h]\n\t"
                 "mac.l %%d0,%[sample],(%[x])+,%[sample],%%acc0\n\t"
                 "mac.l %%d1,%[sample],(%[x])+,%[sample],%%acc0\n\t"
                 "mac.l %%d2,%[sample],(%[x])+,%[sample],%%acc0\n\t"
                 "mac.l %%d3,%[sample],(%[x])+,%[sample],%%acc0\n\t" /* at last one sample more than needed */
                 "subq.l #1,%[count]\n\t"
                 "bne.s 1b\n\t"
                 "movclr.l %%acc0,%[sum]"
                 : [x] "+a"(x), [h] "+a"(h), [count] "+d"(count), [sample] "=&d"(sample), [sum] "=d"(sum)
                 :
                 : "d0", "d1", "d2", "d3", "cc", "memory");
    return sum;
#else
    s32 sum = 0;
    for (u32 i = 0; i < TAPS; i++)
        sum += x[i] * h[i];
    return sum;
#endif
}

/* size: samples of a block */
u32 k_fir(u32 size, u32 repetitions)
{
    u32 state = SEED, checksum = 0;
#ifdef __mcfv4e__
    asm volatile("move.l #0,%macsr");
#endif
    for (u32 i = 0; i < TAPS; i++)
        coefficients[i] = (s32)(next_random(&state) >> 20) - 2048;
    for (u32 i = 0; i < size + TAPS; i++)
        samples[i] = (s32)(next_random(&state) >> 20) - 2048;
    while (repetitions--) {
        for (u32 i = 0; i < size; i++)
            checksum = mix(checksum, (u32)inner_product(&samples[i], coefficients));
        samples[repetitions % size] ^= 0x155;
    }
    return checksum;
}
