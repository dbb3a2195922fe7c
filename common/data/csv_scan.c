#include "common/data/csv_scan.h"

#include <string.h>

#include "common/core/targets.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

enum { BLOCK = 64 };

/** Bits of the 64 bytes at s that equal c. */
static inline uint64_t equal_bits(const char *s, char c)
{
#ifdef __SSE2__
    const __m128i wanted = _mm_set1_epi8(c);
    uint64_t bits = 0;
    for (int i = 0; i < 4; i++) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(s + 16 * i));
        bits |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, wanted)) << (16 * i);
    }
    return bits;
#else
    uint64_t bits = 0;
    for (int i = 0; i < BLOCK; i++) bits |= (uint64_t)(s[i] == c) << i;
    return bits;
#endif
}

static inline fw_csv_marks mark_block(const char *s, fw_csv_dialect dialect)
{
    return (fw_csv_marks){.ends = equal_bits(s, dialect.delimiter) | equal_bits(s, '\n'),
                          .quotes = dialect.quote != '\0' ? equal_bits(s, dialect.quote) : 0};
}

fw_csv_marks fw_csv_mark(const char *s, size_t len, fw_csv_dialect dialect)
{
    if (len >= BLOCK) return mark_block(s, dialect);
    char padded[BLOCK] = {0};                     /* NUL is neither delimiter nor quote */
    memcpy(padded, s, len);
    return mark_block(padded, dialect);
}

void fw_csv_scan_start(fw_csv_scan *scan, const char *s, size_t len, bool inside, fw_csv_dialect dialect)
{
    *scan = (fw_csv_scan){.s = s, .len = len, .base = (size_t)0 - BLOCK, .inside = inside ? ~UINT64_C(0) : 0, .dialect = dialect};
}

/** Bit i of the result: the number of ones in bits 0..i is odd. */
static inline uint64_t parity_up_to(uint64_t bits)
{
    for (int shift = 1; shift < 64; shift *= 2) bits ^= bits << shift;
    return bits;
}

bool fw_csv_scan_more(fw_csv_scan *scan)
{
    while (scan->base + BLOCK < scan->len) {
        scan->base += BLOCK;
        fw_csv_marks marks = fw_csv_mark(scan->s + scan->base, scan->len - scan->base, scan->dialect);
        uint64_t quoted = scan->inside;
        scan->quotes = marks.quotes;
        if (marks.quotes != 0) {
            quoted ^= parity_up_to(marks.quotes);
            scan->inside = (uint64_t)0 - (quoted >> 63);
            scan->seen |= marks.quotes;
        }
        scan->ends = marks.ends & ~quoted;
        if (scan->ends != 0) return true;
    }
    return false;
}

bool fw_csv_find_newline(size_t *at, const char *s, size_t len, bool *inside, fw_csv_dialect dialect)
{
    fw_csv_scan scan;
    fw_csv_scan_start(&scan, s, len, *inside, dialect);
    while (fw_csv_scan_next(at, &scan))
        if (s[*at] == '\n') return true;
    *inside = scan.inside != 0;
    return false;
}

/* How many of n bytes equal c, a block at a time. */
FW_TARGETS static uint64_t count_equal(const char *s, size_t n, char c)
{
    uint64_t all = 0;
    for (size_t i = 0; i < n; i += BLOCK) {
        unsigned char here = 0;
        for (size_t k = 0; k < BLOCK; k++) here = (unsigned char)(here + (s[i + k] == c));
        all += here;
    }
    return all;
}

void fw_csv_count(fw_csv_counts *counts, const char *s, size_t len, char quote)
{
    size_t i = len - len % BLOCK;
    counts->newlines += count_equal(s, i, '\n');
    if (quote != '\0') counts->quotes += count_equal(s, i, quote);
    for (; i < len; i++) {
        counts->newlines += s[i] == '\n';
        counts->quotes += quote != '\0' && s[i] == quote;
    }
}

/* n: a multiple of BLOCK. */
FW_TARGETS static bool blocks_ascii(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i += BLOCK) {
        unsigned char wrong = 0;                  /* c - 1 > 126 for NUL and for 128 and above */
        for (size_t k = 0; k < BLOCK; k++) wrong |= (unsigned char)((unsigned char)(s[i + k] - 1) > 126);
        if (wrong) return false;
    }
    return true;
}

bool fw_csv_all_ascii(const char *s, size_t len)
{
    size_t i = len - len % BLOCK;
    if (!blocks_ascii(s, i)) return false;
    for (; i < len; i++)
        if ((unsigned char)(s[i] - 1) > 126) return false;
    return true;
}
