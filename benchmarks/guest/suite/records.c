/* A mix of records, procedure calls and string compares, in the proportions that system programs were found to have
   and Dhrystone was made of: assignments, short procedures with parameters of all kinds, and few loops. */
#include "suite.h"

#define NAME 31

enum kind { EMPTY, PERSON, PLACE, EVENT, KINDS };

struct record {
    struct record *next;
    enum kind kind;
    s32 number;
    union {
        struct {
            s32 age, weight;
        } person;
        struct {
            s16 x, y;
            enum kind nearest;
        } place;
        u8 event[8];
    } of;
    char name[NAME];
};

static struct record records[2048];
static s32 totals[KINDS][16];
static char last_name[NAME];
static s32 calls;

static void __attribute__((noinline)) set_name(char *name, u32 number)
{
    static const char prefix[] = "RECORD OF A PROGRAM, NO. ";
    u32 i = 0;
    for (; prefix[i]; i++)
        name[i] = prefix[i];
    for (u32 digit = 10000; digit && i < NAME - 1; digit /= 10)
        name[i++] = (char)('0' + number / digit % 10);
    name[i] = 0;
}

static s32 __attribute__((noinline)) compare_names(const char *a, const char *b)
{
    for (u32 i = 0; i < NAME; i++)
        if (a[i] != b[i])
            return a[i] < b[i] ? -1 : 1;
    return 0;
}

static enum kind __attribute__((noinline)) following(enum kind kind)
{
    switch (kind) {
    case EMPTY:
        return PERSON;
    case PERSON:
        return calls & 1 ? EVENT : PLACE;
    case PLACE:
        return EVENT;
    default:
        return EMPTY;
    }
}

static void __attribute__((noinline)) add_to_total(enum kind kind, s32 index, s32 amount)
{
    totals[kind][index & 15] = (s32)((u32)totals[kind][index & 15] + (u32)amount);
    calls++;
}

static void __attribute__((noinline)) update(struct record *record, s32 *result)
{
    switch (record->kind) {
    case PERSON:
        record->of.person.age = *result % 97;
        record->of.person.weight = record->of.person.age * 3 / 2 + 7;
        *result += record->of.person.weight;
        break;
    case PLACE:
        record->of.place.x = (s16)(*result & 0x3FF);
        record->of.place.y = (s16)(record->of.place.x - record->number);
        record->of.place.nearest = following(record->kind);
        *result += record->of.place.y;
        break;
    case EVENT:
        for (u32 i = 0; i < sizeof record->of.event; i++)
            record->of.event[i] = (u8)(*result >> i);
        *result -= record->of.event[3];
        break;
    default:
        *result ^= record->number;
    }
    *result &= 0xFFFF;
    add_to_total(record->kind, record->number, *result);
}

static void __attribute__((noinline)) exchange(struct record *a, struct record *b)
{
    struct record other = *a, *next = a->next;
    *a = *b;
    a->next = next;
    next = b->next;
    *b = other;
    b->next = next;
}

/* size: records in the ring */
u32 k_records(u32 size, u32 repetitions)
{
    s32 result = 1234;
    u32 checksum = 0;
    calls = 0;
    for (u32 i = 0; i < size; i++) {
        struct record *r = &records[i];
        r->next = &records[(i + 1) % size];
        r->kind = (enum kind)(i % KINDS);
        r->number = (s32)i;
        set_name(r->name, i * 7919 % 32768);
    }
    set_name(last_name, 0);
    struct record *r = records;
    while (repetitions--) {
        for (u32 i = 0; i < size; i++, r = r->next) {
            update(r, &result);
            r->kind = following(r->kind);
            if (compare_names(r->name, last_name) > 0)
                exchange(r, r->next);
            for (u32 j = 0; j < NAME; j++)
                last_name[j] = r->name[j];
            checksum = mix(checksum, (u32)result ^ (u8)r->name[NAME - 2]);
        }
    }
    for (u32 kind = 0; kind < KINDS; kind++)
        for (u32 i = 0; i < 16; i++)
            checksum = mix(checksum, (u32)totals[kind][i]);
    return mix(checksum, (u32)calls);
}
