#include "common/data/block.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/data/decimal.h"

/** A zeroed array of n elements in the place of *array, of which `keep` elements are carried over. */
static fw_status replace(void **array, size_t n, size_t keep, size_t element_bytes, fw_error *err)
{
    void *bigger = NULL;
    FW_TRY(fw_alloc_zeroed(&bigger, n, element_bytes, "block of rows", err));
    if (*array != NULL && keep > 0) memcpy(bigger, *array, keep * element_bytes);
    free(*array);
    *array = bigger;
    return FW_OK;
}

static fw_status reserve_cells(fw_cells *c, const fw_column *column, size_t capacity, size_t keep, fw_error *err)
{
    FW_TRY(replace((void **)&c->missing, capacity, keep, 1, err));
    switch (column->type) {
    case FW_NUMBER: return replace((void **)&c->number, capacity, keep, sizeof *c->number, err);
    case FW_CATEGORY: return replace((void **)&c->code, capacity, keep, sizeof *c->code, err);
    case FW_TIME: return replace((void **)&c->time_us, capacity, keep, sizeof *c->time_us, err);
    case FW_IMAGE: return replace((void **)&c->pixels, capacity, keep, fw_column_cell_bytes(column), err);
    case FW_TEXT: {
        size_t n, kept = c->text_at != NULL ? keep + 1 : 0;
        FW_TRY(fw_size_add(&n, capacity, 1, "block of rows", err));
        return replace((void **)&c->text_at, n, kept, sizeof *c->text_at, err);
    }
    }
    return fw_fail(err, FW_ERR_INTERNAL, "block: column %s has type %d", column->name, (int)column->type);
}

fw_status fw_block_create(fw_block **out, const fw_schema *schema, size_t capacity, fw_error *err)
{
    FW_AUTO(fw_block) *b = calloc(1, sizeof *b);
    if (b == NULL || (b->cells = calloc(schema->n_columns ? schema->n_columns : 1, sizeof *b->cells)) == NULL)
        return fw_fail(err, FW_ERR_NOMEM, "block: no memory for %zu columns", schema->n_columns);
    b->schema = schema;
    FW_TRY(fw_block_reserve(b, FW_MAX(capacity, 1u), err));
    *out = b;
    b = NULL;
    return FW_OK;
}

void fw_block_destroy(fw_block **b)
{
    if (*b == NULL) return;
    for (size_t i = 0; (*b)->cells != NULL && i < (*b)->schema->n_columns; i++) {
        fw_cells *c = &(*b)->cells[i];
        free(c->number);
        free(c->decimal);
        free(c->code);
        free(c->time_us);
        free(c->pixels);
        free(c->text_at);
        free(c->text_bytes);
        free(c->missing);
    }
    free((*b)->cells);
    free((*b)->row);
    free(*b);
    *b = NULL;
}

static fw_status reserve_decimals(fw_block *b, size_t capacity, fw_error *err)
{
    for (size_t i = 0; b->decimals && i < b->schema->n_columns; i++)
        if (b->schema->columns[i].type == FW_NUMBER)
            FW_TRY(replace((void **)&b->cells[i].decimal, capacity, b->n_rows, sizeof *b->cells[i].decimal, err));
    return FW_OK;
}

fw_status fw_block_keep_decimals(fw_block *b, fw_error *err)
{
    b->decimals = true;
    return reserve_decimals(b, b->capacity, err);
}

void fw_block_clear(fw_block *b)
{
    b->n_rows = 0;
}

fw_status fw_block_reserve(fw_block *b, size_t capacity, fw_error *err)
{
    if (capacity <= b->capacity) return FW_OK;
    for (size_t i = 0; i < b->schema->n_columns; i++) FW_TRY(reserve_cells(&b->cells[i], &b->schema->columns[i], capacity, b->n_rows, err));
    FW_TRY(reserve_decimals(b, capacity, err));
    FW_TRY(replace((void **)&b->row, capacity, b->n_rows, sizeof *b->row, err));
    b->capacity = capacity;
    return FW_OK;
}

fw_status fw_block_set_text(fw_block *b, size_t column, size_t row, const char *s, size_t len, fw_error *err)
{
    fw_cells *c = &b->cells[column];
    size_t at = row == 0 ? 0 : (size_t)c->text_at[row], end;
    FW_TRY(fw_size_add(&end, at, len, "texts of a block", err));
    if (end > c->text_capacity) FW_TRY(fw_grow((void **)&c->text_bytes, &c->text_capacity, end, 1, "texts of a block", err));
    if (len > 0) memcpy(c->text_bytes + at, s, len);
    c->text_at[row] = at;
    c->text_at[row + 1] = end;
    return FW_OK;
}

fw_status fw_block_set_missing(fw_block *b, size_t column, size_t row, fw_error *err)
{
    fw_cells *c = &b->cells[column];
    c->missing[row] = 1;
    switch (b->schema->columns[column].type) {
    case FW_NUMBER:
        c->number[row] = 0;
        if (c->decimal != NULL) c->decimal[row] = 0;
        break;
    case FW_CATEGORY: c->code[row] = FW_CODE_MISSING; break;
    case FW_TIME: c->time_us[row] = 0; break;
    case FW_IMAGE: {
        size_t bytes = fw_column_cell_bytes(&b->schema->columns[column]);
        memset(c->pixels + row * bytes, 0, bytes);
        break;
    }
    case FW_TEXT: return fw_block_set_text(b, column, row, "", 0, err);
    }
    return FW_OK;
}

static fw_status append_cells(fw_block *into, const fw_block *from, size_t column, size_t first, size_t n, fw_error *err)
{
    const fw_column *kind = &into->schema->columns[column];
    fw_cells *to = &into->cells[column];
    const fw_cells *c = &from->cells[column];
    size_t at = into->n_rows, bytes = fw_column_cell_bytes(kind);
    memcpy(to->missing + at, c->missing + first, n);
    switch (kind->type) {
    case FW_NUMBER:
        memcpy(to->number + at, c->number + first, n * bytes);
        for (size_t i = 0; to->decimal != NULL && i < n; i++) to->decimal[at + i] = c->decimal != NULL ? c->decimal[first + i] : FW_DECIMAL_NONE;
        break;
    case FW_CATEGORY: memcpy(to->code + at, c->code + first, n * bytes); break;
    case FW_TIME: memcpy(to->time_us + at, c->time_us + first, n * bytes); break;
    case FW_IMAGE: memcpy(to->pixels + at * bytes, c->pixels + first * bytes, n * bytes); break;
    case FW_TEXT:
        for (size_t i = 0; i < n; i++) {
            uint64_t begin = c->text_at[first + i], end = c->text_at[first + i + 1];
            FW_TRY(fw_block_set_text(into, column, at + i, c->text_bytes ? c->text_bytes + begin : "", (size_t)(end - begin), err));
        }
        break;
    }
    return FW_OK;
}

fw_status fw_block_append(fw_block *into, const fw_block *from, size_t first, size_t n, fw_error *err)
{
    if (into->schema->n_columns != from->schema->n_columns || first > from->n_rows || n > from->n_rows - first || n > into->capacity - into->n_rows)
        return fw_fail(err, FW_ERR_ARG, "block: %zu rows from %zu of %zu do not fit into %zu of %zu rows, or the columns differ", n, first, from->n_rows,
                       into->n_rows, into->capacity);
    for (size_t i = 0; i < into->schema->n_columns; i++) {
        const fw_column *a = &into->schema->columns[i], *b = &from->schema->columns[i];
        if (a->type != b->type || fw_column_cell_bytes(a) != fw_column_cell_bytes(b))
            return fw_fail(err, FW_ERR_ARG, "block: column %zu is of type %s here and of type %s there", i, fw_column_type_name(a->type),
                           fw_column_type_name(b->type));
    }
    for (size_t i = 0; i < into->schema->n_columns; i++) FW_TRY(append_cells(into, from, i, first, n, err));
    memcpy(into->row + into->n_rows, from->row + first, n * sizeof *from->row);
    into->n_rows += n;
    return FW_OK;
}
