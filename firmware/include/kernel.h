/*
 * The nucleus in one page: kernel objects with the sizes and links of the kernel sheet (1.5), and what each file
 * offers. Everything that is not in the heap according to kernel sheet 5 (hash, lists' heads, range table, queues)
 * is in the BSS.
 */
#ifndef CFEMU_KERNEL_H
#define CFEMU_KERNEL_H

#include "abi.h"
#include "mmu.h"
#include "offsets.h"

typedef unsigned int u32;
typedef unsigned char u8;

/* ---- objects (objects.c) ------------------------------------------------------------------------------------- */
struct link {
    struct link *next, *prev;
};

enum type { TY_FREE, TY_PROCESS, TY_GPT, TY_ENDPOINT, TY_PAGE, TY_CAP_PAGE, TY_DEVICE_PAGE, TY_HEAP_FRAME };
enum age { AGE_NONE, AGE_ACTIVE, AGE_CHECK, AGE_RECLAIM };

struct ote {
    struct ote *next; /* free list */
    struct header *target;
    u32 alloc_count;
};

/* ObjectHeader: 46 bytes under the 2-byte alignment of the ColdFire ABI. */
struct header {
    struct link age_link;
    struct header *next; /* hash chain */
    u32 oid_high, oid_low;
    u32 alloc_count;
    u32 lock; /* the operation that touched the object last: every first touch is a write (kernel sheet 5) */
    u32 type;
    struct ote *ote;
    u8 age, pinned, dirty, current, snapshot, has_checksum;
    u32 checksum;
};

struct mem_header {
    struct header header;
    u32 products;
};

struct page {
    struct mem_header mem;
    u32 pa;
};

struct capability {
    u32 type;  /* enum type, CAP_PREPARED */
    u32 guard; /* of a memory capability: what the address bits above the object's span must be */
    union {
        struct {
            u32 high, low;
        } oid;
        struct {
            struct ote *ote;
            struct header *target;
        } prepared;
    };
};
#define CAP_PREPARED 0x80000000u

struct gpt {
    struct mem_header mem;
    u32 l2v; /* log2 of the bytes behind one slot; 0 = the GPT is in no address space */
    u32 unused;
    struct capability slot[16];
};

struct endpoint {
    struct header header;
    u32 state[4];
    struct capability recipient;
};

struct registers {
    u32 d[8], a[8]; /* a[7] is the user stack pointer */
    u32 frame;      /* format, vector, SR as stacked */
    u32 pc;
    u8 rest[74];    /* FPU and EMAC state, unused here */
};

enum run_state { RUN_IDLE, RUN_READY, RUN_RECEIVING, RUN_SENDING };

struct process {
    struct header header;
    u32 issues;
    u8 unused0[2];
    u32 ready_queue;
    u32 on_queue;
    u32 on_cpu;
    u32 run_state;
    u32 asid;
    u32 unused1;
    struct link queue_link;
    u32 *page_table; /* mappingTableHdr */
    struct link receive_queue;
    u32 unused2;
    struct process *ipc_peer;
    u8 state_head[40];
    struct capability address_space;
    u8 state_more[64];
    struct capability cap[32];
    struct registers registers;
};

struct cache { /* one per type: the age lists (kernel sheet 5, aging) */
    struct link list[4]; /* by enum age; AGE_NONE unused */
};

extern struct cache caches[TY_CAP_PAGE];
void objects_build(void);
void object_identify(struct header *header, enum type type, u32 oid_low, u32 rank, u32 population);
void age_insert(struct header *header, enum age age);
void age_remove(struct header *header);
u32 prepare(struct capability *cap);
void entry_cut(struct header *header);
void capability_to_oid(struct capability *cap, enum type type, u32 high, u32 low);
void *element(u32 vector, u32 index);
extern struct ote *free_otes;
extern u32 otes_taken;

/* ---- object hash (hash.c) ------------------------------------------------------------------------------------ */
struct header *hash_lookup(u32 type, u32 oid_high, u32 oid_low);
void hash_insert(struct header *header);
void hash_remove(struct header *header);
extern u32 hash_walked;

/* ---- heap (heap.c) ------------------------------------------------------------------------------------------- */
extern u32 vector_va[VECTORS];
extern u32 heap_start, heap_next, heap_pages;
void heap_build(void);
u32 heap_end(void);
u32 heap_pop(u32 new_end, u32 *pa);
void clear(void *start, u32 bytes);
void copy(void *to, const void *from, u32 bytes);
u32 direct_va(u32 pa);

/* ---- kernel map (map.c) -------------------------------------------------------------------------------------- */
extern u32 page_size, page_attribute, kernel_dr;
extern u32 locked_entries, ranges_used, tables_used;
void map_build(void);
void map_heap(u32 va, u32 pa, u32 pages);
u32 map_insert(u32 va, u32 pa, u32 bytes, u32 attributes, u32 protected);
void map_remove(u32 va, u32 bytes);
void *frame_window(u32 pa);
void frame_window_close(void);
void *device_window(u32 pa);
void device_window_close(void);

/* ---- page headers (headers.c) -------------------------------------------------------------------------------- */
struct header_pool {
    struct page *first, *last;
    u32 count;
};
extern struct header_pool free_headers, console_headers;
void headers_append(struct header_pool *pool, u32 va, u32 count, u32 stride);
struct page *header_take(struct header_pool *pool);
u32 grow(u32 device_pa);
extern u32 frames_grown;

/* ---- page space (pagespace.c) -------------------------------------------------------------------------------- */
extern u32 page_frames, data_pages;
void page_space_build(void);
struct page *page_by_address(u32 pa);
struct page *page_at(u32 position);
void page_evict(u32 pa);
u32 release(u32 keep);

/* ---- device pages (device.c), console (console.c) ------------------------------------------------------------ */
extern u32 device_pages, headers_recycled;
u32 attach_page(u32 pa, struct header_pool *pool);
u32 detach_page(u32 pa, u32 recycle);
u32 announce(u32 number);
extern u32 console_attached, console_written;
void console_early(const char *text);
void console_early_hex(u32 value);

/* ---- processes (user.c), IPC (ipc.c) ------------------------------------------------------------------------- */
extern struct process *current;
extern u32 current_tag;
void user_build(void);
struct process *user_process(u32 number);
u32 run_rounds(u32 rounds, u32 prepares, u32 seed, u32 first_page, u32 pages, u32 *found);
struct process *user_start(u32 number, const char *program);
void switch_to(struct process *process);
void queues_reset(void);
void process_wait(struct process *process);
void process_ready(struct process *process);
u32 dispatch(void);
extern u32 calls_queued;
void enter_user(void); /* trap.S: run `current` until a process executes trap #1 */

/* ---- address spaces of GPTs (space.c) ------------------------------------------------------------------------- */
extern u32 walks, gpts_visited;
u32 space_build(u32 processes, u32 bytes, u32 depth, u32 seed, u32 *figures);
u32 memory_walk(struct process *process, u32 va);
u32 strings(u32 bytes, u32 rounds);
extern u32 string_bytes;
u32 fault_storm(u32 processes, u32 touches, u32 seed);

/* ---- allocation of pages in a full cache (aging.c), workloads of it (churn.c) ---------------------------------- */
extern u32 aging_bursts, headers_aged;
void aging_begin(void);
u32 age_lists_shuffle(u32 seed);
u32 page_allocate(struct capability *cap, u32 oid);
u32 page_rescind(struct capability *cap);
u32 churn(u32 live, u32 exchanges, u32 seed, u32 *figures);
u32 age(u32 allocations, u32 *allocated);

/* ---- workloads: cold prepare (cold.c), fan-in (fan_in.c) ------------------------------------------------------ */
u32 cold_prepare(u32 lookups, u32 seed);
u32 fan_in(u32 clients, u32 calls, u32 capabilities, u32 seed, u32 *received);

/* ---- mailbox (mailbox.c), panic (panic.c) -------------------------------------------------------------------- */
extern volatile u32 *mailbox;
u32 hypercall(u32 number, u32 count, const u32 *arguments);
static inline u32 result(u32 index) { return mailbox[index]; }
static inline void operation_begin(u32 operation) { mailbox[MB_OP_BEGIN / 4] = operation; }
static inline void operation_end(u32 operation) { mailbox[MB_OP_END / 4] = operation; }
void panic(u32 code, u32 va, u32 detail) __attribute__((noreturn));

/* ---- the rest ------------------------------------------------------------------------------------------------ */
extern const struct parameters boot; /* written by the host before reset, read-only for the nucleus */
extern u32 vectors[256];
extern char kernel_tables[], kernel_tables_end[];

static inline u32 random(u32 *state)
{
    u32 x = *state; /* xorshift32: never 0 */

    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

static inline u32 pages_of(u32 bytes) { return (bytes + page_size - 1) >> boot.page_shift; }
static inline void mmu_write(u32 reg, u32 value)
{
    /* NOP after every MMU register write: pipeline and store buffer synchronisation, as Linux does (sheet 1.4) */
    *(volatile u32 *)reg = value;
    __asm__ volatile("nop" ::: "memory");
}

#endif
