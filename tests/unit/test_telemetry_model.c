/** Model and Summary on the wire: there and back exactly; what breaks their contract is refused, whatever it claims. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/random.h"
#include "common/core/size.h"
#include "proto/telemetry.h"
#include "proto/telemetry.pb-c.h"
#include "tests/unit/reference_fixture.h"

static const char *const CLASSES[] = {"no", "yes"};
#define MODEL_TOPIC   FW_TOPIC_MODEL "m"
#define SUMMARY_TOPIC FW_TOPIC_SUMMARY "m"

/* A whole batch under a topic. */
static void wrap(fw_text *out, const char *topic, const fw_text *packed)
{
    FW_AUTO(fw_telemetry) *t = NULL;
    assert_int_equal(fw_telemetry_create(&t, NULL), FW_OK);
    assert_int_equal(fw_telemetry_wrap(t, out, topic, packed->data, packed->len, 0, NULL), FW_OK);
}

static void model_batch(fw_text *out, const fw_reference *r)
{
    FW_AUTO(fw_text) packed = {0};
    const fw_telemetry_model m = {.name = "m", .digest = "0123", .classes = CLASSES, .n_classes = 2, .reference = r};
    assert_int_equal(fw_telemetry_pack_model(&packed, &m, NULL), FW_OK);
    wrap(out, MODEL_TOPIC, &packed);
}

static void summary_batch(fw_text *out, const fw_telemetry_summary *s)
{
    FW_AUTO(fw_text) packed = {0};
    assert_int_equal(fw_telemetry_pack_summary(&packed, s, NULL), FW_OK);
    wrap(out, SUMMARY_TOPIC, &packed);
}

static void a_model_comes_back(void **state)
{
    (void)state;
    FW_AUTO(fw_reference) *r = make_reference();
    FW_AUTO(fw_text) bytes = {0};
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    model_batch(&bytes, r);
    assert_int_equal(fw_telemetry_decode(&b, MODEL_TOPIC, bytes.data, bytes.len, NULL), FW_OK);
    assert_int_equal(b->kind, FW_TELEMETRY_MODEL);
    assert_string_equal(b->model.name, "m");
    assert_string_equal(b->model.digest, "0123");
    assert_int_equal(b->model.task, FW_TASK_CLASSIFICATION);
    assert_int_equal(b->model.n_classes, 2);
    assert_string_equal(b->model.classes[1], "yes");
    assert_same_reference(b->model.reference, r);
    assert_int_equal(fw_summary_shape(b->model.reference->summary), fw_summary_shape(r->summary));
}

static void the_errors_of_a_regression_come_back(void **state)
{
    (void)state;
    FW_AUTO(fw_reference) *r = make_reference_with_errors();
    FW_AUTO(fw_text) bytes = {0};
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    model_batch(&bytes, r);
    assert_int_equal(fw_telemetry_decode(&b, MODEL_TOPIC, bytes.data, bytes.len, NULL), FW_OK);
    assert_same_reference(b->model.reference, r);
}

static void a_model_without_a_reference_comes_back(void **state)
{
    (void)state;
    FW_AUTO(fw_text) packed = {0};
    FW_AUTO(fw_text) bytes = {0};
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    const fw_telemetry_model m = {.name = "m", .task = FW_TASK_REGRESSION};
    assert_int_equal(fw_telemetry_pack_model(&packed, &m, NULL), FW_OK);
    wrap(&bytes, MODEL_TOPIC, &packed);
    assert_int_equal(fw_telemetry_decode(&b, MODEL_TOPIC, bytes.data, bytes.len, NULL), FW_OK);
    assert_true(b->model.reference == NULL && b->model.task == FW_TASK_REGRESSION && b->model.n_classes == 0);
}

static void a_reference_can_be_taken_out_of_its_batch(void **state)
{
    (void)state;
    FW_AUTO(fw_reference) *r = make_reference();
    FW_AUTO(fw_text) bytes = {0};
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    model_batch(&bytes, r);
    assert_int_equal(fw_telemetry_decode(&b, NULL, bytes.data, bytes.len, NULL), FW_OK);
    FW_AUTO(fw_reference) *mine = (fw_reference *)(uintptr_t)b->model.reference;
    b->model.reference = NULL;
    fw_telemetry_batch_destroy(&b);
    assert_same_reference(mine, r);
}

static void the_outputs_alone_can_be_told(void **state)
{
    (void)state;
    FW_AUTO(fw_reference) *r = make_reference();
    FW_AUTO(fw_reference) *outputs = NULL;
    FW_AUTO(fw_text) bytes = {0};
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    assert_int_equal(fw_reference_outputs(&outputs, r, NULL), FW_OK);
    model_batch(&bytes, outputs);
    assert_null(memmem(bytes.data, bytes.len, "age", 3));
    assert_null(memmem(bytes.data, bytes.len, "colour", 6));
    assert_int_equal(fw_telemetry_decode(&b, MODEL_TOPIC, bytes.data, bytes.len, NULL), FW_OK);
    const fw_reference *told = b->model.reference;
    assert_int_equal(told->n_features, 0);
    assert_int_equal(fw_summary_n(told->summary), REFERENCE_COLUMNS - REFERENCE_FEATURES);
    for (size_t i = 0; i < fw_summary_n(told->summary); i++) {
        const size_t bytes_of = fw_bins_counts(fw_summary_bins(told->summary, i)) * sizeof(uint64_t);
        assert_true(fw_bins_same(fw_summary_bins(told->summary, i), fw_summary_bins(r->summary, REFERENCE_FEATURES + i)));
        assert_memory_equal(fw_summary_counts(told->summary, i), fw_summary_counts(r->summary, REFERENCE_FEATURES + i), bytes_of);
        assert_memory_equal(fw_reference_hits(told, i), fw_reference_hits(r, REFERENCE_FEATURES + i), bytes_of);
    }
    assert_int_equal(told->n_metrics, r->n_metrics);
}

static const uint64_t COUNTS[] = {3, 0, 7, UINT64_C(1) << 40};
static const fw_times TIMES = {.count = {[0] = 1, [79] = 9, [FW_TIMES_N - 1] = UINT64_C(1) << 40}};
static fw_telemetry_summary summary(void)
{
    return (fw_telemetry_summary){.model = "m", .digest = "0123", .shape = UINT64_MAX - 3, .window = 9, .rows = (UINT64_C(1) << 40) + 10, .from_us = 5, .to_us = 6,
                                  .count = COUNTS, .n = 4, .latency = TIMES.count, .n_latency = FW_TIMES_N};
}

static void a_summary_comes_back(void **state)
{
    (void)state;
    const fw_telemetry_summary s = summary();
    FW_AUTO(fw_text) bytes = {0};
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    summary_batch(&bytes, &s);
    assert_int_equal(fw_telemetry_decode(&b, SUMMARY_TOPIC, bytes.data, bytes.len, NULL), FW_OK);
    const fw_telemetry_summary *back = &b->summary;
    assert_true(b->kind == FW_TELEMETRY_SUMMARY && back->shape == s.shape && back->window == 9 && back->rows == s.rows && back->from_us == 5 && back->to_us == 6);
    assert_int_equal(back->n, 4);
    assert_memory_equal(back->count, COUNTS, sizeof COUNTS);
    assert_int_equal(back->n_latency, FW_TIMES_N);
    assert_memory_equal(back->latency, TIMES.count, sizeof TIMES);
}

/** As publishers did that knew nothing of times. */
static void a_summary_without_times_comes_back(void **state)
{
    (void)state;
    fw_telemetry_summary s = summary();
    s.n_latency = 0;
    FW_AUTO(fw_text) bytes = {0};
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    summary_batch(&bytes, &s);
    assert_int_equal(fw_telemetry_decode(&b, SUMMARY_TOPIC, bytes.data, bytes.len, NULL), FW_OK);
    assert_true(b->summary.n == 4 && b->summary.n_latency == 0);
}

/** Counts of one byte and of several, in every place of a group and behind the last whole one: the bytes are those that protobuf-c packs. */
static void summaries_are_packed_as_protobuf_does(void **state)
{
    (void)state;
    uint64_t count[37];
    for (uint32_t round = 0; round < 400; round++) {
        const size_t n = round % 38;
        for (uint32_t i = 0; i < n; i++) {
            const fw_philox r = fw_random(21, FW_RANDOM_TEST, round, i, 0);
            count[i] = r.word[0] % 8 == 0 ? (UINT64_C(1) << r.word[1] % 50) - r.word[2] % 2 : r.word[1] % 128;
        }
        fw_telemetry_summary s = summary();
        s.count = count;
        s.n = n;
        FW_AUTO(fw_text) packed = {0};
        assert_int_equal(fw_telemetry_pack_summary(&packed, &s, NULL), FW_OK);
        Flywheel__Summary *m = flywheel__summary__unpack(NULL, packed.len, (const uint8_t *)packed.data);
        assert_non_null(m);
        assert_int_equal(m->n_counts, n);
        if (n > 0) assert_memory_equal(m->counts, count, n * sizeof *count);
        FW_FREE uint8_t *theirs = malloc(flywheel__summary__get_packed_size(m));
        assert_non_null(theirs);
        assert_int_equal(flywheel__summary__pack(m, theirs), packed.len);
        assert_memory_equal(theirs, packed.data, packed.len);
        flywheel__summary__free_unpacked(m, NULL);
    }
}

static void the_encoder_refuses_what_the_decoder_would(void **state)
{
    (void)state;
    FW_AUTO(fw_text) out = {0};
    fw_text_add(&out, "before");
    for (int i = 0; i < 9; i++) {
        fw_telemetry_summary s = summary();
        fw_status expected = FW_ERR_ARG;
        switch (i) {
        case 0: s.model = ""; break;
        case 1: s.model = NULL; break;
        case 2: s.window = 0; break;
        case 3: s.rows = FW_TELEMETRY_MAX_TOTAL + 1; break;
        case 4: s.n = FW_TELEMETRY_MAX_COUNTS + 1; break;
        case 5: s.n_latency = FW_TIMES_N - 1; break;
        case 6: s.n_latency = FW_TIMES_N + 1; break;
        case 7: s.model = "\xff", expected = FW_ERR_DATA; break;
        default: s.digest = "\xc3(", expected = FW_ERR_DATA; break;
        }
        assert_int_equal(fw_telemetry_pack_summary(&out, &s, NULL), expected);
    }
    const char *const bad[] = {"yes", "\xff"};
    const fw_telemetry_model models[] = {{.name = ""}, {.name = NULL}, {.name = "m", .n_classes = FW_TELEMETRY_MAX_CLASSES + 1}, {.name = "m", .classes = bad, .n_classes = 2}};
    for (size_t i = 0; i < 4; i++) assert_int_equal(fw_telemetry_pack_model(&out, &models[i], NULL), i < 3 ? FW_ERR_ARG : FW_ERR_DATA);
    assert_string_equal(out.data, "before");
}

/* ---- lies, told through the generated types ------------------------------------------------------------------------------------------------ */

typedef void (*lie)(Flywheel__TelemetryBatch *b);
static uint64_t big[3], ones[] = {1, 1, 1, 1}, many_times[FW_TIMES_N + 1];
static char *none[] = {(char *)(uintptr_t)"a", (char *)(uintptr_t)"a"};

static void no_name(Flywheel__TelemetryBatch *b) { b->model->name[0] = '\0'; }
static void no_utf8(Flywheel__TelemetryBatch *b) { b->model->digest[0] = '\xff'; }
static void no_task(Flywheel__TelemetryBatch *b) { b->model->task = (Flywheel__Task)5; }
static void a_kind(Flywheel__TelemetryBatch *b) { b->model->columns[0]->kind = (Flywheel__Column__Kind)77; }
static void a_cut(Flywheel__TelemetryBatch *b) { b->model->columns[0]->cuts[1] = (double)NAN; }
static void a_centre(Flywheel__TelemetryBatch *b) { b->model->columns[0]->centres[0] = (double)INFINITY; }
static void fewer_centres(Flywheel__TelemetryBatch *b) { b->model->columns[0]->n_centres--; }
static void no_cuts(Flywheel__TelemetryBatch *b) { b->model->columns[0]->n_cuts = 0; }
static void both(Flywheel__TelemetryBatch *b) { b->model->columns[0]->n_labels = 2, b->model->columns[0]->labels = none; }
static void labels_twice(Flywheel__TelemetryBatch *b) { b->model->columns[1]->labels = none; }
static void fewer_counts(Flywheel__TelemetryBatch *b) { b->model->columns[1]->n_counts--; }
static void a_count(Flywheel__TelemetryBatch *b) { b->model->columns[0]->counts[1] = UINT64_C(1) << 40; }
static void all_counts(Flywheel__TelemetryBatch *b) { b->model->columns[0]->counts[0] = b->model->columns[0]->counts[1] = UINT64_MAX / 2; }
static void a_hit(Flywheel__TelemetryBatch *b) { b->model->columns[4]->hits[0] = UINT64_C(1) << 40; }
static void fewer_hits(Flywheel__TelemetryBatch *b) { b->model->columns[4]->n_hits = 1; }
static void hits_of_a_feature(Flywheel__TelemetryBatch *b) { b->model->columns[0]->n_hits = 4, b->model->columns[0]->hits = ones; }
static void more_features(Flywheel__TelemetryBatch *b) { b->model->features = 4000000000u; }
static void a_metric(Flywheel__TelemetryBatch *b) { b->model->metrics[0]->mean = (double)NAN; }
static void no_chunks(Flywheel__TelemetryBatch *b) { b->model->chunks = 0; }
static void a_split(Flywheel__TelemetryBatch *b) { b->model->split[0] = '\xc3'; }
static void an_output(Flywheel__TelemetryBatch *b) { b->model->columns[3]->name[0] = 'C'; }

static void rows_2_64(Flywheel__TelemetryBatch *b) { b->summary->rows = UINT64_MAX; }
static void window_0(Flywheel__TelemetryBatch *b) { b->summary->window = 0; }
static void goes_back(Flywheel__TelemetryBatch *b) { b->summary->to_us = 4; }
static void before_1970(Flywheel__TelemetryBatch *b) { b->summary->from_us = -1; }
static void after_9999(Flywheel__TelemetryBatch *b) { b->summary->to_us = INT64_MAX; }
static void counts_2_40(Flywheel__TelemetryBatch *b) { big[1] = UINT64_C(1) << 41, b->summary->counts = big, b->summary->n_counts = 3; }

static void fewer_times(Flywheel__TelemetryBatch *b) { b->summary->n_latency--; }
static void more_times(Flywheel__TelemetryBatch *b) { b->summary->latency = many_times, b->summary->n_latency = FW_TIMES_N + 1; }

static fw_status tell(Flywheel__TelemetryBatch *b, lie change, const char *topic)
{
    Flywheel__TelemetryBatch honest = *b;
    Flywheel__Model model = b->model != NULL ? *b->model : (Flywheel__Model)FLYWHEEL__MODEL__INIT;
    Flywheel__Column column[REFERENCE_COLUMNS];
    for (size_t i = 0; b->body_case == FLYWHEEL__TELEMETRY_BATCH__BODY_MODEL && i < REFERENCE_COLUMNS; i++) column[i] = *model.columns[i];
    change(b);
    const size_t len = flywheel__telemetry_batch__get_packed_size(b);
    uint8_t *bytes = malloc(len);
    flywheel__telemetry_batch__pack(b, bytes);
    fw_telemetry_batch *back = NULL;
    fw_error err = {0};
    const fw_status s = fw_telemetry_decode(&back, topic, bytes, len, &err);
    assert_true((back == NULL) == (s != FW_OK) && (s == FW_OK || err.status == s));
    fw_telemetry_batch_destroy(&back);
    free(bytes);
    for (size_t i = 0; honest.body_case == FLYWHEEL__TELEMETRY_BATCH__BODY_MODEL && i < REFERENCE_COLUMNS; i++) {      /* arrays that were exchanged are not freed */
        b->model->columns[i]->labels = column[i].labels, b->model->columns[i]->n_labels = column[i].n_labels;
        b->model->columns[i]->hits = column[i].hits, b->model->columns[i]->n_hits = column[i].n_hits;
    }
    return s;
}

static void every_lie_of_a_model_is_refused(void **state)
{
    (void)state;
    static const lie lies[] = {no_name, no_utf8, no_task, a_kind, a_cut, a_centre, fewer_centres, no_cuts, both, labels_twice, fewer_counts, a_count, all_counts,
                               a_hit, fewer_hits, hits_of_a_feature, more_features, a_metric, no_chunks, a_split, an_output};
    FW_AUTO(fw_reference) *r = make_reference();
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        FW_AUTO(fw_text) bytes = {0};
        model_batch(&bytes, r);
        Flywheel__TelemetryBatch *b = flywheel__telemetry_batch__unpack(NULL, bytes.len, (const uint8_t *)bytes.data);
        const fw_status s = tell(b, lies[i], MODEL_TOPIC);
        flywheel__telemetry_batch__free_unpacked(b, NULL);
        if (s != FW_ERR_FORMAT) fail_msg("lie %zu of a model: %s", i, fw_status_name(s));
    }
}

static void every_lie_of_a_summary_is_refused(void **state)
{
    (void)state;
    static const lie lies[] = {rows_2_64, window_0, goes_back, before_1970, after_9999, counts_2_40, fewer_times, more_times};
    const fw_telemetry_summary honest = summary();
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) {
        FW_AUTO(fw_text) bytes = {0};
        summary_batch(&bytes, &honest);
        Flywheel__TelemetryBatch *b = flywheel__telemetry_batch__unpack(NULL, bytes.len, (const uint8_t *)bytes.data);
        uint64_t *counts = b->summary->counts, *latency = b->summary->latency;
        const fw_status s = tell(b, lies[i], SUMMARY_TOPIC);
        b->summary->counts = counts;
        b->summary->latency = latency;
        flywheel__telemetry_batch__free_unpacked(b, NULL);
        if (s != FW_ERR_FORMAT) fail_msg("lie %zu of a summary: %s", i, fw_status_name(s));
    }
}

static void a_body_under_another_topic_is_refused(void **state)
{
    (void)state;
    const fw_telemetry_summary s = summary();
    FW_AUTO(fw_text) bytes = {0};
    fw_telemetry_batch *b = NULL;
    summary_batch(&bytes, &s);
    static const char *const topics[] = {FW_TOPIC_MODEL "m", FW_TOPIC_PREDICTION "m", FW_TOPIC_PROGRESS "m", FW_TOPIC_SUMMARY, "summary"};
    for (size_t i = 0; i < sizeof topics / sizeof *topics; i++) assert_int_equal(fw_telemetry_decode(&b, topics[i], bytes.data, bytes.len, NULL), FW_ERR_FORMAT);
    assert_null(b);
}

static void damaged_ones_are_refused_or_still_sound(void **state)
{
    (void)state;
    FW_AUTO(fw_reference) *r = make_reference();
    FW_AUTO(fw_text) bytes = {0};
    model_batch(&bytes, r);
    for (uint64_t trial = 0; trial < 20000; trial++) {
        const fw_philox draw = fw_random(1, FW_RANDOM_TEST, 0, trial, 0);
        const size_t len = draw.word[0] % 4 == 0 ? draw.word[1] % bytes.len : bytes.len;
        char *damaged = malloc(len + 1);
        memcpy(damaged, bytes.data, len);
        if (len > 0) damaged[draw.word[2] % len] = (char)(unsigned char)draw.word[3];
        FW_AUTO(fw_telemetry_batch) *b = NULL;
        const fw_status s = fw_telemetry_decode(&b, NULL, damaged, len, NULL);
        free(damaged);
        assert_true(s == FW_OK || s == FW_ERR_FORMAT);
        if (b != NULL && b->kind == FW_TELEMETRY_MODEL && b->model.reference != NULL) assert_int_equal(fw_reference_check(b->model.reference, NULL), FW_OK);
    }
}

/* ---- raw values of rows --------------------------------------------------------------------------------------------------------------------- */

static const fw_raw VALUES[] = {{.kind = FW_RAW_NUMBER, .number = 0.1}, {.kind = FW_RAW_TEXT, .text = "blue"}, {.kind = FW_RAW_MISSING},
                                  {.kind = FW_RAW_UNSEEN}, {.kind = FW_RAW_NUMBER, .number = -0.0}, {.kind = FW_RAW_TEXT, .text = ""}};

static void values_of_rows_come_back(void **state)
{
    (void)state;
    FW_AUTO(fw_text) packed = {0};
    FW_AUTO(fw_text) bytes = {0};
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    const fw_told_rows rows = {.n = 3, .row = (const uint64_t[]){1, 2, 3}, .value = (const double[]){2, 0, 0}, .feature = VALUES, .n_features = 2};
    assert_int_equal(fw_telemetry_pack_rows(&packed, "m", "d", NULL, 0, &rows, NULL), FW_OK);
    wrap(&bytes, FW_TOPIC_PREDICTION "m", &packed);
    assert_int_equal(fw_telemetry_decode(&b, FW_TOPIC_PREDICTION "m", bytes.data, bytes.len, NULL), FW_OK);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(b->predictions.rows[i].n_features, 2);
        for (size_t k = 0; k < 2; k++) {
            const fw_raw *v = &b->predictions.rows[i].features[k], *want = &VALUES[2 * i + k];
            assert_true(v->kind == want->kind && v->number == want->number && strcmp(v->text, want->text != NULL ? want->text : "") == 0);
        }
    }
}

static void values_that_are_none_are_refused(void **state)
{
    (void)state;
    static const fw_raw bad[] = {{.kind = FW_RAW_NUMBER, .number = (double)NAN}, {.kind = FW_RAW_TEXT, .text = "\xff"}};
    const fw_status expected[] = {FW_ERR_NUMERIC, FW_ERR_DATA, FW_ERR_ARG};
    FW_AUTO(fw_text) packed = {0};
    FW_FREE fw_raw *many = calloc(FW_REFERENCE_MAX_FEATURES + 1, sizeof *many);
    for (size_t i = 0; i < 3; i++) {
        const fw_told_rows row = {.n = 1, .row = (const uint64_t[]){1}, .value = (const double[]){2}, .feature = i < 2 ? &bad[i] : many, .n_features = i < 2 ? 1 : FW_REFERENCE_MAX_FEATURES + 1};
        assert_int_equal(fw_telemetry_pack_rows(&packed, "m", "d", NULL, 0, &row, NULL), expected[i]);
    }
#define ROW "\x0a\x01m\x28\x01\x62\x08\0\0\0\0\0\0\0\0"       /* 15 bytes: a model, a row, its value */
    static const char nan_number[] = "\x18\x01\x52\x1a" ROW "\x6a\x09\x09\0\0\0\0\0\0\xf8\x7f";
    static const char bad_text[] = "\x18\x01\x52\x14" ROW "\x6a\x03\x12\x01\xff";
    fw_telemetry_batch *b = NULL;
    fw_error err = {0};
    assert_int_equal(fw_telemetry_decode(&b, NULL, nan_number, sizeof nan_number - 1, &err), FW_ERR_FORMAT);
    assert_non_null(strstr(err.text, "not finite"));
    assert_int_equal(fw_telemetry_decode(&b, NULL, bad_text, sizeof bad_text - 1, &err), FW_ERR_FORMAT);
    assert_non_null(strstr(err.text, "UTF-8"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_comes_back),
        cmocka_unit_test(the_errors_of_a_regression_come_back),
        cmocka_unit_test(a_model_without_a_reference_comes_back),
        cmocka_unit_test(a_reference_can_be_taken_out_of_its_batch),
        cmocka_unit_test(the_outputs_alone_can_be_told),
        cmocka_unit_test(a_summary_comes_back),
        cmocka_unit_test(a_summary_without_times_comes_back),
        cmocka_unit_test(summaries_are_packed_as_protobuf_does),
        cmocka_unit_test(the_encoder_refuses_what_the_decoder_would),
        cmocka_unit_test(every_lie_of_a_model_is_refused),
        cmocka_unit_test(every_lie_of_a_summary_is_refused),
        cmocka_unit_test(a_body_under_another_topic_is_refused),
        cmocka_unit_test(damaged_ones_are_refused_or_still_sound),
        cmocka_unit_test(values_of_rows_come_back),
        cmocka_unit_test(values_that_are_none_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
