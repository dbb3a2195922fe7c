/* Statistics of the cells of a chunk, column by column. */
#include <math.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/targets.h"
#include "common/core/text.h"
#include "worker/ingest_parts.h"

enum { LANES = 8 };
typedef double lanes __attribute__((vector_size(LANES * sizeof(double))));
typedef int64_t words __attribute__((vector_size(LANES * sizeof(int64_t))));

/* -0 becomes 0; the range. n: a multiple of LANES, at least LANES. */
FW_TARGETS static void clean_lanes(double *x, double range[static 2], size_t n)
{
    lanes low, high;
    memcpy(&low, x, sizeof low);
    low += 0.0;
    high = low;
    for (size_t i = 0; i < n; i += LANES) {
        lanes v;
        memcpy(&v, x + i, sizeof v);
        v += 0.0;
        words here, least, most;
        const words below = v < low, above = v > high;
        memcpy(x + i, &v, sizeof v);
        memcpy(&here, &v, sizeof here);
        memcpy(&least, &low, sizeof least);
        memcpy(&most, &high, sizeof most);
        least = (here & below) | (least & ~below);
        most = (here & above) | (most & ~above);
        memcpy(&low, &least, sizeof low);
        memcpy(&high, &most, sizeof high);
    }
    range[0] = low[0];
    range[1] = high[0];
    for (int i = 1; i < LANES; i++) {
        range[0] = low[i] < range[0] ? low[i] : range[0];
        range[1] = high[i] > range[1] ? high[i] : range[1];
    }
}

/* The values of the rows kept that are present; how many. all: every row is. */
static size_t present_values(double *out, const fw_cells *c, const uint8_t *keep, size_t n, bool all)
{
    size_t m = 0;
    if (all) {
        memcpy(out, c->number, n * sizeof *out);
        return n;
    }
    for (size_t i = 0; i < n; i++) {
        out[m] = c->number[i];
        m += (size_t)(keep[i] & (c->missing[i] ^ 1));
    }
    return m;
}

static void widen(ingest_stats *s, double low, double high)
{
    s->min = low < s->min ? low : s->min;
    s->max = high > s->max ? high : s->max;
}

static fw_status number_stats(ingest_stats *s, double *x, size_t n, fw_error *err)
{
    const size_t together = n - n % LANES;
    double range[2];
    if (together > 0) {
        clean_lanes(x, range, together);
        widen(s, range[0], range[1]);
    }
    for (size_t i = together; i < n; i++) {
        x[i] += 0.0;
        widen(s, x[i], x[i]);
    }
    for (size_t i = 0; s->integral && i < n; i++) s->integral = x[i] == floor(x[i]);
    return fw_exact_sum_add_all(&s->sum, x, n, err);
}

static fw_status category_stats(ingest_stats *s, const fw_cells *c, const uint8_t *keep, size_t n, const fw_dict *dict, fw_error *err)
{
    size_t codes = fw_dict_size(dict), had = s->n_counts;
    FW_TRY(fw_grow((void **)&s->count, &s->n_counts, codes, sizeof *s->count, "categories", err));
    for (; had < s->n_counts; had++) s->count[had] = 0;
    for (size_t i = 0; i < n; i++)
        if (keep[i] && !c->missing[i]) s->count[c->code[i]]++;
    return FW_OK;
}

/* The text that a cell would have as a category; NULL: none is compared. */
static const char *comparable(const fw_column *column, const fw_cells *c, size_t i, char buffer[static FW_NUMBER_TEXT])
{
    if (column->type == FW_CATEGORY) return fw_dict_text(column->dict, c->code[i], NULL);
    if (column->type != FW_NUMBER) return NULL;
    fw_format_double(buffer, c->number[i]);
    return buffer;
}

static void compare_with_target(ingest *g, const fw_block *block, const uint8_t *keep, size_t column)
{
    const fw_cells *c = &block->cells[column], *t = &block->cells[g->target];
    bool *equal = &g->stats[column].equals_target;
    if ((int)column == g->target) *equal = false;
    for (size_t i = 0; *equal && i < block->n_rows; i++) {
        if (!keep[i]) continue;
        char a[FW_NUMBER_TEXT], b[FW_NUMBER_TEXT];
        const char *x = c->missing[i] ? NULL : comparable(&g->schema->columns[column], c, i, a);
        const char *y = comparable(&g->schema->columns[g->target], t, i, b);
        *equal = x != NULL && y != NULL && strcmp(x, y) == 0;
    }
}

static fw_status column_stats(ingest *g, const fw_block *block, const uint8_t *keep, size_t column, ingest_scratch *scratch, fw_error *err)
{
    const fw_cells *c = &block->cells[column];
    const fw_column *about = &g->schema->columns[column];
    ingest_stats *s = &g->stats[column];
    size_t n = block->n_rows;
    uint64_t missing = 0, kept = 0;
    const bool all = memchr(c->missing, 1, n) == NULL && memchr(keep, 0, n) == NULL;
    for (size_t r = 0; !all && r < n; r++) {
        missing += keep[r] & c->missing[r];
        kept += keep[r];
    }
    s->missing += missing;
    s->present += all ? n : kept - missing;
    switch (about->type) {
    case FW_NUMBER: return number_stats(s, scratch->value, present_values(scratch->value, c, keep, n, all), err);
    case FW_CATEGORY: return category_stats(s, c, keep, n, about->dict, err);
    case FW_TEXT: case FW_TIME: case FW_IMAGE: break;
    }
    return FW_OK;
}

fw_status ingest_scratch_reserve(ingest_scratch *s, size_t rows, fw_error *err)
{
    return fw_grow((void **)&s->value, &s->capacity, rows + 1, sizeof *s->value, "values of a chunk", err);
}

void ingest_scratch_clear(ingest_scratch *s)
{
    free(s->value);
    *s = (ingest_scratch){0};
}

fw_status ingest_gather_stats(ingest *g, const fw_block *block, const uint8_t *keep, ingest_scratch *scratch, fw_error *err)
{
    FW_TRY(ingest_scratch_reserve(scratch, block->n_rows, err));
    for (size_t i = 0; i < g->n_stored; i++) {
        FW_TRY(column_stats(g, block, keep, i, scratch, err));
        compare_with_target(g, block, keep, i);
    }
    return FW_OK;
}

/* n: a multiple of LANES. */
FW_TARGETS static void square_lanes(double *out, const void *numbers, size_t n, double unit, double mean)
{
    for (size_t i = 0; i < n; i += LANES) {
        lanes v;
        memcpy(&v, (const char *)numbers + i * sizeof *out, sizeof v);
        v = v * unit - mean;
        v *= v;
        memcpy(out + i, &v, sizeof v);
    }
}

static double number_at(const void *numbers, size_t i)
{
    double x;
    memcpy(&x, (const char *)numbers + i * sizeof x, sizeof x);
    return x;
}

/* (x - mean)^2 in units of 2^(2 exponent): cannot overflow, and the scaling is exact. */
fw_status ingest_add_squares(ingest_stats *s, const void *numbers, const uint8_t *missing, size_t n, ingest_scratch *scratch, fw_error *err)
{
    FW_TRY(ingest_scratch_reserve(scratch, n, err));
    const double unit = ldexp(1.0, -s->exponent);
    const bool plain = isnormal(unit);             /* else all values are below 2^-1022, or some are near 2^1024 */
    double *square = scratch->value;
    size_t m = 0, done = 0;
    if (plain && missing == NULL) square_lanes(square, numbers, m = done = n - n % LANES, unit, s->scaled_mean);
    for (size_t i = done; i < n; i++) {
        const double x = number_at(numbers, i), from_mean = (plain ? x * unit : ldexp(x, -s->exponent)) - s->scaled_mean;
        square[m] = from_mean * from_mean;
        m += missing == NULL || !missing[i];
    }
    return fw_exact_sum_add_all(&s->squares, square, m, err);
}
