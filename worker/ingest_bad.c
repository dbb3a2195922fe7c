#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "worker/ingest_parts.h"

fw_status ingest_list_bad(ingest *g, const ingest_bad *bad, fw_error *err)
{
    FW_TRY(fw_grow((void **)&g->bad, &g->bad_capacity, g->n_bad_listed + 1, sizeof *g->bad, "bad rows", err));
    g->bad[g->n_bad_listed++] = *bad;
    return FW_OK;
}

static int by_place(const void *a, const void *b)
{
    const ingest_bad *x = a, *y = b;
    if (x->table != y->table) return x->table < y->table ? -1 : 1;
    if (x->number != y->number) return x->number < y->number ? -1 : 1;
    return strcmp(x->text, y->text);
}

fw_status ingest_say_bad(const ingest *g, fw_error *err)
{
    if (g->n_bad == 0) return FW_OK;
    for (size_t i = 0; i < g->n_bad_listed; i++) {
        ingest_bad *b = &g->bad[i];
        if (!b->in_chunk) continue;
        b->number += (uint64_t)(g->records[b->chunk] - g->records[g->first_chunk[b->table]]) + 1;
        b->in_chunk = false;
        char why[sizeof b->text];
        memcpy(why, b->text, sizeof why);
        snprintf(b->text, sizeof b->text, "%.200s: record %llu: %.200s", fw_table_path(g->tables[b->table]), (unsigned long long)b->number, why);
    }
    FW_FREE size_t *offset = calloc((size_t)g->reduce->size + 1, sizeof *offset);
    FW_FREE char *bytes = NULL;
    FW_TRY(ingest_agree(g, offset == NULL ? fw_fail(err, FW_ERR_NOMEM, "bad rows") : FW_OK, err));
    FW_TRY(g->reduce->gather_all(g->reduce->context, g->bad, g->n_bad_listed * sizeof *g->bad, &bytes, offset, err));
    size_t n = offset[g->reduce->size] / sizeof(ingest_bad);
    ingest_bad *all = (ingest_bad *)(void *)bytes;
    if (n > 0) qsort(all, n, sizeof *all, by_place);
    ingest_say(g, g->n_bad == 1 ? "%llu bad row was skipped:" : "%llu bad rows were skipped; the first ones:", (unsigned long long)g->n_bad);
    for (size_t i = 0; i < n && i < FW_BAD_ROWS_LISTED; i++) ingest_say(g, "  %s", all[i].text);
    return FW_OK;
}
