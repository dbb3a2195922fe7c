/** Falls of quality: what the limits pay for the reference's own rows, how often there is evidence at the limit itself, that each metric's fall is found, and that the state
 *  goes on to the same bits, also through the store. More runs: tests/bench/bench_fall.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/stats/bound.h"
#include "monitor/limit.h"
#include "monitor/quality_version.h"
#include "tests/unit/fall_rows.h"
#include "tests/unit/store_fixture.h"

enum { REFERENCE = 4000 };
#define STRENGTH 3.7

/* ---- limits -------------------------------------------------------------------------------------------------------------------------------- */

typedef struct confusion { uint64_t hit, false_alarm, miss, rest; } confusion;

static confusion confuse(size_t rows, uint64_t seed)
{
    draws d = draws_of(seed);
    confusion c = {0};
    for (size_t i = 0; i < rows; i++) {
        fall_row r = {0};
        fall_draw(&r, 2, 0, &d);
        uint64_t *const at[2][2] = {{&c.rest, &c.miss}, {&c.false_alarm, &c.hit}};
        ++*at[r.judged.said][r.judged.truth];
    }
    return c;
}

static void near(double got, double want, double tolerance, const char *what)
{
    if (!(fabs(got - want) <= tolerance * fabs(want))) fail_msg("%s: %.17g instead of %.17g", what, got, want);
}

static void a_share_pays_by_its_exact_bound(void **state)
{
    (void)state;
    draws d = draws_of(1);
    fw_reference *r = fall_reference(2, REFERENCE, &d);
    const confusion c = confuse(REFERENCE, 1);
    assert_int_equal(fw_reference_check(r, NULL), FW_OK);
    near(monitor_limit_of(FW_QUALITY_ACCURACY, 0.05, r, STRENGTH).value, fw_share_bound(c.false_alarm + c.miss, REFERENCE, STRENGTH) + 0.05, 1e-12, "accuracy");
    near(monitor_limit_of(FW_QUALITY_PRECISION, 0.1, r, STRENGTH).value, fw_share_bound(c.false_alarm, c.hit + c.false_alarm, STRENGTH) + 0.1, 1e-12, "precision");
    near(monitor_limit_of(FW_QUALITY_RECALL, 0.1, r, STRENGTH).value, fw_share_bound(c.miss, c.hit + c.miss, STRENGTH) + 0.1, 1e-12, "recall");
    const double j = 1 - fw_share_bound(c.miss + c.false_alarm, c.hit + c.miss + c.false_alarm, STRENGTH), f1 = 2 * j / (1 + j) - 0.05;
    near(monitor_limit_of(FW_QUALITY_F1, 0.05, r, STRENGTH).value, 1 - f1 / (2 - f1), 1e-12, "f1");
    assert_int_equal(monitor_limit_of(FW_QUALITY_MACRO_F1, 0.05, r, STRENGTH).kind, MONITOR_LIMIT_NONE);      /* the reference has none */
    fw_reference_destroy(&r);
}

/* Sigma 1: E e^2 = 1 with variance 2, E |e| = sqrt(2 / pi) with variance 1 - 2 / pi. The log loss: its rows' own spread, of which the bins see most. */
static void a_mean_pays_by_its_standard_error(void **state)
{
    (void)state;
    draws d = draws_of(2);
    fw_reference *r = fall_reference(0, 40 * REFERENCE, &d);
    const double rows = 40 * REFERENCE, t = fw_student_bound(STRENGTH, INFINITY);
    const double mse = pow(monitor_reference_metric(r, FW_QUALITY_RMSE)->value, 2), mae = monitor_reference_metric(r, FW_QUALITY_MAE)->value;
    near(monitor_limit_of(FW_QUALITY_RMSE, 0.1, r, STRENGTH).value / 1.21 - mse, t * sqrt(2 / rows), 0.02, "rmse");
    near(monitor_limit_of(FW_QUALITY_MAE, 0.1, r, STRENGTH).value / 1.1 - mae, t * sqrt((1 - 2 / M_PI) / rows), 0.02, "mae");
    fw_reference_destroy(&r);
    r = fall_reference(2, 40 * REFERENCE, &d);
    double sum = 0, square = 0;
    const monitor_shape shape = fall_shape(2);
    for (size_t i = 0; i < 40 * REFERENCE; i++) {
        fall_row row = {0};
        double loss = 0;
        fall_draw(&row, 2, 0, &d);
        assert_true(monitor_judged_log_loss(&loss, &shape, &row.judged));
        sum += loss / rows, square += loss * loss / rows;
    }
    near(monitor_limit_of(FW_QUALITY_LOG_LOSS, 0.1, r, STRENGTH).value / 1.1 - monitor_reference_metric(r, FW_QUALITY_LOG_LOSS)->value, t * sqrt((square - sum * sum) / rows), 0.2, "log_loss");
    fw_reference_destroy(&r);
}

static void a_small_reference_says_nothing_of_blocks(void **state)
{
    (void)state;
    draws d = draws_of(3);
    fw_reference *r = fall_reference(2, 250, &d), *larger = fall_reference(2, REFERENCE, &d);
    const monitor_performance_opts o = {.metric = FW_QUALITY_AUC};
    monitor_fall *f = fall_of(r, 2, &o);
    const monitor_limit limit = monitor_limit_of(FW_QUALITY_AUC, 0.05, larger, STRENGTH);
    const fw_reference_metric *m = monitor_reference_metric(larger, FW_QUALITY_AUC);
    assert_true(limit.kind == MONITOR_LIMIT_BLOCK && limit.block_rows == REFERENCE / 10);
    near(limit.value, m->mean - fw_student_bound(STRENGTH, 9) * m->deviation / sqrt(10) - 0.05, 1e-12, "auc");
    fall_feed(f, 2, 0.4, 20000, &d);
    assert_true(!monitor_fall_can(f) && !monitor_fall_sure(f).evident);
    monitor_fall_destroy(&f);
    fw_reference_destroy(&r);
    fw_reference_destroy(&larger);
}

/* Whatever a peer says of its model: a limit that is a number, or none; and rows do no harm. */
static void a_reference_that_lies_does_no_harm(void **state)
{
    (void)state;
    static const double lies[] = {-3, 0, 1, 2, 5, 1e308, 5e-324};
    for (size_t n = 0; n <= 3; n += n == 0 ? 2 : 1)
        for (size_t i = 0; i < sizeof lies / sizeof *lies; i++)
            for (fw_quality_metric m = 0; m < FW_N_QUALITIES; m++) {
                draws d = draws_of(4);
                fw_reference *r = fall_reference(n, 400, &d);
                const uint64_t many[FALL_BINS + 2] = {UINT64_C(1) << 61, UINT64_C(1) << 60};
                for (size_t k = 0; k < r->n_metrics; k++) r->metrics[k].value = r->metrics[k].mean = lies[i], r->metrics[k].deviation = fabs(lies[(i + 3) % 7]);
                if (i % 2) assert_int_equal(fw_summary_add_column(r->summary, 0, many, NULL), FW_OK);
                if (i == 3) r->chunk_rows = UINT64_MAX / 8 + 1;
                const monitor_limit limit = monitor_limit_of(m, 0.05, r, STRENGTH);
                assert_true(isfinite(limit.value) && (limit.kind != MONITOR_LIMIT_LOSS || limit.value > 0));
                monitor_fall *f = fall_of(r, n, &(monitor_performance_opts){.metric = m});
                fall_feed(f, n, 0.3, 300, &d);
                assert_true(!isnan(monitor_fall_sure(f).log_e));
                monitor_fall_destroy(&f);
                fw_reference_destroy(&r);
            }
}

/* ---- falls --------------------------------------------------------------------------------------------------------------------------------- */

/* worse: what is found within `rows`; the drop is 0.05. */
static const struct { fw_quality_metric metric; size_t n_classes; double worse; size_t rows; } cases[] = {
    {FW_QUALITY_ACCURACY, 2, 0.2, 2500}, {FW_QUALITY_ACCURACY, 3, 0.2, 2500}, {FW_QUALITY_PRECISION, 2, 0.2, 4000}, {FW_QUALITY_RECALL, 2, 0.2, 4000}, {FW_QUALITY_F1, 2, 0.2, 4000},
    {FW_QUALITY_AUC, 2, 0.2, 4000}, {FW_QUALITY_AUC, 3, 0.25, 6000}, {FW_QUALITY_MACRO_F1, 3, 0.2, 4000}, {FW_QUALITY_LOG_LOSS, 2, 0.1, 2500}, {FW_QUALITY_LOG_LOSS, 3, 0.1, 2500},
    {FW_QUALITY_RMSE, 0, 0.25, 2500}, {FW_QUALITY_MAE, 0, 0.25, 2500}};
enum { CASES = sizeof cases / sizeof *cases };

static void each_metric_is_silent_until_it_falls(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        draws d = draws_of(10 + i);
        fw_reference *r = fall_reference(cases[i].n_classes, REFERENCE, &d);
        monitor_fall *f = fall_of(r, cases[i].n_classes, &(monitor_performance_opts){.metric = cases[i].metric});
        assert_true(monitor_fall_can(f));
        fall_feed(f, cases[i].n_classes, 0, 20000, &d);
        if (monitor_fall_sure(f).evident) fail_msg("%s of %zu classes: evident without a fall", fw_quality_name(cases[i].metric), cases[i].n_classes);
        fall_feed(f, cases[i].n_classes, cases[i].worse, cases[i].rows, &d);
        if (!monitor_fall_sure(f).evident)
            fail_msg("%s of %zu classes: ln e is %g after %zu rows", fw_quality_name(cases[i].metric), cases[i].n_classes, monitor_fall_sure(f).log_e, cases[i].rows);
        monitor_fall_destroy(&f);
        fw_reference_destroy(&r);
    }
}

/** Rows as bad as is still allowed: a new reference for each run, so that its luck is among the chances. Evident at any row of them. */
static bool is_ever_evident(size_t n_classes, fw_quality_metric metric, double worse, double drop, size_t rows, uint64_t seed)
{
    draws d = draws_of(seed);
    fw_reference *r = fall_reference(n_classes, 400, &d);
    monitor_fall *f = fall_of(r, n_classes, &(monitor_performance_opts){.metric = metric, .drop = drop, .false_alarms = 0.1});
    bool evident = false;
    for (size_t row = 0; row < rows && !evident; row += 10) {
        fall_feed(f, n_classes, worse, 10, &d);
        evident = monitor_fall_sure(f).evident;
    }
    monitor_fall_destroy(&f);
    fw_reference_destroy(&r);
    return evident;
}

/* With outcomes turned round for w of the rows the accuracy is (1 - w) a + w (1 - a), a = E max(s, 1 - s) = 0.856775 (by SciPy's quad): w = 0.05 / (2 a - 1) is a drop of 0.05. Errors
 * that are 1.05 as long are a rise of rmse of 0.05. 150 runs with a budget of 0.1: more than 28 have a chance below 1e-3. */
static void at_the_limit_itself_evidence_is_as_rare_as_was_allowed(void **state)
{
    (void)state;
    size_t accuracy = 0, rmse = 0, beyond = 0;
    for (uint64_t seed = 0; seed < 150; seed++) {
        accuracy += is_ever_evident(2, FW_QUALITY_ACCURACY, 0.05 / (2 * 0.856775 - 1), 0.05, 12000, 1000 + seed);
        rmse += is_ever_evident(0, FW_QUALITY_RMSE, 0.05, 0.05, 12000, 2000 + seed);
        if (seed < 20) beyond += is_ever_evident(2, FW_QUALITY_ACCURACY, 0.3, 0.05, 12000, 3000 + seed);
    }
    if (accuracy > 28 || rmse > 28 || beyond < 20) fail_msg("evident at the limit: accuracy %zu, rmse %zu of 150; beyond it %zu of 20", accuracy, rmse, beyond);
}

static void an_alarm_ends_after_calm_windows_and_evidence_begins_anew(void **state)
{
    (void)state;
    draws d = draws_of(5);
    fw_reference *r = fall_reference(2, REFERENCE, &d);
    monitor_fall *f = fall_of(r, 2, &(monitor_performance_opts){.metric = FW_QUALITY_ACCURACY});
    fall_feed(f, 2, 0.4, 3000, &d);
    const double before = monitor_fall_sure(f).log_e;
    for (size_t i = 0; i < 5; i++) monitor_fall_judge(f, 0.01, 0.05);      /* evident, but no window was that bad: no alarm that could end */
    assert_true(monitor_fall_sure(f).evident && monitor_fall_sure(f).log_e >= before);
    monitor_fall_judge(f, 0.2, 0.05);
    monitor_fall_judge(f, 0.01, 0.05);
    monitor_fall_judge(f, 0.01, 0.05);
    monitor_fall_judge(f, 0.045, 0.05);                                    /* not calm */
    monitor_fall_judge(f, 0.01, 0.05);
    monitor_fall_judge(f, 0.01, 0.05);
    assert_true(monitor_fall_sure(f).evident);
    monitor_fall_judge(f, 0.01, 0.05);
    assert_true(!monitor_fall_sure(f).evident && isinf(monitor_fall_sure(f).log_e));
    fall_feed(f, 2, 0.4, 3000, &d);
    assert_true(monitor_fall_sure(f).evident);
    monitor_fall_destroy(&f);
    fw_reference_destroy(&r);
}

/* ---- states -------------------------------------------------------------------------------------------------------------------------------- */

static void its_state_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < CASES; i++) {
        const monitor_performance_opts o = {.metric = cases[i].metric};
        const size_t n = cases[i].n_classes;
        draws d = draws_of(50 + i);
        fw_reference *r = fall_reference(n, REFERENCE, &d);
        monitor_fall *f = fall_of(r, n, &o), *other = fall_of(r, n, &o);
        for (size_t turn = 0; turn < 20; turn++) {
            FW_AUTO(fw_text) bytes = {0};
            draws same = d;
            fall_feed(f, n, 0.02 * (double)turn, 177, &d);
            fall_feed(other, n, 0.02 * (double)turn, 177, &same);
            if (turn % 3 == 0) monitor_fall_judge(f, 0.06, 0.05), monitor_fall_judge(other, 0.06, 0.05);
            assert_int_equal(monitor_fall_save(other, &bytes, NULL), FW_OK);
            assert_true(bytes.len > 300);
            monitor_fall_destroy(&other);
            other = fall_of(r, n, &o);
            assert_int_equal(monitor_fall_restore(other, (monitor_bytes){bytes.data, bytes.len}, NULL), FW_OK);
            const monitor_sure a = monitor_fall_sure(f), b = monitor_fall_sure(other);
            assert_memory_equal(&a.log_e, &b.log_e, sizeof a.log_e);
        }
        FW_AUTO(fw_text) nothing = {0};
        assert_true(monitor_fall_save(other, &nothing, NULL) == FW_OK && nothing.len == 0);      /* it has not changed */
        monitor_fall_destroy(&f);
        monitor_fall_destroy(&other);
        fw_reference_destroy(&r);
    }
}

static void a_state_that_is_damaged_or_of_other_figures_is_refused(void **state)
{
    (void)state;
    draws d = draws_of(6);
    FW_AUTO(fw_text) bytes = {0};
    fw_reference *r = fall_reference(2, REFERENCE, &d), *another = fall_reference(2, REFERENCE, &d);
    monitor_fall *f = fall_of(r, 2, &(monitor_performance_opts){.metric = FW_QUALITY_AUC});
    fall_feed(f, 2, 0, 1100, &d);
    assert_int_equal(monitor_fall_save(f, &bytes, NULL), FW_OK);
    for (size_t i = 0; i < bytes.len; i += 5) {
        bytes.data[i] ^= 0x10;
        assert_int_equal(monitor_fall_restore(f, (monitor_bytes){bytes.data, bytes.len}, NULL), FW_ERR_DATA);
        bytes.data[i] ^= 0x10;
        assert_int_equal(monitor_fall_restore(f, (monitor_bytes){bytes.data, i}, NULL), FW_ERR_DATA);
        assert_true(isinf(monitor_fall_sure(f).log_e));
    }
    assert_int_equal(monitor_fall_restore(f, (monitor_bytes){bytes.data, bytes.len}, NULL), FW_OK);
    const monitor_performance_opts others[] = {{.metric = FW_QUALITY_AUC, .drop = 0.04}, {.metric = FW_QUALITY_ACCURACY}, {.metric = FW_QUALITY_AUC}};
    for (size_t i = 0; i < 3; i++) {
        monitor_fall *o = fall_of(i == 2 ? another : r, 2, &others[i]);
        assert_int_equal(monitor_fall_restore(o, (monitor_bytes){bytes.data, bytes.len}, NULL), FW_ERR_DATA);
        monitor_fall_destroy(&o);
    }
    monitor_fall_destroy(&f);
    fw_reference_destroy(&r);
    fw_reference_destroy(&another);
}

/* ---- a version with a store: every pair counts once, and the evidence is kept with the outcomes that it has seen ----------------------------- */

static const char *const NAMES[] = {"a", "b"};
#define T0 INT64_C(1700000000000000)

/* late: its reference becomes known only after it was restored. */
static monitor_version *open_version(monitor_store *store, monitor_alert_desk *desk, const monitor_known *known, bool late)
{
    monitor_version *v = NULL;
    monitor_reader *from = NULL;
    fw_error err = {0};
    const monitor_version_told told = {.name = "m", .digest = "d", .classes = NAMES, .n_classes = 2, .known = late ? NULL : known, .model = 5};
    if (monitor_version_create(&v, &told, &(monitor_version_opts){.store = store, .desk = desk}, &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(monitor_reader_open(&from, path, NULL), FW_OK);
    assert_int_equal(monitor_version_restore(v, from, NULL), FW_OK);
    if (late) {
        assert_int_equal(monitor_version_know(v, known, NULL), FW_OK);
        assert_int_equal(monitor_version_restore_fall(v, from, NULL), FW_OK);
    }
    monitor_reader_destroy(&from);
    return v;
}

static void give(monitor_version *v, size_t i, const fall_row *r, bool again)
{
    char id[24];
    snprintf(id, sizeof id, "r%zu", i);
    const float p[2] = {1 - r->score[0], r->score[0]};
    const fw_prediction said = {.id = id, .label = r->judged.said, .confidence = 0.75f, .probabilities = p, .n_probabilities = 2};
    assert_int_equal(monitor_outcomes_predict(v->outcomes, &said, 1 + i / 500, T0, NULL), FW_OK);
    assert_int_equal(monitor_outcomes_take(v->outcomes, id, NAMES[r->judged.truth], T0, T0, NULL, NULL), FW_OK);
    if (again) assert_int_equal(monitor_outcomes_take(v->outcomes, id, NAMES[r->judged.truth], T0, T0, NULL, NULL), FW_OK);                       /* a double */
    if (again) assert_int_equal(monitor_outcomes_take(v->outcomes, id, NAMES[1 - r->judged.truth], T0 + 5000000, T0, NULL, NULL), FW_OK);      /* a correction */
}

static void every_pair_counts_once_also_through_the_store(void **state)
{
    (void)state;
    draws d = draws_of(7);
    fw_reference *r = fall_reference(2, REFERENCE, &d);
    char name[] = "m", digest[] = "d";
    const monitor_known known = {.name = name, .digest = digest, .reference = r};
    monitor_store *store = open_with((monitor_store_opts){0});
    monitor_alert_desk *desk = NULL;
    assert_int_equal(monitor_alert_desk_open(&desk, store, path, &(monitor_alert_opts){0}, &(monitor_deliver_opts){0}, T0, NULL), FW_OK);
    monitor_version *v = open_version(store, desk, &known, false);
    monitor_fall *plain = fall_of(r, 2, &(monitor_performance_opts){.metric = FW_QUALITY_ACCURACY});
    for (size_t i = 0; i < 2000; i++) {
        fall_row row = {0};
        fall_draw(&row, 2, i < 1000 ? 0 : 0.3, &d);
        give(v, i, &row, i % 3 == 0);
        assert_int_equal(monitor_fall_take(plain, &row.judged, NULL), FW_OK);
        if (i % 191 != 190) continue;
        assert_int_equal(monitor_version_flush(v, NULL), FW_OK);
        assert_int_equal(monitor_store_commit(store, NULL), FW_OK);
        monitor_version_destroy(&v);
        v = open_version(store, desk, &known, i % 2 == 0);
        for (size_t again = i - 50; again <= i; again++) {
            char id[24];
            snprintf(id, sizeof id, "r%zu", again);
            assert_int_equal(monitor_outcomes_take(v->outcomes, id, "a", T0, T0, NULL, NULL), FW_OK);      /* a double, or a conflict: told again by who did not know */
        }
    }
    const monitor_sure a = monitor_fall_sure(v->fall), b = monitor_fall_sure(plain);
    assert_true(a.evident && monitor_outcomes_count(v->outcomes).corrected > 600);
    assert_memory_equal(&a.log_e, &b.log_e, sizeof a.log_e);
    monitor_version_destroy(&v);
    monitor_fall_destroy(&plain);
    monitor_alert_desk_close(&desk, 0);
    monitor_store_close(&store);
    fw_reference_destroy(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_share_pays_by_its_exact_bound),
        cmocka_unit_test(a_mean_pays_by_its_standard_error),
        cmocka_unit_test(a_small_reference_says_nothing_of_blocks),
        cmocka_unit_test(a_reference_that_lies_does_no_harm),
        cmocka_unit_test(each_metric_is_silent_until_it_falls),
        cmocka_unit_test(at_the_limit_itself_evidence_is_as_rare_as_was_allowed),
        cmocka_unit_test(an_alarm_ends_after_calm_windows_and_evidence_begins_anew),
        cmocka_unit_test(its_state_goes_on_to_the_same_bits),
        cmocka_unit_test(a_state_that_is_damaged_or_of_other_figures_is_refused),
        cmocka_unit_test_setup_teardown(every_pair_counts_once_also_through_the_store, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
