/* Boot in the order of kernel sheet 1.3, then the command loop. */
#include "kernel.h"

#define FIGURES 6

typedef u32 command(const u32 *arguments, u32 *figures);

static u32 attach(const u32 *arguments, u32 *figures)
{
    u32 pa = arguments[0], pages = arguments[1], grown = frames_grown;
    u32 refusal = REFUSAL_OK, announced = 0, attached;

    if (!pages || pa - boot.ram_base < boot.ram_size) /* RAM is another story (kernel sheet 2.1, case 1) */
        return REFUSAL_BAD_COMMAND;
    for (attached = 0; attached < pages; attached++, pa += page_size) {
        refusal = attach_page(pa, &free_headers);
        if (refusal != REFUSAL_OK)
            break;
    }
    if (refusal != REFUSAL_OK) {
        const u32 refused[] = { refusal, pa, pages - attached, device_pages };
        u32 number;

        hypercall(HC_REFUSED, 4, refused);
        number = result(0);
        if (number)
            announced = announce(number) == REFUSAL_OK;
        if (boot.exhaustion == EXHAUST_HALT)
            panic(PANIC_HEADERS_EXHAUSTED, pa, device_pages);
    }
    figures[0] = attached;
    figures[1] = pages - attached;
    figures[2] = refusal == REFUSAL_OK ? 0 : pa;
    figures[3] = frames_grown - grown;
    figures[4] = announced;
    figures[5] = free_headers.count;
    return refusal;
}

static u32 detach(const u32 *arguments, u32 *figures)
{
    u32 pa = arguments[0], refusal = REFUSAL_OK;

    if (!arguments[1] || pa - boot.ram_base < boot.ram_size || arguments[2] > 1)
        return REFUSAL_BAD_COMMAND;
    for (; figures[0] < arguments[1] && refusal == REFUSAL_OK; pa += page_size) {
        refusal = detach_page(pa, arguments[2]);
        figures[0] += refusal == REFUSAL_OK;
    }
    figures[1] = device_pages;
    figures[2] = free_headers.count;
    return refusal;
}

static u32 cold(const u32 *arguments, u32 *figures)
{
    u32 walked = hash_walked, taken = otes_taken;

    if (!arguments[1] || !boot.vector_count[VEC_PROCESS])
        return REFUSAL_BAD_COMMAND;
    figures[0] = cold_prepare(arguments[0], arguments[1]);
    figures[1] = hash_walked - walked;
    figures[2] = otes_taken - taken;
    return REFUSAL_OK;
}

static u32 rounds(u32 n, u32 prepares, u32 seed, u32 pa, u32 pages, u32 *figures)
{
    if (boot.user_processes < 2 || !n)
        return REFUSAL_BAD_COMMAND;
    figures[0] = run_rounds(n, prepares, seed, pa >> boot.page_shift, pages, &figures[1]);
    return figures[0] == n && figures[1] == n * prepares ? REFUSAL_OK : REFUSAL_NOT_ATTACHED;
}

static u32 ping_pong(const u32 *arguments, u32 *figures)
{
    return rounds(arguments[0], 0, 1, 0, 1, figures);
}

static u32 frame_buffer(const u32 *arguments, u32 *figures)
{
    if (!arguments[2] || !arguments[4])
        return REFUSAL_BAD_COMMAND;
    return rounds(arguments[0], arguments[1], arguments[2], arguments[3], arguments[4], figures);
}

static u32 clients(const u32 *arguments, u32 *figures)
{
    u32 n = arguments[0], calls = arguments[1], queued = calls_queued;

    if (!n || n >= boot.user_processes || !calls || arguments[2] - 1 >= 4 || !arguments[3])
        return REFUSAL_BAD_COMMAND;
    figures[0] = fan_in(n, calls, arguments[2], arguments[3], &figures[1]);
    figures[2] = calls_queued - queued;
    return figures[0] == n * calls ? REFUSAL_OK : REFUSAL_NOT_ATTACHED;
}

static u32 space(const u32 *arguments, u32 *figures)
{
    return space_build(arguments[0], arguments[1], arguments[2], arguments[3], figures);
}

static u32 storm(const u32 *arguments, u32 *figures)
{
    u32 walked = walks, visited = gpts_visited;

    if (arguments[0] - 1 >= boot.user_processes || !arguments[1] || !arguments[2])
        return REFUSAL_BAD_COMMAND;
    figures[0] = fault_storm(arguments[0], arguments[1], arguments[2]);
    figures[1] = walks - walked;
    figures[2] = gpts_visited - visited;
    return figures[0] == arguments[0] * arguments[1] ? REFUSAL_OK : REFUSAL_NO_OBJECT;
}

static u32 exchange(const u32 *arguments, u32 *figures)
{
    u32 aged = headers_aged, walked = hash_walked, refusal;

    if (arguments[0] - 1 >= 16 * boot.vector_count[VEC_PROCESS] || !arguments[2])
        return REFUSAL_BAD_COMMAND;
    refusal = churn(arguments[0], arguments[1], arguments[2], figures);
    figures[2] = headers_aged - aged;
    figures[3] = hash_walked - walked;
    return refusal;
}

static u32 fill(const u32 *arguments, u32 *figures)
{
    u32 bursts = aging_bursts, aged = headers_aged, refusal;

    if (!boot.vector_count[VEC_PROCESS])
        return REFUSAL_BAD_COMMAND;
    refusal = age(arguments[0], figures);
    figures[1] = aging_bursts - bursts;
    figures[2] = headers_aged - aged;
    return refusal;
}

static u32 shuffle(const u32 *arguments, u32 *figures)
{
    if (!arguments[0])
        return REFUSAL_BAD_COMMAND;
    figures[0] = age_lists_shuffle(arguments[0]);
    return REFUSAL_OK;
}

static u32 string_ipc(const u32 *arguments, u32 *figures)
{
    u32 copied = string_bytes;

    if (boot.user_processes < 2 || arguments[0] - 1 >= MAX_STRING || !arguments[1])
        return REFUSAL_BAD_COMMAND;
    figures[0] = strings(arguments[0], arguments[1]);
    figures[1] = string_bytes - copied;
    return figures[0] == arguments[1] ? REFUSAL_OK : REFUSAL_NO_OBJECT;
}

static u32 give_back(const u32 *arguments, u32 *figures)
{
    figures[0] = release(arguments[0]);
    figures[1] = free_headers.count;
    figures[2] = heap_end();
    return REFUSAL_OK;
}

static u32 tell(const u32 *arguments, u32 *figures)
{
    u32 refusal = announce(arguments[0]);

    figures[0] = console_attached;
    figures[1] = console_written;
    return refusal;
}

static u32 crash(const u32 *arguments, u32 *figures)
{
    (void)figures;
    switch (arguments[0]) {
    case CRASH_UNKNOWN_READ:
        (void)*(volatile u32 *)(TRANSMAP_VA - 4);
        break;
    case CRASH_WRITE_PROTECTED:
        if (boot.user_processes)
            switch_to(user_process(0));
        *(volatile u32 *)USER_TEXT_VA = 0;
        break;
    case CRASH_ILLEGAL:
        __asm__ volatile(".short 0x4afc");
        break;
    case CRASH_JUMP:
        ((void (*)(void))(TRANSMAP_VA - 16))();
    }
    return REFUSAL_BAD_COMMAND;
}

static command *const commands[] = {
    [CMD_ATTACH] = attach,        [CMD_COLD_PREPARE] = cold, [CMD_PING_PONG] = ping_pong,
    [CMD_FRAME_BUFFER] = frame_buffer, [CMD_RELEASE] = give_back, [CMD_ANNOUNCE] = tell,
    [CMD_CRASH] = crash,          [CMD_FAN_IN] = clients,
    [CMD_SPACE] = space,          [CMD_FAULT_STORM] = storm, [CMD_CHURN] = exchange,
    [CMD_AGE] = fill,             [CMD_SHUFFLE] = shuffle, [CMD_STRING_IPC] = string_ipc,
    [CMD_DETACH] = detach,
};

static u32 execute(u32 number, const u32 *arguments, u32 *figures)
{
    if (number >= sizeof commands / sizeof *commands || !commands[number])
        return REFUSAL_BAD_COMMAND;
    return commands[number](arguments, figures);
}

static void command_loop(void)
{
    u32 arguments[8], i;

    for (;;) {
        u32 done[2 + FIGURES] = { 0 };

        hypercall(HC_NEXT_COMMAND, 0, 0);
        done[0] = result(0);
        if (done[0] == CMD_STOP)
            return;
        for (i = 0; i < 8; i++)
            arguments[i] = result(1 + i);
        done[1] = execute(done[0], arguments, done + 2);
        hypercall(HC_DONE, 2 + FIGURES, done);
    }
}

static u32 map_is_sound(void)
{
    static const u8 shift_wanted[] = { [MAP_PAGED_8K] = 13, [MAP_PAGED_4K] = 12 }; /* 0: either */

    return boot.mapping < sizeof shift_wanted && (boot.page_shift == 12 || boot.page_shift == 13) &&
           (!shift_wanted[boot.mapping] || shift_wanted[boot.mapping] == boot.page_shift) &&
           (boot.mapping != MAP_ACR || boot.ram_base == KVA) && boot.mbar >= SUPERVISOR_LIMIT &&
           boot.handler <= HANDLER_LINEAR && boot.growth <= GROWTH_ALTMAP;
}

static u32 users_are_sound(void)
{
    u32 n = boot.user_processes;

    return n <= MAX_USER_PROCESSES && boot.user_data_pages - 1 < 16 && boot.vector_count[VEC_PROCESS] >= n &&
           boot.vector_count[VEC_GPT] >= n && boot.vector_count[VEC_ENDPOINT] >= n &&
           boot.vector_count[VEC_USER_TABLE] >= n;
}

static u32 strides_are_sound(void)
{
    static const u32 smallest[VECTORS] = {
        [VEC_PROCESS] = sizeof(struct process), [VEC_GPT] = sizeof(struct gpt),
        [VEC_ENDPOINT] = sizeof(struct endpoint), [VEC_INDEX] = sizeof(struct page *),
        [VEC_PAGE] = sizeof(struct page), [VEC_DEPEND] = sizeof(void *), [VEC_REVMAP] = sizeof(void *),
        [VEC_OTE] = sizeof(struct ote), [VEC_RESERVE] = sizeof(struct page),
    };
    u32 vector;

    for (vector = 0; vector < VECTORS; vector++)
        if (boot.vector_stride[vector] < smallest[vector])
            return 0;
    return 1;
}

void kmain(void)
{
    mailbox = (volatile u32 *)(boot.mbar + MAILBOX);
    if (boot.version != ABI_VERSION || !map_is_sound() || !users_are_sound() || !strides_are_sound())
        panic(PANIC_BAD_PARAMETERS, 0, 0);
    map_build();
    operation_begin(OP_BOOT_VECTORS);
    heap_build();
    objects_build();
    operation_end(OP_BOOT_VECTORS);
    page_space_build();
    user_build();
    {
        const u32 booted[] = { heap_start, heap_next, heap_pages, page_frames, free_headers.count, locked_entries,
                               ranges_used, tables_used };
        hypercall(HC_BOOTED, 8, booted);
    }
    command_loop();
    __asm__ volatile("moveq #0,%%d0; halt" ::: "d0");
}
