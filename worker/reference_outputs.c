#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/stats/metrics.h"
#include "worker/reference.h"

#define READ_ROWS    4096
#define CHUNK_ROWS   1000        /* of a chunk when there are ten of them */
#define CHUNKS_LEAST 10
#define CHUNK_LEAST  30
#define RANKED       FW_REFERENCE_MAX_SCORES   /* classes up to which auc and average_precision are: each sorts the rows once a class */
#define MAX_OUTPUTS  (2 + FW_REFERENCE_MAX_SCORES)

/* The rows that are judged, with what the model says. */
typedef struct outputs {
    const fw_model *m;
    fw_split split;
    size_t n, k;                   /* rows; n_out */
    float *p;                      /* (n, k) */
    double *value, *truth;         /* (n) regression */
    int32_t *label, *said;         /* (n) classification */
    double *column;                /* (n) one column of outputs */
    size_t score[FW_REFERENCE_MAX_SCORES], n_scores;       /* classes with a column */
    size_t positive;               /* of two */
    fw_bins bins[MAX_OUTPUTS]; size_t n_bins;
} outputs;

/* ---- predicting ------------------------------------------------------------------------------------------------------------------------- */

static bool classifies(const outputs *o) { return o->m->task == FW_TASK_CLASSIFICATION; }

/* The first split that has rows, by how little the model has seen of it. */
static fw_split split_of(const fw_dataset *d)
{
    if (fw_dataset_rows(d, FW_VALIDATION) > 0) return FW_VALIDATION;
    return fw_dataset_rows(d, FW_TEST) > 0 ? FW_TEST : FW_TRAIN;
}

static size_t rows_of(const outputs *o, const fw_dataset *d)
{
    const uint64_t work = FW_MAX(WORKER_REFERENCE_WORK / o->m->net.n_params, WORKER_REFERENCE_FEWEST);
    const uint64_t room = FW_MAX(WORKER_REFERENCE_OUT / o->k, UINT64_C(1));
    return (size_t)FW_MIN(FW_MIN(WORKER_REFERENCE_ROWS, fw_dataset_rows(d, o->split)), FW_MIN(work, room));
}

static fw_status make_room(outputs *o, fw_error *err)
{
    FW_TRY(fw_alloc_zeroed((void **)&o->p, o->n * o->k, sizeof *o->p, "reference", err));
    FW_TRY(fw_alloc_zeroed((void **)&o->value, o->n, sizeof *o->value, "reference", err));
    FW_TRY(fw_alloc_zeroed((void **)&o->truth, o->n, sizeof *o->truth, "reference", err));
    FW_TRY(fw_alloc_zeroed((void **)&o->label, o->n, sizeof *o->label, "reference", err));
    FW_TRY(fw_alloc_zeroed((void **)&o->said, o->n, sizeof *o->said, "reference", err));
    return fw_alloc_zeroed((void **)&o->column, o->n, sizeof *o->column, "reference", err);
}

static fw_status take_truth(outputs *o, const fw_block *block, size_t first, fw_error *err)
{
    const fw_cells *target = &block->cells[block->schema->target];
    for (size_t i = 0; i < block->n_rows; i++) {
        if (target->missing[i]) return fw_fail(err, FW_ERR_DATA, "row %llu: the target is missing", (unsigned long long)block->row[i]);
        if (!classifies(o)) {
            o->truth[first + i] = target->number[i];
            continue;
        }
        const float *p = o->p + (first + i) * o->k;
        o->label[first + i] = target->code[i];
        for (size_t c = 1; c < o->k; c++)
            if (p[c] > p[o->said[first + i]]) o->said[first + i] = (int32_t)c;
    }
    return FW_OK;
}

static fw_status predict(outputs *o, fw_dataset *d, fw_error *err)
{
    FW_AUTO(fw_block) *block = NULL;
    FW_FREE bool *wanted = NULL;
    const fw_schema *schema = o->m->schema;
    FW_TRY(fw_block_create(&block, schema, READ_ROWS, err));
    FW_TRY(fw_alloc_zeroed((void **)&wanted, schema->n_columns, sizeof *wanted, "columns", err));
    memcpy(wanted, fw_pipeline_wanted(o->m->pipeline), schema->n_columns * sizeof *wanted);
    wanted[schema->target] = true;
    for (size_t first = 0; first < o->n; first += block->n_rows) {
        worker_tick();
        FW_TRY(fw_dataset_read(d, o->split, first, FW_MIN(o->n - first, (size_t)READ_ROWS), wanted, block, err));
        FW_TRY(fw_model_predict(o->m, block, 0, block->n_rows, o->p + first * o->k, classifies(o) ? NULL : o->value + first, NULL, err));
        FW_TRY(take_truth(o, block, first, err));
    }
    return FW_OK;
}

/* ---- bins ------------------------------------------------------------------------------------------------------------------------------- */

/* Classes by how many rows are of them, the lower code first among equals; the first n of them in the order of their codes. */
static size_t frequent(size_t *out, size_t most, const uint64_t *count, size_t n)
{
    size_t kept = 0;
    if (n <= most) {
        for (; kept < n; kept++) out[kept] = kept;
        return n;
    }
    for (size_t c = 0; c < n; c++) {
        size_t rarest = 0;
        for (size_t k = 1; kept == most && k < kept; k++)
            if (count[out[k]] <= count[out[rarest]]) rarest = k;
        if (kept == most && count[out[rarest]] >= count[c]) continue;
        if (kept == most) memmove(out + rarest, out + rarest + 1, (--kept - rarest) * sizeof *out);
        out[kept++] = c;
    }
    return kept;
}

static void choose_scores(outputs *o, const uint64_t *rows_of_class)
{
    const size_t longest = FW_BINS_NAME_BYTES - strlen(FW_REFERENCE_SCORE);
    size_t chosen[FW_REFERENCE_MAX_SCORES], n = frequent(chosen, FW_REFERENCE_MAX_SCORES, rows_of_class, o->k);
    for (size_t i = 0; i < n; i++) {
        const bool fits = strlen(fw_model_class_name(o->m, chosen[i])) <= longest;
        if (fits && (o->k > 2 || chosen[i] == o->positive)) o->score[o->n_scores++] = chosen[i];
    }
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The column in row order: the confidence, or the score of a class. */
static void take_column(outputs *o, const size_t *class)
{
    for (size_t i = 0; i < o->n; i++) o->column[i] = (double)o->p[i * o->k + (class != NULL ? *class : (size_t)o->said[i])];
}

static fw_status add_bins_of(outputs *o, const char *name, const double *v, fw_error *err)
{
    FW_FREE double *sorted = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&sorted, o->n, sizeof *sorted, "reference", err));
    memcpy(sorted, v, o->n * sizeof *sorted);
    qsort(sorted, o->n, sizeof *sorted, ascending);
    return fw_bins_of_values(&o->bins[o->n_bins++], name, FW_BINS_SCORE, sorted, o->n, err);
}

static fw_status add_classes(outputs *o, const uint64_t *said, fw_error *err)
{
    size_t chosen[FW_REFERENCE_MAX_CLASSES], n = frequent(chosen, FW_REFERENCE_MAX_CLASSES, said, o->k), kept = 0;
    const char *label[FW_REFERENCE_MAX_CLASSES];
    for (size_t i = 0; i < n; i++) {
        label[kept] = fw_model_class_name(o->m, chosen[i]);
        kept += strlen(label[kept]) <= FW_BINS_NAME_BYTES;
    }
    return fw_bins_of_labels(&o->bins[o->n_bins++], FW_REFERENCE_PREDICTION, FW_BINS_CLASS, label, kept, err);
}

static fw_status make_bins(outputs *o, fw_error *err)
{
    FW_FREE uint64_t *rows = NULL;
    FW_FREE uint64_t *said = NULL;
    if (!classifies(o)) return add_bins_of(o, FW_REFERENCE_PREDICTION, o->value, err);
    FW_TRY(fw_alloc_zeroed((void **)&rows, o->k, sizeof *rows, "reference", err));
    FW_TRY(fw_alloc_zeroed((void **)&said, o->k, sizeof *said, "reference", err));
    for (size_t i = 0; i < o->n; i++) {
        rows[o->label[i]]++;
        said[o->said[i]]++;
    }
    choose_scores(o, rows);
    FW_TRY(add_classes(o, said, err));
    take_column(o, NULL);
    FW_TRY(add_bins_of(o, FW_REFERENCE_CONFIDENCE, o->column, err));
    for (size_t i = 0; i < o->n_scores; i++) {
        FW_AUTO(fw_text) name = {0};
        worker_tick();
        fw_text_format(&name, FW_REFERENCE_SCORE "%s", fw_model_class_name(o->m, o->score[i]));
        FW_TRY(fw_text_check(&name, err));
        take_column(o, &o->score[i]);
        FW_TRY(add_bins_of(o, name.data, o->column, err));
    }
    return FW_OK;
}

/* ---- counts ----------------------------------------------------------------------------------------------------------------------------- */

static void count_hits(const outputs *o, fw_reference *r, size_t column, const size_t *class)
{
    const fw_bins *b = fw_summary_bins(r->summary, column);
    uint64_t *hit = fw_reference_hits(r, column);
    for (size_t i = 0; i < o->n; i++) hit[fw_bins_find(b, o->column[i])] += class != NULL ? o->label[i] == (int32_t)*class : o->label[i] == o->said[i];
}

static fw_status count_outputs(outputs *o, fw_reference *r, fw_error *err)
{
    const size_t first = r->n_features;
    if (!classifies(o)) {
        fw_summary_add_numbers(r->summary, first, o->value, NULL, o->n);
        return FW_OK;
    }
    FW_TRY(fw_summary_map_codes(r->summary, first, o->m->schema->columns[o->m->schema->target].dict, err));
    fw_summary_add_codes(r->summary, first, o->said, o->n);
    for (size_t i = 0; i <= o->n_scores; i++) {
        const size_t *class = i > 0 ? &o->score[i - 1] : NULL;
        take_column(o, class);
        fw_summary_add_numbers(r->summary, first + 1 + i, o->column, NULL, o->n);
        count_hits(o, r, first + 1 + i, class);
    }
    return FW_OK;
}

/* Means over the rows of each bin, in their order: the same bits on any number of ranks. Errors whose fourth power is no double: they are left out. */
static fw_status add_errors(const outputs *o, fw_reference *r, fw_error *err)
{
    double mean[3][FW_BINS_CUTS + 1] = {{0}}, rows[FW_BINS_CUTS + 1] = {0};
    const fw_bins *b = fw_summary_bins(r->summary, r->n_features);
    if (classifies(o)) return FW_OK;
    for (size_t i = 0; i < o->n; i++) {
        const size_t at = fw_bins_find(b, o->value[i]);
        const double e = fabs(o->value[i] - o->truth[i]), of[3] = {e, e * e, e * e * (e * e)};
        if (at >= fw_bins_n(b)) continue;
        if (!isfinite(of[2])) return FW_OK;
        rows[at]++;
        for (size_t k = 0; k < 3; k++) mean[k][at] += (of[k] - mean[k][at]) / rows[at];
    }
    return fw_reference_set_errors(r, mean[0], mean[1], mean[2], fw_bins_n(b), err);
}

static fw_status count_features(fw_reference *r, const fw_summary *features, fw_error *err)
{
    for (size_t i = 0; i < r->n_features; i++) FW_TRY(fw_summary_add_column(r->summary, i, fw_summary_counts(features, i), err));
    return FW_OK;
}

/* ---- metrics ---------------------------------------------------------------------------------------------------------------------------- */

static fw_predictions rows_from(const outputs *o, size_t first, size_t n)
{
    return (fw_predictions){.task = o->m->task, .n = n, .n_classes = classifies(o) ? o->k : 0, .p = o->p + first * o->k, .label = o->label + first,
                            .value = o->value + first, .truth = o->truth + first, .positive_first = o->positive == 0};
}

/* Mean and deviation over the chunks in which the metric has a value. */
static fw_status over_chunks(const outputs *o, const fw_reference *r, const char *name, double *mean, double *deviation, fw_error *err)
{
    double sum = 0, n = 0;                     /* Welford */
    *mean = *deviation = 0;
    for (uint64_t c = 0; c < r->n_chunks; c++) {
        const fw_predictions part = rows_from(o, (size_t)(c * r->chunk_rows), (size_t)r->chunk_rows);
        double v = 0;
        const fw_status s = fw_metrics_compute_one(&v, &part, name, err);
        if (s == FW_ERR_DATA) continue;
        FW_TRY(s);
        n++;
        const double before = v - *mean;
        *mean += before / n;
        sum += before * (v - *mean);
    }
    if (n > 1) *deviation = sqrt(sum / (n - 1));
    return FW_OK;
}

static fw_status add_metrics(const outputs *o, fw_reference *r, fw_error *err)
{
    const fw_predictions all = rows_from(o, 0, o->n);
    const size_t chunk = FW_MIN((size_t)CHUNK_ROWS, o->n / CHUNKS_LEAST);
    if (chunk >= CHUNK_LEAST) r->chunk_rows = chunk, r->n_chunks = o->n / chunk;
    for (const char *const *name = fw_metrics_names(o->m->task); *name != NULL; name++) {
        double value = 0, mean = 0, deviation = 0;
        const bool sorts = strcmp(*name, "auc") == 0 || strcmp(*name, "average_precision") == 0;
        if (sorts && o->k > RANKED) continue;
        worker_tick();
        const fw_status s = fw_metrics_compute_one(&value, &all, *name, err);
        if (s == FW_ERR_DATA) continue;        /* it has no value on these rows */
        FW_TRY(s);
        FW_TRY(over_chunks(o, r, *name, &mean, &deviation, err));
        FW_TRY(fw_reference_add_metric(r, *name, value, mean, deviation, err));
    }
    return FW_OK;
}

/* ---- all of it --------------------------------------------------------------------------------------------------------------------------- */

static fw_status put_together(fw_reference **out, outputs *o, const worker_features *features, fw_error *err)
{
    const size_t n = fw_summary_n(features->summary);
    FW_AUTO(fw_reference) *r = NULL;
    FW_FREE fw_bins *columns = NULL;           /* shallow: of the features' summary and of o */
    FW_TRY(fw_alloc_zeroed((void **)&columns, n + o->n_bins, sizeof *columns, "reference", err));
    for (size_t i = 0; i < n; i++) columns[i] = *fw_summary_bins(features->summary, i);
    memcpy(columns + n, o->bins, o->n_bins * sizeof *columns);
    FW_TRY(fw_reference_create(&r, columns, n + o->n_bins, n, fw_split_name(o->split), err));
    r->features_left_out = features->left_out;
    r->scores_left_out = classifies(o) && o->k > 2 ? o->k - o->n_scores : 0;
    FW_TRY(count_features(r, features->summary, err));
    FW_TRY(count_outputs(o, r, err));
    FW_TRY(add_errors(o, r, err));
    FW_TRY(add_metrics(o, r, err));
    FW_TRY(fw_reference_check(r, err));
    *out = r;
    r = NULL;
    return FW_OK;
}

fw_status worker_reference_make(fw_reference **out, const worker_task *t, const fw_model *m, fw_error *err)
{
    outputs o = {.m = m, .split = split_of(t->dataset), .k = fw_model_n_out(m)};
    o.n = rows_of(&o, t->dataset);
    if (o.k == 2 && classifies(&o)) o.positive = !fw_text_equal(t->project->problem.positive, fw_model_class_name(m, 0));
    fw_status s = make_room(&o, err);
    if (s == FW_OK) s = predict(&o, t->dataset, err);
    if (s == FW_OK) s = make_bins(&o, err);
    if (s == FW_OK) s = put_together(out, &o, t->features, err);
    for (size_t i = 0; i < MAX_OUTPUTS; i++) fw_bins_destroy(&o.bins[i]);
    free(o.p);
    free(o.value);
    free(o.truth);
    free(o.label);
    free(o.said);
    free(o.column);
    return s;
}
