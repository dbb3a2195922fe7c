/** An operation again and again, its first allocation failing, then its second, and so on until none is left to fail: each time it says that there is
 *  no memory, or succeeds with the same result. In one process, so that thousands are tried in seconds.
 *
 *  Usage: LD_PRELOAD=libfw_inject.so FW_INJECT=rank=alone,call=alloc,path=LIBRARY,nth=0 fw_sweep OPERATION FILE FOLDER
 *  LIBRARY: whose allocations fail; empty: the program's own. Ends 0 when every one was right. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/data/dataset.h"
#include "common/data/table.h"
#include "common/model/checkpoint.h"
#include "common/model/model.h"
#include "common/project/project.h"
#include "proto/command.h"
#include "proto/telemetry.h"

/* Of the preloaded library. */
void fw_inject_arm(unsigned long nth) __attribute__((weak));       /* 0: none fails */
const char *fw_inject_hit(void) __attribute__((weak));             /* the callers of the one that failed; NULL: none did */

#define MOST_ALLOCATIONS 100000
#define OUTPUT_BYTES     ((size_t)1 << 24)

typedef struct place { const char *file; char *output, *previous; } place;
typedef fw_status operation(fw_hasher *result, const place *at, fw_error *err);

static void add_text(fw_hasher *h, const char *s) { fw_hasher_add(h, s != NULL ? s : "(none)", s != NULL ? strlen(s) : 6); }

static fw_status project(fw_hasher *result, const place *at, fw_error *err)
{
    static const char *const words[] = {"train.learning_rate=0.02", "model.hidden=[3, 4]"};
    FW_AUTO(fw_project) *p = NULL, *again = NULL;
    FW_FREE char *resolved = NULL;
    FW_FREE char *data = NULL;
    FW_FREE char *model = NULL;
    FW_TRY(fw_project_load(&p, at->file, words, 2, err));
    FW_TRY(fw_project_set_types(p, (const char *const[]){"topic_gift", "hour"}, (const fw_feature_type[]){FW_FEATURE_NUMBER, FW_FEATURE_NUMBER}, 2, err));
    FW_TRY(fw_project_resolved(&resolved, p, err));
    FW_TRY(fw_project_data_part(&data, p, err));
    FW_TRY(fw_project_model_part(&model, p, err));
    FW_TRY(fw_project_parse(&again, resolved, "resolved", ".", err));
    add_text(result, resolved);
    add_text(result, data);
    add_text(result, model);
    return FW_OK;
}

static fw_status add_file(fw_hasher *result, const char *path, fw_error *err)
{
    FW_FREE char *bytes = NULL;
    size_t len = 0;
    FW_TRY(fw_read_file(&bytes, &len, path, OUTPUT_BYTES, err));
    fw_hasher_add(result, bytes, len);
    return FW_OK;
}

/* Whatever stands at the output is whole, also behind an error. */
static fw_status model(fw_hasher *result, const place *at, fw_error *err)
{
    FW_AUTO(fw_model) *m = NULL;
    FW_TRY(fw_model_load(&m, at->file, err));
    fw_hasher_add(result, m->params, m->net.n_params * sizeof *m->params);
    FW_TRY(fw_model_save(m, at->output, err));
    return add_file(result, at->output, err);
}

static fw_status checkpoint(fw_hasher *result, const place *at, fw_error *err)
{
    FW_AUTO(fw_checkpoint) *c = NULL;
    FW_TRY(fw_checkpoint_open(&c, at->file, err));
    FW_TRY(fw_checkpoint_write(at->output, at->previous, fw_checkpoint_manifest(c), fw_checkpoint_arrays(c), fw_checkpoint_n_arrays(c), err));
    return add_file(result, at->output, err);
}

static void add_block(fw_hasher *result, const fw_block *b)
{
    for (size_t i = 0; i < b->schema->n_columns; i++) {
        const fw_cells *c = &b->cells[i];
        const size_t bytes = fw_column_cell_bytes(&b->schema->columns[i]);
        const void *values = c->number != NULL ? (const void *)c->number : c->code != NULL ? (const void *)c->code : (const void *)c->time_us;
        fw_hasher_add(result, c->missing, b->n_rows);
        if (b->schema->columns[i].type != FW_TEXT && b->schema->columns[i].type != FW_IMAGE) fw_hasher_add(result, values, b->n_rows * bytes);
        if (b->schema->columns[i].type == FW_TEXT) fw_hasher_add(result, c->text_bytes, (size_t)c->text_at[b->n_rows]);
    }
}

static fw_status dataset(fw_hasher *result, const place *at, fw_error *err)
{
    FW_AUTO(fw_dataset) *d = NULL;
    FW_AUTO(fw_block) *block = NULL;
    FW_TRY(fw_dataset_open(&d, at->file, err));
    FW_TRY(fw_dataset_verify(d, err));
    FW_TRY(fw_block_create(&block, fw_dataset_schema(d), 1000, err));
    const size_t n = (size_t)FW_MIN(fw_dataset_rows(d, FW_TRAIN), (uint64_t)1000);
    FW_TRY(fw_dataset_read(d, FW_TRAIN, 0, n, NULL, block, err));
    add_block(result, block);
    add_text(result, fw_dataset_digest(d));
    return FW_OK;
}

static fw_status schema_of(fw_schema **out, fw_table *t, fw_error *err)
{
    static const char *const missing[] = {"", "?"};
    const size_t n = fw_table_n_columns(t);
    FW_AUTO(fw_schema) *s = NULL;
    FW_FREE fw_column_type *types = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&types, n, sizeof *types, "types", err));
    FW_TRY(fw_table_infer(types, t, missing, 2, err));
    FW_TRY(fw_schema_create(&s, n, err));
    for (size_t i = 0; i < n; i++) {
        FW_TRY(fw_copy_text(&s->columns[i].name, fw_table_column_name(t, i), err));
        s->columns[i].type = types[i];
    }
    *out = s;
    s = NULL;
    return FW_OK;
}

static fw_status table(fw_hasher *result, const place *at, fw_error *err)
{
    static const char *const missing[] = {"", "?"};
    const fw_table_spec spec = {.name = (char[]){"t"}, .path = (char *)(uintptr_t)at->file, .header = true, .quote = '"', .trim = true};
    FW_AUTO(fw_table) *t = NULL;
    FW_AUTO(fw_schema) *schema = NULL;
    FW_AUTO(fw_block) *block = NULL;
    FW_FREE int *column_of = NULL;
    uint64_t chunk = 0, n = 0;
    fw_status s;
    FW_TRY(fw_table_open(&t, &spec, "", &fw_reduce_alone, err));
    FW_TRY(schema_of(&schema, t, err));
    FW_TRY(fw_block_create(&block, schema, 1, err));
    FW_TRY(fw_alloc_zeroed((void **)&column_of, schema->n_columns, sizeof *column_of, "columns", err));
    for (size_t i = 0; i < schema->n_columns; i++) column_of[i] = (int)i;
    const fw_table_reading how = {.schema = schema, .column_of = column_of, .missing = missing, .n_missing = 2};
    while ((s = fw_table_read(t, &how, block, &chunk, &n, err)) == FW_OK) add_block(result, block);
    return s == FW_END ? FW_OK : s;
}

static fw_status message(fw_hasher *result, const place *at, fw_error *err)
{
    FW_FREE char *bytes = NULL;
    FW_FREE void *packed = NULL;
    FW_AUTO(fw_answer) *a = NULL;
    size_t len = 0, packed_len = 0;
    FW_TRY(fw_read_file(&bytes, &len, at->file, OUTPUT_BYTES, err));
    FW_TRY(fw_answer_unpack(&a, bytes + 1, len - 1, err));      /* seeds of the fuzzer: the first byte chooses order or answer */
    FW_TRY(fw_answer_pack(&packed, &packed_len, a, err));
    fw_hasher_add(result, packed, packed_len);
    return FW_OK;
}

static fw_status telemetry(fw_hasher *result, const place *at, fw_error *err)
{
    FW_FREE char *bytes = NULL;
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    size_t len = 0;
    FW_TRY(fw_read_file(&bytes, &len, at->file, OUTPUT_BYTES, err));
    FW_TRY(fw_telemetry_decode(&b, NULL, bytes + 1, len - 1, err));
    fw_hasher_add(result, &b->predictions.n_rows, sizeof b->predictions.n_rows);
    return FW_OK;
}

static const struct { const char *name; operation *run; } operations[] = {{"project", project}, {"model", model}, {"checkpoint", checkpoint},
    {"dataset", dataset}, {"table", table}, {"message", message}, {"telemetry", telemetry}};

/* The operation with the nth allocation failing; whether what came of it is right. */
static bool try_one(operation *run, const place *at, unsigned long nth, fw_digest *good)
{
    fw_error err = {0};
    fw_hasher *h = fw_hasher_create(0);
    if (h == NULL) exit(2);
    fw_inject_arm(nth);
    const fw_status s = run(h, at, &err);
    const char *hit = fw_inject_hit();
    fw_inject_arm(0);
    const fw_digest found = fw_hasher_value(h);
    fw_hasher_destroy(&h);
    if (nth == 0) *good = found;
    if (s == FW_OK && fw_digest_equal(found, *good)) return true;
    if (s == FW_ERR_NOMEM && hit != NULL && err.text[0] != '\0') return true;
    printf("allocation %lu fails (%s): %s, %s%s\n", nth, hit != NULL ? hit : "", fw_status_name(s), s == FW_OK ? "another result" : "said: ", err.text);
    fflush(stdout);
    return false;
}

int main(int argc, char **argv)
{
    operation *run = NULL;
    for (size_t i = 0; argc == 4 && i < sizeof operations / sizeof operations[0]; i++)
        if (strcmp(operations[i].name, argv[1]) == 0) run = operations[i].run;
    if (run == NULL || fw_inject_arm == NULL) {
        fprintf(stderr, "usage: LD_PRELOAD=libfw_inject.so fw_sweep OPERATION FILE FOLDER\n");
        return 2;
    }
    place at = {.file = argv[2]};
    fw_digest good;
    unsigned long n = 1, wrong = 0;
    if (fw_path_join(&at.output, argv[3], "output", NULL) != FW_OK || fw_path_join(&at.previous, argv[3], "previous", NULL) != FW_OK) return 2;
    if (!try_one(run, &at, 0, &good)) return 2;
    for (bool hit = true; hit && n < MOST_ALLOCATIONS; n++) {
        wrong += !try_one(run, &at, n, &good);
        hit = fw_inject_hit() != NULL;
    }
    printf("%-10s %6lu allocations failed one at a time: %lu wrong\n", argv[1], n - 2, wrong);
    free(at.output);
    free(at.previous);
    return wrong == 0 ? 0 : 1;
}
