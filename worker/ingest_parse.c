#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fault.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/data/decimal.h"
#include "worker/ingest_parts.h"

#define FIRST_CELLS ((size_t)1 << 18)      /* of the block; it grows */

/* What stopped a rank: agreed on over the ranks, so that the first bad row of the table is the one that is shown. */
typedef struct stop { int status; uint64_t chunk, record; fw_error error; } stop;      /* record: UINT64_MAX if the text says where */

typedef struct parser {
    ingest *g;
    size_t table;
    fw_block *block;
    uint8_t *keep;                     /* rows of the block that are kept */
    size_t keep_capacity;
    ingest_cells *columns;             /* the block as it is packed */
    uint32_t *index;                   /* the rows that are kept, where some are not */
    ingest_key *keys;
    uint32_t *record;                  /* of each row of the block */
    size_t index_capacity, key_capacity, record_capacity;
    ingest_scratch scratch;
    int32_t *label;                    /* target code -> LABEL_ or index of the excluded label */
    size_t n_labels, label_capacity;
    size_t n_listed;                   /* bad rows of this table that were found here */
    stop stop;
} parser;

#define LABEL_KEPT (-1)

static void parser_clear(parser *p)
{
    fw_block_destroy(&p->block);
    free(p->keep);
    free(p->columns);
    free(p->index);
    free(p->record);
    free(p->keys);
    ingest_scratch_clear(&p->scratch);
    free(p->label);
}

/* ---- which rows are kept ---- */

/* Codes of the target that appeared since the last chunk: is the label excluded? */
static fw_status learn_labels(parser *p, fw_error *err)
{
    const fw_column *target = &p->g->schema->columns[p->g->target];
    if (target->type != FW_CATEGORY) return FW_OK;
    const fw_strings *exclude = &p->g->project->data.labels.exclude;
    size_t n = fw_dict_size(target->dict);
    FW_TRY(fw_grow((void **)&p->label, &p->label_capacity, n + 1, sizeof *p->label, "labels", err));
    for (; p->n_labels < n; p->n_labels++) {
        const char *text = fw_dict_text(target->dict, (int32_t)p->n_labels, NULL);
        p->label[p->n_labels] = LABEL_KEPT;
        for (size_t i = 0; i < exclude->n; i++)
            if (strcmp(exclude->v[i], text) == 0) p->label[p->n_labels] = (int32_t)i;
    }
    return FW_OK;
}

static fw_status bad_row(parser *p, size_t row, uint64_t chunk, int column, fw_error *err)
{
    ingest *g = p->g;
    const char *name = g->schema->columns[column].name, *what = column == g->target ? "target" : "split column";
    if (g->project->data.bad_rows == FW_BAD_ROWS_ERROR) {
        p->stop.record = p->block->row[row];
        return fw_fail(err, FW_ERR_DATA, "%s '%s' is missing (data.bad_rows: skip leaves such rows out)", what, name);
    }
    g->n_bad++;
    if (p->n_listed++ >= FW_BAD_ROWS_LISTED) return FW_OK;
    ingest_bad bad = {.table = p->table, .in_chunk = true, .chunk = g->first_chunk[p->table] + chunk, .number = p->block->row[row]};
    snprintf(bad.text, sizeof bad.text, "%s '%s' is missing", what, name);
    return ingest_list_bad(g, &bad, err);
}

static fw_status choose_rows(parser *p, uint64_t chunk, size_t *n_kept, fw_error *err)
{
    ingest *g = p->g;
    const fw_block *b = p->block;
    FW_TRY(learn_labels(p, err));
    FW_TRY(fw_grow((void **)&p->keep, &p->keep_capacity, b->n_rows + 1, 1, "rows", err));
    const fw_cells *target = &b->cells[g->target], *key = g->key >= 0 ? &b->cells[g->key] : NULL;
    *n_kept = 0;
    for (size_t i = 0; i < b->n_rows; i++) {
        p->keep[i] = 0;
        if (target->missing[i]) {
            FW_TRY(bad_row(p, i, chunk, g->target, err));
        } else if (key != NULL && key->missing[i]) {
            FW_TRY(bad_row(p, i, chunk, g->key, err));
        } else if (g->schema->columns[g->target].type == FW_CATEGORY && p->label[target->code[i]] != LABEL_KEPT) {
            g->excluded[p->label[target->code[i]]]++;
            g->n_excluded++;
        } else {
            p->keep[i] = 1;
            ++*n_kept;
        }
    }
    return FW_OK;
}

/* ---- what waits for the split ---- */

/* The block's rows by their number in the chunk, in 32 bits. */
static fw_status number_records(parser *p, fw_error *err)
{
    const fw_block *b = p->block;
    FW_TRY(fw_grow((void **)&p->record, &p->record_capacity, b->n_rows + 1, sizeof *p->record, "rows", err));
    if (b->n_rows > 0 && b->row[b->n_rows - 1] > UINT32_MAX) return fw_fail(err, FW_ERR_DATA, "a chunk of more than %u records", UINT32_MAX);
    for (size_t i = 0; i < b->n_rows; i++) p->record[i] = (uint32_t)b->row[i];
    return FW_OK;
}

/* The block as rows to be packed. Columns without a missing mark have none. */
static fw_status view_block(parser *p, fw_error *err)
{
    const ingest *g = p->g;
    const fw_block *b = p->block;
    if (p->columns == NULL && (p->columns = calloc(g->n_stored + 1, sizeof *p->columns)) == NULL)
        return fw_fail(err, FW_ERR_NOMEM, "%zu columns", g->n_stored);
    for (size_t i = 0; i < g->n_stored; i++) {
        const fw_cells *c = &b->cells[i];
        const void *cells[] = {[FW_NUMBER] = c->number, [FW_CATEGORY] = c->code, [FW_TIME] = c->time_us, [FW_IMAGE] = c->pixels, [FW_TEXT] = NULL};
        bool holes = memchr(c->missing, 1, b->n_rows) != NULL;
        p->columns[i] = (ingest_cells){.missing = holes ? c->missing : NULL, .cells = cells[g->schema->columns[i].type], .text_at = c->text_at,
                                       .text = c->text_bytes != NULL ? c->text_bytes : ""};
        if (c->decimal == NULL || !fw_decimals_all(c->decimal, b->n_rows)) continue;
        p->columns[i].decimals = true;
        p->columns[i].cells = c->decimal;
    }
    return number_records(p, err);
}

static fw_status store_rows(parser *p, size_t n_kept, fw_error *err)
{
    ingest *g = p->g;
    const fw_block *b = p->block;
    if (n_kept == 0) return FW_OK;
    FW_TRY(view_block(p, err));
    ingest_rows rows = {.schema = g->schema, .n_columns = g->n_stored, .n = b->n_rows, .row = p->record, .columns = p->columns};
    const uint32_t *index = NULL;
    if (n_kept < b->n_rows) {
        FW_TRY(fw_grow((void **)&p->index, &p->index_capacity, n_kept, sizeof *p->index, "rows", err));
        for (size_t i = 0, k = 0; i < b->n_rows; i++)
            if (p->keep[i]) p->index[k++] = (uint32_t)i;
        index = p->index;
    }
    void *to = NULL;
    ingest_part part = {.bucket = INGEST_NO_BUCKET, .n = n_kept, .index = index, .len = ingest_part_bytes(&rows, INGEST_NO_BUCKET, index, n_kept)};
    FW_TRY(worker_store_room(g->rows, part.len, &to, err));
    part.to = to;
    ingest_pack(&rows, &part, 1, 0, NULL);
    for (size_t i = 0; i < g->n_stored; i++)
        for (size_t k = 0; g->schema->columns[i].type == FW_TEXT && k < n_kept; k++) {
            size_t row = index != NULL ? index[k] : k;
            g->text_total += (int64_t)(p->columns[i].text_at[row + 1] - p->columns[i].text_at[row]);
        }
    return worker_store_put(g->rows, err);
}

/* The bytes of a cell, never NULL. */
static const void *cell_bytes(size_t *len, const fw_column *column, const fw_cells *c, size_t row)
{
    *len = fw_column_cell_bytes(column);
    switch (column->type) {
    case FW_NUMBER: return &c->number[row];
    case FW_CATEGORY: return fw_dict_text(column->dict, c->code[row], len);
    case FW_TIME: return &c->time_us[row];
    case FW_IMAGE: return c->pixels + row * *len;
    case FW_TEXT: break;
    }
    *len = (size_t)(c->text_at[row + 1] - c->text_at[row]);
    return *len > 0 ? c->text_bytes + c->text_at[row] : "";
}

static uint64_t group_key(const fw_column *column, const fw_cells *c, size_t row)
{
    size_t len;
    const void *bytes = cell_bytes(&len, column, c, row);
    double number = column->type == FW_NUMBER ? c->number[row] + 0.0 : 0;      /* -0 and 0 are one group */
    return column->type == FW_NUMBER ? fw_hash64(&number, sizeof number, 0) : fw_hash64(bytes, len, 0);
}

static ingest_key key_of(const parser *p, size_t row)
{
    const ingest *g = p->g;
    if (g->rule.stratified) return (ingest_key){.value = (uint64_t)p->block->cells[g->target].code[row]};
    if (g->key < 0) return (ingest_key){.record = p->block->row[row]};
    const fw_column *column = &g->schema->columns[g->key];
    const fw_cells *c = &p->block->cells[g->key];
    if (g->rule.by != FW_BY_TIME) return (ingest_key){.value = group_key(column, c, row)};
    return (ingest_key){.instant = column->type == FW_TIME ? (double)c->time_us[row] : c->number[row]};
}

static fw_status spool_keys(parser *p, fw_error *err)
{
    size_t n = 0;
    FW_TRY(fw_grow((void **)&p->keys, &p->key_capacity, p->block->n_rows + 1, sizeof *p->keys, "keys of a chunk", err));
    for (size_t i = 0; i < p->block->n_rows; i++)
        if (p->keep[i]) p->keys[n++] = key_of(p, i);
    return worker_spool_write(p->g->keys, p->keys, n * sizeof *p->keys, err);
}

/* ---- one table ---- */

static fw_status take_chunk(parser *p, uint64_t chunk, uint64_t n_records, fw_error *err)
{
    ingest *g = p->g;
    size_t n_kept;
    FW_TRY(fw_fault("ingest.chunk", err));
    FW_TRY(choose_rows(p, chunk, &n_kept, err));
    FW_TRY(ingest_gather_stats(g, p->block, p->keep, &p->scratch, err));
    FW_TRY(store_rows(p, n_kept, err));
    FW_TRY(spool_keys(p, err));
    FW_TRY(fw_grow((void **)&g->chunks, &g->chunk_capacity, g->n_chunks + 1, sizeof *g->chunks, "chunks", err));
    uint64_t index = g->first_chunk[p->table] + chunk;
    g->chunks[g->n_chunks++] = (ingest_chunk){p->table, index, n_kept};
    g->records[index] = (int64_t)n_records;
    g->n_kept += n_kept;
    return FW_OK;
}

static fw_status parse_chunks(parser *p, fw_error *err)
{
    ingest *g = p->g;
    const fw_strings *missing = &g->project->data.missing;
    fw_table_reading how = {.schema = g->schema,
                            .column_of = g->column_of[p->table],
                            .missing = (const char *const *)missing->v,
                            .n_missing = missing->n,
                            .codes = FW_TABLE_GROW,
                            .skip_bad_rows = g->project->data.bad_rows == FW_BAD_ROWS_SKIP};
    p->stop.chunk = (uint64_t)g->reduce->rank;      /* the chunk that is read next */
    for (;;) {
        uint64_t chunk = 0, n_records = 0;
        p->stop.record = UINT64_MAX;
        worker_tick();
        fw_status s = fw_table_read(g->tables[p->table], &how, p->block, &chunk, &n_records, err);
        if (s == FW_END) return FW_OK;
        FW_TRY(s);
        p->stop.chunk = chunk;
        FW_TRY(take_chunk(p, chunk, n_records, err));
        p->stop.chunk = chunk + (uint64_t)g->reduce->size;
    }
}

static fw_status list_bad_of_table(ingest *g, size_t table, fw_error *err)
{
    size_t n = 0;
    const fw_bad_row *list = fw_table_bad(g->tables[table], &n);
    g->n_bad += fw_table_n_bad(g->tables[table]);
    for (size_t i = 0; i < n; i++) {
        ingest_bad bad = {.table = table};
        const char *line = strrchr(list[i].where, ':');
        if (line != NULL) bad.number = strtoull(line + 1, NULL, 10);
        snprintf(bad.text, sizeof bad.text, "%s: %s", list[i].where, list[i].why);
        FW_TRY(ingest_list_bad(g, &bad, err));
    }
    return FW_OK;
}

/* All ranks: the stop with the lowest chunk is everybody's. Chunks before it were read, so its row's place in the table is known. */
static fw_status agree_on_stop(parser *p, fw_error *err)
{
    ingest *g = p->g;
    FW_FREE size_t *offset = calloc((size_t)g->reduce->size + 1, sizeof *offset);
    FW_FREE int64_t *records = malloc((size_t)(ingest_n_all_chunks(g) + 1) * sizeof *records);
    FW_FREE char *bytes = NULL;
    FW_TRY(ingest_agree(g, offset == NULL || records == NULL ? fw_fail(err, FW_ERR_NOMEM, "agreeing on a bad row") : FW_OK, err));
    memcpy(records, g->records, (size_t)ingest_n_all_chunks(g) * sizeof *records);
    FW_TRY(g->reduce->sum_i64(g->reduce->context, records, (size_t)ingest_n_all_chunks(g), err));
    FW_TRY(g->reduce->gather_all(g->reduce->context, &p->stop, sizeof p->stop, &bytes, offset, err));
    stop first = {.status = FW_OK};
    for (int r = 0; r < g->reduce->size; r++) {
        stop s;
        memcpy(&s, bytes + offset[r], sizeof s);
        if (s.status < 0 && (first.status == FW_OK || s.chunk < first.chunk)) first = s;
    }
    if (first.status == FW_OK) return FW_OK;
    if (first.record == UINT64_MAX) return fw_fail(err, (fw_status)first.status, "%s", first.error.text);
    uint64_t record = first.record + 1;
    for (uint64_t c = 0; c < first.chunk; c++) record += (uint64_t)records[g->first_chunk[p->table] + c];
    return fw_fail(err, (fw_status)first.status, "%s: record %llu: %s", fw_table_path(g->tables[p->table]), (unsigned long long)record,
                   first.error.text);
}

static fw_status parse_table(parser *p, fw_error *err)
{
    fw_error mine = {.status = FW_OK};
    p->n_listed = 0;
    fw_status s = parse_chunks(p, &mine);
    if (s == FW_OK) s = list_bad_of_table(p->g, p->table, &mine);
    p->stop.status = s;
    p->stop.error = mine;
    return agree_on_stop(p, err);
}

static fw_status allocate(parser *p, fw_error *err)
{
    ingest *g = p->g;
    size_t chunks = (size_t)ingest_n_all_chunks(g);
    g->records = calloc(chunks + 1, sizeof *g->records);
    g->stats = calloc(g->schema->n_columns + 1, sizeof *g->stats);
    g->excluded = calloc(g->project->data.labels.exclude.n + 1, sizeof *g->excluded);
    if (g->records == NULL || g->stats == NULL || g->excluded == NULL) return fw_fail(err, FW_ERR_NOMEM, "%zu chunks", chunks);
    for (size_t i = 0; i < g->schema->n_columns; i++) {
        g->stats[i].min = INFINITY;
        g->stats[i].max = -INFINITY;
        g->stats[i].integral = g->stats[i].equals_target = true;
    }
    size_t limit;
    FW_TRY(worker_memory_limit(&limit, g->reduce->size, err));
    FW_TRY(worker_memory_create(&g->memory, limit, err));
    FW_TRY(fw_block_create(&p->block, g->schema, FW_MIN(FIRST_CELLS / g->schema->n_columns + 1, (size_t)4096), err));
    FW_TRY(fw_block_keep_decimals(p->block, err));
    FW_FREE char *rows = NULL;
    FW_FREE char *keys = NULL;
    FW_TRY(ingest_temp_name(&rows, g, "rows", g->reduce->rank, err));
    FW_TRY(ingest_temp_name(&keys, g, "keys", g->reduce->rank, err));
    FW_TRY(worker_store_create(&g->rows, rows, g->memory, err));
    return worker_spool_create(&g->keys, keys, err);
}

fw_status ingest_parse(ingest *g, fw_error *err)
{
    __attribute__((cleanup(parser_clear))) parser p = {.g = g};
    FW_TRY(ingest_agree(g, allocate(&p, err), err));
    for (p.table = 0; p.table < g->n_tables; p.table++) FW_TRY(parse_table(&p, err));
    return FW_OK;
}
