#include "worker/score_encode.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"
#include "proto/telemetry.h"

#define BATCH_ROWS   1024        /* predictions in a telemetry batch: a piece */
#define BATCH_VALUES 16384       /* raw cells in one, where they are told */
#define SAMPLE       UINT64_C(0x73616d706c65)

/* Rows that are told, as columns of `most` rows each. */
struct worker_encoder {
    const fw_model *m;
    const worker_score_opts *opts;
    const char **classes; size_t n_classes;
    size_t most;
    uint64_t *row;
    const char **id;
    uint32_t *label;
    float *p;                                      /* (most, n_classes) */
    double *value;
    size_t column[FW_REFERENCE_MAX_FEATURES], n_values;
    fw_raw *raw;                                   /* (most, n_values) */
};

bool worker_score_writes(const worker_score_opts *o) { return o->output != NULL && o->output[0] != '\0'; }
static bool is_set(const char *text) { return text != NULL && text[0] != '\0'; }
bool worker_score_publishes(const worker_score_opts *o) { return is_set(o->bus) || is_set(o->record); }
bool worker_score_is_csv(const worker_score_opts *o) { return strcmp(o->format, "hdf5") != 0; }

/* ---- life ------------------------------------------------------------------------------------------------------------------------------------ */

static fw_status prepare_telemetry(worker_encoder *e, fw_error *err)
{
    e->n_classes = fw_model_n_classes(e->m);
    FW_TRY(fw_alloc_zeroed((void **)&e->classes, e->n_classes + 1, sizeof *e->classes, "class names", err));
    for (size_t c = 0; c < e->n_classes; c++) e->classes[c] = fw_model_class_name(e->m, c);
    e->n_values = worker_values_columns(e->column, e->m, e->opts->project);
    e->most = FW_MIN((size_t)BATCH_ROWS, FW_MAX(BATCH_VALUES / FW_MAX(e->n_values, (size_t)1), (size_t)1));
    FW_TRY(fw_alloc_zeroed((void **)&e->row, e->most, sizeof *e->row, "row numbers", err));
    FW_TRY(fw_alloc_zeroed((void **)&e->id, e->most, sizeof *e->id, "ids", err));
    FW_TRY(fw_alloc_zeroed((void **)&e->label, e->most, sizeof *e->label, "predictions", err));
    FW_TRY(fw_alloc_zeroed((void **)&e->p, e->most * e->n_classes, sizeof *e->p, "predictions", err));
    FW_TRY(fw_alloc_zeroed((void **)&e->value, e->most, sizeof *e->value, "predictions", err));
    return fw_alloc_zeroed((void **)&e->raw, e->most * e->n_values, sizeof *e->raw, "features", err);
}

fw_status worker_encoder_create(worker_encoder **out, const fw_model *m, const worker_score_opts *opts, fw_error *err)
{
    FW_AUTO(worker_encoder) *e = calloc(1, sizeof *e);
    if (e == NULL) return fw_fail(err, FW_ERR_NOMEM, "the encoder of predictions");
    e->m = m;
    e->opts = opts;
    if (worker_score_publishes(opts)) FW_TRY(prepare_telemetry(e, err));
    *out = e;
    e = NULL;
    return FW_OK;
}

void worker_encoder_destroy(worker_encoder **encoder)
{
    worker_encoder *e = *encoder;
    if (e == NULL) return;
    free(e->classes);
    free(e->row);
    free(e->id);
    free(e->label);
    free(e->p);
    free(e->value);
    free(e->raw);
    free(e);
    *encoder = NULL;
}

/* ---- records --------------------------------------------------------------------------------------------------------------------------------- */

/* Opens a record; its length is filled in by end_record. */
static size_t begin_record(fw_text *out, uint32_t kind, size_t n)
{
    const size_t at = out->len;
    const worker_record head = {.kind = kind, .n = n};
    fw_text_add_bytes(out, (const char *)&head, sizeof head);
    return at;
}

static void end_record(fw_text *out, size_t at)
{
    if (out->failed) return;
    static const char zeros[8] = {0};
    if (out->len % 8 != 0) fw_text_add_bytes(out, zeros, 8 - out->len % 8);            /* the next record is aligned */
    if (out->failed) return;
    worker_record head;
    memcpy(&head, out->data + at, sizeof head);
    head.len = out->len - at - sizeof head;
    memcpy(out->data + at, &head, sizeof head);
}

/* A record of bytes whose true length stands in front of them, since the record is padded. */
static size_t begin_bytes(fw_text *out, uint32_t kind, size_t n)
{
    static const uint64_t unknown = 0;
    const size_t at = begin_record(out, kind, n);
    fw_text_add_bytes(out, (const char *)&unknown, sizeof unknown);
    return at;
}

static void end_bytes(fw_text *out, size_t at)
{
    if (out->failed) return;
    const size_t first = at + sizeof(worker_record) + sizeof(uint64_t);
    const uint64_t len = out->len - first;
    memcpy(out->data + first - sizeof len, &len, sizeof len);
    end_record(out, at);
}

/* ---- files ----------------------------------------------------------------------------------------------------------------------------------- */

static size_t argmax(const float *p, size_t k)
{
    size_t best = 0;
    for (size_t j = 1; j < k; j++)
        if (p[j] > p[best]) best = j;
    return best;
}

void worker_add_field(fw_text *t, const char *s)
{
    if (strpbrk(s, ",\"\r\n") == NULL && s[0] != ' ') {
        fw_text_add(t, s);
        return;
    }
    fw_text_add(t, "\"");
    for (; *s != '\0'; s++) fw_text_add_bytes(t, *s == '"' ? "\"\"" : s, *s == '"' ? 2 : 1);
    fw_text_add(t, "\"");
}

static void add_line(fw_text *t, const fw_model *m, const worker_scored *r, size_t i)
{
    char number[FW_NUMBER_TEXT];
    if (r->id != NULL) worker_add_field(t, r->id[i]);
    else fw_text_format(t, "%llu", (unsigned long long)r->row[i]);
    if (m->task == FW_TASK_REGRESSION) {
        fw_format_double(number, r->value[i]);
        fw_text_format(t, ",%s\n", number);
        return;
    }
    const size_t k = fw_model_n_out(m);
    const float *p = r->p + i * k;
    fw_text_add(t, ",");
    worker_add_field(t, fw_model_class_name(m, argmax(p, k)));
    for (size_t j = 0; j < k; j++) {
        fw_format_float(number, p[j]);
        fw_text_add(t, ",");
        fw_text_add(t, number);
    }
    fw_text_add(t, "\n");
}

static void encode_text(fw_text *out, const fw_model *m, const worker_scored *rows)
{
    const size_t at = begin_bytes(out, WORKER_RECORD_TEXT, rows->n);
    for (size_t i = 0; i < rows->n; i++) add_line(out, m, rows, i);
    end_bytes(out, at);
}

static void encode_cells(fw_text *out, const fw_model *m, const worker_scored *rows)
{
    const size_t at = begin_record(out, WORKER_RECORD_CELLS, rows->n);
    fw_text_add_bytes(out, (const char *)rows->row, rows->n * sizeof *rows->row);
    if (m->task == FW_TASK_REGRESSION) fw_text_add_bytes(out, (const char *)rows->value, rows->n * sizeof *rows->value);
    else fw_text_add_bytes(out, (const char *)rows->p, rows->n * fw_model_n_out(m) * sizeof *rows->p);
    for (size_t i = 0; rows->id != NULL && i < rows->n; i++) fw_text_add_bytes(out, rows->id[i], strlen(rows->id[i]) + 1);
    end_record(out, at);
}

/* ---- telemetry ------------------------------------------------------------------------------------------------------------------------------- */

/* A row is published or not by its number alone: the same ones on any number of ranks. */
static bool is_sampled(double share, uint64_t row)
{
    return share >= 1.0 || (double)(fw_hash64(&row, sizeof row, SAMPLE) >> 11) * 0x1p-53 < share;
}

/* Row i of the piece is the n-th that is told. */
static void take_row(worker_encoder *e, size_t n, const worker_scored *rows, size_t i)
{
    e->row[n] = rows->row[i];
    if (rows->id != NULL) e->id[n] = rows->id[i];
    if (e->m->task == FW_TASK_REGRESSION) e->value[n] = rows->value[i];
    else memcpy(e->p + n * e->n_classes, rows->p + i * e->n_classes, e->n_classes * sizeof *e->p);
    if (e->n_values > 0) worker_values_take(e->raw + n * e->n_values, e->column, e->n_values, e->m, rows->block, rows->first + i);
}

/* The class of each of n rows, as what is written says it. Of two classes without a branch. */
static void take_labels(uint32_t *label, const float *p, size_t n, size_t k)
{
    for (size_t i = 0; k == 2 && i < n; i++) label[i] = p[2 * i + 1] > p[2 * i];
    for (size_t i = 0; k != 2 && i < n; i++) label[i] = (uint32_t)argmax(p + i * k, k);
}

/* Of the rows [first, end) those in the sample. All of them are told from where they lie, unless their raw values are wanted. */
static fw_told_rows collect_sample(worker_encoder *e, const worker_scored *rows, size_t first, size_t end)
{
    const double share = e->opts->project->monitor.sample;
    const bool regression = e->m->task == FW_TASK_REGRESSION, as_they_lie = share >= 1.0 && e->n_values == 0;
    fw_told_rows told = {.n = as_they_lie ? end - first : 0, .row = e->row, .id = e->id, .probability = e->p, .value = e->value};
    for (size_t i = first; !as_they_lie && i < end; i++)
        if (is_sampled(share, rows->row[i])) take_row(e, told.n++, rows, i);
    if (as_they_lie) {
        told.row = rows->row + first;
        if (rows->id != NULL) told.id = rows->id + first;
        if (regression) told.value = rows->value + first;
        else told.probability = rows->p + first * e->n_classes;
    }
    if (rows->id == NULL) told.id = NULL;
    told.feature = e->raw;
    told.n_features = e->n_values;
    if (regression) {
        told.probability = NULL;
        return told;
    }
    take_labels(e->label, told.probability, told.n, e->n_classes);
    told.label = e->label;
    told.value = NULL;
    return told;
}

fw_status worker_encode_telemetry(worker_encoder *e, fw_text *out, const worker_scored *rows, fw_error *err)
{
    for (size_t first = 0; first < rows->n; first += e->most) {
        const fw_told_rows told = collect_sample(e, rows, first, FW_MIN(first + e->most, rows->n));
        if (told.n == 0) continue;
        const size_t at = begin_bytes(out, WORKER_RECORD_TELEMETRY, told.n);
        FW_TRY(fw_telemetry_pack_rows(out, e->m->name, e->opts->model_digest, e->classes, e->n_classes, &told, err));
        end_bytes(out, at);
    }
    return fw_text_check(out, err);
}

fw_status worker_encode_rows(worker_encoder *e, fw_text *out, const worker_scored *rows, fw_error *err)
{
    const bool writes = worker_score_writes(e->opts);
    if (writes && worker_score_is_csv(e->opts)) encode_text(out, e->m, rows);
    if (writes && !worker_score_is_csv(e->opts)) encode_cells(out, e->m, rows);
    return fw_text_check(out, err);
}

fw_status worker_encode_counts(fw_text *out, worker_counts *c, fw_error *err)
{
    uint64_t rows = 0;
    const fw_times *times = NULL;
    const fw_summary *s = worker_counts_get(c, &rows, &times);
    const size_t at = begin_record(out, WORKER_RECORD_COUNTS, rows);
    fw_text_add_bytes(out, (const char *)fw_summary_counts(s, 0), fw_summary_total(s) * sizeof(uint64_t));
    fw_text_add_bytes(out, (const char *)times->count, sizeof times->count);
    end_record(out, at);
    worker_counts_clear(c);
    return fw_text_check(out, err);
}
