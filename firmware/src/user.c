/*
 * User processes: their frames, page tables and initial registers. Each has its own ASID and its own frames for
 * text, data and stack; the frames come from page space and are filled by this code, not by the host.
 */
#include "kernel.h"

extern const char user_programs[], user_programs_end[], user_client[], user_server[];

#define USER_TEXT (DR_COPYBACK | DR_R | DR_X)
#define USER_DATA (DR_COPYBACK | DR_R | DR_W)

/* Objects of the user processes are spread over their vectors, as those of a long-running system are. */
static u32 spread(u32 vector, u32 number)
{
    return number * (boot.vector_count[vector] / boot.user_processes);
}

struct process *user_process(u32 number)
{
    return element(VEC_PROCESS, spread(VEC_PROCESS, number));
}

static u32 user_frame(u32 number)
{
    const u32 arguments[] = { GROW_USER, 1, number };
    u32 status = hypercall(HC_GROW, 3, arguments), pa = result(0);
    struct page *page;

    if (status != REFUSAL_OK)
        panic(PANIC_BOOT_REFUSED, 0, status);
    page = page_by_address(pa);
    if (page) {
        if (page->mem.header.pinned)
            panic(PANIC_FRAME_IN_USE, pa, number);
        age_remove(&page->mem.header);
        page->mem.header.pinned = 1;
        page->mem.header.dirty = 1;
    }
    return pa;
}

static void user_page(u32 number, u32 va, u32 attributes, const char *from, const char *end)
{
    u32 pa = user_frame(number), *table = element(VEC_USER_TABLE, number);
    char *to = frame_window(pa);

    clear(to, page_size);
    while (from < end)
        *to++ = *from++;
    frame_window_close();
    table[va >> boot.page_shift] = pa | page_attribute | attributes;
}

static void capability_to(struct capability *cap, enum type type, u32 vector, u32 number)
{
    capability_to_oid(cap, type, 0, spread(vector, number));
}

static void build_process(u32 number)
{
    struct process *process = user_process(number);
    struct endpoint *endpoint = element(VEC_ENDPOINT, spread(VEC_ENDPOINT, number));
    u32 i;

    process->page_table = element(VEC_USER_TABLE, number);
    process->asid = 1 + number % 255; /* 0 is the kernel's (kernel sheet 4.2) */
    process->receive_queue.next = process->receive_queue.prev = &process->receive_queue;
    user_page(number, USER_TEXT_VA, USER_TEXT, user_programs, user_programs_end);
    for (i = 0; i < boot.user_data_pages; i++)
        user_page(number, USER_DATA_VA + i * page_size, USER_DATA, 0, 0);
    user_page(number, USER_STACK_VA, USER_DATA, 0, 0);
    capability_to(&process->address_space, TY_GPT, VEC_GPT, number);
    capability_to(&process->cap[0], TY_ENDPOINT, VEC_ENDPOINT, number ^ 1);
    capability_to(&process->cap[1], TY_ENDPOINT, VEC_ENDPOINT, number);
    capability_to(&endpoint->recipient, TY_PROCESS, VEC_PROCESS, number);
}

void user_build(void)
{
    u32 number;

    operation_begin(OP_USER_SETUP);
    for (number = 0; number < boot.user_processes; number++)
        build_process(number);
    operation_end(OP_USER_SETUP);
}

/* A process at the beginning of a program; what the program wants in other registers, the caller sets. */
struct process *user_start(u32 number, const char *program)
{
    struct process *process = user_process(number);
    struct registers *r = &process->registers;

    r->pc = USER_TEXT_VA + (program - user_programs);
    r->frame = FRAME_FORMAT | SR_USER;
    r->a[4] = page_size;
    r->a[5] = USER_DATA_VA + boot.user_data_pages * page_size;
    r->a[7] = USER_STACK_VA + page_size;
    return process;
}

/* The client (process 0) makes its round trips with the server (process 1): those that the server counted. */
u32 run_rounds(u32 rounds, u32 prepares, u32 seed, u32 first_page, u32 pages, u32 *found)
{
    struct process *server = user_start(1, user_server), *client = user_start(0, user_client);

    server->registers.d[5] = 0;
    client->registers.d[5] = rounds;
    client->registers.d[2] = prepares;
    client->registers.d[3] = pages;
    client->registers.d[6] = seed;
    client->registers.a[3] = first_page;
    queues_reset();
    process_wait(server);
    switch_to(client);
    enter_user();
    *found = client->registers.d[7];
    return server->registers.d[5];
}

/* trap #2: d1 = number of a device page. The capability goes to a rotating capability register of the caller. */
void user_prepare(void)
{
    static u32 rotation;
    struct capability *cap = &current->cap[16 + rotation++ % 16];

    capability_to_oid(cap, TY_DEVICE_PAGE, DEVICE_OID_HIGH, current->registers.d[1]);
    current->registers.d[0] = prepare(cap) == REFUSAL_OK;
}
