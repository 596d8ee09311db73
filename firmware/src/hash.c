/*
 * The object hash: 4096 buckets of 8 bytes in the image BSS, chained through the headers, new ones in front. The
 * bucket is the low part of the OID, so 256 MB of device memory put 8 headers in each bucket (kernel sheet 0.10).
 */
#include "kernel.h"

struct bucket {
    volatile u32 lock; /* a real write, even on one processor */
    struct header *first;
};

struct bucket object_hash[HASH_BUCKETS];
u32 hash_walked; /* headers looked at */

static inline struct bucket *bucket_of(u32 oid_low)
{
    return &object_hash[oid_low % HASH_BUCKETS];
}

struct header *hash_lookup(u32 type, u32 oid_high, u32 oid_low)
{
    struct bucket *bucket = bucket_of(oid_low);
    struct header *header;
    u32 walked = 0;

    bucket->lock = 1;
    for (header = bucket->first; header; header = header->next) {
        walked++;
        if (header->oid_low == oid_low && header->type == type && header->oid_high == oid_high)
            break;
    }
    hash_walked += walked;
    bucket->lock = 0;
    return header;
}

void hash_insert(struct header *header)
{
    struct bucket *bucket = bucket_of(header->oid_low);

    header->next = bucket->first;
    bucket->first = header;
}

void hash_remove(struct header *header)
{
    struct header **link = &bucket_of(header->oid_low)->first;

    while (*link != header)
        link = &(*link)->next;
    *link = header->next;
}
