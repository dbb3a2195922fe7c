/* Numbers as text: the part of common/core/text.h that reads and writes them. */
#include "common/core/text.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_NUMBER 1024      /* bytes; a longer text is not taken for a number */

static locale_t       c_locale;      /* guarded by c_locale_once */
static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

/* The decimal point is a point whatever the process's locale says. */
static locale_t plain_locale(void)
{
    pthread_once(&c_locale_once, make_c_locale);
    return c_locale;
}

typedef struct decimal {
    bool     negative, exact;      /* exact: digits holds all that was written */
    uint64_t digits;               /* value = digits * 10^exponent */
    int64_t  exponent;
} decimal;

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* One digit behind the others; leading zeros cost no room. */
static void take_digit(decimal *d, char c, bool behind_point)
{
    if (d->digits >= UINT64_C(1000000000000000000)) {
        d->exact = false;
        return;
    }
    d->digits = d->digits * 10 + (uint64_t)(c - '0');
    d->exponent -= behind_point;
}

/* "e+12" and the end of the text; the exponent saturates far beyond what a double can hold. */
static bool scan_exponent(decimal *d, const char *s, const char *end)
{
    if (s == end) return true;
    if (*s != 'e' && *s != 'E') return false;
    s++;
    bool negative = s < end && *s == '-';
    if (s < end && (*s == '-' || *s == '+')) s++;
    if (s == end) return false;
    int64_t e = 0;
    for (; s < end; s++) {
        if (!is_digit(*s)) return false;
        if (e < 100000) e = e * 10 + (*s - '0');
    }
    d->exponent += negative ? -e : e;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits], at least one digit before the exponent, nothing around it. */
static bool scan_decimal(decimal *d, const char *s, size_t len)
{
    const char *end = s + len;
    *d = (decimal){.exact = true};
    if (s < end && (*s == '-' || *s == '+')) d->negative = *s++ == '-';
    const char *first = s;
    for (; s < end && is_digit(*s); s++) take_digit(d, *s, false);
    size_t n = (size_t)(s - first);
    if (s < end && *s == '.') {
        first = ++s;
        for (; s < end && is_digit(*s); s++) take_digit(d, *s, true);
        n += (size_t)(s - first);
    }
    return n > 0 && scan_exponent(d, s, end);
}

/** Digits below 2^53 and a power of ten up to 10^22 are doubles without error, so one operation rounds once.
 *  Source: Clinger, "How to read floating point numbers accurately", PLDI 1990, sec. 3. */
static bool read_exactly(double *out, const decimal *d)
{
    static const double power[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    if (d->digits > UINT64_C(1) << 53 || d->exponent < -22 || d->exponent > 22) return false;
    double x = (double)d->digits;
    *out = d->exponent < 0 ? x / power[-d->exponent] : x * power[d->exponent];
    return true;
}

/** The same idea in x87 extended precision, for up to 19 digits: digits below 2^64 and 10^0..10^27 are exact there, the one
 *  operation errs by at most half a unit of 64 bits, and rounding on to 53 bits is right unless the eleven bits that fall
 *  away read exactly "half" (then the error could hide on which side the value lies). */
static bool read_extended(double *out, const decimal *d)
{
#if LDBL_MANT_DIG == 64
    static const long double power[] = {1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
                                        1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};
    if (d->exponent < -27 || d->exponent > 27) return false;
    long double x = (long double)d->digits;
    x = d->exponent < 0 ? x / power[-d->exponent] : x * power[d->exponent];
    uint64_t mantissa;
    memcpy(&mantissa, &x, sizeof mantissa);
    if ((mantissa & 0x7FF) == 0x400) return false;
    *out = (double)x;
    return true;
#else
    (void)out, (void)d;
    return false;
#endif
}

static bool read_slowly(double *out, const char *s, size_t len)
{
    char copy[LONGEST_NUMBER + 1];
    memcpy(copy, s, len);
    copy[len] = '\0';
    double x = strtod_l(copy, NULL, plain_locale());
    if (!isfinite(x)) return false;
    *out = x;
    return true;
}

bool fw_parse_double(double *out, const char *s, size_t len)
{
    decimal d;
    if (len > LONGEST_NUMBER || !scan_decimal(&d, s, len)) return false;
    double x;
    if (!d.exact || (!read_exactly(&x, &d) && !read_extended(&x, &d))) return read_slowly(out, s, len);
    *out = d.negative ? -x : x;
    return true;
}

bool fw_parse_uint64(uint64_t *out, const char *s, size_t len)
{
    if (len > 0 && *s == '+') s++, len--;
    if (len == 0) return false;
    uint64_t x = 0;
    for (size_t i = 0; i < len; i++)
        if (!is_digit(s[i]) || __builtin_mul_overflow(x, UINT64_C(10), &x) || __builtin_add_overflow(x, (uint64_t)(s[i] - '0'), &x)) return false;
    *out = x;
    return true;
}

bool fw_parse_int64(int64_t *out, const char *s, size_t len)
{
    bool     negative = len > 0 && *s == '-';
    uint64_t x;
    if (negative && len > 1 && s[1] == '+') return false;
    if (!fw_parse_uint64(&x, s + negative, len - negative)) return false;
    if (x > (uint64_t)INT64_MAX + negative) return false;
    *out = negative ? (int64_t)(0 - x) : (int64_t)x;
    return true;
}

/* Writes nan, inf and -inf; false for a finite number. */
static bool format_special(char out[static FW_NUMBER_TEXT], double v)
{
    if (isfinite(v)) return false;
    snprintf(out, FW_NUMBER_TEXT, "%s", isnan(v) ? "nan" : v < 0 ? "-inf" : "inf");
    return true;
}

/* Any decimal of 15 digits is told apart by a normal double (6 by a float), so fewer need not be tried; 17 (9) always do. */
void fw_format_double(char out[static FW_NUMBER_TEXT], double v)
{
    if (format_special(out, v)) return;
    locale_t before = uselocale(plain_locale());
    double   back;
    for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        int len = snprintf(out, FW_NUMBER_TEXT, "%.*g", digits, v);
        if (fw_parse_double(&back, out, (size_t)len) && back == v) break;
    }
    uselocale(before);
}

void fw_format_float(char out[static FW_NUMBER_TEXT], float v)
{
    if (format_special(out, (double)v)) return;
    locale_t before = uselocale(plain_locale());
    for (int digits = fabsf(v) < FLT_MIN ? 1 : 6; digits <= 9; digits++) {
        snprintf(out, FW_NUMBER_TEXT, "%.*g", digits, (double)v);
        if (strtof_l(out, NULL, c_locale) == v) break;
    }
    uselocale(before);
}
