#include <stdlib.h>
#include <string.h>

#include "common/core/fault.h"
#include "common/core/size.h"
#include "worker/reference.h"

#define READ_ROWS 4096
#define GROUP     64             /* columns of which a rank holds the sample at a time */

/* A column that is summarised: number i of the bins. */
typedef struct chosen { size_t column; bool number; size_t n_codes; int64_t *count; } chosen;      /* count: of places, or of codes + 2 */

typedef struct fitting {
    worker_task *task;
    const fw_schema *schema;
    uint64_t rows;                 /* of the training split */
    chosen *of; size_t n, left_out;
    fw_bins *bins;                 /* (n) */
    fw_summary *numbers;           /* all columns; those that are no numbers stay empty */
    int64_t *counts; size_t n_counts;
} fitting;

static const fw_reduce *reduce_of(const fitting *f) { return worker_group_reduce(f->task->group); }

/* ---- which columns ---------------------------------------------------------------------------------------------------------------------- */

static bool is_private(const fw_project *p, const char *name)
{
    for (size_t i = 0; i < p->data.private_columns.n; i++)
        if (strcmp(p->data.private_columns.v[i], name) == 0) return true;
    return false;
}

static fw_status choose_columns(fitting *f, fw_error *err)
{
    const bool *wanted = fw_pipeline_wanted(f->task->pipeline);
    size_t text = 0;
    FW_TRY(fw_alloc_zeroed((void **)&f->of, FW_REFERENCE_MAX_FEATURES, sizeof *f->of, "reference", err));
    FW_TRY(fw_alloc_zeroed((void **)&f->bins, FW_REFERENCE_MAX_FEATURES, sizeof *f->bins, "reference", err));
    for (size_t i = 0; i < f->schema->n_columns; i++) {
        const fw_column *c = &f->schema->columns[i];
        const size_t len = strlen(c->name);
        if (!wanted[i] || (int)i == f->schema->target || is_private(f->task->project, c->name)) continue;
        const bool fits = len <= FW_BINS_NAME_BYTES && text + len <= FW_REFERENCE_TEXT_BYTES / 2 && f->n < FW_REFERENCE_MAX_FEATURES;
        if (!fits || (c->type != FW_NUMBER && c->type != FW_CATEGORY)) {
            f->left_out++;
            continue;
        }
        text += len;
        f->of[f->n++] = (chosen){.column = i, .number = c->type == FW_NUMBER, .n_codes = c->type == FW_CATEGORY ? fw_dict_size(c->dict) : 0};
    }
    return FW_OK;
}

/* ---- cut points: each rank takes some columns, of the same rows -------------------------------------------------------------------------- */

static uint64_t sample_rows(const fitting *f)
{
    const uint64_t rows = FW_MAX(WORKER_REFERENCE_CELLS / FW_MAX(f->n, (size_t)1), WORKER_REFERENCE_LEAST);
    return FW_MIN(FW_MIN(rows, WORKER_REFERENCE_SAMPLE), f->rows);
}

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* What a rank tells of a column: its number, its cut points, its centres. */
static void add_bins(fw_text *out, size_t number, const fw_bins *b)
{
    const uint64_t head[2] = {number, b->n_cuts};
    fw_text_add_bytes(out, (const char *)head, sizeof head);
    fw_text_add_bytes(out, (const char *)b->cut, b->n_cuts * sizeof *b->cut);
    fw_text_add_bytes(out, (const char *)b->centre, (b->n_cuts + 1) * sizeof *b->centre);
}

/* The columns group[0], ... of the sample: value (n_group, rows), n (n_group) of them present. */
static fw_status read_group(const fitting *f, const size_t *group, size_t n_group, uint64_t rows, fw_block *block, double *value, size_t *n, fw_error *err)
{
    FW_FREE bool *wanted = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&wanted, f->schema->n_columns, sizeof *wanted, "columns", err));
    for (size_t g = 0; g < n_group; g++) wanted[f->of[group[g]].column] = true;
    memset(n, 0, n_group * sizeof *n);
    for (uint64_t first = 0; first < rows; first += READ_ROWS) {
        worker_tick();
        FW_TRY(fw_dataset_read(f->task->dataset, FW_TRAIN, first, (size_t)FW_MIN(rows - first, (uint64_t)READ_ROWS), wanted, block, err));
        for (size_t g = 0; g < n_group; g++) {
            const fw_cells *cells = &block->cells[f->of[group[g]].column];
            for (size_t i = 0; i < block->n_rows; i++)
                if (!cells->missing[i]) value[g * rows + n[g]++] = cells->number[i];
        }
    }
    return FW_OK;
}

static fw_status fit_group(const fitting *f, const size_t *group, size_t n_group, uint64_t rows, fw_block *block, double *value, fw_text *out, fw_error *err)
{
    size_t n[GROUP];
    FW_TRY(read_group(f, group, n_group, rows, block, value, n, err));
    for (size_t g = 0; g < n_group; g++) {
        FW_AUTO(fw_bins) b = {0};
        worker_tick();
        qsort(value + g * rows, n[g], sizeof *value, ascending);
        FW_TRY(fw_bins_of_values(&b, f->schema->columns[f->of[group[g]].column].name, FW_BINS_NUMBER, value + g * rows, n[g], err));
        add_bins(out, group[g], &b);
    }
    return fw_text_check(out, err);
}

static fw_status fit_mine(const fitting *f, fw_block *block, fw_text *out, fw_error *err)
{
    const size_t rank = (size_t)worker_group_rank(f->task->group), size = (size_t)worker_group_size(f->task->group);
    const uint64_t rows = sample_rows(f);
    size_t group[GROUP], n_group = 0, seen = 0;
    FW_FREE double *value = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&value, GROUP * (size_t)rows, sizeof *value, "reference", err));
    for (size_t i = 0; i < f->n; i++) {
        if (!f->of[i].number || seen++ % size != rank) continue;
        group[n_group++] = i;
        if (n_group < GROUP) continue;
        FW_TRY(fit_group(f, group, n_group, rows, block, value, out, err));
        n_group = 0;
    }
    return n_group > 0 ? fit_group(f, group, n_group, rows, block, value, out, err) : FW_OK;
}

/* All ranks' columns; the bytes are those of add_bins, from this program's own ranks. */
static fw_status take_bins(fitting *f, const char *bytes, size_t len, fw_error *err)
{
    for (size_t at = 0; at < len;) {
        uint64_t head[2];
        double cut[FW_BINS_CUTS], centre[FW_BINS_CUTS + 1];
        memcpy(head, bytes + at, sizeof head);
        at += sizeof head;
        memcpy(cut, bytes + at, head[1] * sizeof *cut);
        at += head[1] * sizeof *cut;
        memcpy(centre, bytes + at, (head[1] + 1) * sizeof *centre);
        at += (head[1] + 1) * sizeof *centre;
        FW_TRY(fw_bins_of_cuts(&f->bins[head[0]], f->schema->columns[f->of[head[0]].column].name, FW_BINS_NUMBER, cut, head[1], centre, err));
    }
    return FW_OK;
}

static fw_status fit_numbers(fitting *f, fw_block *block, fw_error *err)
{
    const fw_reduce *reduce = reduce_of(f);
    const size_t size = (size_t)worker_group_size(f->task->group);
    FW_AUTO(fw_text) mine = {0};
    FW_FREE char *all = NULL;
    FW_FREE size_t *offset = NULL;
    fw_status s = fw_alloc_zeroed((void **)&offset, size + 1, sizeof *offset, "offsets", err);
    if (s == FW_OK) s = fit_mine(f, block, &mine, err);
    FW_TRY(reduce->agree(reduce->context, s, err));
    FW_TRY(reduce->gather_all(reduce->context, mine.data != NULL ? mine.data : "", mine.len, &all, offset, err));
    return reduce->agree(reduce->context, take_bins(f, all, offset[size], err), err);
}

/* ---- counts: each rank takes some rows --------------------------------------------------------------------------------------------------- */

static fw_status make_counts(fitting *f, fw_error *err)
{
    size_t at = 0;
    for (size_t i = 0; i < f->n; i++) FW_TRY(fw_size_add(&f->n_counts, f->n_counts, f->of[i].number ? fw_bins_counts(&f->bins[i]) : f->of[i].n_codes + 2, "reference", err));
    FW_TRY(fw_alloc_zeroed((void **)&f->counts, f->n_counts, sizeof *f->counts, "reference", err));
    for (size_t i = 0; i < f->n; i++) {
        f->of[i].count = f->counts + at;
        at += f->of[i].number ? fw_bins_counts(&f->bins[i]) : f->of[i].n_codes + 2;
        if (!f->of[i].number) FW_TRY(fw_bins_of_labels(&f->bins[i], f->schema->columns[f->of[i].column].name, FW_BINS_CATEGORY, NULL, 0, err));
    }
    return fw_summary_create(&f->numbers, f->bins, f->n, err);
}

static void count_block(fitting *f, const fw_block *block)
{
    for (size_t i = 0; i < f->n; i++) {
        const fw_cells *cells = &block->cells[f->of[i].column];
        if (f->of[i].number) fw_summary_add_numbers(f->numbers, i, cells->number, cells->missing, block->n_rows);
        else
            for (size_t k = 0; k < block->n_rows; k++) f->of[i].count[cells->code[k] + 2]++;         /* a dataset's codes are in its dictionary, or missing */
    }
}

static fw_status count_mine(fitting *f, fw_block *block, fw_error *err)
{
    const uint64_t rank = (uint64_t)worker_group_rank(f->task->group), size = (uint64_t)worker_group_size(f->task->group);
    const uint64_t share = (f->rows + size - 1) / size, end = FW_MIN((rank + 1) * share, f->rows);
    FW_FREE bool *wanted = NULL;
    FW_TRY(fw_fault("save.reference", err));
    FW_TRY(fw_alloc_zeroed((void **)&wanted, f->schema->n_columns, sizeof *wanted, "columns", err));
    for (size_t i = 0; i < f->n; i++) wanted[f->of[i].column] = true;
    for (uint64_t first = rank * share; first < end; first += READ_ROWS) {
        worker_tick();
        FW_TRY(fw_dataset_read(f->task->dataset, FW_TRAIN, first, (size_t)FW_MIN(end - first, (uint64_t)READ_ROWS), wanted, block, err));
        count_block(f, block);
    }
    for (size_t i = 0; i < f->n; i++)
        for (size_t k = 0; f->of[i].number && k < fw_bins_counts(&f->bins[i]); k++) f->of[i].count[k] = (int64_t)fw_summary_counts(f->numbers, i)[k];
    return FW_OK;
}

/* ---- categories: the most frequent ones have a bin ---------------------------------------------------------------------------------------- */

/* Codes in the order of the dictionary, at most FW_REFERENCE_MAX_LABELS, of which none is rarer than one that is left out (the lower code wins). */
static size_t frequent_codes(size_t out[static FW_REFERENCE_MAX_LABELS], const chosen *c, const fw_dict *dict)
{
    size_t n = 0;
    for (size_t code = 0; code < c->n_codes; code++) {
        const int64_t count = c->count[code + 2];
        size_t len = 0, rarest = 0;
        fw_dict_text(dict, (int32_t)code, &len);
        if (count == 0 || len > FW_BINS_NAME_BYTES) continue;
        for (size_t k = 1; n == FW_REFERENCE_MAX_LABELS && k < n; k++)
            if (c->count[out[k] + 2] <= c->count[out[rarest] + 2]) rarest = k;
        if (n == FW_REFERENCE_MAX_LABELS && c->count[out[rarest] + 2] >= count) continue;
        if (n == FW_REFERENCE_MAX_LABELS) memmove(out + rarest, out + rarest + 1, (--n - rarest) * sizeof *out);
        out[n++] = code;
    }
    return n;
}

/* Into bins[*kept], with its counts; what has no bin counts as unseen. Left out when there is no room for its labels. */
static fw_status keep_category(fitting *f, size_t i, size_t *kept, size_t *text, uint64_t *count, fw_error *err)
{
    const fw_column *column = &f->schema->columns[f->of[i].column];
    const chosen c = f->of[i];
    const char *label[FW_REFERENCE_MAX_LABELS];
    size_t code[FW_REFERENCE_MAX_LABELS], bytes = 0;
    const size_t n = frequent_codes(code, &c, column->dict);
    int64_t rest = c.count[0];
    for (size_t k = 0; k < c.n_codes; k++) rest += c.count[k + 2];
    for (size_t k = 0; k < n; k++) {
        label[k] = fw_dict_text(column->dict, (int32_t)code[k], NULL);
        bytes += strlen(label[k]);
        count[k] = (uint64_t)c.count[code[k] + 2];
        rest -= c.count[code[k] + 2];
    }
    fw_bins_destroy(&f->bins[i]);
    if (*text + bytes > FW_REFERENCE_TEXT_BYTES / 2) {
        f->left_out++;
        return FW_OK;
    }
    *text += bytes;
    count[n] = (uint64_t)rest;
    count[n + 1] = (uint64_t)c.count[1];
    return fw_bins_of_labels(&f->bins[(*kept)++], column->name, FW_BINS_CATEGORY, label, n, err);
}

/* The columns that are kept close up; count (columns, most places). */
static fw_status keep_columns(fitting *f, uint64_t *count, size_t most, fw_error *err)
{
    size_t kept = 0, text = 0;
    for (size_t i = 0; i < f->n; i++) {
        if (!f->of[i].number) {
            FW_TRY(keep_category(f, i, &kept, &text, count + kept * most, err));
            continue;
        }
        for (size_t k = 0; k < fw_bins_counts(&f->bins[i]); k++) count[kept * most + k] = (uint64_t)f->of[i].count[k];
        const fw_bins moved = f->bins[i];
        f->bins[i] = (fw_bins){0};
        f->bins[kept++] = moved;
    }
    f->n = kept;
    return FW_OK;
}

static fw_status make_features(worker_features **out, fitting *f, fw_error *err)
{
    const size_t most = FW_REFERENCE_MAX_LABELS + 2;
    FW_FREE uint64_t *count = NULL;
    FW_AUTO(worker_features) *made = calloc(1, sizeof *made);
    if (made == NULL) return fw_fail(err, FW_ERR_NOMEM, "reference");
    FW_TRY(fw_alloc_zeroed((void **)&count, f->n * most, sizeof *count, "reference", err));
    FW_TRY(keep_columns(f, count, most, err));
    FW_TRY(fw_summary_create(&made->summary, f->bins, f->n, err));
    for (size_t i = 0; i < f->n; i++) FW_TRY(fw_summary_add_column(made->summary, i, count + i * most, err));
    made->left_out = f->left_out;
    *out = made;
    made = NULL;
    return FW_OK;
}

/* ---- all of it --------------------------------------------------------------------------------------------------------------------------- */

void worker_features_destroy(worker_features **f)
{
    if (*f == NULL) return;
    fw_summary_destroy(&(*f)->summary);
    free(*f);
    *f = NULL;
}

static fw_status fit(fitting *f, fw_error *err)
{
    const fw_reduce *reduce = reduce_of(f);
    FW_AUTO(fw_block) *block = NULL;
    fw_status s = choose_columns(f, err);
    if (s == FW_OK) s = fw_block_create(&block, f->schema, READ_ROWS, err);
    FW_TRY(reduce->agree(reduce->context, s, err));
    FW_TRY(fit_numbers(f, block, err));
    s = make_counts(f, err);
    if (s == FW_OK) s = count_mine(f, block, err);
    FW_TRY(reduce->agree(reduce->context, s, err));
    FW_TRY(reduce->sum_i64(reduce->context, f->counts, f->n_counts, err));
    return reduce->agree(reduce->context, make_features(&f->task->features, f, err), err);
}

fw_status worker_reference_features(worker_task *t, fw_error *err)
{
    fitting f = {.task = t, .schema = fw_dataset_schema(t->dataset), .rows = fw_dataset_rows(t->dataset, FW_TRAIN)};
    if (t->features != NULL) return FW_OK;
    const fw_status s = fit(&f, err);
    for (size_t i = 0; f.bins != NULL && i < FW_REFERENCE_MAX_FEATURES; i++) fw_bins_destroy(&f.bins[i]);
    fw_summary_destroy(&f.numbers);
    free(f.of);
    free(f.bins);
    free(f.counts);
    return s;
}
