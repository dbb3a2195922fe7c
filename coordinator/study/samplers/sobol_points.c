#include "coordinator/study/samplers/sobol_points.h"

#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/study/samplers/draws.h"

enum { BITS = 32 };

struct coord_sobol {
    size_t    n;
    uint32_t *column;              /* (n, BITS) what bit j of the Gray code adds to the dimension's digits */
    uint32_t *shift;               /* (n) */
};

/* The columns of the generator matrix, the digit of 1/2 in the highest bit:
 * m_j = 2 a_1 m_{j-1} ^ 4 a_2 m_{j-2} ^ ... ^ 2^s m_{j-s} ^ m_{j-s}, column j = m_j 2^(BITS - 1 - j). */
static void fill_columns(uint32_t column[static BITS], size_t dimension)
{
    if (dimension == 0) {
        for (uint32_t j = 0; j < BITS; j++) column[j] = UINT32_C(1) << (BITS - 1 - j);
        return;
    }
    const coord_sobol_direction *d = &coord_sobol_directions[dimension - 1];
    const uint32_t s = FW_MIN((uint32_t)d->degree, (uint32_t)(sizeof d->m / sizeof *d->m));
    for (uint32_t j = 0; j < s; j++) column[j] = (uint32_t)d->m[j] << (BITS - 1 - j);
    for (uint32_t j = s; j < BITS; j++) {
        column[j] = column[j - s] ^ column[j - s] >> s;
        for (uint32_t k = 1; k < s; k++)
            if (d->coefficients >> (s - 1 - k) & 1u) column[j] ^= column[j - k];
    }
}

/* Row r of the matrix has ones on the diagonal, random bits to its left, which is toward the higher digits. */
static void scramble_columns(uint32_t column[static BITS], uint32_t *shift, uint64_t key, uint64_t dimension)
{
    uint32_t row[BITS];
    for (uint32_t r = 0; r < BITS; r += 4) {
        const fw_philox bits = fw_random(key, FW_RANDOM_SAMPLER, COORD_DRAWS_SOBOL, dimension, r);
        for (uint32_t i = 0; i < 4; i++) {
            const uint32_t diagonal = UINT32_C(1) << (BITS - 1 - (r + i));
            row[r + i] = (bits.word[i] & ~(diagonal | (diagonal - 1))) | diagonal;
        }
    }
    for (uint32_t j = 0; j < BITS; j++) {
        uint32_t out = 0;
        for (uint32_t r = 0; r < BITS; r++) out |= (uint32_t)__builtin_parity(row[r] & column[j]) << (BITS - 1 - r);
        column[j] = out;
    }
    *shift = fw_random(key, FW_RANDOM_SAMPLER, COORD_DRAWS_SOBOL, dimension, BITS).word[0];
}

fw_status coord_sobol_create(coord_sobol **out, size_t dimensions, const uint64_t *scramble, fw_error *err)
{
    if (dimensions == 0 || dimensions > COORD_MAX_PARAMS)
        return fw_fail(err, FW_ERR_ARG, "sobol: %zu dimensions; it is made for 1 to %d", dimensions, COORD_MAX_PARAMS);
    FW_AUTO(coord_sobol) *s = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&s, 1, sizeof *s, "sobol", err));
    s->n = dimensions;
    FW_TRY(fw_alloc_zeroed((void **)&s->column, dimensions * BITS, sizeof *s->column, "sobol columns", err));
    FW_TRY(fw_alloc_zeroed((void **)&s->shift, dimensions, sizeof *s->shift, "sobol shifts", err));
    for (size_t i = 0; i < dimensions; i++) {
        fill_columns(s->column + i * BITS, i);
        if (scramble != NULL) scramble_columns(s->column + i * BITS, &s->shift[i], *scramble, i);
    }
    *out = s;
    s = NULL;
    return FW_OK;
}

void coord_sobol_destroy(coord_sobol **s)
{
    if (*s == NULL) return;
    free((*s)->column);
    free((*s)->shift);
    free(*s);
    *s = NULL;
}

/* In the order of the Gray code, as is usual (Antonov and Saleev 1979). */
void coord_sobol_at(const coord_sobol *s, uint64_t index, double *u)
{
    const uint32_t gray = (uint32_t)index ^ (uint32_t)index >> 1;
    for (size_t i = 0; i < s->n; i++) {
        uint32_t x = s->shift[i];
        for (uint32_t rest = gray; rest != 0; rest &= rest - 1) x ^= s->column[i * BITS + (uint32_t)__builtin_ctz(rest)];
        u[i] = ((double)x + 0.5) * 0x1p-32;
    }
}
