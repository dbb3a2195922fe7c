/** Any bytes as a dataset: it is refused with a reason when it is opened or read, or its cells keep the promises of block.h.
 *  The input's form: h5_input.h. */
#include <math.h>
#include <stdlib.h>

#include "common/core/hash.h"
#include "common/data/dataset.h"
#include "tests/fuzz/h5_input.h"

#define MAX_ROWS 256

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void check_cell(const fw_column *column, const fw_cells *c, size_t i)
{
    must(c->missing[i] <= 1);
    if (column->type == FW_NUMBER) must(isfinite(c->number[i]));
    if (column->type == FW_CATEGORY) must(c->missing[i] ? c->code[i] == FW_CODE_MISSING : c->code[i] >= 0 && (size_t)c->code[i] < fw_dict_size(column->dict));
    if (column->type == FW_IMAGE) fw_hash64(c->pixels + i * fw_column_cell_bytes(column), fw_column_cell_bytes(column), 0);
    if (column->type == FW_TEXT) fw_hash64(c->text_bytes + c->text_at[i], (size_t)(c->text_at[i + 1] - c->text_at[i]), 0);
}

static void use(fw_dataset *d)
{
    const fw_schema *schema = fw_dataset_schema(d);
    FW_AUTO(fw_block) *block = NULL;
    fw_error err = {0};
    must(schema->n_columns > 0 && fw_dataset_stats(d) != NULL && fw_dataset_digest(d) != NULL && fw_dataset_resolved(d) != NULL);
    must(fw_dataset_verify(d, &err) == FW_OK || err.text[0] != '\0');
    if (fw_block_create(&block, schema, MAX_ROWS, NULL) != FW_OK) return;      /* pictures that are too large */
    for (int s = 0; s < FW_N_SPLITS; s++) {
        const size_t n = (size_t)FW_MIN(fw_dataset_rows(d, (fw_split)s), (uint64_t)MAX_ROWS);
        if (fw_dataset_read(d, (fw_split)s, 0, n, NULL, block, &err) != FW_OK) continue;
        for (size_t i = 0; i < schema->n_columns; i++)
            for (size_t row = 0; row < n; row++) check_cell(&schema->columns[i], &block->cells[i], row);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const h5_kind kind = {FW_DATASET_KIND, FW_DATASET_VERSION, true};
    memory_file f;
    FW_AUTO(fw_dataset) *d = NULL;
    fw_error err = {0};
    h5_input(&f, &kind, bytes, len);
    const fw_status s = fw_dataset_open(&d, f.path, &err);
    must((s == FW_OK) == (d != NULL) && (s == FW_OK || err.text[0] != '\0'));
    if (d != NULL) use(d);
    memory_file_close(&f);
    return 0;
}
