/** The bytes of predictions: what protobuf-c makes of the same message. */
#include <float.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/core/random.h"
#include "common/core/size.h"
#include "proto/telemetry.h"
#include "proto/telemetry.pb-c.h"

enum { ROWS = 200, CLASSES = 300, FEATURES = 12, TEXTS = 6 };

static char text[TEXTS][FW_TELEMETRY_MAX_TEXT + 1];

/* Around each length at which a length needs a byte more. */
static void fill_texts(void)
{
    static const size_t len[TEXTS] = {0, 1, 100, 127, 128, FW_TELEMETRY_MAX_TEXT};
    for (size_t i = 0; i < TEXTS; i++) memset(text[i], 'a', len[i]);
}

/* Numbers of every length, the smallest and largest of each; all kinds of features. */
static uint64_t draw(uint32_t what, uint32_t row) { return (uint64_t)(fw_random_unit(fw_random(7, FW_RANDOM_TEST, what, row, 0)) * 0x1p53); }

static uint64_t number_of_bits(uint64_t bits) { return bits == 0 ? 0 : bits % 65 == 64 ? UINT64_MAX : UINT64_C(1) << bits % 64; }

static uint64_t row[ROWS];
static const char *id[ROWS];
static uint32_t label[ROWS];
static float confidence[ROWS], probability[ROWS * CLASSES];
static double value[ROWS];
static fw_raw feature[ROWS * FEATURES];

static void fill_row(uint32_t i)
{
    row[i] = number_of_bits(draw(0, i)) - draw(1, i) % 2;
    id[i] = draw(3, i) % 3 == 0 ? NULL : text[draw(4, i) % TEXTS];
    confidence[i] = draw(5, i) % 4 == 0 ? -0.0f : FLT_MIN * (float)draw(6, i);
    value[i] = draw(7, i) % 2 == 0 ? 0.0 : -DBL_MAX;
    for (size_t k = 0; k < CLASSES; k++) probability[i * CLASSES + k] = k % 3 == 0 ? 0.0f : 1.0f / (float)(k + i + 1);
    for (uint32_t k = 0; k < FEATURES; k++) {
        fw_raw *f = &feature[i * FEATURES + k];
        *f = (fw_raw){.kind = (fw_raw_kind)(draw(10 + k, i) % 4), .number = k % 2 == 0 ? 0.0 : DBL_MIN};
        f->text = draw(30 + k, i) % 7 == 0 ? NULL : text[draw(50 + k, i) % TEXTS];
    }
}

/* The columns that bits of `which` choose, of n rows. */
static fw_told_rows choose(uint32_t which, size_t n, size_t *n_classes)
{
    static uint64_t in_order[ROWS];
    for (size_t i = 0; i < ROWS; i++) in_order[i] = UINT64_MAX - ROWS + i;
    fw_told_rows p = {.n = n, .row = (which & 1) != 0 ? row : in_order, .id = (which & 2) != 0 ? id : NULL, .feature = feature, .n_features = (which & 4) != 0 ? FEATURES : 0};
    *n_classes = 0;
    if ((which & 24) == 0) {
        p.value = value;
        return p;
    }
    *n_classes = (which & 32) != 0 ? CLASSES : 5;                    /* labels of one byte, and of two */
    for (uint32_t i = 0; i < n; i++) label[i] = (uint32_t)(draw(2, i) % *n_classes);
    p.label = label;
    if ((which & 8) != 0) p.confidence = confidence;
    if ((which & 16) != 0) p.probability = probability;
    return p;
}

static void columns_are_packed_as_protobuf_packs_them(void **state)
{
    (void)state;
    const char *classes[CLASSES];
    fill_texts();
    for (size_t k = 0; k < CLASSES; k++) classes[k] = text[k % TEXTS];
    for (uint32_t i = 0; i < ROWS; i++) fill_row(i);
    for (uint32_t which = 0; which < 64; which++) {
        FW_AUTO(fw_text) out = {0};
        fw_error err = {0};
        size_t n_classes = 0;
        const size_t n = which % 3 == 0 ? 1 : ROWS - which;
        const fw_told_rows p = choose(which, n, &n_classes);
        if (fw_telemetry_pack_rows(&out, "m", which % 2 == 0 ? "digest" : "", classes, n_classes, &p, &err) != FW_OK) fail_msg("columns %u: %s", which, err.text);
        Flywheel__Predictions *m = flywheel__predictions__unpack(NULL, out.len, (const uint8_t *)out.data);
        if (m == NULL) fail_msg("columns %u: protobuf-c cannot read them", which);
        FW_FREE uint8_t *again = malloc(out.len + 1);
        if (flywheel__predictions__get_packed_size(m) != out.len) fail_msg("columns %u: %zu bytes, of protobuf-c %zu", which, out.len, flywheel__predictions__get_packed_size(m));
        assert_int_equal(flywheel__predictions__pack(m, again), out.len);
        assert_memory_equal(again, out.data, out.len);
        assert_int_equal(m->rows, n);
        assert_true(m->n_numbers > 0 ? m->numbers[0] == p.row[0] : m->first == p.row[0]);
        assert_int_equal(m->n_features, n * p.n_features);
        assert_int_equal(m->n_labels, p.label != NULL ? n : 0);
        if (p.value != NULL) assert_memory_equal(m->values, p.value, n * sizeof *p.value);
        if (p.probability != NULL) assert_memory_equal(m->probabilities, p.probability, n * n_classes * sizeof *p.probability);
        flywheel__predictions__free_unpacked(m, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(columns_are_packed_as_protobuf_packs_them)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
