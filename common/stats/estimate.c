#include "common/stats/estimate.h"

#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "common/stats/dmath.h"
#include "common/stats/isotonic.h"

#define SMALLEST 1e-15      /* of a probability in log_loss, as in metrics.h */

/* ---- calibration ------------------------------------------------------------------------------------------------------------------------ */

void fw_calibration_destroy(fw_calibration *c)
{
    free(c->share);
    free(c->at);
    free(c->block);
    free(c->variance);
    *c = (fw_calibration){0};
}

fw_status fw_calibration_fit(fw_calibration *out, const uint64_t *hits, const uint64_t *rows, const double *at, size_t n, fw_error *err)
{
    if (n > FW_ESTIMATE_BINS) return fw_fail(err, FW_ERR_ARG, "calibration: %zu bins; at most %d are allowed", n, FW_ESTIMATE_BINS);
    FW_AUTO(fw_calibration) c = {.n = n};
    FW_FREE double *total = NULL;
    FW_FREE double *hit = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&c.share, n, sizeof *c.share, "calibration", err));
    FW_TRY(fw_alloc_zeroed((void **)&c.at, n, sizeof *c.at, "calibration", err));
    FW_TRY(fw_alloc_zeroed((void **)&c.block, n, sizeof *c.block, "calibration", err));
    FW_TRY(fw_alloc_zeroed((void **)&c.variance, n, sizeof *c.variance, "calibration", err));
    FW_TRY(fw_alloc_zeroed((void **)&total, n, sizeof *total, "calibration", err));
    FW_TRY(fw_alloc_zeroed((void **)&hit, n, sizeof *hit, "calibration", err));
    FW_TRY(fw_isotonic_fit(c.share, c.block, &c.n_blocks, hits, rows, at, n, err));
    for (size_t i = 0; i < n; i++) {
        c.at[i] = at[i];
        total[c.block[i]] += (double)rows[i];
        hit[c.block[i]] += (double)hits[i];
    }
    for (size_t k = 0; k < c.n_blocks; k++) {
        const double p = (hit[k] + 0.5) / (total[k] + 1);
        c.variance[k] = p * (1 - p) / total[k];
    }
    *out = c;
    c = (fw_calibration){0};
    return FW_OK;
}

static double total_of(const uint64_t *count, size_t n)
{
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++) total += count[i];
    return (double)total;
}

/* Standard deviation of a figure of which one positive more in bin b changes `change[b]`. Pools are runs of neighbouring bins. */
static double deviation_of(const fw_calibration *c, const uint64_t *count, const double *change)
{
    double variance = 0, pool = 0;
    for (size_t i = 0; i < c->n; i++) {
        const double p = c->share[i], n = (double)count[i];
        variance += n * p * (1 - p) * change[i] * change[i];
        pool += n * change[i];
        if (i + 1 < c->n && c->block[i + 1] == c->block[i]) continue;
        variance += pool * pool * c->variance[c->block[i]];
        pool = 0;
    }
    return sqrt(variance);
}

/* ---- two classes ------------------------------------------------------------------------------------------------------------------------ */

/* A window as expected: change is scratch of deviation_of. */
typedef struct expected {
    const fw_calibration *c;
    const uint64_t *count;
    double rows, positives, said;              /* said: predicted to be positive */
    double hits;                               /* of these, the expected positives */
    double share_said[FW_ESTIMATE_BINS], change[FW_ESTIMATE_BINS];
} expected;

static void expect(expected *e, const fw_calibration *c, const uint64_t *count, uint64_t positive)
{
    double left = (double)positive;
    *e = (expected){.c = c, .count = count, .rows = total_of(count, c->n)};
    for (size_t i = c->n; i-- > 0;) {
        const double n = (double)count[i], taken = FW_MIN(n, left);
        e->share_said[i] = n > 0 ? taken / n : 0;
        left -= taken;
        e->said += taken;
        e->positives += n * c->share[i];
        e->hits += taken * c->share[i];
    }
}

static fw_interval share_of(double value, const expected *e)
{
    return fw_interval_normal(value, deviation_of(e->c, e->count, e->change), 0, 1);
}

static fw_interval accuracy_of(expected *e)
{
    for (size_t i = 0; i < e->c->n; i++) e->change[i] = (2 * e->share_said[i] - 1) / e->rows;
    return share_of((e->hits + (e->rows - e->said) - (e->positives - e->hits)) / e->rows, e);
}

/* hits / said, hits / positives, 2 hits / (said + positives): all are a hits / (b said + c positives). */
static fw_interval ratio_of(expected *e, double a, double b, double c)
{
    const double under = b * e->said + c * e->positives;
    if (!(under > 0)) return (fw_interval){0, NAN, NAN};
    const double value = a * e->hits / under;
    for (size_t i = 0; i < e->c->n; i++) e->change[i] = (a * e->share_said[i] - c * value) / under;
    return share_of(value, e);
}

/* The area, and into e->change what a positive more changes; false: one side is not expected at all. */
static bool area_of(double *auc, expected *e)
{
    const double p = e->positives, q = e->rows - e->positives;
    double area = 0, below = 0, above = p;     /* below: negatives; above: positives */
    if (!(p > 0) || !(q > 0)) return false;
    for (size_t i = 0; i < e->c->n; i++) {
        const double n = (double)e->count[i], positive = n * e->c->share[i], negative = n - positive;
        above -= positive;
        area += positive * (below + 0.5 * negative);
        e->change[i] = (below + 0.5 * negative - above - 0.5 * positive) / (p * q);
        below += negative;
    }
    *auc = area / (p * q);
    for (size_t i = 0; i < e->c->n; i++) e->change[i] -= *auc * (1 / p - 1 / q);
    return true;
}

static double loss_of(double probability) { return -fw_log_double(fmin(fmax(probability, SMALLEST), 1 - SMALLEST)); }

/* with_negatives: the loss of rows that are not of the class too; else the class's part of a sum over classes. */
static double log_loss_of(expected *e, bool with_negatives)
{
    double sum = 0;
    for (size_t i = 0; i < e->c->n; i++) {
        const double p = e->c->share[i], yes = loss_of(e->c->at[i]), no = with_negatives ? loss_of(1 - e->c->at[i]) : 0;
        sum += (double)e->count[i] * (p * yes + (1 - p) * no);
        e->change[i] = (yes - no) / e->rows;
    }
    return sum / e->rows;
}

void fw_estimate_two_classes(fw_qualities *out, const fw_calibration *c, const uint64_t *count, uint64_t positive)
{
    expected e;
    double auc = 0;
    expect(&e, c, count, positive);
    if (!(e.rows > 0)) return;
    out->of[FW_QUALITY_ACCURACY] = accuracy_of(&e);
    out->of[FW_QUALITY_PRECISION] = ratio_of(&e, 1, 1, 0);
    out->of[FW_QUALITY_RECALL] = ratio_of(&e, 1, 0, 1);
    out->of[FW_QUALITY_F1] = ratio_of(&e, 2, 1, 1);
    if (area_of(&auc, &e)) out->of[FW_QUALITY_AUC] = share_of(auc, &e);
    const double loss = log_loss_of(&e, true);
    out->of[FW_QUALITY_LOG_LOSS] = fw_interval_normal(loss, deviation_of(c, count, e.change), 0, INFINITY);
}

/* ---- more classes ----------------------------------------------------------------------------------------------------------------------- */

void fw_estimate_accuracy(fw_qualities *out, const fw_calibration *confidence, const uint64_t *count)
{
    expected e;
    expect(&e, confidence, count, 0);
    if (!(e.rows > 0)) return;
    for (size_t i = 0; i < confidence->n; i++) e.change[i] = 1 / e.rows;
    out->of[FW_QUALITY_ACCURACY] = share_of(e.positives / e.rows, &e);
}

void fw_estimate_classes(fw_qualities *out, const fw_calibration *score, const uint64_t *const *count, size_t n_classes)
{
    double auc = 0, auc_deviation = 0, loss = 0, loss_deviation = 0, ranked = 0;
    for (size_t k = 0; k < n_classes; k++) {
        expected e;
        double area = 0;
        expect(&e, &score[k], count[k], 0);
        if (!(e.rows > 0)) return;
        if (area_of(&area, &e)) {
            auc += area;
            auc_deviation += deviation_of(&score[k], count[k], e.change);
            ranked++;
        }
        loss += log_loss_of(&e, false);
        loss_deviation += deviation_of(&score[k], count[k], e.change);
    }
    if (ranked > 0) out->of[FW_QUALITY_AUC] = fw_interval_normal(auc / ranked, auc_deviation / ranked, 0, 1);
    out->of[FW_QUALITY_LOG_LOSS] = fw_interval_normal(loss, loss_deviation, 0, INFINITY);
}

/* ---- regression ------------------------------------------------------------------------------------------------------------------------- */

/* Means of a loss over the window, with the deviation from its draw and the reference's: variance (n) of a row's loss. */
static fw_interval mean_loss(const double *loss, const double *variance, const double *rows, const uint64_t *count, size_t n, double total)
{
    double sum = 0, spread = 0;
    for (size_t i = 0; i < n; i++) {
        const double c = (double)count[i];
        sum += c * loss[i];
        spread += variance[i] * (c + c * c / rows[i]);
    }
    return fw_interval_normal(sum / total, sqrt(spread) / total, 0, INFINITY);
}

/* The reference's means by bin, those of empty bins filled in. */
typedef struct losses { double absolute[FW_ESTIMATE_BINS], square[FW_ESTIMATE_BINS], fourth[FW_ESTIMATE_BINS], rows[FW_ESTIMATE_BINS]; } losses;

static void fill_empty(double *to, const double *from, const uint64_t *rows, size_t n, double total)
{
    double mean = 0;
    for (size_t i = 0; i < n; i++) mean += (double)rows[i] * from[i] / total;
    for (size_t i = 0; i < n; i++) to[i] = rows[i] > 0 ? from[i] : mean;
}

/* variance (n) of a row's loss, whose mean and mean square these are. */
static void spread_of(double *variance, const double *mean, const double *square, size_t n)
{
    for (size_t i = 0; i < n; i++) variance[i] = fmax(square[i] - mean[i] * mean[i], 0);
}

void fw_estimate_errors(fw_qualities *out, const double *absolute, const double *square, const double *fourth, const uint64_t *rows, const uint64_t *count, size_t n)
{
    losses l;
    double variance[FW_ESTIMATE_BINS];
    const double total = total_of(count, n), known = total_of(rows, n);
    if (!(total > 0) || !(known > 0)) return;
    fill_empty(l.absolute, absolute, rows, n, known);
    fill_empty(l.square, square, rows, n, known);
    fill_empty(l.fourth, fourth, rows, n, known);
    for (size_t i = 0; i < n; i++) l.rows[i] = rows[i] > 0 ? (double)rows[i] : 1;
    spread_of(variance, l.absolute, l.square, n);
    out->of[FW_QUALITY_MAE] = mean_loss(l.absolute, variance, l.rows, count, n, total);
    spread_of(variance, l.square, l.fourth, n);
    const fw_interval mean = mean_loss(l.square, variance, l.rows, count, n, total);
    out->of[FW_QUALITY_RMSE] = (fw_interval){sqrt(mean.value), sqrt(mean.low), sqrt(mean.high)};
}
