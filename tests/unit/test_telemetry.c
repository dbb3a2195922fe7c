/** Telemetry: what was encoded is decoded to the same, by this decoder; what breaks the contract is refused, whatever the bytes. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <cmocka.h>

#include "common/core/clock.h"
#include "common/core/random.h"
#include "common/core/size.h"
#include "proto/telemetry.h"

#define TOPIC FW_TOPIC_PREDICTION "adult"

static const char *const classes[] = {"<=50K", ">50K", "n\xc3\xa4"};
static const float probabilities[] = {0.25f, 0.5f, 0.25f, 1.0f, -0.0f, FLT_MIN, 0.0f, 0.0f, 0.75f};
static const uint64_t numbers[] = {0, UINT64_MAX, 7};
static const uint32_t labels[] = {1, 0, 2};
static const char *const ids[] = {"a", "", NULL};
static const fw_told_rows rows = {.n = 3, .row = numbers, .id = ids, .label = labels, .probability = probabilities};

static fw_telemetry *publisher(void)
{
    fw_telemetry *t = NULL;
    assert_int_equal(fw_telemetry_create(&t, NULL), FW_OK);
    return t;
}

static fw_telemetry_batch *decode(const char *topic, const fw_text *bytes)
{
    fw_telemetry_batch *b = NULL;
    fw_error err = {0};
    if (fw_telemetry_decode(&b, topic, bytes->data, bytes->len, &err) != FW_OK) fail_msg("%s", err.text);
    return b;
}

static void wrap_rows(fw_telemetry *t, fw_text *out, const fw_told_rows *v, const char *const *names, size_t n_names)
{
    FW_AUTO(fw_text) packed = {0};
    assert_int_equal(fw_telemetry_pack_rows(&packed, "adult", "d1", names, n_names, v, NULL), FW_OK);
    assert_int_equal(fw_telemetry_wrap(t, out, TOPIC, packed.data, packed.len, v->n, NULL), FW_OK);
}

static void predictions_come_back_bit_for_bit(void **state)
{
    (void)state;
    FW_AUTO(fw_telemetry) *t = publisher();
    FW_AUTO(fw_text) out = {0};
    int64_t before = fw_utc_now_us();
    wrap_rows(t, &out, &rows, classes, 3);
    FW_AUTO(fw_telemetry_batch) *b = decode(TOPIC, &out);
    assert_true(b->time_us >= before && b->time_us <= fw_utc_now_us());
    assert_int_equal(b->kind, FW_TELEMETRY_PREDICTIONS);
    assert_string_equal(b->predictions.model, "adult");
    assert_string_equal(b->predictions.digest, "d1");
    assert_int_equal(b->predictions.n_classes, 3);
    for (size_t i = 0; i < 3; i++) assert_string_equal(b->predictions.classes[i], classes[i]);
    assert_int_equal(b->predictions.n_rows, 3);
    for (size_t i = 0; i < 3; i++) {
        const fw_prediction *got = &b->predictions.rows[i];
        assert_true(got->row == numbers[i]);
        assert_string_equal(got->id, ids[i] != NULL ? ids[i] : "");
        assert_int_equal(got->label, labels[i]);
        assert_int_equal(got->n_probabilities, 3);
        assert_memory_equal(got->probabilities, probabilities + 3 * i, 3 * sizeof(float));
        assert_true(got->confidence == probabilities[3 * i + labels[i]] && got->value == 0);      /* it was not told: the probability has it */
    }
}

static void rows_that_follow_each_other_are_told_by_the_first(void **state)
{
    (void)state;
    FW_AUTO(fw_telemetry) *t = publisher();
    FW_AUTO(fw_text) out = {0};
    FW_AUTO(fw_text) apart = {0};
    static const uint64_t row[] = {41, 42, 43};
    static const float confidence[] = {0.5f, 0.75f, 1.0f};
    const fw_told_rows v = {.n = 3, .row = row, .label = labels, .confidence = confidence}, other = {.n = 3, .row = numbers, .label = labels, .confidence = confidence};
    wrap_rows(t, &out, &v, classes, 3);
    wrap_rows(t, &apart, &other, classes, 3);
    assert_true(out.len + 10 <= apart.len);
    FW_AUTO(fw_telemetry_batch) *b = decode(TOPIC, &out);
    for (size_t i = 0; i < 3; i++) {
        const fw_prediction *got = &b->predictions.rows[i];
        assert_true(got->row == row[i] && got->label == labels[i] && got->confidence == confidence[i] && got->n_probabilities == 0);
        assert_string_equal(got->id, "");
    }
}

static void regression_has_a_value_and_no_classes(void **state)
{
    (void)state;
    FW_AUTO(fw_telemetry) *t = publisher();
    FW_AUTO(fw_text) out = {0};
    static const double value[] = {-2.5e-300};
    wrap_rows(t, &out, &(fw_told_rows){.n = 1, .row = numbers, .value = value}, NULL, 0);
    FW_AUTO(fw_telemetry_batch) *b = decode(TOPIC, &out);
    assert_int_equal(b->predictions.n_classes, 0);
    assert_true(b->predictions.rows[0].value == -2.5e-300);
}

static void progress_comes_back(void **state)
{
    (void)state;
    FW_AUTO(fw_telemetry) *t = publisher();
    FW_AUTO(fw_text) out = {0};
    const fw_named_number values[] = {{"auc", 0.75}, {"undefined", NAN}, {"log_loss", 0.125}};
    fw_progress p = {.project = "p", .run = "r", .event = "round", .round = 3, .step = 300, .rows = 1 << 20, .rows_per_s = 1.5e6, .train_loss = 0.25,
                     .validation = values, .n_validation = 3, .ranks = 4};
    assert_int_equal(fw_telemetry_progress(t, &out, FW_TOPIC_PROGRESS "p", &p, NULL), FW_OK);
    FW_AUTO(fw_telemetry_batch) *b = decode(FW_TOPIC_PROGRESS "p", &out);
    assert_int_equal(b->kind, FW_TELEMETRY_PROGRESS);
    assert_string_equal(b->progress.event, "round");
    assert_int_equal(b->progress.step, 300);
    assert_int_equal(b->progress.ranks, 4);
    assert_true(b->progress.train_loss == 0.25 && b->progress.rows_per_s == 1.5e6);
    assert_int_equal(b->progress.n_validation, 2);      /* what is not finite is absent */
    assert_string_equal(b->progress.validation[1].name, "log_loss");
    assert_true(b->progress.validation[1].value == 0.125);

    p.train_loss = INFINITY;
    assert_int_equal(fw_telemetry_progress(t, &out, FW_TOPIC_PROGRESS "p", &p, NULL), FW_ERR_NUMERIC);
}

static void an_alert_comes_back(void **state)
{
    (void)state;
    static const char *const features[] = {"age", "n\xc3\xa4"};
    FW_AUTO(fw_telemetry) *t = publisher();
    FW_AUTO(fw_text) out = {0};
    fw_alert a = {.number = 3, .id = "3-raised-6", .event_us = 7, .event = "raised", .kind = "drift", .model = "adult", .subject = "age", .text = "age has drifted", .since_us = 5, .raised_us = 6,
                  .level = 0.5, .threshold = 0.25, .certainty = 0.999, .features = features, .n_features = 2};
    assert_int_equal(fw_telemetry_alert(t, &out, FW_TOPIC_ALERT "adult", &a, NULL), FW_OK);
    FW_AUTO(fw_telemetry_batch) *b = decode(FW_TOPIC_ALERT "adult", &out);
    assert_int_equal(b->kind, FW_TELEMETRY_ALERT);
    assert_int_equal(b->alert.number, 3);
    assert_string_equal(b->alert.event, "raised");
    assert_string_equal(b->alert.subject, "age");
    assert_string_equal(b->alert.digest, "");
    assert_string_equal(b->alert.features[1], "n\xc3\xa4");
    assert_true(b->alert.level == 0.5 && b->alert.threshold == 0.25 && b->alert.certainty == 0.999);
    assert_string_equal(b->alert.id, "3-raised-6");
    assert_int_equal(b->alert.since_us + b->alert.raised_us + b->alert.event_us, 18);
    a.level = NAN;
    assert_int_equal(fw_telemetry_alert(t, &out, FW_TOPIC_ALERT "adult", &a, NULL), FW_ERR_NUMERIC);
    a.level = 0;
    a.n_features = FW_TELEMETRY_MAX_VALUES + 1;
    assert_int_equal(fw_telemetry_alert(t, &out, FW_TOPIC_ALERT "adult", &a, NULL), FW_ERR_ARG);
}

static void each_topic_ends_with_its_counts(void **state)
{
    (void)state;
    FW_AUTO(fw_telemetry) *t = publisher();
    FW_AUTO(fw_text) out = {0};
    fw_progress p = {.event = "start"};
    for (uint64_t i = 1; i <= 3; i++) {
        fw_told_rows some = rows;
        some.n = i;
        wrap_rows(t, &out, &some, classes, 3);
        FW_AUTO(fw_telemetry_batch) *b = decode(TOPIC, &out);
        assert_int_equal(b->predictions.n_rows, i);
        assert_int_equal(fw_telemetry_progress(t, &out, FW_TOPIC_PROGRESS "p", &p, NULL), FW_OK);
        assert_int_equal(fw_telemetry_wrap(t, &out, "adult", "", 0, 1, NULL), FW_ERR_ARG);      /* is not counted */
    }
    assert_int_equal(fw_telemetry_end(t, &out, TOPIC, NULL), FW_OK);
    FW_AUTO(fw_telemetry_batch) *end = decode(TOPIC, &out);
    assert_int_equal(end->kind, FW_TELEMETRY_END);
    assert_int_equal(end->end.batches, 3);
    assert_int_equal(end->end.rows, 6);
}

static void the_encoder_refuses_what_the_decoder_would(void **state)
{
    (void)state;
    static char long_text[FW_TELEMETRY_MAX_TEXT + 2];
    memset(long_text, 'x', sizeof long_text - 1);
    static const float bad[] = {0.5f, NAN, 0.5f}, endless = INFINITY;
    static const double no_value = NAN;
    static const uint32_t beyond = 3;
    static const char *const no_text = "\xff", *const too_long = long_text;
#define ROW .n = 1, .row = numbers
    const struct { fw_told_rows rows; const char *model; size_t n_classes; fw_status status; } table[] = {
        {{ROW, .label = &beyond, .probability = probabilities}, "m", 3, FW_ERR_ARG},
        {{ROW, .label = labels}, "m", 3, FW_ERR_ARG},
        {{ROW, .probability = probabilities}, "m", 3, FW_ERR_ARG},
        {{ROW, .label = labels, .probability = probabilities, .value = &no_value}, "m", 3, FW_ERR_ARG},
        {{ROW, .label = labels, .value = &no_value}, "m", 0, FW_ERR_ARG},
        {{ROW}, "m", 0, FW_ERR_ARG},
        {{.n = 0, .row = numbers, .label = labels, .probability = probabilities}, "m", 3, FW_ERR_ARG},
        {{ROW, .label = labels, .probability = bad}, "m", 3, FW_ERR_NUMERIC},
        {{ROW, .label = labels, .confidence = &endless}, "m", 3, FW_ERR_NUMERIC},
        {{ROW, .value = &no_value}, "m", 0, FW_ERR_NUMERIC},
        {{ROW, .id = &no_text, .label = labels, .probability = probabilities}, "m", 3, FW_ERR_DATA},
        {{ROW, .id = &too_long, .label = labels, .probability = probabilities}, "m", 3, FW_ERR_DATA},
        {{ROW, .label = labels, .probability = probabilities}, "", 3, FW_ERR_ARG},
        {{ROW, .label = labels, .probability = probabilities}, long_text, 3, FW_ERR_DATA},
        {{ROW, .label = labels, .probability = probabilities}, "m", FW_TELEMETRY_MAX_CLASSES + 1, FW_ERR_ARG},
        {{.n = FW_TELEMETRY_MAX_ROWS + 1, .row = numbers, .label = labels, .probability = probabilities}, "m", 3, FW_ERR_ARG},
    };
#undef ROW
    FW_AUTO(fw_text) out = {0};
    fw_text_add(&out, "kept");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        fw_status status = fw_telemetry_pack_rows(&out, table[i].model, "", classes, table[i].n_classes, &table[i].rows, NULL);
        if (status != table[i].status) fail_msg("row %zu: %s", i, fw_status_name(status));
        assert_string_equal(out.data, "kept");
    }
}

static void a_batch_over_16_mib_is_refused_and_leaves_the_text_as_it_was(void **state)
{
    (void)state;
    enum { N = 4200 };
    static char id[FW_TELEMETRY_MAX_TEXT + 1];
    memset(id, 'i', sizeof id - 1);
    static uint64_t row[N];
    static double value[N];
    static const char *many[N];
    for (size_t i = 0; i < N; i++) many[i] = id;
    FW_AUTO(fw_text) out = {0};
    fw_text_add(&out, "kept");
    assert_int_equal(fw_telemetry_pack_rows(&out, "m", "", NULL, 0, &(fw_told_rows){.n = N, .row = row, .id = many, .value = value}, NULL), FW_ERR_ARG);
    assert_string_equal(out.data, "kept");
}

static void a_full_batch_is_accepted(void **state)
{
    (void)state;
    FW_AUTO(fw_telemetry) *t = publisher();
    static uint64_t row[FW_TELEMETRY_MAX_ROWS];
    static uint32_t label[FW_TELEMETRY_MAX_ROWS];
    static float confidence[FW_TELEMETRY_MAX_ROWS];
    for (size_t i = 0; i < FW_TELEMETRY_MAX_ROWS; i++) row[i] = i, label[i] = i % 2, confidence[i] = 0.5f;
    FW_AUTO(fw_text) out = {0};
    wrap_rows(t, &out, &(fw_told_rows){.n = FW_TELEMETRY_MAX_ROWS, .row = row, .label = label, .confidence = confidence}, classes, 2);
    FW_AUTO(fw_telemetry_batch) *b = decode(TOPIC, &out);
    assert_int_equal(b->predictions.n_rows, FW_TELEMETRY_MAX_ROWS);
    assert_int_equal(b->predictions.rows[FW_TELEMETRY_MAX_ROWS - 1].row, FW_TELEMETRY_MAX_ROWS - 1);
}

/* Encoded by hand from telemetry.proto: tag = field * 8 + wire type (0 varint, 1 eight bytes, 2 bytes with their length, 5 four bytes). */
#define HEADER "\x18\x01"                       /* time 1 us */
#define MODEL  "\x0a\x01m"
#define VALUE  "\x62\x08\0\0\0\0\0\0\0\0"        /* a value: 0 */
#define ONE    MODEL "\x28\x01"                /* one row, 5 bytes */
#define ROW    ONE VALUE                       /* of a regression, 15 bytes */
#define YZ     "\x1a\x01y\x1a\x01z"            /* two classes, 6 bytes */
#define HALF   "\x52\x04\0\0\0\x3f"            /* a confidence: 0.5 */
typedef struct wire { const char *what, *bytes; size_t len; const char *topic; fw_status status; } wire;
#define WIRE(what, bytes, topic, status) {what, bytes, sizeof(bytes) - 1, topic, status}

static void bytes_that_break_the_contract_are_refused(void **state)
{
    (void)state;
    static const wire table[] = {
        WIRE("a batch written by hand", HEADER "\x52\x0f" ROW, TOPIC, FW_OK),
        WIRE("an unknown field is skipped", HEADER "\x52\x12" ROW "\xf8\x07\x01", TOPIC, FW_OK),
        WIRE("nothing", "", TOPIC, FW_ERR_FORMAT),
        WIRE("text", "hello", TOPIC, FW_ERR_FORMAT),
        WIRE("cut in the middle", HEADER "\x52\x05" MODEL, TOPIC, FW_ERR_FORMAT),
        WIRE("a length beyond the end", HEADER "\x52\xff\xff\xff\xff\x0f", TOPIC, FW_ERR_FORMAT),
        WIRE("rows one by one, of a version before", HEADER "\x52\x05" MODEL "\x22\x00", TOPIC, FW_ERR_FORMAT),
        WIRE("no row", HEADER "\x52\x03" MODEL, TOPIC, FW_ERR_FORMAT),
        WIRE("2^40 rows", HEADER "\x52\x13" MODEL "\x28\x80\x80\x80\x80\x80\x20" VALUE, TOPIC, FW_ERR_FORMAT),
        WIRE("a row without a value", HEADER "\x52\x05" ONE, TOPIC, FW_ERR_FORMAT),
        WIRE("a value too many", HEADER "\x52\x19" ROW VALUE, TOPIC, FW_ERR_FORMAT),
        WIRE("an id too many", HEADER "\x52\x13" ROW "\x42\x00\x42\x00", TOPIC, FW_ERR_FORMAT),
        WIRE("a number too many", HEADER "\x52\x13" ROW "\x3a\x02\x01\x02", TOPIC, FW_ERR_FORMAT),
        WIRE("one feature of two rows", HEADER "\x52\x1b" MODEL "\x28\x02" VALUE VALUE "\x6a\x00", TOPIC, FW_ERR_FORMAT),
        WIRE("time before 1970", "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x52\x0f" ROW, TOPIC, FW_ERR_FORMAT),
        WIRE("no body", HEADER, TOPIC, FW_ERR_FORMAT),
        WIRE("no model", HEADER "\x52\x00", TOPIC, FW_ERR_FORMAT),
        WIRE("a model that is not UTF-8", HEADER "\x52\x03\x0a\x01\xff", TOPIC, FW_ERR_FORMAT),
        WIRE("a label without classes", HEADER "\x52\x12" ROW "\x4a\x01\x01", TOPIC, FW_ERR_FORMAT),
        WIRE("no label with classes", HEADER "\x52\x11" ONE YZ HALF, TOPIC, FW_ERR_FORMAT),
        WIRE("a label beyond the classes", HEADER "\x52\x14" ONE YZ "\x4a\x01\x02" HALF, TOPIC, FW_ERR_FORMAT),
        WIRE("a label within the classes", HEADER "\x52\x14" ONE YZ "\x4a\x01\x01" HALF, TOPIC, FW_OK),
        WIRE("neither confidence nor probabilities", HEADER "\x52\x0e" ONE YZ "\x4a\x01\x01", TOPIC, FW_ERR_FORMAT),
        WIRE("a probability too few", HEADER "\x52\x14" ONE YZ "\x4a\x01\x01\x5a\x04\0\0\0\0", TOPIC, FW_ERR_FORMAT),
        WIRE("a confidence that is NaN", HEADER "\x52\x14" ONE YZ "\x4a\x01\x01\x52\x04\0\0\xc0\x7f", TOPIC, FW_ERR_FORMAT),
        WIRE("a value that is infinite", HEADER "\x52\x0f" ONE "\x62\x08\0\0\0\0\0\0\xf0\x7f", TOPIC, FW_ERR_FORMAT),
        WIRE("predictions under progress", HEADER "\x52\x0f" ROW, FW_TOPIC_PROGRESS "p", FW_ERR_FORMAT),
        WIRE("progress under predictions", HEADER "\x5a\x00", TOPIC, FW_ERR_FORMAT),
        WIRE("progress", HEADER "\x5a\x00", FW_TOPIC_PROGRESS "p", FW_OK),
        WIRE("progress with a loss that is NaN", HEADER "\x5a\x09\x41\0\0\0\0\0\0\xf8\x7f", FW_TOPIC_PROGRESS "p", FW_ERR_FORMAT),
        WIRE("a metric that is infinite", HEADER "\x5a\x0e\x4a\x0c\x0a\x01" "a\x11\0\0\0\0\0\0\xf0\x7f", FW_TOPIC_PROGRESS "p", FW_ERR_FORMAT),
        WIRE("an alert", HEADER "\xa2\x01\x02\x08\x03", FW_TOPIC_ALERT "m", FW_OK),
        WIRE("an alert under predictions", HEADER "\xa2\x01\x02\x08\x03", TOPIC, FW_ERR_FORMAT),
        WIRE("predictions under alert", HEADER "\x52\x0f" ROW, FW_TOPIC_ALERT "m", FW_ERR_FORMAT),
        WIRE("an alert whose level is NaN", HEADER "\xa2\x01\x09\x49\0\0\0\0\0\0\xf8\x7f", FW_TOPIC_ALERT "m", FW_ERR_FORMAT),
        WIRE("an alert of before 1970", HEADER "\xa2\x01\x0b\x38\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", FW_TOPIC_ALERT "m", FW_ERR_FORMAT),
        WIRE("a feature that is not UTF-8", HEADER "\xa2\x01\x03\x62\x01\xff", FW_TOPIC_ALERT "m", FW_ERR_FORMAT),
        WIRE("an end", HEADER "\x62\x00", FW_TOPIC_PROGRESS "p", FW_OK),
        WIRE("a topic without a name", HEADER "\x62\x00", FW_TOPIC_PREDICTION, FW_ERR_FORMAT),
        WIRE("another topic", HEADER "\x62\x00", "weather/today", FW_ERR_FORMAT),
        WIRE("a topic that is not UTF-8", HEADER "\x62\x00", FW_TOPIC_PREDICTION "\xff", FW_ERR_FORMAT),
        WIRE("any topic when it is not asked for", HEADER "\x62\x00", NULL, FW_OK),
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        FW_AUTO(fw_telemetry_batch) *b = NULL;
        fw_error err = {0};
        fw_status status = fw_telemetry_decode(&b, table[i].topic, table[i].bytes, table[i].len, &err);
        if (status != table[i].status) fail_msg("%s: %s %s", table[i].what, fw_status_name(status), err.text);
        assert_true((b == NULL) == (status != FW_OK));
    }
}

/* Written by the Python encoder; the first byte is not part of the batch. */
static void what_another_encoder_wrote_is_decoded(void **state)
{
    (void)state;
    static const struct { const char *name; fw_telemetry_kind kind; } table[] = {
        {"classification", FW_TELEMETRY_PREDICTIONS}, {"regression", FW_TELEMETRY_PREDICTIONS}, {"progress", FW_TELEMETRY_PROGRESS}, {"end", FW_TELEMETRY_END},
        {"features", FW_TELEMETRY_PREDICTIONS}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        char path[4096], bytes[1024];
        snprintf(path, sizeof path, "%s/tests/fuzz/corpus/telemetry/%s", FW_SOURCE_DIR, table[i].name);
        FILE *file = fopen(path, "rb");
        if (file == NULL) fail_msg("%s is missing", path);
        size_t len = fread(bytes, 1, sizeof bytes, file);
        fclose(file);
        FW_AUTO(fw_telemetry_batch) *b = decode(NULL, &(fw_text){.data = bytes + 1, .len = len - 1});
        assert_int_equal(b->kind, table[i].kind);
        assert_true(b->time_us > 0);
        if (i == 0) assert_string_equal(b->predictions.classes[b->predictions.rows[1].label], "orders");
        if (i == 0) assert_true(b->predictions.rows[2].probabilities[2] == 0.25f);
        if (i == 1) assert_true(b->predictions.rows[1].value == -1.5);
        if (i == 2) assert_true(b->progress.n_validation == 2 && b->progress.validation[0].value + b->progress.validation[1].value == 1.0);
        if (i == 3) assert_true(b->end.batches == 6 && b->end.rows == 600);
        if (i == 4) assert_true(b->predictions.rows[1].row == 300 && b->predictions.rows[0].confidence == 0.5f && b->predictions.rows[1].features[0].kind == FW_RAW_UNSEEN);
    }
}

/* 8 M features of two bytes each: 0.4 GB when unpacked */
static void a_small_message_may_not_become_a_large_one(void **state)
{
    (void)state;
    size_t n = (16u << 20) - 64, at = 0;
    char *bytes = malloc(n + 64);
    assert_non_null(bytes);
    memcpy(bytes, HEADER "\x52", sizeof HEADER);
    at = sizeof HEADER;
    for (size_t left = n; left > 0; left >>= 7) bytes[at++] = (char)(unsigned char)((left & 0x7f) | (left > 0x7f ? 0x80 : 0));
    for (size_t i = 0; i < n; i += 2) bytes[at + i] = '\x6a', bytes[at + i + 1] = 0;
    fw_telemetry_batch *b = NULL;
    assert_int_equal(fw_telemetry_decode(&b, TOPIC, bytes, at + n, NULL), FW_ERR_FORMAT);
    assert_null(b);
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
#ifdef __SANITIZE_THREAD__
    const long limit = 2500 << 10;                 /* which keeps four bytes for one */
#else
    const long limit = 800 << 10;                  /* KiB: 256 MiB for the batch, the test's own, and what AddressSanitizer keeps */
#endif
    assert_true(usage.ru_maxrss < limit);
    assert_int_equal(fw_telemetry_decode(&b, TOPIC, bytes, FW_TELEMETRY_MAX_BYTES + 1, NULL), FW_ERR_FORMAT);
    free(bytes);
}

static void touch(const fw_telemetry_batch *b)
{
    size_t sum = 1;
    for (size_t i = 0; b->kind == FW_TELEMETRY_PREDICTIONS && i < b->predictions.n_rows; i++) {
        const fw_prediction *row = &b->predictions.rows[i];
        sum += strlen(row->id) + (b->predictions.n_classes > 0 ? strlen(b->predictions.classes[row->label]) : 0);
        for (size_t k = 0; k < row->n_probabilities; k++) assert_true(isfinite(row->probabilities[k]));
        assert_true(isfinite(row->confidence) && isfinite(row->value));
    }
    for (size_t i = 0; b->kind == FW_TELEMETRY_ALERT && i < b->alert.n_features; i++) sum += strlen(b->alert.features[i]);
    for (size_t i = 0; b->kind == FW_TELEMETRY_PROGRESS && i < b->progress.n_validation; i++) sum += strlen(b->progress.validation[i].name);
    assert_true(sum > 0);
}

static void damaged_batches_are_refused_or_still_keep_the_limits(void **state)
{
    (void)state;
    FW_AUTO(fw_telemetry) *t = publisher();
    FW_AUTO(fw_text) predictions = {0};
    FW_AUTO(fw_text) progress = {0};
    const fw_named_number values[] = {{"auc", 0.75}, {"log_loss", 0.125}};
    fw_progress p = {.project = "p", .run = "r", .event = "round", .train_loss = 0.5, .validation = values, .n_validation = 2};
    wrap_rows(t, &predictions, &rows, classes, 3);
    assert_int_equal(fw_telemetry_progress(t, &progress, FW_TOPIC_PROGRESS "p", &p, NULL), FW_OK);
    for (uint64_t trial = 0; trial < 20000; trial++) {
        const fw_text *from = trial % 2 == 0 ? &predictions : &progress;
        fw_philox r = fw_random(1, FW_RANDOM_TEST, 0, trial, 0);
        size_t len = r.word[0] % 4 == 0 ? r.word[1] % from->len : from->len;
        char *bytes = malloc(len + 1);
        assert_non_null(bytes);
        memcpy(bytes, from->data, len);
        for (uint32_t k = 0; k <= r.word[2] % 3 && len > 0; k++) {
            fw_philox where = fw_random(1, FW_RANDOM_TEST, 1, trial, k);
            bytes[where.word[0] % len] = (char)(unsigned char)where.word[1];
        }
        FW_AUTO(fw_telemetry_batch) *b = NULL;
        fw_status status = fw_telemetry_decode(&b, NULL, bytes, len, NULL);
        free(bytes);
        assert_true(status == FW_OK || status == FW_ERR_FORMAT);
        if (b != NULL) touch(b);
    }
}

static void the_time_is_in_the_first_bytes(void **state)
{
    (void)state;
    FW_AUTO(fw_telemetry) *t = publisher();
    FW_AUTO(fw_text) out = {0};
    int64_t us = 0;
    assert_int_equal(fw_telemetry_end(t, &out, TOPIC, NULL), FW_OK);
    FW_AUTO(fw_telemetry_batch) *b = decode(TOPIC, &out);
    assert_true(fw_telemetry_time(&us, out.data, out.len));
    assert_true(us == b->time_us && us > 0);
    for (size_t len = 0; len < 9; len++) assert_false(fw_telemetry_time(&us, out.data, len));      /* its tag, and 8 bytes of this century */
    assert_false(fw_telemetry_time(&us, "\x18\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 12));
    assert_false(fw_telemetry_time(&us, "\x62\x00", 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(predictions_come_back_bit_for_bit),
        cmocka_unit_test(rows_that_follow_each_other_are_told_by_the_first),
        cmocka_unit_test(regression_has_a_value_and_no_classes),
        cmocka_unit_test(progress_comes_back),
        cmocka_unit_test(an_alert_comes_back),
        cmocka_unit_test(each_topic_ends_with_its_counts),
        cmocka_unit_test(the_encoder_refuses_what_the_decoder_would),
        cmocka_unit_test(a_batch_over_16_mib_is_refused_and_leaves_the_text_as_it_was),
        cmocka_unit_test(a_full_batch_is_accepted),
        cmocka_unit_test(bytes_that_break_the_contract_are_refused),
        cmocka_unit_test(what_another_encoder_wrote_is_decoded),
        cmocka_unit_test(a_small_message_may_not_become_a_large_one),
        cmocka_unit_test(the_time_is_in_the_first_bytes),
        cmocka_unit_test(damaged_batches_are_refused_or_still_keep_the_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
