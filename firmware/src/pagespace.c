/*
 * Page space: all RAM that is neither image nor heap, promised to the space bank frame by frame (kernel sheet 3).
 * Each frame has a header, an identity, and a place in the page-by-address index, which is kept sorted for binary
 * search.
 */
#include "kernel.h"

#define MAX_PAGE_RANGES 32

u32 page_frames;           /* frames with a header */
static u32 indexed;        /* entries of the index in use */
u32 data_pages;            /* OIDs of data pages are below this; release() adds at the end */

static inline struct page **page_index(void) { return (struct page **)vector_va[VEC_INDEX]; }

/* Number of indexed frames below pa. */
static u32 index_position(u32 pa)
{
    u32 low = 0, high = indexed;

    while (low < high) {
        u32 middle = (low + high) / 2;

        if (page_index()[middle]->pa < pa)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct page *page_by_address(u32 pa)
{
    u32 position = index_position(pa);
    struct page *page = position < indexed ? page_index()[position] : 0;

    return page && page->pa == pa ? page : 0;
}

/* The page at a position of the index; 0 behind its end. */
struct page *page_at(u32 position)
{
    return position < indexed ? page_index()[position] : 0;
}

static struct page *new_page(u32 pa, enum type type, u32 oid_low, u32 rank, u32 population)
{
    struct page *page = header_take(&free_headers);

    if (!page)
        panic(PANIC_OUT_OF_HEADERS, pa, page_frames);
    page->pa = pa;
    object_identify(&page->mem.header, type, oid_low, rank, population);
    page_frames++;
    return page;
}

/* nPage - nPage / 10 data pages, then nPage / 10 capability pages (kernel sheet 3). */
void page_space_build(void)
{
    u32 pa[MAX_PAGE_RANGES], pages[MAX_PAGE_RANGES], n, i, total = 0, rank = 0, data;

    operation_begin(OP_PAGE_SPACE);
    for (n = 0; n < MAX_PAGE_RANGES; n++) {
        const u32 arguments[] = { n };

        hypercall(HC_PAGE_SPACE, 1, arguments);
        pa[n] = result(0);
        pages[n] = result(1);
        if (!pages[n])
            break;
        total += pages[n];
    }
    data = data_pages = total - total / CAP_PAGE_DIVISOR;
    for (i = 0; i < n; i++) {
        for (; pages[i]; pages[i]--, pa[i] += page_size, rank++) {
            enum type type = rank < data ? TY_PAGE : TY_CAP_PAGE;
            struct page *page = new_page(pa[i], type, rank < data ? rank : rank - data, rank, total);

            if (indexed < boot.vector_count[VEC_INDEX])
                page_index()[indexed++] = page;
        }
    }
    operation_end(OP_PAGE_SPACE);
}

/*
 * The frame goes to the heap: whatever page was in it loses its identity and its content, without a word to the
 * space bank. The header stays in the index, for it still describes the frame.
 */
void page_evict(u32 pa)
{
    struct page *page = page_by_address(pa);
    struct header *header = &page->mem.header;

    if (!page)
        return; /* held back from page space: nobody was promised it */
    if (header->pinned)
        panic(PANIC_FRAME_IN_USE, pa, header->oid_low);
    age_remove(header);
    hash_remove(header);
    header->ote = 0; /* capabilities to it become stale */
    header->type = TY_HEAP_FRAME;
    header->current = 0;
    header->pinned = 1;
}

/* Released frames become data pages on the reclaim list (rank 0). */
static void register_frames(u32 pa, u32 pages)
{
    struct page *page;
    u32 position = index_position(pa), room = boot.vector_count[VEC_INDEX] - indexed, i;
    u32 enter = pages < room ? pages : room;

    for (i = indexed; i-- > position;)
        page_index()[i + enter] = page_index()[i];
    indexed += enter;
    for (i = 0; i < pages; i++, pa += page_size) {
        page = new_page(pa, TY_PAGE, data_pages++, 0, 7);
        if (i < enter)
            page_index()[position + i] = page;
    }
}

/* ---- release ------------------------------------------------------------------------------------------------- */
/*
 * A bump allocator can give back only its tail, and the reserve vector is the tail. F frames can go when the
 * headers that stay suffice for `keep` device pages and for the F frames themselves, which page space needs a
 * header each to describe.
 */
static u32 releasable_frames(u32 keep, u32 slack, u32 first_free, u32 end)
{
    u32 stride = boot.vector_stride[VEC_RESERVE], frames = (end - first_free) >> boot.page_shift;

    for (; frames; frames--) {
        u32 wanted = keep + frames > slack ? keep + frames - slack : 0;

        if (first_free + wanted * stride <= end - frames * page_size)
            break;
    }
    return frames;
}

/* Drop the headers at or above new_end from the free list, which is in address order within the reserve vector. */
static void cut_free_list(struct page *before, struct page *page, u32 new_end)
{
    u32 stride = boot.vector_stride[VEC_RESERVE];

    while (page && (u32)page + stride <= new_end) {
        before = page;
        page = (struct page *)page->mem.header.age_link.next;
    }
    for (; page; page = (struct page *)page->mem.header.age_link.next)
        free_headers.count--;
    free_headers.last = before;
    if (before)
        before->mem.header.age_link.next = 0;
    else
        free_headers.first = 0;
}

u32 release(u32 keep)
{
    struct page *before = 0, *first = free_headers.first;
    u32 start = vector_va[VEC_RESERVE], end = heap_end(), slack = 0, released = 0, frames, pages, pa;

    for (; first && (u32)first - start >= end - start; slack++) {
        before = first;
        first = (struct page *)first->mem.header.age_link.next;
    }
    if (!first || headers_recycled) /* recycled headers are on the list in the order in which they came back */
        return 0;
    operation_begin(OP_RELEASE);
    frames = releasable_frames(keep, slack, (u32)first, end);
    cut_free_list(before, first, end - frames * page_size);
    while ((pages = heap_pop(end - frames * page_size, &pa))) {
        const u32 arguments[] = { pa, pages };

        if (hypercall(HC_RELEASE, 2, arguments) == REFUSAL_OK)
            register_frames(pa, pages);
        released += pages;
    }
    operation_end(OP_RELEASE);
    return released;
}
