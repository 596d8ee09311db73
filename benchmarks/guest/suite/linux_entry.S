/*
 * Entry and exit of an access error with the steps of Linux 6.1 on a ColdFire that has a user stack pointer: a full
 * frame of registers, the current task found through the stack, and a look at the thread's flags on the way out.
 */
#include "mmu.h"

#define REGISTERS 32                    /* bytes of d1-d5, a0-a2 */
#define FRAME_SR 46                     /* offset of the stacked SR from the saved registers */

        .section .boot,"ax"
        .globl  linux_access_error
        .balign 16
linux_access_error:
        move.w  #0x2700,%sr
        clr.l   -(%sp)                  /* adjustment of the stack at exit: none */
        pea     -1                      /* not a system call */
        move.l  %d0,-(%sp)
        lea     -REGISTERS(%sp),%sp
        movem.l %d1-%d5/%a0-%a2,(%sp)
        move.l  %sp,%d0
        andi.l  #-THREAD_SIZE,%d0
        movea.l %d0,%a2
        movea.l (%a2),%a2               /* current */
        move.l  %sp,-(%sp)
        jsr     access_error
        addq.l  #4,%sp
        bra.w   return_from_exception

return_from_exception:
        move.w  #0x2700,%sr
        btst    #5,FRAME_SR(%sp)
        bne.w   unexpected              /* supervisor code never misses */
        move.l  %sp,%d1
        andi.l  #-THREAD_SIZE,%d1
        movea.l %d1,%a0
        move.b  THREAD_FLAGS(%a0),%d1
        bne.w   unexpected              /* nobody asks for a reschedule or sends a signal */
        movem.l (%sp),%d1-%d5/%a0-%a2
        lea     REGISTERS(%sp),%sp
        move.l  (%sp)+,%d0
        addq.l  #4,%sp
        adda.l  (%sp)+,%sp
        rte
