/** The models that the monitor knows: what is told of them, summed and refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "monitor/models.h"
#include "monitor/shares.h"
#include "tests/unit/reference_fixture.h"

static const char *const CLASSES[] = {"no", "yes"};

/* As it comes from the wire. */
static fw_telemetry_batch *batch(const char *topic, const fw_text *packed, int64_t time_us)
{
    FW_AUTO(fw_telemetry) *t = NULL;
    FW_AUTO(fw_text) bytes = {0};
    fw_telemetry_batch *b = NULL;
    assert_int_equal(fw_telemetry_create(&t, NULL), FW_OK);
    assert_int_equal(fw_telemetry_wrap(t, &bytes, topic, packed->data, packed->len, 0, NULL), FW_OK);
    assert_int_equal(fw_telemetry_decode(&b, topic, bytes.data, bytes.len, NULL), FW_OK);
    b->time_us = time_us;
    return b;
}

static const char *from = "";           /* address of who tells; "": nobody, who has all the room */

typedef struct told { monitor_verdict verdict; const monitor_known *known; } told;

static told take(monitor_models *m, fw_telemetry_batch *b)
{
    told t = {MONITOR_OTHER, NULL};
    fw_error why = {0};
    assert_int_equal(monitor_models_take(&t.verdict, &t.known, m, from, b, &why, NULL), FW_OK);
    assert_true((why.status == FW_OK) == (t.verdict <= MONITOR_SUMMED || t.verdict == MONITOR_OTHER));
    fw_telemetry_batch_destroy(&b);
    return t;
}

static told tell_model(monitor_models *m, const char *name, const char *digest, const fw_reference *r, size_t n_classes, int64_t time_us)
{
    FW_AUTO(fw_text) packed = {0};
    const fw_telemetry_model model = {.name = name, .digest = digest, .classes = CLASSES, .n_classes = n_classes, .reference = r};
    assert_int_equal(fw_telemetry_pack_model(&packed, &model, NULL), FW_OK);
    return take(m, batch(FW_TOPIC_MODEL "m", &packed, time_us));
}

static const uint64_t WINDOW[] = {1, 2, 3, 4, 0, 0, 6, 3, 0, 1, 9, 1, 0, 0, 2, 8, 0, 0, 5, 5, 0, 0};      /* 10 rows in each of five columns */
enum { COUNTS = sizeof WINDOW / sizeof *WINDOW };

static told tell_summary(monitor_models *m, const char *digest, uint64_t shape, const uint64_t *count, size_t n, uint64_t rows, int64_t from_us)
{
    FW_AUTO(fw_text) packed = {0};
    const fw_telemetry_summary s = {.model = "m", .digest = digest, .shape = shape, .window = 1, .rows = rows, .from_us = from_us, .to_us = from_us + 5, .count = count, .n = n};
    assert_int_equal(fw_telemetry_pack_summary(&packed, &s, NULL), FW_OK);
    return take(m, batch(FW_TOPIC_SUMMARY "m", &packed, 1));
}

/** Of ten rows, with times. */
static told tell_times(monitor_models *m, uint64_t shape, const fw_times *times)
{
    FW_AUTO(fw_text) packed = {0};
    const fw_telemetry_summary s = {.model = "m", .digest = "d", .shape = shape, .window = 1, .rows = 10, .from_us = 5, .to_us = 10, .count = WINDOW, .n = COUNTS,
                                    .latency = times->count, .n_latency = FW_TIMES_N};
    assert_int_equal(fw_telemetry_pack_summary(&packed, &s, NULL), FW_OK);
    return take(m, batch(FW_TOPIC_SUMMARY "m", &packed, 1));
}

static int make(void **state)
{
    monitor_models *m = NULL;
    assert_int_equal(monitor_models_create(&m, NULL), FW_OK);
    *state = m;
    return 0;
}

static int drop(void **state)
{
    monitor_models *m = *state;
    monitor_models_destroy(&m);
    return m == NULL ? 0 : 1;
}

static void summaries_are_summed(void **state)
{
    monitor_models *m = *state;
    FW_AUTO(fw_reference) *r = make_reference();
    const uint64_t shape = fw_summary_shape(r->summary);
    const told first = tell_model(m, "m", "d", r, 2, 100);
    assert_int_equal(first.verdict, MONITOR_NEW);
    assert_same_reference(first.known->reference, r);
    assert_true(first.known->windows == 0 && first.known->told_us == 100 && first.known->n_classes == 2);
    assert_string_equal(first.known->classes[1], "yes");
    const told again = tell_model(m, "m", "d", r, 2, 90);
    assert_true(again.verdict == MONITOR_AGAIN && again.known == first.known && again.known->told_us == 100);
    for (int64_t i = 3; i > 0; i--) assert_int_equal(tell_summary(m, "d", shape, WINDOW, COUNTS, 10, 1000 * i).verdict, MONITOR_SUMMED);
    const monitor_known *k = monitor_models_get(m, 0);
    assert_int_equal(monitor_models_n(m), 1);
    assert_true(k->windows == 3 && k->rows == 30 && k->from_us == 1000 && k->to_us == 3005);
    for (size_t i = 0; i < COUNTS; i++) assert_int_equal(fw_summary_counts(k->sum, 0)[i], 3 * WINDOW[i]);
}

static void what_is_not_known_is_not_summed(void **state)
{
    monitor_models *m = *state;
    FW_AUTO(fw_reference) *r = make_reference();
    const uint64_t shape = fw_summary_shape(r->summary);
    assert_int_equal(tell_summary(m, "d", shape, WINDOW, COUNTS, 10, 5).verdict, MONITOR_UNKNOWN);
    assert_int_equal(tell_model(m, "m", "d", r, 2, 1).verdict, MONITOR_NEW);
    assert_int_equal(tell_summary(m, "e", shape, WINDOW, COUNTS, 10, 5).verdict, MONITOR_UNKNOWN);
    assert_int_equal(tell_summary(m, "d", shape + 1, WINDOW, COUNTS, 10, 5).verdict, MONITOR_UNKNOWN);
    assert_int_equal(tell_model(m, "m", "without", NULL, 2, 1).verdict, MONITOR_NEW);
    assert_int_equal(tell_summary(m, "without", 0, NULL, 0, 0, 5).verdict, MONITOR_UNKNOWN);
    assert_int_equal(monitor_models_get(m, 0)->windows, 0);
}

static void lies_change_nothing(void **state)
{
    monitor_models *m = *state;
    FW_AUTO(fw_reference) *r = make_reference();
    const uint64_t shape = fw_summary_shape(r->summary);
    uint64_t count[COUNTS];
    assert_int_equal(tell_model(m, "m", "d", r, 2, 1).verdict, MONITOR_NEW);
    assert_int_equal(tell_summary(m, "d", shape, WINDOW, COUNTS, 11, 5).verdict, MONITOR_LIES);
    assert_int_equal(tell_summary(m, "d", shape, WINDOW, COUNTS - 1, 10, 5).verdict, MONITOR_LIES);
    assert_int_equal(tell_summary(m, "d", shape, WINDOW, COUNTS, UINT64_C(1) << 40, 5).verdict, MONITOR_LIES);
    memcpy(count, WINDOW, sizeof count);
    count[0]++, count[1]--, count[6]++;
    assert_int_equal(tell_summary(m, "d", shape, count, COUNTS, 10, 5).verdict, MONITOR_LIES);
    const fw_times lies[] = {{{0}}, {{[7] = 9}}, {{[7] = 9, [209] = 2}}, {{UINT64_MAX, 11}}};
    for (size_t i = 0; i < sizeof lies / sizeof *lies; i++) assert_int_equal(tell_times(m, shape, &lies[i]).verdict, MONITOR_LIES);
    const monitor_known *k = monitor_models_get(m, 0);
    assert_true(k->windows == 0 && k->rows == 0);
    for (size_t i = 0; i < COUNTS; i++) assert_int_equal(fw_summary_counts(k->sum, 0)[i], 0);
    assert_int_equal(tell_times(m, shape, &(fw_times){{[7] = 9, [209] = 1}}).verdict, MONITOR_SUMMED);
}

static void one_digest_is_one_model(void **state)
{
    monitor_models *m = *state;
    FW_AUTO(fw_reference) *r = make_reference();
    FW_AUTO(fw_reference) *other = make_reference();
    FW_AUTO(fw_reference) *outputs = NULL;
    const uint64_t more[] = {1, 0, 0, 0, 0, 0}, more_too[] = {1, 0, 0, 0};
    assert_int_equal(fw_reference_outputs(&outputs, r, NULL), FW_OK);
    assert_int_equal(fw_summary_add_column(other->summary, 0, more, NULL), FW_OK);
    assert_int_equal(fw_summary_add_column(other->summary, 1, more_too, NULL), FW_OK);
    assert_int_equal(tell_model(m, "m", "d", r, 2, 1).verdict, MONITOR_NEW);
    const told differs = tell_model(m, "m", "d", other, 2, 7);
    assert_int_equal(differs.verdict, MONITOR_DIFFERS);
    assert_same_reference(differs.known->reference, r);
    assert_int_equal(differs.known->told_us, 1);
    assert_int_equal(tell_model(m, "m", "d", r, 1, 1).verdict, MONITOR_DIFFERS);
    assert_int_equal(tell_model(m, "n", "d", r, 2, 1).verdict, MONITOR_NEW);
    const told alone = tell_model(m, "m", "d", outputs, 2, 1);           /* a publisher that may not tell of features stands apart */
    assert_int_equal(alone.verdict, MONITOR_NEW);
    assert_int_equal(tell_summary(m, "d", fw_summary_shape(outputs->summary), WINDOW + 10, COUNTS - 10, 10, 5).verdict, MONITOR_SUMMED);
    assert_int_equal(monitor_models_n(m), 3);
}

static void there_is_room_for_so_many(void **state)
{
    monitor_models *m = *state;
    char digest[16];
    for (unsigned i = 0; i < MONITOR_MAX_KNOWN + 2; i++) {
        snprintf(digest, sizeof digest, "%u", i);
        assert_int_equal(tell_model(m, "m", digest, NULL, 0, 1).verdict, i < MONITOR_MAX_KNOWN ? MONITOR_NEW : MONITOR_FULL_UP);
    }
    assert_int_equal(monitor_models_n(m), MONITOR_MAX_KNOWN);
    assert_int_equal(tell_model(m, "m", "7", NULL, 0, 9).verdict, MONITOR_AGAIN);
}

/** One that floods leaves a place to others, also to one that comes later and when the monitor was started again: what it keeps is still its own. */
static void none_may_hold_more_than_it_leaves(void **state)
{
    monitor_models *m = *state;
    FW_AUTO(fw_text) packed = {0};
    char digest[16];
    monitor_verdict verdict;
    const fw_telemetry_model one = {.name = "kept", .digest = "k"};
    from = "tcp://floods:1";
    for (unsigned i = 0; i < MONITOR_MAX_KNOWN; i++) {
        snprintf(digest, sizeof digest, "%u", i);
        assert_int_equal(tell_model(m, "m", digest, NULL, 0, 1).verdict, i < MONITOR_MAX_KNOWN / 2 ? MONITOR_NEW : MONITOR_FULL_UP);
    }
    assert_int_equal(tell_model(m, "m", "7", NULL, 0, 9).verdict, MONITOR_AGAIN);
    assert_int_equal(fw_telemetry_pack_model(&packed, &one, NULL), FW_OK);
    FW_AUTO(fw_telemetry_batch) *b = batch(FW_TOPIC_MODEL "m", &packed, 1);
    assert_int_equal(monitor_models_keep(&verdict, NULL, m, from, b, NULL, NULL), FW_OK);
    assert_int_equal(verdict, MONITOR_NEW);
    from = "tcp://honest:1";
    const told late = tell_model(m, "m", "late", NULL, 0, 1);
    from = "";
    assert_int_equal(late.verdict, MONITOR_NEW);
    assert_string_equal(late.known->from, "tcp://honest:1");
}

/** The bytes of references too. */
static void room_is_shared_by_bytes_as_well(void **state)
{
    (void)state;
    fw_error err = {0};
    monitor_shares s = {.places = 10, .bytes = 1000};
    assert_true(monitor_shares_may(&s, "a", 500));
    assert_false(monitor_shares_may(&s, "a", 501));
    assert_int_equal(monitor_shares_add(&s, "a", 400, &err), FW_OK);
    assert_true(monitor_shares_may(&s, "a", 100));
    assert_false(monitor_shares_may(&s, "a", 101));
    assert_true(monitor_shares_may(&s, "b", 300));
    assert_false(monitor_shares_may(&s, "b", 301));
    assert_true(monitor_shares_may(&s, "", 600));
    assert_false(monitor_shares_may(&s, "", 601));
    assert_int_equal(monitor_shares_of(&s, "a"), 1);
    assert_int_equal(monitor_shares_of(&s, "b"), 0);
    monitor_shares_destroy(&s);
}

static void other_batches_are_no_models(void **state)
{
    monitor_models *m = *state;
    fw_telemetry_batch b = {.kind = FW_TELEMETRY_END};
    monitor_verdict verdict = MONITOR_NEW;
    assert_int_equal(monitor_models_take(&verdict, NULL, m, "", &b, NULL, NULL), FW_OK);
    assert_int_equal(verdict, MONITOR_OTHER);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, make, drop)
int main(void)
{
    const struct CMUnitTest tests[] = {EACH(summaries_are_summed), EACH(what_is_not_known_is_not_summed), EACH(lies_change_nothing), EACH(one_digest_is_one_model),
                                       EACH(there_is_room_for_so_many), EACH(none_may_hold_more_than_it_leaves), EACH(room_is_shared_by_bytes_as_well),
                                       EACH(other_batches_are_no_models)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
