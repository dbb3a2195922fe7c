/** Alerts on realised quality that can be believed, in figures; beside them the rule that looks at each window's own 95 % interval anew:
 *    bench_fall                            all of it, small: some seconds
 *    bench_fall quiet [seeds] [looks] [reference]
 *                                          accuracy 0.90 that stays: windows of 50, 100, 200, 500 and 1,000 outcomes, runs with an alarm; and the same where it is 0.85, as bad as is
 *                                          allowed. Fails when more runs than the budget of 0.05, and what 100 runs scatter by, have one
 *    bench_fall find [runs] [quiet] [reference]
 *                                          0.90 to 0.80 (drop 0.05) after so many quiet outcomes: outcomes until the alarm, windows of 100
 *    bench_fall metrics [runs] [quiet] [reference]
 *                                          each metric: runs with evidence before its fall, outcomes until there is some */
#include <time.h>

#include "tests/unit/fall_rows.h"

#define GOOD 0.90
#define DROP 0.05

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/** A model of two classes whose accuracy is as drawn: hits of so many rows. */
static monitor_fall *accurate(double *reference, size_t rows, double share, draws *d)
{
    const monitor_performance_opts o = {.metric = FW_QUALITY_ACCURACY, .drop = DROP};
    fw_reference *r = fall_reference(2, rows, d);
    double hits = 0;
    for (size_t i = 0; i < rows; i++) hits += draw_unit(d) < share;
    for (size_t i = 0; i < r->n_metrics; i++)
        if (strcmp(r->metrics[i].name, "accuracy") == 0) r->metrics[i].value = hits / (double)rows;
    *reference = hits / (double)rows;
    monitor_fall *f = fall_of(r, 2, &o);
    fw_reference_destroy(&r);
    return f;
}

typedef struct rung { bool ours, evident, interval; } rung;      /* alarms: two keys; evidence alone; the window's own interval beyond the drop */

/** One window of outcomes; how the two rules judge it. */
static rung window_of(monitor_fall *f, double reference, double share, size_t rows, draws *d)
{
    fw_error err = {0};
    uint64_t hits = 0;
    for (size_t i = 0; i < rows; i++) {
        const bool hit = draw_unit(d) < share;
        hits += hit;
        fall_must(monitor_fall_take(f, &(monitor_judged){.said = 0, .truth = !hit}, &err), &err);
    }
    const fw_interval got = fw_interval_share(hits, rows);
    const bool evident = monitor_fall_sure(f).evident, large = reference - got.value >= DROP;
    monitor_fall_judge(f, reference - got.value, DROP);
    return (rung){.ours = evident && large, .evident = evident, .interval = large && reference - got.high > DROP};
}

static int quiet_at(double share, size_t seeds, size_t looks, size_t reference_rows)
{
    static const size_t rows[] = {50, 100, 200, 500, 1000};
    size_t ours = 0, evident = 0, interval[5] = {0}, any = 0;
    const double begun = seconds();
    for (size_t seed = 0; seed < seeds; seed++) {
        for (size_t k = 0; k < 5; k++) {
            draws d = draws_of(10 * seed + k);
            double reference = 0;
            rung all = {0};
            monitor_fall *f = accurate(&reference, reference_rows, GOOD, &d);
            for (size_t look = 0; look < looks; look++) {
                const rung r = window_of(f, reference, share, rows[k], &d);
                all = (rung){all.ours || r.ours, all.evident || r.evident, all.interval || r.interval};
            }
            ours += all.ours, evident += all.evident, interval[k] += all.interval;
            monitor_fall_destroy(&f);
        }
    }
    any = 5 * seeds;
    printf("quiet: accuracy %.2f, reference 0.90 of %zu rows, drop 0.05, %zu looks, %zu seeds x windows of 50, 100, 200, 500, 1,000: runs with an alarm %zu of %zu (%.1f %%), with evidence alone "
           "%zu (%.1f %%); by each window's interval %zu, %zu, %zu, %zu, %zu of %zu; %.0f s\n",
           share, reference_rows, looks, seeds, ours, any, 100.0 * (double)ours / (double)any, evident, 100.0 * (double)evident / (double)any, interval[0], interval[1], interval[2],
           interval[3], interval[4], seeds, seconds() - begun);
    return (double)evident > 0.05 * (double)any + 3 * sqrt(0.05 * 0.95 * (double)any);
}

static int quiet(size_t seeds, size_t looks, size_t reference_rows)
{
    return quiet_at(GOOD, seeds, looks, reference_rows) | quiet_at(GOOD - DROP, seeds, looks, reference_rows);
}

static int rising(const void *a, const void *b)
{
    const size_t x = *(const size_t *)a, y = *(const size_t *)b;
    return (x > y) - (x < y);
}

static int find(size_t runs, size_t quiet_rows, size_t reference_rows)
{
    enum { WINDOW = 100, MOST = 500 };
    size_t *ours = calloc(runs, sizeof *ours), *interval = calloc(runs, sizeof *interval), false_ours = 0, false_interval = 0;
    for (size_t i = 0; i < runs; i++) {
        draws d = draws_of(777000 + i);
        double reference = 0;
        rung before = {0};
        monitor_fall *f = accurate(&reference, reference_rows, GOOD, &d);
        for (size_t rows = 0; rows < quiet_rows; rows += WINDOW) {
            const rung r = window_of(f, reference, GOOD, WINDOW, &d);
            before = (rung){.ours = before.ours || r.ours, .interval = before.interval || r.interval};
        }
        ours[i] = interval[i] = SIZE_MAX;
        for (size_t k = 1; k <= MOST && FW_MAX(ours[i], interval[i]) == SIZE_MAX; k++) {
            const rung r = window_of(f, reference, GOOD - 0.1, WINDOW, &d);
            if (r.ours) ours[i] = FW_MIN(ours[i], k * WINDOW);
            if (r.interval) interval[i] = FW_MIN(interval[i], k * WINDOW);
        }
        false_ours += before.ours, false_interval += before.interval;
        monitor_fall_destroy(&f);
    }
    qsort(ours, runs, sizeof *ours, rising);
    qsort(interval, runs, sizeof *interval, rising);
    const size_t median = ours[runs / 2];
    printf("find: 0.90 to 0.80 after %zu quiet outcomes, reference %zu rows, windows of 100, %zu runs: median %zu outcomes until the alarm (90 %%: %zu), %zu runs with a false alarm; by each window's "
           "interval: median %zu, %zu runs with a false alarm\n", quiet_rows, reference_rows, runs, median, ours[runs * 9 / 10], false_ours, interval[runs / 2], false_interval);
    free(ours);
    free(interval);
    return median > 5000;
}

static const struct { fw_quality_metric metric; size_t n_classes; double worse; } falls[] = {
    {FW_QUALITY_ACCURACY, 2, 0.14}, {FW_QUALITY_PRECISION, 2, 0.14}, {FW_QUALITY_RECALL, 2, 0.14}, {FW_QUALITY_F1, 2, 0.14}, {FW_QUALITY_AUC, 2, 0.14}, {FW_QUALITY_LOG_LOSS, 2, 0.14},
    {FW_QUALITY_ACCURACY, 3, 0.14}, {FW_QUALITY_AUC, 3, 0.14}, {FW_QUALITY_MACRO_F1, 3, 0.14}, {FW_QUALITY_RMSE, 0, 0.15}, {FW_QUALITY_MAE, 0, 0.15}};

static int metrics(size_t runs, size_t quiet_rows, size_t reference_rows)
{
    enum { STEP = 50, MOST = 1000 };
    size_t *found = calloc(runs, sizeof *found);
    int bad = 0;
    for (size_t c = 0; c < sizeof falls / sizeof *falls; c++) {
        const size_t n = falls[c].n_classes;
        size_t wrong = 0;
        for (size_t i = 0; i < runs; i++) {
            draws d = draws_of(50000 * c + i);
            fw_reference *r = fall_reference(n, reference_rows, &d);
            monitor_fall *f = fall_of(r, n, &(monitor_performance_opts){.metric = falls[c].metric, .drop = DROP});
            bool before = false;
            for (size_t rows = 0; rows < quiet_rows && !before; rows += STEP) {
                fall_feed(f, n, 0, STEP, &d);
                before = monitor_fall_sure(f).evident;
            }
            wrong += before;
            found[i] = SIZE_MAX;
            for (size_t k = 1; k <= MOST && found[i] == SIZE_MAX; k++) {
                fall_feed(f, n, falls[c].worse, STEP, &d);
                if (monitor_fall_sure(f).evident) found[i] = k * STEP;
            }
            monitor_fall_destroy(&f);
            fw_reference_destroy(&r);
        }
        qsort(found, runs, sizeof *found, rising);
        printf("metrics: %s of %zu classes, reference %zu rows, %zu quiet outcomes, then %.0f %% %s: %zu of %zu runs with evidence before, median %zu outcomes until it\n", fw_quality_name(falls[c].metric), n,
               reference_rows, quiet_rows, 100 * falls[c].worse, n > 0 ? "of the outcomes turned round" : "longer errors", wrong, runs, found[runs / 2]);
        bad |= (double)wrong > 0.05 * (double)runs + 3 * sqrt(0.05 * 0.95 * (double)runs);
    }
    free(found);
    return bad;
}

static size_t argument(int argc, char **argv, int at, size_t fallback) { return argc > at ? (size_t)strtoull(argv[at], NULL, 10) : fallback; }

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    if (strcmp(what, "quiet") == 0) return quiet(argument(argc, argv, 2, 100), argument(argc, argv, 3, 2000), argument(argc, argv, 4, 3000));
    if (strcmp(what, "find") == 0) return find(argument(argc, argv, 2, 101), argument(argc, argv, 3, 20000), argument(argc, argv, 4, 3000));
    if (strcmp(what, "metrics") == 0) return metrics(argument(argc, argv, 2, 51), argument(argc, argv, 3, 100000), argument(argc, argv, 4, 3000));
    if (argc > 1) {
        fprintf(stderr, "usage: bench_fall [quiet | find | metrics] [numbers]\n");
        return 2;
    }
    return quiet(10, 500, 3000) | find(21, 5000, 3000) | metrics(5, 5000, 3000);
}
