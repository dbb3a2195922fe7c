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

enum { ROWS = 200, CLASSES = 40, FEATURES = 12, TEXTS = 6 };

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

static void fill_row(fw_prediction *p, float *probability, fw_raw *feature, uint32_t i)
{
    *p = (fw_prediction){.row = number_of_bits(draw(0, i)) - draw(1, i) % 2, .label = (uint32_t)(draw(2, i) % CLASSES)};
    p->id = draw(3, i) % 3 == 0 ? NULL : text[draw(4, i) % TEXTS];
    p->confidence = draw(5, i) % 4 == 0 ? -0.0f : FLT_MIN * (float)draw(6, i);
    p->value = draw(7, i) % 2 == 0 ? 0.0 : -DBL_MAX;
    p->n_probabilities = draw(8, i) % 2 == 0 ? 0 : CLASSES;
    for (size_t k = 0; k < CLASSES; k++) probability[k] = k % 3 == 0 ? 0.0f : 1.0f / (float)(k + i + 1);
    p->probabilities = probability;
    p->n_features = draw(9, i) % (FEATURES + 1);
    p->features = feature;
    for (uint32_t k = 0; k < p->n_features; k++) {
        feature[k] = (fw_raw){.kind = (fw_raw_kind)(draw(10 + k, i) % 4), .number = k % 2 == 0 ? 0.0 : DBL_MIN};
        feature[k].text = draw(30 + k, i) % 7 == 0 ? NULL : text[draw(50 + k, i) % TEXTS];
    }
}

static void each_row_is_packed_as_protobuf_packs_it(void **state)
{
    (void)state;
    static fw_prediction rows[ROWS];
    static float probability[ROWS][CLASSES];
    static fw_raw feature[ROWS][FEATURES];
    const char *classes[CLASSES];
    fill_texts();
    for (size_t k = 0; k < CLASSES; k++) classes[k] = text[k % TEXTS];
    for (uint32_t i = 0; i < ROWS; i++) fill_row(&rows[i], probability[i], feature[i], i);
    for (size_t first = 0; first < ROWS; first++) {
        FW_AUTO(fw_text) out = {0};
        fw_error err = {0};
        const size_t n = first == 0 ? ROWS : 1;
        if (fw_telemetry_pack_rows(&out, "m", first % 2 == 0 ? "digest" : "", classes, CLASSES, rows + first, n, &err) != FW_OK) fail_msg("%s", err.text);
        Flywheel__Predictions *m = flywheel__predictions__unpack(NULL, out.len, (const uint8_t *)out.data);
        if (m == NULL) fail_msg("row %zu: protobuf-c cannot read it", first);
        assert_int_equal(m->n_rows, n);
        FW_FREE uint8_t *again = malloc(out.len + 1);
        assert_int_equal(flywheel__predictions__get_packed_size(m), out.len);
        assert_int_equal(flywheel__predictions__pack(m, again), out.len);
        assert_memory_equal(again, out.data, out.len);
        assert_int_equal(m->rows[0]->row, rows[first].row);
        assert_int_equal(m->rows[0]->n_features, rows[first].n_features);
        flywheel__predictions__free_unpacked(m, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(each_row_is_packed_as_protobuf_packs_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
