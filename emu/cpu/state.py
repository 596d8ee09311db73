"""The one block of memory that Python, the compiled hooks and the run loop share.

A machine is one numpy record. unicorn hands its address to every hook, so no hook needs a global, machines do not see
each other, and a snapshot of the machine is a copy of this record plus RAM. All counts are int64, all addresses too.
"""

from typing import Any

import numpy as np

from emu.devices.state import DEVICES_DTYPE, NEVER
from emu.mmu.state import MMU_DTYPE
from emu.timing.state import STORE_BUFFER_ENTRIES, TIME_DTYPE

__all__ = ["BANK_DTYPE", "MEMO_DTYPE", "NEVER", "REGION_DTYPE", "STATE_DTYPE", "State"]

State = Any  # a numba record of STATE_DTYPE; numba has no types for mypy

MAX_BANKS = 16
MAX_REGIONS = 64
MAX_STOPS = 64
MAX_WATCHES = 32
MAX_ARMED = 8
IMAGES = 512
MEMO = 8192
VECTORS = 256
SRAM_SIZE = 4096
MAX_BOUNCES = 4
MAX_CHARGES = 320  # half of them hold those of one instruction: 64 accesses, each with its wait
BUFFER_STATE = 1 + STORE_BUFFER_ENTRIES
CHARGE_COLUMNS = 4 + BUFFER_STATE  # host PC, accesses, kind; of a wait for memory its cycles and what was before
MAX_ACCESSES = 16  # MOVEM with all registers
MAX_DONE = 4 * MAX_ACCESSES  # byte by byte
MAX_PARTS = 2 * MAX_ACCESSES
MAX_TIMED = 4  # a double that crosses into another page has two
MAX_COVERS = MAX_BOUNCES  # sheet 1.12: a move from memory to memory with both operands across pages
SEEN = 1 << 16
RESTS = 4096
MISS_PCS = 4096  # slots of the table of misses by PC

# FPU and EMAC: FP0-FP7 after reset (sign 0, all mantissa bits 1: 548xRM 6-5, 6-21), and the bits that exist.
DEFAULT_NAN = (1 << 63) - 1
FPCR_WRITABLE, FPSR_WRITABLE, MACSR_WRITABLE = 0xFF70, 0x0F00FFF8, 0xFFF

# What unicorn calls an address space is private here: guest PAs are placed in it bank by bank, because it has only
# 32 bits and needs room for windows that no guest address has.
BANK_DTYPE = np.dtype(
    [
        ("base", "i8"),  # guest PA of the first byte
        ("end", "i8"),  # guest PA after the last byte
        ("host", "i8"),  # address of the bytes in this process
        ("uc", "i8"),  # where unicorn has them
        ("shadow", "i8"),  # public engine: where unicorn has the copy that instructions are fetched from
        ("shadow_host", "i8"),
        ("pages", "i8"),  # address of a record of PAGE_BYTES per 4-KB page
    ]
)
# Record of a page: a byte of flags, and at +4 and +6 the first and last + 1 offset of blocks that ran in it.
PAGE_BYTES = 8
PAGE_CODE = 1  # translated blocks of this page may exist
PAGE_WRITE = 2  # some softmmu entry may allow stores to it

REGION_DTYPE = np.dtype([("start", "i8"), ("end", "i8"), ("itlb", "i8"), ("dtlb", "i8"), ("cycles", "i8")])

# Public engine: a part of an operand of the instruction that runs alone.
PART_DTYPE = np.dtype(
    [
        ("host", "i8"),  # where it is in guest memory
        ("copy", "i8"),  # where unicorn has it
        ("size", "i8"),
        ("write", "i8"),
        ("pages", "i8"),  # record of its page, and where in the page it is
        ("offset", "i8"),
        ("pa", "i8"),
        ("source", "i8"),  # who answers for it, and its cache mode
        ("mode", "i8"),
    ]
)

# One translated block, found by the host address of its first byte.
MEMO_DTYPE = np.dtype([("key", "i8"), ("size", "i8"), ("instructions", "i8"), ("cycles", "i8")])

# An access error that has been taken and not returned from.
FAULT_DTYPE = np.dtype(
    [
        ("va", "i8"),
        ("pc", "i8"),
        ("kind", "i8"),
        ("supervisor", "i8"),
        ("fs", "i8"),
        ("asid", "i8"),
        ("frame_before", "i8"),  # PA of the page that refused the access, -1 where none was mapped
        ("cycles", "i8"),  # counters when it began
        ("instructions", "i8"),
        ("frame", "i8"),  # address of its exception frame
        ("depth", "i8"),  # others that were open then
    ]
)
MAX_OPEN = 64
BLOCK_GRANULES = 6  # 1-KB granules that a block can be on: 4 KB, and the last instruction's end
RECORDED_LOOKS = 64

# Native engine: the operand looked at last (emu.cpu.looks).
LOOK_DTYPE = np.dtype(
    [
        ("host_pc", "i8"),  # of the instruction, and of its block
        ("block", "i8"),
        ("cross", "i8"),  # the 4-KB page it crosses into, -1 none, and whether that has been seen
        ("second", "i8"),
    ]
)
# What is recorded for emu.trace (emu.cpu.recorder): events, as three columns of a buffer that the host empties.
RECORDER_DTYPE = np.dtype(
    [
        ("on", "i8"),
        ("code", "i8"),  # addresses of the columns
        ("a", "i8"),
        ("b", "i8"),
        ("count", "i8"),  # events in them
        ("full", "i8"),  # as many call for the host,
        ("size", "i8"),  # and for more there is no room
        ("lost", "i8"),  # events for which there was none
        ("fetch", "i8"),  # the open run of fetches, -1 none; what it is of
        ("fetch_key", "i8"),
        ("data", "i8", (2,)),  # the open runs of reads and of writes, -1 none; both are on one granule
        ("data_key", "i8"),
        ("instructions", "i8"),  # counters at the last STAMP
        ("cycles", "i8"),
        ("block", "i8", (BLOCK_GRANULES,)),  # the runs that the present block's fetches went to, granule by granule
        ("n_looks", "i8"),  # data accesses of the present block
        ("looks", "i8", (RECORDED_LOOKS, 2)),  # the latest of them: host PC, run
        ("again", "i8"),  # PC of an instruction that is begun again for how this engine works, -1 none
        ("look", LOOK_DTYPE),
    ]
)
PROFILE_RECORD, PROFILE_SLACK = 56, 64  # bytes; records that may still come after the buffer is called full

FUNCTIONS = (
    "uc_emu_start",
    "uc_emu_stop",
    "uc_reg_read",
    "uc_reg_write",
    "uc_ctl",
    "tlb_flush_page_m68k",
    "tlb_flush_m68k",
    "tlb_set_page_m68k",
    "cpu_restore_state_m68k",
    "cpu_loop_exit_noexc_m68k",
    "cpu_m68k_get_sr_m68k",
    "cpu_m68k_set_sr_m68k",
    "uc_context_save",
    "uc_context_restore",
)
(
    F_START,
    F_STOP,
    F_REG_READ,
    F_REG_WRITE,
    F_CTL,
    F_FLUSH_PAGE,
    F_FLUSH,
    F_SET_PAGE,
    F_RESTORE,
    F_LOOP_EXIT,
    F_GET_SR,
    F_SET_SR,
    F_CONTEXT_SAVE,
    F_CONTEXT_RESTORE,
) = range(len(FUNCTIONS))

STATE_DTYPE = np.dtype(
    [
        ("mmu", MMU_DTYPE),
        # --- unicorn, by address
        ("uc", "i8"),
        ("cpu", "i8"),
        ("env", "i8"),
        ("fast", "i8"),  # CPUTLBDescFast[2]: the softmmu tables of supervisor (0) and user (1)
        ("used", "i8"),  # their counts of entries in use, DESC_BYTES apart
        ("address", "i8"),  # of this record
        ("slow", "i8"),  # emu.cpu.hooks.slow, which the other callbacks call by its address
        ("emulate", "i8"),  # emu.cpu.traps.emulate, the same
        ("fn", "i8", (len(FUNCTIONS),)),
        ("scratch", "i8", (4,)),  # value cell for uc_reg_read/uc_reg_write
        ("scratch_address", "i8"),
        ("scratch_run", "i8"),  # instructions of ours run, not the guest's: nothing is counted or translated
        ("native", "i8"),
        ("reference", "i8"),
        # --- guest physical memory
        ("banks", BANK_DTYPE, (MAX_BANKS,)),
        ("n_banks", "i8"),
        ("sram", BANK_DTYPE, (2,)),  # core SRAM behind RAMBAR0/1
        # --- softmmu residency of the one armed, unlocked DTLB entry (unicorn-notes 4)
        ("armed_entry", "i8"),
        ("armed_count", "i8"),
        ("armed_slot", "i8", (MAX_ARMED,)),
        ("image_epoch", "i8"),
        ("image_key", "i8", (IMAGES,)),
        ("image", "i8", (IMAGES, 5)),  # CPUTLBEntry (32 bytes), DTLB entry number
        ("image_address", "i8"),
        ("image_pa", "i8", (IMAGES,)),  # level full: PA of the page and its cache mode
        ("image_mode", "i8", (IMAGES,)),
        ("granted_pa", "i8"),  # the access allowed last: its PA, -1 if the page must be looked at each time
        ("granted_mode", "i8"),
        ("granted_memory", "i8"),  # it is of memory, not of a device
        # --- the block being run
        ("block_pc", "i8"),
        ("block_size", "i8"),
        ("block_host", "i8"),
        ("code_key", "i8"),  # VA of the last fetch page with SR[S] (-1 none), the ITLB entry and the bytes behind it
        ("code_host", "i8"),
        ("code_entry", "i8"),
        ("code_touched", "i8"),
        ("small_epoch", "i8"),  # changes of 1-KB ITLB entries; the value at which translations were last dropped
        ("small_seen", "i8"),
        ("small_va", "i8"),  # the 1-KB page whose fetches unicorn may do by itself now, bit 0: user; -1 none
        ("code_small", "i8"),  # the fetch page is a 1-KB one
        ("code_pa", "i8"),
        ("code_pages", "i8"),
        ("memo", "i8"),  # address of MEMO records of MEMO_DTYPE
        ("fpu_disabled", "i8"),
        ("mvz_decoder", "i8"),  # decoders of unicorn that ours build on
        ("tst_decoder", "i8"),
        ("clr_decoder", "i8"),
        ("tcg", "i8"),  # TCGContext of unicorn, and its number of an operation that loads a constant
        ("tcg_constant", "i8"),
        ("usp_decoder", "i8", (2,)),  # of MOVE An,USP and MOVE USP,An
        ("illegal_decoder", "i8"),
        ("opcodes", "i8"),  # address of the 65536 records of emu.timing.optable
        # --- counters
        ("instructions", "i8"),
        ("cycles", "i8"),
        ("misses", "i8", (2, 2)),  # [itlb|dtlb][user|supervisor]
        ("nested", "i8"),
        ("violations", "i8"),
        ("bus_errors", "i8"),
        ("bus_error_pa", "i8"),
        ("exceptions", "i8", (VECTORS,)),
        ("inhibited_reads", "i8"),
        ("inhibited_writes", "i8"),
        ("refill_cycles", "i8"),
        ("refill_depth", "i8"),
        ("refill_start", "i8"),
        ("refill_sp", "i8", (16,)),
        ("regions", REGION_DTYPE, (MAX_REGIONS,)),
        ("n_regions", "i8"),
        # --- the profile of access errors (emu.cpu.profile)
        ("profile", "i8"),  # address of PROFILE_RECORD bytes each
        ("profile_size", "i8"),  # records it has room for, 0 = no profile
        ("profile_count", "i8"),
        ("profile_lost", "i8"),
        ("fault_now", FAULT_DTYPE),
        ("open_faults", FAULT_DTYPE, (MAX_OPEN,)),
        ("n_open", "i8"),
        ("miss_pc", "i8"),  # address of the open-addressed table of misses by PC: pairs (pc, count)
        ("miss_pc_lost", "i8", (2,)),  # ITLB and DTLB misses whose PC found no slot
        ("fills", "i8"),  # softmmu fills: no guest-visible meaning, kept for benchmarks
        ("recorder", RECORDER_DTYPE),
        # --- the time model
        ("time", TIME_DTYPE),
        ("time_record", "i8"),  # address of what is remembered of the block measured last (emu.cpu.blocks)
        ("begun_again", "i8"),  # PC of an instruction that was fetched and must be run again, -1 none
        # Device accesses of one instruction that have had their effect, and must not have it again when the instruction
        # is begun again at a later one: "instructions" with it, -1 none; how many; how many of them the present try
        # has come by; what they gave.
        ("done_at", "i8"),
        ("n_done", "i8"),
        ("next_done", "i8"),
        ("done", "i8", (MAX_DONE,)),
        ("rests", "i8"),  # address of RESTS triples (host PC, serial of its block, cycles of the block behind it)
        ("code_source", "i8"),  # who answers for the fetch page, and its cache mode
        ("code_mode", "i8"),
        ("second_pa", "i8"),  # PA of the word at second_va
        # --- run control
        ("clock", "i8"),  # devices' time is instructions instead of cycles, plus clock_skew (emu.cpu.clock)
        ("clock_skew", "i8"),
        ("instruction_budget", "i8"),
        ("instruction_limit", "i8"),  # the budget or, where instructions are the clock, the next event
        ("cycle_limit", "i8"),  # the nearest of the budget, the timer and the devices' next event
        ("cycle_budget", "i8"),
        ("attention", "i8"),  # ATTENTION_* bits: the block hook takes its slow path
        ("step", "i8"),  # STEP_*: what is being single-stepped
        ("single", "i8"),  # the block that runs now has one instruction
        ("step_taken", "i8"),
        ("taken", "i8"),  # exceptions taken
        ("cut", "i8"),  # EVENT_CUT: how many instructions may run
        # --- the public engine (emu.cpu.public)
        ("patch_host", "i8"),  # the op word that a block may not start with before it is intercepted
        ("emptied", "i8"),  # "fills" when the softmmu was emptied last
        ("alone", "i8"),  # ALONE_*: of the instruction that runs by itself
        ("alone_effects", "i8"),  # what its allowed accesses do
        ("inhibited_parts", "i8"),
        ("alone_code", "i8"),  # address of the pages of code, one for each offset in a page and a second one for all
        ("accesses", "i8", (MAX_ACCESSES, 3)),  # VA, size, kind
        ("n_accesses", "i8"),
        ("parts", PART_DTYPE, (MAX_PARTS,)),
        ("n_parts", "i8"),
        ("timed", PART_DTYPE, (MAX_TIMED,)),  # parts of an intercepted instruction's operand
        ("n_timed", "i8"),
        ("covers", "i8", (MAX_COVERS, 2)),  # 4-KB pages of its operands: VA, and where unicorn has them
        ("n_covers", "i8"),
        ("covers_code", "i8"),  # where unicorn has the page of its op word
        ("seen", "i8"),  # address of pairs (pc + 1, words): what ran alone at a PC last
        ("context", "i8"),  # a uc_context
        ("fault_kind", "i8"),
        ("stops", "i8", (MAX_STOPS,)),
        ("n_stops", "i8"),
        ("stop_skip", "i8"),  # the stop address that this run() started on
        # what a debugger waits for (emu.cpu.catch)
        ("catch_vectors", "i1", (VECTORS,)),  # exceptions that end the run, by vector
        ("catch_loads", "i8"),  # whether loads of TLB entries do
        ("watches", "i8", (MAX_WATCHES, 4)),  # VA [start, end), 1 << kind of the accesses, ASID or -1
        ("n_watches", "i8"),
        ("watch_host_pc", "i8"),  # an operand that crosses a page and has been looked at
        ("watch_block", "i8"),
        ("refused_va", "i8"),  # of the latest access error
        ("refused_kind", "i8"),
        ("refused_supervisor", "i8"),
        ("caught", "i8"),  # CAUGHT_*: what ended the run,
        ("caught_number", "i8"),  # its vector, TLB address, or bytes
        ("caught_va", "i8"),  # what was accessed, and how
        ("caught_kind", "i8"),
        ("caught_pc", "i8"),  # of an exception: stacked PC, fault status
        ("caught_fs", "i8"),
        ("event", "i8"),  # EVENT_*: why unicorn was left
        ("event_vector", "i8"),
        ("second_va", "i8"),  # last word of the latest block that ended on another page than it began on
        ("in_code_write", "i8"),
        ("emulating", "i8"),  # the device access under way is an intercepted instruction's
        ("postponed", "i8"),  # it must wait: that instruction has not begun
        ("fault_va", "i8"),
        ("read_only_checked", "i8"),  # the instruction that reads a write-protected page is no read-modify-write
        # the operand of an access to inhibited memory: its host PC, the page it crosses into, its charged 1-KB granules
        ("operand_host_pc", "i8"),
        ("operand_block", "i8"),
        ("operand_cross", "i8"),
        ("operand_counted", "i8", (2,)),
        ("look", LOOK_DTYPE),  # the same for the time of accesses to memory
        # inhibited accesses charged since the present block began, by host PC: an instruction that is begun again only
        # because of how this engine works takes its charges back
        ("host_pc", "i8"),
        ("charged_block", "i8"),
        ("charged", "i8", (MAX_CHARGES, CHARGE_COLUMNS)),
        ("buffer_before", "i8", (BUFFER_STATE,)),  # bus and store buffer in front of the latest access
        ("n_charged", "i8"),
        # --- operands on two 1-KB pages that are no neighbours in physical memory
        ("bounce", "i8"),
        ("n_bounces", "i8"),
        ("bounce_buffer", "i8"),
        ("bounce_host", "i8", (MAX_BOUNCES, 2)),
        ("bounce_size", "i8", (MAX_BOUNCES, 2)),
        ("bounce_offset", "i8", (MAX_BOUNCES,)),
        ("bounce_write", "i8", (MAX_BOUNCES,)),
        ("halted", "i8"),  # HALT_* once the machine cannot go on
        ("halt_address", "i8"),
        ("halt_value", "i8"),
        ("stopped", "i8"),  # STOP: waits for an interrupt
        ("edge_level", "i8"),  # interrupts that the host requests, once: the highest level (0 none)
        ("edge_vectors", "i8", (8,)),  # by level: vector + 1, or 0
        ("hold_instructions", "i8"),  # "instructions" when the last exception was taken
        ("timer_cycle", "i8"),  # core cycle when such a request is made, or NEVER
        ("timer_level", "i8"),
        ("timer_vector", "i8"),
        # --- registers of the CPU that unicorn lacks or keeps wrong
        ("shadow_sr", "i8"),
        ("trace_pending", "i8"),
        ("other_a7", "i8"),  # the A7 that is not in use while CACR[EUSP] is clear, else -1 (emu.cpu.processor)
        ("fp", "i8", (8,)),  # FP0-FP7, patterns of doubles
        ("fp_loaded", "i8", (8,)),  # what an FMOVEM or FRESTORE has read and not taken over yet
        ("fpcr", "i8"),
        ("fpsr", "i8"),
        ("fpiar", "i8"),
        ("fp_operand", "i8"),  # what FSAVE shows to the handler of a pending exception
        ("fp_used", "i8"),  # the FPU is not in the state of reset: FSAVE saves no null frame
        ("macc", "i8", (4,)),  # EMAC: 48-bit accumulators, sign-extended
        ("macsr", "i8"),
        ("mac_mask", "i8"),
        # --- devices
        ("devices", DEVICES_DTYPE),
        ("paced", "i8"),  # the host is asked before time is skipped: somebody watches, and may type
        ("idle_until", "i8"),  # core cycle of what STOP waits for
        ("idle_granted", "i8"),  # how far the host lets time pass
    ]
)
ATTENTION_IRQ, ATTENTION_STOPS, ATTENTION_RECORDS, ATTENTION_CATCH = 1, 2, 4, 8
CAUGHT_EXCEPTION, CAUGHT_LOAD, CAUGHT_ACCESS = 1, 2, 3
STEP_NONE, STEP_WAITING, STEP_BEGUN = 0, 1, 2
ALONE_NO, ALONE_WAITING, ALONE_BEGUN = 0, 1, 2

# Why unicorn was left. Up to EVENT_ODD the run loop deals with it; the others end the run.
(
    EVENT_NONE,
    EVENT_LIMIT,  # also ends the run, when it is the budget's limit
    EVENT_ADDRESS,  # the same
    EVENT_CAUGHT,  # the same
    EVENT_STEP,
    EVENT_IRQ,
    EVENT_TRACE,
    EVENT_CUT,
    EVENT_CHARGE,
    EVENT_CODE_WRITE,
    EVENT_BOUNCE,
    EVENT_FETCH_FAULT,
    EVENT_SINGLE,  # public engine: the next instruction must run alone
    EVENT_SERVE,  # public engine: an exception that unicorn reported
    EVENT_PATCH,  # public engine: the block holds an instruction to intercept
    EVENT_STALE,  # native engine: a translation that spans two 1-KB pages may be out of date
    EVENT_ODD,
    EVENT_HALT,
    EVENT_STOPPED,
    EVENT_RESET,
    EVENT_HYPERCALL,
    EVENT_FULL,
    EVENT_UNMODELLED,
    EVENT_INPUT,
    EVENT_IDLE,
    EVENT_RECORDS,
    EVENT_FAIL,
) = range(27)

(
    HALT_NONE,
    HALT_DOUBLE_FAULT,
    HALT_UNDEFINED_REGISTER,
    HALT_UNSUPPORTED,
    HALT_ENGINE,
    HALT_NO_HANDLER,
) = range(6)
