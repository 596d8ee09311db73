/*
 * Address spaces as trees of GPTs (kernel sheet 4.1, 5): the kernel's first version has no table that remembers a walk,
 * so every user miss in such a space goes from the address-space capability through the levels to the Page header.
 *
 * The guard of a memory capability lets a space begin at any depth: the address bits above the span of what the
 * capability names must equal it.
 */
#include "kernel.h"

extern const char user_toucher[], user_string_client[], user_string_server[];

#define SLOT_BITS 4
#define MAX_DEPTH 5 /* 13 or 12 bits of page, 4 a level: the full 32-bit space */

u32 walks, gpts_visited;
static u32 space_pages, space_gpts; /* of each process that has a space; GPTs of all */

static u32 span_bits(const struct gpt *gpt) { return gpt->l2v + SLOT_BITS; }

static struct gpt *root_of(u32 number)
{
    struct capability *cap = &user_process(number)->address_space;

    prepare(cap); /* GPTs are never evicted */
    return (struct gpt *)cap->prepared.target;
}

/* ---- the walk ------------------------------------------------------------------------------------------------ */
static u32 guard_matches(const struct capability *cap, u32 offset, u32 bits)
{
    return bits >= 32 || offset >> bits == cap->guard;
}

/* The frame behind a VA of a process; 0 = nothing there (PA 0 holds the image, if RAM is there). */
u32 memory_walk(struct process *process, u32 va)
{
    struct capability *cap = &process->address_space;
    u32 level;

    for (level = 0; level <= MAX_DEPTH; level++) {
        struct gpt *gpt;

        /* each step prepares its capability twice (kernel sheet 5): to see what it is, and to use it */
        if (prepare(cap) != REFUSAL_OK || prepare(cap) != REFUSAL_OK)
            return 0;
        if (cap->type == (TY_PAGE | CAP_PREPARED))
            return guard_matches(cap, va, boot.page_shift) ? ((struct page *)cap->prepared.target)->pa : 0;
        gpt = (struct gpt *)cap->prepared.target;
        if (cap->type != (TY_GPT | CAP_PREPARED) || !gpt->l2v || !guard_matches(cap, va, span_bits(gpt)))
            return 0;
        gpts_visited++;
        cap = &gpt->slot[va >> gpt->l2v & ((1 << SLOT_BITS) - 1)];
        va &= (1u << gpt->l2v) - 1;
    }
    return 0;
}

/* From the miss handler: load the entry for `va` by the MMUOR word; 0 when nothing is there. */
u32 user_walk(u32 va, u32 load);
u32 user_walk(u32 va, u32 load)
{
    u32 pa;

    operation_begin(OP_WALK);
    pa = memory_walk(current, va);
    if (pa) {
        walks++;
        mmu_write(MMUTR, (va & -page_size) | current_tag);
        mmu_write(MMUDR, pa | page_attribute | DR_COPYBACK | DR_R | DR_W);
        mmu_write(MMUOR, load);
    }
    operation_end(OP_WALK);
    return pa;
}

/* ---- building ------------------------------------------------------------------------------------------------ */
static struct gpt *take_gpt(u32 *seed, u32 l2v)
{
    u32 n = boot.vector_count[VEC_GPT], start = random(seed) % n, i;

    for (i = 0; i < n; i++) {
        struct gpt *gpt = element(VEC_GPT, (start + i) % n);

        if (!gpt->l2v) {
            gpt->l2v = l2v;
            space_gpts++;
            return gpt;
        }
    }
    return 0;
}

/* A page that nobody uses, cleared; `dirty` says from now on that somebody does. */
static struct header *take_page(u32 *seed)
{
    u32 start = random(seed) % data_pages, i;

    for (i = 0; i < data_pages; i++) {
        struct header *header = hash_lookup(TY_PAGE, 0, (start + i) % data_pages);

        if (header && !header->pinned && !header->dirty) {
            header->dirty = 1;
            clear(frame_window(((struct page *)header)->pa), page_size);
            frame_window_close();
            return header;
        }
    }
    return 0;
}

static u32 enter_page(struct gpt *gpt, u32 va, u32 *seed)
{
    struct capability *cap;
    struct header *page;

    for (;;) {
        cap = &gpt->slot[va >> gpt->l2v & ((1 << SLOT_BITS) - 1)];
        if (gpt->l2v == boot.page_shift)
            break;
        if (!cap->type) {
            struct gpt *below = take_gpt(seed, gpt->l2v - SLOT_BITS);

            if (!below)
                return REFUSAL_NO_OBJECT;
            capability_to_oid(cap, TY_GPT, 0, below->mem.header.oid_low);
        }
        if (prepare(cap) != REFUSAL_OK)
            return REFUSAL_NO_OBJECT;
        gpt = (struct gpt *)cap->prepared.target;
    }
    page = take_page(seed);
    if (!page)
        return REFUSAL_NO_OBJECT;
    capability_to_oid(cap, TY_PAGE, 0, page->oid_low);
    return REFUSAL_OK;
}

/* Empty a GPT and give back what is below it. */
static void drop_below(struct gpt *gpt)
{
    u32 slot;

    for (slot = 0; gpt->l2v && slot < 1 << SLOT_BITS; slot++) {
        struct capability *cap = &gpt->slot[slot];

        if (cap->type && prepare(cap) == REFUSAL_OK) { /* a page that lost its frame is nobody's any more */
            if (gpt->l2v == boot.page_shift)
                cap->prepared.target->dirty = 0;
            else
                drop_below((struct gpt *)cap->prepared.target);
        }
        cap->type = cap->guard = 0;
    }
    gpt->l2v = 0;
}

static void drop_all(void)
{
    u32 number;

    for (number = 0; number < boot.user_processes; number++)
        drop_below(root_of(number));
    space_gpts = 0;
}

u32 space_build(u32 processes, u32 bytes, u32 depth, u32 seed, u32 *figures)
{
    u32 pages = pages_of(bytes), top = boot.page_shift + SLOT_BITS * (depth - 1), number, i, refusal;

    if (processes - 1 >= boot.user_processes || !seed || depth - 1 >= MAX_DEPTH ||
        pages - 1 >= 1u << SLOT_BITS * depth || bytes > KVA - USER_SPACE_VA)
        return REFUSAL_BAD_COMMAND;
    drop_all();
    space_pages = 0;
    for (number = 0; number < boot.user_processes; number++)
        root_of(number)->l2v = top; /* so that no root is taken for another space */
    for (number = 0; number < processes; number++) {
        struct gpt *root = root_of(number);

        user_process(number)->address_space.guard = span_bits(root) < 32 ? USER_SPACE_VA >> span_bits(root) : 0;
        for (i = 0; i < pages; i++) {
            refusal = enter_page(root, USER_SPACE_VA + i * page_size, &seed);
            if (refusal != REFUSAL_OK)
                return refusal;
            figures[0]++;
        }
    }
    space_pages = pages;
    figures[1] = space_gpts + processes;
    mmu_write(MMUOR, MMUOR_CNL); /* any store to a GPT flushes the TLB (kernel sheet 4.1) */
    return REFUSAL_OK;
}

/* ---- strings ------------------------------------------------------------------------------------------------- */
/* Returns how many strings process 1 received. */
u32 strings(u32 bytes, u32 rounds)
{
    struct process *server = user_start(1, user_string_server), *client = user_start(0, user_string_client);

    if (pages_of(bytes) > space_pages)
        return 0;
    server->registers.d[5] = 0;
    server->registers.d[7] = 0;
    server->registers.a[6] = USER_SPACE_VA;
    client->registers.d[4] = bytes;
    client->registers.d[5] = rounds;
    queues_reset();
    process_wait(server);
    switch_to(client);
    enter_user();
    return server->registers.d[5];
}

/* ---- the storm ----------------------------------------------------------------------------------------------- */
u32 fault_storm(u32 processes, u32 touches, u32 seed)
{
    u32 number, made = 0;

    if (!space_pages)
        return 0;
    queues_reset();
    for (number = 0; number < processes; number++) {
        struct process *process = user_start(number, user_toucher);

        process->registers.d[3] = space_pages;
        process->registers.d[5] = touches;
        process->registers.d[6] = random(&seed);
        process->registers.d[7] = 0;
        process->registers.a[3] = USER_SPACE_VA;
        process_ready(process);
    }
    dispatch();
    enter_user();
    for (number = 0; number < processes; number++)
        made += user_process(number)->registers.d[7];
    return made;
}
