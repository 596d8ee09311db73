/* A large working set: records of 64 bytes, sorted by key, are found by binary search and changed. Every search goes
   through some half a dozen pages, few of which the last one went through. */
#include "suite.h"

#define SEARCHES 256 /* per repetition */

struct record {
    u32 key, visits, contents[14];
};

static struct record table[16384];

static struct record *__attribute__((noinline)) find(u32 size, u32 key)
{
    u32 low = 0, high = size; /* table[low].key <= key < table[high].key */
    while (high - low > 1) {
        u32 middle = (low + high) / 2;
        if (table[middle].key <= key)
            low = middle;
        else
            high = middle;
    }
    return &table[low];
}

/* size: records, 128 of them to a page of 8 KB */
u32 k_table(u32 size, u32 repetitions)
{
    u32 state = SEED, checksum = 0, distance = 0xFFFFFFFFu / size;
    for (u32 i = 0; i < size; i++) {
        table[i].key = i * distance;
        table[i].visits = 0;
        table[i].contents[0] = next_random(&state);
    }
    while (repetitions--)
        for (u32 i = 0; i < SEARCHES; i++) {
            struct record *record = find(size, next_random(&state));
            u32 *place = &record->contents[record->visits++ % LENGTH(record->contents)];
            *place += state;
            checksum = mix(checksum, *place ^ record->key);
        }
    return checksum;
}
