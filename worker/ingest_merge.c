#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "worker/ingest_parts.h"

/* ---- dictionaries ---- */

/* The class that a label becomes. */
static const char *merged_label(const ingest *g, const char *text)
{
    for (size_t m = 0; m < g->project->data.labels.n_merge; m++)
        for (size_t f = 0; f < g->project->data.labels.merge[m].from.n; f++)
            if (strcmp(g->project->data.labels.merge[m].from.v[f], text) == 0) return g->project->data.labels.merge[m].into;
    return text;
}

static const char *final_text(const ingest *g, size_t column, int32_t code)
{
    const char *text = fw_dict_text(g->schema->columns[column].dict, code, NULL);
    return (int)column == g->target ? merged_label(g, text) : text;
}

/* Texts with their NUL, one behind the other: those that occur in a row that is kept. */
static fw_status pack_dictionary(fw_text *out, const ingest *g, size_t column, fw_error *err)
{
    const ingest_stats *s = &g->stats[column];
    size_t n = fw_dict_size(g->schema->columns[column].dict);
    for (size_t i = 0; i < n && i < s->n_counts; i++) {
        if (s->count[i] == 0) continue;
        const char *text = final_text(g, column, (int32_t)i);
        fw_text_add_bytes(out, text, strlen(text) + 1);
    }
    return fw_text_check(out, err);
}

static fw_status unpack_dictionary(fw_dict **out, const char *bytes, size_t len, fw_error *err)
{
    FW_AUTO(fw_dict) *d = NULL;
    FW_TRY(fw_dict_create(&d, err));
    for (size_t at = 0; at < len;) {
        int32_t code;
        size_t n = strlen(bytes + at);
        FW_TRY(fw_dict_add(&code, d, bytes + at, n, err));
        at += n + 1;
    }
    FW_TRY(fw_dict_sort(d, NULL, err));
    *out = d;
    d = NULL;
    return FW_OK;
}

static fw_status replace_dictionary(ingest *g, size_t column, fw_dict *all, fw_error *err)
{
    ingest_stats *s = &g->stats[column];
    fw_column *c = &g->schema->columns[column];
    size_t n = fw_dict_size(c->dict);
    s->code = malloc((n + 1) * sizeof *s->code);
    if (s->code == NULL) return fw_fail(err, FW_ERR_NOMEM, "dictionary of '%s'", c->name);
    for (size_t i = 0; i < n; i++) {
        const char *text = final_text(g, column, (int32_t)i);
        s->code[i] = fw_dict_find(all, text, strlen(text));
    }
    return FW_OK;
}

static fw_status merge_dictionary(ingest *g, size_t column, fw_error *err)
{
    FW_AUTO(fw_text) mine = {0};
    FW_AUTO(fw_dict) *all = NULL;
    FW_FREE char *bytes = NULL;
    FW_FREE size_t *offset = calloc((size_t)g->reduce->size + 1, sizeof *offset);
    fw_status s = offset == NULL ? fw_fail(err, FW_ERR_NOMEM, "dictionaries") : pack_dictionary(&mine, g, column, err);
    FW_TRY(ingest_agree(g, s, err));
    FW_TRY(g->reduce->gather_all(g->reduce->context, mine.data, mine.len, &bytes, offset, err));
    s = unpack_dictionary(&all, bytes, offset[g->reduce->size], err);
    if (s == FW_OK) s = replace_dictionary(g, column, all, err);
    FW_TRY(ingest_agree(g, s, err));
    fw_dict_destroy(&g->schema->columns[column].dict);
    g->schema->columns[column].dict = all;
    all = NULL;
    return FW_OK;
}

/* ---- labels that were named and never occur ---- */

static size_t n_merged(const fw_project *p)
{
    size_t n = 0;
    for (size_t m = 0; m < p->data.labels.n_merge; m++) n += p->data.labels.merge[m].from.n;
    return n;
}

static fw_status count_merged(ingest *g, fw_error *err)
{
    const fw_project *p = g->project;
    const fw_column *target = &g->schema->columns[g->target];
    g->merged = calloc(n_merged(p) + 1, sizeof *g->merged);
    if (g->merged == NULL) return fw_fail(err, FW_ERR_NOMEM, "merged labels");
    size_t at = 0;
    for (size_t m = 0; m < p->data.labels.n_merge; m++)
        for (size_t f = 0; f < p->data.labels.merge[m].from.n; f++, at++) {
            const char *text = p->data.labels.merge[m].from.v[f];
            int32_t code = target->type == FW_CATEGORY ? fw_dict_find(target->dict, text, strlen(text)) : -1;
            if (code >= 0) g->merged[at] = 1;
        }
    return FW_OK;
}

static fw_status sum_labels(ingest *g, fw_error *err)
{
    size_t excluded = g->project->data.labels.exclude.n, merged = n_merged(g->project);
    if (excluded > 0) FW_TRY(g->reduce->sum_i64(g->reduce->context, g->excluded, excluded, err));
    if (merged > 0) FW_TRY(g->reduce->sum_i64(g->reduce->context, g->merged, merged, err));
    return FW_OK;
}

static fw_status warn_of_labels(ingest *g, fw_error *err)
{
    const fw_project *p = g->project;
    for (size_t i = 0; i < p->data.labels.exclude.n; i++) {
        if (g->excluded[i] > 0) ingest_say(g, "label '%s' excluded: %lld rows", p->data.labels.exclude.v[i], (long long)g->excluded[i]);
        else FW_TRY(ingest_warn(g, err, "data.labels.exclude: label '%s' never occurs", p->data.labels.exclude.v[i]));
    }
    size_t at = 0;
    for (size_t m = 0; m < p->data.labels.n_merge; m++)
        for (size_t f = 0; f < p->data.labels.merge[m].from.n; f++, at++)
            if (g->merged[at] == 0)
                FW_TRY(ingest_warn(g, err, "data.labels.merge: label '%s' (into '%s') never occurs", p->data.labels.merge[m].from.v[f],
                                   p->data.labels.merge[m].into));
    return FW_OK;
}

/* ---- counts and statistics ---- */

enum { MISSING, PRESENT, NOT_INTEGRAL, NOT_TARGET, N_COUNTS };

static fw_status merge_stats(ingest *g, fw_error *err)
{
    const fw_reduce *r = g->reduce;
    size_t n = g->n_stored;
    FW_FREE int64_t *count = calloc(n + 1, N_COUNTS * sizeof *count);
    FW_FREE double *low = calloc(n + 1, sizeof *low);
    FW_FREE double *high = calloc(n + 1, sizeof *high);
    FW_FREE fw_exact_sum *sum = calloc(n + 1, sizeof *sum);
    bool ok = count != NULL && low != NULL && high != NULL && sum != NULL;
    FW_TRY(ingest_agree(g, ok ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "statistics of %zu columns", n), err));
    for (size_t i = 0; i < n; i++) {
        const ingest_stats *s = &g->stats[i];
        int64_t mine[N_COUNTS] = {(int64_t)s->missing, (int64_t)s->present, !s->integral, !s->equals_target};
        memcpy(count + i * N_COUNTS, mine, sizeof mine);
        low[i] = s->min;
        high[i] = s->max;
        sum[i] = s->sum;
    }
    FW_TRY(r->sum_i64(r->context, count, n * N_COUNTS, err));
    FW_TRY(r->min_f64(r->context, low, n, err));
    FW_TRY(r->max_f64(r->context, high, n, err));
    FW_TRY(fw_exact_sum_reduce(sum, n, r, err));
    for (size_t i = 0; i < n; i++) {
        ingest_stats *s = &g->stats[i];
        s->missing = (uint64_t)count[i * N_COUNTS + MISSING];
        s->present = (uint64_t)count[i * N_COUNTS + PRESENT];
        s->integral = count[i * N_COUNTS + NOT_INTEGRAL] == 0;
        s->equals_target = count[i * N_COUNTS + NOT_TARGET] == 0;
        s->min = low[i];
        s->max = high[i];
        s->sum = sum[i];
        if (s->present > 0 && isfinite(low[i])) frexp(fmax(fabs(low[i]), fabs(high[i])), &s->exponent);
    }
    return FW_OK;
}

/* Numbers of rows: a row's number counts over the tables, rows that were dropped included. */
static fw_status number_rows(ingest *g, fw_error *err)
{
    const fw_reduce *r = g->reduce;
    size_t n = (size_t)ingest_n_all_chunks(g);
    g->table_rows = calloc(g->n_tables + 1, sizeof *g->table_rows);
    FW_TRY(ingest_agree(g, g->table_rows == NULL ? fw_fail(err, FW_ERR_NOMEM, "tables") : FW_OK, err));
    FW_TRY(r->sum_i64(r->context, g->records, n, err));
    int64_t row = 0;
    for (size_t t = 0; t < g->n_tables; t++)
        for (uint64_t c = g->first_chunk[t]; c < g->first_chunk[t + 1]; c++) {
            int64_t records = g->records[c];
            g->table_rows[t] += records;
            g->records[c] = row;
            row += records;
        }
    return FW_OK;
}

static fw_status merge_counts(ingest *g, fw_error *err)
{
    int64_t v[3] = {(int64_t)g->n_kept, (int64_t)g->n_bad, (int64_t)g->n_excluded};
    FW_TRY(g->reduce->sum_i64(g->reduce->context, v, 3, err));
    g->n_kept = (uint64_t)v[0];
    g->n_bad = (uint64_t)v[1];
    g->n_excluded = (uint64_t)v[2];
    return FW_OK;
}

static fw_status check_target(const ingest *g, fw_error *err)
{
    const fw_column *target = &g->schema->columns[g->target];
    const ingest_stats *s = &g->stats[g->target];
    if (g->n_kept == 0)
        return fw_fail(err, FW_ERR_DATA, "no row is left: %llu were bad and %llu excluded by their label", (unsigned long long)g->n_bad,
                       (unsigned long long)g->n_excluded);
    if (target->type == FW_CATEGORY && fw_dict_size(target->dict) < 2)
        return fw_fail(err, FW_ERR_DATA, "target '%s' is '%s' in every row: there is nothing to learn", target->name,
                       fw_dict_text(target->dict, 0, NULL));
    if (target->type == FW_NUMBER && s->min == s->max)
        return fw_fail(err, FW_ERR_DATA, "target '%s' is %g in every row: there is nothing to learn", target->name, s->min);
    return FW_OK;
}

fw_status ingest_merge(ingest *g, fw_error *err)
{
    FW_TRY(ingest_agree(g, count_merged(g, err), err));
    FW_TRY(merge_counts(g, err));
    FW_TRY(number_rows(g, err));
    for (size_t i = 0; i < g->n_stored; i++)
        if (g->schema->columns[i].type == FW_CATEGORY) FW_TRY(merge_dictionary(g, i, err));
    FW_TRY(merge_stats(g, err));
    FW_TRY(sum_labels(g, err));
    FW_TRY(ingest_agree(g, warn_of_labels(g, err), err));
    return check_target(g, err);
}
