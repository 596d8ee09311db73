/*
 * The parts that all TLB-miss handlers share, as macros: a kernel is compiled for one page size, one handler and
 * one mapping, so each combination is assembled as its own handler and vector 2 points at the one in use.
 *
 * Rules that make nested misses harmless (a walk of a user table may miss on the Process or on the table, both in
 * the heap): MMUAR is read before anything that can miss; registers are saved on the stack, which is in the image
 * and never misses; MMUTR, MMUDR and MMUOR are written last, with nothing in between that can miss.
 *
 * Registers: d1 = VA missed, d0 = scratch, then MMUDR image; a0 scratch; a1 = MMUOR word that loads the right TLB.
 */
#include "kernel_asm.h"

#define SAVED 16                /* bytes of d0, d1, a0, a1 on the stack; the exception frame is above them */

/* Save, decode FS (hardware sheet 3.3) and find the VA. Falls through with a data miss on a kernel address. */
.macro MISS_ENTRY name
        .balign 16
        .globl  \name
        .type   \name, @function
\name:
        lea     -SAVED(%sp),%sp
        movem.l %d0-%d1/%a0-%a1,(%sp)
        move.l  SAVED(%sp),%d0
        andi.l  #FRAME_FS,%d0
        cmpi.l  #FRAME_READ_MISS,%d0
        beq.s   .L\name\()_data
        cmpi.l  #FRAME_WRITE_MISS,%d0
        bne.w   .L\name\()_fetch
.L\name\()_data:
        move.l  MMUAR,%d1
        cmpi.l  #KVA,%d1
        bcs.w   .L\name\()_user
.endm

/* The direct-mapped range: bounds check and add, a 1-MB entry. */
.macro MISS_DIRECT
        move.l  %d1,%d0
        subi.l  #KVA,%d0
        cmp.l   direct_size,%d0
        bcc.s   7f
        andi.l  #0xfff00000,%d0
        add.l   direct_dr,%d0           /* ram_base and the attributes */
        andi.l  #0xfff00000,%d1
        addq.l  #TR_KERNEL,%d1
        LOAD_DTLB
7:
.endm

/* d1 = MMUTR image, d0 = MMUDR image. NOP after each register write, as Linux does (sheet 1.4). */
.macro LOAD_DTLB
        move.l  %d1,MMUTR
        nop
        move.l  %d0,MMUDR
        nop
        moveq   #MMUOR_LOAD_DTLB,%d0
        move.l  %d0,MMUOR
        nop
        movem.l (%sp),%d0-%d1/%a0-%a1
        lea     SAVED(%sp),%sp
        rte
.endm

/* Fetch misses and user data misses: through the table of the current process. Kernel text is never missed. */
.macro MISS_USER name, shift
.L\name\()_fetch:
        move.l  SAVED+4(%sp),%d1        /* instruction faults do not write MMUAR: the stacked PC tells (sheet 3.5) */
        lea     MMUOR_LOAD_ITLB,%a1
        cmpi.l  #FRAME_FETCH_MISS,%d0
        beq.s   .L\name\()_fetch_va
        addq.l  #4,%d1                  /* FS 6: PC + 4 is always inside the page that missed */
        cmpi.l  #FRAME_EXTENSION_MISS,%d0
        bne.w   miss_violation
.L\name\()_fetch_va:
        cmpi.l  #KVA,%d1
        bcs.s   .L\name\()_walk
        bra.w   miss_unknown
.L\name\()_user:
        lea     MMUOR_LOAD_DTLB,%a1
.L\name\()_walk:
        move.l  current,%d0
        beq.w   miss_unknown            /* no process: a stray kernel pointer */
        movea.l %d0,%a0
        movea.l PROCESS_TABLE(%a0),%a0  /* may miss: the Process is in the heap */
        move.l  %d1,%d0
        lsr.l   #8,%d0
        lsr.l   #\shift-8,%d0
        cmpi.l  #(1<<\shift)/4,%d0      /* the table is one page */
        bcc.w   miss_walk
        move.l  (%a0,%d0.l*4),%d0       /* may miss: so is the table */
        beq.w   miss_walk
        andi.l  #-(1<<\shift),%d1
        or.l    current_tag,%d1
        move.l  %d1,MMUTR
        nop
        move.l  %d0,MMUDR
        nop
        move.l  %a1,MMUOR
        nop
        movem.l (%sp),%d0-%d1/%a0-%a1
        lea     SAVED(%sp),%sp
        rte
        .size   \name, . - \name
.endm
