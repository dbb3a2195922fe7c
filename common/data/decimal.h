/** Short decimal numbers in 32 bits, as tables write them: half of a double's memory, and the same double again, bit for bit.
 *
 *      bit 31     30 ... 27      26 ............ 0
 *      sign       decimals d     digits m               (-1)^sign * m / 10^d,   d <= 14
 *  m and 10^d are doubles without error, so one division rounds once and correctly (Clinger, PLDI 1990, sec. 3). */
#ifndef FW_DATA_DECIMAL_H
#define FW_DATA_DECIMAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FW_DECIMAL_NONE      UINT32_MAX      /* it can't be said so */
#define FW_DECIMAL_MOST      14u             /* decimals */
#define FW_DECIMAL_DIGIT_BITS 27

static inline uint32_t fw_decimal_make(uint64_t digits, unsigned decimals, bool negative)
{
    if (digits >> FW_DECIMAL_DIGIT_BITS != 0 || decimals > FW_DECIMAL_MOST) return FW_DECIMAL_NONE;
    return (uint32_t)digits | decimals << FW_DECIMAL_DIGIT_BITS | (uint32_t)negative << 31;
}

/** The text of x ([sign] digits [. digits] [e exponent]) as a decimal that gives x's bits again; FW_DECIMAL_NONE: there is none. */
uint32_t fw_decimal_of(const char *s, size_t len, double x);
/** n decimals, none of them FW_DECIMAL_NONE. Cost: about 0.5 ns a number. */
void     fw_decimals_read(double *out, const uint32_t *in, size_t n);
/** No FW_DECIMAL_NONE among them. */
bool     fw_decimals_all(const uint32_t *v, size_t n);

#endif
