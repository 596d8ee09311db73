/* Radix-2 FFT in double precision, for the FPU: there and back, with the twiddle factors from a series. */
#include "suite.h"

#define HALF_PI 1.57079632679489661923

struct complex {
    double re, im;
};

static struct complex data[4096], twiddle[2048];

/* sin of z quarter turns, z from 0 to 1 */
static double quarter_sine(double z)
{
    double x = z * HALF_PI, square = x * x, sum = 1.0;
    for (s32 n = 18; n > 0; n -= 2)
        sum = 1.0 - sum * square / (double)(n * (n + 1));
    return x * sum;
}

static void make_twiddles(u32 points)
{
    u32 quarter = points / 4;
    for (u32 i = 0; i < points / 2; i++) {
        double fraction = (double)(s32)(i % quarter) / (double)(s32)quarter;
        double sine = quarter_sine(fraction), cosine = quarter_sine(1.0 - fraction);
        twiddle[i].re = i < quarter ? cosine : -sine;
        twiddle[i].im = i < quarter ? -sine : -cosine;
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
                const struct complex *w = &twiddle[i * step];
                struct complex *a = &data[group + i], *b = a + half;
                double re = w->re * b->re - w->im * b->im;
                double im = w->re * b->im + w->im * b->re;
                b->re = a->re - re;
                b->im = a->im - im;
                a->re += re;
                a->im += im;
            }
}

/* both halves of a double, whichever comes first in memory */
static u32 bits(double value)
{
    union {
        double value;
        u32 half[2];
    } both = {value};
    return both.half[0] ^ both.half[1];
}

/* size: points, a power of two from 4 on */
u32 k_fft_double(u32 size, u32 repetitions)
{
    u32 state = SEED, checksum = 0;
    double scale = 1.0 / (double)(s32)size;
    make_twiddles(size);
    for (u32 i = 0; i < size; i++) {
        data[i].re = (double)(s32)next_random(&state) / 65536.0;
        data[i].im = (double)(s32)next_random(&state) / 65536.0;
    }
    while (repetitions--) {
        transform(size);
        for (u32 i = 0; i < size; i++) { /* exchanging the parts before and after makes the transform an inverse one */
            double re = data[i].re;
            checksum = mix(checksum, bits(re));
            data[i].re = data[i].im * scale;
            data[i].im = re * scale;
        }
        transform(size);
        for (u32 i = 0; i < size; i++)
            checksum = mix(checksum, bits(data[i].re) ^ bits(data[i].im));
    }
    return checksum;
}
