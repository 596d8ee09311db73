/*
 * The vector table at KVA (VBR ignores bits 19-0, hardware sheet 2.4), the parameter block behind it, and the
 * handlers of vectors that should never be taken. Vector 2 is filled in at boot with the miss handler that the
 * parameters ask for.
 */
#include "kernel_asm.h"

        .section .vectors, "aw"
        .globl  vectors
vectors:
        .long   kernel_stack_top
        .long   start
        .long   early_access_error      /* 2 */
        .rept   29
        .long   unexpected              /* 3 - 31 */
        .endr
        .long   trap_ipc                /* 32: trap #0 */
        .long   trap_exit               /* 33: trap #1 */
        .long   trap_prepare            /* 34: trap #2 */
        .long   trap_queue              /* 35: trap #3 */
        .long   trap_leave              /* 36: trap #4 */
        .long   trap_string             /* 37: trap #5 */
        .rept   256 - 38
        .long   unexpected
        .endr

        .org    PARAMETER_OFFSET
        .globl  boot
boot:
        .fill   PARAMETER_SIZE

        .text
        .type   unexpected, @function
        .type   early_access_error, @function
unexpected:
        move.l  (%sp),%d0               /* format, FS[3:2], vector, FS[1:0], SR */
        clr.w   %d0
        swap    %d0
        lsr.l   #2,%d0
        andi.l  #0xff,%d0
        move.l  4(%sp),-(%sp)
        move.l  %d0,-(%sp)
        jsr     unexpected_vector       /* (vector, pc), does not return */
        halt

early_access_error:
        move.l  (%sp),%d0
        move.l  4(%sp),-(%sp)
        move.l  MMUAR,-(%sp)
        move.l  %d0,-(%sp)
        jsr     access_panic            /* (frame, va, pc), does not return */
        halt
