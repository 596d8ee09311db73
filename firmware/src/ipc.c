/*
 * IPC through an entry capability (kernel sheet 5): capability, Endpoint, receiver, message and reply capability,
 * queues, address-space switch with its flush. Called on the kernel stack after trap.S has saved the sender's
 * registers.
 *
 * d0 of a call: the capability register with the entry capability; in one that queues, from bit 8, how many capabilities
 * go with the message beside the reply capability.
 */
#include "kernel.h"

#define STALL_QUEUES 128 /* in the image BSS, as in the source */
#define MESSAGE_WORDS 4  /* d1-d4 and a0-a3 */
#define REPLY_REGISTER 1 /* capability register with the sender's own endpoint; arrives in register 2 */
#define CAP_REGISTER 4   /* first of those that go with a message; they arrive in registers of the same numbers */
#define ASIDS 256

struct process *current;
u32 current_tag; /* MMUTR bits of user entries: ASID and V */
u32 calls_queued, string_bytes;
static struct link stall_queues[STALL_QUEUES], ready_queue;
static struct process *asid_owner[ASIDS];

/* Each way of calling has its own copy of what they share: a call of two processes costs nothing for the others. */
#define INLINE static inline __attribute__((always_inline))

static inline struct link *stall_queue_of(const struct process *process)
{
    return &stall_queues[((u32)process >> 9) % STALL_QUEUES]; /* Process structures are a little under 1 KB apart */
}

static void enqueue(struct link *queue, struct process *process)
{
    struct link *link = &process->queue_link;

    link->prev = queue->prev;
    link->next = queue;
    queue->prev->next = link;
    queue->prev = link;
    process->on_queue = (u32)queue;
}

static void dequeue(struct process *process)
{
    process->queue_link.prev->next = process->queue_link.next;
    process->queue_link.next->prev = process->queue_link.prev;
    process->on_queue = 0;
}

void queues_reset(void)
{
    u32 i;

    ready_queue.next = ready_queue.prev = &ready_queue;
    for (i = 0; i < STALL_QUEUES; i++)
        stall_queues[i].next = stall_queues[i].prev = &stall_queues[i];
}

void process_wait(struct process *process)
{
    process->run_state = RUN_RECEIVING;
    enqueue(stall_queue_of(process), process);
}

void switch_to(struct process *process)
{
    prepare(&process->address_space);
    if (current)
        current->on_cpu = 0;
    process->on_cpu = 1;
    process->run_state = RUN_READY;
    current = process;
    current_tag = process->asid << 2 | TR_VALID;
    __asm__ volatile("movec %0,%%asid" : : "d"(process->asid) : "memory");
    if (boot.flush == FLUSH_FLUSH) {
        mmu_write(MMUOR, MMUOR_CNL);
    } else if (asid_owner[process->asid] != process) {
        asid_owner[process->asid] = process;
        mmu_write(MMUTR, current_tag); /* either reading of CAS means this ASID (hardware sheet 7, item 2) */
        mmu_write(MMUOR, MMUOR_CAS);
    }
}

INLINE void copy_message(struct process *sender, struct process *receiver)
{
    u32 i;

    for (i = 0; i < MESSAGE_WORDS; i++) {
        receiver->registers.d[1 + i] = sender->registers.d[1 + i];
        receiver->registers.a[i] = sender->registers.a[i];
    }
    if (prepare(&sender->cap[REPLY_REGISTER]) == REFUSAL_OK)
        receiver->cap[REPLY_REGISTER + 1] = sender->cap[REPLY_REGISTER];
    receiver->registers.d[0] = REFUSAL_OK;
    receiver->ipc_peer = sender;
}

/* Whom a call goes to; 0 when the capability is none to an endpoint with a recipient. */
INLINE struct process *receiver_of(struct process *sender)
{
    struct capability *entry = &sender->cap[sender->registers.d[0] % 32];
    struct endpoint *endpoint;
    struct process *receiver;

    if (prepare(entry) != REFUSAL_OK || entry->type != (TY_ENDPOINT | CAP_PREPARED))
        return 0;
    endpoint = (struct endpoint *)entry->prepared.target;
    if (prepare(&endpoint->recipient) != REFUSAL_OK)
        return 0;
    receiver = (struct process *)endpoint->recipient.prepared.target;
    receiver->header.lock = sender->header.lock;
    return receiver;
}

/*
 * A string goes straight from the sender's memory, which is mapped, into the receiver's: for each page of that a walk of
 * the receiver's GPTs and a slot of the transmap (kernel sheet 5).
 */
static u32 copy_string(struct process *receiver, u32 from, u32 to, u32 bytes)
{
    u32 done = 0, refusal = REFUSAL_OK;

    operation_begin(OP_STRING);
    while (done < bytes) {
        u32 offset = (to + done) & (page_size - 1), piece = page_size - offset, pa = memory_walk(receiver, to + done);

        if (piece > bytes - done)
            piece = bytes - done;
        if (!pa) {
            refusal = REFUSAL_NOT_ATTACHED;
            break;
        }
        copy((char *)frame_window(pa) + offset, (const void *)(from + done), piece);
        frame_window_close();
        done += piece;
    }
    string_bytes += done;
    operation_end(OP_STRING);
    return refusal;
}

INLINE void call(u32 bytes)
{
    struct process *sender = current, *receiver = receiver_of(sender);
    u32 refusal = receiver && receiver->run_state == RUN_RECEIVING ? REFUSAL_OK : REFUSAL_BAD_COMMAND;

    if (refusal == REFUSAL_OK && bytes)
        refusal = copy_string(receiver, sender->registers.a[0], receiver->registers.a[6], bytes);
    if (refusal != REFUSAL_OK) {
        sender->registers.d[0] = refusal;
        return;
    }
    copy_message(sender, receiver);
    dequeue(receiver);
    enqueue(&ready_queue, receiver);
    process_wait(sender);
    dequeue(receiver); /* the scheduler finds it at the front of the ready queue */
    switch_to(receiver);
}

/* trap #0: send, hand the processor to the receiver, wait for a message. Refused when the receiver is busy. */
void ipc_call(void) { call(0); }

/* trap #5: the same with a string of d4 bytes at a0. The receiver waits with a6 = where a string may go. */
void ipc_string_call(void)
{
    u32 bytes = current->registers.d[4];

    if (bytes <= MAX_STRING)
        call(bytes);
    else
        current->registers.d[0] = REFUSAL_BAD_COMMAND;
}

/* ---- calls among processes of one priority: nobody is handed the processor, and callers queue ----------------- */
static struct process *first_of(struct link *queue)
{
    return queue->next == queue ? 0
                                : (struct process *)((u32)queue->next - __builtin_offsetof(struct process, queue_link));
}

void process_ready(struct process *process)
{
    process->run_state = RUN_READY;
    enqueue(&ready_queue, process);
}

static void copy_message_and_capabilities(struct process *sender, struct process *receiver)
{
    u32 end = CAP_REGISTER + (sender->registers.d[0] >> 8) % 4, i;

    copy_message(sender, receiver);
    for (i = CAP_REGISTER; i < end; i++)
        if (prepare(&sender->cap[i]) == REFUSAL_OK)
            receiver->cap[i] = sender->cap[i];
}

/* Run the process that has been ready for longest; 0 when nobody is. */
u32 dispatch(void)
{
    struct process *next = first_of(&ready_queue);

    if (!next)
        return 0;
    dequeue(next);
    switch_to(next);
    return 1;
}

/* Receive from the process that has waited for longest to be received; 0 when none does. */
static u32 receive_queued(struct process *receiver)
{
    struct process *sender = first_of(&receiver->receive_queue);

    if (!sender)
        return 0;
    dequeue(sender);
    copy_message_and_capabilities(sender, receiver);
    process_wait(sender);
    return 1;
}

/* trap #3: send, then wait for a message. Returns 0 when nobody can run. */
u32 ipc_queue(void)
{
    struct process *sender = current, *receiver = receiver_of(sender);

    if (!receiver) {
        sender->registers.d[0] = REFUSAL_BAD_COMMAND;
        return 1;
    }
    if (receiver->run_state != RUN_RECEIVING) {
        sender->run_state = RUN_SENDING;
        enqueue(&receiver->receive_queue, sender);
        calls_queued++;
        return dispatch();
    }
    copy_message_and_capabilities(sender, receiver);
    dequeue(receiver);
    process_ready(receiver);
    if (receive_queued(sender))
        return 1;
    process_wait(sender);
    return dispatch();
}

/* trap #4: the program has ended. Returns 0 when nobody can run. */
u32 user_leave(void)
{
    current->run_state = RUN_IDLE;
    return dispatch();
}
