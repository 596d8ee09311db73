/*
 * The user programs, position independent; the kernel copies them from here into a text page of each process,
 * mapped at USER_TEXT_VA. A message is d1-d4 and a0-a3; the rest of the registers belongs to the program.
 *
 * Both:    a4 = page size, a5 = end of the data pages
 * client:  d5 = round trips to make, d6 = PRNG state, d2 = prepares per round trip, d3 = pages, a3 = first page number
 * server:  d5 = round trips answered
 * toucher: d3 = pages from a3 on, d5 = touches to make, d6 = PRNG state; counts in d7
 * string:  the client has d4 = bytes of its string, d5 = round trips to make, and changes the first word of each page
 *          before each; the server counts in d5 and adds up in d7 the first words of what it receives
 * fan-in:  the client has d2 = its number, d5 = calls to make, d6 = d0 of a call, and counts in d7 the answers that are
 *          its own; the server counts in d5 what it receives
 */
#include "kernel_asm.h"

/* xorshift32: 13, 17, 5. Uses d0. */
.macro XORSHIFT state
        move.l  \state,%d0
        lsl.l   #8,%d0
        lsl.l   #5,%d0
        eor.l   %d0,\state
        move.l  \state,%d0
        clr.w   %d0
        swap    %d0
        lsr.l   #1,%d0
        eor.l   %d0,\state
        move.l  \state,%d0
        lsl.l   #5,%d0
        eor.l   %d0,\state
.endm

        .section .rodata
        .balign 4
        .globl  user_programs, user_client, user_server, user_fan_client, user_fan_server, user_toucher
        .globl  user_string_client, user_string_server
        .globl  user_programs_end
user_programs:

user_client:
        move.l  %a3,-(%sp)
        move.l  %d3,-(%sp)
        move.l  %d2,-(%sp)
        moveq   #0,%d7                  /* prepares that found their page */
1:      lea     USER_DATA_VA,%a6
2:      addq.l  #1,(%a6)
        adda.l  %a4,%a6
        cmpa.l  %a5,%a6
        bcs.s   2b
        move.l  (%sp),%d4
        beq.s   4f
3:      XORSHIFT %d6
        move.l  4(%sp),%d2
        move.l  %d6,%d0
        remu.l  %d2,%d1:%d0
        add.l   8(%sp),%d1
        trap    #2
        add.l   %d0,%d7
        subq.l  #1,%d4
        bne.s   3b
4:      moveq   #0,%d0                  /* capability register 0: the server's endpoint */
        move.l  %d5,%d1
        trap    #0
        subq.l  #1,%d5
        bne.s   1b
        trap    #1

user_server:
        addq.l  #1,%d5
        lea     USER_DATA_VA,%a6
1:      addq.l  #1,(%a6)
        adda.l  %a4,%a6
        cmpa.l  %a5,%a6
        bcs.s   1b
        moveq   #0,%d0                  /* capability register 0: the client's reply endpoint */
        trap    #0
        bra.s   user_server

user_fan_client:
        move.l  %d2,-(%sp)
        moveq   #0,%d7
1:      lea     USER_DATA_VA,%a6
2:      addq.l  #1,(%a6)
        adda.l  %a4,%a6
        cmpa.l  %a5,%a6
        bcs.s   2b
        move.l  %d6,%d0
        move.l  %d5,%d1
        move.l  (%sp),%d2
        trap    #3
        cmp.l   %d5,%d1                 /* the server sends back what it got */
        bne.s   3f
        cmp.l   (%sp),%d2
        bne.s   3f
        addq.l  #1,%d7
3:      subq.l  #1,%d5
        bne.s   1b
        trap    #4

user_fan_server:
        addq.l  #1,%d5
        lea     USER_DATA_VA,%a6
1:      addq.l  #1,(%a6)
        adda.l  %a4,%a6
        cmpa.l  %a5,%a6
        bcs.s   1b
        moveq   #2,%d0                  /* where the reply capability has arrived */
        trap    #3
        bra.w   user_fan_server

user_string_client:
        move.l  %d4,-(%sp)
1:      lea     USER_SPACE_VA,%a0
        movea.l %a0,%a6
        movea.l %a0,%a1
        adda.l  (%sp),%a1
2:      addq.l  #1,(%a6)
        adda.l  %a4,%a6
        cmpa.l  %a1,%a6
        bcs.s   2b
        move.l  (%sp),%d4
        moveq   #0,%d0
        trap    #5
        tst.l   %d0
        bne.s   3f                      /* refused: the kernel sees that strings are missing */
        subq.l  #1,%d5
        bne.s   1b
3:      trap    #1

user_string_server:
        addq.l  #1,%d5
        lea     USER_SPACE_VA,%a6
        movea.l %a6,%a1
        adda.l  %d4,%a1
1:      add.l   (%a6),%d7
        adda.l  %a4,%a6
        cmpa.l  %a1,%a6
        bcs.s   1b
        lea     USER_SPACE_VA,%a6       /* where the next string goes */
        moveq   #0,%d0
        trap    #0
        bra.w   user_string_server

user_toucher:
        moveq   #0,%d7
1:      XORSHIFT %d6
        move.l  %d6,%d0
        remu.l  %d3,%d1:%d0
        move.l  %a4,%d0
        mulu.l  %d0,%d1
        movea.l %a3,%a6
        adda.l  %d1,%a6
        addq.l  #1,(%a6)
        addq.l  #1,%d7
        subq.l  #1,%d5
        bne.s   1b
        trap    #4
user_programs_end:
