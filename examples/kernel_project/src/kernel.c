/* A message queue and a journal in paged memory, and the page tables that map them. */
#include <stdint.h>

#include "kernel.h"

struct message {
    uint8_t kind;
    uint8_t state;
    uint16_t sequence;
    uint8_t body[252];
};

struct journal_entry {
    uint32_t sequence;
    uint8_t body[124];
};

#define MESSAGES (QUEUE_PAGES * PAGE / sizeof(struct message))
#define ENTRIES (JOURNAL_PAGES * PAGE / sizeof(struct journal_entry))
#define TABLES 4
#define TABLE_ENTRIES 0x800

extern uint8_t user_text_load[], user_text_end[], user_text_start[], free_memory[];

uint32_t directory[256];
static uint32_t tables[TABLES][TABLE_ENTRIES];
static unsigned tables_used;
static uint32_t next_frame;

/* What tests set before they run the kernel. */
volatile uint32_t passes = 2;
volatile uint32_t kernel_probe, user_probe;

static volatile struct message *const queue = (struct message *)QUEUE;
static volatile struct journal_entry *const journal = (struct journal_entry *)JOURNAL;

static void map_range(uint32_t va, uint32_t pa, unsigned pages, uint32_t attributes)
{
    for (unsigned i = 0; i < pages; i++, va += PAGE, pa += PAGE) {
        if (!directory[va >> 24])
            directory[va >> 24] = (uint32_t)tables[tables_used++];
        ((uint32_t *)directory[va >> 24])[va / PAGE % TABLE_ENTRIES] = pa | attributes;
    }
}

static void map_frames(uint32_t va, unsigned pages, uint32_t attributes)
{
    map_range(va, next_frame, pages, attributes);
    next_frame += pages * PAGE;
}

/* Before the MMU is on. */
void build_tables(void)
{
    next_frame = ((uint32_t)free_memory + PAGE - 1) & -PAGE;
    map_range(USER_TEXT, (uint32_t)user_text_load, (user_text_end - user_text_start + PAGE - 1) / PAGE, USER_TEXT_PAGE);
    map_frames(USER_DATA, USER_PAGES, USER_DATA_PAGE);
    map_frames(QUEUE, QUEUE_PAGES, KERNEL_DATA);
    map_frames(JOURNAL, JOURNAL_PAGES, KERNEL_DATA);
}

__attribute__((noinline)) void fill_queue(void)
{
    for (unsigned i = 0; i < MESSAGES; i++) {
        queue[i].state = i & 3;
        queue[i].sequence = i;
    }
}

__attribute__((noinline)) static void write_journal(unsigned entry, uint32_t sequence)
{
    journal[entry % ENTRIES].sequence = sequence;
}

__attribute__((noinline)) void scan_queue(void)
{
    for (unsigned i = 0; i < MESSAGES; i++)
        if (queue[i].state)
            write_journal(i, queue[i].sequence);
}

void run_user(uint32_t probe);

void kernel_main(void)
{
    if (kernel_probe)
        *(volatile uint32_t *)kernel_probe = 0;
    fill_queue();
    for (unsigned i = 0; i < passes; i++)
        scan_queue();
    run_user(user_probe);
}
