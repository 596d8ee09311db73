/*
 * Objects, their age lists, object-table entries, and capability preparation (kernel sheet 5).
 *
 * Every object of the cache gets an identity at boot, because the kernel promises all of them to the space bank at
 * once (kernel sheet 3: zero slack).
 */
#include "kernel.h"

#define OFFSET_IS(type, member, offset) \
    _Static_assert(__builtin_offsetof(struct type, member) == (offset), #type "." #member)

_Static_assert(sizeof(struct header) == 46, "ObjectHeader");
_Static_assert(sizeof(struct page) == 54, "Page");
_Static_assert(sizeof(struct process) == 882, "Process");
_Static_assert(sizeof(struct gpt) == 314, "GPT");
_Static_assert(sizeof(struct endpoint) == 78, "Endpoint");
_Static_assert(sizeof(struct ote) == 12, "OTEntry");
_Static_assert(sizeof(struct capability) == 16, "capability");
OFFSET_IS(header, next, 8);
OFFSET_IS(header, oid_high, 12);
OFFSET_IS(header, lock, 24);
OFFSET_IS(header, type, 28);
OFFSET_IS(header, ote, 32);
OFFSET_IS(header, age, 36);
OFFSET_IS(header, checksum, 42);
OFFSET_IS(mem_header, products, 46);
OFFSET_IS(page, pa, 50);
OFFSET_IS(gpt, slot, 58);
OFFSET_IS(endpoint, recipient, 62);
OFFSET_IS(process, issues, 46);
OFFSET_IS(process, ready_queue, 52);
OFFSET_IS(process, on_queue, 56);
OFFSET_IS(process, on_cpu, 60);
OFFSET_IS(process, queue_link, 76);
OFFSET_IS(process, page_table, PROCESS_TABLE);
OFFSET_IS(process, receive_queue, 88);
OFFSET_IS(process, ipc_peer, 100);
OFFSET_IS(process, address_space, 144);
OFFSET_IS(process, cap, 224);
OFFSET_IS(process, registers, PROCESS_REGISTERS);
OFFSET_IS(process, registers.frame, PROCESS_FRAME);
OFFSET_IS(process, registers.pc, PROCESS_PC);

struct cache caches[TY_CAP_PAGE]; /* TY_PAGE serves data and capability pages */
struct ote *free_otes;
u32 otes_taken;
static u32 operation; /* number of the prepare in progress: what a lock is set to */

void *element(u32 vector, u32 index)
{
    return (void *)(vector_va[vector] + index * boot.vector_stride[vector]);
}

/* ---- age lists ----------------------------------------------------------------------------------------------- */
static inline struct link *age_list(const struct header *header, enum age age)
{
    u32 type = header->type < TY_PAGE ? header->type : TY_PAGE;

    return &caches[type].list[age];
}

void age_insert(struct header *header, enum age age)
{
    struct link *list = age_list(header, age), *link = &header->age_link;

    link->next = list->next;
    link->prev = list;
    list->next->prev = link;
    list->next = link;
    header->age = age;
}

void age_remove(struct header *header)
{
    struct link *link = &header->age_link;

    link->prev->next = link->next;
    link->next->prev = link->prev;
    header->age = AGE_NONE;
}

/* Where an object of a full cache is found: reclaim list n/7, check list n/10 (kernel sheet 5), the rest active. */
static enum age initial_age(u32 rank, u32 population)
{
    if (rank < population / 7)
        return AGE_RECLAIM;
    return rank < population / 7 + population / 10 ? AGE_CHECK : AGE_ACTIVE;
}

void object_identify(struct header *header, enum type type, u32 oid_low, u32 rank, u32 population)
{
    header->type = type;
    header->oid_low = oid_low;
    header->current = 1;
    age_insert(header, initial_age(rank, population));
    hash_insert(header);
}

/* ---- construction at boot ------------------------------------------------------------------------------------ */
static void build_vector(u32 vector, enum type type)
{
    u32 n = boot.vector_count[vector], i;

    for (i = 0; i < n; i++)
        object_identify(element(vector, i), type, i, i, n);
}

/* Free lists through the first word: depend and reverse-map blocks, object-table entries. */
static void *build_free_list(u32 vector)
{
    u32 n = boot.vector_count[vector], i;
    void *first = 0;

    for (i = n; i-- > 0;) {
        void **block = element(vector, i);

        *block = first;
        first = block;
    }
    return first;
}

static void *free_depends, *free_revmaps;

void objects_build(void)
{
    u32 i, age;

    for (i = 0; i < TY_CAP_PAGE; i++)
        for (age = 0; age < 4; age++)
            caches[i].list[age].next = caches[i].list[age].prev = &caches[i].list[age];
    build_vector(VEC_PROCESS, TY_PROCESS);
    build_vector(VEC_GPT, TY_GPT);
    build_vector(VEC_ENDPOINT, TY_ENDPOINT);
    free_depends = build_free_list(VEC_DEPEND);
    free_revmaps = build_free_list(VEC_REVMAP);
    free_otes = build_free_list(VEC_OTE);
    /* console reserve first, then what page space and then device pages take */
    i = boot.console_reserve < boot.vector_count[VEC_PAGE] ? boot.console_reserve : boot.vector_count[VEC_PAGE];
    headers_append(&console_headers, vector_va[VEC_PAGE], i, boot.vector_stride[VEC_PAGE]);
    headers_append(&free_headers, (u32)element(VEC_PAGE, i), boot.vector_count[VEC_PAGE] - i,
                   boot.vector_stride[VEC_PAGE]);
    headers_append(&free_headers, vector_va[VEC_RESERVE], boot.vector_count[VEC_RESERVE],
                   boot.vector_stride[VEC_RESERVE]);
}

/* ---- capabilities -------------------------------------------------------------------------------------------- */
void capability_to_oid(struct capability *cap, enum type type, u32 high, u32 low)
{
    cap->type = type;
    cap->oid.high = high;
    cap->oid.low = low;
}

static struct ote *take_ote(struct header *header)
{
    struct ote *ote = free_otes;

    if (!ote)
        panic(PANIC_OUT_OF_OTES, (u32)header, otes_taken);
    free_otes = ote->next;
    ote->target = header;
    ote->alloc_count = header->alloc_count;
    header->ote = ote;
    otes_taken++;
    return ote;
}

/* Capabilities to the object are stale from now on. */
void entry_cut(struct header *header)
{
    if (header->ote) {
        header->ote->target = 0;
        header->ote = 0;
    }
}

/* An object that somebody uses is active: off the check or reclaim list, to the front of the active one. */
static inline void refresh(struct header *header)
{
    if (header->age >= AGE_CHECK) {
        age_remove(header);
        age_insert(header, AGE_ACTIVE);
    }
}

/* Make a capability point at its object. */
u32 prepare(struct capability *cap)
{
    struct header *header;

    operation++;
    if (cap->type & CAP_PREPARED) {
        header = cap->prepared.target;
        header->lock = operation;
        if (cap->prepared.ote == header->ote) { /* stale otherwise */
            refresh(header);
            return REFUSAL_OK;
        }
        return REFUSAL_NOT_ATTACHED;
    }
    header = hash_lookup(cap->type, cap->oid.high, cap->oid.low);
    if (!header)
        return REFUSAL_NOT_ATTACHED;
    header->lock = operation;
    refresh(header);
    cap->prepared.ote = header->ote ? header->ote : take_ote(header);
    cap->prepared.target = header;
    cap->type |= CAP_PREPARED;
    return REFUSAL_OK;
}
