/* A user program of two pages: it touches its memory, and leaves its first page in the middle of an instruction. */
#include "kernel.h"

        .section .user_text, "ax"
        .globl  user_start
        .type   user_start, @function
user_start:
        movea.l #USER_DATA,%a0
        moveq   #USER_PAGES,%d1
1:      addq.l  #1,(%a0)
        adda.l  #PAGE,%a0
        subq.l  #1,%d1
        bne.s   1b
        tst.l   %d3
        beq.s   2f
        movea.l %d3,%a0
        clr.l   (%a0)
2:      jmp     user_end
        .space  PAGE - 2 - (. - user_start)
user_end:
        move.l  #0x12345678,%d2         /* its last four bytes are on the next page */
        trap    #0
        .size   user_start, . - user_start
