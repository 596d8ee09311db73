/*
 * Kernel misses through the soft kernel map of the Coyotos port: at most MAX_RANGES ranges of 16 bytes {VA, bytes,
 * PA, MMUDR attributes}, scanned linearly (kernel sheet 0.7, 4.2). Ranges have page-aligned VA and PA, so the PA
 * bits below the page size are those of the VA and need no masking.
 */
#include "miss.h"

.macro RANGE_SCAN
        lea     ranges,%a0
        movea.l ranges_end,%a1
        bra.s   2f
1:      move.l  %d1,%d0
        sub.l   (%a0),%d0
        cmp.l   4(%a0),%d0
        bcs.s   3f
        lea     16(%a0),%a0
2:      cmpa.l  %a1,%a0
        bcs.s   1b
        bra.w   miss_unknown
3:      add.l   8(%a0),%d0
        andi.l  #0xfffffc00,%d0
        or.l    12(%a0),%d0
        andi.l  #0xfffffc00,%d1
        addq.l  #TR_KERNEL,%d1
        LOAD_DTLB
.endm

        .text
        MISS_ENTRY miss_range_8k
        RANGE_SCAN
        MISS_USER miss_range_8k, 13

        MISS_ENTRY miss_range_4k
        RANGE_SCAN
        MISS_USER miss_range_4k, 12

        MISS_ENTRY miss_direct_range_8k
        MISS_DIRECT
        RANGE_SCAN
        MISS_USER miss_direct_range_8k, 13

        MISS_ENTRY miss_direct_range_4k
        MISS_DIRECT
        RANGE_SCAN
        MISS_USER miss_direct_range_4k, 12
