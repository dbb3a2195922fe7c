/** Small schemas, blocks and fits for the tests of transforms and of the pipeline. Include behind cmocka.h. */
#ifndef FW_TESTS_PIPELINE_ROWS_H
#define FW_TESTS_PIPELINE_ROWS_H

#include <math.h>
#include <string.h>

#include "common/core/size.h"
#include "common/features/pipeline.h"

#define GAP NAN      /* a missing number in a table of numbers */
#define MISSING(policy) .has_missing = true, .missing = policy
#define SCALE(kind) .has_scale = true, .scale = kind
enum { MAX_ROWS = 1200, MAX_WIDTH = 64 };

static inline void column(fw_schema *s, size_t i, const char *name, fw_column_type type)
{
    assert_int_equal(fw_copy_text(&s->columns[i].name, name, NULL), FW_OK);
    s->columns[i].type = type;
    if (type == FW_CATEGORY) assert_int_equal(fw_dict_create(&s->columns[i].dict, NULL), FW_OK);
    if (type == FW_IMAGE) s->columns[i].height = 2, s->columns[i].width = 3, s->columns[i].channels = 1;
}

static inline void words(fw_schema *s, size_t i, const char *const *text)
{
    int32_t code;
    for (; *text != NULL; text++) assert_int_equal(fw_dict_add(&code, s->columns[i].dict, *text, strlen(*text), NULL), FW_OK);
}

static inline fw_schema *schema_of(const char *name, fw_column_type type)
{
    fw_schema *s = NULL;
    assert_int_equal(fw_schema_create(&s, 1, NULL), FW_OK);
    column(s, 0, name, type);
    return s;
}

static inline fw_block *block_of(const fw_schema *s, size_t n)
{
    fw_block *b = NULL;
    assert_int_equal(fw_block_create(&b, s, n + 1, NULL), FW_OK);
    b->n_rows = n;
    for (size_t i = 0; i < n; i++) b->row[i] = 100 + i;
    return b;
}

static inline fw_status read_block(void *context, uint64_t first, size_t n, const bool *wanted, fw_block *block, fw_error *err)
{
    (void)wanted;
    fw_block_clear(block);
    return fw_block_append(block, context, (size_t)first, n, err);
}

static inline fw_status plan(fw_pipeline **p, const fw_feature_spec *spec, size_t n, const fw_schema *s, char **notes, fw_error *err)
{
    fw_project project = {.features = {.v = (fw_feature_spec *)spec, .n = n}, .features_all = n == 0};
    return fw_pipeline_plan(p, &project, s, notes, err);
}

#endif
