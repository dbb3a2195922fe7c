#include "monitor/realised.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/stats/dmath.h"
#include "common/stats/exact_sum.h"

#define SIDE      (MONITOR_SCORE_PLACES / 2)
#define STEP_BITS 18                         /* of a float's 23 bits of fraction those that are dropped: 32 steps in each octave */
#define HALF_BITS 0x3f000000u                /* of 0.5f */
#define N_SUMS    3
#define SMALLEST  1e-15                      /* of a probability in log_loss, as in metrics.h */
#define LAG_UNITS 1000.0                     /* milliseconds */

/* Classification: loss and its square. Regression: |e|, e^2, e^4. */
typedef enum sum_of { LOSS, LOSS_SQUARE, ABSOLUTE = 0, SQUARE, FOURTH } sum_of;

struct monitor_realised {
    monitor_shape shape;
    size_t n_scores, n_counted;              /* scores of a row; classes that are counted */
    uint64_t rows, scored, hits, lag;        /* scored: rows that told their scores; lag: of all rows */
    uint64_t *support, *said, *correct;      /* (n_counted) each, in one array that begins with support */
    uint32_t *place;                         /* (n_scores, 2, MONITOR_SCORE_PLACES) rows by score: of other classes, of the class */
    fw_exact_sum sum[N_SUMS];
};

size_t monitor_shape_scores(const monitor_shape *s)
{
    if (s->n_classes > MONITOR_SCORED_CLASSES) return 0;
    return s->n_classes == 2 ? 1 : s->n_classes;
}

fw_status monitor_realised_create(monitor_realised **out, const monitor_shape *shape, fw_error *err)
{
    FW_AUTO(monitor_realised) *r = calloc(1, sizeof *r);
    if (r == NULL) return fw_fail(err, FW_ERR_NOMEM, "window of outcomes");
    r->shape = *shape;
    r->n_scores = monitor_shape_scores(shape);
    r->n_counted = shape->n_classes <= MONITOR_JUDGED_CLASSES ? shape->n_classes : 0;
    FW_TRY(fw_alloc_zeroed((void **)&r->support, 3 * r->n_counted, sizeof *r->support, "window of outcomes", err));
    FW_TRY(fw_alloc_zeroed((void **)&r->place, r->n_scores * 2 * MONITOR_SCORE_PLACES, sizeof *r->place, "window of outcomes", err));
    r->said = r->support + r->n_counted;
    r->correct = r->said + r->n_counted;
    *out = r;
    r = NULL;
    return FW_OK;
}

void monitor_realised_destroy(monitor_realised **r)
{
    if (*r == NULL) return;
    free((*r)->support);
    free((*r)->place);
    free(*r);
    *r = NULL;
}

void monitor_realised_reset(monitor_realised *r)
{
    r->rows = r->scored = r->hits = r->lag = 0;
    memset(r->support, 0, 3 * r->n_counted * sizeof *r->support);
    memset(r->place, 0, r->n_scores * 2 * MONITOR_SCORE_PLACES * sizeof *r->place);
    memset(r->sum, 0, sizeof r->sum);
}

/* ---- one row in, or out ------------------------------------------------------------------------------------------------------------------- */

/* The first place takes all below 2^-25 of its side, 0.5 is in the last one of the lower side. */
static size_t place_of(float score)
{
    const bool upper = score > 0.5f;
    const float near = fmaxf(upper ? 1 - score : score, 0);
    uint32_t bits = 0;
    memcpy(&bits, &near, sizeof bits);
    const uint32_t below = (HALF_BITS - bits) >> STEP_BITS;      /* steps below 0.5 */
    const size_t place = below < SIDE ? SIDE - 1 - below : 0;
    return upper ? MONITOR_SCORE_PLACES - 1 - place : place;
}

static uint32_t *places_of(const monitor_realised *r, size_t score, bool hit)
{
    return r->place + (2 * score + hit) * MONITOR_SCORE_PLACES;
}

static uint64_t lag_of(const monitor_judged *row) { return row->lag_s > 0 ? (uint64_t)fmin(row->lag_s * LAG_UNITS, 1e15) : 0; }

bool monitor_judged_log_loss(double *loss, const monitor_shape *s, const monitor_judged *row)
{
    if (row->score == NULL || monitor_shape_scores(s) == 0) return false;
    const double p = s->n_classes != 2 ? (double)row->score[row->truth] : row->truth == s->positive ? (double)row->score[0] : 1 - (double)row->score[0];
    *loss = -fw_log_double(fmin(fmax(p, SMALLEST), 1 - SMALLEST));
    return true;
}

static fw_status change_scores(monitor_realised *r, const monitor_judged *row, int sign, fw_error *err)
{
    const bool two = r->shape.n_classes == 2;
    double loss = 0;
    if (!monitor_judged_log_loss(&loss, &r->shape, row)) return FW_OK;
    for (size_t i = 0; i < r->n_scores; i++) {
        const bool hit = row->truth == (two ? r->shape.positive : i);
        places_of(r, i, hit)[place_of(row->score[i])] += (uint32_t)sign;
    }
    r->scored += (uint64_t)(int64_t)sign;
    FW_TRY(fw_exact_sum_add(&r->sum[LOSS], sign * loss, err));
    return fw_exact_sum_add(&r->sum[LOSS_SQUARE], sign * loss * loss, err);
}

static fw_status change_classes(monitor_realised *r, const monitor_judged *row, int sign, fw_error *err)
{
    const uint64_t one = (uint64_t)(int64_t)sign;
    const bool right = row->said == row->truth;
    if (r->n_counted > 0) {
        r->support[row->truth] += one;
        r->said[row->said] += one;
        r->correct[row->truth] += right ? one : 0;
    }
    r->hits += right ? one : 0;
    return change_scores(r, row, sign, err);
}

static fw_status change_errors(monitor_realised *r, const monitor_judged *row, int sign, fw_error *err)
{
    const double e = fabs(row->value - row->actual), square = e * e, fourth = square * square;
    if (!isfinite(fourth)) return fw_fail(err, FW_ERR_NUMERIC, "outcome %g of a prediction of %g: the error is too large to be squared twice", row->actual, row->value);
    FW_TRY(fw_exact_sum_add(&r->sum[ABSOLUTE], sign * e, err));
    FW_TRY(fw_exact_sum_add(&r->sum[SQUARE], sign * square, err));
    return fw_exact_sum_add(&r->sum[FOURTH], sign * fourth, err);
}

static fw_status change(monitor_realised *r, const monitor_judged *row, int sign, fw_error *err)
{
    FW_TRY(r->shape.task == FW_TASK_REGRESSION ? change_errors(r, row, sign, err) : change_classes(r, row, sign, err));
    r->rows += (uint64_t)(int64_t)sign;
    r->lag += (uint64_t)((int64_t)lag_of(row) * sign);
    return FW_OK;
}

fw_status monitor_realised_add(monitor_realised *r, const monitor_judged *row, fw_error *err) { return change(r, row, 1, err); }
fw_status monitor_realised_take_out(monitor_realised *r, const monitor_judged *row, fw_error *err) { return change(r, row, -1, err); }

/* ---- figures ------------------------------------------------------------------------------------------------------------------------------ */

uint64_t monitor_realised_rows(const monitor_realised *r) { return r->rows; }
double   monitor_realised_lag(const monitor_realised *r) { return r->rows > 0 ? (double)r->lag / LAG_UNITS / (double)r->rows : NAN; }

static double mean_of(const monitor_realised *r, sum_of which, uint64_t n) { return n > 0 ? fw_exact_sum_value(&r->sum[which]) / (double)n : 0; }

static fw_interval area_of(const monitor_realised *r, size_t score)
{
    uint64_t hit[MONITOR_SCORE_PLACES], other[MONITOR_SCORE_PLACES];
    for (size_t i = 0; i < MONITOR_SCORE_PLACES; i++) {
        other[i] = places_of(r, score, false)[i];
        hit[i] = places_of(r, score, true)[i];
    }
    return fw_interval_auc(hit, other, MONITOR_SCORE_PLACES);
}

/* The mean over scores that have one; an area without an interval has the widest. */
static fw_interval mean_area(const monitor_realised *r)
{
    fw_interval mean = {0};
    double n = 0;
    for (size_t i = 0; i < r->n_scores; i++) {
        const fw_interval a = area_of(r, i);
        if (isnan(a.value)) continue;
        mean.value += a.value;
        mean.low += isnan(a.low) ? 0 : a.low;
        mean.high += isnan(a.high) ? 1 : a.high;
        n++;
    }
    return n > 0 ? (fw_interval){mean.value / n, mean.low / n, mean.high / n} : FW_INTERVAL_NONE;
}

static void figures_of_two(fw_qualities *q, const monitor_realised *r)
{
    const size_t k = r->shape.positive;
    const uint64_t tp = r->correct[k];
    q->of[FW_QUALITY_PRECISION] = fw_interval_share(tp, r->said[k]);
    q->of[FW_QUALITY_RECALL] = fw_interval_share(tp, r->support[k]);
    q->of[FW_QUALITY_F1] = fw_interval_f1(tp, r->said[k] + r->support[k] - 2 * tp);
}

fw_qualities monitor_realised_figures(const monitor_realised *r)
{
    fw_qualities q = fw_qualities_none();
    if (r->rows == 0) return q;
    if (r->shape.task == FW_TASK_REGRESSION) {
        q.of[FW_QUALITY_MAE] = fw_interval_mean(mean_of(r, ABSOLUTE, r->rows), mean_of(r, SQUARE, r->rows), r->rows);
        q.of[FW_QUALITY_RMSE] = fw_interval_root(mean_of(r, SQUARE, r->rows), mean_of(r, FOURTH, r->rows), r->rows);
        return q;
    }
    q.of[FW_QUALITY_ACCURACY] = fw_interval_share(r->hits, r->rows);
    if (r->n_counted == 2) figures_of_two(&q, r);
    if (r->n_counted > 2) q.of[FW_QUALITY_MACRO_F1] = fw_interval_macro_f1(r->correct, r->support, r->said, r->n_counted);
    if (r->scored == 0) return q;
    q.of[FW_QUALITY_AUC] = mean_area(r);
    q.of[FW_QUALITY_LOG_LOSS] = fw_interval_mean(mean_of(r, LOSS, r->scored), mean_of(r, LOSS_SQUARE, r->scored), r->scored);
    return q;
}

/* ---- bytes: task, classes, positive | rows, scored, hits, lag | counts of classes | places that hold rows: how many, then place << 32 | rows | limbs; no rows: none behind
 *      lag ---- */

static size_t n_places(const monitor_realised *r) { return r->n_scores * 2 * MONITOR_SCORE_PLACES; }

void monitor_realised_save(const monitor_realised *r, fw_text *out)
{
    const uint64_t head[] = {r->shape.task, r->shape.n_classes, r->shape.positive, r->rows, r->scored, r->hits, r->lag};
    uint64_t used = 0;
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) monitor_put_word(out, head[i]);
    if (r->rows == 0) return;
    for (size_t i = 0; i < 3 * r->n_counted; i++) monitor_put_word(out, r->support[i]);
    for (size_t i = 0; i < n_places(r); i++) used += r->place[i] > 0;
    monitor_put_word(out, used);
    for (size_t i = 0; i < n_places(r); i++)
        if (r->place[i] > 0) monitor_put_word(out, (uint64_t)i << 32 | r->place[i]);
    for (size_t k = 0; k < N_SUMS; k++) {
        fw_exact_sum sum = r->sum[k];
        fw_exact_sum_normalize(&sum);
        for (size_t i = 0; i < FW_EXACT_LIMBS; i++) monitor_put_word(out, (uint64_t)sum.limb[i]);
    }
}

static bool take_places(monitor_realised *r, monitor_words *in)
{
    uint64_t used = 0, word = 0;
    if (!monitor_take_word(in, &used) || used > n_places(r)) return false;
    for (uint64_t i = 0; i < used; i++) {
        if (!monitor_take_word(in, &word) || word >> 32 >= n_places(r)) return false;
        r->place[word >> 32] = (uint32_t)word;
    }
    return true;
}

/* Of a normalized sum: every limb but the last in [0, 2^32). */
static bool take_sums(monitor_realised *r, monitor_words *in)
{
    for (size_t k = 0; k < N_SUMS; k++)
        for (size_t i = 0; i < FW_EXACT_LIMBS; i++) {
            uint64_t word = 0;
            if (!monitor_take_word(in, &word) || (i + 1 < FW_EXACT_LIMBS && word >> 32 != 0)) return false;
            r->sum[k].limb[i] = (int64_t)word;
        }
    return true;
}

static bool take_all(monitor_realised *r, monitor_words *in)
{
    uint64_t head[7];
    for (size_t i = 0; i < 7; i++)
        if (!monitor_take_word(in, &head[i])) return false;
    if (head[0] != r->shape.task || head[1] != r->shape.n_classes || head[2] != r->shape.positive || head[4] > head[3] || head[5] > head[3]) return false;
    r->rows = head[3];
    r->scored = head[4];
    r->hits = head[5];
    r->lag = head[6];
    if (r->rows == 0 && in->left == 0) return true;
    for (size_t i = 0; i < 3 * r->n_counted; i++)
        if (!monitor_take_word(in, &r->support[i]) || r->support[i] > r->rows) return false;
    return take_places(r, in) && take_sums(r, in);
}

fw_status monitor_realised_restore(monitor_realised *r, monitor_words *in, fw_error *err)
{
    if (take_all(r, in)) return FW_OK;
    monitor_realised_reset(r);
    return fw_fail(err, FW_ERR_DATA, "outcomes: the saved state of a window is damaged, or of another model");
}
