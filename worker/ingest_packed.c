#include "worker/ingest_packed.h"

#include <string.h>

static size_t padded(size_t len)
{
    return (len + 7) & ~(size_t)7;
}

/* ---- packing ---- */

static size_t text_bytes(const ingest_cells *c, const uint32_t *index, size_t n)
{
    if (index == NULL) return (size_t)(c->text_at[n] - c->text_at[0]);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) len += (size_t)(c->text_at[index[i] + 1] - c->text_at[index[i]]);
    return len;
}

static size_t cell_bytes(const fw_column *column, const ingest_cells *c)
{
    return c->decimals ? sizeof(uint32_t) : fw_column_cell_bytes(column);
}

static size_t column_bytes(const fw_column *column, const ingest_cells *c, const uint32_t *index, size_t n)
{
    size_t len = c->missing != NULL ? padded(n) : 0;
    if (column->type == FW_TEXT) return len + (n + 1) * sizeof(uint64_t) + padded(text_bytes(c, index, n));
    return len + padded(n * cell_bytes(column, c));
}

size_t ingest_part_bytes(const ingest_rows *from, uint32_t bucket, const uint32_t *index, size_t n)
{
    size_t len = sizeof(ingest_packed) + padded(from->n_columns) + padded(n * sizeof(uint32_t));
    if (bucket != INGEST_NO_BUCKET) len += padded(n * sizeof(uint16_t));
    for (size_t i = 0; i < from->n_columns; i++) len += column_bytes(&from->schema->columns[i], &from->columns[i], index, n);
    return len;
}

/* Cells of the usual widths by moves of that width. */
static void gather(char *to, const char *from, size_t cell, const uint32_t *index, size_t n)
{
    if (index == NULL) {
        memcpy(to, from, n * cell);
        return;
    }
    switch (cell) {
    case 1:
        for (size_t i = 0; i < n; i++) to[i] = from[index[i]];
        break;
    case 2:
        for (size_t i = 0; i < n; i++) memcpy(to + 2 * i, from + 2 * (size_t)index[i], 2);
        break;
    case 4:
        for (size_t i = 0; i < n; i++) memcpy(to + 4 * i, from + 4 * (size_t)index[i], 4);
        break;
    case 8:
        for (size_t i = 0; i < n; i++) memcpy(to + 8 * i, from + 8 * (size_t)index[i], 8);
        break;
    default:
        for (size_t i = 0; i < n; i++) memcpy(to + i * cell, from + index[i] * cell, cell);
    }
}

static size_t gather_text(char *to, const ingest_cells *c, const uint32_t *index, size_t n)
{
    char *bytes = to + (n + 1) * sizeof(uint64_t);
    uint64_t at = 0;
    for (size_t i = 0; i < n; i++) {
        size_t row = index != NULL ? index[i] : i;
        uint64_t len = c->text_at[row + 1] - c->text_at[row];
        memcpy(to + i * sizeof at, &at, sizeof at);
        if (len > 0) memcpy(bytes + at, c->text + c->text_at[row], (size_t)len);
        at += len;
    }
    memcpy(to + n * sizeof at, &at, sizeof at);
    return (n + 1) * sizeof at + padded((size_t)at);
}

enum { MARKED = 1, DECIMALS = 2 };     /* forms of a column */

static uint8_t form_of(const ingest_cells *c)
{
    return (uint8_t)((c->missing != NULL ? MARKED : 0) | (c->decimals ? DECIMALS : 0));
}

/* Head, forms, row numbers, places; how many bytes. */
static size_t pack_head(const ingest_rows *from, const ingest_part *p, uint64_t base, const uint16_t *place)
{
    ingest_packed head = {.len = p->len, .base = base, .n = (uint32_t)p->n, .bucket = p->bucket};
    memcpy(p->to, &head, sizeof head);
    char *at = p->to + sizeof head;
    for (size_t i = 0; i < from->n_columns; i++) at[i] = (char)form_of(&from->columns[i]);
    at += padded(from->n_columns);
    gather(at, (const char *)from->row, sizeof *from->row, p->index, p->n);
    at += padded(p->n * sizeof(uint32_t));
    if (p->bucket == INGEST_NO_BUCKET) return (size_t)(at - p->to);
    gather(at, (const char *)place, sizeof *place, p->index, p->n);
    return (size_t)(at - p->to) + padded(p->n * sizeof *place);
}

static size_t pack_column(char *to, const fw_column *column, const ingest_cells *c, const uint32_t *index, size_t n)
{
    size_t at = 0, cell = cell_bytes(column, c);
    if (c->missing != NULL) {
        gather(to, (const char *)c->missing, 1, index, n);
        at = padded(n);
    }
    if (column->type == FW_TEXT) return at + gather_text(to + at, c, index, n);
    gather(to + at, c->cells, cell, index, n);
    return at + padded(n * cell);
}

#define TOGETHER 256                   /* parts at a time: where each stands is remembered */

void ingest_pack(const ingest_rows *from, const ingest_part *parts, size_t n_parts, uint64_t base, const uint16_t *place)
{
    size_t at[TOGETHER];
    for (size_t first = 0; first < n_parts; first += TOGETHER) {
        size_t n = n_parts - first < TOGETHER ? n_parts - first : TOGETHER;
        const ingest_part *some = parts + first;
        for (size_t k = 0; k < n; k++) at[k] = pack_head(from, &some[k], base, place);
        for (size_t i = 0; i < from->n_columns; i++)
            for (size_t k = 0; k < n; k++)
                at[k] += pack_column(some[k].to + at[k], &from->schema->columns[i], &from->columns[i], some[k].index, some[k].n);
    }
}

/* ---- reading ---- */

/* The next len bytes of a piece, NULL: it ends before. */
static const void *part_of(ingest_walk *w, size_t n, size_t element)
{
    size_t len;
    if (__builtin_mul_overflow(n, element, &len) || len > SIZE_MAX - 7 || padded(len) > w->len - w->at) return NULL;
    const void *part = w->bytes + w->at;
    w->at += padded(len);
    return part;
}

bool ingest_walk_start(ingest_walk *w, const void *bytes, size_t len, size_t n_columns)
{
    ingest_packed head;
    if (len < sizeof head) return false;
    memcpy(&head, bytes, sizeof head);
    if (head.len > len || head.len < sizeof head) return false;
    *w = (ingest_walk){.bytes = bytes, .n = head.n, .len = (size_t)head.len, .at = sizeof head, .base = head.base, .bucket = head.bucket};
    w->form = part_of(w, n_columns, 1);
    w->row = part_of(w, w->n, sizeof *w->row);
    if (w->bucket != INGEST_NO_BUCKET && (w->place = part_of(w, w->n, sizeof *w->place)) == NULL) return false;
    return w->form != NULL && w->row != NULL;
}

bool ingest_walk_next(ingest_cells *out, ingest_walk *w, const fw_column *column)
{
    const uint8_t form = w->form[w->column++];
    *out = (ingest_cells){.decimals = (form & DECIMALS) != 0};
    if (out->decimals && column->type != FW_NUMBER) return false;
    if ((form & MARKED) && (out->missing = part_of(w, w->n, 1)) == NULL) return false;
    if (column->type != FW_TEXT) return (out->cells = part_of(w, w->n, cell_bytes(column, out))) != NULL;
    out->text_at = part_of(w, w->n + 1, sizeof *out->text_at);
    if (out->text_at == NULL) return false;
    for (size_t i = 0; i < w->n; i++)
        if (out->text_at[i] > out->text_at[i + 1]) return false;
    out->text = part_of(w, (size_t)out->text_at[w->n], 1);
    return out->text != NULL && out->text_at[0] == 0;
}

bool ingest_unpack(ingest_rows *rows, const void *bytes, size_t len)
{
    ingest_walk w;
    if (!ingest_walk_start(&w, bytes, len, rows->n_columns)) return false;
    rows->n = w.n;
    rows->row = w.row;
    for (size_t i = 0; i < rows->n_columns; i++)
        if (!ingest_walk_next(&rows->columns[i], &w, &rows->schema->columns[i])) return false;
    return true;
}
