/** A model of each kind, made by hand: for tests of the model file and of what shows models. Include behind cmocka.h. */
#ifndef FW_TESTS_MODEL_FIXTURE_H
#define FW_TESTS_MODEL_FIXTURE_H

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "common/model/model.h"

enum { AGE, COLOUR, NOTE, WHEN, PICTURE, TARGET, N_COLUMNS };
static const char schema_text[] =
    "{\"target\": 5, \"columns\": ["
    "{\"name\": \"age\", \"type\": \"number\", \"inferred\": true}, {\"name\": \"colour\", \"type\": \"category\", \"inferred\": false, "
    "\"categories\": [\"blue\", \"green\", \"red\"]},"
    "{\"name\": \"note\", \"type\": \"text\", \"inferred\": true}, {\"name\": \"when\", \"type\": \"time\", \"inferred\": true},"
    "{\"name\": \"picture\", \"type\": \"image\", \"inferred\": true, \"height\": 2, \"width\": 2, \"channels\": 1},"
    "{\"name\": \"y\", \"type\": \"%s\", \"inferred\": false%s}]}";
static const char pipeline_text[] = "{\"version\": 1, \"width\": 10, \"inputs\": ["
                                    "{\"column\": \"age\", \"transform\": \"number\", \"parameters\": {\"missing\": \"median\", \"fill\": 38.5, "
                                    "\"indicator\": true, \"clip\": null, \"log1p\": false,"
                                    " \"scale\": \"standard\", \"shift\": 40.1, \"divisor\": 12.7}},"
                                    "{\"column\": \"colour\", \"transform\": \"category\", \"parameters\": {\"encoding\": \"one_hot\", \"missing\": "
                                    "\"own\", \"indicator\": false, \"unseen\": \"other\","
                                    " \"dictionary\": 3, \"kept\": [0, 1], \"rare\": [2]}},"
                                    "{\"column\": \"picture\", \"transform\": \"image\", \"parameters\": {\"missing\": \"zero\", \"scale\": "
                                    "\"none\", \"mean\": [], \"divisor\": []}}]}";

static const struct { const char *target_type, *categories; fw_task task; fw_link link; size_t n_out, hidden; } kinds[] = {
    {"category", ", \"categories\": [\"no\", \"yes\"]", FW_TASK_CLASSIFICATION, FW_LINK_SIGMOID, 1, 8},
    {"category", ", \"categories\": [\"a\", \"b\", \"c\"]", FW_TASK_CLASSIFICATION, FW_LINK_SOFTMAX, 3, 0},
    {"number", "", FW_TASK_REGRESSION, FW_LINK_IDENTITY, 1, 17},
};
#define N_KINDS (sizeof kinds / sizeof kinds[0])

static inline fw_block *make_rows(const fw_schema *schema, size_t n)
{
    fw_block *b = NULL;
    assert_int_equal(fw_block_create(&b, schema, n, NULL), FW_OK);
    for (size_t i = 0; i < n; i++) {
        char text[32];
        const int len = snprintf(text, sizeof text, "note %zu", i * i % 1000);
        b->row[i] = 3 * i;
        b->cells[AGE].number[i] = 20.0 + (double)(i * 37 % 50) / 3.0;
        b->cells[COLOUR].code[i] = (int32_t)(i % 3);
        b->cells[WHEN].time_us[i] = (int64_t)i * 1000000007;
        for (size_t p = 0; p < 4; p++) b->cells[PICTURE].pixels[4 * i + p] = (uint8_t)(i * 31 + p * 77);
        assert_int_equal(fw_block_set_text(b, NOTE, i, text, i % 5 == 0 ? 0 : (size_t)len, NULL), FW_OK);
        if (i % 7 == 3) {
            b->cells[AGE].missing[i] = 1;
            b->cells[AGE].number[i] = 0;
        }
        if (i % 11 == 5) {
            b->cells[COLOUR].missing[i] = 1;
            b->cells[COLOUR].code[i] = FW_CODE_MISSING;
        }
    }
    b->n_rows = n;
    return b;
}

static inline char *copy(const char *text)
{
    char *out = NULL;
    assert_int_equal(fw_copy_text(&out, text, NULL), FW_OK);
    return out;
}

static inline fw_model *make_model(size_t kind, unsigned seed)
{
    fw_model *m = NULL;
    fw_error err = {0};
    char text[2000];
    assert_int_equal(fw_model_create(&m, NULL), FW_OK);
    m->name = copy("Grüße"), m->project_yaml = copy("project: example\n"), m->learner = copy("mlp");
    m->dataset_digest = copy("0123456789abcdef0123456789abcdef"), m->program_version = copy("0.1.0");
    m->seed = UINT64_MAX - 5, m->rounds = 3, m->steps = 300, m->train_rows = 1ull << 40;
    m->task = kinds[kind].task;
    if (m->task == FW_TASK_REGRESSION) m->target_mean = 1.0 / 3.0, m->target_scale = 17.123456789;
    m->n_metrics = 2;
    m->metrics = calloc(2, sizeof *m->metrics);
    m->metrics[0] = (fw_named_value){copy("log_loss"), 0.1 + 0.2};
    m->metrics[1] = (fw_named_value){copy("accuracy"), 1.0};
    snprintf(text, sizeof text, schema_text, kinds[kind].target_type, kinds[kind].categories);
    json_t *schema = json_loads(text, 0, NULL), *pipeline = json_loads(pipeline_text, 0, NULL);
    if (fw_schema_from_json(&m->schema, schema, &err) != FW_OK || fw_pipeline_from_json(&m->pipeline, pipeline, m->schema, &err) != FW_OK)
        fail_msg("%s", err.text);
    json_decref(schema);
    json_decref(pipeline);
    assert_int_equal(fw_dense_make(&m->net, fw_pipeline_width(m->pipeline), &kinds[kind].hidden, kinds[kind].hidden > 0, kinds[kind].n_out, FW_TANH,
                                   kinds[kind].link, NULL), FW_OK);
    assert_int_equal(fw_alloc_zeroed((void **)&m->params, m->net.n_params, sizeof *m->params, "weights", NULL), FW_OK);
    for (size_t i = 0; i < m->net.n_params; i++) m->params[i] = sinf((float)(i * 13 + seed));
    m->samples = make_rows(m->schema, FW_MODEL_SAMPLES);
    return m;
}

#endif
