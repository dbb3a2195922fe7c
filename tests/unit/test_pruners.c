/** Pruners against plain ones that scan everything, on random orders of random losses; the percentile ones against Optuna. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "common/core/random.h"
#include "common/project/keys.h"
#include "coordinator/study/pruner.h"
#include "tests/unit/oracle.h"

#define MAX_TRIALS 400

static uint32_t die(uint64_t seed, uint64_t i, uint32_t place)
{
    return fw_random(seed, FW_RANDOM_TEST, 0, i, place).word[0];
}

/** The loss of a trial after a round: a curve of its own with noise; ties and NaN now and then. */
static double loss_of(uint64_t seed, uint64_t trial, uint64_t rounds)
{
    const uint32_t r = die(seed, trial * 1000 + rounds, 1);
    if (r % 97 == 0) return NAN;
    const double end = die(seed, trial, 2) % 50, noise = r % 7;
    return end + 100.0 / (double)rounds + noise;
}

/* ---- a small cluster: slots ask, run to the next milestone, and report; who is next is thrown with a die ---- */

typedef struct run { uint64_t trial, rounds, to; bool busy; } run;

typedef struct cluster {
    const coord_pruner_kind *kind;
    void *state;
    coord_pruner_opts opts;
    uint64_t seed, started;
    uint64_t rounds[MAX_TRIALS], total_rounds;
    coord_verdict_on verdict[MAX_TRIALS];
    bool paused[MAX_TRIALS], complete[MAX_TRIALS], pruned[MAX_TRIALS];
    run slot[8];
    size_t n_slots;
    /* looks at each step: a plain pruner that scans */
    void (*judged)(struct cluster *c, uint64_t trial, uint64_t rounds, double loss, coord_verdict_on v);
    void (*promoted)(struct cluster *c, bool any, uint64_t trial);
} cluster;

static bool give(cluster *c, run *slot)
{
    uint64_t trial = 0;
    const bool any = c->kind->promote(c->state, &trial);
    if (c->promoted != NULL) c->promoted(c, any, trial);
    if (!any && c->started == c->opts.trials) return false;
    if (!any) trial = c->started++;
    if (any) assert_true(c->paused[trial]);
    c->paused[trial] = false;
    *slot = (run){.trial = trial, .rounds = c->rounds[trial], .to = c->kind->milestone(c->state, trial, c->rounds[trial]), .busy = true};
    assert_true(slot->to > slot->rounds && slot->to <= c->opts.max_rounds);
    return true;
}

static void advance(cluster *c, run *slot)
{
    const uint64_t trial = slot->trial;
    c->total_rounds += slot->to - slot->rounds;
    c->rounds[trial] = slot->rounds = slot->to;
    const double loss = loss_of(c->seed, trial, slot->rounds);
    coord_verdict_on v = COORD_GO_ON;
    if (slot->rounds == c->opts.max_rounds) {
        c->complete[trial] = true;
        slot->busy = false;
        assert_int_equal(c->kind->ended(c->state, trial, slot->rounds, loss, NULL), FW_OK);
        return;
    }
    assert_int_equal(c->kind->judge(c->state, trial, slot->rounds, loss, &v, NULL), FW_OK);
    if (c->judged != NULL) c->judged(c, trial, slot->rounds, loss, v);
    c->verdict[trial] = v;
    c->paused[trial] = v == COORD_PAUSE;
    c->pruned[trial] = v == COORD_PRUNE;
    slot->busy = v == COORD_GO_ON;
    if (slot->busy) slot->to = c->kind->milestone(c->state, trial, slot->rounds);
}

static void run_study(cluster *c)
{
    bool settled = false;
    fw_error err = {0};
    if (c->kind->create(&c->state, &c->opts, &err) < 0) fail_msg("%s", err.text);
    for (uint64_t step = 0;; step++) {
        size_t busy = 0, idle = 0;
        for (size_t i = 0; i < c->n_slots; i++)
            if (c->slot[i].busy || give(c, &c->slot[i])) busy++;
            else idle++;
        if (busy == 0 && settled) break;
        if (busy == 0) c->kind->settle(c->state);
        settled = busy == 0;
        run *next = &c->slot[die(c->seed, step, 3) % c->n_slots];
        if (next->busy) advance(c, next);
    }
    c->kind->destroy(&c->state);
    assert_null(c->state);
}

static uint64_t completed(const cluster *c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < MAX_TRIALS; i++) n += c->complete[i];
    return n;
}

/* ---- asha against one that scans all that came to a rung ---- */

typedef struct seen { uint64_t trial, rounds; double loss; bool waits; } seen;
static seen came[MAX_TRIALS * 16];
static size_t n_came;
static uint64_t rungs[64];
static size_t n_rungs;

/** Whether fewer than floor(n / eta) of those at the rung are better. */
static bool among_best(const cluster *c, const seen *s)
{
    size_t n = 0, better = 0;
    for (size_t i = 0; i < n_came; i++) {
        if (came[i].rounds != s->rounds) continue;
        n++;
        better += came[i].loss < s->loss || (came[i].loss <= s->loss && came[i].trial < s->trial);
    }
    return better < (size_t)((double)n / c->opts.reduction_factor);
}

static void asha_judged(cluster *c, uint64_t trial, uint64_t rounds, double loss, coord_verdict_on v)
{
    seen *s = &came[n_came++];
    *s = (seen){trial, rounds, isnan(loss) ? (double)INFINITY : loss, false};
    const coord_verdict_on expected = isnan(loss) ? COORD_PRUNE : among_best(c, s) ? COORD_GO_ON : COORD_PAUSE;
    assert_int_equal(v, expected);
    s->waits = v == COORD_PAUSE;
}

static void asha_promoted(cluster *c, bool any, uint64_t trial)
{
    seen *best = NULL;
    for (size_t r = n_rungs; r-- > 0 && best == NULL;)
        for (size_t i = 0; i < n_came; i++) {
            if (came[i].rounds != rungs[r] || !came[i].waits || !among_best(c, &came[i])) continue;
            if (best == NULL || came[i].loss < best->loss || (came[i].loss <= best->loss && came[i].trial < best->trial)) best = &came[i];
        }
    if (best == NULL) return;                                  /* none, or after settling the one that is let go to the end */
    assert_true(any);
    assert_int_equal(trial, best->trial);
    best->waits = false;
}

static void asha_decides_as_one_that_scans_all(void **state)
{
    (void)state;
    const struct { double eta; uint64_t min, max; size_t slots; uint64_t rungs[8]; } cases[] = {
        {3, 1, 27, 4, {1, 3, 9}}, {2, 1, 16, 1, {1, 2, 4, 8}}, {4, 2, 100, 8, {2, 8, 32}}, {3, 1, 20, 5, {1, 3, 9}}, {1.5, 1, 6, 3, {1, 2, 3, 4, 5}}, {2.5, 2, 50, 3, {2, 5, 12, 31}},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (uint64_t seed = 0; seed < 3; seed++) {
            cluster c = {.kind = &coord_pruner_asha, .seed = seed, .n_slots = cases[k].slots, .judged = asha_judged, .promoted = asha_promoted,
                         .opts = {.trials = 150, .max_rounds = cases[k].max, .min_rounds = cases[k].min, .reduction_factor = cases[k].eta}};
            n_came = n_rungs = 0;
            while (n_rungs < 8 && cases[k].rungs[n_rungs] > 0) n_rungs++;
            memcpy(rungs, cases[k].rungs, sizeof cases[k].rungs);
            run_study(&c);
            for (size_t i = 0; i < n_came; i++) {              /* only at rungs, and nobody was left who could have gone on */
                size_t r = 0;
                while (r < n_rungs && rungs[r] != came[i].rounds) r++;
                assert_true(r < n_rungs && !(came[i].waits && among_best(&c, &came[i])));
            }
            assert_true(completed(&c) >= 1);
        }
}

static void the_best_trial_goes_to_the_end_when_too_few_come_to_any_rung(void **state)
{
    (void)state;
    const coord_pruner_kind *const kinds[] = {&coord_pruner_asha, &coord_pruner_hyperband};
    for (size_t k = 0; k < 2; k++)
        for (uint64_t trials = 1; trials <= 6; trials++) {
            cluster c = {.kind = kinds[k], .seed = 5, .n_slots = 2, .opts = {.trials = trials, .max_rounds = 81, .min_rounds = 1, .reduction_factor = 4}};
            run_study(&c);
            assert_true(completed(&c) >= 1);
        }
}

static void rounds_that_are_no_rung_are_refused(void **state)
{
    (void)state;
    const coord_pruner_opts opts = {.trials = 9, .max_rounds = 27, .min_rounds = 1, .reduction_factor = 3};
    void *s = NULL;
    coord_verdict_on v;
    fw_error err;
    assert_int_equal(coord_pruner_asha.create(&s, &opts, &err), FW_OK);
    assert_int_equal(coord_pruner_asha.judge(s, 0, 2, 1, &v, &err), FW_ERR_ARG);
    assert_int_equal(coord_pruner_asha.milestone(s, 0, 9), 27);
    coord_pruner_asha.destroy(&s);
    assert_int_equal(coord_pruner_median.create(&s, &opts, &err), FW_OK);
    assert_int_equal(coord_pruner_median.judge(s, 0, 2, 1, &v, &err), FW_ERR_ARG);
    coord_pruner_median.destroy(&s);
}

/* ---- hyperband ---- */

/** eta 3, 1 to 27 rounds: brackets that begin at 1, 3, 9 and 27 rounds get 27, 12 (4/3 9), 6 (4/2 3) and 4 of 49. */
static void hyperband_gives_each_bracket_its_share_of_any_stretch_of_trials(void **state)
{
    (void)state;
    const coord_pruner_opts opts = {.trials = 4900, .max_rounds = 27, .min_rounds = 1, .reduction_factor = 3};
    const struct { uint64_t first, share; } brackets[] = {{1, 27}, {3, 12}, {9, 6}, {27, 4}};
    void *s = NULL;
    assert_int_equal(coord_pruner_hyperband.create(&s, &opts, NULL), FW_OK);
    for (uint64_t from = 0; from < 3000; from += 1000) {
        size_t n[28] = {0};
        for (uint64_t t = from; t < from + 490; t++) n[coord_pruner_hyperband.milestone(s, t, 0)]++;
        for (size_t b = 0; b < 4; b++)
            if (llabs((long long)n[brackets[b].first] - (long long)brackets[b].share * 10) > 4) fail_msg("bracket %zu: %zu", b, n[brackets[b].first]);
    }
    coord_pruner_hyperband.destroy(&s);
    cluster c = {.kind = &coord_pruner_hyperband, .seed = 1, .n_slots = 4, .opts = {.trials = 200, .max_rounds = 27, .min_rounds = 1, .reduction_factor = 3}};
    run_study(&c);
    assert_true(completed(&c) >= 200 * 4 / 49 && c.total_rounds < 200 * 27 / 3);
}

/* ---- the baselines ---- */

static void none_ends_nobody(void **state)
{
    (void)state;
    cluster c = {.kind = &coord_pruner_none, .seed = 1, .n_slots = 3, .opts = {.trials = 20, .max_rounds = 7, .min_rounds = 1, .reduction_factor = 3}};
    run_study(&c);
    assert_true(completed(&c) == 20 && c.total_rounds == 140);
}

static void one_epoch_top_k_lets_the_best_go_on_when_all_have_run_an_epoch(void **state)
{
    (void)state;
    for (uint64_t keep = 0; keep <= 5; keep += 5) {
        cluster c = {.kind = &coord_pruner_one_epoch_top_k, .seed = 3, .n_slots = 4, .opts = {.trials = 60, .max_rounds = 9, .min_rounds = 2, .reduction_factor = 3, .keep = keep}};
        run_study(&c);
        const uint64_t k = keep > 0 ? keep : 20;
        assert_true(completed(&c) == k && c.total_rounds == 60 * 2 + k * 7);
        for (uint64_t i = 0; i < 60; i++) {
            uint64_t better = 0;
            const double mine = loss_of(3, i, 2);
            for (uint64_t j = 0; j < 60; j++) better += loss_of(3, j, 2) < mine || (loss_of(3, j, 2) <= mine && j < i);
            assert_true(c.complete[i] == (!isnan(mine) && better < k));
        }
    }
}

static void what_went_on_before_a_study_was_extended_counts_among_the_best(void **state)
{
    (void)state;
    const coord_pruner_opts opts = {.trials = 4, .max_rounds = 9, .min_rounds = 1, .reduction_factor = 2, .keep = 2};
    void *s = NULL;
    uint64_t t = 0;
    coord_verdict_on v;
    assert_int_equal(coord_pruner_one_epoch_top_k.create(&s, &opts, NULL), FW_OK);
    for (uint64_t i = 0; i < 4; i++) assert_int_equal(coord_pruner_one_epoch_top_k.judge(s, i, 1, (double)(10 + i), &v, NULL), FW_OK);
    assert_false(coord_pruner_one_epoch_top_k.promote(s, &t));
    coord_pruner_one_epoch_top_k.settle(s);
    assert_true(coord_pruner_one_epoch_top_k.promote(s, &t) && t == 0);
    assert_true(coord_pruner_one_epoch_top_k.promote(s, &t) && t == 1);
    assert_false(coord_pruner_one_epoch_top_k.promote(s, &t));
    for (uint64_t i = 4; i < 8; i++) assert_int_equal(coord_pruner_one_epoch_top_k.judge(s, i, 1, i == 6 ? 10.5 : (double)(20 + i), &v, NULL), FW_OK);
    coord_pruner_one_epoch_top_k.settle(s);
    assert_true(coord_pruner_one_epoch_top_k.promote(s, &t) && t == 6);
    assert_false(coord_pruner_one_epoch_top_k.promote(s, &t));
    coord_pruner_one_epoch_top_k.destroy(&s);
}

/* ---- median, percentile ---- */

static double curves[MAX_TRIALS][16];
static size_t lengths[MAX_TRIALS];       /* of complete trials; 0: another one */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/** numpy.percentile by its definition: sorted, at (n - 1) q, linear in between. */
static double percentile_at(uint64_t rounds, double q)
{
    double v[MAX_TRIALS];
    size_t n = 0;
    for (size_t i = 0; i < MAX_TRIALS; i++)
        if (lengths[i] >= rounds && !isnan(curves[i][rounds - 1])) v[n++] = curves[i][rounds - 1];
    if (n == 0) return NAN;
    qsort(v, n, sizeof *v, by_value);
    const double where = (double)(n - 1) * (q / 100), t = where - floor(where);
    const double a = v[(size_t)where], b = v[(size_t)where + (t > 0)];
    return t >= 0.5 ? b - (b - a) * (1 - t) : a + (b - a) * t;
}

static void percentile_judged(cluster *c, uint64_t trial, uint64_t rounds, double loss, coord_verdict_on v)
{
    double best = NAN;
    size_t complete = 0;
    curves[trial][rounds - 1] = loss;
    for (size_t r = 0; r < rounds; r++) best = fmin(best, curves[trial][r]);
    for (size_t i = 0; i < MAX_TRIALS; i++) {
        if (c->complete[i] && lengths[i] == 0 && !isnan(loss_of(c->seed, i, c->opts.max_rounds))) lengths[i] = (size_t)c->opts.max_rounds - 1;
        complete += lengths[i] > 0;
    }
    const bool ripe = rounds >= c->opts.min_rounds && complete >= c->opts.startup_trials && complete > 0;
    const bool ends = ripe && (isnan(best) || best > percentile_at(rounds, c->kind == &coord_pruner_median ? 50 : c->opts.percentile));
    assert_int_equal(v, ends ? COORD_PRUNE : COORD_GO_ON);
}

static void percentiles_decide_as_ones_that_sort_all(void **state)
{
    (void)state;
    const struct { const coord_pruner_kind *kind; double q; uint64_t min, startup; } cases[] = {
        {&coord_pruner_median, 0, 1, 5}, {&coord_pruner_median, 0, 4, 1}, {&coord_pruner_percentile, 25, 1, 5}, {&coord_pruner_percentile, 80, 3, 10}, {&coord_pruner_percentile, 1, 2, 0},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (uint64_t seed = 10; seed < 13; seed++) {
            memset(lengths, 0, sizeof lengths);
            cluster c = {.kind = cases[k].kind, .seed = seed, .n_slots = 4, .judged = percentile_judged,
                         .opts = {.trials = 150, .max_rounds = 12, .min_rounds = cases[k].min, .reduction_factor = 3, .startup_trials = cases[k].startup, .percentile = cases[k].q}};
            run_study(&c);
            assert_true(completed(&c) >= 1 && completed(&c) < 150);
        }
}

/** cases.txt: "kind percentile min_rounds startup" and then "trial round loss verdict" and "end trial loss", in the order in which Optuna saw them. */
static void percentiles_decide_as_optuna(void **state)
{
    (void)state;
    scratch s;
    assert_true(scratch_make(&s));
    FILE *in = oracle_cases(&s, "oracle_pruners.py", "all", "Optuna (Debian: python3-optuna)", false);
    if (in == NULL) scratch_remove(&s);
    if (oracle_was_absent) skip();                             /* the plain one above has the same rules */
    assert_non_null(in);
    char line[256], name[32], word[32];
    const coord_pruner_kind *kind = NULL;
    void *pruner = NULL;
    size_t verdicts = 0, pruned = 0;
    while (fgets(line, sizeof line, in) != NULL) {
        coord_pruner_opts o = {.trials = 100, .max_rounds = 1000, .reduction_factor = 3};
        unsigned long long trial, rounds, min, startup;
        double loss;
        coord_verdict_on v;
        if (sscanf(line, "pruner %31s %lf %llu %llu", name, &o.percentile, &min, &startup) == 4) {
            if (pruner != NULL) kind->destroy(&pruner);
            o.min_rounds = min;
            o.startup_trials = startup;
            kind = coord_pruner_find(name);
            assert_int_equal(kind->create(&pruner, &o, NULL), FW_OK);
        } else if (sscanf(line, "end %llu %lf", &trial, &loss) == 2) {
            assert_int_equal(kind->ended(pruner, trial, 0, loss, NULL), FW_OK);
        } else {
            assert_int_equal(sscanf(line, "%llu %llu %lf %31s", &trial, &rounds, &loss, word), 4);
            assert_int_equal(kind->judge(pruner, trial, rounds, loss, &v, NULL), FW_OK);
            if (strcmp(word, coord_verdict_on_name(v)) != 0) fail_msg("%s: %s said, %s expected", line, coord_verdict_on_name(v), word);
            verdicts++;
            pruned += v == COORD_PRUNE;
        }
    }
    if (pruner != NULL) kind->destroy(&pruner);
    fclose(in);
    scratch_remove(&s);
    assert_true(verdicts > 1000 && pruned > 100);
}

/* ---- the table ---- */

static void the_words_of_the_project_file_are_the_names_of_the_table(void **state)
{
    (void)state;
    const char *const *words = fw_key_find("tune.pruner.name")->words;
    size_t n = 0;
    for (; words[n] != NULL; n++) {
        const coord_pruner_kind *k = coord_pruner_find(words[n]);
        assert_true(k != NULL && k == coord_pruners[n] && k->help != NULL);
    }
    assert_null(coord_pruners[n]);
    assert_null(coord_pruner_find("ashaa"));
    assert_string_equal(coord_verdict_on_name(COORD_PAUSE), "pause");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asha_decides_as_one_that_scans_all),
        cmocka_unit_test(the_best_trial_goes_to_the_end_when_too_few_come_to_any_rung),
        cmocka_unit_test(rounds_that_are_no_rung_are_refused),
        cmocka_unit_test(hyperband_gives_each_bracket_its_share_of_any_stretch_of_trials),
        cmocka_unit_test(none_ends_nobody),
        cmocka_unit_test(one_epoch_top_k_lets_the_best_go_on_when_all_have_run_an_epoch),
        cmocka_unit_test(what_went_on_before_a_study_was_extended_counts_among_the_best),
        cmocka_unit_test(percentiles_decide_as_ones_that_sort_all),
        cmocka_unit_test(percentiles_decide_as_optuna),
        cmocka_unit_test(the_words_of_the_project_file_are_the_names_of_the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
