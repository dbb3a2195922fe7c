#include "common/stats/summary.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/stats/tally.h"

#define PART      1024      /* floats made doubles at a time */
#define LANES     4         /* neighbours count apart from each other: an increment does not wait for the one before */
#define FEW       64        /* labels with lanes */
#define CODES_LOW 2         /* code -2 (unseen) is the map's first entry */
#define SEED      UINT64_C(0x73686170)
#define MOST      (UINT64_MAX / 2)

/* What one column needs beside its bins. */
typedef struct slot {
    size_t at, n;                              /* of its first count; how many: its bins, unseen, missing */
    fw_tally_cuts *cuts;                       /* at most 31 cut points; NULL: fw_bins_find */
    uint32_t *place; size_t n_place;           /* labels: code + 2 -> place */
} slot;

struct fw_summary {
    size_t n, total;
    fw_bins *bins;                             /* (n) */
    slot *slots;                               /* (n) */
    uint64_t *count;                           /* (total) */
    uint64_t shape;
};

/* ---- life ------------------------------------------------------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t hash, const void *bytes, size_t len)
{
    const uint64_t head[2] = {hash, len};
    return fw_hash64(bytes, len, fw_hash64(head, sizeof head, SEED));
}

static uint64_t mix_column(uint64_t hash, const fw_bins *b)
{
    const uint64_t head[3] = {(uint64_t)b->kind, b->n_cuts, b->n_labels};
    hash = mix(mix(hash, head, sizeof head), b->name, strlen(b->name));
    if (fw_bins_has_cuts(b)) return mix(mix(hash, b->cut, b->n_cuts * sizeof *b->cut), b->centre, (b->n_cuts + 1) * sizeof *b->centre);
    for (size_t i = 0; i < b->n_labels; i++) hash = mix(hash, b->label[i], strlen(b->label[i]));
    return hash;
}

static fw_status make_slot(fw_summary *s, size_t i, const fw_bins *from, fw_error *err)
{
    slot *c = &s->slots[i];
    FW_TRY(fw_bins_copy(&s->bins[i], from, err));
    s->n = i + 1;
    c->at = s->total;
    c->n = fw_bins_counts(from);
    s->total += c->n;
    s->shape = mix_column(s->shape, from);
    if (!fw_bins_has_cuts(from) || from->n_cuts > FW_TALLY_CUTS) return FW_OK;
    FW_TRY(fw_alloc_zeroed((void **)&c->cuts, 1, sizeof *c->cuts, "summary", err));
    fw_tally_cuts_set(c->cuts, from->cut, from->n_cuts);
    return FW_OK;
}

fw_status fw_summary_create(fw_summary **out, const fw_bins *columns, size_t n, fw_error *err)
{
    if (n > FW_SUMMARY_MAX_COLUMNS) return fw_fail(err, FW_ERR_ARG, "summary: %zu columns; at most %d fit", n, FW_SUMMARY_MAX_COLUMNS);
    FW_AUTO(fw_summary) *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "summary");
    FW_TRY(fw_alloc_zeroed((void **)&s->bins, n, sizeof *s->bins, "summary", err));
    FW_TRY(fw_alloc_zeroed((void **)&s->slots, n, sizeof *s->slots, "summary", err));
    for (size_t i = 0; i < n; i++) FW_TRY(make_slot(s, i, &columns[i], err));
    FW_TRY(fw_alloc_zeroed((void **)&s->count, s->total, sizeof *s->count, "summary", err));
    *out = s;
    s = NULL;
    return FW_OK;
}

void fw_summary_destroy(fw_summary **summary)
{
    fw_summary *s = *summary;
    if (s == NULL) return;
    for (size_t i = 0; s->bins != NULL && i < s->n; i++) fw_bins_destroy(&s->bins[i]);
    for (size_t i = 0; s->slots != NULL && i < s->n; i++) {
        free(s->slots[i].cuts);
        free(s->slots[i].place);
    }
    free(s->bins);
    free(s->slots);
    free(s->count);
    free(s);
    *summary = NULL;
}

/* ---- adding ----------------------------------------------------------------------------------------------------------------------------- */

static void add_one_by_one(uint64_t *count, const fw_bins *b, const double *v, const uint8_t *missing, size_t n)
{
    for (size_t i = 0; i < n; i++) count[missing != NULL && missing[i] ? fw_bins_missing(b) : fw_bins_find(b, v[i])]++;
}

void fw_summary_add_numbers(fw_summary *s, size_t column, const double *v, const uint8_t *missing, size_t n)
{
    const slot *c = &s->slots[column];
    uint64_t *count = s->count + c->at;
    uint32_t found[FW_TALLY_PLACES] = {0};
    if (c->cuts == NULL) {
        add_one_by_one(count, &s->bins[column], v, missing, n);
        return;
    }
    fw_tally_of(fw_kernels_now())(c->cuts, v, missing, n, found);
    for (size_t i = 0; i < c->n - 2; i++) count[i] += found[i];
    count[c->n - 2] += found[FW_TALLY_UNSEEN];
    count[c->n - 1] += found[FW_TALLY_MISSING];
}

void fw_summary_add_floats(fw_summary *s, size_t column, const float *v, size_t stride, size_t n)
{
    double part[PART];
    for (size_t at = 0, some = 0; at < n; at += some) {
        some = FW_MIN(n - at, (size_t)PART);
        for (size_t i = 0; i < some; i++) part[i] = (double)v[(at + i) * stride];
        fw_summary_add_numbers(s, column, part, NULL, some);
    }
}

fw_status fw_summary_map_codes(fw_summary *s, size_t column, const fw_dict *dict, fw_error *err)
{
    const fw_bins *b = &s->bins[column];
    slot *c = &s->slots[column];
    const size_t n = fw_dict_size(dict) + CODES_LOW;
    if (fw_bins_has_cuts(b)) return fw_fail(err, FW_ERR_ARG, "summary: column %s has cut points, not labels", b->name);
    uint32_t *place = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&place, n, sizeof *place, "summary", err));
    for (size_t i = 0; i < n; i++) place[i] = (uint32_t)fw_bins_unseen(b);
    place[1] = (uint32_t)fw_bins_missing(b);
    for (size_t i = 0; i < b->n_labels; i++) {
        const int32_t code = fw_dict_find(dict, b->label[i], strlen(b->label[i]));
        if (code >= 0) place[(size_t)code + CODES_LOW] = (uint32_t)i;
    }
    free(c->place);
    c->place = place;
    c->n_place = n;
    return FW_OK;
}

static inline size_t place_of(const slot *c, int32_t code)
{
    const size_t at = (size_t)((int64_t)code + CODES_LOW);           /* below -2: beyond any map */
    return at < c->n_place ? c->place[at] : c->n - 2;
}

void fw_summary_add_codes(fw_summary *s, size_t column, const int32_t *code, size_t n)
{
    const slot *c = &s->slots[column];
    uint64_t *count = s->count + c->at;
    uint32_t lane[LANES][FEW] = {{0}};
    if (c->n > FEW) {
        for (size_t i = 0; i < n; i++) count[place_of(c, code[i])]++;
        return;
    }
    for (size_t i = 0; i < n; i++) lane[i % LANES][place_of(c, code[i])]++;
    for (size_t k = 0; k < c->n; k++)
        for (size_t l = 0; l < LANES; l++) count[k] += lane[l][k];
}

void fw_summary_add_code(fw_summary *s, size_t column, int32_t code, uint64_t times)
{
    const slot *c = &s->slots[column];
    s->count[c->at + place_of(c, code)] += times;
}

/* ---- merging ---------------------------------------------------------------------------------------------------------------------------- */

static fw_status check_shape(const fw_summary *a, const fw_summary *b, fw_error *err)
{
    return fw_summary_same_shape(a, b) ? FW_OK : fw_fail(err, FW_ERR_ARG, "summary: counts on other bins cannot be merged");
}

fw_status fw_summary_exchange(fw_summary *a, fw_summary *b, fw_error *err)
{
    FW_TRY(check_shape(a, b, err));
    uint64_t *const count = a->count;
    a->count = b->count;
    b->count = count;
    return FW_OK;
}

fw_status fw_summary_merge(fw_summary *into, const fw_summary *from, fw_error *err)
{
    FW_TRY(check_shape(into, from, err));
    for (size_t i = 0; i < into->total; i++) into->count[i] += from->count[i];
    return FW_OK;
}

static uint64_t rows_of(const uint64_t *count, size_t n)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += count[i];
    return sum;
}

/* Whether they add up to no more than `room`, and to what. */
static bool add_up(uint64_t *sum, const uint64_t *count, size_t n, uint64_t room)
{
    uint64_t all = 0;
    *sum = 0;
    for (size_t k = 0; k < n; k++) all |= count[k], *sum += count[k];
    if (all <= MOST / (FW_BINS_MAX + 2)) return *sum <= room;      /* so many of these stay below 2^63 */
    *sum = 0;
    for (size_t k = 0; k < n; k++) {
        if (count[k] > room - *sum) return false;
        *sum += count[k];
    }
    return true;
}

/* *sum: of the column's new counts. */
static fw_status check_column(uint64_t *sum, const fw_summary *s, size_t i, const uint64_t *count, fw_error *err)
{
    if (add_up(sum, count, s->slots[i].n, MOST - fw_summary_rows(s, i))) return FW_OK;
    return fw_fail(err, FW_ERR_DATA, "summary: column %s would count more than 2^63 rows", s->bins[i].name);
}

fw_status fw_summary_add_column(fw_summary *s, size_t i, const uint64_t *count, fw_error *err)
{
    uint64_t sum = 0;
    FW_TRY(check_column(&sum, s, i, count, err));
    for (size_t k = 0; k < s->slots[i].n; k++) s->count[s->slots[i].at + k] += count[k];
    return FW_OK;
}

fw_status fw_summary_add_counts(fw_summary *s, const uint64_t *count, size_t n, uint64_t rows, fw_error *err)
{
    if (n != s->total) return fw_fail(err, FW_ERR_DATA, "summary: %zu counts where the bins have %zu", n, s->total);
    for (size_t i = 0; i < s->n; i++) {
        uint64_t sum = 0;
        FW_TRY(check_column(&sum, s, i, count + s->slots[i].at, err));
        if (sum != rows)
            return fw_fail(err, FW_ERR_DATA, "summary: column %s counts %llu rows where there are %llu", s->bins[i].name, (unsigned long long)sum, (unsigned long long)rows);
    }
    for (size_t i = 0; i < n; i++) s->count[i] += count[i];
    return FW_OK;
}

void fw_summary_reset(fw_summary *s) { memset(s->count, 0, s->total * sizeof *s->count); }

/* ---- queries ---------------------------------------------------------------------------------------------------------------------------- */

size_t          fw_summary_n(const fw_summary *s) { return s->n; }
const fw_bins  *fw_summary_bins(const fw_summary *s, size_t column) { return &s->bins[column]; }
const uint64_t *fw_summary_counts(const fw_summary *s, size_t column) { return s->count + s->slots[column].at; }
size_t          fw_summary_total(const fw_summary *s) { return s->total; }

uint64_t fw_summary_rows(const fw_summary *s, size_t column)
{
    return rows_of(fw_summary_counts(s, column), s->slots[column].n);
}

uint64_t fw_summary_shape(const fw_summary *s) { return s->shape; }
bool     fw_summary_same_shape(const fw_summary *a, const fw_summary *b) { return a->n == b->n && a->total == b->total && a->shape == b->shape; }
