/** Any bytes given to the reader of tables, as CSV (plain or packed) or as a pair of IDX files: it refuses them, or the cells keep the promises of
 *  block.h and are the same whatever the cuts are. Byte 0 chooses the dialect or IDX, byte 1 the chunk size (IDX: the share of the pictures). */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/data/table.h"
#include "tests/fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds) abort();
}

static void add_cell(fw_hasher *h, const fw_column *c, const fw_cells *cells, size_t i)
{
    size_t n = fw_column_cell_bytes(c);
    must(cells->missing[i] <= 1);
    fw_hasher_add(h, &cells->missing[i], 1);
    switch (c->type) {
    case FW_NUMBER:
        must(isfinite(cells->number[i]));
        fw_hasher_add(h, &cells->number[i], n);
        break;
    case FW_TIME: fw_hasher_add(h, &cells->time_us[i], n); break;
    case FW_IMAGE: fw_hasher_add(h, cells->pixels + i * n, n); break;
    case FW_CATEGORY:
        must(cells->missing[i] ? cells->code[i] == FW_CODE_MISSING : cells->code[i] >= 0 && (size_t)cells->code[i] < fw_dict_size(c->dict));
        fw_hasher_add(h, &cells->code[i], n);
        break;
    case FW_TEXT: {
        const char *s = cells->text_bytes + cells->text_at[i];
        size_t text_len = (size_t)(cells->text_at[i + 1] - cells->text_at[i]);
        must(text_len <= FW_FIELD_MAX_BYTES && fw_utf8_valid(s, text_len) == text_len);
        fw_hasher_add(h, &text_len, sizeof text_len);
        fw_hasher_add(h, s, text_len);
        break;
    }
    }
}

static void add_block(fw_hasher *h, const fw_block *b, uint64_t first)
{
    for (size_t i = 0; i < b->n_rows; i++) {
        uint64_t record = first + b->row[i];
        must(i == 0 || b->row[i] > b->row[i - 1]);
        fw_hasher_add(h, &record, sizeof record);
        for (size_t c = 0; c < b->schema->n_columns; c++) add_cell(h, &b->schema->columns[c], &b->cells[c], i);
    }
}

/** Types as inferred, but the last column as text if it can be. */
static fw_schema *make_schema(fw_table *t)
{
    static const char *const missing[] = {"", "NA"};
    size_t n = fw_table_n_columns(t);
    fw_schema *s = NULL;
    FW_FREE fw_column_type *types = calloc(n, sizeof *types);
    must(types != NULL && fw_table_infer(types, t, missing, 2, NULL) == FW_OK && fw_schema_create(&s, n, NULL) == FW_OK);
    for (size_t i = 0; i < n; i++) {
        uint32_t shape[3] = {0};
        must(fw_table_image_shape(shape, t, i) == (types[i] == FW_IMAGE));
        must(fw_copy_text(&s->columns[i].name, fw_table_column_name(t, i), NULL) == FW_OK);
        s->columns[i] = (fw_column){.name = s->columns[i].name, .type = types[i], .height = shape[0], .width = shape[1], .channels = shape[2]};
        if (i + 1 == n && types[i] != FW_IMAGE) s->columns[i].type = FW_TEXT;
    }
    return s;
}

/** All chunks; the records, good and bad, and a hash of the cells. */
static void read_all(fw_digest *cells, uint64_t *n_records, uint64_t *n_bad, fw_table *t)
{
    FW_AUTO(fw_schema) *schema = make_schema(t);
    FW_AUTO(fw_block) *block = NULL;
    FW_AUTO(fw_hasher) *h = fw_hasher_create(0);
    FW_FREE int *column_of = calloc(schema->n_columns, sizeof *column_of);
    must(h != NULL && column_of != NULL && fw_block_create(&block, schema, 1, NULL) == FW_OK);
    for (size_t i = 0; i < schema->n_columns; i++) column_of[i] = (int)i;
    const fw_table_reading how = {.schema = schema, .column_of = column_of, .missing = (const char *const[]){"", "NA"}, .n_missing = 2, .skip_bad_rows = true};
    uint64_t chunk, n, good = 0;
    fw_status status;
    *n_records = 0;
    while ((status = fw_table_read(t, &how, block, &chunk, &n, NULL)) == FW_OK) {
        add_block(h, block, *n_records);
        *n_records += n;
        good += block->n_rows;
    }
    must(status == FW_END);
    *n_bad = fw_table_n_bad(t);
    must(good + *n_bad == *n_records);
    *cells = fw_hasher_value(h);
}

/** Whole and cut: the same answer. */
static void compare_cuts(const fw_table_spec *spec, size_t chunk_bytes)
{
    fw_status status[2];
    fw_digest cells[2];
    uint64_t n_records[2], n_bad[2];
    for (int k = 0; k < 2; k++) {
        FW_AUTO(fw_table) *t = NULL;
        fw_error err = {0};
        fw_table_chunk_bytes_for_tests(k == 0 ? 0 : chunk_bytes);
        status[k] = fw_table_open(&t, spec, "", &fw_reduce_alone, &err);
        must((t != NULL) == (status[k] == FW_OK) && (status[k] == FW_OK || err.text[0] != '\0'));
        if (status[k] == FW_OK) read_all(&cells[k], &n_records[k], &n_bad[k], t);
    }
    must(status[0] == status[1]);
    if (status[0] == FW_OK) must(fw_digest_equal(cells[0], cells[1]) && n_records[0] == n_records[1] && n_bad[0] == n_bad[1]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *names[] = {(char[]){"a"}, (char[]){"b"}, (char[]){"c"}};
    if (len < 2) return 0;
    uint8_t options = bytes[0];
    size_t share = bytes[1], chunk_bytes = share + 1;
    bytes += 2;
    len -= 2;
    fw_table_spec spec = {.name = names[0], .delimiter = ",;\t|"[options & 3], .quote = options & 4 ? '"' : '\0', .trim = options & 8, .header = options & 16};
    bool pictures = options & 32;
    size_t first = pictures ? FW_MIN(share, len) : len;
    memory_file file[2];
    memory_file_make(&file[0], bytes, first);
    memory_file_make(&file[1], bytes + first, len - first);
    if (!spec.header && !pictures) spec.columns = (fw_strings){names, 1 + (options >> 6) % 3};
    if (pictures) spec.images = file[0].path, spec.labels = file[1].path;
    else spec.path = file[0].path;
    compare_cuts(&spec, chunk_bytes);
    memory_file_close(&file[0]);
    memory_file_close(&file[1]);
    return 0;
}
