/** Detectors of drift: which figure, where it applies, when it reaches its threshold; stream detectors against their definitions (or River, where it is installed). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

#include "common/stats/drift.h"
#include "monitor/detectors/detector.h"
#include "monitor/detectors/stream.h"
#include "tests/unit/oracle.h"

static const double cuts[] = {1, 2, 3}, centres[] = {0.5, 1.5, 2.5, 3.5};
static const fw_bins numbers = {.kind = FW_BINS_NUMBER, .cut = (double *)(uintptr_t)cuts, .n_cuts = 3, .centre = (double *)(uintptr_t)centres};
static const fw_bins names = {.kind = FW_BINS_CATEGORY, .n_labels = 4};

static bool reads(double *out, monitor_detector_id id, const fw_bins *bins, const uint64_t *reference, const uint64_t *current)
{
    monitor_reading r = {.statistic = -9};
    bool said = monitor_detectors[id]->measure(&r, &(monitor_pair){.bins = bins, .reference = reference, .current = current});
    if (out != NULL) *out = r.statistic;
    return said;
}

static void each_has_a_name_of_its_own_and_a_unit(void **state)
{
    (void)state;
    for (monitor_detector_id i = 0; i < MONITOR_N_DETECTORS; i++) {
        monitor_detector_id found;
        assert_true(monitor_detector_find(&found, monitor_detectors[i]->name) && found == i);
        assert_true(strlen(monitor_detectors[i]->unit) > 10);
    }
    monitor_detector_id found;
    assert_false(monitor_detector_find(&found, "nothing"));
    assert_null(monitor_stream_find("nothing"));
}

static void figures_are_those_of_the_ordinary_bins(void **state)
{
    (void)state;
    const uint64_t reference[] = {100, 200, 300, 400, 0, 50}, current[] = {10, 20, 30, 140, 900, 77};      /* unseen and missing are others' */
    fw_drift_pair p = {reference, current, centres, 4};
    double want = 0, v = 0, spread = 0;
    fw_drift_test t;
    assert_true(fw_drift_psi(&want, &p) && reads(&v, MONITOR_PSI, &numbers, reference, current) && v == want);
    assert_true(fw_drift_js(&want, &p) && reads(&v, MONITOR_JS, &names, reference, current) && v == want);
    assert_true(fw_drift_ks(&t, &p) && reads(&v, MONITOR_KS, &numbers, reference, current) && v == t.statistic);
    assert_true(fw_drift_g(&t, &p) && reads(&v, MONITOR_CHI_SQUARE, &names, reference, current) && fabs(v * v - t.statistic * (1.0 / 1000 + 1.0 / 200)) < 1e-12);
    assert_true(fw_drift_wasserstein(&want, &p) && fw_drift_spread(&spread, reference, centres, 4) && reads(&v, MONITOR_WASSERSTEIN, &numbers, reference, current));
    assert_true(fabs(v - want / spread) < 1e-15);
    assert_true(reads(&v, MONITOR_UNSEEN_RATE, &names, reference, current) && fabs(v - 900.0 / 1177) < 1e-15);
    assert_true(reads(&v, MONITOR_MISSING_RATE, &numbers, reference, current) && fabs(v - (77.0 / 1177 - 50.0 / 1050)) < 1e-15);
}

static void say_nothing_where_they_do_not_apply(void **state)
{
    (void)state;
    const uint64_t some[] = {1, 2, 3, 4, 5, 6}, none[] = {0, 0, 0, 0, 5, 6}, nothing[6] = {0}, constant[] = {0, 7, 0, 0, 0, 0};
    assert_false(reads(NULL, MONITOR_KS, &names, some, some) || reads(NULL, MONITOR_WASSERSTEIN, &names, some, some));
    assert_false(reads(NULL, MONITOR_WASSERSTEIN, &numbers, constant, some));      /* no standard deviation to count in */
    for (monitor_detector_id i = 0; i < MONITOR_N_DETECTORS; i++) {
        bool rate = i == MONITOR_MISSING_RATE || i == MONITOR_UNSEEN_RATE;
        assert_true(reads(NULL, i, &numbers, some, some));
        assert_int_equal(reads(NULL, i, &numbers, some, none), rate);
        assert_int_equal(reads(NULL, i, &numbers, none, some), rate);
        assert_false(reads(NULL, i, &numbers, some, nothing) || reads(NULL, i, &numbers, nothing, some));
    }
}

static void a_threshold_is_reached_in_both_directions(void **state)
{
    (void)state;
    static const struct { double statistic, threshold; bool reached; } table[] = {
        {0.2, 0.2, true}, {0.19, 0.2, false}, {-0.02, 0.01, true}, {-0.005, 0.01, false}, {0, 0.1, false}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(monitor_detector_reaches(&(monitor_reading){.statistic = table[i].statistic}, table[i].threshold), table[i].reached);
}

/* ---- streams ---- */

static void stream_detectors_signal_where_their_definitions_do(void **state)
{
    scratch *s = *state;
    FILE *in = oracle_cases(s, "oracle_streams.py", "all", "Python", false);
    assert_non_null(in);
    char detector[32], name[64];
    size_t n = 0, cases = 0, drifts = 0, warnings = 0;
    while (fscanf(in, "%31s %63s %zu", detector, name, &n) == 3) {
        const monitor_stream *kind = monitor_stream_find(detector);
        assert_non_null(kind);
        double *v = calloc(kind->numbers, sizeof *v);
        kind->start(v);
        for (size_t i = 0; i < n; i++) {
            double x = 0;
            int want = 0;
            assert_int_equal(fscanf(in, "%lf %d", &x, &want), 2);
            monitor_signal got = monitor_stream_add(kind, v, x, NULL);
            if ((int)got != want) fail_msg("%s on %s: value %zu gives %d, by definition %d", detector, name, i, (int)got, want);
            drifts += want == 2;
            warnings += want == 1;
        }
        free(v);
        cases++;
    }
    fclose(in);
    assert_int_equal(cases, 9 + 9 + 4);
    assert_true(drifts >= 20 && warnings >= 20);
}

static void saved_states_go_on_and_damaged_ones_are_refused(void **state)
{
    (void)state;
    for (size_t k = 0; monitor_streams[k] != NULL; k++) {
        const monitor_stream *kind = monitor_streams[k];
        double *one = calloc(kind->numbers, sizeof *one), *two = calloc(kind->numbers, sizeof *two), *bad = calloc(kind->numbers, sizeof *bad);
        size_t refused = 0, same = 0;
        kind->start(one);
        kind->start(two);
        assert_true(kind->valid(one));
        for (int i = 0; i < 3000; i++) {
            double x = i < 2000 ? i % 7 == 0 : i % 3 != 0;
            if (i == 1777) assert_true(monitor_stream_restore(kind, two, one));
            same += i < 1777 || (monitor_stream_add(kind, two, x, NULL) == monitor_stream_add(kind, one, x, NULL));
            if (i < 1777) monitor_stream_add(kind, one, x, NULL);
        }
        assert_int_equal(same, 3000);
        assert_memory_equal(one, two, kind->numbers * sizeof *one);
        monitor_stream_add(kind, one, NAN, &refused);
        monitor_stream_add(kind, one, -INFINITY, &refused);
        assert_int_equal(refused, 2);
        assert_memory_equal(one, two, kind->numbers * sizeof *one);
        memcpy(bad, one, kind->numbers * sizeof *bad);
        bad[0] = NAN;
        assert_false(monitor_stream_restore(kind, two, bad));
        bad[0] = -5;
        assert_false(monitor_stream_restore(kind, two, bad));
        assert_memory_equal(one, two, kind->numbers * sizeof *one);
        free(one);
        free(two);
        free(bad);
    }
    size_t refused = 0;
    double ddm[16];
    monitor_stream_ddm.start(ddm);
    monitor_stream_add(&monitor_stream_ddm, ddm, 1.5, &refused);      /* neither right nor wrong */
    assert_int_equal(refused, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_has_a_name_of_its_own_and_a_unit),
        cmocka_unit_test(figures_are_those_of_the_ordinary_bins),
        cmocka_unit_test(say_nothing_where_they_do_not_apply),
        cmocka_unit_test(a_threshold_is_reached_in_both_directions),
        cmocka_unit_test_setup_teardown(stream_detectors_signal_where_their_definitions_do, scratch_set_up, scratch_tear_down),
        cmocka_unit_test(saved_states_go_on_and_damaged_ones_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
