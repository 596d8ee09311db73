/* The suite for the machine at hand: KERNEL SIZE REPETITIONS, and the checksum is printed. What it computes does not
   come from an emulator, so the tests compare with it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "suite.h"

static const struct {
    const char *name;
    u32 (*run)(u32 size, u32 repetitions);
} kernels[] = {
    {"bits", k_bits},       {"crc32", k_crc32},     {"fft_double", k_fft_double},   {"fft_fixed", k_fft_fixed},
    {"fir", k_fir},         {"hash", k_hash},       {"interpreter", k_interpreter}, {"list", k_list},
    {"matrix", k_matrix},   {"records", k_records}, {"sort", k_sort},               {"strings", k_strings},
    {"table", k_table},
};

int main(int count, char **arguments)
{
    if (count == 4)
        for (u32 i = 0; i < LENGTH(kernels); i++)
            if (!strcmp(arguments[1], kernels[i].name)) {
                printf("%u\n", kernels[i].run((u32)atol(arguments[2]), (u32)atol(arguments[3])));
                return 0;
            }
    fprintf(stderr, "usage: host KERNEL SIZE REPETITIONS\n");
    return 2;
}
