/* Quicksort (the smaller part first, insertion sort for the rest) and heapsort of the same random numbers. */
#include "suite.h"

static u32 items[131072];

static void insertion_sort(s32 low, s32 high)
{
    for (s32 i = low + 1; i <= high; i++) {
        u32 item = items[i];
        s32 j = i;
        for (; j > low && items[j - 1] > item; j--)
            items[j] = items[j - 1];
        items[j] = item;
    }
}

static void quick_sort(s32 low, s32 high)
{
    while (high - low > 12) {
        u32 pivot = items[low + (high - low) / 2];
        s32 i = low, j = high;
        while (i <= j) {
            while (items[i] < pivot)
                i++;
            while (items[j] > pivot)
                j--;
            if (i <= j) {
                u32 item = items[i];
                items[i++] = items[j];
                items[j--] = item;
            }
        }
        if (j - low < high - i) {
            quick_sort(low, j);
            low = i;
        } else {
            quick_sort(i, high);
            high = j;
        }
    }
    insertion_sort(low, high);
}

static void sift_down(u32 root, u32 count)
{
    u32 item = items[root];
    for (;;) {
        u32 child = 2 * root + 1;
        if (child >= count)
            break;
        if (child + 1 < count && items[child + 1] > items[child])
            child++;
        if (items[child] <= item)
            break;
        items[root] = items[child];
        root = child;
    }
    items[root] = item;
}

static void heap_sort(u32 count)
{
    for (u32 root = count / 2; root--;)
        sift_down(root, count);
    while (count-- > 1) {
        u32 item = items[0];
        items[0] = items[count];
        items[count] = item;
        sift_down(0, count);
    }
}

static void fill(u32 size, u32 state)
{
    for (u32 i = 0; i < size; i++)
        items[i] = next_random(&state);
}

static u32 sum(u32 checksum, u32 size)
{
    for (u32 i = 0; i < size; i++)
        checksum = mix(checksum, items[i]);
    return checksum;
}

u32 k_sort(u32 size, u32 repetitions)
{
    u32 state = SEED, checksum = 0;
    while (repetitions--) {
        fill(size, state);
        quick_sort(0, (s32)size - 1);
        checksum = sum(checksum, size);
        next_random(&state);
        fill(size, state);
        heap_sort(size);
        checksum = sum(checksum, size);
    }
    return checksum;
}
