/** Plain decimals become doubles, a column at a time: the fast way of fields that hold numbers. "Plain" is [-] digits [. digits] of at most 16
 *  bytes without the sign, with at least one digit and a value of digits up to 2^53; what fw_parse_double says of them is said here too, bit for bit.
 *  Everything else (exponents, long numbers, blanks, missing values, texts) is left to the caller. Private to common/data. */
#ifndef FW_DATA_NUMBERS_H
#define FW_DATA_NUMBERS_H

#include "common/data/source.h"

/** Reads fields[0], fields[stride], ... into out[0], out[1], ... up to the first that is not plain; how many were read, at most n.
 *  decimal[i] (NULL: not wanted): out[i] as a decimal (decimal.h), FW_DECIMAL_NONE above 27 bits of digits. Before and after each
 *  field FW_FIELD_READABLE bytes may be read (their values do not matter). Cost: about 3 ns a number with SSE 4.1, 1.5 ns with AVX-512; on other
 *  processors none is read.
 *  Numerics: the digits and 10^15 are doubles without error, so one division rounds once (Clinger, PLDI 1990, sec. 3).
 *  Source of the digit method: Langdale, Lemire, VLDB J. 28 (2019), sec. 3.3; Mula, "SIMD-ized parsing of numbers" (2014). */
size_t fw_numbers_read(double *out, uint32_t *decimal, const fw_field *fields, size_t stride, size_t n);

#endif
