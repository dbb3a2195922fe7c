#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fault.h"
#include "common/core/size.h"
#include "worker/ingest_parts.h"

#define HASHES_A_PARTITION ((uint64_t)1 << 20)
#define PARTITION_BITS_MIN 4

typedef struct distributor {
    ingest *g;
    size_t *offset, fixed_bytes;
    char *row, *canonical;             /* a row as spooled; its bytes for the digest */
    size_t row_capacity, canonical_capacity;
    fw_permutation order[FW_N_SPLITS];
    fw_digest sum;                     /* of the rows' digests */
    size_t n_partitions;               /* power of two: of the rows' hashes */
    unsigned partition_shift;
} distributor;

static void distributor_clear(distributor *d)
{
    free(d->offset);
    free(d->row);
    free(d->canonical);
}

/* ---- one row ---- */

static fw_status read_row(distributor *d, ingest_row *head, fw_error *err)
{
    FW_TRY(worker_spool_read(d->g->rows, head, sizeof *head, err));
    if (head->len < d->fixed_bytes) return fw_fail(err, FW_ERR_IO, "a temporary file was changed by something else");
    FW_TRY(fw_grow((void **)&d->row, &d->row_capacity, head->len, 1, "a row", err));
    return worker_spool_read(d->g->rows, d->row + sizeof *head, head->len - sizeof *head, err);
}

/* Codes of this rank -> codes of the file. */
static void translate_codes(distributor *d)
{
    for (size_t i = 0; i < d->g->n_stored; i++) {
        if (d->g->schema->columns[i].type != FW_CATEGORY || d->row[sizeof(ingest_row) + i]) continue;
        int32_t code;
        memcpy(&code, d->row + d->offset[i], sizeof code);
        code = d->g->stats[i].code[code];
        memcpy(d->row + d->offset[i], &code, sizeof code);
    }
}

static size_t put(char *to, const void *bytes, size_t len)
{
    memcpy(to, bytes, len);
    return len;
}

/* A cell as it counts for the digest: missing mark, then the value; categories and texts by length and text, so that codes do not matter. */
static fw_status canonical_cell(distributor *d, size_t column, const char *text, size_t *at, fw_error *err)
{
    const fw_column *c = &d->g->schema->columns[column];
    const char *cell = d->row + d->offset[column];
    size_t len = fw_column_cell_bytes(c);
    uint8_t missing = (uint8_t)d->row[sizeof(ingest_row) + column];
    if (c->type == FW_CATEGORY && !missing) {
        int32_t code;
        memcpy(&code, cell, sizeof code);
        text = fw_dict_text(c->dict, code, &len);
    } else if (c->type == FW_TEXT) {
        uint32_t n;
        memcpy(&n, cell, sizeof n);
        len = n;
    }
    FW_TRY(fw_grow((void **)&d->canonical, &d->canonical_capacity, *at + 1 + sizeof(uint32_t) + len, 1, "a row", err));
    *at += put(d->canonical + *at, &missing, 1);
    if (missing) return FW_OK;
    uint32_t length = (uint32_t)len;
    bool is_text = c->type == FW_CATEGORY || c->type == FW_TEXT;
    if (is_text) *at += put(d->canonical + *at, &length, sizeof length);
    *at += put(d->canonical + *at, is_text ? text : cell, len);
    return FW_OK;
}

/* Row number, split, cells; the id last, so that what is before it tells duplicates. *id_at: where it begins. */
static fw_status canonical_row(distributor *d, uint64_t row, fw_split split, size_t *id_at, size_t *len, fw_error *err)
{
    const ingest *g = d->g;
    uint8_t s = (uint8_t)split;
    size_t text_at = d->fixed_bytes, id_text = 0;
    FW_TRY(fw_grow((void **)&d->canonical, &d->canonical_capacity, 64, 1, "a row", err));
    *len = put(d->canonical, &row, sizeof row);
    *len += put(d->canonical + *len, &s, 1);
    for (size_t i = 0; i < g->n_stored; i++) {
        if ((int)i == g->id) id_text = text_at;
        else FW_TRY(canonical_cell(d, i, d->row + text_at, len, err));
        if (g->schema->columns[i].type == FW_TEXT) {
            uint32_t n;
            memcpy(&n, d->row + d->offset[i], sizeof n);
            text_at += n;
        }
    }
    *id_at = *len;
    return g->id >= 0 ? canonical_cell(d, (size_t)g->id, d->row + id_text, len, err) : FW_OK;
}

#define CELLS_AT (sizeof(uint64_t) + 1)

static fw_status hash_row(distributor *d, uint64_t row, fw_split split, fw_error *err)
{
    size_t id_at, len;
    FW_TRY(canonical_row(d, row, split, &id_at, &len, err));
    d->sum = fw_digest_add(d->sum, fw_hash128(d->canonical, len, 0));
    uint64_t cells = fw_hash64(d->canonical + CELLS_AT, id_at - CELLS_AT, 0);
    return worker_buckets_add(d->g->hashes, (size_t)(cells >> d->partition_shift), &cells, sizeof cells, err);
}

/* (x - mean)^2 in units of 2^(2 exponent): cannot overflow, and the scaling is exact. */
static fw_status add_squares(distributor *d, fw_error *err)
{
    for (size_t i = 0; i < d->g->n_stored; i++) {
        ingest_stats *s = &d->g->stats[i];
        if (d->g->schema->columns[i].type != FW_NUMBER || d->row[sizeof(ingest_row) + i]) continue;
        double x;
        memcpy(&x, d->row + d->offset[i], sizeof x);
        double from_mean = ldexp(x, -s->exponent) - s->scaled_mean;
        FW_TRY(fw_exact_sum_add(&s->squares, from_mean * from_mean, err));
    }
    return FW_OK;
}

static void count_row(distributor *d, fw_split split, uint64_t block)
{
    ingest *g = d->g;
    if (g->class_rows != NULL) {
        int32_t code;
        memcpy(&code, d->row + d->offset[g->target], sizeof code);
        g->class_rows[(size_t)code * FW_N_SPLITS + split]++;
    }
    for (size_t i = 0; i < g->n_stored; i++) {
        if (g->schema->columns[i].type != FW_TEXT) continue;
        uint32_t n;
        memcpy(&n, d->row + d->offset[i], sizeof n);
        g->text_bytes[g->stats[i].text_slot * fw_layout_n_blocks(&g->layout) + block] += n;
    }
}

static fw_status place_row(distributor *d, const ingest_chunk *c, fw_error *err)
{
    ingest *g = d->g;
    ingest_row head;
    uint8_t byte;
    FW_TRY(read_row(d, &head, err));
    FW_TRY(worker_spool_read(g->splits, &byte, 1, err));
    fw_split split = (fw_split)byte;
    uint64_t ordinal = (uint64_t)g->before[c->index * FW_N_SPLITS + split]++;
    uint64_t position = fw_permutation_at(&d->order[split], ordinal);
    uint64_t block = fw_layout_block_at(&g->layout, split, position);
    head.place = (uint32_t)(position % g->layout.block_rows);
    head.row += (uint64_t)g->records[c->index];
    memcpy(d->row, &head, sizeof head);
    translate_codes(d);
    FW_TRY(hash_row(d, head.row, split, err));
    FW_TRY(add_squares(d, err));
    count_row(d, split, block);
    return worker_buckets_add(g->blocks, (size_t)block, d->row, head.len, err);
}

static fw_status place_all(distributor *d, fw_error *err)
{
    ingest *g = d->g;
    FW_TRY(worker_spool_rewind(g->rows, err));
    FW_TRY(worker_spool_rewind(g->splits, err));
    for (size_t c = 0; c < g->n_chunks; c++) {
        FW_TRY(fw_fault("ingest.distribute", err));
        for (uint64_t i = 0; i < g->chunks[c].n_rows; i++) FW_TRY(place_row(d, &g->chunks[c], err));
    }
    FW_TRY(worker_buckets_finish(g->blocks, err));
    return worker_buckets_finish(g->hashes, err);
}

/* ---- before and after ---- */

/* Block rows follow from the data alone: fixed cells, and texts by their mean length over all rows. */
static fw_status choose_layout(distributor *d, fw_error *err)
{
    ingest *g = d->g;
    int64_t text = g->text_total;
    FW_TRY(g->reduce->sum_i64(g->reduce->context, &text, 1, err));
    uint64_t rows = fw_layout_total(&g->layout);
    g->layout.block_rows = fw_layout_block_rows(d->fixed_bytes + (uint64_t)text / rows + 1);
    for (fw_split s = FW_TRAIN; s < FW_N_SPLITS; s++) d->order[s] = fw_split_file_order(&g->rule, s, g->layout.rows[s]);
    unsigned bits = PARTITION_BITS_MIN;
    while (((uint64_t)1 << bits) < rows / HASHES_A_PARTITION) bits++;
    d->n_partitions = (size_t)1 << bits;
    d->partition_shift = 64 - bits;
    return FW_OK;
}

static fw_status open_buckets(distributor *d, fw_error *err)
{
    ingest *g = d->g;
    size_t blocks = (size_t)fw_layout_n_blocks(&g->layout), classes = ingest_n_classes(g);
    FW_FREE char *rows = NULL;
    FW_FREE char *hashes = NULL;
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
    FW_TRY(worker_buckets_create(&g->blocks, rows, blocks, err));
    return worker_buckets_create(&g->hashes, hashes, d->n_partitions, err);
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
    for (int r = 0; r < g->reduce->size; r++) {
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
    for (size_t i = (size_t)g->reduce->rank; s == FW_OK && i < n_partitions; i += (size_t)g->reduce->size)
        s = count_partition(&mine, g, n_partitions, i, err);
    FW_TRY(ingest_agree(g, s, err));
    int64_t all = (int64_t)mine;
    FW_TRY(g->reduce->sum_i64(g->reduce->context, &all, 1, err));
    g->duplicates = (uint64_t)all;
    return FW_OK;
}

fw_status ingest_distribute(ingest *g, fw_error *err)
{
    __attribute__((cleanup(distributor_clear))) distributor d = {.g = g};
    FW_TRY(ingest_agree(g, ingest_row_offsets(&d.offset, &d.fixed_bytes, g, err), err));
    FW_TRY(choose_layout(&d, err));
    FW_TRY(ingest_agree(g, open_buckets(&d, err), err));
    FW_TRY(ingest_agree(g, place_all(&d, err), err));
    worker_spool_destroy(&g->rows);
    worker_spool_destroy(&g->splits);
    FW_TRY(merge_counts(g, err));
    FW_TRY(content_digest(&d, err));
    FW_TRY(count_duplicates(g, d.n_partitions, err));
    FW_TRY(ingest_agree(g, FW_OK, err));       /* all have read before anybody removes */
    worker_buckets_destroy(&g->hashes);
    return FW_OK;
}
