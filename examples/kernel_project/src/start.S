/* From reset to C, and from C to the user program. */
#include "kernel.h"

        .section .vectors, "a"
        .long   stack_top, start, access_error
        .space  (32 - 3) * 4
        .long   trap_0
        .space  0x400 - 33 * 4

        .text
        .globl  start
        .type   start, @function
start:  move.w  #0x2700,%sr
        lea     stack_top,%sp
        move.l  #0x0000a020,%d0         /* the first 16 MB: supervisor only, copyback */
        movec   %d0,%acr1
        movec   %d0,%acr2
        moveq   #0,%d0
        movec   %d0,%vbr
        move.l  #MMU + 1,%d0
        movec   %d0,%mmubar
        moveq   #0,%d0
        addi.l  #MMUOR_CLEAR_ALL,%d0
        move.l  %d0,MMUOR
        nop
        jsr     build_tables
        moveq   #1,%d0
        move.l  %d0,MMUCR
        nop
        jsr     kernel_main
        .size   start, . - start

/* run_user(probe): the user program, with an address that it writes to, or 0, in d3. */
        .globl  run_user
        .type   run_user, @function
run_user:
        move.l  4(%sp),%d3
        movea.l #USER_DATA + USER_PAGES * PAGE,%a0
        move.l  %a0,%usp
        move.l  #USER_TEXT,-(%sp)
        move.l  #0x40000000,-(%sp)      /* format 4, SR = 0: user mode */
        rte
        .size   run_user, . - run_user

        .globl  trap_0
        .type   trap_0, @function
trap_0: halt                            /* the user program is done, and so is the kernel */
        .size   trap_0, . - trap_0

        .section .stack, "aw", @nobits
        .space  0x1000
stack_top:
