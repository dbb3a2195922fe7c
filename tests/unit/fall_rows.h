/** Rows of a model in use whose quality can be made to fall, and the reference of such a model: for the test of monitor/fall.h and its benchmark. Include behind cmocka.h. */
#ifndef FW_TESTS_FALL_ROWS_H
#define FW_TESTS_FALL_ROWS_H

#include "common/core/size.h"
#include "monitor/fall.h"
#include "tests/unit/drift_columns.h"

enum { FALL_CLASSES = 3, FALL_BINS = 32 };

/** n_classes 2: scores are calibrated, 0.857 of the rows are right; 3: a softmax of three; 0: a regression with errors of the normal law, sigma 1. */
typedef struct fall_row { monitor_judged judged; float score[FALL_CLASSES]; } fall_row;

static inline monitor_shape fall_shape(size_t n_classes)
{
    return (monitor_shape){.task = n_classes > 0 ? FW_TASK_CLASSIFICATION : FW_TASK_REGRESSION, .n_classes = n_classes, .positive = n_classes == 2};
}

/** worse: the share of the rows that have another outcome than they would have; of a regression how much longer an error is. */
static inline void fall_draw(fall_row *r, size_t n_classes, double worse, draws *d)
{
    double sum = 0, at = 0, p[FALL_CLASSES] = {0};
    r->judged = (monitor_judged){.lag_s = 1, .score = n_classes > 0 ? r->score : NULL};
    if (n_classes == 0) {
        r->judged.value = draw_normal(d);
        r->judged.actual = r->judged.value + (1 + worse) * draw_normal(d);
        return;
    }
    for (size_t k = 0; k < n_classes; k++) sum += p[k] = exp(2.5 * draw_normal(d));
    const double u = draw_unit(d);
    for (size_t k = 0; k < n_classes; k++) {
        p[k] /= sum;
        if (p[k] > p[r->judged.said]) r->judged.said = (uint32_t)k;
        if (u > at) r->judged.truth = (uint32_t)k;
        at += p[k];
    }
    if (n_classes == 2) r->score[0] = (float)p[1];
    else
        for (size_t k = 0; k < n_classes; k++) r->score[k] = (float)p[k];
    if (draw_unit(d) < worse) r->judged.truth = (r->judged.truth + 1 + (uint32_t)(draw_unit(d) * (double)(n_classes - 1))) % (uint32_t)n_classes;
}

static inline void fall_must(fw_status s, const fw_error *err)
{
    if (s >= 0) return;
    fprintf(stderr, "fall_rows: %s\n", err->text);
    abort();
}

/** Equal bins of scores, or of a regression's prediction. */
static inline void fall_cuts(fw_bins *b, const char *name, double from, double to)
{
    fw_error err = {0};
    double cut[FALL_BINS - 1], centre[FALL_BINS];
    for (size_t i = 0; i < FALL_BINS; i++) {
        centre[i] = from + (to - from) * ((double)i + 0.5) / FALL_BINS;
        if (i > 0) cut[i - 1] = from + (to - from) * (double)i / FALL_BINS;
    }
    fall_must(fw_bins_of_cuts(b, name, FW_BINS_SCORE, cut, FALL_BINS - 1, centre, &err), &err);
}

static inline size_t fall_columns(fw_bins *b, size_t n_classes)
{
    static const char *const labels[] = {"a", "b", "c"}, *const scores[] = {FW_REFERENCE_SCORE "a", FW_REFERENCE_SCORE "b", FW_REFERENCE_SCORE "c"};
    fw_error err = {0};
    memset(b, 0, (2 + FALL_CLASSES) * sizeof *b);
    if (n_classes == 0) return fall_cuts(&b[0], FW_REFERENCE_PREDICTION, -4, 4), 1;
    fall_must(fw_bins_of_labels(&b[0], FW_REFERENCE_PREDICTION, FW_BINS_CLASS, labels, n_classes, &err), &err);
    fall_cuts(&b[1], FW_REFERENCE_CONFIDENCE, 0, 1);
    if (n_classes == 2) return fall_cuts(&b[2], scores[1], 0, 1), 3;
    for (size_t k = 0; k < n_classes; k++) fall_cuts(&b[2 + k], scores[k], 0, 1);
    return 2 + n_classes;
}

/** One row into counts and hits of the output columns, which stand one behind the other. */
static inline void fall_count(uint64_t *count, uint64_t *hits, const fw_bins *b, size_t n_classes, const fall_row *r)
{
    size_t at = fw_bins_counts(&b[0]);
    count[fw_bins_find(&b[0], n_classes > 0 ? (double)r->judged.said : r->judged.value)]++;
    if (n_classes == 0) return;
    const double sure = n_classes > 2 ? r->score[r->judged.said] : r->judged.said == 1 ? r->score[0] : 1 - r->score[0];
    const size_t place = at + fw_bins_find(&b[1], sure);
    count[place]++;
    hits[place] += r->judged.said == r->judged.truth;
    for (size_t k = 0; k < (n_classes == 2 ? 1 : n_classes); k++) {
        at += fw_bins_counts(&b[1]);
        const size_t i = at + fw_bins_find(&b[2 + k], r->score[k]);
        count[i]++;
        hits[i] += r->judged.truth == (n_classes == 2 ? 1 : k);
    }
}

static inline void fall_metrics(fw_reference *ref, const monitor_realised *all, const fw_qualities *chunk, size_t n_chunks)
{
    fw_error err = {0};
    const fw_qualities q = monitor_realised_figures(all);
    for (fw_quality_metric m = 0; m < FW_N_QUALITIES; m++) {
        double mean = 0, square = 0;
        if (isnan(q.of[m].value)) continue;
        for (size_t i = 0; i < n_chunks; i++) mean += chunk[i].of[m].value / (double)n_chunks;
        for (size_t i = 0; i < n_chunks; i++) square += pow(chunk[i].of[m].value - mean, 2);
        fall_must(fw_reference_add_metric(ref, fw_quality_name(m), q.of[m].value, n_chunks > 0 ? mean : 0, n_chunks > 1 ? sqrt(square / (double)(n_chunks - 1)) : 0, &err), &err);
    }
}

/** The reference of so many rows, drawn by d; chunks as worker/reference_outputs.c makes them. */
static inline fw_reference *fall_reference(size_t n_classes, size_t rows, draws *d)
{
    fw_bins b[2 + FALL_CLASSES];
    fw_error err = {0};
    fw_reference *ref = NULL;
    fw_qualities chunk[1001];
    uint64_t count[(2 + FALL_CLASSES) * (FALL_BINS + 2)] = {0}, hits[sizeof count / sizeof *count] = {0};
    double moment[3][FALL_BINS] = {{0}};
    const size_t columns = fall_columns(b, n_classes), chunk_rows = FW_MIN((size_t)1000, rows / 10), n_chunks = chunk_rows >= 30 ? FW_MIN(rows / chunk_rows, (size_t)1000) : 0;
    const monitor_shape shape = fall_shape(n_classes);
    monitor_realised *all = NULL, *part = NULL;
    fall_must(monitor_realised_create(&all, &shape, &err), &err);
    fall_must(monitor_realised_create(&part, &shape, &err), &err);
    for (size_t i = 0; i < rows; i++) {
        fall_row r = {0};
        fall_draw(&r, n_classes, 0, d);
        fall_count(count, hits, b, n_classes, &r);
        fall_must(monitor_realised_add(all, &r.judged, &err), &err);
        fall_must(monitor_realised_add(part, &r.judged, &err), &err);
        if (n_classes == 0)
            for (size_t k = 0; k < 3; k++) moment[k][fw_bins_find(&b[0], r.judged.value)] += pow(fabs(r.judged.value - r.judged.actual), k == 0 ? 1 : 2 * (double)k);
        if (n_chunks == 0 || (i + 1) % chunk_rows != 0) continue;
        chunk[FW_MIN(i / chunk_rows, (size_t)1000)] = monitor_realised_figures(part);
        monitor_realised_reset(part);
    }
    fall_must(fw_reference_create(&ref, b, columns, 0, "validation", &err), &err);
    for (size_t i = 0, at = 0; i < columns; at += fw_bins_counts(&b[i++])) {
        fall_must(fw_summary_add_column(ref->summary, i, count + at, &err), &err);
        memcpy(fw_reference_hits(ref, i), hits + at, fw_bins_counts(&b[i]) * sizeof *hits);
    }
    for (size_t i = 0; n_classes == 0 && i < FALL_BINS; i++)
        for (size_t k = 0; k < 3; k++) moment[k][i] /= FW_MAX((double)count[i], 1.0);
    if (n_classes == 0) fall_must(fw_reference_set_errors(ref, moment[0], moment[1], moment[2], FALL_BINS, &err), &err);
    if (n_chunks > 0) ref->chunk_rows = chunk_rows, ref->n_chunks = n_chunks;
    fall_metrics(ref, all, chunk, n_chunks);
    for (size_t i = 0; i < columns; i++) fw_bins_destroy(&b[i]);
    monitor_realised_destroy(&all);
    monitor_realised_destroy(&part);
    return ref;
}

static inline monitor_fall *fall_of(const fw_reference *r, size_t n_classes, const monitor_performance_opts *o)
{
    fw_error err = {0};
    monitor_fall *f = NULL;
    const monitor_shape shape = fall_shape(n_classes);
    fall_must(monitor_fall_create(&f, o, &shape, r, &err), &err);
    return f;
}

static inline void fall_feed(monitor_fall *f, size_t n_classes, double worse, size_t rows, draws *d)
{
    fw_error err = {0};
    for (size_t i = 0; i < rows; i++) {
        fall_row r = {0};
        fall_draw(&r, n_classes, worse, d);
        fall_must(monitor_fall_take(f, &r.judged, &err), &err);
    }
}

#endif
