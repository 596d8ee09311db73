/*
 * The TLB-miss handler: two levels of page tables, a directory by VA[31:24] and tables by VA[23:13].
 * It runs in the kernel's text on the kernel's stack, which never miss.
 */
#include "kernel.h"

        .text
        .balign 16
        .globl  access_error
        .type   access_error, @function
access_error:
        lea     -16(%sp),%sp
        movem.l %d0-%d1/%a0-%a1,(%sp)
        move.l  16(%sp),%d0
        andi.l  #FAULT_STATUS,%d0
        move.l  MMUAR,%d1
        lea     LOAD_DTLB,%a1
        cmpi.l  #READ_MISS,%d0
        beq.s   translate
        cmpi.l  #WRITE_MISS,%d0
        beq.s   translate
        move.l  20(%sp),%d1             /* fetches do not write MMUAR: the stacked PC tells */
        lea     LOAD_ITLB,%a1
        cmpi.l  #FETCH_MISS,%d0
        beq.s   translate
        addq.l  #4,%d1                  /* an extension word, in the page after */
        cmpi.l  #EXTENSION_MISS,%d0
        bne.s   fatal                   /* no miss: the access is not allowed */
translate:
        move.l  %d1,%d0
        clr.w   %d0
        swap    %d0
        lsr.l   #8,%d0
        lea     directory,%a0
        move.l  (%a0,%d0.l*4),%d0
        beq.s   fatal
        movea.l %d0,%a0
        move.l  %d1,%d0
        lsr.l   #8,%d0
        lsr.l   #5,%d0
        andi.l  #0x7ff,%d0
        move.l  (%a0,%d0.l*4),%d0
        beq.s   fatal
        andi.l  #-PAGE,%d1
        addq.l  #3,%d1                  /* shared, valid */
        move.l  %d1,MMUTR
        nop
        move.l  %d0,MMUDR
        nop
        move.l  %a1,MMUOR
        nop
        movem.l (%sp),%d0-%d1/%a0-%a1
        lea     16(%sp),%sp
        rte
        .size   access_error, . - access_error

        .globl  fatal
        .type   fatal, @function
fatal:
        halt
        .size   fatal, . - fatal
