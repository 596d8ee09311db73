/* V4e MMU, ACR and frame encodings (hardware sheet 1.3-1.9, 2.3, 3.2, 3.3); usable from C and assembly. */
#ifndef CFEMU_MMU_H
#define CFEMU_MMU_H

#include "abi.h"

#define MMUCR (MMUBAR + 0x00)
#define MMUOR (MMUBAR + 0x04)
#define MMUAR (MMUBAR + 0x10)
#define MMUTR (MMUBAR + 0x14)
#define MMUDR (MMUBAR + 0x18)

#define MMUCR_EN 0x01
#define MMUOR_CA 0x80  /* clear all, locked entries too */
#define MMUOR_CNL 0x40 /* clear all non-locked */
#define MMUOR_CAS 0x20 /* clear the non-locked ones of an ASID */
#define MMUOR_LOAD_DTLB 0x03 /* UAA | ACC: choose the victim, then write it (sheet 1.5) */
#define MMUOR_LOAD_ITLB 0x13

#define TR_VALID 0x001
#define TR_SHARED 0x002 /* SG: kernel entries match under every ASID */
#define TR_KERNEL (TR_SHARED + TR_VALID) /* + because | starts a comment in m68k assembly */

#define DR_1M 0x000
#define DR_4K 0x100
#define DR_8K 0x200
#define DR_COPYBACK 0x040
#define DR_INHIBITED 0x080 /* precise */
#define DR_SUPERVISOR 0x020
#define DR_R 0x010
#define DR_W 0x008
#define DR_X 0x004
#define DR_LOCKED 0x002
#define DR_KERNEL_DATA (DR_COPYBACK + DR_SUPERVISOR + DR_R + DR_W)
#define DR_KERNEL_DEVICE (DR_INHIBITED + DR_SUPERVISOR + DR_R + DR_W)
#define DR_KERNEL_TEXT (DR_SUPERVISOR + DR_X)

#define ACR_ENABLE 0x8000
#define ACR_SUPERVISOR 0x2000
#define ACR_COPYBACK 0x0020
#define ACR_INHIBITED 0x0040

/* First longword of the exception frame: FORMAT | FS[3:2] | VECTOR | FS[1:0] | SR (sheet 3.2). */
#define FRAME_FS 0x0c030000
#define FRAME_FETCH_MISS 0x04010000     /* FS 5: the opword's page */
#define FRAME_EXTENSION_MISS 0x04020000 /* FS 6: a later word of the instruction */
#define FRAME_WRITE_MISS 0x08020000     /* FS A */
#define FRAME_READ_MISS 0x0c020000      /* FS E: read or read-modify-write */
#define FRAME_FORMAT 0x40000000

#define CACR_START 0x01040100 /* invalidate both caches and the branch cache, as Linux does (sheet 2.2) */
#define CACR_RUN 0xa4088020   /* caches on, EUSP: user processes have their own stack pointer */

#define SR_KERNEL 0x2700
#define SR_USER 0x0700

#endif
