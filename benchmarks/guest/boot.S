| Puts a benchmark kernel where its speed can be compared: in user mode, with code, data and stack reached only through
| TLB entries of 8 KB (the page of Linux and Coyotos on this core), which this miss handler loads. Supervisor code and
| data are identity mapped by ACRs and never miss.
| Raw unicorn, which has no MMU, starts at user_start directly: the kernels themselves are the same bytes.

        MMU     = 0xFE000000
        MMUCR   = 0x00
        MMUOR   = 0x04
        MMUAR   = 0x10
        MMUTR   = 0x14
        MMUDR   = 0x18
        CLEAR   = 0x080                 | MMUOR[CA]
        REFILL  = 0x003                 | MMUOR[UAA|ACC]
        ITLB    = 0x010
        PAGE    = 0x25C                 | MMUDR: 8 KB, copyback, R W X
        ACR     = 0xC000A020            | 0xC0000000 + 16 MB, supervisor only, copyback
        EUSP    = 0x20                  | CACR: user mode has its own stack pointer

        .section .vectors,"aw"
        .globl  parameters
        .long   boot_stack, _start, access_error
        .rept   44
        .long   unexpected
        .endr
        .long   finished                | TRAP #15
        .space  0x400 - 48 * 4
parameters:                             | written before the start: kernel, repetitions
        .long   0, 0

        .section .boot,"ax"
        .globl  _start
_start: move.w  #0x2700,%sr
        movea.l #boot_stack,%sp
        move.l  #0xC0000000,%d0
        movec   %d0,%vbr
        moveq   #EUSP,%d0
        movec   %d0,%cacr
        move.l  #ACR,%d0
        movec   %d0,%acr0
        movec   %d0,%acr2
        move.l  #MMU + 1,%d0
        movec   %d0,%mmubar
        movea.l #MMU,%a0
        move.l  #CLEAR,%d0
        move.l  %d0,MMUOR(%a0)
        moveq   #1,%d0
        move.l  %d0,MMUCR(%a0)
        nop
        movea.l #user_stack,%a0
        move.l  %a0,%usp
        movea.l #parameters,%a1
        movea.l (%a1),%a0
        move.l  4(%a1),%d7
        move.l  #user_start,-(%sp)
        move.l  #0x40000000,-(%sp)      | format 4, SR 0: user mode
        rte

access_error:
        move.l  %d0,-(%sp)
        move.l  %a0,-(%sp)
        movea.l #MMU,%a0
        move.l  8(%sp),%d0
        btst    #27,%d0                 | FS[3]: the data side
        beq.s   1f
        btst    #16,%d0                 | FS = 1010, 1110: a miss; 1001, 1101: a violation
        bne     unexpected
        move.l  MMUAR(%a0),%d0
        andi.l  #0xFFFFE000,%d0
        addq.l  #1,%d0                  | V
        move.l  %d0,MMUTR(%a0)
        addi.l  #PAGE - 1,%d0
        move.l  %d0,MMUDR(%a0)
        moveq   #REFILL,%d0
        move.l  %d0,MMUOR(%a0)
        movea.l (%sp)+,%a0
        move.l  (%sp)+,%d0
        rte
1:      btst    #16,%d0                 | FS = 0101: the op word's page; 0110: the page of a later word
        bne.s   2f
        moveq   #4,%d0
        bra.s   3f
2:      moveq   #0,%d0
3:      add.l   12(%sp),%d0
        andi.l  #0xFFFFE000,%d0
        addq.l  #1,%d0
        move.l  %d0,MMUTR(%a0)
        addi.l  #PAGE - 1,%d0
        move.l  %d0,MMUDR(%a0)
        moveq   #REFILL + ITLB,%d0
        move.l  %d0,MMUOR(%a0)
        movea.l (%sp)+,%a0
        move.l  (%sp)+,%d0
        rte

unexpected:
        halt
        bra     unexpected
finished:
        halt
        bra.s   finished

        .section .text.start,"ax"
        .globl  user_start
user_start:                             | A0 = kernel, D7 = repetitions; D0 = its checksum
        move.l  %d7,-(%sp)
        jsr     (%a0)
        trap    #15
