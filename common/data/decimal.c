#include "common/data/decimal.h"

#include <string.h>

#include "common/core/size.h"
#include "common/core/targets.h"

enum { LANES = 8 };
typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));
typedef int64_t words __attribute__((vector_size(LANES * sizeof(int64_t))));
typedef uint32_t codes __attribute__((vector_size(LANES * sizeof(uint32_t))));
typedef int32_t halves __attribute__((vector_size(LANES * sizeof(int32_t))));

static const double power[16] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

#define DIGITS ((1u << FW_DECIMAL_DIGIT_BITS) - 1)

/* ---- from text ---- */

/* Digits and where the point stands among them, up to the exponent; false: too many digits. */
static bool read_digits(const char *s, size_t len, size_t *at, uint64_t *digits, int *decimals)
{
    bool point = false;
    for (; *at < len && s[*at] != 'e' && s[*at] != 'E'; ++*at) {
        if (s[*at] == '.') {
            point = true;
            continue;
        }
        if (*digits > DIGITS) return false;
        *digits = *digits * 10 + (uint64_t)(s[*at] - '0');
        *decimals += point;
    }
    return true;
}

static int read_exponent(const char *s, size_t len, size_t at)
{
    int e = 0;
    bool negative = false;
    for (at++; at < len; at++) {
        if (s[at] == '-') negative = true;
        else if (s[at] != '+' && e < 1000) e = e * 10 + (s[at] - '0');
    }
    return negative ? -e : e;
}

uint32_t fw_decimal_of(const char *s, size_t len, double x)
{
    uint64_t digits = 0;
    int decimals = 0;
    if (len == 0) return FW_DECIMAL_NONE;
    size_t at = s[0] == '-' || s[0] == '+';
    for (size_t i = 0; i < len; i++)
        if (s[i] == '\0' || strchr("0123456789+-.eE", s[i]) == NULL) return FW_DECIMAL_NONE;
    if (!read_digits(s, len, &at, &digits, &decimals)) return FW_DECIMAL_NONE;
    if (at < len) decimals -= read_exponent(s, len, at);
    for (; decimals < 0 && digits <= DIGITS; decimals++) digits *= 10;
    if (decimals < 0 || decimals > (int)FW_DECIMAL_MOST) return FW_DECIMAL_NONE;
    const uint32_t v = fw_decimal_make(digits, (unsigned)decimals, s[0] == '-');
    double again;
    if (v == FW_DECIMAL_NONE) return v;
    fw_decimals_read(&again, &v, 1);
    return memcmp(&again, &x, sizeof x) == 0 ? v : FW_DECIMAL_NONE;
}

/* ---- to doubles ---- */

/* n: a multiple of LANES. */
FW_TARGETS static void read_lanes(double *out, const uint32_t *in, size_t n)
{
    for (size_t i = 0; i < n; i += LANES) {
        codes v;
        words bits;
        lanes below;
        memcpy(&v, in + i, sizeof v);
        const words decimals = __builtin_convertvector(v >> FW_DECIMAL_DIGIT_BITS & 15, words);
#ifdef __clang__
        for (int k = 0; k < LANES; k++) below[k] = power[decimals[k]];
#else
        lanes low, high;
        memcpy(&low, power, sizeof low);
        memcpy(&high, power + LANES, sizeof high);
        below = __builtin_shuffle(low, high, decimals);
#endif
        const lanes x = __builtin_convertvector((halves)(v & DIGITS), lanes) / below;
        memcpy(&bits, &x, sizeof bits);
        bits |= __builtin_convertvector(v >> 31, words) << 63;
        memcpy(out + i, &bits, sizeof bits);
    }
}

void fw_decimals_read(double *out, const uint32_t *in, size_t n)
{
    const size_t together = n - n % LANES, rest = n - together;
    read_lanes(out, in, together);
    if (rest == 0) return;
    uint32_t last[LANES] = {0};
    double number[LANES];
    memcpy(last, in + together, rest * sizeof *last);
    read_lanes(number, last, LANES);
    memcpy(out + together, number, rest * sizeof *number);
}

/* n: a multiple of LANES. */
FW_TARGETS static bool all_lanes(const uint32_t *in, size_t n)
{
    halves none = {0};
    for (size_t i = 0; i < n; i += LANES) {
        codes v;
        memcpy(&v, in + i, sizeof v);
        none |= v == FW_DECIMAL_NONE;
    }
    int32_t any = 0;
    for (int k = 0; k < LANES; k++) any |= none[k];
    return any == 0;
}

bool fw_decimals_all(const uint32_t *v, size_t n)
{
    const size_t together = n - n % LANES;
    if (!all_lanes(v, together)) return false;
    for (size_t i = together; i < n; i++)
        if (v[i] == FW_DECIMAL_NONE) return false;
    return true;
}
