/** Outcomes joined with predictions in any order, against the metrics of all rows at once (common/stats/metrics.h); what is doubled, corrected, unknown, late; and a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <string.h>

#include "common/stats/metrics.h"
#include "monitor/outcomes_windows.h"
#include "monitor/store_outcomes.h"
#include "tests/unit/store_fixture.h"

#define WINDOWS 4
#define ROWS    900            /* in all of them */
#define NOW     INT64_C(1700000000000000)

/* ---- rows --------------------------------------------------------------------------------------------------------------------------------- */

typedef struct rows {
    size_t n_classes, positive;
    uint32_t said[ROWS], truth[ROWS];
    float p[ROWS][3];
    double value[ROWS], actual[ROWS];
    char id[ROWS][16];
} rows;

static const char *const names[3] = {"no", "yes", "perhaps"};

static double draw(uint64_t *state)
{
    *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(*state >> 11) / 9007199254740992.0;
}

static void make_rows(rows *r, size_t n_classes, size_t positive)
{
    uint64_t seed = 7 + n_classes;
    *r = (rows){.n_classes = n_classes, .positive = positive};
    for (size_t i = 0; i < ROWS; i++) {
        float total = 0;
        for (size_t k = 0; k < n_classes; k++) total += r->p[i][k] = (float)(0.01 + draw(&seed) * draw(&seed));
        for (size_t k = 0; k < n_classes; k++) r->p[i][k] /= total;
        for (size_t k = 1; k < n_classes; k++)
            if (r->p[i][k] > r->p[i][r->said[i]]) r->said[i] = (uint32_t)k;
        r->truth[i] = draw(&seed) < 0.7 ? r->said[i] : (uint32_t)(draw(&seed) * (double)n_classes);
        r->value[i] = 10 * draw(&seed);
        r->actual[i] = r->value[i] + draw(&seed) - 0.4;
        snprintf(r->id[i], sizeof r->id[i], "id-%zu", i);
    }
}

static uint64_t window_of_row(size_t i) { return 1 + i % WINDOWS; }

/* ---- the model under test, and what it told ------------------------------------------------------------------------------------------------ */

typedef struct bench {
    monitor_outcomes *o;
    monitor_quality_window told[WINDOWS + 1];
    size_t n_told, due;
    size_t predictions, outcomes;      /* rows on the shelf */
} bench;

static fw_status on_prediction(void *c, const monitor_waiting_prediction_row *row, bool keep, fw_error *err)
{
    (void)row, (void)err;
    ((bench *)c)->predictions += keep ? 1 : (size_t)-1;
    return FW_OK;
}

static fw_status on_tell(void *c, const monitor_quality_window *w, fw_error *err)
{
    (void)err;
    bench *b = c;
    assert_true(w->window >= 1 && w->window <= WINDOWS && w->model == 5);
    b->told[w->window] = *w;
    b->n_told++;
    b->due += w->due;
    return FW_OK;
}

static monitor_outcomes_opts opts_of(const rows *r)
{
    return (monitor_outcomes_opts){.model = 5, .shape = {.task = r->n_classes > 0 ? FW_TASK_CLASSIFICATION : FW_TASK_REGRESSION, .n_classes = r->n_classes, .positive = r->positive},
                                   .classes = names};
}

static void start(bench *b, monitor_outcomes_opts opts)
{
    const monitor_shelf shelf = {.context = b, .keep_prediction = on_prediction, .tell = on_tell};
    fw_error err;
    *b = (bench){0};
    if (monitor_outcomes_create(&b->o, &opts, &shelf, &err) != FW_OK) fail_msg("%s", err.text);
}

static void predict(monitor_outcomes *o, const rows *r, size_t i)
{
    const fw_prediction p = {.id = r->id[i], .label = r->said[i], .confidence = r->n_classes > 0 ? r->p[i][r->said[i]] : 0, .probabilities = r->p[i],
                             .n_probabilities = r->n_classes, .value = r->n_classes > 0 ? 0 : r->value[i]};
    assert_int_equal(monitor_outcomes_predict(o, &p, window_of_row(i), NOW, NULL), FW_OK);
}

static void label(monitor_outcomes *o, const rows *r, size_t i)
{
    char number[FW_NUMBER_TEXT];
    fw_format_double(number, r->actual[i]);
    assert_int_equal(monitor_outcomes_take(o, r->id[i], r->n_classes > 0 ? names[r->truth[i]] : number, NOW + 5000000, NOW, NULL, NULL), FW_OK);
}

/* The metrics of a window's rows at once. */
static double metric_of(const rows *r, uint64_t window, const char *name)
{
    static float p[ROWS * 3];
    static double value[ROWS], actual[ROWS];
    static int32_t truth[ROWS];
    size_t n = 0;
    double v = 0;
    for (size_t i = 0; i < ROWS; i++) {
        if (window_of_row(i) != window) continue;
        for (size_t k = 0; k < r->n_classes; k++) p[n * r->n_classes + k] = r->p[i][k];
        truth[n] = (int32_t)r->truth[i];
        value[n] = r->value[i];
        actual[n++] = r->actual[i];
    }
    const fw_predictions all = {.task = r->n_classes > 0 ? FW_TASK_CLASSIFICATION : FW_TASK_REGRESSION, .n = n, .n_classes = r->n_classes, .p = p, .label = truth, .value = value,
                                .truth = actual, .positive_first = r->positive == 0};
    assert_int_equal(fw_metrics_compute_one(&v, &all, name, NULL), FW_OK);
    return v;
}

/* Sums are exact: 1e-12; of two classes one float is kept, and the other is what it leaves of 1, to 2^-25: of a mean of logarithms 1e-7; auc is of places. */
static void check_told(const bench *b, const rows *r)
{
    for (uint64_t w = 1; w <= WINDOWS; w++) {
        const monitor_quality_window *t = &b->told[w];
        assert_true(t->labelled == t->rows && t->rows == ROWS / WINDOWS && fabs(t->lag_s - 5) < 1e-9);
        for (fw_quality_metric m = 0; m < FW_N_QUALITIES; m++) {
            const fw_interval got = t->realised.of[m];
            const bool expected = r->n_classes == 0 ? m >= FW_QUALITY_RMSE : m < FW_QUALITY_RMSE && (r->n_classes == 2 ? m != FW_QUALITY_MACRO_F1 : m == 0 || m >= FW_QUALITY_MACRO_F1);
            if (isnan(got.value) == expected) fail_msg("window %lu: %s is %g", w, fw_quality_name(m), got.value);
            if (!expected) continue;
            const double want = metric_of(r, w, fw_quality_name(m)), tolerance = m == FW_QUALITY_AUC ? 1e-3 : m == FW_QUALITY_LOG_LOSS ? 1e-7 : 1e-12;
            if (!(fabs(got.value - want) <= tolerance)) fail_msg("window %lu: %s is %.15g instead of %.15g", w, fw_quality_name(m), got.value, want);
            assert_true(got.low < got.value && got.value < got.high && got.high - got.low < 0.6);
        }
    }
}

static const struct { size_t n_classes, positive; } shapes[] = {{2, 0}, {2, 1}, {3, 0}, {0, 0}};
#define N_SHAPES (sizeof shapes / sizeof *shapes)

/* ---- tests -------------------------------------------------------------------------------------------------------------------------------- */

static void any_order_gives_the_metrics_of_all_rows(void **state)
{
    (void)state;
    static rows r;
    static bench b[2];
    for (size_t s = 0; s < N_SHAPES; s++) {
        make_rows(&r, shapes[s].n_classes, shapes[s].positive);
        for (size_t turn = 0; turn < 2; turn++) {
            monitor_outcomes_opts opts = opts_of(&r);
            if (turn == 1) opts.max_open = 1 + s % 2;             /* all others are packed, and unpacked for the next row */
            start(&b[turn], opts);
            for (size_t k = 0; k < 2 * ROWS; k++) {      /* a permutation of predictions and outcomes; 1,801 is prime to 1,800 */
                const size_t at = turn == 0 ? k : (k * 1801 + 17) * 7 % (2 * ROWS), i = at % ROWS;
                if ((at < ROWS) == (turn == 0 || i % 2 == 0)) predict(b[turn].o, &r, i);
                else label(b[turn].o, &r, i);
            }
            assert_int_equal(monitor_outcomes_flush(b[turn].o, NULL), FW_OK);
            check_told(&b[turn], &r);
            const monitor_outcomes_counts c = monitor_outcomes_count(b[turn].o);
            assert_true(c.joined == ROWS && c.predictions == ROWS && c.outcomes == ROWS && b[turn].predictions == ROWS && b[turn].n_told == WINDOWS);
        }
        for (uint64_t w = 1; w <= WINDOWS; w++) assert_memory_equal(&b[0].told[w].realised, &b[1].told[w].realised, sizeof b[0].told[w].realised);
        monitor_outcomes_destroy(&b[0].o);
        monitor_outcomes_destroy(&b[1].o);
    }
}

static void doubles_and_conflicts_change_nothing_and_corrections_do(void **state)
{
    (void)state;
    static rows r;
    static bench b, plain;
    for (size_t s = 0; s < N_SHAPES; s++) {
        make_rows(&r, shapes[s].n_classes, shapes[s].positive);
        start(&b, opts_of(&r));
        start(&plain, opts_of(&r));
        for (size_t i = 0; i < ROWS; i++) predict(b.o, &r, i), predict(plain.o, &r, i);
        for (size_t i = 0; i < ROWS; i++) {
            const char *wrong = r.n_classes > 0 ? names[(r.truth[i] + 1) % r.n_classes] : "-77.5";
            if (i % 3 == 0) assert_int_equal(monitor_outcomes_take(b.o, r.id[i], wrong, NOW + 4000000, NOW, NULL, NULL), FW_OK);      /* corrected by the next */
            label(b.o, &r, i);
            label(b.o, &r, i);
            assert_int_equal(monitor_outcomes_take(b.o, r.id[i], wrong, NOW + (int64_t)(i % 2) * 5000000, NOW, NULL, NULL), FW_OK);           /* not later: a conflict */
            predict(b.o, &r, i);
            label(plain.o, &r, i);
        }
        assert_int_equal(monitor_outcomes_flush(b.o, NULL), FW_OK);
        assert_int_equal(monitor_outcomes_flush(plain.o, NULL), FW_OK);
        for (uint64_t w = 1; w <= WINDOWS; w++) assert_memory_equal(&b.told[w].realised, &plain.told[w].realised, sizeof b.told[w].realised);
        const monitor_outcomes_counts c = monitor_outcomes_count(b.o);
        assert_true(c.corrected == ROWS / 3 && c.doubled == ROWS && c.conflicts == ROWS && c.repeated == ROWS && c.joined == ROWS);
        monitor_outcomes_destroy(&b.o);
        monitor_outcomes_destroy(&plain.o);
    }
}

static void a_closed_window_is_amended_and_due_once(void **state)
{
    (void)state;
    static rows r;
    static bench b;
    fw_qualities estimated = fw_qualities_none();
    make_rows(&r, 2, 1);
    start(&b, opts_of(&r));
    estimated.of[FW_QUALITY_AUC] = (fw_interval){0.8, 0.7, 0.9};
    for (size_t i = 0; i < ROWS; i++) predict(b.o, &r, i);
    assert_int_equal(monitor_outcomes_close(b.o, 1, &estimated, NULL), FW_OK);
    assert_int_equal(monitor_outcomes_flush(b.o, NULL), FW_OK);
    assert_true(b.told[1].closed && b.told[1].revised == 0 && b.due == 0 && isnan(b.told[1].realised.of[0].value) && b.told[1].estimated.of[FW_QUALITY_AUC].value > 0.79);
    for (size_t i = 0; i < ROWS; i++) {
        if (window_of_row(i) > 2) continue;                            /* 1 is closed; 2 has all outcomes, but is open */
        label(b.o, &r, i);
        if (window_of_row(i) == 1) assert_int_equal(monitor_outcomes_flush(b.o, NULL), FW_OK);
        assert_int_equal(b.due, b.told[1].labelled >= 113 ? 1 : 0);      /* half of 225 */
    }
    assert_true(b.told[1].revised == 225 && b.told[2].revised == 0 && b.told[1].labelled == 225 && !b.told[2].due);
    const size_t before = b.n_told;
    assert_int_equal(monitor_outcomes_flush(b.o, NULL), FW_OK);
    assert_int_equal(monitor_outcomes_flush(b.o, NULL), FW_OK);
    assert_true(b.n_told <= before + 1);                               /* nothing has changed but what window 2 had left */
    monitor_outcomes_destroy(&b.o);
}

static void bad_outcomes_are_refused_with_their_reason(void **state)
{
    (void)state;
    static rows r;
    static bench b;
    const struct { size_t n_classes; const char *outcome; const char *why; } bad[] = {
        {2, "Yes", "is no class"}, {2, "", "is no class"}, {2, "yes ", "is no class"}, {0, "nan", "is no number"}, {0, "1e999", "is no number"}, {0, "", "is no number"},
        {0, "0x10", "is no number"}, {0, "1e300", "too large"}};
    for (size_t k = 0; k < sizeof bad / sizeof *bad; k++) {
        fw_error why = {0};
        make_rows(&r, bad[k].n_classes, 0);
        start(&b, opts_of(&r));
        predict(b.o, &r, 0);
        assert_int_equal(monitor_outcomes_take(b.o, r.id[0], bad[k].outcome, NOW, NOW, &why, NULL), FW_OK);
        if (strstr(why.text, bad[k].why) == NULL) fail_msg("'%s': %s", bad[k].outcome, why.text);
        label(b.o, &r, 0);                                             /* and the right one still counts */
        const monitor_outcomes_counts c = monitor_outcomes_count(b.o);
        assert_true(c.refused == 1 && c.joined == 1 && c.outcomes == 2);
        assert_int_equal(monitor_outcomes_take(b.o, "", "yes", NOW, NOW, NULL, NULL), FW_OK);      /* of no id: passed over */
        assert_true(monitor_outcomes_count(b.o).outcomes == 2);
        monitor_outcomes_destroy(&b.o);
    }
}

static void an_error_too_large_is_refused_whichever_side_comes_first(void **state)
{
    (void)state;
    static rows r;
    static bench b;
    make_rows(&r, 0, 0);
    start(&b, opts_of(&r));
    assert_int_equal(monitor_outcomes_take(b.o, r.id[0], "1e300", NOW, NOW, NULL, NULL), FW_OK);
    predict(b.o, &r, 0);
    label(b.o, &r, 0);
    const monitor_outcomes_counts c = monitor_outcomes_count(b.o);
    assert_true(c.refused == 1 && c.joined == 1);
    monitor_outcomes_destroy(&b.o);
}

static void memory_is_bounded_and_what_is_let_go_is_counted(void **state)
{
    (void)state;
    static rows r;
    static bench b;
    make_rows(&r, 2, 1);
    monitor_outcomes_opts opts = opts_of(&r);
    opts.max_ids = 100;
    opts.max_windows = 2;
    opts.horizon_s = 60;
    start(&b, opts);
    for (size_t i = 0; i < 300; i++) {                                 /* windows 1, 2, 3, 4, 1, 2, ...: once 3 and 4 are held, 1 and 2 are late */
        predict(b.o, &r, i);
        assert_int_equal(monitor_outcomes_take(b.o, r.id[300 + i], "yes", NOW, NOW, NULL, NULL), FW_OK);
        assert_true(monitor_outcomes_waiting(b.o) <= 100);
    }
    monitor_outcomes_counts c = monitor_outcomes_count(b.o);
    assert_true(c.late == 148 && c.unlabelled + c.unknown == 300 + 152 - 100 && b.predictions + c.unlabelled == 152);
    assert_int_equal(monitor_outcomes_tick(b.o, NOW + 59 * 1000000, NULL), FW_OK);
    assert_int_equal(monitor_outcomes_waiting(b.o), 100);
    assert_int_equal(monitor_outcomes_tick(b.o, NOW + 61 * 1000000, NULL), FW_OK);
    c = monitor_outcomes_count(b.o);
    assert_true(monitor_outcomes_waiting(b.o) == 0 && c.unlabelled + c.unknown == 452 && b.predictions == 0);
    monitor_outcomes_destroy(&b.o);
}

/** More windows are closed between two flushes than are held: each of them is told once, with its estimate. */
static void a_window_that_leaves_has_told_what_it_knows(void **state)
{
    (void)state;
    static rows r;
    static bench b;
    make_rows(&r, 2, 1);
    monitor_outcomes_opts opts = opts_of(&r);
    opts.max_windows = 2;
    start(&b, opts);
    for (uint64_t w = 1; w <= WINDOWS; w++) {
        fw_qualities estimated = fw_qualities_none();
        estimated.of[FW_QUALITY_ACCURACY].value = 0.5 + 0.1 * (double)w;
        assert_int_equal(monitor_outcomes_close(b.o, w, &estimated, NULL), FW_OK);
        assert_int_equal(b.n_told, w > 2 ? w - 2 : 0);
    }
    assert_int_equal(monitor_outcomes_flush(b.o, NULL), FW_OK);
    assert_int_equal(b.n_told, WINDOWS);
    for (uint64_t w = 1; w <= WINDOWS; w++) assert_true(b.told[w].closed && fabs(b.told[w].estimated.of[FW_QUALITY_ACCURACY].value - (0.5 + 0.1 * (double)w)) < 1e-12);
    monitor_outcomes_destroy(&b.o);
}

/* Beside a plain list of their numbers: the oldest leave, and some come that are older than the newest. */
static void windows_come_and_go_in_the_order_of_their_numbers(void **state)
{
    (void)state;
    enum { MOST = 7 };
    const monitor_shape shape = {.task = FW_TASK_CLASSIFICATION, .n_classes = 2, .positive = 1};
    uint64_t held[MOST + 1] = {0};
    size_t n = 0;
    monitor_windows_held h = {0};
    monitor_held *w = NULL;
    assert_int_equal(monitor_held_init(&h, &shape, MOST, 2, 1 << 20, NULL), FW_OK);
    for (uint64_t i = 1; i < 1000; i++) {
        const uint64_t number = i % 5 == 0 ? 10 * i - 25 : 10 * i;
        size_t at = n;
        assert_int_equal(monitor_held_make(&w, &h, number, NULL), FW_OK);
        assert_true(w != NULL && w->window == number && !w->closed && w->rows == 0);
        w->rows = number;
        for (; at > 0 && held[at - 1] > number; at--) held[at] = held[at - 1];
        held[at] = number;
        n++;
        while ((w = monitor_held_over(&h)) != NULL) monitor_held_drop(&h, w);
        if (n > MOST) memmove(held, held + 1, --n * sizeof *held);
        if (i % 50 == 0) {                       /* one from the middle */
            monitor_held_drop(&h, monitor_held_find(&h, held[3]));
            memmove(held + 3, held + 4, (--n - 3) * sizeof *held);
        }
        assert_int_equal(h.n, n);
        for (size_t k = 0; k < n; k++) assert_true(h.v[k].window == held[k] && h.v[k].rows == held[k] && monitor_held_find(&h, held[k]) == &h.v[k]);
    }
    assert_true(h.capacity < 64);
    monitor_held_release(&h);
}

/* Each window with outcomes takes some fifty bytes once it is packed. */
static void packed_windows_are_bounded_and_the_oldest_goes(void **state)
{
    (void)state;
    static rows r;
    static bench b;
    make_rows(&r, 2, 1);
    monitor_outcomes_opts opts = opts_of(&r);
    opts.max_open = 1;
    opts.max_bytes = 300;
    b = (bench){0};
    assert_int_equal(monitor_outcomes_create(&b.o, &opts, &(monitor_shelf){.context = &b, .keep_prediction = on_prediction}, NULL), FW_OK);
    for (uint64_t w = 1; w <= 20; w++) {
        const fw_prediction p = {.id = r.id[w], .label = r.said[w], .confidence = r.p[w][r.said[w]], .probabilities = r.p[w], .n_probabilities = 2};
        assert_int_equal(monitor_outcomes_predict(b.o, &p, w, NOW, NULL), FW_OK);
        label(b.o, &r, w);
    }
    for (size_t i = 20; i >= 1; i--) assert_int_equal(monitor_outcomes_take(b.o, r.id[i], names[!r.truth[i]], NOW + 9000000, NOW, NULL, NULL), FW_OK);      /* corrections, of windows that are packed too */
    const monitor_outcomes_counts c = monitor_outcomes_count(b.o);
    assert_true(c.joined == 20 && c.corrected == 20 && c.late > 10 && c.late < 19);
    monitor_outcomes_destroy(&b.o);
}

static void words_come_back_from_few_bytes(void **state)
{
    (void)state;
    static const uint64_t word[] = {0, 0, 0, 1, 0x7f, 0x80, 0, UINT64_MAX, 0, 0, UINT64_C(1) << 63, 0x3fff, 0x4000, 0};
    for (size_t n = 0; n <= sizeof word / sizeof *word; n++) {
        FW_AUTO(fw_text) words = {0};
        FW_AUTO(fw_text) few = {0};
        FW_AUTO(fw_text) again = {0};
        for (size_t i = 0; i < n; i++) monitor_put_word(&words, word[i]);
        for (size_t i = 0; i < 1000 * (n % 2); i++) monitor_put_word(&words, 0);
        monitor_words_shrink(&few, &(monitor_words){(const unsigned char *)words.data, words.len});
        monitor_words_stretch(&again, few.data, few.len);
        assert_true(again.len == words.len && (words.len == 0 || memcmp(again.data, words.data, words.len) == 0));
        assert_true(few.len <= 46);
    }
}

static void a_shape_that_cannot_be_is_refused(void **state)
{
    (void)state;
    const char *const twice[2] = {"a", "a"};
    const monitor_outcomes_opts bad[] = {
        {.shape = {FW_TASK_CLASSIFICATION, 1, 0}, .classes = names}, {.shape = {FW_TASK_CLASSIFICATION, 2, 2}, .classes = names}, {.shape = {FW_TASK_REGRESSION, 2, 0}, .classes = names},
        {.shape = {FW_TASK_CLASSIFICATION, FW_TELEMETRY_MAX_CLASSES + 1, 0}}, {.shape = {FW_TASK_CLASSIFICATION, 2, 0}, .classes = twice}};
    const monitor_shelf shelf = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        monitor_outcomes *o = NULL;
        assert_int_equal(monitor_outcomes_create(&o, &bad[i], &shelf, NULL), FW_ERR_ARG);
        assert_null(o);
    }
}

/* ---- with the store ------------------------------------------------------------------------------------------------------------------------ */

static fw_status count_performance(void *c, const monitor_performance_row *row, fw_error *err)
{
    (void)err;
    assert_true(row->model == 5 && !(row->labelled < 1) && row->low < row->realised);
    ++*(size_t *)c;
    return FW_OK;
}

static monitor_outcomes *open_outcomes(monitor_store_shelf *shelf, const rows *r, size_t *left_out)
{
    const monitor_outcomes_opts opts = opts_of(r);
    const monitor_shelf s = monitor_store_shelf_of(shelf);
    monitor_outcomes *o = NULL;
    monitor_reader *from = reader();
    assert_int_equal(monitor_outcomes_create(&o, &opts, &s, NULL), FW_OK);
    assert_int_equal(monitor_outcomes_restore(o, 5, from, NOW, left_out, NULL, NULL), FW_OK);
    monitor_reader_destroy(&from);
    return o;
}

static fw_status hear(void *c, const monitor_quality_window *w, fw_error *err) { return on_tell(c, w, err); }

/* Ended and restored after every 97 messages, with each message of the last 20 again: the bits of one life. */
static void goes_on_from_the_store_as_if_nothing_had_happened(void **state)
{
    (void)state;
    static rows r;
    static bench b, plain;
    for (size_t s = 0; s < N_SHAPES; s++) {
        make_rows(&r, shapes[s].n_classes, shapes[s].positive);
        start(&plain, opts_of(&r));
        b = (bench){0};
        end(state);
        assert_int_equal(begin(state), 0);
        monitor_store *store = open_with((monitor_store_opts){0});
        monitor_store_shelf shelf = {.store = store, .context = &b, .heard = hear, .now_us = NOW};
        size_t left_out = 0, n_rows = 0;
        monitor_outcomes *o = open_outcomes(&shelf, &r, &left_out);
        for (size_t k = 0; k < 2 * ROWS; k++) {
            const size_t i = k * 7 % ROWS;
            if (k < ROWS) predict(o, &r, i), predict(plain.o, &r, i);
            else label(o, &r, i), label(plain.o, &r, i);
            if (k % 97 != 96) continue;
            assert_int_equal(monitor_outcomes_flush(o, NULL), FW_OK);
            commit(store);
            monitor_outcomes_destroy(&o);
            o = open_outcomes(&shelf, &r, &left_out);
            assert_int_equal(left_out, 0);
            for (size_t again = k - 20; again <= k; again++)
                if (again < ROWS) predict(o, &r, again * 7 % ROWS);
                else label(o, &r, again * 7 % ROWS);
        }
        assert_int_equal(monitor_outcomes_flush(o, NULL), FW_OK);
        assert_int_equal(monitor_outcomes_flush(plain.o, NULL), FW_OK);
        commit(store);
        check_told(&b, &r);
        for (uint64_t w = 1; w <= WINDOWS; w++) assert_memory_equal(&b.told[w].realised, &plain.told[w].realised, sizeof b.told[w].realised);
        const monitor_outcomes_counts c = monitor_outcomes_count(o);
        assert_true(c.joined == ROWS && c.late == 0 && c.refused == 0);
        FW_AUTO(monitor_reader) *from = reader();
        assert_int_equal(monitor_read_performance(from, NULL, count_performance, &n_rows, NULL), FW_OK);
        assert_int_equal(n_rows, WINDOWS * (r.n_classes == 0 ? 2 : r.n_classes == 2 ? 6 : 4));
        monitor_outcomes_destroy(&o);
        monitor_outcomes_destroy(&plain.o);
        monitor_store_close(&store);
    }
}

typedef struct bits { const char *key; char *bytes; size_t len; } bits;

static fw_status take_bits(void *c, const char *key, monitor_bytes bytes, fw_error *err)
{
    (void)err;
    bits *b = c;
    if (strstr(key, "/2") == NULL) return FW_OK;
    b->bytes = realloc(b->bytes, bytes.len);
    memcpy(b->bytes, bytes.data, bytes.len);
    b->len = bytes.len;
    return FW_OK;
}

/** It goes into the store at each commit, and comes back. */
static void the_state_of_a_window_without_outcomes_is_small(void **state)
{
    (void)state;
    static rows r;
    static bench b;
    bits saved = {0};
    make_rows(&r, 2, 1);
    const monitor_outcomes_opts opts = opts_of(&r);
    const monitor_shelf shelf = {.context = &saved, .keep_state = take_bits};
    monitor_outcomes *o = NULL;
    fw_qualities estimated = fw_qualities_none();
    estimated.of[FW_QUALITY_ACCURACY].value = 0.75;
    assert_int_equal(monitor_outcomes_create(&o, &opts, &shelf, NULL), FW_OK);
    predict(o, &r, 1);                           /* of window 2, and nobody knows what it should have been */
    assert_int_equal(monitor_outcomes_close(o, 2, &estimated, NULL), FW_OK);
    assert_int_equal(monitor_outcomes_flush(o, NULL), FW_OK);
    assert_in_range(saved.len, 1, 500);
    start(&b, opts);
    assert_int_equal(monitor_outcomes_restore_state(b.o, "outcomes/5/2", (monitor_bytes){saved.bytes, saved.len}, NULL), FW_OK);
    predict(b.o, &r, 5);                         /* of the same window */
    assert_int_equal(monitor_outcomes_flush(b.o, NULL), FW_OK);
    assert_true(b.told[2].rows == 2 && b.told[2].closed && b.told[2].labelled == 0 && b.told[2].estimated.of[FW_QUALITY_ACCURACY].value == 0.75);
    monitor_outcomes_destroy(&o);
    monitor_outcomes_destroy(&b.o);
    free(saved.bytes);
}

static void a_damaged_state_is_refused(void **state)
{
    (void)state;
    static rows r;
    bits saved = {0};
    make_rows(&r, 2, 1);
    const monitor_outcomes_opts opts = opts_of(&r);
    const monitor_shelf shelf = {.context = &saved, .keep_state = take_bits}, nothing = {0};
    monitor_outcomes *o = NULL, *to = NULL;
    assert_int_equal(monitor_outcomes_create(&o, &opts, &shelf, NULL), FW_OK);
    for (size_t i = 0; i < 40; i++) predict(o, &r, i), label(o, &r, i);
    assert_int_equal(monitor_outcomes_flush(o, NULL), FW_OK);
    assert_int_equal(monitor_outcomes_create(&to, &opts, &nothing, NULL), FW_OK);
    for (size_t i = 0; i < saved.len; i += 3) {
        saved.bytes[i] ^= 0x10;
        assert_int_equal(monitor_outcomes_restore_state(to, "outcomes/5/2", (monitor_bytes){saved.bytes, saved.len}, NULL), FW_ERR_DATA);
        saved.bytes[i] ^= 0x10;
        assert_int_equal(monitor_outcomes_restore_state(to, "outcomes/5/2", (monitor_bytes){saved.bytes, i}, NULL), FW_ERR_DATA);
    }
    assert_int_equal(monitor_outcomes_restore_state(to, "outcomes/5/2", (monitor_bytes){saved.bytes, saved.len}, NULL), FW_OK);
    assert_int_equal(monitor_outcomes_restore_state(to, "outcomes/55/2", (monitor_bytes){saved.bytes, 3}, NULL), FW_OK);      /* of others */
    const float score = 0.5f;
    const monitor_waiting_prediction_row bad[] = {
        {.model = 6, .id = "x", .window = 1}, {.model = 5, .id = "", .window = 1}, {.model = 5, .id = "x", .window = 0}, {.model = 5, .id = "x", .window = 1, .label = 2},
        {.model = 5, .id = "x", .window = 1, .label = -1}, {.model = 5, .id = "x", .window = 1, .probabilities = {&score, 3}}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_int_equal(monitor_outcomes_restore_prediction(to, &bad[i], NOW, NULL), FW_ERR_DATA);
    const monitor_waiting_outcome_row other = {.model = 5, .id = "x", .outcome = "neither"};
    assert_int_equal(monitor_outcomes_restore_outcome(to, &other, NOW, NULL), FW_ERR_DATA);
    monitor_outcomes_destroy(&o);
    monitor_outcomes_destroy(&to);
    free(saved.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_order_gives_the_metrics_of_all_rows),
        cmocka_unit_test(doubles_and_conflicts_change_nothing_and_corrections_do),
        cmocka_unit_test(a_closed_window_is_amended_and_due_once),
        cmocka_unit_test(bad_outcomes_are_refused_with_their_reason),
        cmocka_unit_test(an_error_too_large_is_refused_whichever_side_comes_first),
        cmocka_unit_test(memory_is_bounded_and_what_is_let_go_is_counted),
        cmocka_unit_test(a_window_that_leaves_has_told_what_it_knows),
        cmocka_unit_test(windows_come_and_go_in_the_order_of_their_numbers),
        cmocka_unit_test(the_state_of_a_window_without_outcomes_is_small),
        cmocka_unit_test(packed_windows_are_bounded_and_the_oldest_goes),
        cmocka_unit_test(words_come_back_from_few_bytes),
        cmocka_unit_test(a_shape_that_cannot_be_is_refused),
        cmocka_unit_test_setup_teardown(goes_on_from_the_store_as_if_nothing_had_happened, begin, end),
        cmocka_unit_test(a_damaged_state_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
