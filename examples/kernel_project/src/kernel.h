/* Addresses and sizes that assembly, C and the linker's script share. */
#define PAGE            0x2000

/* The window of the MMU's registers (MCF548x reference manual, chapter 5). */
#define MMU             0xfe000000
#define MMUCR           (MMU + 0x00)
#define MMUOR           (MMU + 0x04)
#define MMUAR           (MMU + 0x10)
#define MMUTR           (MMU + 0x14)
#define MMUDR           (MMU + 0x18)

#define MMUOR_CLEAR_ALL 0x80
#define LOAD_DTLB       0x03            /* UAA, ACC */
#define LOAD_ITLB       0x13            /* and ITLB */

/* Fault status: bits 27-26 and 17-16 of the first word of an exception frame. */
#define FAULT_STATUS    0x0c030000
#define READ_MISS       0x0c020000
#define WRITE_MISS      0x08020000
#define FETCH_MISS      0x04010000
#define EXTENSION_MISS  0x04020000

/* A page table entry is the image of MMUDR: 8 KB, copyback, and who may do what. */
#define KERNEL_DATA     0x278
#define USER_DATA_PAGE  0x258
#define USER_TEXT_PAGE  0x254

/* Virtual memory. The kernel itself runs where ACRs let the first 16 MB through, and never misses. */
#define USER_TEXT       0x10000000
#define USER_DATA       0x20000000
#define USER_PAGES      6
#define QUEUE           0x40000000
#define QUEUE_PAGES     24
#define JOURNAL         0x50000000
#define JOURNAL_PAGES   12
