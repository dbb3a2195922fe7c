/** Trainings and sweeps as the store keeps them: curves stay bounded, and what was saved is taken up again; and the JSON of windows and references. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "monitor/bodies.h"
#include "monitor/experiments.h"
#include "tests/unit/store_fixture.h"

static void take(monitor_experiments *e, int64_t at_us, const char *run, const char *event, uint64_t round, double loss, double value)
{
    const fw_named_number metric = {"accuracy", value};
    const fw_progress p = {.project = "adult", .run = run, .event = event, .round = round, .train_loss = loss, .validation = &metric, .n_validation = 1, .ranks = 2};
    assert_int_equal(monitor_experiments_take(e, "p1", at_us, &p, NULL), FW_OK);
}

static fw_status see(void *context, const monitor_state_row *row, fw_error *err)
{
    (void)err;
    *(json_t **)context = json_loadb(row->bytes.data, row->bytes.len, 0, NULL);
    return FW_OK;
}

static json_t *state_of(const char *key)
{
    FW_AUTO(monitor_reader) *r = reader();
    json_t *v = NULL;
    assert_int_equal(monitor_read_state(r, &(monitor_query){.name = key}, see, &v, NULL), FW_OK);
    return v;
}

static json_t *saved(monitor_experiments *e, size_t place)
{
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    assert_int_equal(monitor_experiments_save(e, s, NULL), FW_OK);
    commit(s);
    json_t *index = state_of(MONITOR_EXPERIMENTS_INDEX);
    json_t *body = state_of(json_string_value(json_object_get(json_array_get(index, place), "key")));
    json_decref(index);
    return body;
}

static void keeps_a_loss_curve_within_bounds(void **state)
{
    (void)state;
    FW_AUTO(monitor_experiments) *e = NULL;
    assert_int_equal(monitor_experiments_create(&e, NULL), FW_OK);
    take(e, 1, "run", "start", 0, 0, NAN);
    for (uint64_t i = 1; i <= 3000; i++) take(e, (int64_t)i, "run", "round", i, 1.0 / (double)i, 0.5);
    json_t *body = saved(e, 0), *rounds = json_object_get(body, "rounds");
    assert_in_range(json_array_size(rounds), 128, 512);
    assert_int_equal(json_integer_value(json_array_get(json_array_get(rounds, 0), 0)), 1);
    assert_int_equal(json_integer_value(json_array_get(json_array_get(rounds, json_array_size(rounds) - 1), 0)), 3000);
    assert_int_equal(json_integer_value(json_object_get(body, "round")), 3000);
    assert_string_equal(json_string_value(json_array_get(json_object_get(body, "metrics"), 0)), "accuracy");
    json_decref(body);
}

static void a_sweep_is_one_study_of_its_trials(void **state)
{
    (void)state;
    FW_AUTO(monitor_experiments) *e = NULL;
    assert_int_equal(monitor_experiments_create(&e, NULL), FW_OK);
    for (int trial = 0; trial < 600; trial++) {
        char run[32];
        snprintf(run, sizeof run, "trial %d", trial);
        take(e, trial, run, "begin", 0, 0, NAN);
        for (uint64_t r = 1; r <= 40; r++) take(e, trial, run, "round", r, 0, (double)r / 100);
        take(e, trial, run, "COMPLETE", 40, 0, 0.4);
    }
    json_t *body = saved(e, 0), *trials = json_object_get(body, "trials"), *last = json_array_get(trials, 499);
    assert_string_equal(json_string_value(json_object_get(body, "kind")), "study");
    assert_int_equal(json_array_size(trials), 500);
    assert_int_equal(json_integer_value(json_object_get(body, "left_out")), 100);
    assert_string_equal(json_string_value(json_object_get(last, "state")), "COMPLETE");
    assert_in_range(json_array_size(json_object_get(last, "curve")), 16, 32);
    json_decref(body);
}

static void goes_on_after_a_restart_and_lets_the_oldest_go(void **state)
{
    (void)state;
    FW_AUTO(monitor_experiments) *first = NULL;
    FW_AUTO(monitor_experiments) *second = NULL;
    assert_int_equal(monitor_experiments_create(&first, NULL), FW_OK);
    take(first, 1000, "kept", "round", 1, 0.9, 0.5);
    json_decref(saved(first, 0));
    assert_int_equal(monitor_experiments_create(&second, NULL), FW_OK);
    FW_AUTO(monitor_reader) *r = reader();
    assert_int_equal(monitor_experiments_load(second, r, NULL), FW_OK);
    take(second, 1001, "kept", "round", 2, 0.8, 0.6);
    json_t *body = saved(second, 0);
    assert_int_equal(json_array_size(json_object_get(body, "rounds")), 2);
    json_decref(body);
    for (int i = 0; i < (int)MONITOR_MAX_EXPERIMENTS; i++) {
        char run[32];
        snprintf(run, sizeof run, "run %d", i);
        take(second, 2000 + i, run, "round", 1, 0.5, 0.5);
    }
    body = saved(second, MONITOR_MAX_EXPERIMENTS - 1);
    assert_string_equal(json_string_value(json_object_get(body, "run")), "run 0");
    json_decref(body);
}

static void writes_windows_and_references(void **state)
{
    (void)state;
    FW_AUTO(fw_bins) b = {0};
    FW_AUTO(fw_reference) *reference = NULL;
    FW_FREE char *window = NULL, *text = NULL, *current = NULL;
    const double cut[] = {1.5}, centre[] = {1, 2};
    const uint64_t counts[] = {3, 4};
    assert_int_equal(fw_bins_of_cuts(&b, "age", FW_BINS_NUMBER, cut, 1, centre, NULL), FW_OK);
    assert_int_equal(fw_reference_create(&reference, &b, 1, 1, "validation", NULL), FW_OK);
    fw_summary_add_numbers(reference->summary, 0, (const double[]){1, 2, 2}, NULL, 3);
    const monitor_window_body body = {.seconds = 2, .rate = 3.5, .confidence = 0.5, .value = NAN, .gaps = 1, .counts = counts, .n_classes = 2, .latency_p50_s = 0.25,
                                      .latency_p90_s = NAN, .latency_p99_s = NAN};
    assert_int_equal(monitor_window_body_write(&window, &body, NULL), FW_OK);
    assert_string_equal(window, "{\"seconds\":2.0,\"rate\":3.5,\"confidence\":0.5,\"value\":null,\"gaps\":1,\"duplicates\":0,\"counts\":[3,4],"
                                "\"latency\":{\"p50\":0.25,\"p90\":null,\"p99\":null}}");
    assert_int_equal(monitor_reference_write(&text, reference, NULL), FW_OK);
    assert_string_equal(text, "{\"features\":1,\"columns\":[{\"name\":\"age\",\"kind\":\"number\",\"cuts\":[1.5],\"counts\":[1,2,0,0]}]}");
    assert_int_equal(monitor_current_write(&current, 7, reference->summary, NULL), FW_OK);
    assert_string_equal(current, "{\"window\":7,\"columns\":[{\"name\":\"age\",\"counts\":[1,2,0,0]}]}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(keeps_a_loss_curve_within_bounds, begin, end),
        cmocka_unit_test_setup_teardown(a_sweep_is_one_study_of_its_trials, begin, end),
        cmocka_unit_test_setup_teardown(goes_on_after_a_restart_and_lets_the_oldest_go, begin, end),
        cmocka_unit_test(writes_windows_and_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
