/*
 * Puts a kernel of the suite into user mode in one of three ways:
 *   direct    no translation: ACRs cover everything for both modes, the MMU stays off
 *   coyotos   user mode behind 8-KB pages, refilled from a table of ranges (coyotos.S)
 *   linux     the same, refilled the way Linux does it (linux_entry.S, linux.c)
 * VA = PA in all of them, because an ACR does not change addresses: the kernels are the same bytes at the same place.
 * Supervisor text and data are passed through by ACRs, so no handler ever misses.
 */
#include "mmu.h"

        .section .vectors,"aw"
        .globl  parameters
vectors:
        .long   kernel_stack, _start, unexpected
        .rept   44
        .long   unexpected
        .endr
        .long   finished                /* TRAP #15 */
        .space  0x400 - 48 * 4
parameters:                             /* written before the start: kernel, size, repetitions, way */
        .long   0, 0, 0, 0

        .section .stack,"aw",@nobits
        .balign THREAD_SIZE
        .globl  thread
thread: .skip   THREAD_SIZE
kernel_stack:

        .section .boot,"ax"
        .globl  _start, unexpected, finished
_start: move.w  #0x2700,%sr
        lea     kernel_stack,%sp
        lea     vectors,%a5
        movec   %a5,%vbr
        move.l  #CACR_START,%d0
        movec   %d0,%cacr
        move.l  #CACR_RUN,%d0
        movec   %d0,%cacr
        lea     user_stack,%a0
        move.l  %a0,%usp

        move.l  parameters+12,%d0       /* the way */
        bne.s   translated
        move.l  #ACR_BOTH,%d1
        movec   %d1,%acr0
        movec   %d1,%acr2
        bra.s   start_kernel

translated:
        lea     coyotos_access_error,%a0
        moveq   #0,%d2                  /* ASID */
        subq.l  #WAY_COYOTOS,%d0
        beq.s   mmu_on
        subq.l  #WAY_LINUX-WAY_COYOTOS,%d0
        bne.w   unexpected
        jsr     linux_setup
        lea     linux_access_error,%a0
        moveq   #LINUX_ASID,%d2
mmu_on: move.l  %a0,8(%a5)              /* vector 2 */
        movec   %d2,%asid
        move.l  #ACR_SUPERVISOR,%d1
        movec   %d1,%acr0
        movec   %d1,%acr2
        move.l  #MMUBAR+1,%d0
        movec   %d0,%mmubar
        move.l  #MMUOR_CA,%d0
        move.l  %d0,MMUOR
        nop
        moveq   #MMUCR_EN,%d0
        move.l  %d0,MMUCR
        nop
start_kernel:
        lea     parameters,%a0
        movem.l (%a0),%d5-%d7
        movea.l %d5,%a0
        pea     user_start
        move.l  #0x40000000,-(%sp)      /* format 4, SR 0: user mode */
        rte

unexpected:
1:      halt
        bra.s   1b
finished:
2:      halt
        bra.s   2b

        .section .text.start,"ax"
        .globl  user_start
user_start:                             /* A0 = kernel, D6 = size, D7 = repetitions; D0 = its checksum */
        move.l  %d7,-(%sp)
        move.l  %d6,-(%sp)
        jsr     (%a0)
        trap    #15
