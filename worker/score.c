#include "worker/score.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/fault.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/data/table.h"
#include "worker/score_encode.h"
#include "worker/score_rows.h"
#include "worker/score_times.h"
#include "worker/view.h"

#define PIECE_ROWS 1024
#define PART_ROWS  16384         /* of a dataset, a rank, between two gatherings */

typedef struct scoring {
    worker_group *group;
    const fw_model *model;
    const worker_score_opts *opts;
    worker_score_say say;
    void *context;
    worker_score_result *result;
    size_t piece;
    fw_schema *schema;             /* what is read: the model's columns, then the id */
    int id;                        /* index in schema; -1: none */
    worker_outputs *outputs;       /* rank 0 */
    worker_encoder *encoder;
    fw_text encoded;               /* this rank's records since they were last delivered */
    worker_counts *counted;        /* of rows not passed on yet; NULL: nothing is published, or the model has no reference */
    fw_apply_counts *counts;
    float *p;                      /* (piece, n_out) */
    double *value;                 /* (piece) */
    const char **ids;              /* (piece) */
    uint64_t *row;                 /* (piece) */
    worker_parts parts;
    int64_t telling_ns, noted_ns;  /* what this rank spent on telemetry before its outputs; and in all, of the parts that are over */
    uint64_t rows;                 /* this rank's */
    fw_mono read;                  /* when the rows at hand were */
} scoring;

static const fw_reduce *reduce_of(const scoring *s) { return worker_group_reduce(s->group); }
static bool is_leader(const scoring *s) { return worker_group_rank(s->group) == 0; }

static void say(const scoring *s, const char *line)
{
    if (s->say != NULL && is_leader(s)) s->say(s->context, line);
}

/* ---- what is read ------------------------------------------------------------------------------------------------------------------------------ */

/* The model's schema, and the id column behind it, as text: an id that is a column of the model too would lose leading zeros as a number, and
 * its text as a category that was never seen. */
static fw_status make_schema(scoring *s, fw_error *err)
{
    const char *id = s->opts->project->data.id;
    FW_TRY(fw_schema_copy(&s->schema, s->model->schema, err));
    if (id == NULL) return FW_OK;
    FW_AUTO(fw_schema) *longer = NULL;
    const size_t n = s->schema->n_columns;
    FW_TRY(fw_schema_create(&longer, n + 1, err));
    memcpy(longer->columns, s->schema->columns, n * sizeof *longer->columns);       /* they move over */
    memset(s->schema->columns, 0, n * sizeof *s->schema->columns);
    longer->target = s->schema->target;
    longer->columns[n].type = FW_TEXT;
    FW_TRY(fw_copy_text(&longer->columns[n].name, id, err));
    fw_schema_destroy(&s->schema);
    s->schema = longer;
    longer = NULL;
    s->id = (int)n;
    return FW_OK;
}

static int table_column(const fw_table *t, const char *name)
{
    for (size_t i = 0; i < fw_table_n_columns(t); i++)
        if (strcmp(fw_table_column_name(t, i), name) == 0) return (int)i;
    return -1;
}

static fw_status column_missing(const fw_table *t, const char *name, bool is_id, fw_error *err)
{
    const size_t n = fw_table_n_columns(t);
    FW_FREE const char **names = NULL;
    FW_AUTO(fw_text) list = {0};
    FW_TRY(fw_alloc_zeroed((void **)&names, n + 1, sizeof *names, "names", err));
    for (size_t i = 0; i < n; i++) {
        names[i] = fw_table_column_name(t, i);
        if (i < 30) fw_text_format(&list, "%s%s", i > 0 ? ", " : "", names[i]);
    }
    const char *near = fw_did_you_mean(name, names, n);
    return fw_fail(err, FW_ERR_DATA, "%s: column \"%s\", %s, is not in it%s%s%s; its columns are: %s%s", fw_table_path(t), name,
                   is_id ? "which is to name the rows (--id names another)" : "which the model needs", near ? ", did you mean \"" : "",
                   near ? near : "", near ? "\"?" : "", list.data != NULL ? list.data : "", n > 30 ? ", ..." : "");
}

/* Columns by name, in any order; what the model does not need is not read. */
static fw_status map_columns(const scoring *s, const fw_table *t, int *column_of, fw_error *err)
{
    const bool *wanted = fw_pipeline_wanted(s->model->pipeline);
    for (size_t i = 0; i < s->schema->n_columns; i++) {
        const bool needed = (int)i == s->id || (i < s->model->schema->n_columns && wanted[i]);
        column_of[i] = needed ? table_column(t, s->schema->columns[i].name) : -1;
        if (needed && column_of[i] < 0) return column_missing(t, s->schema->columns[i].name, (int)i == s->id, err);
    }
    return FW_OK;
}

/* ---- rows ---------------------------------------------------------------------------------------------------------------------------------------- */

/* The id of a row as text; NULL: it is text, in the block's bytes. `number` keeps texts that are made. */
static const char *id_text(const scoring *s, const fw_block *block, size_t i, char *number)
{
    const fw_column *c = &s->schema->columns[s->id];
    const fw_cells *cells = &block->cells[s->id];
    if (cells->missing[i]) return "";
    switch (c->type) {
    case FW_CATEGORY: return cells->code[i] >= 0 ? fw_dict_text(c->dict, cells->code[i], NULL) : "";
    case FW_NUMBER: fw_format_double(number, cells->number[i]); return number;
    case FW_TIME: fw_utc_format(number, cells->time_us[i]); return number;
    case FW_TEXT:
    case FW_IMAGE: break;
    }
    return NULL;
}

/* Texts of the block are not NUL-terminated: copied, one behind the other. */
static fw_status collect_ids(scoring *s, const fw_block *block, size_t first, size_t n, fw_text *store, size_t *at, fw_error *err)
{
    const fw_cells *cells = &block->cells[s->id];
    fw_text_clear(store);
    for (size_t i = 0; i < n; i++) {
        char number[FW_NUMBER_TEXT + FW_UTC_LEN];
        const char *text = id_text(s, block, first + i, number);
        at[i] = store->len;
        if (text != NULL) fw_text_add(store, text);
        else fw_text_add_bytes(store, cells->text_bytes + cells->text_at[first + i], (size_t)(cells->text_at[first + i + 1] - cells->text_at[first + i]));
        fw_text_add_bytes(store, "", 1);
    }
    FW_TRY(fw_text_check(store, err));
    for (size_t i = 0; i < n; i++) s->ids[i] = store->data + at[i];
    return FW_OK;
}

static bool is_alone(const scoring *s) { return worker_group_size(s->group) == 1; }

/* What one rank has encoded, to the outputs at once, while it is in the caches. */
static fw_status hand_over(scoring *s, fw_error *err)
{
    const fw_status status = worker_outputs_take(s->outputs, s->encoded.data != NULL ? s->encoded.data : "", s->encoded.len, err);
    fw_text_clear(&s->encoded);
    return status;
}

static void note_telling(scoring *s, fw_mono since) { s->telling_ns += fw_mono_now().ns - since.ns; }

/* What this rank has counted, behind its rows. */
static fw_status pass_counts_on(scoring *s, fw_error *err)
{
    if (is_alone(s)) {
        FW_TRY(hand_over(s, err));
        return worker_outputs_take_counts(s->outputs, s->counted, err);
    }
    const fw_mono begun = fw_mono_now();
    FW_TRY(worker_encode_counts(&s->encoded, s->counted, err));
    note_telling(s, begun);
    return FW_OK;
}

/* Soon after they were predicted: they are in the caches. */
static void count_piece(scoring *s, const worker_scored *rows)
{
    const fw_mono begun = fw_mono_now();
    worker_counts_add(s->counted, rows->block, rows->first, rows->n, rows->p, rows->value);
    note_telling(s, begun);
}

/* Encodes what is told of rows that are ready for the file. */
static fw_status tell_piece(scoring *s, const worker_scored *rows, fw_error *err)
{
    const fw_mono begun = fw_mono_now();
    if (s->counted != NULL) worker_counts_took(s->counted, rows->n, begun.ns - s->read.ns);
    FW_TRY(worker_encode_telemetry(s->encoder, &s->encoded, rows, err));
    note_telling(s, begun);
    return FW_OK;
}

/* Predicts and encodes n rows of a block. ids: a block over s->schema with the id column, or NULL; store, at: for their texts. */
static fw_status encode_piece(scoring *s, const fw_block *block, const fw_block *ids, size_t first, size_t n, fw_text *store, size_t *at, fw_error *err)
{
    const bool regression = s->model->task == FW_TASK_REGRESSION;
    FW_TRY(fw_model_predict(s->model, block, first, n, s->p, regression ? s->value : NULL, s->counts, err));
    for (size_t i = 0; i < n; i++) s->row[i] = block->row[first + i];
    const worker_scored rows = {n, s->row, ids != NULL ? s->ids : NULL, s->p, s->value, block, first};
    if (s->counted != NULL) count_piece(s, &rows);
    if (ids != NULL) FW_TRY(collect_ids(s, ids, first, n, store, at, err));
    FW_TRY(worker_encode_rows(s->encoder, &s->encoded, &rows, err));
    return worker_score_publishes(s->opts) ? tell_piece(s, &rows, err) : FW_OK;
}

/* The rows of a block, which was read at s->read. source: where they are from, for errors about them; NULL: not said. */
static fw_status encode_block(scoring *s, const fw_block *block, const fw_block *ids, const char *source, fw_error *err)
{
    FW_AUTO(fw_text) store = {0};
    FW_FREE size_t *at = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&at, s->piece, sizeof *at, "ids", err));
    FW_TRY(fw_fault("score.block", err));
    for (size_t first = 0; first < block->n_rows; first += s->piece) {
        worker_tick();
        const fw_status status = encode_piece(s, block, ids, first, FW_MIN(s->piece, block->n_rows - first), &store, at, err);
        if (status != FW_OK) return source != NULL ? fw_wrap(err, status, "%s", source) : status;
        if (s->counted != NULL && worker_counts_due(s->counted)) FW_TRY(pass_counts_on(s, err));
        if (is_alone(s)) FW_TRY(hand_over(s, err));
    }
    s->rows += block->n_rows;
    return FW_OK;
}

/* Every rank's encoded rows to the outputs, in rank order. Collective. */
static fw_status deliver(scoring *s, fw_error *err)
{
    FW_FREE char *all = NULL;
    FW_FREE size_t *offset = NULL;
    if (is_alone(s)) return hand_over(s, err);
    fw_status status = fw_alloc_zeroed((void **)&offset, (size_t)worker_group_size(s->group) + 1, sizeof *offset, "offsets", err);
    FW_TRY(reduce_of(s)->agree(reduce_of(s)->context, status, err));
    FW_TRY(worker_group_gather(s->group, s->encoded.data != NULL ? s->encoded.data : "", s->encoded.len, &all, offset, err));
    if (is_leader(s)) status = worker_outputs_take(s->outputs, all, offset[worker_group_size(s->group)], err);
    fw_text_clear(&s->encoded);
    return reduce_of(s)->agree(reduce_of(s)->context, status, err);
}

/* What the ranks have counted and not passed on. Collective. */
static fw_status deliver_counts(scoring *s, fw_error *err)
{
    if (s->counted == NULL) return FW_OK;
    const fw_status status = pass_counts_on(s, err);
    FW_TRY(reduce_of(s)->agree(reduce_of(s)->context, status, err));
    return deliver(s, err);
}

static fw_status note_time(scoring *s, fw_mono start, fw_error *err)
{
    const int64_t telling_ns = s->telling_ns + (is_leader(s) ? worker_outputs_telling_ns(s->outputs) : 0);
    const worker_part took = {.seconds = fw_mono_seconds(start, fw_mono_now()), .telemetry = 1e-9 * (double)(telling_ns - s->noted_ns)};
    s->noted_ns = telling_ns;
    return worker_parts_note(&s->parts, took, err);
}

/* ---- a table --------------------------------------------------------------------------------------------------------------------------------------- */

/* Records of the chunks of this round before mine, and of all. Collective. */
static fw_status place_chunk(const scoring *s, uint64_t mine, uint64_t *before, uint64_t *all, fw_error *err)
{
    FW_FREE char *bytes = NULL;
    FW_FREE size_t *offset = NULL;
    fw_status status = fw_alloc_zeroed((void **)&offset, (size_t)worker_group_size(s->group) + 1, sizeof *offset, "offsets", err);
    FW_TRY(reduce_of(s)->agree(reduce_of(s)->context, status, err));
    FW_TRY(reduce_of(s)->gather_all(reduce_of(s)->context, &mine, sizeof mine, &bytes, offset, err));
    const uint64_t *count = (const uint64_t *)(const void *)bytes;
    *before = *all = 0;
    for (int r = 0; r < worker_group_size(s->group); r++) {
        if (r < worker_group_rank(s->group)) *before += count[r];
        *all += count[r];
    }
    return FW_OK;
}

static fw_status one_round(scoring *s, fw_table *t, const fw_table_reading *how, fw_block *block, uint64_t *base, fw_error *err)
{
    const fw_mono start = fw_mono_now();
    uint64_t chunk = 0, n_records = 0, before = 0, all = 0;
    fw_block_clear(block);
    fw_status status = fw_table_read(t, how, block, &chunk, &n_records, err);
    s->read = fw_mono_now();
    if (status == FW_END) n_records = 0;
    FW_TRY(reduce_of(s)->agree(reduce_of(s)->context, status, err));
    FW_TRY(place_chunk(s, n_records, &before, &all, err));
    for (size_t i = 0; i < block->n_rows; i++) block->row[i] += *base + before;         /* of the chunk -> of the table */
    const fw_status coded = status == FW_END ? FW_OK : encode_block(s, block, s->id >= 0 ? block : NULL, fw_table_path(t), err);
    FW_TRY(reduce_of(s)->agree(reduce_of(s)->context, coded, err));
    *base += all;
    FW_TRY(deliver(s, err));
    return note_time(s, start, err);
}

static void say_bad_rows(const scoring *s, const fw_table *t)
{
    size_t n = 0;
    const fw_bad_row *bad = fw_table_bad(t, &n);
    for (size_t i = 0; i < n; i++) {
        FW_AUTO(fw_text) line = {0};
        fw_text_format(&line, "bad row left out: %s: %s", bad[i].where, bad[i].why);
        if (line.data != NULL) say(s, line.data);
    }
}

static fw_status score_table(scoring *s, fw_error *err)
{
    FW_AUTO(fw_table) *t = NULL;
    FW_AUTO(fw_block) *block = NULL;
    FW_FREE int *column_of = NULL;
    const fw_project *p = s->opts->project;
    if (p->data.n_tables == 0) return fw_fail(err, FW_ERR_CONFIG, "score: no table is named");
    FW_TRY(fw_table_open(&t, &p->data.tables[0], p->dir, reduce_of(s), err));
    fw_status status = fw_alloc_zeroed((void **)&column_of, s->schema->n_columns, sizeof *column_of, "columns", err);
    if (status == FW_OK) status = map_columns(s, t, column_of, err);
    if (status == FW_OK) status = fw_block_create(&block, s->schema, PIECE_ROWS, err);
    FW_TRY(reduce_of(s)->agree(reduce_of(s)->context, status, err));
    fw_table_reading how = {s->schema, column_of, (const char *const *)p->data.missing.v, p->data.missing.n, FW_TABLE_FIXED, s->opts->skip_bad_rows};
    const uint64_t size = (uint64_t)worker_group_size(s->group), rounds = (fw_table_n_chunks(t) + size - 1) / size;
    uint64_t base = 0;
    for (uint64_t k = 0; k < rounds; k++) FW_TRY(one_round(s, t, &how, block, &base, err));
    say_bad_rows(s, t);
    s->result->bad = fw_table_n_bad(t);
    return FW_OK;
}

/* ---- a dataset ------------------------------------------------------------------------------------------------------------------------------------- */

typedef struct dataset_reading { fw_dataset *dataset; worker_view *view; fw_block *block, *ids; bool *id_only; int id; } dataset_reading;

static void end_reading(dataset_reading *d)
{
    fw_block_destroy(&d->block);
    fw_block_destroy(&d->ids);
    worker_view_destroy(&d->view);
    fw_dataset_destroy(&d->dataset);
    free(d->id_only);
}

/* Ids are read apart: they are no column of the model. */
static fw_status open_reading(scoring *s, dataset_reading *d, fw_error *err)
{
    FW_TRY(fw_dataset_open(&d->dataset, s->opts->dataset, err));
    FW_TRY(worker_view_create(&d->view, s->model, d->dataset, false, err));
    FW_TRY(fw_block_create(&d->block, s->model->schema, PART_ROWS, err));
    const fw_schema *theirs = fw_dataset_schema(d->dataset);
    const char *id = s->opts->project->data.id;
    d->id = id != NULL ? fw_schema_find(theirs, id) : -1;
    if (id != NULL && d->id < 0) return fw_fail(err, FW_ERR_DATA, "%s: the id column \"%s\" is not in it", s->opts->dataset, id);
    if (id != NULL && theirs->columns[d->id].type == FW_IMAGE)
        return fw_fail(err, FW_ERR_CONFIG, "the id column \"%s\" holds pictures; --id names another", id);
    if (d->id < 0) return FW_OK;
    FW_TRY(fw_alloc_zeroed((void **)&d->id_only, theirs->n_columns, sizeof *d->id_only, "columns", err));
    d->id_only[d->id] = true;
    fw_schema_destroy(&s->schema);
    FW_TRY(fw_schema_copy(&s->schema, theirs, err));
    s->id = d->id;
    return fw_block_create(&d->ids, theirs, PART_ROWS, err);
}

static fw_status score_part(scoring *s, dataset_reading *d, fw_split split, uint64_t first, size_t n, fw_error *err)
{
    if (n == 0) return FW_OK;
    FW_TRY(worker_view_read(d->view, split, first, n, d->block, err));
    if (d->ids != NULL) FW_TRY(fw_dataset_read(d->dataset, split, first, n, d->id_only, d->ids, err));
    s->read = fw_mono_now();
    return encode_block(s, d->block, d->ids, NULL, err);
}

static fw_status score_split(scoring *s, dataset_reading *d, fw_split split, fw_error *err)
{
    const uint64_t rows = fw_dataset_rows(d->dataset, split), size = (uint64_t)worker_group_size(s->group), rank = (uint64_t)worker_group_rank(s->group);
    for (uint64_t at = 0; at < rows; at += size * PART_ROWS) {
        const fw_mono start = fw_mono_now();
        uint64_t first = FW_MIN(at + rank * PART_ROWS, rows);
        fw_status status = score_part(s, d, split, first, (size_t)FW_MIN((uint64_t)PART_ROWS, rows - first), err);
        FW_TRY(reduce_of(s)->agree(reduce_of(s)->context, status, err));
        FW_TRY(deliver(s, err));
        FW_TRY(note_time(s, start, err));
    }
    return FW_OK;
}

static fw_status score_dataset(scoring *s, fw_error *err)
{
    dataset_reading d = {.id = -1};
    fw_split only = FW_N_SPLITS;
    fw_status status = FW_OK;
    if (s->opts->split != NULL && s->opts->split[0] != '\0' && !fw_split_parse(&only, s->opts->split))
        status = fw_fail(err, FW_ERR_CONFIG, "score: --split is \"%s\"; it can be train, validation, test", s->opts->split);
    if (status == FW_OK) status = open_reading(s, &d, err);
    status = reduce_of(s)->agree(reduce_of(s)->context, status, err);
    for (fw_split split = FW_TRAIN; status == FW_OK && split < FW_N_SPLITS; split++)
        if (only == FW_N_SPLITS || only == split) status = score_split(s, &d, split, err);
    end_reading(&d);
    return status;
}

/* ---- all of it --------------------------------------------------------------------------------------------------------------------------------------- */

static fw_status prepare(scoring *s, fw_error *err)
{
    s->piece = s->opts->piece_rows > 0 ? s->opts->piece_rows : PIECE_ROWS;
    FW_TRY(make_schema(s, err));
    FW_TRY(fw_alloc_zeroed((void **)&s->counts, fw_pipeline_n_inputs(s->model->pipeline) + 1, sizeof *s->counts, "counts", err));
    FW_TRY(fw_alloc_zeroed((void **)&s->p, s->piece * fw_model_n_out(s->model), sizeof *s->p, "predictions", err));
    FW_TRY(fw_alloc_zeroed((void **)&s->value, s->piece, sizeof *s->value, "predictions", err));
    FW_TRY(fw_alloc_zeroed((void **)&s->ids, s->piece, sizeof *s->ids, "ids", err));
    FW_TRY(fw_alloc_zeroed((void **)&s->row, s->piece, sizeof *s->row, "row numbers", err));
    FW_TRY(worker_encoder_create(&s->encoder, s->model, s->opts, err));
    const bool counts = worker_score_publishes(s->opts) && s->model->reference != NULL;
    if (counts) FW_TRY(worker_counts_create(&s->counted, s->model, s->opts->project, s->piece, worker_group_size(s->group), err));
    return is_leader(s) ? worker_outputs_open(&s->outputs, s->model, s->opts, s->opts->project->data.id, err) : FW_OK;
}

static fw_status total(scoring *s, fw_error *err)
{
    int64_t sum[4] = {(int64_t)s->rows, (int64_t)s->result->bad, 0, 0};
    for (size_t i = 0; i < fw_pipeline_n_inputs(s->model->pipeline); i++) {
        sum[2] += (int64_t)s->counts[i].missing;
        sum[3] += (int64_t)s->counts[i].unseen;
    }
    FW_TRY(reduce_of(s)->sum_i64(reduce_of(s)->context, sum, 4, err));
    s->result->rows = (uint64_t)sum[0];
    s->result->bad = (uint64_t)sum[1];
    s->result->missing = (uint64_t)sum[2];
    s->result->unseen = (uint64_t)sum[3];
    return FW_OK;
}

static fw_status score(scoring *s, fw_error *err)
{
    const fw_reduce *reduce = reduce_of(s);
    FW_TRY(reduce->agree(reduce->context, prepare(s, err), err));
    FW_TRY(s->opts->dataset != NULL ? score_dataset(s, err) : score_table(s, err));
    FW_TRY(deliver_counts(s, err));
    FW_TRY(total(s, err));
    fw_status status = is_leader(s) ? worker_outputs_finish(s->outputs, s->result, err) : FW_OK;
    return reduce->agree(reduce->context, status, err);
}

fw_status worker_score(worker_group *g, const fw_model *m, const worker_score_opts *opts, worker_score_say listener, void *context,
                       worker_score_result *out, fw_error *err)
{
    worker_score_result result = {0};
    scoring s = {.group = g, .model = m, .opts = opts, .say = listener, .context = context, .result = &result, .id = -1};
    fw_mono start = fw_mono_now();
    fw_status status = score(&s, err);
    result.seconds = fw_mono_seconds(start, fw_mono_now()) - result.ending_s;
    worker_parts_judge(&s.parts, &result);
    worker_outputs_destroy(&s.outputs);
    worker_counts_destroy(&s.counted);
    worker_encoder_destroy(&s.encoder);
    fw_text_destroy(&s.encoded);
    fw_schema_destroy(&s.schema);
    free(s.counts);
    free(s.p);
    free(s.value);
    free(s.ids);
    free(s.row);
    worker_parts_destroy(&s.parts);
    if (status == FW_OK) *out = result;
    return status;
}
