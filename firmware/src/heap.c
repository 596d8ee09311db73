/*
 * The boot heap: a bump allocator without free (kernel sheet 1.1). Each vector starts on a page, so that every
 * mapping kind has the same layout. The model says where the next physical chunk lies; everything else happens
 * here.
 */
#include "kernel.h"

struct chunk {
    u32 va, pa, pages;
};

struct chunk chunks[MAX_CHUNKS];
u32 chunk_count;
u32 vector_va[VECTORS];
u32 heap_start, heap_next, heap_pages;
static u32 heap_backed; /* end of what has frames */

void clear(void *start, u32 bytes)
{
    u32 *word = start, *end = word + bytes / 4, *bulk = word + (bytes / 32) * 8;

    while (word < bulk) {
        word[0] = word[1] = word[2] = word[3] = 0;
        word[4] = word[5] = word[6] = word[7] = 0;
        word += 8;
    }
    while (word < end)
        *word++ = 0;
}

/* Both ends are aligned alike: the strings of our programs begin on pages. */
void copy(void *to, const void *from, u32 bytes)
{
    u32 *word = to, *end = word + bytes / 4, *bulk = word + (bytes / 16) * 4;
    const u32 *source = from;

    for (; word < bulk; word += 4, source += 4) {
        word[0] = source[0];
        word[1] = source[1];
        word[2] = source[2];
        word[3] = source[3];
    }
    while (word < end)
        *word++ = *source++;
    for (bytes %= 4; bytes; bytes--)
        ((u8 *)word)[bytes - 1] = ((const u8 *)source)[bytes - 1];
}

static void remember_chunk(u32 va, u32 pa, u32 pages)
{
    struct chunk *last = chunks + chunk_count - 1;

    heap_pages += pages;
    if (chunk_count && last->va + last->pages * page_size == va && last->pa + last->pages * page_size == pa) {
        last->pages += pages;
        return;
    }
    if (chunk_count == MAX_CHUNKS)
        panic(PANIC_TOO_MANY_CHUNKS, va, chunk_count);
    chunks[chunk_count++] = (struct chunk){ va, pa, pages };
}

/* Ask for frames until `bytes` more are backed at heap_next. */
static void heap_back(u32 bytes, u32 vector)
{
    u32 direct = boot.mapping != MAP_PAGED_8K && boot.mapping != MAP_PAGED_4K;

    while (heap_next + bytes > heap_backed) {
        const u32 arguments[] = { GROW_BOOT, pages_of(heap_next + bytes - heap_backed), vector };
        u32 status = hypercall(HC_GROW, 3, arguments), pa = result(0), pages = result(1), va = heap_backed;

        if (status != REFUSAL_OK || !pages)
            panic(PANIC_BOOT_REFUSED, heap_next, status);
        if (direct) {
            va = direct_va(pa);
            if (va != heap_backed) { /* VA = PA + constant: the heap goes on wherever the chunk is */
                if (pages < pages_of(bytes))
                    panic(PANIC_HEAP_FRAGMENTED, va, pages);
                heap_next = heap_backed = va;
                if (!heap_start)
                    heap_start = va;
            }
        }
        map_heap(va, pa, pages);
        remember_chunk(va, pa, pages);
        heap_backed += pages * page_size;
    }
}

static u32 calloc(u32 bytes, u32 vector)
{
    u32 block;

    heap_next = heap_backed;
    heap_back(bytes, vector);
    block = heap_next;
    clear((void *)block, (bytes + 3) & -4u);
    heap_next += (bytes + 3) & -4u;
    return block;
}

void heap_build(void)
{
    u32 vector;

    if (boot.mapping == MAP_PAGED_8K || boot.mapping == MAP_PAGED_4K)
        heap_start = heap_next = heap_backed = boot.heap_va;
    for (vector = 0; vector < VECTORS; vector++) {
        u32 bytes = boot.vector_count[vector] * boot.vector_stride[vector];

        vector_va[vector] = bytes ? calloc(bytes, vector) : heap_backed;
    }
}

u32 heap_end(void) { return heap_backed; }

/* Take the last contiguous piece above new_end off the heap: its pages (0 = nothing left), its PA in *pa. */
u32 heap_pop(u32 new_end, u32 *pa)
{
    struct chunk *last = chunks + chunk_count - 1;
    u32 va = last->va > new_end ? last->va : new_end, pages;

    if (!chunk_count || last->va + last->pages * page_size <= new_end)
        return 0;
    pages = pages_of(last->va + last->pages * page_size - va);
    *pa = last->pa + (va - last->va);
    last->pages -= pages;
    if (!last->pages)
        chunk_count--;
    if (boot.mapping == MAP_PAGED_8K || boot.mapping == MAP_PAGED_4K)
        map_remove(va, pages * page_size);
    heap_backed = heap_next = va;
    heap_pages -= pages;
    return pages;
}
