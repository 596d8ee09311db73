/* A linked list: built in order, shuffled, walked, reversed, and taken apart into two. */
#include "suite.h"

struct node {
    struct node *next;
    u32 value, visits;
};

static struct node nodes[65536];
static u16 order[LENGTH(nodes)];

static struct node *__attribute__((noinline)) build(u32 size, u32 *state)
{
    for (u32 i = 0; i < size; i++) {
        order[i] = (u16)i;
        nodes[i].value = next_random(state);
        nodes[i].visits = 0;
    }
    for (u32 i = size; i-- > 1;) { /* Fisher and Yates */
        u32 j = (next_random(state) >> 8) % (i + 1);
        u16 other = order[i];
        order[i] = order[j];
        order[j] = other;
    }
    for (u32 i = 0; i + 1 < size; i++)
        nodes[order[i]].next = &nodes[order[i + 1]];
    nodes[order[size - 1]].next = 0;
    return &nodes[order[0]];
}

static u32 __attribute__((noinline)) walk(struct node *node)
{
    u32 sum = 0;
    for (; node; node = node->next) {
        node->visits++;
        sum = mix(sum, node->value);
    }
    return sum;
}

static struct node *__attribute__((noinline)) reverse(struct node *node)
{
    struct node *reversed = 0;
    while (node) {
        struct node *next = node->next;
        node->next = reversed;
        reversed = node;
        node = next;
    }
    return reversed;
}

/* those with an odd value, removed from the list */
static struct node *__attribute__((noinline)) take_odd(struct node **link)
{
    struct node *taken = 0;
    while (*link) {
        struct node *node = *link;
        if (node->value & 1) {
            *link = node->next;
            node->next = taken;
            taken = node;
        } else
            link = &node->next;
    }
    return taken;
}

u32 k_list(u32 size, u32 repetitions)
{
    u32 state = SEED, checksum = 0;
    while (repetitions--) {
        struct node *list = build(size, &state);
        for (u32 i = 0; i < 8; i++) {
            checksum = mix(checksum, walk(list));
            list = reverse(list);
        }
        struct node *odd = take_odd(&list);
        checksum = mix(checksum, walk(odd));
        checksum = mix(checksum, walk(list));
        checksum = mix(checksum, nodes[order[0]].visits);
    }
    return checksum;
}
