| A bare ColdFire program for `cfemu run --board m5475evb`: it turns the MMU on, says hello through the serial port,
| walks twice over 40 pages of 8 KB, more than the 32 entries of the data TLB, and halts.

        MMU     = 0xFE000000
        MMUOR   = 0x04
        MMUAR   = 0x10
        MMUTR   = 0x14
        MMUDR   = 0x18
        PSC0    = 0xFF008600
        PAGES   = 40
        WALK    = 0x40000000            | VA of the pages
        OFFSET  = 0x3F000000            | VA - PA: they are at 16 MB

        .text
        .long   0x00010000, _start, access_error
        .space  0x400 - 3 * 4

        .globl  _start
_start: movea.l #0x00010000,%sp
        move.l  #0xFF00A040,%d0         | devices: supervisor only, inhibited
        movec   %d0,%acr0
        move.l  #0x0000A020,%d0         | the first 16 MB: supervisor only, copyback
        movec   %d0,%acr1
        movec   %d0,%acr2
        move.l  #MMU + 1,%d0
        movec   %d0,%mmubar
        movea.l #MMU,%a0
        move.l  #0x80,%d0
        move.l  %d0,MMUOR(%a0)          | clear all
        moveq   #1,%d0
        move.l  %d0,(%a0)               | MMUCR[EN]
        nop
        bsr     say_hello
        bsr     walk
        bsr     walk
end:    halt
        bra.s   end

say_hello:
        lea     message,%a0
        movea.l #PSC0,%a1
1:      move.b  (%a0)+,%d0
        beq.s   2f
        move.b  %d0,0x0C(%a1)           | transmit
        bra.s   1b
2:      rts
message:
        .asciz  "hello from the ColdFire V4e\n"
        .balign 2

walk:   movea.l #WALK,%a0
        moveq   #PAGES,%d1
1:      addq.l  #1,(%a0)
        adda.l  #0x2000,%a0
        subq.l  #1,%d1
        bne     1b
        rts

access_error:                           | loads the 8-KB page of the address that missed
        move.l  %d0,-(%sp)
        move.l  %a0,-(%sp)
        movea.l #MMU,%a0
        move.l  MMUAR(%a0),%d0
        andi.l  #0xFFFFE000,%d0
        addq.l  #1,%d0
        move.l  %d0,MMUTR(%a0)          | V
        subi.l  #OFFSET + 1 - 0x258,%d0
        move.l  %d0,MMUDR(%a0)          | 8 KB, copyback, R W
        moveq   #3,%d0
        move.l  %d0,MMUOR(%a0)          | UAA | ACC
        movea.l (%sp)+,%a0
        move.l  (%sp)+,%d0
        rte
