/** Drift detectors that can be believed, in figures:
 *    bench_drift                          all of it, small: 10 seconds
 *    bench_drift tick [columns]           one look at 1,000 columns of 32 bins; fails above 5 ms
 *    bench_drift quiet [seeds] [looks] [rows] [columns] [first]
 *                                         no drift, 100 columns (numbers, rounded numbers, categories, gaps): runs with an alarm, and with evidence alone
 *    bench_drift shift [runs] [quiet] [rows] [reference]
 *                                         0.25 sigma in one of 28 columns after so many quiet windows: rows until the alarm, beside KS at 0.05 looked at every window */
#include <time.h>

#include "common/stats/drift.h"
#include "monitor/drift.h"
#include "tests/unit/drift_columns.h"

static const monitor_drift_opts usual = {.threshold = {0.2, 0.1, 0.2, 0.3, 0.1, 0.01, 0.01}, .opens = {true, true, false, false, false, true, true}, .false_alarms = 0.05};

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void must(fw_status s, const fw_error *err)
{
    if (s == FW_OK) return;
    fprintf(stderr, "bench_drift: %s\n", err->text);
    exit(1);
}

/* ---- columns ---- */
typedef enum kind { NORMAL, ROUNDED, LABELS, RARE, GAPS, N_KINDS } kind;
enum { LABEL_MAX = 40 };

typedef struct source { kind kind; double shift; } source;

/** A Zipf law over 40 labels, or a class that one row in a hundred has: a label; else a number. */
static double draw(const source *s, draws *d, bool *missing)
{
    *missing = s->kind == GAPS && draw_unit(d) < 0.02;
    if (s->kind == LABELS) return floor(exp(draw_unit(d) * log(LABEL_MAX + 1)) - 1);
    if (s->kind == RARE) return draw_unit(d) < 0.01;
    double x = draw_normal(d) + s->shift;
    return s->kind == ROUNDED ? floor(4 * x) / 4 : x;
}

static void bins_of(fw_bins *out, const source *s, size_t i, double *v, size_t rows, draws *d)
{
    fw_error err = {0};
    char name[32], text[LABEL_MAX][8];
    const char *labels[LABEL_MAX];
    bool missing;
    snprintf(name, sizeof name, "x%zu", i);
    for (size_t k = 0; k < LABEL_MAX; k++) {
        snprintf(text[k], sizeof text[k], "l%zu", k);
        labels[k] = text[k];
    }
    for (size_t row = 0; row < rows; row++) v[row] = draw(s, d, &missing);
    if (s->kind == LABELS || s->kind == RARE) must(fw_bins_of_labels(out, name, FW_BINS_CATEGORY, labels, s->kind == RARE ? 2 : LABEL_MAX, &err), &err);
    else must(quantile_bins(out, name, v, rows), &err);
}

/** Counts of rows drawn now, one source a column. */
static void draw_window(fw_summary *s, const source *sources, size_t n, size_t rows, draws *d, uint64_t *count)
{
    fw_error err = {0};
    memset(count, 0, fw_summary_total(s) * sizeof *count);
    for (size_t i = 0, at = 0; i < n; i++) {
        const fw_bins *b = fw_summary_bins(s, i);
        for (size_t row = 0; row < rows; row++) {
            bool missing;
            double x = draw(&sources[i], d, &missing);
            count[at + (missing ? fw_bins_missing(b) : fw_bins_find(b, x))]++;
        }
        at += fw_bins_counts(b);
    }
    fw_summary_reset(s);
    must(fw_summary_add_counts(s, count, fw_summary_total(s), rows, &err), &err);
}

/** The reference: the very rows that the bins were cut from. */
static void reference_of(fw_summary **reference, fw_summary **window, const source *sources, size_t n, size_t rows, uint64_t seed)
{
    fw_error err = {0};
    fw_bins *bins = calloc(n, sizeof *bins);
    double *v = malloc(rows * sizeof *v);
    uint64_t *count = NULL;
    draws d = draws_of(seed), again = d;
    for (size_t i = 0; i < n; i++) bins_of(&bins[i], &sources[i], i, v, rows, &d);
    must(fw_summary_create(reference, bins, n, &err), &err);
    must(fw_summary_create(window, bins, n, &err), &err);
    count = calloc(fw_summary_total(*reference), sizeof *count);
    draw_window(*reference, sources, n, rows, &again, count);      /* the same draws, column after column */
    for (size_t i = 0; i < n; i++) fw_bins_destroy(&bins[i]);
    free(bins);
    free(v);
    free(count);
}

/* ---- windows from the true shares: the same law as rows one by one, and quicker ---- */
typedef struct alias { uint32_t *other; double *stay; size_t n; } alias;

/** Walker's table (1977; Vose's construction): a draw is one uniform number, whatever the shares. */
static void alias_make(alias *a, const double *share, size_t n)
{
    size_t small[4200], large[4200], n_small = 0, n_large = 0;
    double *p = malloc(n * sizeof *p);
    *a = (alias){.other = calloc(n, sizeof *a->other), .stay = calloc(n, sizeof *a->stay), .n = n};
    for (size_t i = 0; i < n; i++) {
        p[i] = share[i] * (double)n;
        if (p[i] < 1) small[n_small++] = i;
        else large[n_large++] = i;
    }
    while (n_small > 0 && n_large > 0) {
        size_t s = small[--n_small], l = large[n_large - 1];
        a->stay[s] = p[s];
        a->other[s] = (uint32_t)l;
        p[l] -= 1 - p[s];
        if (p[l] < 1) small[n_small++] = large[--n_large];
    }
    while (n_large > 0) a->stay[large[--n_large]] = 1;
    while (n_small > 0) a->stay[small[--n_small]] = 1;
    free(p);
}

static void alias_free(alias *a)
{
    free(a->other);
    free(a->stay);
}

static size_t alias_draw(const alias *a, draws *d)
{
    double u = draw_unit(d) * (double)a->n;
    size_t i = (size_t)u;
    return u - (double)i < a->stay[i] ? i : a->other[i];
}

static double normal_below(double x) { return 0.5 * erfc(-x / sqrt(2)); }

/** The share that the law of a source has in each place of a column. */
static void true_shares(double *share, const source *s, const fw_bins *b)
{
    size_t n = fw_bins_n(b);
    memset(share, 0, fw_bins_counts(b) * sizeof *share);
    if (s->kind == LABELS)
        for (size_t k = 0; k < n; k++) share[k] = log1p(1.0 / (double)(k + 1)) / log(LABEL_MAX + 1);
    else if (s->kind == RARE) {
        share[0] = 0.99;
        share[1] = 0.01;
    } else {
        double before = 0, kept = s->kind == GAPS ? 0.98 : 1;
        for (size_t k = 0; k < n; k++) {
            double upper = k + 1 == n ? 1 : normal_below((s->kind == ROUNDED ? b->cut[k] + 0.25 : b->cut[k]) - s->shift);
            share[k] = kept * (upper - before);
            before = upper;
        }
        share[n + 1] = 1 - kept;
    }
}

static void alias_window(fw_summary *s, const alias *a, size_t n, size_t rows, draws *d, uint64_t *count)
{
    fw_error err = {0};
    memset(count, 0, fw_summary_total(s) * sizeof *count);
    for (size_t i = 0, at = 0; i < n; at += a[i].n, i++)
        for (size_t row = 0; row < rows; row++) count[at + alias_draw(&a[i], d)]++;
    fw_summary_reset(s);
    must(fw_summary_add_counts(s, count, fw_summary_total(s), rows, &err), &err);
}

/* ---- no drift ---- */
typedef struct found { bool alarm, evident; } found;

static found quiet_run(uint64_t seed, size_t looks, size_t rows, size_t n)
{
    enum { REFERENCE = 10000 };
    fw_error err = {0};
    source *sources = calloc(n, sizeof *sources);
    alias *tables = calloc(n, sizeof *tables);
    for (size_t i = 0; i < n; i++) sources[i].kind = i % 10 == 0 ? LABELS : i % 10 == 1 ? ROUNDED : i % 10 == 2 ? GAPS : i % 20 == 3 ? RARE : NORMAL;
    fw_summary *reference = NULL, *window = NULL;
    monitor_drift *m = NULL;
    reference_of(&reference, &window, sources, n, REFERENCE, seed);
    must(monitor_drift_create(&m, reference, &usual, &err), &err);
    for (size_t i = 0; i < n; i++) {
        double share[64];
        true_shares(share, &sources[i], fw_summary_bins(window, i));
        alias_make(&tables[i], share, fw_bins_counts(fw_summary_bins(window, i)));
    }
    uint64_t *count = calloc(fw_summary_total(window), sizeof *count);
    draws d = draws_of(seed + 777777);
    found f = {0};
    for (size_t look = 0; look < looks; look++) {
        alias_window(window, tables, n, rows, &d, count);
        must(monitor_drift_look(m, window, look, &err), &err);
        f.alarm = f.alarm || monitor_drift_alarms(m) > 0;
        for (size_t i = 0; i < n && !f.evident; i++)
            for (monitor_question q = 0; q < MONITOR_N_QUESTIONS; q++) f.evident = f.evident || monitor_drift_feature(m, i)->answer[q].evident;
    }
    for (size_t i = 0; i < n; i++) alias_free(&tables[i]);
    free(tables);
    free(count);
    free(sources);
    monitor_drift_destroy(&m);
    fw_summary_destroy(&reference);
    fw_summary_destroy(&window);
    return f;
}

static int quiet(size_t seeds, size_t looks, size_t rows, size_t columns, size_t first)
{
    double begun = seconds();
    size_t alarms = 0, evident = 0;
    for (size_t seed = first; seed < first + seeds; seed++) {
        found f = quiet_run(seed, looks, rows, columns);
        alarms += f.alarm;
        evident += f.evident;
    }
    printf("quiet: %zu columns, %zu looks of %zu rows, %zu seeds (from %zu): runs with an alarm %zu (%.1f %%), with evidence alone %zu (%.1f %%), %.0f s\n", columns, looks, rows,
           seeds, first, alarms, 100.0 * (double)alarms / (double)seeds, evident, 100.0 * (double)evident / (double)seeds, seconds() - begun);
    return evident > seeds / 20;
}

/* ---- a shift ---- */
enum { FEATURES = 28 };

/** KS at 0.05 of each column at every window, as one does without a budget. */
static bool ks_rings(const fw_summary *reference, const fw_summary *window)
{
    for (size_t i = 0; i < FEATURES; i++) {
        fw_drift_test t;
        fw_drift_pair pair = {.reference = fw_summary_counts(reference, i), .current = fw_summary_counts(window, i), .n = fw_bins_n(fw_summary_bins(window, i))};
        if (fw_drift_ks(&t, &pair) && t.p <= 0.05) return true;
    }
    return false;
}

typedef struct outcome { size_t rows, ks_rows, ks_false; bool false_alarm, right; } outcome;      /* rows: until the alarm; ks_false: windows before the shift where KS rings */

static outcome shift_run(uint64_t seed, size_t before, size_t rows, size_t reference_rows)
{
    fw_error err = {0};
    source sources[FEATURES] = {0};
    fw_summary *reference = NULL, *window = NULL;
    monitor_drift *m = NULL;
    reference_of(&reference, &window, sources, FEATURES, reference_rows, seed);
    must(monitor_drift_create(&m, reference, &usual, &err), &err);
    uint64_t *count = calloc(fw_summary_total(window), sizeof *count);
    draws d = draws_of(seed + 555555);
    outcome o = {0};
    for (size_t look = 0; look < before + 100 && o.rows == 0; look++) {
        if (look == before) sources[7].shift = 0.25;
        draw_window(window, sources, FEATURES, rows, &d, count);
        must(monitor_drift_look(m, window, look, &err), &err);
        bool rings = ks_rings(reference, window), alarm = monitor_drift_alarms(m) > 0;
        if (look < before) {
            o.ks_false += rings;
            o.false_alarm = o.false_alarm || alarm;
            continue;
        }
        if (rings && o.ks_rows == 0) o.ks_rows = (look + 1 - before) * rows;
        if (alarm) o.rows = (look + 1 - before) * rows;
    }
    o.right = monitor_drift_feature(m, 7)->alarm;
    free(count);
    monitor_drift_destroy(&m);
    fw_summary_destroy(&reference);
    fw_summary_destroy(&window);
    return o;
}

static int rising(const void *a, const void *b)
{
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static int shift(size_t runs, size_t before, size_t rows, size_t reference_rows)
{
    size_t *ours = calloc(runs, sizeof *ours), *ks = calloc(runs, sizeof *ks), ks_false = 0, false_alarms = 0, right = 0;
    for (size_t i = 0; i < runs; i++) {
        outcome o = shift_run(i, before, rows, reference_rows);
        ours[i] = o.rows > 0 ? o.rows : SIZE_MAX;
        ks[i] = o.ks_rows;
        ks_false += o.ks_false;
        false_alarms += o.false_alarm;
        right += o.right;
    }
    qsort(ours, runs, sizeof *ours, rising);
    qsort(ks, runs, sizeof *ks, rising);
    size_t median = ours[runs / 2];
    printf("shift: 0.25 sigma in one of %d, after %zu windows of %zu rows, reference %zu rows, %zu runs: median %zu rows until the alarm (90 %%: %zu), %zu of the right column, "
           "%zu runs with a false alarm;", FEATURES, before, rows, reference_rows, runs, median, ours[runs * 9 / 10], right, false_alarms);
    printf(" KS at 0.05: median %zu rows", ks[runs / 2]);
    if (before > 0) printf(", rings falsely at %.1f %% of the windows before", 100.0 * (double)ks_false / (double)(runs * before));
    printf("\n");
    free(ours);
    free(ks);
    return median > 3000;
}

/* ---- time ---- */
static int tick(size_t columns)
{
    fw_error err = {0};
    source *sources = calloc(columns, sizeof *sources);
    fw_summary *reference = NULL, *window = NULL;
    monitor_drift *m = NULL;
    reference_of(&reference, &window, sources, columns, 10000, 1);
    double begun = seconds();
    must(monitor_drift_create(&m, reference, &usual, &err), &err);
    double created = seconds() - begun, best = 1e9, sum = 0, saved = 1e9;
    uint64_t *count = calloc(fw_summary_total(window), sizeof *count);
    draws d = draws_of(2);
    enum { LOOKS = 40 };
    FW_AUTO(fw_text) bytes = {0};
    for (size_t i = 0; i < LOOKS; i++) {
        draw_window(window, sources, columns, 1000, &d, count);
        begun = seconds();
        must(monitor_drift_look(m, window, i, &err), &err);
        double took = seconds() - begun;
        best = FW_MIN(best, took);
        sum += took;
        fw_text_clear(&bytes);
        begun = seconds();
        must(monitor_drift_save(m, &bytes, &err), &err);
        saved = FW_MIN(saved, seconds() - begun);
    }
    printf("tick: %zu columns of 32 bins: look %.2f ms (best; mean %.2f), create %.0f ms, state %.0f KiB saved in %.2f ms\n", columns, best * 1e3, sum / LOOKS * 1e3, created * 1e3,
           (double)bytes.len / 1024, saved * 1e3);
    free(count);
    free(sources);
    monitor_drift_destroy(&m);
    fw_summary_destroy(&reference);
    fw_summary_destroy(&window);
    return best > 5e-3;
}

static size_t argument(int argc, char **argv, int at, size_t fallback)
{
    return argc > at ? (size_t)strtoull(argv[at], NULL, 10) : fallback;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "tick") == 0) return tick(argument(argc, argv, 2, 1000));
    if (strcmp(what, "quiet") == 0)
        return quiet(argument(argc, argv, 2, 200), argument(argc, argv, 3, 10000), argument(argc, argv, 4, 500), argument(argc, argv, 5, 100), argument(argc, argv, 6, 0));
    if (strcmp(what, "shift") == 0) return shift(argument(argc, argv, 2, 101), argument(argc, argv, 3, 0), argument(argc, argv, 4, 500), argument(argc, argv, 5, 30000));
    if (argc > 1) {
        fprintf(stderr, "usage: bench_drift [tick | quiet | shift] [numbers]\n");
        return 2;
    }
    return tick(1000) | quiet(4, 500, 200, 100, 0) | shift(15, 20, 500, 30000);
}
