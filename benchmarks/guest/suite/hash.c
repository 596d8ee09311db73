/* A hash table with chains: keys are entered, found, not found, removed and entered again. */
#include "suite.h"

struct entry {
    struct entry *next;
    u32 key, value;
};

static struct entry entries[65536], *buckets[16384], *unused;
static u32 shift; /* 32 - bits of the index */

static struct entry **bucket(u32 key)
{
    return &buckets[key * 2654435761u >> shift];
}

static void __attribute__((noinline)) clear(u32 size)
{
    shift = 32;
    for (u32 count = 1; count * 4 <= size && count < LENGTH(buckets); count *= 2)
        shift--;
    if (shift == 32)
        shift = 31;
    for (u32 i = 0; i < 1u << (32 - shift); i++)
        buckets[i] = 0;
    unused = 0;
    for (u32 i = size; i--;) {
        entries[i].next = unused;
        unused = &entries[i];
    }
}

static struct entry *__attribute__((noinline)) find(u32 key)
{
    struct entry *entry = *bucket(key);
    while (entry && entry->key != key)
        entry = entry->next;
    return entry;
}

static void __attribute__((noinline)) enter(u32 key, u32 value)
{
    struct entry *entry = find(key);
    if (!entry) {
        struct entry **head = bucket(key);
        entry = unused;
        unused = entry->next;
        entry->key = key;
        entry->next = *head;
        *head = entry;
    }
    entry->value = value;
}

static u32 __attribute__((noinline)) take_out(u32 key)
{
    struct entry **link = bucket(key), *entry;
    while ((entry = *link) && entry->key != key)
        link = &entry->next;
    if (!entry)
        return 0;
    *link = entry->next;
    entry->next = unused;
    unused = entry;
    return entry->value;
}

/* size: keys at a time */
u32 k_hash(u32 size, u32 repetitions)
{
    u32 seed = SEED, checksum = 0;
    clear(size);
    while (repetitions--) {
        u32 state = next_random(&seed);
        for (u32 i = 0; i < size; i++)
            enter(next_random(&state), i);
        state = seed;
        for (u32 i = 0; i < size; i++) {
            const struct entry *entry = find(next_random(&state) ^ (i % 4 == 3)); /* one of four is not there */
            checksum = mix(checksum, entry ? entry->value : ~i);
        }
        state = seed;
        for (u32 i = 0; i < size; i++)
            checksum = mix(checksum, take_out(next_random(&state)));
    }
    return checksum;
}
