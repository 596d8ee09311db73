/* V4e MMU, ACR and frame encodings, and the shape of Linux' software PTEs; usable from C and assembly. */
#ifndef SUITE_MMU_H
#define SUITE_MMU_H

#define MMUBAR 0xFE000000
#define MMUCR 0xFE000000
#define MMUOR 0xFE000004
#define MMUSR 0xFE000008
#define MMUAR 0xFE000010
#define MMUTR 0xFE000014
#define MMUDR 0xFE000018

#define MMUCR_EN 0x01
#define MMUOR_CA 0x80        /* clear all */
#define MMUOR_LOAD_DTLB 0x03 /* UAA | ACC: choose the victim, then write it */
#define MMUOR_LOAD_ITLB 0x13

#define TR_VALID 0x001
#define TR_ID_SHIFT 2

#define DR_8K 0x200
#define DR_COPYBACK 0x040
#define DR_R 0x010
#define DR_W 0x008
#define DR_X 0x004

/* 0xC0000000 to 0xC0FFFFFF, copyback, for the supervisor only or for both modes */
#define ACR_SUPERVISOR 0xC000A020
#define ACR_BOTH 0xC000C020

#define CACR_START 0x01040100 /* invalidate both caches and the branch cache */
#define CACR_RUN 0xA4088020   /* caches and branch cache on, EUSP: user mode has its own stack pointer */

/* First longword of the exception frame: FORMAT | FS[3:2] | VECTOR | FS[1:0] | SR. */
#define FRAME_FS 0x0C030000
#define FRAME_FETCH_MISS 0x04010000     /* FS 5: the opword's page */
#define FRAME_EXTENSION_MISS 0x04020000 /* FS 6: a later word of the instruction */
#define FRAME_WRITE_MISS 0x08020000     /* FS A */
#define FRAME_READ_MISS 0x0C020000      /* FS E: read or read-modify-write */

#define PAGE 8192

/* The ways with translation, as parameters[3] names them; 0 = direct. */
#define WAY_COYOTOS 1
#define WAY_LINUX 2

#define LINUX_ASID 1
#define THREAD_SIZE 8192 /* the kernel stack, with the thread's record at its lower end */
#define THREAD_FLAGS 7   /* the byte of that record whose bits mean work before the return to user mode */

#endif
