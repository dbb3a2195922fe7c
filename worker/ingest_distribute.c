#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fault.h"
#include "common/core/size.h"
#include "worker/ingest_parts.h"

#define HASHES_A_PARTITION ((uint64_t)1 << 20)
#define PARTITION_BITS_MIN 4
#define ROWS_TOGETHER      256         /* rows as bytes at a time */

typedef struct distributor {
    ingest *g;
    ingest_rows rows;                  /* the chunk in hand */
    uint8_t *split;                    /* of each row */
    uint32_t *place, *bucket, *order;  /* of each row: place in its block, the block (or partition); rows by bucket */
    uint64_t *hash, *sorted;           /* of each row; by partition */
    size_t capacity[6];                /* of these */
    size_t *first;                     /* (n_blocks or n_partitions + 1) of the rows by bucket */
    ingest_part *parts;                /* of a chunk, one for each block it has rows of */
    size_t part_capacity;
    char *scratch;                     /* a part that is larger than the memory */
    size_t scratch_capacity;
    ingest_scratch values;
    ingest_canon canon;
    fw_permutation order_of[FW_N_SPLITS];
    uint64_t blocks_before[FW_N_SPLITS];
    fw_digest sum;                     /* of the rows' digests */
    size_t n_blocks, n_partitions;     /* n_partitions: power of two: of the rows' hashes */
    unsigned partition_shift;
} distributor;

static void distributor_clear(distributor *d)
{
    free(d->rows.columns);
    free(d->split);
    free(d->place);
    free(d->bucket);
    free(d->order);
    free(d->hash);
    free(d->sorted);
    free(d->first);
    free(d->parts);
    free(d->scratch);
    ingest_scratch_clear(&d->values);
    ingest_canon_clear(&d->canon);
}

/* ---- a chunk is read ---- */

static fw_status reserve(distributor *d, size_t n, fw_error *err)
{
    FW_TRY(fw_grow((void **)&d->split, &d->capacity[0], n + 1, sizeof *d->split, "rows of a chunk", err));
    FW_TRY(fw_grow((void **)&d->place, &d->capacity[1], n + 1, sizeof *d->place, "rows of a chunk", err));
    FW_TRY(fw_grow((void **)&d->bucket, &d->capacity[2], n + 1, sizeof *d->bucket, "rows of a chunk", err));
    FW_TRY(fw_grow((void **)&d->order, &d->capacity[3], n + 1, sizeof *d->order, "rows of a chunk", err));
    FW_TRY(fw_grow((void **)&d->hash, &d->capacity[4], n + 1, sizeof *d->hash, "rows of a chunk", err));
    return fw_grow((void **)&d->sorted, &d->capacity[5], n + 1, sizeof *d->sorted, "rows of a chunk", err);
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

static fw_status hash_rows(distributor *d, uint64_t row_base, fw_error *err)
{
    for (size_t first = 0; first < d->rows.n; first += ROWS_TOGETHER) {
        size_t n = FW_MIN(d->rows.n - first, (size_t)ROWS_TOGETHER);
        ingest_canon *c = &d->canon;
        FW_TRY(ingest_canon_rows(c, d->g, &d->rows, first, n, row_base, d->split, err));
        for (size_t i = 0; i < n; i++) {
            const char *row = c->bytes + c->at[i];
            d->sum = fw_digest_add(d->sum, fw_hash128(row, c->at[i + 1] - c->at[i], 0));
            d->hash[first + i] = fw_hash64(row + INGEST_CELLS_AT, c->id_at[i] - c->at[i] - INGEST_CELLS_AT, 0);
        }
    }
    return FW_OK;
}

static fw_status count_cells(distributor *d, fw_error *err)
{
    ingest *g = d->g;
    for (size_t i = 0; i < g->n_stored; i++) {
        const ingest_cells *c = &d->rows.columns[i];
        if (g->schema->columns[i].type == FW_NUMBER)
            FW_TRY(ingest_add_squares(&g->stats[i], c->cells, c->missing, d->rows.n, &d->values, err));
        if (g->schema->columns[i].type != FW_TEXT) continue;
        int64_t *bytes = g->text_bytes + g->stats[i].text_slot * d->n_blocks;
        for (size_t r = 0; r < d->rows.n; r++) bytes[d->bucket[r]] += (int64_t)(c->text_at[r + 1] - c->text_at[r]);
    }
    const int32_t *class = d->rows.columns[g->target].cells;
    for (size_t r = 0; g->class_rows != NULL && r < d->rows.n; r++) g->class_rows[(size_t)class[r] * FW_N_SPLITS + d->split[r]]++;
    return FW_OK;
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
        d->bucket[r] = (uint32_t)(d->blocks_before[split] + position / g->layout.block_rows);
        d->place[r] = (uint32_t)(position % g->layout.block_rows);
    }
}

/* Rows by bucket, in their order within it: rows order[first[b]] .. order[first[b + 1]] are those of b. */
static void sort_rows(distributor *d, size_t n_buckets)
{
    memset(d->first, 0, (n_buckets + 1) * sizeof *d->first);
    for (size_t r = 0; r < d->rows.n; r++) d->first[d->bucket[r] + 1]++;
    for (size_t b = 0; b < n_buckets; b++) d->first[b + 1] += d->first[b];
    for (size_t r = 0; r < d->rows.n; r++) d->order[d->first[d->bucket[r]]++] = (uint32_t)r;
    for (size_t b = n_buckets; b > 0; b--) d->first[b] = d->first[b - 1];
    d->first[0] = 0;
}

static fw_status list_parts(distributor *d, size_t *n_parts, fw_error *err)
{
    size_t n = 0;
    for (size_t b = 0; b < d->n_blocks; b++) {
        size_t rows = d->first[b + 1] - d->first[b];
        if (rows == 0) continue;
        FW_TRY(fw_grow((void **)&d->parts, &d->part_capacity, n + 1, sizeof *d->parts, "parts of a chunk", err));
        const uint32_t *index = d->order + d->first[b];
        d->parts[n++] = (ingest_part){.bucket = b, .n = rows, .index = index, .len = ingest_part_bytes(&d->rows, index, rows)};
    }
    *n_parts = n;
    return FW_OK;
}

/* One part that found no room. */
static fw_status send_alone(distributor *d, ingest_part *p, uint64_t row_base, fw_error *err)
{
    FW_TRY(fw_grow((void **)&d->scratch, &d->scratch_capacity, p->len, 1, "a part of a block", err));
    p->to = d->scratch;
    ingest_pack(&d->rows, p, 1, row_base, d->place);
    return worker_buckets_add(d->g->blocks, p->bucket, p->to, p->len, err);
}

/* The rows to the buckets of their blocks; parts are filled together, before anything is flushed. */
static fw_status send_rows(distributor *d, uint64_t row_base, fw_error *err)
{
    size_t n_parts = 0, packed = 0;
    sort_rows(d, d->n_blocks);
    FW_TRY(list_parts(d, &n_parts, err));
    for (size_t k = 0; k < n_parts; k++) {
        ingest_part *p = &d->parts[k];
        if ((p->to = worker_buckets_room(d->g->blocks, p->bucket, p->len)) != NULL) continue;
        ingest_pack(&d->rows, d->parts + packed, k - packed, row_base, d->place);
        packed = k + 1;
        FW_TRY(send_alone(d, p, row_base, err));
    }
    ingest_pack(&d->rows, d->parts + packed, n_parts - packed, row_base, d->place);
    return FW_OK;
}

static fw_status send_hashes(distributor *d, fw_error *err)
{
    for (size_t r = 0; r < d->rows.n; r++) d->bucket[r] = (uint32_t)(d->hash[r] >> d->partition_shift);
    sort_rows(d, d->n_partitions);
    for (size_t r = 0; r < d->rows.n; r++) d->sorted[r] = d->hash[d->order[r]];
    for (size_t b = 0; b < d->n_partitions; b++) {
        size_t n = d->first[b + 1] - d->first[b];
        if (n > 0) FW_TRY(worker_buckets_add(d->g->hashes, b, d->sorted + d->first[b], n * sizeof *d->sorted, err));
    }
    return FW_OK;
}

static fw_status place_all(distributor *d, fw_error *err)
{
    ingest *g = d->g;
    FW_TRY(worker_spool_rewind(g->splits, err));
    for (size_t k = 0; k < g->n_chunks; k++) {
        const ingest_chunk *c = &g->chunks[k];
        uint64_t row_base = (uint64_t)g->records[c->index];
        worker_tick();
        FW_TRY(fw_fault("ingest.distribute", err));
        if (c->n_rows == 0) continue;
        FW_TRY(read_chunk(d, c, err));
        place_rows(d, c);
        FW_TRY(count_cells(d, err));
        FW_TRY(hash_rows(d, row_base, err));
        FW_TRY(send_rows(d, row_base, err));
        FW_TRY(send_hashes(d, err));
    }
    FW_TRY(worker_buckets_finish(g->blocks, g->reduce->rank, g->reduce->size, err));
    return worker_buckets_finish(g->hashes, g->reduce->rank, g->reduce->size, err);
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
    if (d->n_blocks > UINT32_MAX) return fw_fail(err, FW_ERR_DATA, "%zu blocks are too many", d->n_blocks);
    unsigned bits = PARTITION_BITS_MIN;
    while (((uint64_t)1 << bits) < rows / HASHES_A_PARTITION) bits++;
    d->n_partitions = (size_t)1 << bits;
    d->partition_shift = 64 - bits;
    return FW_OK;
}

static fw_status open_buckets(distributor *d, fw_error *err)
{
    ingest *g = d->g;
    size_t blocks = d->n_blocks, classes = ingest_n_classes(g);
    FW_FREE char *rows = NULL;
    FW_FREE char *hashes = NULL;
    d->rows = (ingest_rows){.schema = g->schema, .n_columns = g->n_stored, .columns = calloc(g->n_stored + 1, sizeof *d->rows.columns)};
    d->first = calloc(FW_MAX(blocks, d->n_partitions) + 2, sizeof *d->first);
    if (d->rows.columns == NULL || d->first == NULL) return fw_fail(err, FW_ERR_NOMEM, "%zu columns, %zu blocks", g->n_stored, blocks);
    for (size_t i = 0; i < g->n_stored; i++)
        if (g->schema->columns[i].type == FW_TEXT) g->stats[i].text_slot = g->n_texts++;
    g->text_bytes = calloc(g->n_texts * blocks + 1, sizeof *g->text_bytes);
    if (classes > 0) g->class_rows = calloc(classes, FW_N_SPLITS * sizeof *g->class_rows);
    if (g->text_bytes == NULL || (classes > 0 && g->class_rows == NULL)) return fw_fail(err, FW_ERR_NOMEM, "%zu blocks", blocks);
    for (size_t i = 0; i < g->n_stored; i++) {
        ingest_stats *s = &g->stats[i];
        if (s->present > 0) s->scaled_mean = ldexp(ingest_mean(s), -s->exponent);
    }
    FW_TRY(ingest_temp_name(&rows, g, "blocks", g->reduce->rank, err));
    FW_TRY(ingest_temp_name(&hashes, g, "hashes", g->reduce->rank, err));
    FW_TRY(worker_buckets_create(&g->blocks, rows, blocks, g->memory, err));
    return worker_buckets_create(&g->hashes, hashes, d->n_partitions, g->hash_memory, err);
}

static fw_status merge_counts(ingest *g, fw_error *err)
{
    const fw_reduce *r = g->reduce;
    size_t blocks = (size_t)fw_layout_n_blocks(&g->layout), classes = ingest_n_classes(g);
    if (g->n_texts > 0) FW_TRY(r->sum_i64(r->context, g->text_bytes, g->n_texts * blocks, err));
    if (classes > 0) FW_TRY(r->sum_i64(r->context, g->class_rows, classes * FW_N_SPLITS, err));
    for (size_t i = 0; i < g->n_stored; i++) FW_TRY(fw_exact_sum_reduce(&g->stats[i].squares, 1, r, err));
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

/* Rows, by sum modulo 2^128, and the columns they are of. */
static fw_status content_digest(distributor *d, fw_error *err)
{
    ingest *g = d->g;
    int64_t limb[4] = {(int64_t)(uint32_t)d->sum.lo, (int64_t)(d->sum.lo >> 32), (int64_t)(uint32_t)d->sum.hi, (int64_t)(d->sum.hi >> 32)};
    FW_TRY(g->reduce->sum_i64(g->reduce->context, limb, 4, err));
    uint64_t carry = 0, word[4];
    for (size_t i = 0; i < 4; i++) {
        carry += (uint64_t)limb[i];
        word[i] = (uint32_t)carry;
        carry >>= 32;
    }
    uint64_t sum[2] = {word[0] | word[1] << 32, word[2] | word[3] << 32};
    FW_AUTO(fw_hasher) *h = fw_hasher_create(0);
    FW_TRY(ingest_agree(g, h == NULL ? fw_fail(err, FW_ERR_NOMEM, "content digest") : FW_OK, err));
    fw_hasher_add(h, sum, sizeof sum);
    for (size_t i = 0; i < g->n_stored; i++) {
        const fw_column *c = &g->schema->columns[i];
        uint32_t about[5] = {(uint32_t)c->type, (int)i == g->target, c->height, c->width, c->channels};
        fw_hasher_add(h, c->name, strlen(c->name) + 1);
        fw_hasher_add(h, about, sizeof about);
    }
    fw_digest_text(g->digest, fw_hasher_value(h));
    return FW_OK;
}

/* ---- duplicates: equal rows, the id left out ---- */

static fw_status count_partition(uint64_t *duplicates, const ingest *g, size_t n_partitions, size_t partition, fw_error *err)
{
    FW_FREE char *bytes = NULL;
    size_t len = 0, capacity = 0;
    for (const worker_piece *p = NULL; (p = worker_buckets_next(g->hashes, partition, p)) != NULL;) {
        size_t here;
        const void *piece = worker_piece_bytes(p, &here);
        FW_TRY(fw_grow((void **)&bytes, &capacity, len + here, 1, "hashes", err));
        memcpy(bytes + len, piece, here);
        len += here;
    }
    for (int r = 0; worker_buckets_have_file(g->hashes) && r < g->reduce->size; r++) {
        FW_FREE char *path = NULL;
        FW_TRY(ingest_temp_name(&path, g, "hashes", r, err));
        FW_TRY(worker_buckets_load(&bytes, &len, &capacity, path, n_partitions, partition, err));
    }
    size_t n = len / sizeof(uint64_t);
    if (n == 0) return FW_OK;
    FW_FREE uint64_t *scratch = malloc(n * sizeof *scratch);
    if (scratch == NULL) return fw_fail(err, FW_ERR_NOMEM, "%zu hashes", n);
    uint64_t *hash = (uint64_t *)(void *)bytes;
    worker_sort_hashes(hash, scratch, n);
    for (size_t i = 1; i < n; i++) *duplicates += hash[i] == hash[i - 1];
    return FW_OK;
}

static fw_status count_duplicates(ingest *g, size_t n_partitions, fw_error *err)
{
    uint64_t mine = 0;
    fw_status s = FW_OK;
    const int rank = g->reduce->rank, size = g->reduce->size;
    for (size_t i = worker_buckets_first(n_partitions, rank, size); s == FW_OK && i < worker_buckets_first(n_partitions, rank + 1, size); i++) {
        worker_tick();
        s = count_partition(&mine, g, n_partitions, i, err);
    }
    FW_TRY(ingest_agree(g, s, err));
    int64_t all = (int64_t)mine;
    FW_TRY(g->reduce->sum_i64(g->reduce->context, &all, 1, err));
    g->duplicates = (uint64_t)all;
    return FW_OK;
}

fw_status ingest_distribute(ingest *g, fw_error *err)
{
    __attribute__((cleanup(distributor_clear))) distributor d = {.g = g};
    FW_TRY(choose_layout(&d, err));
    FW_TRY(ingest_agree(g, open_buckets(&d, err), err));
    FW_TRY(ingest_agree(g, place_all(&d, err), err));
    worker_store_destroy(&g->rows);
    worker_spool_destroy(&g->splits);
    FW_TRY(merge_counts(g, err));
    FW_TRY(content_digest(&d, err));
    FW_TRY(count_duplicates(g, d.n_partitions, err));
    FW_TRY(ingest_agree(g, FW_OK, err));       /* all have read before anybody removes */
    worker_buckets_destroy(&g->hashes);
    worker_memory_destroy(&g->hash_memory);
    return FW_OK;
}
