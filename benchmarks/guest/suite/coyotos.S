/*
 * The refill of a Coyotos-like kernel: a few ranges {VA, bytes, PA, MMUDR attributes}, scanned linearly; the page is
 * the range's PA plus the offset in it. The nucleus in firmware/src/miss_range.S does the same for its own ranges.
 */
#include "mmu.h"

#define SAVED 16                        /* bytes of d0, d1, a0, a1; the exception frame is above them */

        .section .boot,"ax"
        .globl  coyotos_access_error
        .balign 16
coyotos_access_error:
        lea     -SAVED(%sp),%sp
        movem.l %d0-%d1/%a0-%a1,(%sp)
        move.l  SAVED(%sp),%d0
        andi.l  #FRAME_FS,%d0
        lea     MMUOR_LOAD_DTLB,%a1
        move.l  MMUAR,%d1
        cmpi.l  #FRAME_READ_MISS,%d0
        beq.s   1f
        cmpi.l  #FRAME_WRITE_MISS,%d0
        beq.s   1f
        lea     MMUOR_LOAD_ITLB,%a1
        move.l  SAVED+4(%sp),%d1        /* instruction faults do not write MMUAR: the stacked PC tells */
        cmpi.l  #FRAME_FETCH_MISS,%d0
        beq.s   1f
        addq.l  #4,%d1                  /* FS 6: PC + 4 is always inside the page that missed */
        cmpi.l  #FRAME_EXTENSION_MISS,%d0
        bne.w   unexpected
1:      lea     ranges,%a0
2:      move.l  %d1,%d0
        sub.l   (%a0),%d0
        cmp.l   4(%a0),%d0
        bcs.s   3f
        lea     16(%a0),%a0
        cmpa.l  #ranges_end,%a0
        bcs.s   2b
        bra.w   unexpected
3:      add.l   8(%a0),%d0
        andi.l  #-PAGE,%d0
        or.l    12(%a0),%d0
        andi.l  #-PAGE,%d1
        addq.l  #TR_VALID,%d1
        move.l  %d1,MMUTR
        nop
        move.l  %d0,MMUDR
        nop
        move.l  %a1,MMUOR
        nop
        movem.l (%sp),%d0-%d1/%a0-%a1
        lea     SAVED(%sp),%sp
        rte

        .balign 16
ranges: .long   data_start, data_bytes, data_start, DR_8K+DR_COPYBACK+DR_R+DR_W
        .long   stack_start, stack_bytes, stack_start, DR_8K+DR_COPYBACK+DR_R+DR_W
        .long   text_start, text_bytes, text_start, DR_8K+DR_COPYBACK+DR_R+DR_X
ranges_end:
