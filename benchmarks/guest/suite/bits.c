/* Bit manipulation: bits counted, reversed and searched in words, fields of odd widths packed into a stream and taken
   out again, primes sieved in a bitmap. */
#include "suite.h"

static u32 words[4096], stream[LENGTH(words) + 1], sieve[LENGTH(words)];

static u32 count_ones(u32 x)
{
    x -= x >> 1 & 0x55555555u;
    x = (x & 0x33333333u) + (x >> 2 & 0x33333333u);
    x = (x + (x >> 4)) & 0x0F0F0F0Fu;
    return x * 0x01010101u >> 24;
}

static u32 reverse(u32 x)
{
    x = (x & 0x55555555u) << 1 | (x >> 1 & 0x55555555u);
    x = (x & 0x33333333u) << 2 | (x >> 2 & 0x33333333u);
    x = (x & 0x0F0F0F0Fu) << 4 | (x >> 4 & 0x0F0F0F0Fu);
    x = (x & 0x00FF00FFu) << 8 | (x >> 8 & 0x00FF00FFu);
    return x << 16 | x >> 16;
}

static u32 leading_zeros(u32 x)
{
    u32 zeros = 0;
    if (!x)
        return 32;
    for (u32 half = 16; half; half /= 2)
        if (!(x >> (32 - half))) {
            zeros += half;
            x <<= half;
        }
    return zeros;
}

static u32 width(u32 i)
{
    return i % 13 + 3;
}

static void put(u32 position, u32 width, u32 value)
{
    u32 *word = &stream[position / 32], offset = position % 32;
    value &= (1u << width) - 1;
    word[0] |= value << offset;
    if (offset + width > 32)
        word[1] |= value >> (32 - offset);
}

static u32 get(u32 position, u32 width)
{
    const u32 *word = &stream[position / 32];
    u32 offset = position % 32, value = word[0] >> offset;
    if (offset + width > 32)
        value |= word[1] << (32 - offset);
    return value & ((1u << width) - 1);
}

static u32 __attribute__((noinline)) pack_and_unpack(u32 size)
{
    u32 position = 0, sum = 0;
    for (u32 i = 0; i <= size; i++)
        stream[i] = 0;
    for (u32 i = 0; i < size; i++, position += width(i - 1))
        put(position, width(i), words[i]);
    position = 0;
    for (u32 i = 0; i < size; i++, position += width(i - 1))
        sum = mix(sum, get(position, width(i)));
    return sum;
}

static u32 __attribute__((noinline)) count_primes(u32 bound)
{
    u32 primes = 0;
    for (u32 i = 0; i < bound / 32; i++)
        sieve[i] = 0;
    for (u32 i = 2; i < bound; i++) {
        if (sieve[i / 32] & 1u << i % 32)
            continue;
        primes++;
        for (u32 j = i * 2; j < bound; j += i)
            sieve[j / 32] |= 1u << j % 32;
    }
    return primes;
}

/* size: words */
u32 k_bits(u32 size, u32 repetitions)
{
    u32 state = SEED, checksum = 0;
    while (repetitions--) {
        for (u32 i = 0; i < size; i++) {
            u32 x = words[i] = next_random(&state) >> (i & 15);
            checksum = mix(checksum, count_ones(x) + reverse(x) + leading_zeros(x));
        }
        checksum = mix(checksum, pack_and_unpack(size));
        checksum = mix(checksum, count_primes(size * 32));
    }
    return checksum;
}
