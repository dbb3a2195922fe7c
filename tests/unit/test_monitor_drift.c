/** Drift of a model: two keys, which column, since when; no alarm without drift; a state that goes on to the same bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "monitor/drift.h"
#include "tests/unit/drift_columns.h"

enum { NUMBERS = 6, CATEGORY = NUMBERS, COLUMNS, REFERENCE_ROWS = 20000 };
static const char *const colours[] = {"red", "green", "blue", "black"};
static const monitor_drift_opts usual = {.threshold = {0.2, 0.1, 0.2, 0.3, 0.1, 0.01, 0.01}, .opens = {true, true, false, false, false, true, true}, .false_alarms = 0.05};

/** What happens to the rows of one column. */
typedef struct change { size_t column; double shift, missing, unseen; } change;

static const change quiet = {.column = SIZE_MAX};

static size_t place_of_row(const fw_bins *b, size_t column, draws *d, const change *c)
{
    bool changed = c->column == column;
    double u = draw_unit(d);
    if (changed && u < c->missing) return fw_bins_missing(b);
    if (changed && u < c->missing + c->unseen) return fw_bins_unseen(b);
    if (column == CATEGORY) return (size_t)(4 * draw_unit(d) * draw_unit(d));
    return fw_bins_find(b, draw_normal(d) + (changed ? c->shift : 0));
}

static void add_rows(fw_summary *s, size_t rows, draws *d, const change *c)
{
    uint64_t count[COLUMNS * 40] = {0};
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0, at = 0; i < COLUMNS; at += fw_bins_counts(fw_summary_bins(s, i)), i++) count[at + place_of_row(fw_summary_bins(s, i), i, d, c)]++;
    assert_int_equal(fw_summary_add_counts(s, count, fw_summary_total(s), rows, NULL), FW_OK);
}

static fw_summary *columns_of(uint64_t seed)
{
    fw_bins bins[COLUMNS] = {0};
    draws d = draws_of(seed);
    double *v = malloc(REFERENCE_ROWS * sizeof *v);
    for (size_t i = 0; i < NUMBERS; i++) {
        char name[16];
        snprintf(name, sizeof name, "x%zu", i);
        for (size_t row = 0; row < REFERENCE_ROWS; row++) v[row] = draw_normal(&d);
        assert_int_equal(quantile_bins(&bins[i], name, v, REFERENCE_ROWS), FW_OK);
    }
    assert_int_equal(fw_bins_of_labels(&bins[CATEGORY], "colour", FW_BINS_CATEGORY, colours, 4, NULL), FW_OK);
    fw_summary *s = NULL;
    assert_int_equal(fw_summary_create(&s, bins, COLUMNS, NULL), FW_OK);
    for (size_t i = 0; i < COLUMNS; i++) fw_bins_destroy(&bins[i]);
    free(v);
    return s;
}

typedef struct world { fw_summary *reference, *window; monitor_drift *drift; draws d; uint64_t looks; } world;

static void world_make(world *w, uint64_t seed, const monitor_drift_opts *opts)
{
    *w = (world){.reference = columns_of(seed), .window = columns_of(seed), .d = draws_of(seed + 1000)};
    draws d = draws_of(seed + 500);
    add_rows(w->reference, REFERENCE_ROWS, &d, &quiet);
    assert_int_equal(monitor_drift_create(&w->drift, w->reference, opts, NULL), FW_OK);
}

static void world_end(world *w)
{
    monitor_drift_destroy(&w->drift);
    fw_summary_destroy(&w->reference);
    fw_summary_destroy(&w->window);
}

/** Windows of `rows` until there is an alarm, at most n; their number, or n + 1. */
static size_t look(world *w, size_t n, size_t rows, const change *c)
{
    for (size_t i = 1; i <= n; i++) {
        fw_summary_reset(w->window);
        add_rows(w->window, rows, &w->d, c);
        assert_int_equal(monitor_drift_look(w->drift, w->window, ++w->looks, NULL), FW_OK);
        if (monitor_drift_alarms(w->drift) > 0) return i;
    }
    return n + 1;
}

static void says_which_column_drifts_since_when_and_how_far(void **state)
{
    (void)state;
    world w;
    world_make(&w, 1, &usual);
    assert_int_equal(look(&w, 40, 500, &quiet), 41);
    size_t took = look(&w, 10, 500, &(change){.column = 3, .shift = 0.5});
    assert_true(took <= 3);
    for (size_t i = 0; i < COLUMNS; i++) assert_int_equal(monitor_drift_feature(w.drift, i)->alarm, i == 3);
    const monitor_feature *f = monitor_drift_feature(w.drift, 3);
    const monitor_answer *a = &f->answer[MONITOR_SHARES];
    assert_string_equal(f->bins->name, "x3");
    assert_true(a->alarm && a->evident && a->effect && a->log_evidence > 7);
    assert_false(f->answer[MONITOR_MISSING].alarm || f->answer[MONITOR_UNSEEN].alarm);
    assert_true(a->since >= 39 && a->since <= 41 && a->rows_since == (w.looks - a->since + 1) * 500);
    assert_true(f->recent[MONITOR_JS].reached && f->window[MONITOR_JS].reached && f->window[MONITOR_KS].said);
    assert_true(fabs(f->recent[MONITOR_WASSERSTEIN].reading.statistic - 0.5) < 0.15);
    assert_false(f->recent[MONITOR_MISSING_RATE].said);      /* nothing speaks for it */
    world_end(&w);
}

static void an_alarm_needs_both_keys(void **state)
{
    (void)state;
    world w;
    world_make(&w, 2, &usual);                                  /* a small shift: certain in the end, and too small to matter */
    assert_int_equal(look(&w, 40, 1000, &(change){.column = 0, .shift = 0.12}), 41);
    const monitor_feature *f = monitor_drift_feature(w.drift, 0);
    assert_true(f->answer[MONITOR_SHARES].evident && !f->answer[MONITOR_SHARES].effect && f->recent[MONITOR_JS].said);
    world_end(&w);
    world_make(&w, 3, &usual);                                  /* 40 rows: figures far above their thresholds, by chance alone */
    assert_int_equal(look(&w, 100, 40, &quiet), 101);
    assert_true(monitor_drift_feature(w.drift, 0)->window[MONITOR_JS].reached);
    world_end(&w);
    monitor_drift_opts none = usual;                            /* what is not in alert_on is for reading alone */
    memset(none.opens, 0, sizeof none.opens);
    world_make(&w, 4, &none);
    assert_int_equal(look(&w, 10, 500, &(change){.column = 0, .shift = 1}), 11);
    f = monitor_drift_feature(w.drift, 0);
    assert_true(f->answer[MONITOR_SHARES].evident && f->recent[MONITOR_JS].reached && !f->alarm);
    world_end(&w);
}

static void missing_and_unseen_values_are_questions_of_their_own(void **state)
{
    (void)state;
    static const struct { change c; monitor_question q; } table[] = {
        {{.column = 2, .missing = 0.03}, MONITOR_MISSING}, {{.column = CATEGORY, .unseen = 0.03}, MONITOR_UNSEEN}, {{.column = CATEGORY, .missing = 0.5}, MONITOR_MISSING}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        world w;
        world_make(&w, 10 + i, &usual);
        assert_int_equal(look(&w, 10, 1000, &quiet), 11);
        assert_true(look(&w, 10, 1000, &table[i].c) <= 4);
        const monitor_feature *f = monitor_drift_feature(w.drift, table[i].c.column);
        for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) assert_int_equal(f->answer[q].alarm, q == table[i].q);
        world_end(&w);
    }
}

static void an_alarm_ends_and_a_later_one_is_found(void **state)
{
    (void)state;
    world w;
    world_make(&w, 5, &usual);
    const change shifted = {.column = 1, .shift = 0.6};
    assert_true(look(&w, 5, 1000, &shifted) <= 3);
    look(&w, 1, 1000, &shifted);
    assert_int_equal(monitor_drift_alarms(w.drift), 1);
    size_t back = 0;
    while (monitor_drift_alarms(w.drift) > 0 && back < 30) {
        look(&w, 1, 1000, &quiet);
        back++;
    }
    assert_true(back >= 3 && back <= 12);
    assert_int_equal(look(&w, 30, 1000, &quiet), 31);
    assert_true(look(&w, 6, 1000, &shifted) <= 4);
    assert_true(monitor_drift_feature(w.drift, 1)->alarm);
    world_end(&w);
}

static void no_alarm_comes_without_drift(void **state)
{
    (void)state;
    for (uint64_t seed = 20; seed < 24; seed++) {
        world w;
        world_make(&w, seed, &usual);
        assert_int_equal(look(&w, 250, 200, &quiet), 251);
        for (size_t i = 0; i < COLUMNS; i++)
            for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) assert_false(monitor_drift_feature(w.drift, i)->answer[q].evident);
        world_end(&w);
    }
}

static void a_restored_state_goes_on_to_the_same_bits(void **state)
{
    (void)state;
    world one, two;
    world_make(&one, 6, &usual);
    world_make(&two, 6, &usual);
    const change c = {.column = 4, .shift = 0.3, .missing = 0.01};
    for (int i = 0; i < 9; i++) look(&one, 1, 700, &c);
    FW_AUTO(fw_text) saved = {0}, first = {0}, second = {0};
    assert_int_equal(monitor_drift_save(one.drift, &saved, NULL), FW_OK);
    assert_int_equal(monitor_drift_restore(two.drift, saved.data, saved.len, NULL), FW_OK);
    assert_int_equal(monitor_drift_save(two.drift, &second, NULL), FW_OK);
    assert_memory_equal(second.data, saved.data, saved.len);
    fw_text_clear(&second);
    two.d = one.d;
    two.looks = one.looks;
    for (size_t i = 0; i < COLUMNS; i++)
        for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) {
            const monitor_answer *a = &monitor_drift_feature(one.drift, i)->answer[q], *b = &monitor_drift_feature(two.drift, i)->answer[q];
            assert_true(a->log_evidence == b->log_evidence && a->alarm == b->alarm && a->since == b->since && a->rows_since == b->rows_since);
        }
    for (int i = 0; i < 12; i++) {
        look(&one, 1, 700, &c);
        look(&two, 1, 700, &c);
    }
    assert_int_equal(monitor_drift_save(one.drift, &first, NULL), FW_OK);
    assert_int_equal(monitor_drift_save(two.drift, &second, NULL), FW_OK);
    assert_int_equal(first.len, second.len);
    assert_memory_equal(first.data, second.data, first.len);
    assert_true(monitor_drift_feature(one.drift, 4)->alarm && monitor_drift_feature(two.drift, 4)->alarm);
    world_end(&one);
    world_end(&two);
}

static void damaged_and_foreign_states_are_refused(void **state)
{
    (void)state;
    world one, other;
    world_make(&one, 7, &usual);
    world_make(&other, 8, &usual);
    look(&one, 5, 300, &(change){.column = 0, .shift = 1});
    FW_AUTO(fw_text) saved = {0}, fresh = {0}, now = {0};
    assert_int_equal(monitor_drift_save(one.drift, &saved, NULL), FW_OK);
    assert_int_equal(monitor_drift_save(other.drift, &fresh, NULL), FW_OK);
    fw_error err = {0};
    assert_int_equal(monitor_drift_restore(other.drift, saved.data, saved.len, &err), FW_ERR_DATA);
    assert_non_null(strstr(err.text, "another reference"));
    for (size_t len = 0; len < saved.len; len += 1 + saved.len / 97) assert_int_equal(monitor_drift_restore(one.drift, saved.data, len, NULL), FW_ERR_DATA);
    for (size_t at = 0; at < saved.len; at += 1 + saved.len / 97) {
        saved.data[at] ^= 0x10;
        assert_int_equal(monitor_drift_restore(one.drift, saved.data, saved.len, NULL), FW_ERR_DATA);
        saved.data[at] ^= 0x10;
    }
    assert_int_equal(monitor_drift_alarms(one.drift), 0);      /* as it was created */
    assert_int_equal(monitor_drift_save(other.drift, &now, NULL), FW_OK);
    assert_memory_equal(now.data, fresh.data, fresh.len);
    assert_int_equal(monitor_drift_restore(one.drift, saved.data, saved.len, NULL), FW_OK);
    assert_int_equal(monitor_drift_alarms(one.drift), 1);
    world_end(&one);
    world_end(&other);
}

static void counts_on_other_bins_and_wrong_options_are_refused(void **state)
{
    (void)state;
    world one, other;
    world_make(&one, 7, &usual);
    world_make(&other, 8, &usual);
    assert_int_equal(monitor_drift_look(one.drift, other.window, 1, NULL), FW_ERR_DATA);
    monitor_drift *d = NULL;
    monitor_drift_opts bad = usual;
    bad.false_alarms = 0;
    assert_int_equal(monitor_drift_create(&d, one.reference, &bad, NULL), FW_ERR_ARG);
    bad = usual;
    bad.threshold[MONITOR_KS] = 0;
    assert_int_equal(monitor_drift_create(&d, one.reference, &bad, NULL), FW_ERR_ARG);
    assert_null(d);
    world_end(&one);
    world_end(&other);
}

static void options_come_from_the_project_file(void **state)
{
    (void)state;
    fw_project *p = NULL;
    fw_error err = {0};
    static const char text[] = "project: p\nproblem: {task: classification, target: y}\ndata: {tables: {t: t.csv}}\n";
    if (fw_project_parse(&p, text, "p.yaml", ".", &err) != FW_OK) fail_msg("%s", err.text);
    monitor_drift_opts o = monitor_drift_opts_of(p);
    assert_memory_equal(o.threshold, usual.threshold, sizeof o.threshold);
    assert_memory_equal(o.opens, usual.opens, sizeof o.opens);
    assert_true(o.false_alarms == 0.05);
    assert_int_equal(fw_project_set(p, "monitor.drift", "{alert_on: [wasserstein], wasserstein: 0.25, false_alarms: 0.01}", &err), FW_OK);
    o = monitor_drift_opts_of(p);
    assert_true(o.opens[MONITOR_WASSERSTEIN] && !o.opens[MONITOR_JS] && o.threshold[MONITOR_WASSERSTEIN] == 0.25 && o.false_alarms == 0.01);
    assert_int_equal(fw_project_set(p, "monitor.drift.alert_on", "[astrology]", &err), FW_ERR_CONFIG);
    fw_project_destroy(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_which_column_drifts_since_when_and_how_far), cmocka_unit_test(an_alarm_needs_both_keys),
        cmocka_unit_test(missing_and_unseen_values_are_questions_of_their_own), cmocka_unit_test(an_alarm_ends_and_a_later_one_is_found),
        cmocka_unit_test(no_alarm_comes_without_drift), cmocka_unit_test(a_restored_state_goes_on_to_the_same_bits),
        cmocka_unit_test(damaged_and_foreign_states_are_refused), cmocka_unit_test(counts_on_other_bins_and_wrong_options_are_refused),
        cmocka_unit_test(options_come_from_the_project_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
