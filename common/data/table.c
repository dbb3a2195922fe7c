#include "common/data/table.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/data/cells.h"
#include "common/data/source.h"

/** Every kind of source; the first that takes a spec reads it. */
static const fw_source_ops *const SOURCES[] = {&fw_idx_source, &fw_csv_source};

static size_t test_chunk_bytes;

void fw_table_chunk_bytes_for_tests(size_t bytes)
{
    test_chunk_bytes = bytes;
}

size_t fw_table_chunk_bytes(void)
{
    return test_chunk_bytes != 0 ? test_chunk_bytes : FW_TABLE_CHUNK_BYTES;
}

fw_status fw_table_open(fw_table **out, const fw_table_spec *spec, const char *base_dir, const fw_reduce *reduce, fw_error *err)
{
    fw_error unread;
    if (err == NULL) err = &unread;                        /* texts pass through it */
    const fw_source_ops *ops = NULL;
    for (size_t i = 0; ops == NULL && i < sizeof SOURCES / sizeof *SOURCES; i++)
        if (SOURCES[i]->takes(spec)) ops = SOURCES[i];
    if (ops == NULL) return fw_fail(err, FW_ERR_CONFIG, "table %s: neither a path nor images and labels are given", spec->name ? spec->name : "without a name");
    FW_AUTO(fw_table) *t = calloc(1, sizeof *t);
    FW_TRY(reduce->agree(reduce->context, t != NULL ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "table: no memory"), err));
    t->ops = ops;
    t->reduce = *reduce;
    t->image_column = -1;
    FW_TRY(ops->open(t, spec, base_dir, err));
    FW_TRY(fw_table_rewind(t, err));
    *out = t;
    t = NULL;
    return FW_OK;
}

static void free_bad_rows(fw_table *t)
{
    for (size_t i = 0; i < t->n_listed; i++) {
        free(t->bad[i].where);
        free(t->bad[i].why);
    }
    t->n_listed = 0;
    t->n_bad = 0;
}

void fw_table_destroy(fw_table **t)
{
    if (*t == NULL) return;
    if ((*t)->source != NULL) (*t)->ops->close((*t)->source);
    for (size_t i = 0; i < (*t)->n_inputs; i++) fw_input_destroy(&(*t)->inputs[i]);
    for (size_t i = 0; (*t)->names != NULL && i < (*t)->n_columns; i++) free((*t)->names[i]);
    free_bad_rows(*t);
    free((*t)->names);
    free((*t)->name);
    free((*t)->path);
    free(*t);
    *t = NULL;
}

fw_status fw_table_add_input(fw_table *t, const char *base_dir, const char *name, fw_error *err)
{
    FW_FREE char *path = NULL;
    FW_TRY(fw_path_join(&path, base_dir != NULL ? base_dir : "", name, err));
    FW_TRY(fw_input_open(&t->inputs[t->n_inputs], path, err));
    t->n_inputs++;
    if (t->path != NULL) return FW_OK;
    FW_TRY(fw_copy_text(&t->name, name, err));
    t->path = path;
    path = NULL;
    return FW_OK;
}

static fw_status check_name(const fw_field *name, size_t i, const char *where, fw_error *err)
{
    if (name->len == 0) return fw_fail(err, FW_ERR_DATA, "%s: column %zu has no name; name it, or give the names under columns", where, i + 1);
    if (memchr(name->s, '\0', name->len) != NULL)
        return fw_fail(err, FW_ERR_DATA, "%s: NUL byte in the name of column %zu; is this a text file?", where, i + 1);
    if (fw_utf8_valid(name->s, name->len) != name->len)
        return fw_fail(err, FW_ERR_DATA, "%s: the name of column %zu is not valid UTF-8; convert the file, e.g. with iconv -f latin1 -t utf-8", where, i + 1);
    return FW_OK;
}

fw_status fw_table_set_names(fw_table *t, const fw_field *names, size_t n, const char *where, fw_error *err)
{
    FW_AUTO(fw_dict) *seen = NULL;
    FW_TRY(fw_dict_create(&seen, err));
    t->names = calloc(n ? n : 1, sizeof *t->names);
    if (t->names == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory for %zu names", where, n);
    t->n_columns = n;
    for (size_t i = 0; i < n; i++) {
        int32_t code;
        FW_TRY(check_name(&names[i], i, where, err));
        FW_TRY(fw_dict_add(&code, seen, names[i].s, names[i].len, err));
        if ((size_t)code != i)
            return fw_fail(err, FW_ERR_DATA, "%s: columns %d and %zu have the same name \"%.*s\"; rename one, or give the names under columns", where,
                           code + 1, i + 1, (int)names[i].len, names[i].s);
        t->names[i] = strndup(names[i].s, names[i].len);
        if (t->names[i] == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory for %zu names", where, n);
    }
    return FW_OK;
}

bool fw_table_wants_place(const fw_table *t, const fw_sink *sink)
{
    return !sink->skip_bad || (sink->list_bad && t->n_listed < FW_BAD_ROWS_LISTED);
}

fw_status fw_table_bad_row(fw_table *t, const fw_sink *sink, const char *where, fw_error *why)
{
    if (!sink->skip_bad) {
        const fw_error row = *why;
        return fw_fail(why, FW_ERR_DATA, "%s: %s (data.bad_rows: skip leaves such rows out; so does score --skip-bad-rows)", where, row.text);
    }
    if (!sink->list_bad) return FW_OK;
    t->n_bad++;
    if (t->n_listed == FW_BAD_ROWS_LISTED) return FW_OK;
    fw_bad_row row = {.where = strdup(where), .why = strdup(why->text)};
    if (row.where == NULL || row.why == NULL) {
        free(row.where);
        free(row.why);
        return fw_fail(why, FW_ERR_NOMEM, "%s: no memory to list a bad row", where);
    }
    t->bad[t->n_listed++] = row;
    return FW_OK;
}

size_t      fw_table_n_columns(const fw_table *t) { return t->n_columns; }
const char *fw_table_column_name(const fw_table *t, size_t i) { return t->names[i]; }
const char *fw_table_path(const fw_table *t) { return t->path; }
uint64_t    fw_table_n_chunks(const fw_table *t) { return t->n_chunks; }
uint64_t    fw_table_n_bad(const fw_table *t) { return t->n_bad; }

bool fw_table_image_shape(uint32_t shape[static 3], const fw_table *t, size_t column)
{
    if (t->image_column < 0 || column != (size_t)t->image_column) return false;
    memcpy(shape, t->image_shape, sizeof t->image_shape);
    return true;
}

const fw_bad_row *fw_table_bad(const fw_table *t, size_t *n_listed)
{
    *n_listed = t->n_listed;
    return t->bad;
}

typedef struct table_cells { fw_cell_rules rules; size_t n_fields; } table_cells;

static fw_status take_cells(void *context, const fw_field *fields, uint64_t record, fw_error *err)
{
    table_cells *c = context;
    return fw_cells_append(&c->rules, fields, record, err);
}

static fw_status take_rows_of_cells(void *context, const fw_field *fields, uint64_t first_record, size_t n, fw_error *err)
{
    table_cells *c = context;
    return fw_cells_append_rows(&c->rules, fields, c->n_fields, first_record, n, err);
}

fw_status fw_table_read(fw_table *t, const fw_table_reading *how, fw_block *block, uint64_t *chunk, uint64_t *n_records, fw_error *err)
{
    table_cells cells = {.n_fields = t->n_columns};
    fw_error unread;
    if (err == NULL) err = &unread;
    FW_TRY(fw_cell_rules_init(&cells.rules, t, how, block, err));
    if (t->next_chunk >= t->n_chunks) return FW_END;
    const fw_sink sink = {.context = &cells, .take = take_cells, .take_rows = take_rows_of_cells, .skip_bad = how->skip_bad_rows, .list_bad = how->skip_bad_rows};
    uint64_t n = 0;
    fw_block_clear(block);
    FW_TRY(t->ops->read(t, t->next_chunk, &sink, &n, err));
    *chunk = t->next_chunk;
    *n_records = n;
    t->next_chunk += (uint64_t)t->reduce.size;
    return FW_OK;
}

fw_status fw_table_rewind(fw_table *t, fw_error *err)
{
    (void)err;
    t->next_chunk = (uint64_t)t->reduce.rank;
    free_bad_rows(t);
    return FW_OK;
}

/* The leaves of all inputs, one behind the other: this rank's share of them, as digests. */
static fw_status digest_share(fw_digest **out, size_t *n, fw_table *t, fw_error *err)
{
    uint64_t all = 0, first, behind, at = 0;
    for (size_t i = 0; i < t->n_inputs; i++) all += fw_input_n_leaves(t->inputs[i]);
    const uint64_t rank = (uint64_t)t->reduce.rank, size = (uint64_t)t->reduce.size;
    first = all / size * rank + all % size * rank / size;
    behind = all / size * (rank + 1) + all % size * (rank + 1) / size;
    fw_digest *list = malloc((size_t)(behind - first + 1) * sizeof *list);
    if (list == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: no memory for a digest", t->path);
    *out = list;
    *n = 0;
    for (size_t i = 0; i < t->n_inputs; i++)
        for (uint64_t leaf = 0; leaf < fw_input_n_leaves(t->inputs[i]); leaf++, at++)
            if (at >= first && at < behind) FW_TRY(fw_input_leaf(&list[(*n)++], t->inputs[i], leaf, err));
    return FW_OK;
}

fw_status fw_table_digest(char out[static 33], uint64_t *bytes, fw_table *t, fw_error *err)
{
    const fw_reduce *r = &t->reduce;
    FW_FREE fw_digest *share = NULL;
    FW_FREE char *all = NULL;
    FW_FREE size_t *offset = calloc((size_t)r->size + 1, sizeof *offset);
    size_t n = 0;
    fw_status mine = offset != NULL ? digest_share(&share, &n, t, err) : fw_fail(err, FW_ERR_NOMEM, "%s: no memory for a digest", t->path);
    FW_TRY(r->agree(r->context, mine, err));
    FW_TRY(r->gather_all(r->context, share, n * sizeof *share, &all, offset, err));
    fw_digest_text(out, fw_hash128(all, offset[r->size], 0));
    *bytes = 0;
    for (size_t i = 0; i < t->n_inputs; i++) *bytes += fw_input_file_bytes(t->inputs[i]);
    return FW_OK;
}
