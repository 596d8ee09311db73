/* Small kernels, each with one dominant kind of access. Every function takes the number of repetitions and returns a
   checksum, so that nothing is optimised away and two emulators can be compared. */

typedef unsigned int u32;

#define PAGE 8192u
#define LONGS (PAGE / sizeof(u32))

static u32 source[LONGS] __attribute__((aligned(PAGE)));
static u32 target[LONGS] __attribute__((aligned(PAGE)));
static u32 chain[64][LONGS] __attribute__((aligned(PAGE)));

/* registers only */
u32 k_alu(u32 n)
{
    u32 a = 1, b = 0x9e3779b9u;
    while (n--) {
        a ^= a << 13;
        a ^= a >> 17;
        a ^= a << 5;
        b += a;
    }
    return a ^ b;
}

/* stack traffic */
static u32 __attribute__((noinline)) fibonacci(u32 n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

u32 k_calls(u32 n)
{
    u32 sum = 0;
    while (n--)
        sum += fibonacci(16);
    return sum;
}

/* a page transition at every load: the worst case for exact hit recency when the pages fit the TLB (16 of them),
   a miss at every load when they do not (64) */
static u32 chase(u32 pages, u32 n)
{
    u32 *p = chain[0];
    for (u32 i = 0; i < pages; i++)
        chain[i][0] = (u32)chain[(i + 1) % pages];
    while (n--) {
        p = *(u32 *volatile *)p;
        p = *(u32 *volatile *)p;
        p = *(u32 *volatile *)p;
        p = *(u32 *volatile *)p;
    }
    return (u32)p;
}

u32 k_chase16(u32 n) { return chase(16, n); }
u32 k_chase64(u32 n) { return chase(64, n); }

/* one page read and one written in turn */
u32 k_copy(u32 n)
{
    while (n--) {
        source[n % LONGS] = n;
        for (u32 i = 0; i < LONGS; i += 4) {
            target[i] = source[i];
            target[i + 1] = source[i + 1];
            target[i + 2] = source[i + 2];
            target[i + 3] = source[i + 3];
        }
    }
    return target[1];
}

u32 k_fill(u32 n)
{
    while (n--)
        for (u32 i = 0; i < LONGS; i += 4) {
            target[i] = n;
            target[i + 1] = n;
            target[i + 2] = n;
            target[i + 3] = n;
        }
    return target[7];
}
