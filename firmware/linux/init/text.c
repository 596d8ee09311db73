/* Strings and formatted output. */
#include <stdarg.h>

#include "linux.h"

/* GCC may call these by itself, whatever is said about builtins. */
void *memset(void *to, int value, u32 size)
{
    u8 *p = to;
    while (size--)
        *p++ = value;
    return to;
}

void *memcpy(void *to, const void *from, u32 size)
{
    u8 *p = to;
    const u8 *q = from;
    while (size--)
        *p++ = *q++;
    return to;
}

const char *error_text(int error)
{
    static const struct {
        int number;
        const char *text;
    } known[] = {
        {2, "no such file or directory"}, {8, "not an executable"}, {11, "no more processes"}, {12, "out of memory"},
        {13, "permission denied"}, {20, "not a directory"}, {21, "is a directory"}, {22, "invalid argument"},
    };
    for (u32 i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].number == -error)
            return known[i].text;
    return "failed";
}

u32 length(const char *text)
{
    u32 n = 0;
    while (text[n])
        n++;
    return n;
}

int same(const char *a, const char *b)
{
    while (*a && *a == *b)
        a++, b++;
    return *a == *b;
}

int parse_number(const char *text, u32 *value)
{
    u32 n = 0;
    if (!*text)
        return 0;
    for (; *text; text++) {
        if (*text < '0' || *text > '9' || n > (0xFFFFFFFF - 9) / 10)
            return 0;
        n = 10 * n + *text - '0';
    }
    *value = n;
    return 1;
}

void fill(void *buffer, u8 value, u32 size) { memset(buffer, value, size); }

/* Digits of value, at least width of them. */
static char *number(char *end, u32 value, u32 base, u32 width, char pad)
{
    *--end = 0;
    char *stop = end - width;
    do {
        *--end = "0123456789abcdef"[value % base];
        value /= base;
    } while (value);
    while (end > stop)
        *--end = pad;
    return end;
}

void print(const char *format, ...)
{
    static char line[256];
    char digits[40];
    u32 used = 0;
    va_list arguments;
    va_start(arguments, format);
    for (; *format; format++) {
        char one[2] = {*format, 0};
        const char *piece = one;
        if (*format == '%') {
            u32 width = 0;
            char pad = *++format == '0' ? '0' : ' ';
            for (; *format >= '0' && *format <= '9'; format++)
                width = 10 * width + *format - '0';
            if (*format == 's')
                piece = va_arg(arguments, const char *);
            else if (*format == 'c')
                one[0] = va_arg(arguments, int);
            else if (*format == 'd') {
                int value = va_arg(arguments, int);
                char *text = number(digits + sizeof digits, value < 0 ? -(u32)value : (u32)value, 10, width, pad);
                if (value < 0)
                    *--text = '-';
                piece = text;
            } else if (*format == 'u')
                piece = number(digits + sizeof digits, va_arg(arguments, u32), 10, width, pad);
            else if (*format == 'x')
                piece = number(digits + sizeof digits, va_arg(arguments, u32), 16, width, pad);
        }
        for (; *piece; piece++) {
            if (used == sizeof line) {
                sys_write(STDOUT, line, used);
                used = 0;
            }
            line[used++] = *piece;
        }
    }
    va_end(arguments);
    sys_write(STDOUT, line, used);
}
