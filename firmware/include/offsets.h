/* Offsets that assembly needs; objects.c asserts that they are those of the C structures. */
#ifndef CFEMU_OFFSETS_H
#define CFEMU_OFFSETS_H

#define PROCESS_TABLE 84      /* mappingTableHdr (kernel sheet 1.5) */
#define PROCESS_REGISTERS 736 /* state at 104, registers at 632 in it */
#define PROCESS_A0 (PROCESS_REGISTERS + 32)
#define PROCESS_USP (PROCESS_REGISTERS + 60)
#define PROCESS_FRAME (PROCESS_REGISTERS + 64)
#define PROCESS_PC (PROCESS_REGISTERS + 68)

/* The mailbox is not hardware: it is how the nucleus talks to the model (MBAR + 0x30000). */
#define MAILBOX 0x30000
#define MB_CALL 0x40
#define MB_STATUS 0x44
#define MB_OP_BEGIN 0x48
#define MB_OP_END 0x4c

#define KERNEL_STACK 8192 /* one page (kernel sheet 1.2) */

#endif
