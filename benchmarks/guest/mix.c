/* What programs do, in one loop: sort, hash, strings, a matrix product and linked lists, without any library.
   Four pages of data, so nothing misses once it is warm: what is measured is the cost of exactness on ordinary code. */

typedef unsigned int u32;
typedef unsigned char u8;

#define ITEMS 1024
#define BUCKETS 256
#define SIDE 20
#define TEXT 2048

struct node {
    struct node *next;
    u32 key, value;
};

static u32 items[ITEMS];
static struct node nodes[ITEMS];
static struct node *buckets[BUCKETS];
static short left[SIDE][SIDE], right[SIDE][SIDE];
static int product[SIDE][SIDE];
static char text[TEXT], word[32];

static u32 next_random(u32 *state)
{
    u32 x = *state;
    x ^= x << 13;
    x ^= x >> 17;
    x ^= x << 5;
    return *state = x;
}

static void __attribute__((noinline)) sort(u32 *a, int low, int high)
{
    while (low < high) {
        u32 pivot = a[(low + high) / 2];
        int i = low, j = high;
        while (i <= j) {
            while (a[i] < pivot)
                i++;
            while (a[j] > pivot)
                j--;
            if (i <= j) {
                u32 t = a[i];
                a[i++] = a[j];
                a[j--] = t;
            }
        }
        sort(a, low, j);
        low = i;
    }
}

static u32 __attribute__((noinline)) hash_all(u32 seed)
{
    u32 found = 0;
    for (int i = 0; i < BUCKETS; i++)
        buckets[i] = 0;
    for (int i = 0; i < ITEMS; i++) {
        struct node *n = &nodes[i];
        struct node **bucket = &buckets[(items[i] * 2654435761u) >> 24];
        n->key = items[i];
        n->value = i ^ seed;
        n->next = *bucket;
        *bucket = n;
    }
    for (int i = 0; i < ITEMS; i += 3)
        for (struct node *n = buckets[(items[i] * 2654435761u) >> 24]; n; n = n->next)
            if (n->key == items[i]) {
                found += n->value;
                break;
            }
    return found;
}

static u32 __attribute__((noinline)) reverse_lists(void)
{
    u32 longest = 0;
    for (int i = 0; i < BUCKETS; i++) {
        struct node *reversed = 0, *n = buckets[i];
        u32 length = 0;
        while (n) {
            struct node *next = n->next;
            n->next = reversed;
            reversed = n;
            n = next;
            length++;
        }
        buckets[i] = reversed;
        if (length > longest)
            longest = length;
    }
    return longest;
}

static u32 __attribute__((noinline)) multiply(u32 seed)
{
    u32 trace = 0;
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            left[i][j] = (short)(seed + i * j);
            right[i][j] = (short)(seed - i + j);
        }
    for (int i = 0; i < SIDE; i++)
        for (int j = 0; j < SIDE; j++) {
            int sum = 0;
            for (int k = 0; k < SIDE; k++)
                sum += left[i][k] * right[k][j];
            product[i][j] = sum;
        }
    for (int i = 0; i < SIDE; i++)
        trace += (u32)product[i][i];
    return trace;
}

static u32 __attribute__((noinline)) count_words(u32 seed)
{
    u32 words = 0, checksum = 0;
    for (int i = 0; i < TEXT - 1; i++)
        text[i] = (i * 7 + seed) % 11 ? (char)('a' + (i + seed) % 26) : ' ';
    text[TEXT - 1] = 0;
    for (const char *p = text; *p;) {
        int length = 0;
        while (*p == ' ')
            p++;
        while (*p && *p != ' ' && length < 31)
            word[length++] = *p++;
        word[length] = 0;
        for (const u8 *w = (const u8 *)word; *w; w++)
            checksum = checksum * 31 + *w;
        words++;
    }
    return words ^ checksum;
}

u32 k_mix(u32 n)
{
    u32 state = 0x12345678u, checksum = 0;
    while (n--) {
        for (int i = 0; i < ITEMS; i++)
            items[i] = next_random(&state);
        sort(items, 0, ITEMS - 1);
        checksum = checksum * 3 + items[n % ITEMS];
        checksum ^= hash_all(n);
        checksum += reverse_lists();
        checksum ^= multiply(n);
        checksum += count_words(n);
    }
    return checksum;
}
