/*
 * Cold prepare: capabilities to random objects of all types, each an unprepared one, so that every lookup goes
 * through the hash. The capability lies in a capability register of a Process, where it would in a real kernel.
 */
#include "kernel.h"

/* Object number i of the whole population as a capability. */
static void fabricate(struct capability *cap, u32 i)
{
    static const struct {
        u32 vector;
        enum type type;
    } kinds[] = { { VEC_PROCESS, TY_PROCESS }, { VEC_GPT, TY_GPT }, { VEC_ENDPOINT, TY_ENDPOINT } };
    u32 k;

    for (k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        u32 n = boot.vector_count[kinds[k].vector];

        if (i < n) {
            capability_to_oid(cap, kinds[k].type, 0, i);
            return;
        }
        i -= n;
    }
    if (i < data_pages)
        capability_to_oid(cap, TY_PAGE, 0, i);
    else
        capability_to_oid(cap, TY_CAP_PAGE, 0, i - data_pages);
}

/* Returns how many found their object; pages that were evicted for the heap are not found. */
u32 cold_prepare(u32 lookups, u32 seed)
{
    u32 found = 0;
    u32 population = boot.vector_count[VEC_PROCESS] + boot.vector_count[VEC_GPT] +
                     boot.vector_count[VEC_ENDPOINT] + page_frames;
    struct process *holder = element(VEC_PROCESS, 0);

    for (; lookups; lookups--) {
        struct capability *cap = &holder->cap[16 + lookups % 16];

        fabricate(cap, random(&seed) % population);
        operation_begin(OP_PREPARE);
        found += prepare(cap) == REFUSAL_OK;
        operation_end(OP_PREPARE);
    }
    return found;
}
