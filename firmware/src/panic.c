/*
 * The end of the line: say what happened on PSC0, tell the model, halt. Nothing here touches the heap, so it works
 * whatever is broken. D0 = code, D1 = VA, D2 = PC, D3 = FS at HALT.
 */
#include "kernel.h"

static const char *const reasons[] = {
    [PANIC_BAD_PARAMETERS] = "bad boot parameters",
    [PANIC_UNKNOWN_ADDRESS] = "nothing is mapped there",
    [PANIC_VIOLATION] = "access violation",
    [PANIC_UNEXPECTED_VECTOR] = "unexpected exception",
    [PANIC_HEAP_FRAGMENTED] = "heap chunk does not fit the direct map",
    [PANIC_BOOT_REFUSED] = "memory refused during boot",
    [PANIC_TOO_MANY_RANGES] = "range table full",
    [PANIC_TOO_MANY_LOCKED] = "too many locked TLB entries",
    [PANIC_OUT_OF_HEADERS] = "more page frames than headers",
    [PANIC_HEADERS_EXHAUSTED] = "out of device page headers",
    [PANIC_OUT_OF_OTES] = "out of object table entries",
    [PANIC_FRAME_IN_USE] = "granted frame is in use",
    [PANIC_TABLES_FULL] = "out of page table pages",
    [PANIC_TOO_MANY_CHUNKS] = "heap in too many pieces",
};

static void die(u32 code, u32 va, u32 pc, u32 fs, u32 detail) __attribute__((noreturn));

static void die(u32 code, u32 va, u32 pc, u32 fs, u32 detail)
{
    const u32 arguments[] = { code, va, pc, fs, detail };

    console_early("cfemu-kernel: panic: ");
    console_early(code < sizeof reasons / sizeof *reasons && reasons[code] ? reasons[code] : "?");
    console_early(", va ");
    console_early_hex(va);
    console_early(", pc ");
    console_early_hex(pc);
    console_early(", detail ");
    console_early_hex(detail);
    console_early("\n");
    hypercall(HC_PANIC, 5, arguments);
    for (;;) {
        register u32 d0 __asm__("d0") = code;
        register u32 d1 __asm__("d1") = va;
        register u32 d2 __asm__("d2") = pc;
        register u32 d3 __asm__("d3") = fs;
        __asm__ volatile("halt" : : "d"(d0), "d"(d1), "d"(d2), "d"(d3));
    }
}

void panic(u32 code, u32 va, u32 detail)
{
    die(code, va, (u32)__builtin_return_address(0), 0, detail);
}

/* From the miss handlers: the stacked longword with FS, the address, the PC. */
void access_panic(u32 frame, u32 va, u32 pc) __attribute__((noreturn));
void access_panic(u32 frame, u32 va, u32 pc)
{
    u32 fs = (frame >> 24 & 0xc) | (frame >> 16 & 3);
    u32 miss = fs == 5 || fs == 6 || fs == 10 || fs == 14;

    die(miss ? PANIC_UNKNOWN_ADDRESS : PANIC_VIOLATION, va, pc, fs, 0);
}

void unexpected_vector(u32 vector, u32 pc) __attribute__((noreturn));
void unexpected_vector(u32 vector, u32 pc)
{
    die(PANIC_UNEXPECTED_VECTOR, 0, pc, 0, vector);
}
