/* The part of a C library that GCC's execute tests call, on two system calls: exit and write.

   Files live in memory: stdout and stderr go to the console, every other stream is the one temporary file. */

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SYS_EXIT 1
#define SYS_WRITE 4
#define STATUS_OF_ABORT 134 /* what a shell shows for SIGABRT */
#define HEAP_BYTES (1 << 20)
#define FILE_BYTES 4096

long system_call(long number, long a, long b, long c);
int main(int argc, char **argv);

/* --- start and end ------------------------------------------------------------------------------------------------ */

void exit(int status)
{
    system_call(SYS_EXIT, status & 0xff, 0, 0);
    __builtin_unreachable();
}

void _exit(int status) { exit(status); }

void abort(void) { exit(STATUS_OF_ABORT); }

void start_c(int argc, char **argv)
{
    extern void (*init_array_start[])(void), (*init_array_end[])(void);
    for (void (**function)(void) = init_array_start; function < init_array_end; function++)
        (*function)();
    exit(main(argc, argv));
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    char *t = to;
    const char *f = from;
    for (; n >= 4; n -= 4, t += 4, f += 4)
        *(uint32_t *)t = *(const uint32_t *)f; /* misaligned operands are legal on ColdFire */
    while (n--)
        *t++ = *f++;
    return to;
}

void *mempcpy(void *restrict to, const void *restrict from, size_t n) { return (char *)memcpy(to, from, n) + n; }

void *memmove(void *to, const void *from, size_t n)
{
    char *t = to;
    const char *f = from;
    if (t <= f)
        while (n--)
            *t++ = *f++;
    else
        while (n--)
            t[n] = f[n];
    return to;
}

void *memset(void *to, int c, size_t n)
{
    char *t = to;
    for (uint32_t four = (c & 0xff) * 0x01010101u; n >= 4; n -= 4, t += 4)
        *(uint32_t *)t = four;
    while (n--)
        *t++ = c;
    return to;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;
    for (; n; n--, x++, y++)
        if (*x != *y)
            return *x - *y;
    return 0;
}

void *memchr(const void *s, int c, size_t n)
{
    for (const unsigned char *p = s; n; n--, p++)
        if (*p == (unsigned char)c)
            return (void *)p;
    return NULL;
}

/* Each block stands behind its size; nothing is ever reused. */
void *malloc(size_t n)
{
    static _Alignas(16) char heap[HEAP_BYTES];
    static size_t used;
    size_t whole = (n + 15 & ~(size_t)15) + 16;
    if (n > HEAP_BYTES || used + whole > HEAP_BYTES)
        return NULL;
    char *block = heap + used;
    used += whole;
    *(size_t *)block = n;
    return block + 16;
}

void free(void *block) { (void)block; }

void *calloc(size_t n, size_t size)
{
    void *block = malloc(n * size);
    return block ? memset(block, 0, n * size) : NULL;
}

void *realloc(void *old, size_t n)
{
    void *block = malloc(n);
    if (block && old) {
        size_t before = *(size_t *)((char *)old - 16);
        memcpy(block, old, before < n ? before : n);
    }
    return block;
}

void *mmap(void *address, size_t n, int protection, int flags, int fd, long offset)
{
    (void)address, (void)n, (void)protection, (void)flags, (void)fd, (void)offset;
    return (void *)-1; /* MAP_FAILED: the program lives in one fixed area */
}

int open(const char *path, int flags, ...)
{
    (void)path, (void)flags;
    return -1;
}

/* --- strings ------------------------------------------------------------------------------------------------------ */

size_t strlen(const char *s)
{
    size_t n = 0;
    while (s[n])
        n++;
    return n;
}

size_t strnlen(const char *s, size_t most)
{
    size_t n = 0;
    while (n < most && s[n])
        n++;
    return n;
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n; n--, a++, b++)
        if (*a != *b || !*a)
            return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

int strcmp(const char *a, const char *b) { return strncmp(a, b, (size_t)-1); }

char *stpcpy(char *restrict to, const char *restrict from) { return mempcpy(to, from, strlen(from) + 1) - 1; }

char *strcpy(char *restrict to, const char *restrict from)
{
    stpcpy(to, from);
    return to;
}

char *strncpy(char *restrict to, const char *restrict from, size_t n)
{
    size_t length = strnlen(from, n);
    memset(mempcpy(to, from, length), 0, n - length);
    return to;
}

char *strcat(char *restrict to, const char *restrict from)
{
    stpcpy(to + strlen(to), from);
    return to;
}

char *strncat(char *restrict to, const char *restrict from, size_t n)
{
    char *end = mempcpy(to + strlen(to), from, strnlen(from, n));
    *end = 0;
    return to;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

char *strrchr(const char *s, int c)
{
    char *found = NULL;
    for (;; s++) {
        if (*s == (char)c)
            found = (char *)s;
        if (!*s)
            return found;
    }
}

char *strstr(const char *s, const char *part)
{
    size_t n = strlen(part);
    for (;; s++) {
        if (!strncmp(s, part, n))
            return (char *)s;
        if (!*s)
            return NULL;
    }
}

int isprint(int c) { return c >= ' ' && c <= '~'; }
int abs(int x) { return x < 0 ? -x : x; }

void qsort(void *base, size_t n, size_t size, int (*compare)(const void *, const void *))
{
    char *a = base;
    for (size_t i = 1; i < n; i++)
        for (char *p = a + i * size; p > a && compare(p - size, p) > 0; p -= size)
            for (size_t k = 0; k < size; k++) {
                char swapped = p[k];
                p[k] = p[k - size];
                p[k - size] = swapped;
            }
}

/* --- arithmetic --------------------------------------------------------------------------------------------------- */

double sqrt(double x)
{
    double root;
    __asm__("fsqrt.d %1, %0" : "=f"(root) : "m"(x));
    return root;
}

double floor(double x)
{
    double whole = __builtin_trunc(x);
    return whole > x ? whole - 1 : whole;
}

double trunc(double x)
{
    double whole;
    __asm__("fintrz.d %1, %0" : "=f"(whole) : "m"(x));
    return whole;
}

#define LN2 0.69314718055994530942

/* Of x > 0: x = m * 2**n with m near 1, and the series of 2 * artanh((m - 1) / (m + 1)). */
static double natural_log(double x)
{
    int n = 0;
    for (; x > 1.5; n++)
        x /= 2;
    for (; x < 0.75; n--)
        x *= 2;
    double z = (x - 1) / (x + 1), power = z, sum = 0;
    for (int k = 1; k < 40; k += 2, power *= z * z)
        sum += power / k;
    return 2 * sum + n * LN2;
}

static double whole_power(double x, int n)
{
    double power = 1;
    for (int left = abs(n); left; left--)
        power *= x;
    return n < 0 ? 1 / power : power;
}

static double exponential(double x)
{
    int n = floor(x / LN2 + 0.5);
    double rest = x - n * LN2, term = 1, sum = 0;
    for (int k = 1; k < 20; term *= rest / k++)
        sum += term;
    return sum * whole_power(2, n);
}

double pow(double x, double y) { return y == floor(y) ? whole_power(x, y) : exponential(y * natural_log(x)); }

double fmax(double x, double y) { return x != x || x < y ? y : x; }
float fmaxf(float x, float y) { return x != x || x < y ? y : x; }
long double fmaxl(long double x, long double y) { return fmax(x, y); }

int ilogb(double x)
{
    union {
        double value;
        uint32_t half[2];
    } bits = {x};
    int exponent = (int)(bits.half[0] >> 20 & 0x7ff) - 1023;
    return x == 0 || x != x ? -2147483647 - 1 : exponent == 1024 ? 2147483647 : exponent;
}

int ilogbf(float x) { return ilogb(x); }
int ilogbl(long double x) { return ilogb(x); }

/* --- streams ------------------------------------------------------------------------------------------------------ */

static struct {
    char text[FILE_BYTES];
    size_t end, at;
} file; /* the temporary file */
static char console, reopened, handle; /* only their addresses mean something */
FILE *stdin = (FILE *)&handle, *stdout = (FILE *)&console, *stderr = (FILE *)&console;

static void put(FILE *stream, const char *text, size_t n)
{
    if (stream == (FILE *)&console && !(stream == stdout && reopened)) {
        system_call(SYS_WRITE, 1, (long)text, n);
        return;
    }
    size_t room = FILE_BYTES - file.end;
    memcpy(file.text + file.end, text, n < room ? n : room);
    file.end += n < room ? n : room;
}

FILE *fopen(const char *restrict path, const char *restrict mode)
{
    (void)path;
    file.at = 0;
    if (*mode == 'w')
        file.end = 0;
    return (FILE *)&handle;
}

FILE *freopen(const char *restrict path, const char *restrict mode, FILE *restrict stream)
{
    if (stream == stdout)
        reopened = 1;
    fopen(path, mode);
    return stream;
}

int fclose(FILE *stream)
{
    (void)stream;
    return 0;
}

int fflush(FILE *stream)
{
    (void)stream;
    return 0;
}

char *tmpnam(char name[L_tmpnam]) { return name ? strcpy(name, "/tmp/torture") : (char *)"/tmp/torture"; }

int remove(const char *path)
{
    (void)path;
    return 0;
}

size_t fwrite(const void *restrict data, size_t size, size_t n, FILE *restrict stream)
{
    put(stream, data, size * n);
    return n;
}

int fputs(const char *restrict text, FILE *restrict stream)
{
    put(stream, text, strlen(text));
    return 1;
}

int fputc(int c, FILE *stream)
{
    char one = c;
    put(stream, &one, 1);
    return (unsigned char)one;
}

int putc(int c, FILE *stream) { return fputc(c, stream); }
int putchar(int c) { return fputc(c, stdout); }

int puts(const char *text)
{
    fputs(text, stdout);
    putchar('\n');
    return strlen(text) + 1;
}

void perror(const char *text)
{
    fputs(text, stderr);
    fputc('\n', stderr);
}

/* Only what the tests read: one word. */
int __isoc99_fscanf(FILE *restrict stream, const char *restrict format, ...)
{
    (void)stream, (void)format;
    va_list arguments;
    va_start(arguments, format);
    char *to = va_arg(arguments, char *);
    va_end(arguments);
    size_t n = 0;
    while (file.at < file.end && file.text[file.at] > ' ')
        to[n++] = file.text[file.at++];
    to[n] = 0;
    return n ? 1 : -1;
}

/* --- formatted output --------------------------------------------------------------------------------------------- */

struct sink {
    FILE *stream; /* or a buffer of so many bytes, the closing 0 included */
    char *to;
    size_t room;
    int count;
};

static void emit(struct sink *sink, const char *text, size_t n)
{
    sink->count += n;
    if (sink->stream) {
        put(sink->stream, text, n);
        return;
    }
    for (; n && sink->room > 1; n--, sink->room--)
        *sink->to++ = *text++;
}

static void repeat(struct sink *sink, char c, int n)
{
    while (n-- > 0)
        emit(sink, &c, 1);
}

struct conversion {
    int left, zero, alternate, width, precision, size; /* size: 0 int, 1 long, 2 long long, -1 short, -2 char */
    char sign;
};

/* `text` with its sign or prefix, filled up to the width. */
static void pad(struct sink *sink, const struct conversion *c, const char *prefix, const char *text, int n, int zeros)
{
    int fill = c->width - n - zeros - (int)strlen(prefix);
    int with_zeros = c->zero && !c->left;
    repeat(sink, ' ', c->left || with_zeros ? 0 : fill);
    emit(sink, prefix, strlen(prefix));
    repeat(sink, '0', zeros + (with_zeros && fill > 0 ? fill : 0));
    emit(sink, text, n);
    repeat(sink, ' ', c->left ? fill : 0);
}

static int digits(char *end, unsigned long long value, unsigned base, const char *names)
{
    int n = 0;
    for (; value; value /= base)
        *--end = names[value % base], n++;
    return n;
}

static void format_integer(struct sink *sink, struct conversion *c, char kind, unsigned long long value)
{
    const char *prefix = "";
    char sign[2] = {c->sign, 0}, text[24];
    if (kind == 'd') {
        if ((long long)value < 0) {
            *sign = '-';
            value = -value;
        }
        prefix = sign;
    }
    const char *names = kind == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    if ((c->alternate && value && (kind | 32) == 'x') || kind == 'p')
        prefix = kind == 'X' ? "0X" : "0x";
    int n = digits(text + sizeof text, value, kind == 'o' ? 8 : kind == 'd' || kind == 'u' ? 10 : 16, names);
    int least = c->precision < 0 ? 1 : c->precision;
    if (c->alternate && kind == 'o' && least <= n)
        least = n + 1;
    if (c->precision >= 0)
        c->zero = 0;
    pad(sink, c, prefix, text + sizeof text - n, n, least > n ? least - n : 0);
}

/* %f of what fits into 64 bits, %g without an exponent; %e is shown like %f. */
static void format_double(struct sink *sink, struct conversion *c, char kind, double value)
{
    char sign[2] = {c->sign, 0}, text[48], *end = text + sizeof text;
    if (value < 0 || (value == 0 && 1 / value < 0)) {
        *sign = '-';
        value = -value;
    }
    if (value != value || value > 1e18) {
        c->zero = 0;
        pad(sink, c, sign, value != value ? "nan" : "inf", 3, 0);
        return;
    }
    int precision = c->precision < 0 ? 6 : c->precision > 15 ? 15 : c->precision;
    double scale = pow(10, precision);
    unsigned long long whole = value, part = (value - whole) * scale + 0.5;
    if (part >= scale) {
        whole++;
        part = 0;
    }
    int n = digits(end, part, 10, "0123456789");
    for (; n < precision; n++)
        end[-n - 1] = '0';
    if ((kind | 32) == 'g') /* no zeros at the end, no lonely point */
        while (precision && end[-1] == '0')
            end--, n--, precision--;
    if (precision)
        end[-++n] = '.';
    int before = digits(end - n, whole, 10, "0123456789");
    if (!before)
        end[-n - ++before] = '0';
    pad(sink, c, sign, end - n - before, n + before, 0);
}

static int parse_flags(const char **format, struct conversion *c)
{
    switch (**format) {
    case '-': c->left = 1; break;
    case '0': c->zero = 1; break;
    case '#': c->alternate = 1; break;
    case '+': c->sign = '+'; break;
    case ' ': c->sign = c->sign ? c->sign : ' '; break;
    default: return 0;
    }
    ++*format;
    return 1;
}

/* A number, or * for an argument. */
static int parse_number(const char **format, va_list *arguments)
{
    int value = 0;
    if (**format == '*') {
        ++*format;
        return va_arg(*arguments, int);
    }
    for (; **format >= '0' && **format <= '9'; ++*format)
        value = 10 * value + **format - '0';
    return value;
}

static void parse_size(const char **format, struct conversion *c)
{
    for (;; ++*format)
        switch (**format) {
        case 'l': c->size++; break;
        case 'h': c->size--; break;
        case 'j': c->size = 2; break;
        case 'z': case 't': c->size = 1; break;
        case 'L': break;
        default: return;
        }
}

static unsigned long long integer_argument(const struct conversion *c, int is_signed, va_list *arguments)
{
    if (c->size >= 2)
        return va_arg(*arguments, unsigned long long);
    int value = va_arg(*arguments, int);
    if (c->size == -1)
        value = is_signed ? (short)value : (unsigned short)value;
    if (c->size <= -2)
        value = is_signed ? (signed char)value : (unsigned char)value;
    return is_signed ? (unsigned long long)value : (unsigned)value;
}

static void convert(struct sink *sink, const char **format, va_list *arguments)
{
    struct conversion c = {.precision = -1};
    while (parse_flags(format, &c))
        ;
    c.width = parse_number(format, arguments);
    if (c.width < 0) {
        c.left = 1;
        c.width = -c.width;
    }
    if (**format == '.') {
        ++*format;
        c.precision = parse_number(format, arguments);
    }
    parse_size(format, &c);
    char kind = *(*format)++, one;
    const char *text;
    switch (kind) {
    case 'd': case 'i':
        format_integer(sink, &c, 'd', integer_argument(&c, 1, arguments));
        break;
    case 'u': case 'o': case 'x': case 'X': case 'p':
        format_integer(sink, &c, kind, integer_argument(&c, 0, arguments));
        break;
    case 'f': case 'F': case 'e': case 'E': case 'g': case 'G':
        format_double(sink, &c, kind, va_arg(*arguments, double));
        break;
    case 'c':
        one = va_arg(*arguments, int);
        pad(sink, &c, "", &one, 1, 0);
        break;
    case 's':
        text = va_arg(*arguments, const char *);
        text = text ? text : "(null)";
        pad(sink, &c, "", text, strnlen(text, c.precision < 0 ? (size_t)-1 : (size_t)c.precision), 0);
        break;
    case 'n':
        *va_arg(*arguments, int *) = sink->count;
        break;
    default:
        emit(sink, &kind, 1);
    }
}

static int print(struct sink *sink, const char *format, va_list arguments)
{
    va_list rest;
    va_copy(rest, arguments);
    while (*format) {
        size_t n = 0;
        while (format[n] && format[n] != '%')
            n++;
        emit(sink, format, n);
        format += n;
        if (*format && *++format)
            convert(sink, &format, &rest);
    }
    va_end(rest);
    if (!sink->stream && sink->room)
        *sink->to = 0;
    return sink->count;
}

int vfprintf(FILE *restrict stream, const char *restrict format, va_list arguments)
{
    struct sink sink = {.stream = stream};
    return print(&sink, format, arguments);
}

int vsnprintf(char *restrict to, size_t room, const char *restrict format, va_list arguments)
{
    struct sink sink = {.to = to, .room = room};
    return print(&sink, format, arguments);
}

int vsprintf(char *restrict to, const char *restrict format, va_list arguments)
{
    return vsnprintf(to, (size_t)-1 >> 1, format, arguments);
}

int vprintf(const char *restrict format, va_list arguments) { return vfprintf(stdout, format, arguments); }

#define FORMATTED(call)                                                                                                \
    va_list arguments;                                                                                                 \
    va_start(arguments, format);                                                                                       \
    int count = call;                                                                                                  \
    va_end(arguments);                                                                                                 \
    return count

int printf(const char *restrict format, ...) { FORMATTED(vprintf(format, arguments)); }
int fprintf(FILE *restrict stream, const char *restrict format, ...) { FORMATTED(vfprintf(stream, format, arguments)); }
int sprintf(char *restrict to, const char *restrict format, ...) { FORMATTED(vsprintf(to, format, arguments)); }

int snprintf(char *restrict to, size_t room, const char *restrict format, ...)
{
    FORMATTED(vsnprintf(to, room, format, arguments));
}

/* --- the rest ----------------------------------------------------------------------------------------------------- */

void (*signal(int number, void (*handler)(int)))(int)
{
    (void)number, (void)handler;
    return NULL;
}

void __assert_fail(const char *what, const char *where, unsigned line, const char *function)
{
    fprintf(stderr, "%s:%u: %s: %s\n", where, line, function, what);
    abort();
}
