/* Rows as bytes for the content digest: row number, split, cells; the id last, so that what is before it tells duplicates. A cell is its missing mark
 * and then the value; categories and texts by length and text, so that codes do not matter. */
#include <string.h>

#include "common/core/size.h"
#include "worker/ingest_parts.h"

void ingest_canon_clear(ingest_canon *c)
{
    free(c->bytes);
    free(c->at);
    free(c->id_at);
    *c = (ingest_canon){0};
}

static bool is_text(const fw_column *column)
{
    return column->type == FW_CATEGORY || column->type == FW_TEXT;
}

static bool is_even(const fw_column *column, const ingest_cells *c)
{
    return c->missing == NULL && !is_text(column);
}

static const char *text_of(size_t *len, const fw_column *column, const ingest_cells *c, size_t row)
{
    if (column->type == FW_TEXT) {
        *len = (size_t)(c->text_at[row + 1] - c->text_at[row]);
        return c->text + c->text_at[row];
    }
    return fw_dict_text(column->dict, ((const int32_t *)c->cells)[row], len);
}

/* Adds what each row's cell takes; rows are counted from first. */
static void add_lengths(size_t *len, const fw_column *column, const ingest_cells *c, size_t first, size_t n)
{
    size_t cell = fw_column_cell_bytes(column);
    for (size_t i = 0; i < n; i++) {
        len[i]++;
        if (c->missing != NULL && c->missing[first + i]) continue;
        if (is_text(column)) text_of(&cell, column, c, first + i);
        len[i] += cell + (is_text(column) ? sizeof(uint32_t) : 0);
    }
}

/* Cells of 8 bytes, the usual ones, without a call for each. */
static void put_numbers(char *bytes, size_t *at, const char *cells, const uint8_t *missing, size_t n)
{
    for (size_t i = 0; missing == NULL && i < n; i++) {
        char *to = bytes + at[i];
        *to = 0;
        memcpy(to + 1, cells + 8 * i, 8);
        at[i] += 9;
    }
    for (size_t i = 0; missing != NULL && i < n; i++) {
        char *to = bytes + at[i];
        size_t there = !missing[i];
        *to = !there;
        if (there) memcpy(to + 1, cells + 8 * i, 8);
        at[i] += 1 + 8 * there;
    }
}

static void put_cells(char *bytes, size_t *at, const fw_column *column, const ingest_cells *c, size_t first, size_t n)
{
    size_t cell = fw_column_cell_bytes(column);
    if (column->type == FW_NUMBER || column->type == FW_TIME) {
        put_numbers(bytes, at, (const char *)c->cells + first * cell, c->missing != NULL ? c->missing + first : NULL, n);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        char *to = bytes + at[i];
        uint8_t missing = c->missing != NULL && c->missing[first + i];
        *to++ = (char)missing;
        at[i]++;
        if (missing) continue;
        const char *value = is_text(column) ? text_of(&cell, column, c, first + i) : (const char *)c->cells + (first + i) * cell;
        if (is_text(column)) {
            uint32_t length = (uint32_t)cell;
            memcpy(to, &length, sizeof length);
            to += sizeof length;
            at[i] += sizeof length;
        }
        memcpy(to, value, cell);
        at[i] += cell;
    }
}

/* at[i]: where row i begins, at[n]: where the last one ends. */
static fw_status lay_out(ingest_canon *c, const ingest *g, const ingest_rows *rows, size_t first, size_t n, fw_error *err)
{
    FW_TRY(fw_grow((void **)&c->at, &c->at_capacity, n + 1, sizeof *c->at, "a row", err));
    FW_TRY(fw_grow((void **)&c->id_at, &c->id_capacity, n + 1, sizeof *c->id_at, "a row", err));
    size_t same = INGEST_CELLS_AT;                    /* of columns that take as much in each row */
    for (size_t k = 0; k < g->n_stored; k++)
        if (is_even(&g->schema->columns[k], &rows->columns[k])) same += 1 + fw_column_cell_bytes(&g->schema->columns[k]);
    for (size_t i = 0; i < n; i++) c->at[i] = same;
    for (size_t k = 0; k < g->n_stored; k++)
        if (!is_even(&g->schema->columns[k], &rows->columns[k])) add_lengths(c->at, &g->schema->columns[k], &rows->columns[k], first, n);
    size_t end = 0;
    for (size_t i = 0; i < n; i++) {
        size_t len = c->at[i];
        c->at[i] = end;
        end += len;
    }
    c->at[n] = end;
    return fw_grow((void **)&c->bytes, &c->capacity, end + 1, 1, "a row", err);
}

fw_status ingest_canon_rows(ingest_canon *c, const ingest *g, const ingest_rows *rows, size_t first, size_t n, uint64_t row_base, const uint8_t *split,
                            fw_error *err)
{
    FW_TRY(lay_out(c, g, rows, first, n, err));
    for (size_t i = 0; i < n; i++) {
        uint64_t row = rows->row[first + i] + row_base;
        memcpy(c->bytes + c->at[i], &row, sizeof row);
        c->bytes[c->at[i] + sizeof row] = (char)split[first + i];
        c->at[i] += INGEST_CELLS_AT;
    }
    for (size_t k = 0; k < g->n_stored; k++)
        if ((int)k != g->id) put_cells(c->bytes, c->at, &g->schema->columns[k], &rows->columns[k], first, n);
    memcpy(c->id_at, c->at, n * sizeof *c->at);
    if (g->id >= 0) put_cells(c->bytes, c->at, &g->schema->columns[g->id], &rows->columns[g->id], first, n);
    memmove(c->at + 1, c->at, n * sizeof *c->at);      /* each row has been filled up to where the next one begins */
    c->at[0] = 0;
    return FW_OK;
}
