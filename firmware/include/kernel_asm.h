/* For assembly files: the ABI, MMU encodings and structure offsets. */
#include "abi.h"
#include "mmu.h"
#include "offsets.h"
