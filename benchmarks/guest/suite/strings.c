/* String work: a text is made of words, copied, searched, cut into tokens, and each token looked up in a list. */
#include "suite.h"

#define MOST 32768

static const char *const words[] = {
    "kernel", "page", "frame", "heap", "translation", "miss", "entry", "table", "process", "capability", "space", "bank",
    "device", "interrupt", "the", "of", "and", "a", "lookaside", "buffer", "stack", "exception", "is", "to",
};
static char text[MOST], copied[MOST];

static u32 __attribute__((noinline)) length(const char *s)
{
    const char *end = s;
    while (*end)
        end++;
    return (u32)(end - s);
}

static char *__attribute__((noinline)) copy(char *to, const char *from)
{
    while ((*to = *from++))
        to++;
    return to;
}

static s32 __attribute__((noinline)) compare(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return (u8)*a - (u8)*b;
}

static const char *__attribute__((noinline)) find(const char *s, const char *wanted)
{
    for (; *s; s++) {
        const char *a = s, *b = wanted;
        while (*b && *a == *b)
            a++, b++;
        if (!*b)
            return s;
    }
    return 0;
}

/* the next token of *rest, ended by a zero in place; 0 = no more */
static char *__attribute__((noinline)) token(char **rest)
{
    char *start = *rest;
    while (*start == ' ' || *start == '\n')
        start++;
    if (!*start)
        return 0;
    char *end = start;
    while (*end && *end != ' ' && *end != '\n')
        end++;
    if (*end)
        *end++ = 0;
    *rest = end;
    return start;
}

static void write_text(u32 size, u32 *state)
{
    char *end = text;
    for (;;) {
        const char *word = words[(next_random(state) >> 8) % LENGTH(words)];
        if ((u32)(end - text) + length(word) + 2 > size)
            break;
        end = copy(end, word);
        *end++ = next_random(state) >> 29 ? ' ' : '\n';
    }
    *end = 0;
}

/* size: bytes of the text */
u32 k_strings(u32 size, u32 repetitions)
{
    u32 state = SEED, checksum = 0;
    while (repetitions--) {
        write_text(size, &state);
        copy(copied, text);
        checksum = mix(checksum, length(copied));
        for (u32 i = 0; i < LENGTH(words); i += 5)
            for (const char *s = text; (s = find(s, words[i])); s++)
                checksum = mix(checksum, (u32)(s - text));
        char *rest = copied;
        for (const char *t; (t = token(&rest));)
            for (u32 i = 0; i < LENGTH(words); i++)
                if (!compare(t, words[i])) {
                    checksum = mix(checksum, i);
                    break;
                }
    }
    return checksum;
}
