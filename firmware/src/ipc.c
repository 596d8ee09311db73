/*
 * IPC through an entry capability (kernel sheet 5): capability, Endpoint, receiver, message and reply capability,
 * queues, address-space switch with its flush. Called on the kernel stack after trap.S has saved the sender's
 * registers.
 */
#include "kernel.h"

#define STALL_QUEUES 128 /* in the image BSS, as in the source */
#define MESSAGE_WORDS 4  /* d1-d4 and a0-a3 */
#define REPLY_REGISTER 1 /* capability register with the sender's own endpoint; arrives in register 2 */

struct process *current;
u32 current_tag; /* MMUTR bits of user entries: ASID and V */
static struct link stall_queues[STALL_QUEUES], ready_queue;

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
    if (boot.flush == FLUSH_FLUSH)
        mmu_write(MMUOR, MMUOR_CNL);
}

static void copy_message(struct process *sender, struct process *receiver)
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

/* trap #0: d0 = capability register with the entry capability. Send to it, then wait for a message. */
void ipc_call(void)
{
    struct process *sender = current, *receiver;
    struct capability *entry = &sender->cap[sender->registers.d[0] % 32];
    struct endpoint *endpoint;

    if (prepare(entry) != REFUSAL_OK || entry->type != (TY_ENDPOINT | CAP_PREPARED))
        goto refused;
    endpoint = (struct endpoint *)entry->prepared.target;
    if (prepare(&endpoint->recipient) != REFUSAL_OK)
        goto refused;
    receiver = (struct process *)endpoint->recipient.prepared.target;
    receiver->header.lock = sender->header.lock;
    if (receiver->run_state != RUN_RECEIVING)
        goto refused;
    copy_message(sender, receiver);
    dequeue(receiver);
    enqueue(&ready_queue, receiver);
    process_wait(sender);
    dequeue(receiver); /* the scheduler finds it at the front of the ready queue */
    switch_to(receiver);
    return;
refused:
    sender->registers.d[0] = REFUSAL_BAD_COMMAND;
}
