/*
 * Pages for new objects when the cache is full, as it always is: the oldest page on the reclaim list gives up its frame
 * (kernel sheet 3, 5). When that list runs low, one allocation pays for a burst that ages a seventh of all headers.
 *
 * Nothing is written back, as in the source: the object that was in the frame is gone.
 */
#include "kernel.h"

u32 aging_bursts, headers_aged;
static u32 reclaimable, checked; /* lengths of those lists of pages */

static struct link *page_list(enum age age) { return &caches[TY_PAGE].list[age]; }

static struct header *oldest(enum age age)
{
    struct link *list = page_list(age);

    return list->prev == list ? 0 : (struct header *)list->prev;
}

static u32 length(enum age age)
{
    struct link *list = page_list(age), *link;
    u32 n = 0;

    for (link = list->next; link != list; link = link->next)
        n++;
    return n;
}

/* The lists carry no count, and prepares and growth take pages off them: count before a run of allocations. */
void aging_begin(void)
{
    reclaimable = length(AGE_RECLAIM);
    checked = length(AGE_CHECK);
}

/*
 * Boot leaves the lists in the order of the frames; use leaves them in none. Every page goes to the front of its list
 * once, in the order of a congruential generator whose period is a power of two and that steps over what is no page.
 */
u32 age_lists_shuffle(u32 seed)
{
    u32 increment = random(&seed) | 1, position = random(&seed), period = 1, moved = 0, n;

    while (period < page_frames)
        period *= 2;
    for (n = 0; n < period; n++) {
        struct page *page;

        position = position * 1664525 + increment; /* full period: multiplier 1 mod 4, increment odd */
        page = page_at(position & (period - 1));
        if (page && page->mem.header.age != AGE_NONE) {
            enum age age = page->mem.header.age;

            age_remove(&page->mem.header);
            age_insert(&page->mem.header, age);
            moved++;
        }
    }
    return moved;
}

/* ---- aging --------------------------------------------------------------------------------------------------- */
static u32 age_oldest(enum age from, enum age to)
{
    struct header *header = oldest(from);

    if (!header)
        return 0;
    age_remove(header);
    age_insert(header, to);
    if (header->ote)
        header->ote->alloc_count = header->alloc_count; /* the entry outlives the object in memory */
    headers_aged++;
    return 1;
}

static u32 age_to_check(void)
{
    u32 moved = age_oldest(AGE_ACTIVE, AGE_CHECK);

    checked += moved;
    return moved;
}

static u32 age_to_reclaim(void)
{
    u32 moved = age_oldest(AGE_CHECK, AGE_RECLAIM);

    checked -= moved;
    reclaimable += moved;
    return moved;
}

/* Water marks of kernel sheet 5. No page counts as referenced: the port's test of the bit always says so. */
static void burst(void)
{
    u32 n = page_frames;

    operation_begin(OP_AGE);
    aging_bursts++;
    while (reclaimable < n / 7) {
        if (checked <= n / 30)
            while (checked < n / 10 && age_to_check())
                ;
        if (!age_to_reclaim())
            break;
    }
    /*
     * One flush for all. A page that is touched again is walked to, and so made active: no page on the reclaim list has
     * an entry in a TLB, and taking its frame needs no flush.
     */
    mmu_write(MMUOR, MMUOR_CNL);
    operation_end(OP_AGE);
}

/* ---- allocate, rescind --------------------------------------------------------------------------------------- */
static void clear_page(struct header *header)
{
    clear(frame_window(((struct page *)header)->pa), page_size);
    frame_window_close();
}

static u32 take_oldest(struct header **taken)
{
    struct header *header;

    if (reclaimable <= page_frames / 20)
        burst();
    header = oldest(AGE_RECLAIM);
    if (!header)
        return REFUSAL_NO_OBJECT;
    age_remove(header);
    reclaimable--;
    hash_remove(header);
    entry_cut(header);
    *taken = header;
    return REFUSAL_OK;
}

/* A cleared page under a new OID, and a prepared capability to it. */
u32 page_allocate(struct capability *cap, u32 oid)
{
    struct header *header;
    u32 refusal;

    if (!free_otes)
        return REFUSAL_NO_OTE;
    operation_begin(OP_ALLOCATE);
    refusal = hash_lookup(TY_PAGE, 0, oid) ? REFUSAL_BAD_COMMAND : take_oldest(&header);
    if (refusal == REFUSAL_OK) {
        clear_page(header);
        header->type = TY_PAGE;
        header->oid_low = oid;
        header->alloc_count = 0;
        header->dirty = 1;
        hash_insert(header);
        age_insert(header, AGE_ACTIVE);
        capability_to_oid(cap, TY_PAGE, 0, oid);
        refusal = prepare(cap);
    }
    operation_end(OP_ALLOCATE);
    return refusal;
}

/* The object ends; its frame is the newest on the reclaim list. */
u32 page_rescind(struct capability *cap)
{
    struct header *header;
    u32 refusal;

    operation_begin(OP_RESCIND);
    refusal = prepare(cap);
    if (refusal == REFUSAL_OK) {
        header = cap->prepared.target;
        header->alloc_count++;
        entry_cut(header);
        mmu_write(MMUOR, MMUOR_CNL); /* any process may have it mapped, and without a reverse map nobody knows which */
        clear_page(header);
        header->dirty = 0;
        age_remove(header);
        age_insert(header, AGE_RECLAIM);
        reclaimable++;
        cap->type = 0;
    }
    operation_end(OP_RESCIND);
    return refusal;
}
