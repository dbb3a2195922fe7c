#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/stats/quantile.h"
#include "worker/ingest_parts.h"

/* ---- time: the first instants of validation and test ---- */

#define PIECE 512                      /* keys read at a time */

static fw_status add_instants(fw_quantiles *q, ingest *g, fw_error *err)
{
    ingest_key keys[PIECE];
    double v[PIECE];
    FW_TRY(worker_spool_rewind(g->keys, err));
    for (size_t c = 0; c < g->n_chunks; c++)
        for (uint64_t left = g->chunks[c].n_rows; left > 0;) {
            size_t n = (size_t)FW_MIN(left, sizeof v / sizeof *v);
            FW_TRY(worker_spool_read(g->keys, keys, n * sizeof *keys, err));
            for (size_t i = 0; i < n; i++) v[i] = keys[i].instant;
            FW_TRY(fw_quantiles_add(q, 0, v, n, err));
            left -= n;
        }
    return FW_OK;
}

/* The interpolated quantile at q lies above the first floor(q (n - 1)) + 1 values, which for whole q n are q n of them; rows of one instant fall
 * on one side of it, the later. */
static fw_status find_instants(ingest *g, fw_error *err)
{
    double q[2] = {g->rule.train_end, g->rule.validation_end};
    fw_quantile_series series = {q, 2};
    FW_AUTO(fw_quantiles) *quantiles = NULL;
    FW_TRY(ingest_agree(g, fw_quantiles_create(&quantiles, &series, 1, 0, err), err));
    do {
        FW_TRY(ingest_agree(g, add_instants(quantiles, g, err), err));
        FW_TRY(fw_quantiles_end_pass(quantiles, g->reduce, err));
    } while (fw_quantiles_pending(quantiles));
    g->rule.validation_from = fw_quantiles_get(quantiles, 0, 0);
    g->rule.test_from = q[1] < 1 ? fw_quantiles_get(quantiles, 0, 1) : HUGE_VAL;
    if (q[0] >= 1) g->rule.validation_from = g->rule.test_from;
    return FW_OK;
}

/* ---- stratified: ordinals within a class ---- */

/* Chunks are gone through in rounds, one chunk a rank; in each the ranks tell each other how many rows of which class theirs holds. */
typedef struct class_count { uint32_t code; uint32_t rows; } class_count;
typedef struct strata {
    size_t n;                          /* classes */
    fw_permutation *order;             /* n */
    uint64_t *seen;                    /* n: rows of a class before this round */
    uint64_t *ordinal;                 /* n: next ordinal in this rank's chunk */
    uint32_t *here;                    /* n: rows in this rank's chunk */
    class_count *list;                 /* n */
    size_t *offset;                    /* ranks + 1 */
} strata;

static void strata_clear(strata *s)
{
    free(s->order);
    free(s->seen);
    free(s->ordinal);
    free(s->here);
    free(s->list);
    free(s->offset);
}

static fw_status strata_make(strata *s, const ingest *g, fw_error *err)
{
    s->n = ingest_n_classes(g);
    s->order = calloc(s->n + 1, sizeof *s->order);
    s->seen = calloc(s->n + 1, sizeof *s->seen);
    s->ordinal = calloc(s->n + 1, sizeof *s->ordinal);
    s->here = calloc(s->n + 1, sizeof *s->here);
    s->list = calloc(s->n + 1, sizeof *s->list);
    s->offset = calloc((size_t)g->reduce->size + 1, sizeof *s->offset);
    if (s->order == NULL || s->seen == NULL || s->ordinal == NULL || s->here == NULL || s->list == NULL || s->offset == NULL)
        return fw_fail(err, FW_ERR_NOMEM, "stratified split of %zu classes", s->n);
    return FW_OK;
}

/* How many rows of each class are to be split: those of test tables are not. */
static fw_status count_classes(strata *s, ingest *g, fw_error *err)
{
    FW_FREE int64_t *rows = calloc(s->n + 1, sizeof *rows);
    fw_status status = rows == NULL ? fw_fail(err, FW_ERR_NOMEM, "classes") : worker_spool_rewind(g->keys, err);
    for (size_t c = 0; status == FW_OK && c < g->n_chunks; c++)
        for (uint64_t i = 0; status == FW_OK && i < g->chunks[c].n_rows; i++) {
            ingest_key k;
            status = worker_spool_read(g->keys, &k, sizeof k, err);
            if (status == FW_OK && !g->test_table[g->chunks[c].table]) rows[g->stats[g->target].code[k.value]]++;
        }
    FW_TRY(ingest_agree(g, status, err));
    FW_TRY(g->reduce->sum_i64(g->reduce->context, rows, s->n, err));
    for (size_t i = 0; i < s->n; i++) s->order[i] = fw_split_class_order(&g->rule, (uint32_t)i, (uint64_t)rows[i]);
    return FW_OK;
}

/* Collective: sets the ordinals that this rank's chunk starts with. n: classes in the list. */
static fw_status exchange(strata *s, const ingest *g, size_t n, fw_error *err)
{
    FW_FREE char *bytes = NULL;
    FW_TRY(g->reduce->gather_all(g->reduce->context, s->list, n * sizeof *s->list, &bytes, s->offset, err));
    for (size_t i = 0; i < n; i++) s->ordinal[s->list[i].code] = s->seen[s->list[i].code];
    for (int r = 0; r < g->reduce->size; r++)
        for (size_t at = s->offset[r]; at < s->offset[r + 1]; at += sizeof(class_count)) {
            class_count c;
            memcpy(&c, bytes + at, sizeof c);
            s->seen[c.code] += c.rows;
            if (r < g->reduce->rank) s->ordinal[c.code] += c.rows;
        }
    return FW_OK;
}

/* ---- splits of one chunk ---- */

typedef struct piece { ingest_key *keys; uint8_t *splits; size_t n, capacity, split_capacity; } piece;

static void piece_clear(piece *p)
{
    free(p->keys);
    free(p->splits);
}

static fw_status load_chunk(piece *p, ingest *g, const ingest_chunk *c, fw_error *err)
{
    p->n = (size_t)c->n_rows;
    FW_TRY(fw_grow((void **)&p->keys, &p->capacity, p->n + 1, sizeof *p->keys, "keys of a chunk", err));
    FW_TRY(fw_grow((void **)&p->splits, &p->split_capacity, p->n + 1, 1, "splits of a chunk", err));
    return worker_spool_read(g->keys, p->keys, p->n * sizeof *p->keys, err);
}

static fw_split split_of(const ingest *g, const ingest_chunk *c, const ingest_key *k)
{
    switch (g->rule.by) {
    case FW_BY_TIME: return fw_split_of_instant(&g->rule, k->instant);
    case FW_BY_GROUP: return fw_split_of_group(&g->rule, k->value);
    case FW_BY_GIVEN:
        if (g->test_table[c->table]) return FW_TEST;
        break;
    case FW_BY_RANDOM: break;
    }
    return fw_split_of_row(&g->rule, (uint64_t)g->records[c->index] + k->record);
}

static fw_status store_splits(ingest *g, const ingest_chunk *c, const piece *p, fw_error *err)
{
    for (size_t i = 0; i < p->n; i++) g->before[c->index * FW_N_SPLITS + p->splits[i]]++;
    return worker_spool_write(g->splits, p->splits, p->n, err);
}

static fw_status split_plainly(ingest *g, fw_error *err)
{
    __attribute__((cleanup(piece_clear))) piece p = {0};
    FW_TRY(worker_spool_rewind(g->keys, err));
    for (size_t c = 0; c < g->n_chunks; c++) {
        worker_tick();
        FW_TRY(load_chunk(&p, g, &g->chunks[c], err));
        for (size_t i = 0; i < p.n; i++) p.splits[i] = (uint8_t)split_of(g, &g->chunks[c], &p.keys[i]);
        FW_TRY(store_splits(g, &g->chunks[c], &p, err));
    }
    return FW_OK;
}

/* The classes of a chunk and their rows; how many classes. The keys' codes become those of the file. */
static size_t list_classes(strata *s, const ingest *g, const ingest_chunk *c, piece *p)
{
    size_t n = 0;
    if (g->test_table[c->table]) return 0;
    for (size_t i = 0; i < p->n; i++) {
        p->keys[i].value = (uint64_t)g->stats[g->target].code[p->keys[i].value];
        s->here[p->keys[i].value]++;
    }
    for (size_t i = 0; i < p->n; i++) {
        uint32_t code = (uint32_t)p->keys[i].value;
        if (s->here[code] == 0) continue;
        s->list[n++] = (class_count){code, s->here[code]};
        s->here[code] = 0;
    }
    return n;
}

static void split_by_class(strata *s, const ingest *g, const ingest_chunk *c, piece *p)
{
    for (size_t i = 0; i < p->n; i++) {
        size_t code = (size_t)p->keys[i].value;
        bool test = g->test_table[c->table];
        p->splits[i] = (uint8_t)(test ? FW_TEST : fw_split_of_class_row(&g->rule, &s->order[code], s->ordinal[code]++));
    }
}

/* A rank whose file fails goes on with empty lists, so that nobody waits; the status is agreed on at the end. */
static fw_status split_stratified(ingest *g, fw_error *err)
{
    __attribute__((cleanup(strata_clear))) strata s = {0};
    __attribute__((cleanup(piece_clear))) piece p = {0};
    FW_TRY(ingest_agree(g, strata_make(&s, g, err), err));
    FW_TRY(count_classes(&s, g, err));
    fw_status mine = worker_spool_rewind(g->keys, err);
    size_t at = 0;
    for (size_t t = 0; t < g->n_tables; t++)
        for (uint64_t first = g->first_chunk[t]; first < g->first_chunk[t + 1]; first += (uint64_t)g->reduce->size) {
            const ingest_chunk *c =
                at < g->n_chunks && g->chunks[at].index < first + (uint64_t)g->reduce->size && g->chunks[at].table == t ? &g->chunks[at++] : NULL;
            size_t n = 0;
            if (mine == FW_OK && c != NULL) mine = load_chunk(&p, g, c, err);
            if (mine == FW_OK && c != NULL) n = list_classes(&s, g, c, &p);
            FW_TRY(exchange(&s, g, n, err));
            if (mine != FW_OK || c == NULL) continue;
            split_by_class(&s, g, c, &p);
            mine = store_splits(g, c, &p, err);
        }
    return mine;
}

/* ---- ordinals within a split ---- */

/* before: rows of a split in a chunk -> rows of it in all chunks before. */
static fw_status number_splits(ingest *g, fw_error *err)
{
    size_t n = (size_t)ingest_n_all_chunks(g);
    FW_TRY(g->reduce->sum_i64(g->reduce->context, g->before, n * FW_N_SPLITS, err));
    for (fw_split s = FW_TRAIN; s < FW_N_SPLITS; s++) {
        int64_t rows = 0;
        for (size_t c = 0; c < n; c++) {
            int64_t here = g->before[c * FW_N_SPLITS + s];
            g->before[c * FW_N_SPLITS + s] = rows;
            rows += here;
        }
        g->layout.rows[s] = (uint64_t)rows;
    }
    return FW_OK;
}

static fw_status check_splits(ingest *g, fw_error *err)
{
    const uint64_t *rows = g->layout.rows;
    if (rows[FW_TRAIN] == 0)
        return fw_fail(err, FW_ERR_DATA, "the train split is empty: of %llu rows %llu are for validation and %llu for test; change data.split",
                       (unsigned long long)g->n_kept, (unsigned long long)rows[FW_VALIDATION], (unsigned long long)rows[FW_TEST]);
    if (rows[FW_VALIDATION] == 0 && g->rule.validation_end > g->rule.train_end) FW_TRY(ingest_warn(g, err, "the validation split is empty"));
    if (rows[FW_TEST] == 0) FW_TRY(ingest_warn(g, err, "the test split is empty: evaluate will have nothing to judge by"));
    return FW_OK;
}

static fw_status allocate(ingest *g, fw_error *err)
{
    g->before = calloc((size_t)ingest_n_all_chunks(g) + 1, FW_N_SPLITS * sizeof *g->before);
    if (g->before == NULL) return fw_fail(err, FW_ERR_NOMEM, "splits");
    FW_FREE char *path = NULL;
    FW_TRY(ingest_temp_name(&path, g, "splits", g->reduce->rank, err));
    return worker_spool_create(&g->splits, path, err);
}

fw_status ingest_split(ingest *g, fw_error *err)
{
    FW_TRY(ingest_agree(g, allocate(g, err), err));
    if (g->rule.by == FW_BY_TIME) FW_TRY(find_instants(g, err));
    fw_status s = g->rule.stratified ? split_stratified(g, err) : split_plainly(g, err);
    FW_TRY(ingest_agree(g, s, err));
    worker_spool_destroy(&g->keys);
    FW_TRY(number_splits(g, err));
    return ingest_agree(g, check_splits(g, err), err);
}
