/* CRC-32 of IEEE 802.3, a table look-up a byte. */
#include "suite.h"

static u32 table[256];
static u8 message[65536];

static void make_table(void)
{
    for (u32 i = 0; i < LENGTH(table); i++) {
        u32 value = i;
        for (u32 bit = 0; bit < 8; bit++)
            value = value >> 1 ^ (value & 1 ? 0xEDB88320u : 0);
        table[i] = value;
    }
}

static u32 __attribute__((noinline)) crc32(const u8 *data, u32 size)
{
    u32 crc = 0xFFFFFFFFu;
    while (size--)
        crc = crc >> 8 ^ table[(crc ^ *data++) & 0xFF];
    return ~crc;
}

u32 k_crc32(u32 size, u32 repetitions)
{
    u32 state = SEED, checksum = 0;
    make_table();
    for (u32 i = 0; i < size; i++)
        message[i] = (u8)next_random(&state);
    while (repetitions--) {
        message[repetitions % size] ^= 0x55;
        checksum = mix(checksum, crc32(message, size));
    }
    return checksum;
}
