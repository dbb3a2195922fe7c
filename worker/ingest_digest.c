#include "worker/ingest_digest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

#define HASHES_A_PARTITION ((uint64_t)1 << 20)
#define PARTITION_BITS_MIN 4u
#define HASH_OF_MISSING    UINT64_C(0x9e3779b97f4a7c15)

struct ingest_digest {
    ingest *g;
    uint64_t *row, *cell, *id;         /* (block_rows) hashes: of rows so far, of one column's cells, of the ids */
    uint64_t *some;                    /* (block_rows) of the cells that are present; of rows by partition */
    uint64_t **code;                   /* (n_stored) of a category: the hash of each code's text */
    ingest_scratch squares;
    fw_digest sum;
    worker_memory *memory;
    worker_buckets *hashes;            /* of this rank's rows, by their leading bits */
    size_t n_partitions, *first;       /* power of two; (n_partitions + 1) */
    unsigned shift;
};

/* ---- life ---- */

static fw_status hash_codes(ingest_digest *d, size_t column, fw_error *err)
{
    const fw_dict *dict = d->g->schema->columns[column].dict;
    const size_t n = fw_dict_size(dict);
    uint64_t *hash = d->code[column] = malloc((n + 1) * sizeof *hash);
    if (hash == NULL) return fw_fail(err, FW_ERR_NOMEM, "%zu categories", n);
    hash[0] = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len;
        const char *text = fw_dict_text(dict, (int32_t)i, &len);
        hash[i] = fw_hash64(text, len, 0);
    }
    return FW_OK;
}

static fw_status open_hashes(ingest_digest *d, fw_error *err)
{
    const ingest *g = d->g;
    unsigned bits = PARTITION_BITS_MIN;
    while (((uint64_t)1 << bits) < fw_layout_total(&g->layout) / HASHES_A_PARTITION) bits++;
    d->n_partitions = (size_t)1 << bits;
    d->shift = 64 - bits;
    d->first = calloc(d->n_partitions + 2, sizeof *d->first);
    if (d->first == NULL) return fw_fail(err, FW_ERR_NOMEM, "%zu partitions", d->n_partitions);
    FW_FREE char *path = NULL;
    size_t limit;
    FW_TRY(worker_memory_limit(&limit, g->reduce->size, err));
    FW_TRY(worker_memory_create(&d->memory, FW_MIN(limit, INGEST_HASH_MEMORY), err));
    FW_TRY(ingest_temp_name(&path, g, "hashes", g->reduce->rank, err));
    return worker_buckets_create(&d->hashes, path, d->n_partitions, d->memory, err);
}

fw_status ingest_digest_create(ingest_digest **out, ingest *g, fw_error *err)
{
    FW_AUTO(ingest_digest) *d = calloc(1, sizeof *d);
    if (d == NULL) return fw_fail(err, FW_ERR_NOMEM, "digest of rows");
    d->g = g;
    const size_t rows = g->layout.block_rows;
    d->row = malloc(rows * sizeof *d->row);
    d->cell = malloc(rows * sizeof *d->cell);
    d->some = malloc(rows * sizeof *d->some);
    d->id = g->id >= 0 ? malloc(rows * sizeof *d->id) : NULL;
    d->code = calloc(g->n_stored + 1, sizeof *d->code);
    if (d->row == NULL || d->cell == NULL || d->some == NULL || d->code == NULL || (g->id >= 0 && d->id == NULL))
        return fw_fail(err, FW_ERR_NOMEM, "a block of %zu rows", rows);
    for (size_t i = 0; i < g->n_stored; i++) {
        ingest_stats *s = &g->stats[i];
        if (g->schema->columns[i].type == FW_CATEGORY) FW_TRY(hash_codes(d, i, err));
        if (s->present > 0) s->scaled_mean = ldexp(ingest_mean(s), -s->exponent);
    }
    FW_TRY(open_hashes(d, err));
    *out = d;
    d = NULL;
    return FW_OK;
}

void ingest_digest_destroy(ingest_digest **digest)
{
    ingest_digest *d = *digest;
    if (d == NULL) return;
    worker_buckets_destroy(&d->hashes);
    worker_memory_destroy(&d->memory);
    for (size_t i = 0; d->code != NULL && i < d->g->n_stored; i++) free(d->code[i]);
    ingest_scratch_clear(&d->squares);
    free(d->code);
    free(d->row);
    free(d->cell);
    free(d->some);
    free(d->id);
    free(d->first);
    free(d);
    *digest = NULL;
}

/* ---- a column of a block ---- */

void ingest_digest_begin(ingest_digest *d) { memset(d->row, 0, d->g->layout.block_rows * sizeof *d->row); }

/* 0 for a missing one. */
static size_t code_at(const void *codes, size_t i)
{
    int32_t code;
    memcpy(&code, (const char *)codes + i * sizeof code, sizeof code);
    return (size_t)FW_MAX(code, 0);
}

static void hash_cells(ingest_digest *d, const ingest_placed *c)
{
    const fw_column *about = &d->g->schema->columns[c->column];
    const size_t bytes = fw_column_cell_bytes(about);
    switch (about->type) {
    case FW_NUMBER: case FW_TIME: fw_hash64_words(d->cell, c->cells, c->n); break;
    case FW_CATEGORY:
        for (size_t i = 0; i < c->n; i++) d->cell[i] = d->code[c->column][code_at(c->cells, i)];
        break;
    case FW_TEXT:
        for (size_t i = 0; i < c->n; i++) d->cell[i] = fw_hash64(c->text[i], (size_t)c->text_len[i], 0);
        break;
    case FW_IMAGE:
        for (size_t i = 0; i < c->n; i++) d->cell[i] = fw_hash64((const char *)c->cells + i * bytes, bytes, 0);
        break;
    }
    for (size_t i = 0; c->marks != NULL && i < c->n; i++) d->cell[i] = c->marks[i] ? HASH_OF_MISSING : d->cell[i];
}

/* The hashes of the values that are present; how many. -0 and 0 are one value. */
static size_t list_present(const uint64_t **out, ingest_digest *d, const ingest_placed *c)
{
    const ingest_stats *s = &d->g->stats[c->column];
    const double zeros[2] = {-0.0, 0.0};
    uint64_t hash[2];
    const bool has_zeros = d->g->schema->columns[c->column].type == FW_NUMBER && s->min <= 0 && s->max >= 0;
    *out = d->cell;
    if (c->marks == NULL && !has_zeros) return c->n;
    fw_hash64_words(hash, zeros, 2);
    const uint64_t replaced = has_zeros ? hash[0] : HASH_OF_MISSING, by = has_zeros ? hash[1] : HASH_OF_MISSING;
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++) {
        d->some[n] = d->cell[i] == replaced ? by : d->cell[i];
        n += c->marks == NULL || !c->marks[i];
    }
    *out = d->some;
    return n;
}

fw_status ingest_digest_column(ingest_digest *d, const ingest_placed *c, fw_error *err)
{
    ingest_stats *s = &d->g->stats[c->column];
    const fw_column_type type = d->g->schema->columns[c->column].type;
    const uint64_t *present;
    hash_cells(d, c);
    if ((int)c->column == d->g->id) memcpy(d->id, d->cell, c->n * sizeof *d->id);
    else fw_hash64_mix(d->row, d->cell, c->n);
    if (type == FW_CATEGORY) return FW_OK;
    const size_t n = list_present(&present, d, c);
    FW_TRY(worker_distinct_add(&s->distinct, present, n, err));
    return type == FW_NUMBER ? ingest_add_squares(s, c->cells, c->marks, c->n, &d->squares, err) : FW_OK;
}

/* ---- a block ---- */

/* The rows' hashes to their partitions. */
static fw_status send_hashes(ingest_digest *d, size_t n, fw_error *err)
{
    memset(d->first, 0, (d->n_partitions + 2) * sizeof *d->first);
    size_t *next = d->first + 1;
    for (size_t i = 0; i < n; i++) next[(d->row[i] >> d->shift) + 1]++;
    for (size_t p = 0; p < d->n_partitions; p++) next[p + 1] += next[p];
    for (size_t i = 0; i < n; i++) d->some[next[d->row[i] >> d->shift]++] = d->row[i];
    for (size_t p = 0; p < d->n_partitions; p++) {
        const size_t here = d->first[p + 1] - d->first[p];
        if (here > 0) FW_TRY(worker_buckets_add(d->hashes, p, d->some + d->first[p], here * sizeof *d->some, err));
    }
    return FW_OK;
}

fw_status ingest_digest_end(ingest_digest *d, const uint64_t *row, fw_split split, size_t n, fw_error *err)
{
    FW_TRY(send_hashes(d, n, err));
    if (d->id != NULL) fw_hash64_mix(d->row, d->id, n);
    for (size_t i = 0; i < n; i++) {
        const uint64_t whole[3] = {d->row[i], row[i], (uint64_t)split};
        d->sum = fw_digest_add(d->sum, fw_hash128(whole, sizeof whole, 0));
    }
    return FW_OK;
}

/* ---- all blocks ---- */

/* Rows, by sum modulo 2^128, and the columns they are of. */
static fw_status content_digest(ingest_digest *d, fw_error *err)
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

typedef struct bytes { char *v; size_t len, capacity; } bytes;

/* All of this rank's hashes in a partition. */
static fw_status collect(bytes *to, const ingest_digest *d, size_t partition, fw_error *err)
{
    for (const worker_piece *p = NULL; (p = worker_buckets_next(d->hashes, partition, p)) != NULL;) {
        size_t len;
        const void *piece = worker_piece_bytes(p, &len);
        FW_TRY(fw_grow((void **)&to->v, &to->capacity, to->len + len, 1, "hashes", err));
        memcpy(to->v + to->len, piece, len);
        to->len += len;
    }
    return worker_buckets_load(&to->v, &to->len, &to->capacity, d->hashes, partition, err);
}

/* Partitions [first, first + size): the k-th is counted by rank k. */
static fw_status count_round(uint64_t *duplicates, const ingest_digest *d, size_t first, bytes *mine, bytes *all, bytes *scratch, size_t *at, fw_error *err)
{
    const fw_reduce *r = d->g->reduce;
    size_t *offset = at + r->size + 1, slots = scratch->capacity / sizeof(uint64_t);
    fw_status s = FW_OK;
    mine->len = at[0] = 0;
    for (size_t k = 0; k < (size_t)r->size; k++) {
        if (s == FW_OK && first + k < d->n_partitions) s = collect(mine, d, first + k, err);
        at[k + 1] = s == FW_OK ? mine->len : at[k];
    }
    FW_TRY(ingest_agree(d->g, s, err));
    FW_TRY(r->exchange(r->context, mine->v, at, &all->v, &all->capacity, offset, err));
    uint64_t repeats = 0, *table = (uint64_t *)(void *)scratch->v;
    s = worker_count_repeats(&repeats, (const uint64_t *)(const void *)all->v, offset[r->size] / sizeof(uint64_t), &table, &slots, err);
    scratch->v = (char *)table;
    scratch->capacity = slots * sizeof(uint64_t);
    *duplicates += repeats;
    return ingest_agree(d->g, s, err);
}

static fw_status count_duplicates(const ingest_digest *d, fw_error *err)
{
    const fw_reduce *r = d->g->reduce;
    FW_FREE size_t *at = calloc(2 * ((size_t)r->size + 1), sizeof *at);
    bytes mine = {0}, all = {0}, scratch = {0};
    uint64_t duplicates = 0;
    fw_status s = ingest_agree(d->g, at == NULL ? fw_fail(err, FW_ERR_NOMEM, "equal rows") : worker_buckets_finish(d->hashes, err), err);
    for (size_t first = 0; s == FW_OK && first < d->n_partitions; first += (size_t)r->size) {
        worker_tick();
        s = count_round(&duplicates, d, first, &mine, &all, &scratch, at, err);
    }
    free(mine.v);
    free(all.v);
    free(scratch.v);
    FW_TRY(s);
    int64_t sum = (int64_t)duplicates;
    FW_TRY(r->sum_i64(r->context, &sum, 1, err));
    d->g->duplicates = (uint64_t)sum;
    return FW_OK;
}

fw_status ingest_digest_finish(ingest_digest *d, fw_error *err)
{
    for (size_t i = 0; i < d->g->n_stored; i++)
        if (d->g->schema->columns[i].type == FW_NUMBER) FW_TRY(fw_exact_sum_reduce(&d->g->stats[i].squares, 1, d->g->reduce, err));
    FW_TRY(content_digest(d, err));
    return count_duplicates(d, err);
}
