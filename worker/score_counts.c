#include "worker/score_counts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/size.h"

#define MODEL_EVERY_S  10.0
#define WINDOW_S       1.0
#define PASS_ON_S      0.5

/* ---- counting: every rank ------------------------------------------------------------------------------------------------------------------- */

struct worker_counts {
    const fw_model *m;
    fw_summary *summary;
    size_t n_features;
    size_t *column;                /* (n_features) of the block */
    size_t *class;                 /* of each score column, from the third output on */
    int32_t *said;                 /* (rows) */
    double *confidence;            /* (rows) */
    fw_times times;                /* of the rows */
    uint64_t pending, share;       /* rows since they were taken; at which they are due */
    fw_mono taken;
};

/* The reference's columns that may be told of. *own, if one was made, is the caller's. */
static fw_status told_reference(const fw_reference **out, fw_reference **own, const fw_model *m, const fw_project *p, fw_error *err)
{
    *out = m->reference;
    if (m->reference == NULL || p->monitor.features != FW_TELL_NONE) return FW_OK;
    FW_TRY(fw_reference_outputs(own, m->reference, err));
    *out = *own;
    return FW_OK;
}

static fw_status find_columns(worker_counts *c, fw_error *err)
{
    const fw_schema *schema = c->m->schema;
    const fw_dict *classes = schema->columns[schema->target].dict;
    const size_t n = fw_summary_n(c->summary);
    FW_TRY(fw_alloc_zeroed((void **)&c->column, n, sizeof *c->column, "counts", err));
    FW_TRY(fw_alloc_zeroed((void **)&c->class, n, sizeof *c->class, "counts", err));
    for (size_t i = 0; i < n; i++) {
        const fw_bins *b = fw_summary_bins(c->summary, i);
        const char *class = fw_reference_score_class(b);
        if (i < c->n_features) c->column[i] = (size_t)fw_schema_find(schema, b->name);                   /* a loaded model was checked for it */
        if (class != NULL) c->class[i] = (size_t)fw_dict_find(classes, class, strlen(class));
        if (b->kind == FW_BINS_CATEGORY) FW_TRY(fw_summary_map_codes(c->summary, i, schema->columns[c->column[i]].dict, err));
        if (b->kind == FW_BINS_CLASS) FW_TRY(fw_summary_map_codes(c->summary, i, classes, err));
    }
    return FW_OK;
}

fw_status worker_counts_create(worker_counts **out, const fw_model *m, const fw_project *p, size_t rows, int ranks, fw_error *err)
{
    FW_AUTO(worker_counts) *c = calloc(1, sizeof *c);
    FW_AUTO(fw_reference) *own = NULL;
    const fw_reference *r = NULL;
    if (c == NULL) return fw_fail(err, FW_ERR_NOMEM, "counts");
    FW_TRY(told_reference(&r, &own, m, p, err));
    FW_TRY(fw_summary_create(&c->summary, fw_summary_bins(r->summary, 0), fw_summary_n(r->summary), err));
    FW_TRY(fw_alloc_zeroed((void **)&c->said, rows, sizeof *c->said, "counts", err));
    FW_TRY(fw_alloc_zeroed((void **)&c->confidence, rows, sizeof *c->confidence, "counts", err));
    c->m = m;
    c->n_features = r->n_features;
    c->share = p->monitor.window_s > 0 ? UINT64_MAX : FW_MAX(p->monitor.window / (uint64_t)ranks, UINT64_C(1));
    c->taken = fw_mono_now();
    FW_TRY(find_columns(c, err));
    *out = c;
    c = NULL;
    return FW_OK;
}

void worker_counts_destroy(worker_counts **counts)
{
    worker_counts *c = *counts;
    if (c == NULL) return;
    fw_summary_destroy(&c->summary);
    free(c->column);
    free(c->class);
    free(c->said);
    free(c->confidence);
    free(c);
    *counts = NULL;
}

/* The class and its probability, as what is written says it. */
static void judge(worker_counts *c, size_t n, const float *p, size_t k)
{
    for (size_t i = 0; i < n; i++, p += k) {
        size_t best = 0;
        for (size_t j = 1; j < k; j++)
            if (p[j] > p[best]) best = j;
        c->said[i] = (int32_t)best;
        c->confidence[i] = (double)p[best];
    }
    fw_summary_add_codes(c->summary, c->n_features, c->said, n);
}

/* Of two classes; no branch depends on the probabilities. */
static void judge_two(worker_counts *c, size_t n, const float *p)
{
    uint32_t second = 0;
    for (size_t i = 0; i < n; i++, p += 2) {
        second += p[1] > p[0];
        c->confidence[i] = (double)FW_MAX(p[0], p[1]);
    }
    fw_summary_add_code(c->summary, c->n_features, 0, n - second);
    fw_summary_add_code(c->summary, c->n_features, 1, second);
}

static void add_classes(worker_counts *c, size_t n, const float *p)
{
    const size_t k = fw_model_n_out(c->m), first = c->n_features;
    if (k == 2) judge_two(c, n, p);
    else judge(c, n, p, k);
    fw_summary_add_numbers(c->summary, first + 1, c->confidence, NULL, n);
    for (size_t i = first + 2; i < fw_summary_n(c->summary); i++) fw_summary_add_floats(c->summary, i, p + c->class[i], k, n);
}

void worker_counts_add(worker_counts *c, const fw_block *block, size_t first, size_t n, const float *p, const double *value)
{
    for (size_t i = 0; i < c->n_features; i++) {
        const fw_cells *cells = &block->cells[c->column[i]];
        if (cells->code != NULL) fw_summary_add_codes(c->summary, i, cells->code + first, n);
        else fw_summary_add_numbers(c->summary, i, cells->number + first, cells->missing + first, n);
    }
    if (c->m->task == FW_TASK_CLASSIFICATION) add_classes(c, n, p);
    else fw_summary_add_numbers(c->summary, c->n_features, value, NULL, n);
    c->pending += n;
}

void worker_counts_took(worker_counts *c, size_t n, int64_t ns) { fw_times_add(&c->times, ns, n); }

bool worker_counts_due(const worker_counts *c)
{
    return c->pending >= c->share || (c->pending > 0 && fw_mono_seconds(c->taken, fw_mono_now()) >= PASS_ON_S);
}

const fw_summary *worker_counts_get(const worker_counts *c, uint64_t *rows, const fw_times **times)
{
    *times = &c->times;
    *rows = c->pending;
    return c->summary;
}

void worker_counts_clear(worker_counts *c)
{
    fw_summary_reset(c->summary);
    c->times = (fw_times){0};
    c->pending = 0;
    c->taken = fw_mono_now();
}

/* ---- values of rows ------------------------------------------------------------------------------------------------------------------------- */

size_t worker_values_columns(size_t column[static FW_REFERENCE_MAX_FEATURES], const fw_model *m, const fw_project *p)
{
    const size_t n = m->reference != NULL && p->monitor.features == FW_TELL_FULL ? m->reference->n_features : 0;
    for (size_t i = 0; i < n; i++) column[i] = (size_t)fw_schema_find(m->schema, fw_summary_bins(m->reference->summary, i)->name);
    return n;
}

void worker_values_take(fw_raw *out, const size_t *column, size_t n, const fw_model *m, const fw_block *block, size_t row)
{
    for (size_t i = 0; i < n; i++) {
        const fw_cells *cells = &block->cells[column[i]];
        const fw_dict *dict = m->schema->columns[column[i]].dict;
        out[i] = (fw_raw){.kind = FW_RAW_MISSING};
        if (cells->missing[row]) continue;
        if (dict == NULL) out[i] = (fw_raw){.kind = FW_RAW_NUMBER, .number = cells->number[row]};
        else if (cells->code[row] < 0) out[i].kind = FW_RAW_UNSEEN;
        else out[i] = (fw_raw){.kind = FW_RAW_TEXT, .text = fw_dict_text(dict, cells->code[row], NULL)};
    }
}

/* ---- telling: rank 0 -------------------------------------------------------------------------------------------------------------------------- */

struct worker_teller {
    const fw_model *m;
    const char *digest;
    fw_telemetry *telemetry;
    worker_put put;
    void *context;
    fw_reference *own;             /* without features, when they may not be told; NULL: the model's */
    fw_summary *window;            /* NULL: the model has no reference */
    fw_times times;                /* of its rows */
    uint64_t rows, most, number;   /* of the window at hand; at which it is full */
    int64_t from_us, length_us;    /* length 0: windows of rows */
    fw_mono opened, told;
    fw_text model_topic, summary_topic, model, packed, batch;      /* model: packed once */
};

static fw_status pack_model(worker_teller *t, const fw_reference *r, fw_error *err)
{
    const size_t k = fw_model_n_classes(t->m);
    FW_FREE const char **classes = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&classes, k, sizeof *classes, "class names", err));
    for (size_t i = 0; i < k; i++) classes[i] = fw_model_class_name(t->m, i);
    const fw_telemetry_model model = {.name = t->m->name, .digest = t->digest, .task = t->m->task, .classes = classes, .n_classes = k, .reference = r};
    return fw_telemetry_pack_model(&t->model, &model, err);
}

static fw_status tell(worker_teller *t, const char *topic, const fw_text *packed, fw_error *err)
{
    FW_TRY(fw_telemetry_wrap(t->telemetry, &t->batch, topic, packed->data, packed->len, 0, err));
    return t->put(t->context, topic, t->batch.data, t->batch.len, err);
}

static fw_status tell_model(worker_teller *t, fw_error *err)
{
    t->told = fw_mono_now();
    return tell(t, t->model_topic.data, &t->model, err);
}

static fw_status set_up(worker_teller *t, const fw_project *p, fw_error *err)
{
    const fw_reference *r = NULL;
    FW_TRY(told_reference(&r, &t->own, t->m, p, err));
    fw_text_format(&t->model_topic, FW_TOPIC_MODEL "%s", t->m->name);
    fw_text_format(&t->summary_topic, FW_TOPIC_SUMMARY "%s", t->m->name);
    FW_TRY(fw_text_check(&t->model_topic, err));
    FW_TRY(fw_text_check(&t->summary_topic, err));
    if (r != NULL) FW_TRY(fw_summary_create(&t->window, fw_summary_bins(r->summary, 0), fw_summary_n(r->summary), err));
    return pack_model(t, r, err);
}

fw_status worker_teller_create(worker_teller **out, const fw_model *m, const char *digest, const fw_project *p, fw_telemetry *telemetry, worker_put put, void *context,
                               fw_error *err)
{
    FW_AUTO(worker_teller) *t = calloc(1, sizeof *t);
    if (t == NULL) return fw_fail(err, FW_ERR_NOMEM, "telemetry");
    t->m = m;
    t->digest = digest;
    t->telemetry = telemetry;
    t->put = put;
    t->context = context;
    t->length_us = llround(p->monitor.window_s * 1e6);
    t->most = t->length_us > 0 ? UINT64_MAX : FW_MAX(p->monitor.window, UINT64_C(1));
    FW_TRY(set_up(t, p, err));
    t->from_us = fw_utc_now_us();
    t->opened = fw_mono_now();
    FW_TRY(tell_model(t, err));
    *out = t;
    t = NULL;
    return FW_OK;
}

void worker_teller_destroy(worker_teller **teller)
{
    worker_teller *t = *teller;
    if (t == NULL) return;
    fw_text *const texts[] = {&t->model_topic, &t->summary_topic, &t->model, &t->packed, &t->batch};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) fw_text_destroy(texts[i]);
    fw_summary_destroy(&t->window);
    fw_reference_destroy(&t->own);
    free(t);
    *teller = NULL;
}

/** Now; not behind the end of the window of time, and not before it began: a clock can be set back. */
static int64_t end_of(const worker_teller *t)
{
    const int64_t now_us = FW_MAX(fw_utc_now_us(), t->from_us);
    if (t->length_us == 0) return now_us;
    return FW_MIN(now_us, (int64_t)(fw_utc_window(t->from_us, t->length_us) + 1) * t->length_us - 1);
}

static fw_status close_window(worker_teller *t, fw_error *err)
{
    const int64_t to_us = end_of(t);
    const fw_telemetry_summary s = {.model = t->m->name, .digest = t->digest, .shape = fw_summary_shape(t->window), .window = ++t->number, .rows = t->rows,
                                    .from_us = t->from_us, .to_us = to_us, .count = fw_summary_counts(t->window, 0), .n = fw_summary_total(t->window),
                                    .latency = t->times.count, .n_latency = FW_TIMES_N};
    fw_text_clear(&t->packed);
    FW_TRY(fw_telemetry_pack_summary(&t->packed, &s, err));
    FW_TRY(tell(t, t->summary_topic.data, &t->packed, err));
    fw_summary_reset(t->window);
    t->times = (fw_times){0};
    t->rows = 0;
    t->from_us = to_us;
    t->opened = fw_mono_now();
    return FW_OK;
}

/** What is counted from now on is of another window of time: a summary lies in one. */
static fw_status turn(worker_teller *t, fw_error *err)
{
    const int64_t now_us = fw_utc_now_us();
    if (t->length_us == 0 || fw_utc_window(now_us, t->length_us) == fw_utc_window(t->from_us, t->length_us)) return FW_OK;
    if (t->rows > 0) FW_TRY(close_window(t, err));
    t->from_us = now_us > t->from_us ? (int64_t)fw_utc_window(now_us, t->length_us) * t->length_us : now_us;
    return FW_OK;
}

fw_status worker_teller_take(worker_teller *t, const uint64_t *count, size_t n, uint64_t rows, const uint64_t *times, fw_error *err)
{
    if (t->window == NULL) return fw_fail(err, FW_ERR_DATA, "telemetry: counts of a model without a reference");
    FW_TRY(turn(t, err));
    FW_TRY(fw_summary_add_counts(t->window, count, n, rows, err));
    fw_times_merge(&t->times, times);
    t->rows += rows;
    return FW_OK;
}

fw_status worker_teller_merge(worker_teller *t, worker_counts *c, fw_error *err)
{
    if (t->window == NULL) return fw_fail(err, FW_ERR_DATA, "telemetry: counts of a model without a reference");
    FW_TRY(turn(t, err));
    FW_TRY(t->rows == 0 ? fw_summary_exchange(t->window, c->summary, err) : fw_summary_merge(t->window, c->summary, err));      /* an empty one for it */
    fw_times_merge(&t->times, c->times.count);
    t->rows += c->pending;
    worker_counts_clear(c);
    return FW_OK;
}

fw_status worker_teller_tick(worker_teller *t, fw_error *err)
{
    const fw_mono now = fw_mono_now();
    if (fw_mono_seconds(t->told, now) >= MODEL_EVERY_S) FW_TRY(tell_model(t, err));
    FW_TRY(turn(t, err));
    if (t->rows >= t->most || (t->rows > 0 && fw_mono_seconds(t->opened, now) >= WINDOW_S)) return close_window(t, err);
    return FW_OK;
}

fw_status worker_teller_finish(worker_teller *t, fw_error *err)
{
    return t->rows > 0 ? close_window(t, err) : FW_OK;
}
