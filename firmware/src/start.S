/*
 * From reset to C. Until the MMU is on, the image may lie at PA = VA - KVA + ram_base, so this code is position
 * independent; afterwards everything runs where it is linked.
 *
 *   mapping ACR     ACR0 / ACR2 pass all SDRAM through (PA = VA)
 *   all others      one locked 1-MB entry in each TLB for the image, plus, where PA != VA, an ITLB entry for the
 *                   instruction that follows the one that switches the MMU on (hardware sheet 7, item 21)
 */
#include "kernel_asm.h"

        .section .start, "ax"
        .globl  start
        .type   start, @function
start:
        move.w  #SR_KERNEL,%sr
        lea     boot(%pc),%a5
        move.l  P_MAGIC(%a5),%d0
        cmpi.l  #MAGIC,%d0
        bne.w   no_parameters
        move.l  #CACR_START,%d0
        movec   %d0,%cacr
        move.l  #CACR_RUN,%d0
        movec   %d0,%cacr

        move.l  P_MBAR(%a5),%d0
        movec   %d0,%mbar
        andi.l  #0xff000000,%d0         /* the 16-MB block of MBAR: supervisor, inhibited precise */
        ori.l   #ACR_ENABLE+ACR_SUPERVISOR+ACR_INHIBITED,%d0
        movec   %d0,%acr1
        moveq   #0,%d0
        movec   %d0,%acr0
        movec   %d0,%acr2
        movec   %d0,%acr3
        movec   %d0,%asid
        move.l  #KVA,%d0
        movec   %d0,%vbr
        move.l  #MMUBAR+1,%d0
        movec   %d0,%mmubar
        moveq   #0,%d0                  /* locked entries survive nothing but CA */
        addi.l  #MMUOR_CA,%d0
        move.l  %d0,MMUOR
        nop

        move.l  P_RAM_BASE(%a5),%d2
        move.l  P_MAPPING(%a5),%d0
        cmpi.l  #MAP_ACR,%d0
        bne.s   locked_image

        move.l  P_RAM_SIZE(%a5),%d0     /* address mask = (size - 1) >> 24, at bits 23-16 (sheet 2.3) */
        subq.l  #1,%d0
        lsr.l   #8,%d0
        andi.l  #0x00ff0000,%d0
        or.l    %d2,%d0
        ori.l   #ACR_ENABLE+ACR_SUPERVISOR,%d0
        movec   %d0,%acr2
        ori.l   #ACR_COPYBACK,%d0
        movec   %d0,%acr0
        bra.s   mmu_on

locked_image:
        move.l  #KVA+TR_KERNEL,%d0
        move.l  %d0,MMUTR
        move.l  %d2,%d0
        ori.l   #DR_1M+DR_KERNEL_DATA+DR_LOCKED,%d0
        move.l  %d0,MMUDR
        moveq   #MMUOR_LOAD_DTLB,%d0
        move.l  %d0,MMUOR
        nop
        move.l  %d2,%d0
        ori.l   #DR_1M+DR_KERNEL_TEXT+DR_LOCKED,%d0
        move.l  %d0,MMUDR
        moveq   #MMUOR_LOAD_ITLB,%d0
        move.l  %d0,MMUOR
        nop
        cmpi.l  #KVA,%d2
        beq.s   mmu_on
        move.l  %d2,%d0
        ori.l   #TR_KERNEL,%d0
        move.l  %d0,MMUTR
        move.l  %d2,%d0
        ori.l   #DR_1M+DR_KERNEL_TEXT,%d0
        move.l  %d0,MMUDR
        moveq   #MMUOR_LOAD_ITLB,%d0
        move.l  %d0,MMUOR
        nop

mmu_on:
        moveq   #MMUCR_EN,%d0
        move.l  %d0,MMUCR
        nop
        jmp     linked_address

no_parameters:
        moveq   #PANIC_BAD_PARAMETERS,%d0
        halt
        bra.s   no_parameters

        .text
        .type   linked_address, @function
linked_address:
        moveq   #MMUOR_CNL,%d0          /* the stepping stone at PA = VA */
        move.l  %d0,MMUOR
        nop
        lea     kernel_stack_top,%sp
        lea     __bss_start,%a0
        lea     __bss_end,%a1
        moveq   #0,%d0
        bra.s   2f
1:      move.l  %d0,(%a0)+
2:      cmpa.l  %a1,%a0
        bcs.s   1b
        jsr     kmain
        halt

        .section .stack, "aw", @nobits
        .balign 4
        .skip   KERNEL_STACK
        .globl  kernel_stack_top
kernel_stack_top:
