/*
 * The refill of Linux 6.1 on the V4e, step by step as arch/m68k (kernel/traps.c, mm/mcfmmu.c) does it: sort the fault
 * status out, then walk a directory of 1024 tables of 512 software PTEs with interrupts off, check presence and
 * permission, keep the accessed and dirty bits, and load the entry with a NOP behind each register.
 * Every page is present and already touched: this measures refills, not page faults. So text is clean, data is dirty.
 */
#include "mmu.h"
#include "suite.h"

#define PTE_DIRTY 0x0001u
#define PTE_WRITABLE 0x0008u
#define PTE_VALID 0x0400u /* V and SG of MMUTR, ten bits up */
#define PTE_TR_MASK 0x0C00u
#define PTE_TR_SHIFT 10
#define PTE_ACCESSED 0x1000u
#define PTE_DR_MASK 0x00FEu
#define PAGE_MASK (~(PAGE - 1u))

/* User space of Linux ends where the board's memory begins, but here VA = PA: so it is taken to reach further. Between
   these two bounds Linux keeps SG out of the tag; the suite's pages are treated like those of its programs. */
#define UNMAPPED_BASE 0x60000000u
#define TASK_SIZE 0xF0000000u
#define KERNEL_AREA_START 0xD0000000u
#define KERNEL_AREA_END 0xF0000000u

#define OF_THE_MMU 0xE6E0u /* the fault statuses 5, 6, 7, 9, 10, 13, 14, 15; Linux takes any other for a bus error */
#define SR_SUPERVISOR 0x2000u
#define REGISTER(address) (*(volatile u32 *)(address))

struct frame {
    u32 d1, d2, d3, d4, d5, a0, a1, a2, d0, system_call, adjustment;
    u16 vector, sr;
    u32 pc;
};

struct memory {
    u32 **directory;
    u32 asid;
};

struct task {
    struct memory *memory;
    struct frame *user_frame;
};

struct thread {
    struct task *task;
    u32 flags;
};

register struct task *current asm("a2"); /* as Linux keeps it while it is in the kernel */

extern struct thread thread;
extern u8 text_start[], text_end[], data_start[], data_end[], stack_start[], user_stack[];
void unexpected(void) __attribute__((noreturn));

static u32 *directory[1024];
static u32 tables[4][512]; /* 4 MB each: the suite lies within 16 MB */
static struct memory kernel_memory, memory;
static struct task task;

static inline void load(u32 address, u32 value)
{
    REGISTER(address) = value;
    asm volatile("nop");
}

static inline u32 interrupts_off(void)
{
    u32 saved, masked;
    asm volatile("move.w %%sr,%0\n\tmove.l %0,%1\n\tori.l #0x0700,%1\n\tmove.w %1,%%sr"
                 : "=&d"(saved), "=&d"(masked)::"cc", "memory");
    return saved;
}

static inline void interrupts_restore(u32 saved)
{
    asm volatile("move.w %0,%%sr" ::"d"(saved) : "cc", "memory");
}

static inline int in_kernel_area(u32 address)
{
    return address >= KERNEL_AREA_START && address < KERNEL_AREA_END;
}

/* 0 = the entry is loaded, -1 = a page fault. A function of its own with all its arguments, as in Linux. */
int __attribute__((noipa)) tlb_miss(struct frame *frame, int write, int data, int extension)
{
    u32 interrupts = interrupts_off();
    u32 address = data ? REGISTER(MMUAR) : frame->pc + (u32)extension * 4;
    struct memory *space = frame->sr & SR_SUPERVISOR && in_kernel_area(address) ? &kernel_memory : current->memory;
    if (!space)
        goto fault;
    u32 *pte = space->directory[address >> 22];
    if (!pte)
        goto fault;
    pte += address >> 13 & 511;
    if (!*pte || !(*pte & PTE_VALID))
        goto fault;
    if (write) {
        if (!(*pte & PTE_WRITABLE))
            goto fault;
        *pte |= PTE_DIRTY;
    }
    *pte |= PTE_ACCESSED;
    u32 asid = space->asid & 0xFF;
    if (!(*pte & PTE_DIRTY) && !in_kernel_area(address))
        *pte &= ~PTE_WRITABLE; /* the first write to a clean page is to fault, so that it becomes dirty */

    u32 tag = (address & PAGE_MASK) | asid << TR_ID_SHIFT | TR_VALID;
    if (address < UNMAPPED_BASE || address >= TASK_SIZE)
        tag |= (*pte & PTE_TR_MASK) >> PTE_TR_SHIFT;
    load(MMUTR, tag);
    load(MMUDR, (*pte & PAGE_MASK) | (*pte & PTE_DR_MASK) | DR_8K | DR_X);
    if (data)
        load(MMUOR, MMUOR_LOAD_DTLB);
    else
        load(MMUOR, MMUOR_LOAD_ITLB);
    interrupts_restore(interrupts);
    return 0;

fault:
    interrupts_restore(interrupts);
    return -1;
}

void access_error(struct frame *frame)
{
    u32 status = (frame->vector & 3) | (frame->vector & 0xC00) >> 8;
    int fault;
    if (!(frame->sr & SR_SUPERVISOR))
        current->user_frame = frame;
    if (!(1u << status & OF_THE_MMU))
        unexpected();
    (void)REGISTER(MMUSR); /* Linux reads both here, for the page fault that may follow */
    (void)REGISTER(MMUAR);
    switch (status) {
    case 5:
        fault = tlb_miss(frame, 0, 0, 0);
        break;
    case 6:
        fault = tlb_miss(frame, 0, 0, 1);
        break;
    case 10:
        fault = tlb_miss(frame, 1, 1, 0);
        break;
    case 14:
        fault = tlb_miss(frame, 0, 1, 0);
        break;
    default:
        fault = -1;
    }
    if (fault)
        unexpected();
}

static void map(const u8 *start, const u8 *end, u32 attributes)
{
    for (u32 address = (u32)start; address < (u32)end; address += PAGE) {
        u32 **table = &directory[address >> 22];
        if (!*table)
            *table = tables[(address >> 22) % 4];
        (*table)[address >> 13 & 511] = address | PTE_VALID | PTE_ACCESSED | attributes;
    }
}

void linux_setup(void)
{
    map(text_start, text_end, DR_COPYBACK | DR_R | DR_X);
    map(data_start, data_end, DR_COPYBACK | DR_R | DR_W | PTE_DIRTY);
    map(stack_start, user_stack, DR_COPYBACK | DR_R | DR_W | PTE_DIRTY);
    kernel_memory.directory = memory.directory = directory;
    memory.asid = LINUX_ASID;
    task.memory = &memory;
    thread.task = &task;
}
