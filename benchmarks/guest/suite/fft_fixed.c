/* Radix-2 FFT in 16-bit fixed point (Q15), halved at every stage so that no magnitude grows. */
#include "suite.h"

struct complex {
    s16 re, im;
};

static struct complex data[4096], twiddle[2048];

/* sin of z quarter turns of pi/2, z in Q15 from 0 to 1, by the first terms of its series */
static s32 quarter_sine(u32 z)
{
    u32 square = z * z >> 15;
    u32 sum = 2611 - (153 * square >> 15);
    sum = 21167 - (sum * square >> 15);
    sum = 51472 - (sum * square >> 15);
    return (s32)(z * sum >> 15);
}

static void make_twiddles(u32 points)
{
    u32 quarter = points / 4;
    for (u32 i = 0; i < points / 2; i++) {
        u32 fraction = (i % quarter) * (32768 / quarter);
        s32 sine = quarter_sine(fraction), cosine = quarter_sine(32768 - fraction);
        twiddle[i].re = (s16)(i < quarter ? cosine : -sine);
        twiddle[i].im = (s16)(i < quarter ? -sine : -cosine);
    }
}

static void reorder(u32 points)
{
    for (u32 i = 1, j = 0; i < points; i++) {
        u32 bit = points >> 1;
        for (; j & bit; bit >>= 1)
            j ^= bit;
        j ^= bit;
        if (i < j) {
            struct complex item = data[i];
            data[i] = data[j];
            data[j] = item;
        }
    }
}

static void __attribute__((noinline)) transform(u32 points)
{
    reorder(points);
    for (u32 half = 1, step = points / 2; half < points; half *= 2, step /= 2)
        for (u32 group = 0; group < points; group += 2 * half)
            for (u32 i = 0; i < half; i++) {
                struct complex w = twiddle[i * step];
                struct complex *a = &data[group + i], *b = a + half;
                s32 re = (w.re * b->re - w.im * b->im) >> 15;
                s32 im = (w.re * b->im + w.im * b->re) >> 15;
                b->re = (s16)((a->re - re) >> 1);
                b->im = (s16)((a->im - im) >> 1);
                a->re = (s16)((a->re + re) >> 1);
                a->im = (s16)((a->im + im) >> 1);
            }
}

/* size: points, a power of two from 4 on */
u32 k_fft_fixed(u32 size, u32 repetitions)
{
    u32 state = SEED, checksum = 0;
    make_twiddles(size);
    while (repetitions--) {
        for (u32 i = 0; i < size; i++) {
            data[i].re = (s16)((next_random(&state) >> 17) - 16384);
            data[i].im = (s16)((next_random(&state) >> 17) - 16384);
        }
        transform(size);
        for (u32 i = 0; i < size; i++)
            checksum = mix(mix(checksum, (u16)data[i].re), (u16)data[i].im);
    }
    return checksum;
}
