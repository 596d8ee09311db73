| A kernel that is hostile to the one user program it runs: a linear page table behind the smallest TLBs the
| architecture allows, pages that start out clean, and interrupts at which the host orders clears and changes of ASID.
|
| It is mapped by ACRs and never misses. Names in capitals come from tests/conformance/torture/layout.py (-D).
| References: coldfire-v4e sheet 1.5 (MMUOR), 1.12 (entries that must stay free), 1.13 (what a fault leaves), 3.3 (FS).

    .equ    MMUCR, 0x00
    .equ    MMUOR, 0x04
    .equ    MMUAR, 0x10
    .equ    MMUTR, 0x14
    .equ    MMUDR, 0x18
    .equ    OR_CA, 0x80                 | clear all
    .equ    OR_CNL, 0x40                | clear all non-locked
    .equ    OR_ITLB, 0x10
    .equ    OR_ACC_UAA, 0x03
    .equ    DR_W, 0x08                  | MMUDR[W]
    .equ    TR_V, 0x01                  | MMUTR[V]
    .equ    EUSP, 0x20
    .equ    MAILBOX, MBAR + 0x30000

    .section .vectors, "a"
    .long   0, 0
    .long   access_error
    .rept   29
    .long   fatal
    .endr
    .long   system_call                 | TRAP #0
    .rept   31
    .long   fatal
    .endr
    .rept   192
    .long   interrupt
    .endr

    .data
    .globl  virtual_mode, user_entry, asid_tag, violations
virtual_mode:                           | 0: the MMU stays off
    .long   0
user_entry:
    .long   0
asid_tag:                               | MMUTR[ID] and MMUTR[V] of the present address space
    .long   TR_V
violations:                             | first writes to clean pages
    .long   0

    .text
    .globl  _start, exited, fatal
_start:
    lea     KERNEL_STACK, %sp
    move.l  #KERNEL, %d0
    movec   %d0, %vbr
    move.l  #EUSP, %d0
    movec   %d0, %cacr
    tst.l   virtual_mode
    jeq     enter_user
    move.l  #KERNEL_ACR, %d0
    movec   %d0, %acr0
    movec   %d0, %acr2
    move.l  #MBAR_ACR, %d0
    movec   %d0, %acr1
    moveq   #0, %d0
    movec   %d0, %acr3
    movec   %d0, %asid
    move.l  #WINDOW + 1, %d0
    movec   %d0, %mmubar
    jsr     lock_entries
    moveq   #1, %d0
    move.l  %d0, WINDOW + MMUCR
    nop
enter_user:
    move.l  user_entry, -(%sp)
    move.l  #0x40000000, -(%sp)         | format 4, user mode, no interrupt masked
    rte

| Clear all, then lock what the list says: (TLB number, MMUTR, MMUDR, MMUOR) until a negative number.
| Changes D0, A1, MMUAR, MMUTR, MMUDR.
lock_entries:
    move.l  #OR_CA, %d0
    move.l  %d0, WINDOW + MMUOR
    lea     LOCK_LIST, %a1
1:  move.l  (%a1)+, %d0
    jmi     2f
    move.l  %d0, WINDOW + MMUAR
    move.l  (%a1)+, %d0
    move.l  %d0, WINDOW + MMUTR
    move.l  (%a1)+, %d0
    move.l  %d0, WINDOW + MMUDR
    move.l  (%a1)+, %d0
    move.l  %d0, WINDOW + MMUOR
    jra     1b
2:  rts

| Interrupts are not masked here, so the handler of interrupts keeps the MMU's registers.
| FS[3:2] stands in bits 27-26 of the first long of the frame, FS[1:0] in bits 17-16.
access_error:
    lea     -20(%sp), %sp
    movem.l %d0-%d2/%a0-%a1, (%sp)
    lea     WINDOW, %a0
    move.l  20(%sp), %d0
    btst    #27, %d0
    jne     data_fault

    move.l  24(%sp), %d1                | FS 0101: the VA is the stacked PC; FS 0110: PC + 4 (sheet 3.5)
    moveq   #OR_ITLB + OR_ACC_UAA, %d2
    btst    #17, %d0
    jne     1f
    btst    #16, %d0
    jne     refill
    jra     lost                        | FS 0100: no page forbids fetches
1:  addq.l  #4, %d1
    jra     refill

data_fault:
    move.l  MMUAR(%a0), %d1
    moveq   #OR_ACC_UAA, %d2
    btst    #17, %d0
    jne     refill                      | FS 1010 and 1110
    btst    #16, %d0
    jeq     lost                        | FS 1000 and 1100: nothing answers

| FS 1001, and 1101 of a read-modify-write: the page was clean. Its entry goes with all others, and is missed next time.
    jsr     table_slot
    move.l  (%a1), %d0
    jeq     lost
    btst    #3, %d0
    jne     lost                        | writable all along: no cause for a violation
    moveq   #DR_W, %d2
    or.l    %d2, %d0
    move.l  %d0, (%a1)
    addq.l  #1, violations
    moveq   #OR_CNL, %d0
    move.l  %d0, MMUOR(%a0)
    jra     restart

refill:                                 | D1: the VA, D2: the command
    jsr     table_slot
    move.l  (%a1), %d0
    jeq     lost
    move.l  %d0, MMUDR(%a0)
    andi.l  #0xfffffc00, %d1
    or.l    asid_tag, %d1
    move.l  %d1, MMUTR(%a0)
    move.l  %d2, MMUOR(%a0)
restart:
    movem.l (%sp), %d0-%d2/%a0-%a1
    lea     20(%sp), %sp
    rte

| A1 := where the table has the page of the VA in D1; changes D0. An address outside user space is fatal.
table_slot:
    move.l  %d1, %d0
    subi.l  #USER, %d0
    cmpi.l  #USER_BYTES, %d0
    jcc     astray
    lsr.l   #8, %d0
    lsr.l   #PAGE_BITS - 8, %d0
    lea     PAGE_TABLE, %a1
    lea     (%a1, %d0.l*4), %a1
    rts
astray:
    addq.l  #4, %sp
lost:
    movem.l (%sp), %d0-%d2/%a0-%a1
    lea     20(%sp), %sp
fatal:                                  | the host finds the frame at SSP
    halt

| Ask the host what to do: an MMUOR command and the ASID from now on.
interrupt:
    lea     -24(%sp), %sp
    movem.l %d0-%d2/%a0-%a2, (%sp)
    lea     WINDOW, %a0
    move.l  MMUAR(%a0), -(%sp)
    move.l  MMUTR(%a0), -(%sp)
    move.l  MMUDR(%a0), -(%sp)
    moveq   #0, %d0
    lea     MAILBOX, %a2
    move.l  %d0, 0x40(%a2)
    move.l  0x44(%a2), %d0              | the status: waits for the host
    move.l  4(%a2), %d0
    movec   %d0, %asid
    lsl.l   #2, %d0
    addq.l  #TR_V, %d0
    move.l  %d0, asid_tag
    move.l  (%a2), %d0
    btst    #7, %d0
    jeq     1f
    jsr     lock_entries
    jra     2f
1:  move.l  %d0, MMUOR(%a0)
2:  move.l  (%sp)+, %d0
    move.l  %d0, MMUDR(%a0)
    move.l  (%sp)+, %d0
    move.l  %d0, MMUTR(%a0)
    move.l  (%sp)+, %d0
    move.l  %d0, MMUAR(%a0)
    movem.l (%sp), %d0-%d2/%a0-%a2
    lea     24(%sp), %sp
    rte

| Linux/m68k's numbers, so that the same program runs under qemu-m68k: exit(D1) and write(D1, D2, D3).
system_call:
    cmpi.l  #1, %d0
    jeq     exited
    cmpi.l  #4, %d0
    jne     fatal
    lea     -8(%sp), %sp
    movem.l %d1/%a0, (%sp)
    movea.l %d2, %a0
    move.l  %d3, %d0
    jra     2f
1:  move.b  (%a0)+, %d1                 | through the user's own mapping: this may miss as well
    move.b  %d1, MBAR + 0x860c
    subq.l  #1, %d0
2:  tst.l   %d0
    jne     1b
    movem.l (%sp), %d1/%a0
    lea     8(%sp), %sp
    move.l  %d3, %d0
    rte
exited:                                 | the status is in D1
    halt
