/** Over- and under-fitting, said only with what shows it: the two curves, the gap between the splits, and the best that needs no features. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/report/words.h"

#define FEW_ROUNDS 4          /* fewer say nothing about a trend */

/** The course of one figure over the rounds, turned so that smaller is better. */
typedef struct course {
    const coord_history_row *rows;
    size_t n;
    bool validation, flipped;
    double range, noise;      /* highest - lowest; median size of a step up or down in the second half */
    size_t best;
    bool finite;
} course;

static double at(const course *c, size_t i)
{
    double v = c->validation ? c->rows[i].validation : c->rows[i].train_loss;
    return c->flipped ? -v : v;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/** False: out of memory. */
static bool measure(course *c)
{
    double low = at(c, 0), high = low;
    c->best = 0;
    c->finite = true;
    for (size_t i = 0; i < c->n; i++) {
        double v = at(c, i);
        if (!isfinite(v)) c->finite = false;
        if (v < at(c, c->best)) c->best = i;
        low = FW_MIN(low, v);
        high = FW_MAX(high, v);
    }
    c->range = high - low;
    size_t first = c->n / 2, n_steps = c->n - first - 1;
    if (n_steps == 0) return true;
    double *steps = calloc(n_steps, sizeof *steps);
    if (steps == NULL) return false;
    for (size_t i = 0; i < n_steps; i++) steps[i] = fabs(at(c, first + i + 1) - at(c, first + i));
    qsort(steps, n_steps, sizeof *steps, ascending);
    c->noise = steps[n_steps / 2];
    free(steps);
    return true;
}

/** Mean over the `width` rounds that end at `end` (exclusive): one round alone is too noisy. */
static double mean_before(const course *c, size_t end, size_t width)
{
    double sum = 0;
    for (size_t i = end - width; i < end; i++) sum += at(c, i);
    return sum / (double)width;
}

static void add_change(fw_text *out, double from, double to)
{
    char a[COORD_FIGURE_TEXT], b[COORD_FIGURE_TEXT];
    coord_figure(a, from);
    coord_figure(b, to);
    fw_text_format(out, "from %s to %s", a, b);
}

typedef enum trend { TREND_UNKNOWN, TREND_WORSENS, TREND_IMPROVES, TREND_SETTLED } trend;

/** Worsens: the best is at least 3 rounds (and a tenth of all) ago, and the mean of the last rounds is worse than it by more than the noise
 *  and than 1 % of the whole range. Improves: the best is in the last quarter, and that gained more than 5 % of the range and more than the noise. */
static trend trend_of(const course *c)
{
    if (c->n < FEW_ROUNDS || !c->finite) return TREND_UNKNOWN;
    size_t behind = c->n - 1 - c->best, width = FW_MAX(c->n / 10, 1);
    double worse = mean_before(c, c->n, width) - at(c, c->best);
    if (behind >= FW_MAX(3, c->n / 10) && worse > 2 * c->noise && worse > 0.01 * c->range) return TREND_WORSENS;
    size_t quarter = FW_MAX(c->n / 4, 1);
    double gained = mean_before(c, c->n - quarter, width) - mean_before(c, c->n, width);
    if (behind < quarter && c->range > 0 && gained > 0.05 * c->range && gained > c->noise / 2) return TREND_IMPROVES;
    return TREND_SETTLED;
}

/** The training loss was no better at the end than when validation was best. */
static bool training_worsened(const course *train, const course *valid)
{
    return at(train, valid->n - 1) >= at(train, valid->best);
}

/** The weights of the rounds after the best one were not kept. */
static bool kept_the_best(const coord_report *r, const course *valid)
{
    return r->kept_round > 0 && r->kept_round <= r->history[valid->best].round;
}

static void worsening_words(fw_text *out, const coord_report *r, const char *metric, const course *train, const course *valid)
{
    const coord_history_row *best = &r->history[valid->best], *last = &r->history[r->n_history - 1];
    fw_text_format(out, "Validation %s was best in round %" PRIu64 " and has got worse since, ", metric, best->round);
    add_change(out, best->validation, last->validation);
    fw_text_format(out, " in round %" PRIu64, last->round);
    if (!training_worsened(train, valid)) {
        fw_text_add(out, ", while the training loss went on falling, ");
        add_change(out, best->train_loss, last->train_loss);
        fw_text_format(out, ": a sign of over-fitting after round %" PRIu64 ". ", best->round);
    } else {
        fw_text_add(out, ", and the training loss has not fallen either: rather a learning rate that is too high than over-fitting. ");
    }
    if (r->kept_round > 0) fw_text_format(out, "The model holds the weights of round %" PRIu64 ". ", r->kept_round);
    if (!training_worsened(train, valid))
        fw_text_format(out, "%sore weight decay or dropout, or more rows to train on, may help. ", kept_the_best(r, valid) ? "M" : "Early stopping, m");
}

static void curves_words(fw_text *out, const coord_report *r, const course *train, const course *valid, trend falling, trend judged)
{
    char metric[COORD_FIGURE_TEXT];
    if (judged == TREND_UNKNOWN) return;
    coord_metric_in_text(metric, r->history_metric);
    uint64_t last = r->history[r->n_history - 1].round;
    size_t quarter = FW_MAX(r->n_history / 4, 1);
    const coord_history_row *then = &r->history[r->n_history - 1 - quarter], *now = &r->history[r->n_history - 1];
    if (judged == TREND_WORSENS) {
        worsening_words(out, r, metric, train, valid);
    } else if (judged == TREND_IMPROVES) {
        fw_text_format(out, "Validation %s was still improving at the end, ", metric);
        add_change(out, then->validation, now->validation);
        fw_text_format(out, " over the last %zu of %zu rounds", quarter, r->n_history);
        fw_text_format(out, "%s: more epochs may help. ", falling == TREND_IMPROVES ? ", and so was the training loss" : "");
    } else if (judged == TREND_SETTLED && falling == TREND_IMPROVES) {
        fw_text_format(out, "Validation %s has settled by round %" PRIu64 " while the training loss still falls, ", metric, last);
        add_change(out, then->train_loss, now->train_loss);
        fw_text_add(out, ": more epochs are not likely to help much. ");
    } else if (judged == TREND_SETTLED) {
        fw_text_format(out, "Training loss and validation %s have both settled by round %" PRIu64 ". ", metric, last);
    }
}

typedef enum gap { GAP_UNKNOWN, GAP_SMALL, GAP_CLEAR, GAP_LARGE } gap;

/** How much worse the split is than the training rows. Scores that end at 1: in points, and against what is missing to 1 on the training
 *  rows; losses and errors: relative to the training value. */
static gap gap_of(double *missing, const coord_report *r, double here)
{
    bool smaller = fw_metrics_smaller_is_better(r->history_metric);
    *missing = smaller ? here - r->train_metric : r->train_metric - here;
    if (smaller) {
        double relative = *missing / FW_MAX(fabs(r->train_metric), 1e-6);
        return relative > 0.25 ? GAP_LARGE : relative > 0.08 ? GAP_CLEAR : GAP_SMALL;
    }
    return *missing > 0.05 ? GAP_LARGE : *missing > 0.02 ? GAP_CLEAR : GAP_SMALL;
}

/** Two standard errors of a share measured on n rows: below it chance alone explains a gap. */
static bool may_be_chance(const coord_report *r, double missing, double here)
{
    return strcmp(r->history_metric, "accuracy") == 0 && fabs(missing) < 2 * sqrt(FW_MAX(here * (1 - here), 0.0) / (double)r->metrics->n);
}

static gap gap_words(fw_text *out, const coord_report *r)
{
    static const char *const sizes[] = {"", "a small gap", "a clear gap", "a large gap"};
    double here = 0, missing = 0;
    if (!r->has_train_metric || r->history_metric == NULL || fw_metrics_get(&here, r->metrics, r->history_metric, NULL, NULL) < 0) return GAP_UNKNOWN;
    gap g = gap_of(&missing, r, here);
    char a[COORD_FIGURE_TEXT], b[COORD_FIGURE_TEXT];
    coord_figure(a, r->train_metric);
    coord_figure(b, here);
    fw_text_format(out, "%s is %s on the training rows and %s on the %s split: ", coord_metric_title(r->history_metric), a, b, r->split);
    if (missing < 0) fw_text_add(out, "no worse on rows it has not learned from. ");
    else if (may_be_chance(r, missing, here)) {
        fw_text_format(out, "%s, no more than chance alone can give with %zu rows. ", sizes[g], r->metrics->n);
        g = GAP_SMALL;
    } else {
        fw_text_format(out, "%s%s. ", sizes[g], g == GAP_LARGE ? ", a sign of over-fitting" : "");
    }
    return g;
}

/** Log loss of always saying the shares of the classes, whatever the row: their entropy. */
static double log_loss_of_shares(const fw_metrics *m)
{
    double entropy = 0;
    for (size_t c = 0; c < m->n_classes; c++) {
        double share = (double)m->per_class[c].support / (double)m->n;
        if (share > 0) entropy -= share * log(share);
    }
    return entropy;
}

/** Says so when the model is hardly better than one that looks at no feature. A log loss alone is not enough for it: with class weights it
 *  may be high though the ranking is good. True: it is so. */
static bool hardly_better(fw_text *out, const coord_report *r)
{
    const fw_metrics *m = r->metrics;
    char here[COORD_FIGURE_TEXT], plain[COORD_FIGURE_TEXT];
    if (m->task == FW_TASK_REGRESSION) {
        if (m->r2 >= 0.05) return false;
        coord_figure(here, m->r2);
        fw_text_format(out, "R\u00b2 is %s, and always saying the mean would have 0: ", here);
        return true;
    }
    double shares = log_loss_of_shares(m);
    if (shares == 0 || m->log_loss < 0.97 * shares || !m->has_auc || m->auc > 0.6) return false;
    coord_figure(here, m->log_loss);
    coord_figure(plain, shares);
    fw_text_format(out, "Log loss is %s, and always saying the shares of the classes would have %s; ", here, plain);
    coord_figure(here, m->auc);
    fw_text_format(out, "AUC is %s, and guessing would have 0.5: ", here);
    return true;
}

/** What the curves and the gap say together. The gap is of the model that is kept; the curves are of the training as a whole. */
static const char *verdict(gap g, trend judged, bool worsened, bool kept_best, bool poor)
{
    bool over = judged == TREND_WORSENS && !worsened;
    if (judged == TREND_WORSENS && worsened) return "Training became unstable. ";
    if (poor && g != GAP_LARGE && g != GAP_CLEAR && !over) return "Signs of under-fitting. ";
    if (g == GAP_LARGE || (over && g == GAP_UNKNOWN && !kept_best)) return "Signs of over-fitting. ";
    if (over && kept_best && g != GAP_CLEAR) return "The last rounds over-fitted and were not kept. ";
    if (g == GAP_CLEAR || over) return "Some signs of over-fitting. ";
    if (judged == TREND_IMPROVES) return "Not trained to the end. ";
    if (g == GAP_SMALL || judged == TREND_SETTLED) return "No sign of over-fitting or under-fitting. ";
    return "Over- and under-fitting cannot be judged: ";
}

static void add_missing_evidence(fw_text *out, const coord_report *r, bool judged)
{
    if (r->n_history >= FEW_ROUNDS && r->history_metric != NULL) return;
    const char *and_so = judged ? ". " : ", and the metric on the training rows is not at hand. ";
    if (r->history_metric == NULL) {
        if (!judged) fw_text_format(out, "no validation was made while training%s", and_so);
    } else {
        fw_text_format(out, "%zu round%s no trend yet%s", r->n_history, r->n_history == 1 ? " shows" : "s show", and_so);
    }
}

char *coord_report_fit_words(const coord_report *r)
{
    FW_AUTO(fw_text) evidence = {0};
    FW_AUTO(fw_text) out = {0};
    course train = {.rows = r->history, .n = r->n_history};
    course valid = {.rows = r->history, .n = r->n_history, .validation = true};
    trend falling = TREND_UNKNOWN, judged = TREND_UNKNOWN;
    if (r->n_history > 0 && r->history_metric != NULL) {
        valid.flipped = !fw_metrics_smaller_is_better(r->history_metric);
        if (!measure(&train) || !measure(&valid)) return NULL;
        falling = trend_of(&train);
        judged = trend_of(&valid);
        curves_words(&evidence, r, &train, &valid, falling, judged);
    }
    gap g = gap_words(&evidence, r);
    bool poor = hardly_better(&evidence, r), over = judged == TREND_WORSENS || g == GAP_LARGE || g == GAP_CLEAR;
    if (poor) fw_text_add(&evidence, over ? "what it learned does not carry over to new rows. " : "the features, or a model this small, say too little about the target. ");

    bool worsens = judged == TREND_WORSENS;
    fw_text_add(&out, verdict(g, judged, worsens && training_worsened(&train, &valid), worsens && kept_the_best(r, &valid), poor));
    add_missing_evidence(&out, r, g != GAP_UNKNOWN || poor);
    if (evidence.len > 0) fw_text_add(&out, evidence.data);
    while (out.len > 0 && out.data[out.len - 1] == ' ') out.data[--out.len] = '\0';
    return fw_text_take(&out);
}
