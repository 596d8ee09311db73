/*
 * The kernel map: what the miss handlers consult, and the locked entries. All tables are in the image, so that a
 * handler never misses on its own data (kernel sheet 8.6).
 */
#include "kernel.h"

#define MB 0x100000u

struct range {
    u32 va, bytes, pa, attributes;
};

struct range ranges[MAX_RANGES];
struct range *ranges_end = ranges; /* one past the last in use; the handler scans up to it */
u32 direct_size, direct_dr;        /* the direct range: bounds, and what VA - KVA lacks to be the MMUDR image */
u32 page_size, page_attribute, kernel_dr;
u32 locked_entries, ranges_used, tables_used;
static u32 locked_va[MAX_LOCKED];
static u32 window_slot;

typedef void handler(void);
extern handler miss_range_8k, miss_range_4k, miss_direct_range_8k, miss_direct_range_4k;
extern handler miss_two_level_8k, miss_two_level_4k, miss_direct_two_level_8k, miss_direct_two_level_4k;
extern handler miss_linear_8k, miss_linear_4k, miss_direct_linear_8k, miss_direct_linear_4k;

static handler *const handlers[3][2][2] = { /* [HandlerKind][direct range][4-KB pages] */
    [HANDLER_RANGE] = { { miss_range_8k, miss_range_4k }, { miss_direct_range_8k, miss_direct_range_4k } },
    [HANDLER_TWO_LEVEL] = { { miss_two_level_8k, miss_two_level_4k },
                            { miss_direct_two_level_8k, miss_direct_two_level_4k } },
    [HANDLER_LINEAR] = { { miss_linear_8k, miss_linear_4k }, { miss_direct_linear_8k, miss_direct_linear_4k } },
};

static inline u32 paged(void) { return boot.mapping == MAP_PAGED_8K || boot.mapping == MAP_PAGED_4K; }
static inline u32 window_va(void) { return TRANSMAP_VA + window_slot * page_size; }
static inline void flush_unlocked(void) { mmu_write(MMUOR, MMUOR_CNL); }

/* ---- two-level and linear tables ----------------------------------------------------------------------------- */
static u32 *table_of(u32 va, u32 allocate)
{
    u32 *directory = (u32 *)kernel_tables;
    u32 bytes = 4u << (22 - boot.page_shift), table = directory[va >> 22];

    if (table || !allocate)
        return (u32 *)table;
    table = (u32)kernel_tables + 4096 + tables_used * bytes;
    if (table + bytes > (u32)kernel_tables_end)
        return 0;
    clear((void *)table, bytes);
    tables_used++;
    directory[va >> 22] = table;
    return (u32 *)table;
}

static u32 *pte_of(u32 va, u32 allocate)
{
    u32 *table;

    if (va < KVA || va >= SUPERVISOR_LIMIT)
        return 0;
    if (boot.handler == HANDLER_LINEAR)
        return (u32 *)kernel_tables + ((va - KVA) >> boot.page_shift);
    table = table_of(va, allocate);
    return table ? table + (va >> boot.page_shift & ((1u << (22 - boot.page_shift)) - 1)) : 0;
}

static u32 insert_ptes(u32 va, u32 pa, u32 bytes, u32 attributes)
{
    u32 offset;

    for (offset = 0; offset < bytes; offset += page_size) {
        u32 *pte = pte_of(va + offset, 1);

        if (!pte)
            return REFUSAL_TABLES_FULL;
        *pte = (pa + offset) | attributes;
    }
    return REFUSAL_OK;
}

static void remove_ptes(u32 va, u32 bytes)
{
    u32 offset;

    for (offset = 0; offset < bytes; offset += page_size) {
        u32 *pte = pte_of(va + offset, 0);

        if (pte)
            *pte = 0;
    }
}

/* ---- range table --------------------------------------------------------------------------------------------- */
static u32 insert_range(u32 va, u32 pa, u32 bytes, u32 attributes, u32 protected)
{
    /* one range is kept for the console: without it the user could not be told to re-tune */
    struct range *limit = ranges + (protected ? MAX_RANGES : MAX_RANGES - 1), *r;

    for (r = ranges; r < ranges_end; r++) {
        if (r->attributes != attributes)
            continue;
        if (r->va + r->bytes == va && r->pa + r->bytes == pa) {
            r->bytes += bytes;
            return REFUSAL_OK;
        }
        if (va + bytes == r->va && pa + bytes == r->pa) {
            r->va = va;
            r->pa = pa;
            r->bytes += bytes;
            return REFUSAL_OK;
        }
    }
    if (ranges_end >= limit)
        return REFUSAL_RANGES_FULL;
    for (r = ranges_end; r > ranges && r[-1].va > va; r--) /* sorted by VA, as in the port */
        r[0] = r[-1];
    r->va = va;
    r->bytes = bytes;
    r->pa = pa;
    r->attributes = attributes;
    ranges_end++;
    ranges_used++;
    return REFUSAL_OK;
}

static void remove_range(u32 va, u32 bytes)
{
    struct range *r = ranges;

    while (r < ranges_end && va - r->va >= r->bytes)
        r++;
    if (r == ranges_end)
        return;
    if (va == r->va) {
        r->va += bytes;
        r->pa += bytes;
    }
    r->bytes -= bytes; /* otherwise the piece is the range's tail: only tails and whole chunks are ever removed */
    if (r->bytes)
        return;
    for (ranges_end--, ranges_used--; r < ranges_end; r++)
        r[0] = r[1];
}

/* ---- what the rest of the kernel uses ------------------------------------------------------------------------ */
u32 map_insert(u32 va, u32 pa, u32 bytes, u32 attributes, u32 protected)
{
    if (boot.handler == HANDLER_RANGE)
        return insert_range(va, pa, bytes, attributes, protected);
    return insert_ptes(va, pa, bytes, attributes);
}

static void forget(u32 va, u32 bytes)
{
    if (boot.handler == HANDLER_RANGE)
        remove_range(va, bytes);
    else
        remove_ptes(va, bytes);
}

void map_remove(u32 va, u32 bytes)
{
    forget(va, bytes);
    flush_unlocked(); /* the port's selective flush is a full one, too (kernel sheet 4.2) */
}

static void lock_megabyte(u32 va, u32 pa)
{
    u32 i;

    for (i = 0; i < locked_entries; i++)
        if (locked_va[i] == va)
            return;
    if (locked_entries == MAX_LOCKED)
        panic(PANIC_TOO_MANY_LOCKED, va, locked_entries);
    flush_unlocked(); /* two entries for one address are undefined (hardware sheet 7, item 7) */
    mmu_write(MMUTR, va | TR_KERNEL);
    mmu_write(MMUDR, pa | DR_1M | DR_KERNEL_DATA | DR_LOCKED);
    mmu_write(MMUOR, MMUOR_LOAD_DTLB);
    locked_va[locked_entries++] = va;
}

/* Make a new chunk of the boot heap reachable, in the way the mapping parameter says. */
void map_heap(u32 va, u32 pa, u32 pages)
{
    u32 bytes = pages * page_size, mb, refusal;

    if (boot.mapping == MAP_LOCKED_1M)
        for (mb = va & -MB; mb - (va & -MB) < bytes + (va & (MB - 1)); mb += MB)
            lock_megabyte(mb, mb - va + pa);
    if (!paged())
        return;
    refusal = map_insert(va, pa, bytes, kernel_dr, 0);
    if (refusal != REFUSAL_OK)
        panic(refusal == REFUSAL_RANGES_FULL ? PANIC_TOO_MANY_RANGES : PANIC_TABLES_FULL, va, refusal);
}

u32 direct_va(u32 pa) { return pa - boot.ram_base + KVA; }

/*
 * A kernel address for a frame of page space: the direct map has one, otherwise a slot of the transmap window. The slots
 * are used in turn, so that a flush is due only before the first is used again.
 */
static void *window_open(u32 pa, u32 attributes)
{
    window_slot = (window_slot + 1) % TRANSMAP_SLOTS;
    if (!window_slot)
        flush_unlocked();
    if (map_insert(window_va(), pa, page_size, attributes, 1) != REFUSAL_OK)
        panic(PANIC_TOO_MANY_RANGES, window_va(), 0);
    return (void *)window_va();
}

void *frame_window(u32 pa)
{
    return paged() ? window_open(pa, kernel_dr) : (void *)direct_va(pa);
}

void frame_window_close(void)
{
    if (paged())
        forget(window_va(), page_size);
}

/* Device memory is in no direct map. */
void *device_window(u32 pa) { return window_open(pa, page_attribute | DR_KERNEL_DEVICE); }
void device_window_close(void) { forget(window_va(), page_size); }

void map_build(void)
{
    u32 direct = boot.mapping == MAP_LOCKED_1M || boot.mapping == MAP_UNLOCKED_1M;

    page_size = 1u << boot.page_shift;
    page_attribute = boot.page_shift == 12 ? DR_4K : DR_8K;
    kernel_dr = page_attribute | DR_KERNEL_DATA;
    direct_size = boot.ram_size;
    direct_dr = boot.ram_base | DR_1M | DR_KERNEL_DATA;
    if (boot.mapping != MAP_ACR)
        locked_va[locked_entries++] = KVA; /* the image, locked by start.S */
    if (boot.handler == HANDLER_LINEAR)
        clear(kernel_tables, (SUPERVISOR_LIMIT - KVA) >> boot.page_shift << 2);
    if (boot.handler == HANDLER_TWO_LEVEL) {
        clear(kernel_tables, 4096);
        table_of(boot.console_va, 1); /* protected: the console must not lack a page table */
        table_of(TRANSMAP_VA, 1);
    }
    vectors[2] = (u32)handlers[boot.handler][direct][boot.page_shift == 12];
}
