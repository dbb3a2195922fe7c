#include "common/stats/quantile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

/* One order statistic: the `index`-th smallest among the values whose leading bits are `prefix`. */
typedef struct order { uint64_t index, prefix; size_t table; } order;

typedef struct series {
    double *q;
    size_t n;
    uint64_t count;
    order *lower, *upper;                 /* n each: floor(h) and the next one */
    size_t first_table, n_tables;         /* tables of counts in this pass: one for each distinct prefix */
} series;

struct fw_quantiles {
    series *v;
    size_t n;
    unsigned digit_bits, settled;         /* bits a pass; bits known of every order statistic */
    size_t bins, n_tables;
    uint64_t *prefix;                     /* of each table */
    int64_t *counts;                      /* (n_tables, bins) */
};

/* Doubles in the order of unsigned integers: negative ones with all bits flipped, the others with the sign bit set. */
static uint64_t key_of(double x)
{
    uint64_t bits;
    x += 0.0;                             /* -0 becomes +0 */
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double value_of(uint64_t key)
{
    uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static fw_status series_create(series *s, const fw_quantile_series *want, fw_error *err)
{
    for (size_t i = 0; i < want->n; i++)
        if (!(want->q[i] >= 0.0 && want->q[i] <= 1.0))
            return fw_fail(err, FW_ERR_ARG, "quantile: probability %g is not in [0, 1]", want->q[i]);
    s->n = want->n;
    s->q = calloc(want->n + 1, sizeof *s->q);
    s->lower = calloc(want->n + 1, sizeof *s->lower);
    s->upper = calloc(want->n + 1, sizeof *s->upper);
    if (s->q == NULL || s->lower == NULL || s->upper == NULL) return fw_fail(err, FW_ERR_NOMEM, "quantile: %zu probabilities", want->n);
    if (want->n > 0) memcpy(s->q, want->q, want->n * sizeof *s->q);
    return FW_OK;
}

/* The first pass has one table for each series; a later one at most one for each order statistic. */
static fw_status tables_create(fw_quantiles *q, size_t most, size_t bytes, fw_error *err)
{
    q->digit_bits = 16;
    while (q->digit_bits > 4 && most > (bytes >> q->digit_bits) / sizeof(int64_t)) q->digit_bits /= 2;
    q->bins = (size_t)1 << q->digit_bits;
    void *memory = NULL;
    size_t cells;
    FW_TRY(fw_size_mul(&cells, most, q->bins, "quantile counts", err));
    FW_TRY(fw_alloc_zeroed(&memory, cells, sizeof *q->counts, "quantile counts", err));
    q->counts = memory;
    memory = NULL;
    FW_TRY(fw_alloc_zeroed(&memory, most, sizeof *q->prefix, "quantile counts", err));
    q->prefix = memory;
    for (size_t i = 0; i < q->n; i++) {
        q->v[i].first_table = q->n_tables;
        q->v[i].n_tables = q->v[i].n > 0;
        q->n_tables += q->v[i].n_tables;
    }
    return FW_OK;
}

fw_status fw_quantiles_create(fw_quantiles **out, const fw_quantile_series *want, size_t n_series, size_t bytes, fw_error *err)
{
    FW_AUTO(fw_quantiles) *q = calloc(1, sizeof *q);
    if (q == NULL || (q->v = calloc(n_series + 1, sizeof *q->v)) == NULL)
        return fw_fail(err, FW_ERR_NOMEM, "quantile: %zu series", n_series);
    q->n = n_series;
    size_t most = 0;
    for (size_t i = 0; i < n_series; i++) {
        FW_TRY(series_create(&q->v[i], &want[i], err));
        FW_TRY(fw_size_add(&most, most, 2 * want[i].n, "quantile counts", err));
    }
    FW_TRY(tables_create(q, most, bytes > 0 ? bytes : FW_QUANTILE_BYTES, err));
    *out = q;
    q = NULL;
    return FW_OK;
}

void fw_quantiles_destroy(fw_quantiles **q)
{
    if (*q == NULL) return;
    for (size_t i = 0; i < (*q)->n; i++) {
        free((*q)->v[i].q);
        free((*q)->v[i].lower);
        free((*q)->v[i].upper);
    }
    free((*q)->v);
    free((*q)->prefix);
    free((*q)->counts);
    free(*q);
    *q = NULL;
}

fw_status fw_quantiles_add(fw_quantiles *q, size_t at, const double *v, size_t n, fw_error *err)
{
    if (q->settled >= 64) return FW_OK;
    const series *s = &q->v[at];
    const unsigned rest = 64 - q->settled - q->digit_bits;       /* bits behind this pass's digit */
    const uint64_t mask = q->bins - 1;
    for (size_t i = 0; i < n; i++) {
        if (!isfinite(v[i])) return fw_fail(err, FW_ERR_NUMERIC, "quantile: a value is not finite");
        uint64_t lead = key_of(v[i]) >> rest, prefix = q->settled > 0 ? lead >> q->digit_bits : 0;
        for (size_t t = s->first_table; t < s->first_table + s->n_tables; t++)
            if (q->prefix[t] == prefix) q->counts[t * q->bins + (lead & mask)]++;
    }
    return FW_OK;
}

/* The digit of an order statistic: the bin in which its index falls. */
static void settle_digit(order *o, const fw_quantiles *q)
{
    const int64_t *counts = q->counts + o->table * q->bins;
    size_t bin = 0;
    while (bin + 1 < q->bins && o->index >= (uint64_t)counts[bin]) o->index -= (uint64_t)counts[bin++];
    o->prefix = o->prefix << q->digit_bits | bin;
}

static double place_of(const series *s, size_t i)
{
    return s->q[i] * (double)(s->count - 1);
}

/* After the first pass: how many values there are, hence which order statistics are wanted. */
static void choose_orders(series *s, const fw_quantiles *q)
{
    const int64_t *counts = q->counts + s->first_table * q->bins;
    s->count = 0;
    for (size_t b = 0; b < q->bins; b++) s->count += (uint64_t)counts[b];
    for (size_t i = 0; s->count > 0 && i < s->n; i++) {
        uint64_t below = FW_MIN((uint64_t)floor(place_of(s, i)), s->count - 1);
        s->lower[i] = (order){.index = below, .table = s->first_table};
        s->upper[i] = (order){.index = FW_MIN(below + 1, s->count - 1), .table = s->first_table};
    }
}

static void assign_table(order *o, fw_quantiles *q, series *s)
{
    for (size_t t = s->first_table; t < s->first_table + s->n_tables; t++)
        if (q->prefix[t] == o->prefix) {
            o->table = t;
            return;
        }
    o->table = q->n_tables++;
    q->prefix[o->table] = o->prefix;
    s->n_tables++;
}

fw_status fw_quantiles_end_pass(fw_quantiles *q, const fw_reduce *reduce, fw_error *err)
{
    FW_TRY(reduce->sum_i64(reduce->context, q->counts, q->n_tables * q->bins, err));
    for (size_t k = 0; k < q->n; k++) {
        series *s = &q->v[k];
        if (q->settled == 0 && s->n > 0) choose_orders(s, q);
        for (size_t i = 0; s->count > 0 && i < s->n; i++) {
            settle_digit(&s->lower[i], q);
            settle_digit(&s->upper[i], q);
        }
    }
    q->settled += q->digit_bits;
    q->n_tables = 0;
    for (size_t k = 0; k < q->n && q->settled < 64; k++) {
        series *s = &q->v[k];
        s->first_table = q->n_tables;
        s->n_tables = 0;
        for (size_t i = 0; s->count > 0 && i < s->n; i++) {
            assign_table(&s->lower[i], q, s);
            assign_table(&s->upper[i], q, s);
        }
    }
    memset(q->counts, 0, q->n_tables * q->bins * sizeof *q->counts);
    return FW_OK;
}

bool fw_quantiles_pending(const fw_quantiles *q)
{
    return q->settled < 64 && q->n_tables > 0;
}

double fw_quantiles_get(const fw_quantiles *q, size_t at, size_t i)
{
    const series *s = &q->v[at];
    if (s->count == 0) return 0.0;
    double a = value_of(s->lower[i].prefix), b = value_of(s->upper[i].prefix);
    double t = place_of(s, i) - floor(place_of(s, i)), d = b - a;
    if (!isfinite(d)) return a * (1.0 - t) + b * t;
    return t < 0.5 ? a + d * t : b - d * (1.0 - t);            /* as numpy does: exact at both ends */
}

uint64_t fw_quantiles_count(const fw_quantiles *q, size_t at)
{
    return q->v[at].count;
}
