/*
 * System calls: trap #0 call (send and wait), trap #1 exit to the command loop, trap #2 prepare a device page, trap #3
 * call that queues, trap #4 end of the program, trap #5 call with a string. When nobody can run any more, the command loop
 * goes on. User registers go straight into the Process structure in the heap. That store may miss in the DTLB; since this is not
 * the miss handler, the miss is an ordinary one and the MOVEM is simply restarted.
 */
#include "kernel_asm.h"

.macro SAVE_USER operation
        move.l  %d0,-(%sp)
        move.l  %a0,-(%sp)
    .if \operation
        movea.l mailbox,%a0
        moveq   #\operation,%d0
        move.l  %d0,MB_OP_BEGIN(%a0)
    .endif
        movea.l current,%a0
        movem.l %d0-%d7/%a0-%a6,PROCESS_REGISTERS(%a0)
        move.l  (%sp)+,PROCESS_A0(%a0)
        move.l  (%sp)+,PROCESS_REGISTERS(%a0)
        move.l  %usp,%a1
        move.l  %a1,PROCESS_USP(%a0)
        move.l  (%sp)+,PROCESS_FRAME(%a0)
        move.l  (%sp)+,PROCESS_PC(%a0)
.endm

.macro RESTORE_USER operation
        movea.l current,%a0
        move.l  PROCESS_PC(%a0),-(%sp)
        move.l  PROCESS_FRAME(%a0),-(%sp)
        movea.l PROCESS_USP(%a0),%a1
        move.l  %a1,%usp
    .if \operation
        movea.l mailbox,%a1
        moveq   #\operation,%d0
        move.l  %d0,MB_OP_END(%a1)
    .endif
        movem.l PROCESS_REGISTERS(%a0),%d0-%d7/%a0-%a6
        rte
.endm

        .text
        .globl  trap_ipc, trap_string, trap_prepare, trap_queue, trap_leave, trap_exit, enter_user
        .type   trap_ipc, @function
        .type   trap_string, @function
        .type   trap_prepare, @function
        .type   trap_queue, @function
        .type   trap_leave, @function
        .type   trap_exit, @function
        .type   enter_user, @function
trap_ipc:
        SAVE_USER OP_IPC
        jsr     ipc_call
        RESTORE_USER OP_IPC

trap_string:
        SAVE_USER OP_IPC
        jsr     ipc_string_call
        RESTORE_USER OP_IPC

trap_prepare:
        SAVE_USER OP_DEVICE_PREPARE
        jsr     user_prepare
        RESTORE_USER OP_DEVICE_PREPARE

trap_queue:
        SAVE_USER OP_IPC
        jsr     ipc_queue
        tst.l   %d0
        beq.s   1f
        RESTORE_USER OP_IPC
1:      movea.l mailbox,%a0
        moveq   #OP_IPC,%d0
        move.l  %d0,MB_OP_END(%a0)
        bra.w   to_command_loop

trap_leave:
        SAVE_USER 0
        jsr     user_leave
        tst.l   %d0
        beq.w   to_command_loop
        RESTORE_USER 0

#define KEPT 44                 /* d2-d7, a2-a6 of the command loop */

enter_user:
        lea     -KEPT(%sp),%sp
        movem.l %d2-%d7/%a2-%a6,(%sp)
        move.l  %sp,kernel_sp
        RESTORE_USER 0

trap_exit:
        SAVE_USER 0
to_command_loop:
        movea.l kernel_sp,%sp
        movem.l (%sp),%d2-%d7/%a2-%a6
        lea     KEPT(%sp),%sp
        rts

        .section .bss
        .balign 4
kernel_sp:
        .skip   4
