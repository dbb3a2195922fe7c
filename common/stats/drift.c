#include "common/stats/drift.h"

#include <math.h>

#include "common/core/size.h"
#include "common/core/targets.h"
#include "common/stats/dmath.h"
#include "common/stats/special.h"

#define PART 64      /* places whose logarithms are taken together */

typedef struct totals { double reference, current; size_t places; } totals;      /* places: not empty on both sides */

/** false: a side has no row. */
static bool total(totals *t, const fw_drift_pair *p)
{
    uint64_t reference = 0, current = 0;
    size_t places = 0;
    for (size_t i = 0; i < p->n; i++) {
        reference += p->reference[i];
        current += p->current[i];
        places += p->reference[i] + p->current[i] > 0;
    }
    *t = (totals){(double)reference, (double)current, places};
    return reference > 0 && current > 0;
}

/** What psi sums up, of n <= PART places: (c - r) is 0 where both are empty. */
FW_TARGETS static void psi_ratios(double *restrict ratio, double *restrict difference, const uint64_t *restrict reference, const uint64_t *restrict current, size_t n,
                                  double scale_r, double scale_c)
{
    for (size_t i = 0; i < n; i++) {
        double r = ((double)reference[i] + 0.5) * scale_r, c = ((double)current[i] + 0.5) * scale_c;
        ratio[i] = c / r;
        difference[i] = reference[i] + current[i] > 0 ? c - r : 0;
    }
}

bool fw_drift_psi(double *out, const fw_drift_pair *p)
{
    totals t;
    if (!total(&t, p)) return false;
    double half = 0.5 * (double)t.places, scale_r = 1 / (t.reference + half), scale_c = 1 / (t.current + half), sum = 0, log_ratio[PART], difference[PART];
    for (size_t from = 0; from < p->n; from += PART) {
        size_t n = FW_MIN(PART, p->n - from);
        psi_ratios(log_ratio, difference, p->reference + from, p->current + from, n, scale_r, scale_c);
        fw_vec_log_double(log_ratio, log_ratio, n);
        for (size_t i = 0; i < n; i++) sum += difference[i] * log_ratio[i];
    }
    *out = sum;
    return true;
}

/** Shares and what they are to their mean, side beside side. */
FW_TARGETS static void js_ratios(double *restrict share, double *restrict ratio, const uint64_t *restrict reference, const uint64_t *restrict current, size_t n, double rows_r,
                                 double rows_c)
{
    for (size_t i = 0; i < n; i++) {
        double r = (double)reference[i] / rows_r, c = (double)current[i] / rows_c, middle = 0.5 * (r + c);
        share[2 * i] = r;
        share[2 * i + 1] = c;
        ratio[2 * i] = r > 0 ? r / middle : 1;
        ratio[2 * i + 1] = c > 0 ? c / middle : 1;
    }
}

bool fw_drift_js(double *out, const fw_drift_pair *p)
{
    totals t;
    if (!total(&t, p)) return false;
    double sum = 0, share[2 * PART], log_ratio[2 * PART];
    for (size_t from = 0; from < p->n; from += PART) {
        size_t n = FW_MIN(PART, p->n - from);
        js_ratios(share, log_ratio, p->reference + from, p->current + from, n, t.reference, t.current);
        fw_vec_log_double(log_ratio, log_ratio, 2 * n);
        for (size_t i = 0; i < 2 * n; i++) sum += share[i] * log_ratio[i];
    }
    double bits = 0.5 * sum / 0.69314718055994530942;
    *out = sqrt(bits > 0 ? FW_MIN(bits, 1) : 0);      /* rounding alone leads out of [0, 1] */
    return true;
}

/** The distance of the distribution functions is a fraction over n m: its numerator is an integer, and exact. */
bool fw_drift_ks(fw_drift_test *out, const fw_drift_pair *p)
{
    totals t;
    if (!total(&t, p)) return false;
    uint64_t n = (uint64_t)t.reference, m = (uint64_t)t.current, below_r = 0, below_c = 0;
    unsigned __int128 largest = 0;
    for (size_t i = 0; i < p->n; i++) {
        below_r += p->reference[i];
        below_c += p->current[i];
        unsigned __int128 r = (unsigned __int128)below_r * m, c = (unsigned __int128)below_c * n;
        largest = FW_MAX(largest, r > c ? r - c : c - r);
    }
    double d = (double)largest / (t.reference * t.current);
    *out = (fw_drift_test){.statistic = d, .p = fw_kolmogorov_above(d * sqrt(t.reference * t.current / (t.reference + t.current)))};
    return true;
}

/** With totals R, C of the sides and s_i = r_i + c_i, the expected count of a cell is R s_i / (R + C), and so
 *  X^2 = sum (r_i C - c_i R)^2 / (R C s_i),   G = 2 sum over cells of count ln(count / expected). */
static void homogeneity(fw_drift_test *out, const totals *t, double statistic)
{
    size_t degrees = t->places - 1;
    *out = (fw_drift_test){.statistic = statistic, .degrees = degrees, .p = fw_chi_square_above((double)degrees, statistic)};
}

bool fw_drift_chi_square(fw_drift_test *out, const fw_drift_pair *p)
{
    totals t;
    if (!total(&t, p)) return false;
    double sum = 0;
    for (size_t i = 0; i < p->n; i++) {
        double r = (double)p->reference[i] / t.reference, c = (double)p->current[i] / t.current;
        if (r + c > 0) sum += (r - c) * (r - c) / (r / t.current + c / t.reference);
    }
    homogeneity(out, &t, sum);
    return true;
}

/** Sum of x ln(x / y) - (x - y) >= 0 over cells: what is taken away sums to 0 over a side, and where x is near y nothing cancels: with s = (x - y) / (x + y),
 *  ln(x / y) = 2 (s + s^3/3 + ...) and 2 x s - (x - y) = (x - y) s. Up to a tenth of y the series ends after s^15 with a rest below 1e-20. */
FW_TARGETS static void deviance_ratios(double *restrict ratio, const double *restrict x, const double *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++) ratio[i] = x[i] > 0 ? x[i] / y[i] : 1;
}

FW_TARGETS static void deviance_terms(double *restrict term, const double *restrict log_ratio, const double *restrict x, const double *restrict y, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        double d = x[i] - y[i], s = d / (x[i] + y[i]), z = s * s;
        double series = 1.0 / 3 + z * (1.0 / 5 + z * (1.0 / 7 + z * (1.0 / 9 + z * (1.0 / 11 + z * (1.0 / 13 + z / 15)))));
        double near = d * s + 2 * x[i] * s * z * series, far = x[i] * log_ratio[i] - d, some = fabs(d) <= 0.1 * y[i] ? near : far;
        term[i] = y[i] > 0 ? some : 0;
    }
}

static double deviance(const double *x, const double *y, size_t n)
{
    double log_ratio[2 * PART], term[2 * PART], sum = 0;
    deviance_ratios(log_ratio, x, y, n);
    fw_vec_log_double(log_ratio, log_ratio, n);
    deviance_terms(term, log_ratio, x, y, n);
    for (size_t i = 0; i < n; i++) sum += term[i];
    return sum;
}

/** Counts and what is expected of them, side beside side. */
FW_TARGETS static void expected(double *restrict x, double *restrict y, const uint64_t *restrict reference, const uint64_t *restrict current, size_t n, double part_r,
                                double part_c)
{
    for (size_t i = 0; i < n; i++) {
        double r = (double)reference[i], c = (double)current[i];
        x[2 * i] = r;
        x[2 * i + 1] = c;
        y[2 * i] = (r + c) * part_r;
        y[2 * i + 1] = (r + c) * part_c;
    }
}

bool fw_drift_g(fw_drift_test *out, const fw_drift_pair *p)
{
    totals t;
    if (!total(&t, p)) return false;
    double sum = 0, part_r = t.reference / (t.reference + t.current), part_c = t.current / (t.reference + t.current), x[2 * PART], y[2 * PART];
    for (size_t from = 0; from < p->n; from += PART) {
        size_t n = FW_MIN(PART, p->n - from);
        expected(x, y, p->reference + from, p->current + from, n, part_r, part_c);
        sum += deviance(x, y, 2 * n);
    }
    homogeneity(out, &t, 2 * FW_MAX(sum, 0));
    return true;
}

bool fw_drift_wasserstein(double *out, const fw_drift_pair *p)
{
    totals t;
    if (!total(&t, p)) return false;
    uint64_t below_r = 0, below_c = 0;
    double sum = 0;
    for (size_t i = 0; i + 1 < p->n; i++) {
        below_r += p->reference[i];
        below_c += p->current[i];
        sum += fabs((double)below_r / t.reference - (double)below_c / t.current) * (p->point[i + 1] - p->point[i]);
    }
    *out = sum;
    return true;
}

bool fw_drift_spread(double *out, const uint64_t *count, const double *point, size_t n)
{
    double rows = 0, sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) rows += (double)count[i];
    if (rows == 0) return false;
    for (size_t i = 0; i < n; i++) sum += (double)count[i] / rows * point[i];
    for (size_t i = 0; i < n; i++) squares += (double)count[i] / rows * (point[i] - sum) * (point[i] - sum);
    *out = sqrt(squares);
    return true;
}
