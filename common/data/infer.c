/* Column types from the first records: the part of common/data/table.h that guesses, in the open. */
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "common/core/time_text.h"
#include "common/data/cells.h"

#define RECORDS 10000u
#define DISTINCT_MAX 1000u

typedef struct evidence {
    uint64_t present;
    bool number, time;             /* every present value is one */
    fw_dict *distinct;             /* up to DISTINCT_MAX + 1 texts; NULL for pictures */
} evidence;

typedef struct census {
    size_t n_columns;
    evidence *column;
    uint64_t n_records;
    fw_missing_texts missing;
} census;

static void census_destroy(census *c)
{
    for (size_t i = 0; c->column != NULL && i < c->n_columns; i++) fw_dict_destroy(&c->column[i].distinct);
    free(c->column);
}

static fw_status census_create(census *c, const fw_table *t, const char *const *missing, size_t n_missing, fw_error *err)
{
    c->n_columns = t->n_columns;
    c->column = calloc(t->n_columns, sizeof *c->column);
    if (c->column == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory to look at %zu columns", t->name, t->n_columns);
    fw_missing_texts_init(&c->missing, missing, n_missing);
    for (size_t i = 0; i < t->n_columns; i++) {
        c->column[i] = (evidence){.number = true, .time = true};
        if ((int)i != t->image_column) FW_TRY(fw_dict_create(&c->column[i].distinct, err));
    }
    return FW_OK;
}

static fw_status look_at(evidence *e, fw_field f, fw_error *err)
{
    double number;
    int64_t time_us;
    int32_t code;
    e->present++;
    e->number = e->number && (fw_parse_double(&number, f.s, f.len) || fw_is_not_finite(f));
    e->time = e->time && fw_parse_time(&time_us, f.s, f.len);
    if (fw_dict_size(e->distinct) > DISTINCT_MAX) return FW_OK;
    return fw_dict_add(&code, e->distinct, f.s, f.len, err);
}

static fw_status take(void *context, const fw_field *fields, uint64_t record, fw_error *err)
{
    (void)record;
    census *c = context;
    for (size_t i = 0; i < c->n_columns; i++)
        if (c->column[i].distinct != NULL && !fw_is_missing(&c->missing, fields[i])) FW_TRY(look_at(&c->column[i], fields[i], err));
    return ++c->n_records == RECORDS ? FW_END : FW_OK;
}

static fw_column_type decide(const evidence *e, uint64_t n_records)
{
    if (e->distinct == NULL) return FW_IMAGE;
    if (e->number) return FW_NUMBER;                  /* also when nothing is present */
    if (e->time) return FW_TIME;
    size_t distinct = fw_dict_size(e->distinct);
    return distinct <= DISTINCT_MAX && distinct <= n_records / 2 + 20 ? FW_CATEGORY : FW_TEXT;
}

static fw_status look(census *c, fw_table *t, fw_error *err)
{
    const fw_sink sink = {.context = c, .take = take, .skip_bad = true};
    fw_status status = FW_OK;
    for (uint64_t chunk = 0; status == FW_OK && chunk < t->n_chunks; chunk++) {
        uint64_t n_records;
        status = t->ops->read(t, chunk, &sink, &n_records, err);
    }
    return status < 0 ? status : FW_OK;
}

/** The labels of pictures are names of classes, though they are written as numbers. */
static fw_column_type decide_column(const fw_table *t, const census *c, size_t i)
{
    bool label = t->image_column >= 0 && (int)i != t->image_column;
    return label ? FW_CATEGORY : decide(&c->column[i], c->n_records);
}

fw_status fw_table_infer(fw_column_type *types, fw_table *t, const char *const *missing, size_t n_missing, fw_error *err)
{
    census c = {0};
    fw_status status = census_create(&c, t, missing, n_missing, err);
    if (status == FW_OK) status = look(&c, t, err);
    for (size_t i = 0; status == FW_OK && i < t->n_columns; i++) types[i] = decide_column(t, &c, i);
    census_destroy(&c);
    return status;
}
