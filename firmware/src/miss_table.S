/*
 * Kernel misses through a page table in the image; a PTE is the MMUDR image itself, 0 = nothing there.
 *   two-level: directory of 1024 words indexed by VA[31:22], then a page of PTEs (the shape Linux has, hardware sheet 5)
 *   linear:    one array indexed by (VA - KVA) >> page_shift
 */
#include "miss.h"

.macro TWO_LEVEL shift
        move.l  %d1,%d0
        clr.w   %d0
        swap    %d0
        lsr.l   #6,%d0                  /* VA[31:22] */
        lea     kernel_tables,%a0       /* the directory is the first page table page */
        move.l  (%a0,%d0.l*4),%d0
        beq.w   miss_unknown
        movea.l %d0,%a0
        move.l  %d1,%d0
        lsr.l   #8,%d0
        lsr.l   #\shift-8,%d0
        andi.l  #(1<<(22-\shift))-1,%d0
        move.l  (%a0,%d0.l*4),%d0
        beq.w   miss_unknown
        andi.l  #0xfffffc00,%d1
        addq.l  #TR_KERNEL,%d1
        LOAD_DTLB
.endm

.macro LINEAR shift
        move.l  %d1,%d0
        subi.l  #KVA,%d0
        lsr.l   #8,%d0
        lsr.l   #\shift-8,%d0
        cmpi.l  #(SUPERVISOR_LIMIT-KVA)>>\shift,%d0
        bcc.w   miss_unknown
        lea     kernel_tables,%a0
        move.l  (%a0,%d0.l*4),%d0
        beq.w   miss_unknown
        andi.l  #0xfffffc00,%d1
        addq.l  #TR_KERNEL,%d1
        LOAD_DTLB
.endm

        .text
        MISS_ENTRY miss_two_level_8k
        TWO_LEVEL 13
        MISS_USER miss_two_level_8k, 13

        MISS_ENTRY miss_two_level_4k
        TWO_LEVEL 12
        MISS_USER miss_two_level_4k, 12

        MISS_ENTRY miss_direct_two_level_8k
        MISS_DIRECT
        TWO_LEVEL 13
        MISS_USER miss_direct_two_level_8k, 13

        MISS_ENTRY miss_direct_two_level_4k
        MISS_DIRECT
        TWO_LEVEL 12
        MISS_USER miss_direct_two_level_4k, 12

        MISS_ENTRY miss_linear_8k
        LINEAR 13
        MISS_USER miss_linear_8k, 13

        MISS_ENTRY miss_linear_4k
        LINEAR 12
        MISS_USER miss_linear_4k, 12

        MISS_ENTRY miss_direct_linear_8k
        MISS_DIRECT
        LINEAR 13
        MISS_USER miss_direct_linear_8k, 13

        MISS_ENTRY miss_direct_linear_4k
        MISS_DIRECT
        LINEAR 12
        MISS_USER miss_direct_linear_4k, 12

/* What the table of a process does not have, its GPTs may: space.c walks them and loads the entry. d1 = VA, a1 = MMUOR. */
        .globl  miss_walk
        .type   miss_walk, @function
miss_walk:
        move.l  %a1,-(%sp)
        move.l  %d1,-(%sp)
        jsr     user_walk               /* (va, MMUOR word): may miss on whatever the walk touches */
        move.l  (%sp)+,%d1
        addq.l  #4,%sp
        tst.l   %d0
        beq.w   miss_unknown
        movem.l (%sp),%d0-%d1/%a0-%a1
        lea     SAVED(%sp),%sp
        rte

/* An address that nothing maps, or an access that is no miss: report it (panic.c) instead of looping. */
        .globl  miss_unknown, miss_violation
        .type   miss_unknown, @function
        .type   miss_violation, @function
miss_violation:
        move.l  MMUAR,%d1
        move.l  SAVED(%sp),%d0
        andi.l  #0x08000000,%d0         /* FS 4-7 are instruction side: the PC is the address */
        bne.s   1f
        move.l  SAVED+4(%sp),%d1
miss_unknown:
1:
        move.l  SAVED(%sp),%d0
        move.l  SAVED+4(%sp),-(%sp)
        move.l  %d1,-(%sp)
        move.l  %d0,-(%sp)
        jsr     access_panic            /* (frame, va, pc), does not return */
        halt
