/*
 * Page headers for device pages: the free list made at boot, and the four ways to get more (GrowthKind).
 * A header is found by pointer only, never by index, so headers may lie anywhere (kernel sheet 5).
 */
#include "kernel.h"

struct header_pool free_headers, console_headers;
u32 frames_grown;
static u32 growth_next, growth_backed; /* growth area: first unused byte, end of what is mapped */

static inline struct page *next_free(struct page *page) { return (struct page *)page->mem.header.age_link.next; }

void headers_append(struct header_pool *pool, u32 va, u32 count, u32 stride)
{
    for (; count; count--, va += stride) {
        struct page *page = (struct page *)va;

        page->mem.header.age_link.next = 0;
        if (pool->last)
            pool->last->mem.header.age_link.next = (struct link *)page;
        else
            pool->first = page;
        pool->last = page;
        pool->count++;
    }
}

struct page *header_take(struct header_pool *pool)
{
    struct page *page = pool->first;

    if (!page)
        return 0;
    pool->first = next_free(page);
    if (!pool->first)
        pool->last = 0;
    pool->count--;
    return page;
}

static u32 ask(u32 kind, u32 pages, u32 device_pa)
{
    const u32 arguments[] = { kind, pages, device_pa };

    return hypercall(HC_GROW, 3, arguments);
}

static void give_back(u32 pa, u32 pages)
{
    const u32 arguments[] = { pa, pages };

    hypercall(HC_RELEASE, 2, arguments);
}

/* One frame, at the address that the direct map already gives it: no TLB use under ACR, no VA to manage. */
static u32 grow_slab(u32 device_pa)
{
    u32 status = ask(GROW_SLAB, 1, device_pa), pa = result(0), stride = boot.vector_stride[VEC_PAGE];

    if (status != REFUSAL_OK)
        return status;
    page_evict(pa);
    clear((void *)direct_va(pa), page_size);
    headers_append(&free_headers, direct_va(pa), page_size / stride, stride);
    frames_grown++;
    return REFUSAL_OK;
}

static void growth_area_open(void)
{
    u32 unit = 1u << boot.growth_shift;

    growth_next = boot.growth_va ? boot.growth_va : (heap_end() + unit - 1) & -unit;
    growth_backed = growth_next;
}

/* Frames or device memory at the next address of the growth area, through the TLB. */
static u32 grow_mapped(u32 kind, u32 device_pa)
{
    u32 attributes = kind == GROW_ALTMAP ? DR_KERNEL_DEVICE : DR_KERNEL_DATA;
    u32 stride = boot.vector_stride[VEC_PAGE], status, pa, pages, count, i;

    if (!growth_backed)
        growth_area_open();
    if (growth_backed + boot.growth_pages * page_size > boot.growth_limit)
        return REFUSAL_GROWTH_AREA_FULL;
    status = ask(kind, boot.growth_pages, device_pa);
    if (status != REFUSAL_OK)
        return status;
    pa = result(0);
    pages = result(1);
    attributes |= boot.growth_shift == 20 ? DR_1M : page_attribute;
    status = map_insert(growth_backed, pa, pages * page_size, attributes, 0);
    if (status != REFUSAL_OK) {
        give_back(pa, pages);
        return status;
    }
    if (kind == GROW_HEADERS)
        for (i = 0; i < pages; i++)
            page_evict(pa + i * page_size);
    clear((void *)growth_backed, pages * page_size);
    growth_backed += pages * page_size;
    count = (growth_backed - growth_next) / stride; /* a header may cross a page, as in the boot heap */
    headers_append(&free_headers, growth_next, count, stride);
    growth_next += count * stride;
    frames_grown += pages;
    return REFUSAL_OK;
}

u32 grow(u32 device_pa)
{
    u32 refusal;

    if (boot.growth == GROWTH_NONE)
        return REFUSAL_RESERVE_EMPTY;
    operation_begin(OP_GROW);
    if (boot.growth == GROWTH_SLAB)
        refusal = grow_slab(device_pa);
    else
        refusal = grow_mapped(boot.growth == GROWTH_ALTMAP ? GROW_ALTMAP : GROW_HEADERS, device_pa);
    operation_end(OP_GROW);
    return refusal;
}
