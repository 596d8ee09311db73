/* What the kernels share. Each takes a size and a number of repetitions and returns a checksum that depends neither on
   the byte order nor on the size of a pointer, so that a build for the host computes the same. */
#ifndef SUITE_H
#define SUITE_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef signed short s16;
typedef signed int s32;

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))
#define SEED 0x2545F491u

static inline u32 next_random(u32 *state)
{
    u32 x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

static inline u32 mix(u32 checksum, u32 value)
{
    return checksum * 31 + value;
}

u32 k_bits(u32 size, u32 repetitions);
u32 k_crc32(u32 size, u32 repetitions);
u32 k_fft_double(u32 size, u32 repetitions);
u32 k_fft_fixed(u32 size, u32 repetitions);
u32 k_fir(u32 size, u32 repetitions);
u32 k_hash(u32 size, u32 repetitions);
u32 k_interpreter(u32 size, u32 repetitions);
u32 k_list(u32 size, u32 repetitions);
u32 k_matrix(u32 size, u32 repetitions);
u32 k_records(u32 size, u32 repetitions);
u32 k_sort(u32 size, u32 repetitions);
u32 k_strings(u32 size, u32 repetitions);
u32 k_table(u32 size, u32 repetitions);

#endif
