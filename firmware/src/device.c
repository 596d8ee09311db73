/* Device pages: one call per page, a header each, pinned, at the front of the hash chain (kernel sheet 2.1). */
#include "kernel.h"

u32 device_pages, headers_recycled;

/* A header for the page, from the pool; the console's pool never grows and never lends. */
static u32 take_header(struct header_pool *pool, u32 pa, struct page **page)
{
    u32 refusal;

    *page = header_take(pool);
    if (*page)
        return REFUSAL_OK;
    if (pool == &console_headers)
        return REFUSAL_CONSOLE_RESERVE_EMPTY;
    refusal = grow(pa);
    if (refusal == REFUSAL_OK)
        *page = header_take(pool);
    return *page ? REFUSAL_OK : refusal == REFUSAL_OK ? REFUSAL_RESERVE_EMPTY : refusal;
}

u32 attach_page(u32 pa, struct header_pool *pool)
{
    u32 number = pa >> boot.page_shift, refusal = REFUSAL_OK;
    struct header *known;
    struct page *page;

    operation_begin(OP_ATTACH);
    known = hash_lookup(TY_DEVICE_PAGE, DEVICE_OID_HIGH, number);
    if (known) {
        device_pages += !known->pinned; /* detached before, and its header not recycled */
        known->pinned = 1;
    } else {
        refusal = take_header(pool, pa, &page);
        if (refusal == REFUSAL_OK) {
            struct header *header = &page->mem.header;

            header->type = TY_DEVICE_PAGE;
            header->oid_high = DEVICE_OID_HIGH;
            header->oid_low = number;
            header->pinned = 1; /* on no age list, in no index, never given back; the memory is not cleared */
            header->age = AGE_NONE;
            header->current = 1;
            page->pa = number << boot.page_shift;
            hash_insert(header);
            device_pages++;
        }
    }
    operation_end(OP_ATTACH);
    return refusal;
}

/* A page that is rescinded loses pin and content; its header serves another page only with `recycle`. */
u32 detach_page(u32 pa, u32 recycle)
{
    u32 number = pa >> boot.page_shift, refusal = REFUSAL_NOT_ATTACHED;
    struct header *header;

    operation_begin(OP_DETACH);
    header = hash_lookup(TY_DEVICE_PAGE, DEVICE_OID_HIGH, number);
    if (header && header->pinned) {
        header->pinned = 0;
        header->alloc_count++;
        entry_cut(header);
        mmu_write(MMUOR, MMUOR_CNL); /* whoever has it mapped */
        clear(device_window(pa), page_size);
        device_window_close();
        if (recycle) {
            hash_remove(header);
            header->type = TY_FREE;
            headers_append(&free_headers, (u32)header, 1, boot.vector_stride[VEC_PAGE]);
            headers_recycled++;
        }
        device_pages--;
        refusal = REFUSAL_OK;
    }
    operation_end(OP_DETACH);
    return refusal;
}
