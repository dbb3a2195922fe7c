/* Rows from the store to the buckets of their blocks: each block is written by one rank, and rows that are another's go to it in rounds, a chunk of each
 * rank at a time. */
#include <stdlib.h>
#include <string.h>

#include "common/core/fault.h"
#include "common/core/size.h"
#include "worker/ingest_parts.h"

_Static_assert(FW_BLOCK_MAX_ROWS <= UINT16_MAX + 1, "places in a block are of 16 bits");

typedef struct distributor {
    ingest *g;
    ingest_rows rows;                  /* the chunk in hand */
    uint8_t *split;                    /* of each row */
    uint16_t *place;                   /* of each row in its block */
    uint32_t *block, *order;           /* of each row; rows by block */
    size_t capacity[4];                /* of these */
    size_t *first;                     /* (n_blocks + 1) of the rows by block */
    ingest_part *parts;                /* of a chunk, one for each block it has rows of */
    size_t n_parts, part_capacity;
    char *scratch;                     /* a part that is larger than the memory */
    size_t scratch_capacity;
    char *send, *got;                  /* parts for other ranks, and of theirs */
    size_t send_capacity, got_capacity;
    size_t *at, *offset;               /* (ranks + 1) each: of these */
    size_t *run;                       /* (ranks + 1) first block of each rank */
    fw_permutation order_of[FW_N_SPLITS];
    uint64_t blocks_before[FW_N_SPLITS];
    size_t n_blocks;
} distributor;

static void distributor_clear(distributor *d)
{
    free(d->rows.columns);
    free(d->split);
    free(d->place);
    free(d->block);
    free(d->order);
    free(d->first);
    free(d->parts);
    free(d->scratch);
    free(d->send);
    free(d->got);
    free(d->at);
    free(d->offset);
    free(d->run);
}

/* ---- a chunk is read ---- */

static fw_status reserve(distributor *d, size_t n, fw_error *err)
{
    FW_TRY(fw_grow((void **)&d->split, &d->capacity[0], n + 1, sizeof *d->split, "rows of a chunk", err));
    FW_TRY(fw_grow((void **)&d->place, &d->capacity[1], n + 1, sizeof *d->place, "rows of a chunk", err));
    FW_TRY(fw_grow((void **)&d->block, &d->capacity[2], n + 1, sizeof *d->block, "rows of a chunk", err));
    return fw_grow((void **)&d->order, &d->capacity[3], n + 1, sizeof *d->order, "rows of a chunk", err);
}

/* Codes of this rank -> codes of the file. */
static void translate_codes(distributor *d, char *piece)
{
    for (size_t i = 0; i < d->g->n_stored; i++) {
        const ingest_cells *c = &d->rows.columns[i];
        if (d->g->schema->columns[i].type != FW_CATEGORY) continue;
        int32_t *code = (int32_t *)(void *)(piece + ((const char *)c->cells - piece));
        for (size_t r = 0; r < d->rows.n; r++)
            if (c->missing == NULL || !c->missing[r]) code[r] = d->g->stats[i].code[code[r]];
    }
}

static fw_status read_chunk(distributor *d, const ingest_chunk *c, fw_error *err)
{
    void *piece = NULL;
    size_t len = 0;
    FW_TRY(worker_store_next(d->g->rows, &piece, &len, err));
    if (!ingest_unpack(&d->rows, piece, len) || d->rows.n != c->n_rows)
        return fw_fail(err, FW_ERR_IO, "a temporary file of '%s' was changed by something else", d->g->temp);
    FW_TRY(reserve(d, d->rows.n, err));
    FW_TRY(worker_spool_read(d->g->splits, d->split, d->rows.n, err));
    translate_codes(d, piece);
    return FW_OK;
}

/* ---- what is counted ---- */

static void count_cells(distributor *d)
{
    ingest *g = d->g;
    for (size_t i = 0; i < g->n_stored; i++) {
        const ingest_cells *c = &d->rows.columns[i];
        if (g->schema->columns[i].type != FW_TEXT) continue;
        int64_t *bytes = g->text_bytes + g->stats[i].text_slot * d->n_blocks;
        for (size_t r = 0; r < d->rows.n; r++) bytes[d->block[r]] += (int64_t)(c->text_at[r + 1] - c->text_at[r]);
    }
    const int32_t *class = d->rows.columns[g->target].cells;
    for (size_t r = 0; g->class_rows != NULL && r < d->rows.n; r++) g->class_rows[(size_t)class[r] * FW_N_SPLITS + d->split[r]]++;
}

/* ---- where rows go ---- */

/* Block and place of each row, from its ordinal in its split. */
static void place_rows(distributor *d, const ingest_chunk *c)
{
    ingest *g = d->g;
    int64_t *ordinal = g->before + c->index * FW_N_SPLITS;
    for (size_t r = 0; r < d->rows.n; r++) {
        uint8_t split = d->split[r];
        uint64_t position = fw_permutation_at(&d->order_of[split], (uint64_t)ordinal[split]++);
        d->block[r] = (uint32_t)(d->blocks_before[split] + position / g->layout.block_rows);
        d->place[r] = (uint16_t)(position % g->layout.block_rows);
    }
}

/* Rows by block, in their order within it: rows order[first[b]] .. order[first[b + 1]] are those of b. */
static void sort_rows(distributor *d)
{
    memset(d->first, 0, (d->n_blocks + 1) * sizeof *d->first);
    for (size_t r = 0; r < d->rows.n; r++) d->first[d->block[r] + 1]++;
    for (size_t b = 0; b < d->n_blocks; b++) d->first[b + 1] += d->first[b];
    for (size_t r = 0; r < d->rows.n; r++) d->order[d->first[d->block[r]]++] = (uint32_t)r;
    for (size_t b = d->n_blocks; b > 0; b--) d->first[b] = d->first[b - 1];
    d->first[0] = 0;
}

static fw_status list_parts(distributor *d, fw_error *err)
{
    d->n_parts = 0;
    for (size_t b = 0; b < d->n_blocks; b++) {
        size_t rows = d->first[b + 1] - d->first[b];
        if (rows == 0) continue;
        FW_TRY(fw_grow((void **)&d->parts, &d->part_capacity, d->n_parts + 1, sizeof *d->parts, "parts of a chunk", err));
        const uint32_t *index = d->order + d->first[b];
        d->parts[d->n_parts++] =
            (ingest_part){.bucket = (uint32_t)b, .n = rows, .index = index, .len = ingest_part_bytes(&d->rows, (uint32_t)b, index, rows)};
    }
    return FW_OK;
}

static bool is_own(const distributor *d, uint32_t block)
{
    return block >= d->run[d->g->reduce->rank] && block < d->run[d->g->reduce->rank + 1];
}

static size_t own_bucket(const distributor *d, uint32_t block) { return block - d->run[d->g->reduce->rank]; }

/* Places in `send` for the parts that are other ranks'. */
static fw_status lay_out_send(distributor *d, fw_error *err)
{
    size_t len = 0, k = 0;
    for (int r = 0; r < d->g->reduce->size; r++) {
        d->at[r] = len;
        for (; k < d->n_parts && d->parts[k].bucket < d->run[r + 1]; k++) len += r != d->g->reduce->rank ? d->parts[k].len : 0;
    }
    FW_TRY(fw_grow((void **)&d->send, &d->send_capacity, len, 1, "rows for other ranks", err));
    d->at[d->g->reduce->size] = len;
    len = 0;
    for (k = 0; k < d->n_parts; k++) {
        if (is_own(d, d->parts[k].bucket)) continue;
        d->parts[k].to = d->send + len;
        len += d->parts[k].len;
    }
    return FW_OK;
}

/* One part that found no room. */
static fw_status add_alone(distributor *d, ingest_part *p, uint64_t base, fw_error *err)
{
    FW_TRY(fw_grow((void **)&d->scratch, &d->scratch_capacity, p->len, 1, "a part of a block", err));
    p->to = d->scratch;
    ingest_pack(&d->rows, p, 1, base, d->place);
    return worker_buckets_add(d->g->blocks, own_bucket(d, p->bucket), p->to, p->len, err);
}

/* The rows to the buckets of their blocks, or on their way to the ranks that have these; parts are filled together, before anything is flushed. */
static fw_status pack_parts(distributor *d, uint64_t base, fw_error *err)
{
    size_t packed = 0;
    for (size_t k = 0; k < d->n_parts; k++) {
        ingest_part *p = &d->parts[k];
        if (!is_own(d, p->bucket) || (p->to = worker_buckets_room(d->g->blocks, own_bucket(d, p->bucket), p->len)) != NULL) continue;
        ingest_pack(&d->rows, d->parts + packed, k - packed, base, d->place);
        packed = k + 1;
        FW_TRY(add_alone(d, p, base, err));
    }
    ingest_pack(&d->rows, d->parts + packed, d->n_parts - packed, base, d->place);
    return FW_OK;
}

static fw_status take_chunk(distributor *d, const ingest_chunk *c, fw_error *err)
{
    worker_tick();
    FW_TRY(fw_fault("ingest.distribute", err));
    if (c->n_rows == 0) return FW_OK;
    FW_TRY(read_chunk(d, c, err));
    place_rows(d, c);
    count_cells(d);
    sort_rows(d);
    FW_TRY(list_parts(d, err));
    FW_TRY(lay_out_send(d, err));
    return pack_parts(d, (uint64_t)d->g->records[c->index], err);
}

/* ---- over ranks ---- */

/* The parts that came of other ranks. */
static fw_status take_got(distributor *d, fw_error *err)
{
    const char *bytes = d->got;
    ingest_walk w;
    for (size_t at = 0, len = d->offset[d->g->reduce->size]; at < len; at += w.len) {
        if (!ingest_walk_start(&w, bytes + at, len - at, d->g->n_stored) || !is_own(d, w.bucket))
            return fw_fail(err, FW_ERR_INTERNAL, "rows of another rank came damaged");
        FW_TRY(worker_buckets_add(d->g->blocks, own_bucket(d, w.bucket), bytes + at, w.len, err));
    }
    return FW_OK;
}

/* Of the rank that has most chunks: the first. */
static size_t n_rounds(const ingest *g)
{
    size_t n = 0;
    const uint64_t size = (uint64_t)g->reduce->size;
    for (size_t t = 0; t < g->n_tables; t++) n += (size_t)((g->first_chunk[t + 1] - g->first_chunk[t] + size - 1) / size);
    return n;
}

/* A rank that fails goes on with nothing to send, so that nobody waits; the status is agreed on at the end. */
static fw_status distribute_all(distributor *d, fw_error *err)
{
    ingest *g = d->g;
    const fw_reduce *r = g->reduce;
    fw_status mine = worker_spool_rewind(g->splits, err);
    for (size_t k = 0, n = n_rounds(g); k < n; k++) {
        memset(d->at, 0, ((size_t)r->size + 1) * sizeof *d->at);
        if (mine == FW_OK && k < g->n_chunks) mine = take_chunk(d, &g->chunks[k], err);
        if (r->size == 1 && mine != FW_OK) return mine;
        if (r->size == 1) continue;
        if (mine != FW_OK) memset(d->at, 0, ((size_t)r->size + 1) * sizeof *d->at);
        fw_error *unsaid = mine == FW_OK ? err : NULL;
        FW_TRY(r->exchange(r->context, d->send, d->at, &d->got, &d->got_capacity, d->offset, unsaid));
        if (mine == FW_OK) mine = take_got(d, err);
    }
    return mine == FW_OK ? worker_buckets_finish(g->blocks, err) : mine;
}

/* ---- before and after ---- */

/* What a row takes apart from its texts, with some bytes for what is stored about it. */
static uint64_t fixed_bytes(const ingest *g)
{
    uint64_t bytes = 16 + g->n_stored;
    for (size_t i = 0; i < g->n_stored; i++) {
        const fw_column *c = &g->schema->columns[i];
        bytes += c->type == FW_TEXT ? sizeof(uint32_t) : fw_column_cell_bytes(c);
    }
    return bytes;
}

/* Block rows follow from the data alone: fixed cells, and texts by their mean length over all rows. */
static fw_status choose_layout(distributor *d, fw_error *err)
{
    ingest *g = d->g;
    int64_t text = g->text_total;
    FW_TRY(g->reduce->sum_i64(g->reduce->context, &text, 1, err));
    uint64_t rows = fw_layout_total(&g->layout);
    g->layout.block_rows = fw_layout_block_rows(fixed_bytes(g) + (uint64_t)text / rows + 1);
    for (fw_split s = FW_TRAIN; s < FW_N_SPLITS; s++) {
        d->order_of[s] = fw_split_file_order(&g->rule, s, g->layout.rows[s]);
        d->blocks_before[s] = fw_layout_block_at(&g->layout, s, 0);
    }
    d->n_blocks = (size_t)fw_layout_n_blocks(&g->layout);
    if (d->n_blocks >= INGEST_NO_BUCKET) return fw_fail(err, FW_ERR_DATA, "%zu blocks are too many", d->n_blocks);
    return FW_OK;
}

static fw_status allocate(distributor *d, fw_error *err)
{
    const ingest *g = d->g;
    const size_t size = (size_t)g->reduce->size;
    d->rows = (ingest_rows){.schema = g->schema, .n_columns = g->n_stored, .columns = calloc(g->n_stored + 1, sizeof *d->rows.columns)};
    d->first = calloc(d->n_blocks + 2, sizeof *d->first);
    d->at = calloc(size + 1, sizeof *d->at);
    d->offset = calloc(size + 1, sizeof *d->offset);
    d->run = calloc(size + 1, sizeof *d->run);
    if (d->rows.columns == NULL || d->first == NULL || d->at == NULL || d->offset == NULL || d->run == NULL)
        return fw_fail(err, FW_ERR_NOMEM, "%zu columns, %zu blocks", g->n_stored, d->n_blocks);
    for (int r = 0; r <= g->reduce->size; r++) d->run[r] = worker_run_first(d->n_blocks, r, g->reduce->size);
    return FW_OK;
}

static fw_status open_buckets(distributor *d, fw_error *err)
{
    ingest *g = d->g;
    size_t blocks = d->n_blocks, classes = ingest_n_classes(g);
    FW_FREE char *path = NULL;
    FW_TRY(allocate(d, err));
    for (size_t i = 0; i < g->n_stored; i++)
        if (g->schema->columns[i].type == FW_TEXT) g->stats[i].text_slot = g->n_texts++;
    g->text_bytes = calloc(g->n_texts * blocks + 1, sizeof *g->text_bytes);
    if (classes > 0) g->class_rows = calloc(classes, FW_N_SPLITS * sizeof *g->class_rows);
    if (g->text_bytes == NULL || (classes > 0 && g->class_rows == NULL)) return fw_fail(err, FW_ERR_NOMEM, "%zu blocks", blocks);
    FW_TRY(ingest_temp_name(&path, g, "blocks", g->reduce->rank, err));
    return worker_buckets_create(&g->blocks, path, d->run[g->reduce->rank + 1] - d->run[g->reduce->rank], g->memory, err);
}

static fw_status merge_counts(ingest *g, fw_error *err)
{
    const fw_reduce *r = g->reduce;
    size_t blocks = (size_t)fw_layout_n_blocks(&g->layout), classes = ingest_n_classes(g);
    if (g->n_texts > 0) FW_TRY(r->sum_i64(r->context, g->text_bytes, g->n_texts * blocks, err));
    if (classes > 0) FW_TRY(r->sum_i64(r->context, g->class_rows, classes * FW_N_SPLITS, err));
    for (size_t i = 0; i < g->n_stored; i++) {
        if (g->schema->columns[i].type != FW_TEXT) continue;
        int64_t at = 0, *start = g->text_bytes + g->stats[i].text_slot * blocks;
        for (size_t b = 0; b < blocks; b++) {
            int64_t here = start[b];
            start[b] = at;
            at += here;
        }
        g->stats[i].text_bytes = (uint64_t)at;
    }
    return FW_OK;
}

fw_status ingest_distribute(ingest *g, fw_error *err)
{
    __attribute__((cleanup(distributor_clear))) distributor d = {.g = g};
    FW_TRY(choose_layout(&d, err));
    FW_TRY(ingest_agree(g, open_buckets(&d, err), err));
    FW_TRY(ingest_agree(g, distribute_all(&d, err), err));
    worker_store_destroy(&g->rows);
    worker_spool_destroy(&g->splits);
    return merge_counts(g, err);
}
