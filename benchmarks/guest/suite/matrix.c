/* Product of two square matrices of integers (modulo 2^32), row by column. */
#include "suite.h"

#define MOST 128

static u32 left[MOST * MOST], right[MOST * MOST], product[MOST * MOST];

static void __attribute__((noinline)) multiply(u32 side)
{
    for (u32 i = 0; i < side; i++)
        for (u32 j = 0; j < side; j++) {
            const u32 *row = &left[i * side], *column = &right[j];
            u32 sum = 0;
            for (u32 k = 0; k < side; k++)
                sum += *row++ * column[k * side];
            product[i * side + j] = sum;
        }
}

u32 k_matrix(u32 size, u32 repetitions)
{
    u32 state = SEED, checksum = 0, count = size * size;
    for (u32 i = 0; i < count; i++) {
        left[i] = next_random(&state) >> 16;
        right[i] = next_random(&state) >> 16;
    }
    while (repetitions--) {
        multiply(size);
        for (u32 i = 0; i < count; i++)
            checksum = mix(checksum, product[i]);
        left[repetitions % count] ^= checksum;
    }
    return checksum;
}
