/* Generated from kernel_model/abi.py (make -C firmware abi); do not edit. */
#ifndef CFEMU_ABI_H
#define CFEMU_ABI_H

#define ABI_VERSION 0x00000001
#define MAGIC 0x63666b31
#define KVA 0xc0000000
#define IMAGE_SIZE 0x00100000
#define SUPERVISOR_LIMIT 0xf0000000
#define MMUBAR 0xfe000000
#define TRANSMAP_SLOTS 0x00000040
#define TRANSMAP_VA 0xeff00000
#define USER_TEXT_VA 0x00100000
#define USER_DATA_VA 0x00200000
#define USER_STACK_VA 0x00300000
#define USER_SPACE_VA 0x40000000
#define PARAMETER_OFFSET 0x00000400
#define PARAMETER_SIZE 0x00000100
#define HASH_BUCKETS 0x00001000
#define MAX_RANGES 0x00000020
#define MAX_STRING 0x00010000
#define MAX_USER_PROCESSES 0x0000012d
#define CAP_PAGE_DIVISOR 0x0000000a
#define DEVICE_OID_HIGH 0xff000000
#define NEW_OID 0x00100000
#define MAX_LOCKED 0x0000001b
#define MAX_CHUNKS 0x00000040
#define CRASH_UNKNOWN_READ 0x00000000
#define CRASH_WRITE_PROTECTED 0x00000001
#define CRASH_ILLEGAL 0x00000002
#define CRASH_JUMP 0x00000003

/* MappingKind */
#define MAP_ACR 0
#define MAP_LOCKED_1M 1
#define MAP_UNLOCKED_1M 2
#define MAP_PAGED_8K 3
#define MAP_PAGED_4K 4

/* HandlerKind */
#define HANDLER_RANGE 0
#define HANDLER_TWO_LEVEL 1
#define HANDLER_LINEAR 2

/* FlushPolicy */
#define FLUSH_FLUSH 0
#define FLUSH_ASID 1

/* GrowthKind */
#define GROWTH_NONE 0
#define GROWTH_MAPPED 1
#define GROWTH_SLAB 2
#define GROWTH_ALTMAP 3

/* Exhaustion */
#define EXHAUST_REFUSE 0
#define EXHAUST_HALT 1

/* Vector */
#define VEC_PROCESS 0
#define VEC_GPT 1
#define VEC_ENDPOINT 2
#define VEC_INDEX 3
#define VEC_PAGE 4
#define VEC_DEPEND 5
#define VEC_REVMAP 6
#define VEC_OTE 7
#define VEC_USER_TABLE 8
#define VEC_RESERVE 9

/* Hypercall */
#define HC_NEXT_COMMAND 1
#define HC_DONE 2
#define HC_BOOTED 3
#define HC_GROW 4
#define HC_PAGE_SPACE 5
#define HC_RELEASE 6
#define HC_REFUSED 7
#define HC_PANIC 8

/* GrowKind */
#define GROW_BOOT 0
#define GROW_HEADERS 1
#define GROW_SLAB 2
#define GROW_ALTMAP 3
#define GROW_USER 4

/* Command */
#define CMD_STOP 0
#define CMD_ATTACH 1
#define CMD_COLD_PREPARE 2
#define CMD_PING_PONG 3
#define CMD_FRAME_BUFFER 4
#define CMD_RELEASE 5
#define CMD_ANNOUNCE 6
#define CMD_CRASH 7
#define CMD_FAN_IN 8
#define CMD_SPACE 9
#define CMD_FAULT_STORM 10
#define CMD_CHURN 11
#define CMD_AGE 12
#define CMD_SHUFFLE 13
#define CMD_STRING_IPC 14
#define CMD_DETACH 15

/* Operation */
#define OP_BOOT_VECTORS 1
#define OP_PAGE_SPACE 2
#define OP_USER_SETUP 3
#define OP_ATTACH 4
#define OP_GROW 5
#define OP_PREPARE 6
#define OP_DEVICE_PREPARE 7
#define OP_IPC 8
#define OP_RELEASE 9
#define OP_CONSOLE 10
#define OP_WALK 11
#define OP_ALLOCATE 12
#define OP_RESCIND 13
#define OP_AGE 14
#define OP_STRING 15
#define OP_DETACH 16

/* Refusal */
#define REFUSAL_OK 0
#define REFUSAL_RESERVE_EMPTY 1
#define REFUSAL_RANGES_FULL 2
#define REFUSAL_GROWTH_AREA_FULL 3
#define REFUSAL_TABLES_FULL 4
#define REFUSAL_BAD_COMMAND 5
#define REFUSAL_CONSOLE_RESERVE_EMPTY 6
#define REFUSAL_NO_OTE 7
#define REFUSAL_NOT_ATTACHED 8
#define REFUSAL_NO_OBJECT 9
#define REFUSAL_NO_FRAME 16
#define REFUSAL_POLICY 17

/* Panic */
#define PANIC_NONE 0
#define PANIC_BAD_PARAMETERS 1
#define PANIC_UNKNOWN_ADDRESS 2
#define PANIC_VIOLATION 3
#define PANIC_UNEXPECTED_VECTOR 4
#define PANIC_HEAP_FRAGMENTED 5
#define PANIC_BOOT_REFUSED 6
#define PANIC_TOO_MANY_RANGES 7
#define PANIC_TOO_MANY_LOCKED 8
#define PANIC_OUT_OF_HEADERS 9
#define PANIC_HEADERS_EXHAUSTED 10
#define PANIC_OUT_OF_OTES 11
#define PANIC_FRAME_IN_USE 12
#define PANIC_TABLES_FULL 13
#define PANIC_TOO_MANY_CHUNKS 14
#define VECTORS 10

/* byte offsets in the parameter block, for assembly */
#define P_MAGIC 0x0
#define P_VERSION 0x4
#define P_RAM_BASE 0x8
#define P_RAM_SIZE 0xc
#define P_MBAR 0x10
#define P_PAGE_SHIFT 0x14
#define P_MAPPING 0x18
#define P_HANDLER 0x1c
#define P_FLUSH 0x20
#define P_GROWTH 0x24
#define P_GROWTH_VA 0x28
#define P_GROWTH_LIMIT 0x2c
#define P_GROWTH_PAGES 0x30
#define P_GROWTH_SHIFT 0x34
#define P_EXHAUSTION 0x38
#define P_HEAP_VA 0x3c
#define P_CONSOLE_VA 0x40
#define P_CONSOLE_PA 0x44
#define P_CONSOLE_PAGES 0x48
#define P_CONSOLE_RESERVE 0x4c
#define P_USER_PROCESSES 0x50
#define P_USER_DATA_PAGES 0x54
#define P_VECTOR_COUNT 0x58
#define P_VECTOR_STRIDE 0x80

#ifndef __ASSEMBLER__
struct parameters {
    unsigned int magic; /* MAGIC */
    unsigned int version; /* ABI_VERSION */
    unsigned int ram_base; /* PA of the first RAM byte, where the image is loaded: KVA or 0 */
    unsigned int ram_size; /* bytes of RAM from ram_base; bounds the direct map */
    unsigned int mbar; /* PA of the MBAR window, reached through ACR1; at or above SUPERVISOR_LIMIT */
    unsigned int page_shift; /* log2 of the page: 13 or 12 */
    unsigned int mapping; /* MappingKind */
    unsigned int handler; /* HandlerKind */
    unsigned int flush; /* FlushPolicy */
    unsigned int growth; /* GrowthKind */
    unsigned int growth_va; /* first VA of the growth area; 0 = growth goes on at the heap's end (PAGED_* only) */
    unsigned int growth_limit; /* end of the growth area (exclusive) */
    unsigned int growth_pages; /* frames asked for in one GROW (SLAB: always 1) */
    unsigned int growth_shift; /* log2 of the TLB page of the growth area: page_shift, or 20 for ALTMAP */
    unsigned int exhaustion; /* Exhaustion */
    unsigned int heap_va; /* first VA of the boot heap (PAGED_*); other mappings take VA from the granted PA */
    unsigned int console_va; /* VA of the console device when attached */
    unsigned int console_pa; /* PA of the console device: PSC0's page and its neighbours, normally the MBAR base */
    unsigned int console_pages; /* pages of the console device: 16 at 8 KB, 32 at 4 KB (kernel sheet 8.9) */
    unsigned int console_reserve; /* headers set aside at boot for the console alone */
    unsigned int user_processes; /* user processes built at boot, 0..MAX_USER_PROCESSES */
    unsigned int user_data_pages; /* data pages of each, 1..16; every IPC round touches each once */
    unsigned int vector_count[10]; /* elements of each `Vector` */
    unsigned int vector_stride[10]; /* bytes from one element to the next (kernel sheet 1.5); at least the compiled size */
};
#endif

#endif
