/** The runner over groups without ranks: the same trials whatever the groups suffer, none run twice, and how it ends. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include <cmocka.h>

#include "coordinator/study/runner.h"
#include "tests/unit/fake_groups.h"
#include "tests/unit/scratch.h"

static const char project_yaml[] =
    "project: p\n"
    "problem: {task: classification, target: y}\n"
    "data: {tables: {t: t.csv}}\n"
    "model: {learner: mlp, hidden: [8]}\n"
    "train: {epochs: 9}\n"
    "tune:\n"
    "  trials: 24\n"
    "  sampler: random\n"
    "  pruner: asha\n"
    "  objective: log_loss\n"
    "  max_failed_trials: 20\n"
    "  space:\n"
    "    train.learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}\n"
    "    model.hidden: {choices: [[8], [16, 8]]}\n";

typedef struct stage {
    scratch s;
    fw_project *project;
    coord_study *study;
    char folder[600];
    fw_error err;
} stage;

static void open_stage(stage *t)
{
    *t = (stage){0};
    assert_true(scratch_make(&t->s));
    assert_int_equal(fw_write_file(scratch_path(&t->s, "p.yaml"), project_yaml, strlen(project_yaml), &t->err), FW_OK);
    assert_int_equal(fw_project_load(&t->project, scratch_path(&t->s, "p.yaml"), NULL, 0, &t->err), FW_OK);
    snprintf(t->folder, sizeof t->folder, "%s", scratch_path(&t->s, "study"));
}

static void close_stage(stage *t)
{
    coord_study_close(&t->study);
    fw_project_destroy(&t->project);
    scratch_remove(&t->s);
}

/* ---- turns: how long the kernel lets a thread run before another that waits ---------------------------------------------------------------------- */

typedef struct scheduling { uint32_t size, policy; uint64_t flags; int32_t nice; uint32_t priority; uint64_t runtime, deadline, period; } scheduling;      /* sched_setattr(2) */

static _Atomic uint64_t turn_ns;

static void see_turn(void)
{
    scheduling a = {0};
    assert_int_equal(syscall(SYS_sched_getattr, (long)gettid(), &a, (unsigned)sizeof a, 0u), 0);
    turn_ns = a.runtime;
}

static fw_status see_turn_and_start(void *context, uint32_t number, coord_group **out, fw_error *err)
{
    see_turn();
    return fake_start(context, number, out, err);
}

/* False: Linux before 6.12, which gives all the same turns. */
static bool turns_can_be_chosen(void)
{
    struct utsname u;
    int major = 0, minor = 0;
    return uname(&u) == 0 && sscanf(u.release, "%d.%d", &major, &minor) == 2 && (major > 6 || (major == 6 && minor >= 12));
}

/* ---- a run ---------------------------------------------------------------------------------------------------------------------------------- */

static fw_status run(stage *t, fake_groups *fake, uint32_t slots, coord_study_how how)
{
    const bool lockstep = slots > 0;
    FW_FREE char *given = NULL;
    if (fw_project_given(&given, t->project, &t->err) != FW_OK) fail_msg("%s", t->err.text);
    coord_source source = fake_source(fake);
    source.start = see_turn_and_start;
    const coord_study_opts study = {.dir = t->folder, .project = t->project, .dataset_digest = "d", .slots = lockstep ? slots : fake->n, .lockstep = lockstep, .how = how};
    coord_study_close(&t->study);
    if (coord_study_open(&t->study, &study, &t->err) != FW_OK) fail_msg("%s", t->err.text);
    const coord_trials trials = {.project = t->project, .given = given, .dataset = "none", .folder = t->folder, .space = coord_study_space(t->study),
                                 .metric = coord_study_metric(t->study), .max_rounds = coord_study_max_rounds(t->study), .folds = 1, .seeds = 1};
    const coord_runner_opts opts = {.study = t->study, .source = &source, .trials = &trials, .slots = coord_study_slots(t->study), .lockstep = lockstep};
    const fw_status s = coord_runner_run(&opts, &t->err);
    pthread_mutex_destroy(&fake->mutex);
    return s;
}

static void assert_same_trials(const coord_study *a, const coord_study *b)
{
    assert_int_equal(coord_study_n_trials(a), coord_study_n_trials(b));
    for (uint64_t i = 0; i < coord_study_n_trials(a); i++) {
        const coord_trial *x = coord_study_trial(a, i), *y = coord_study_trial(b, i);
        assert_int_equal(x->state, y->state);
        assert_int_equal(x->rounds, y->rounds);
        assert_true(x->value == y->value || (isnan(x->value) && isnan(y->value)));
    }
    assert_int_equal(coord_study_best(a)->number, coord_study_best(b)->number);
}

static uint64_t ended(const coord_study *s)
{
    return coord_study_count(s, COORD_COMPLETE) + coord_study_count(s, COORD_PRUNED) + coord_study_count(s, COORD_FAIL);
}

/* What was trained in vain is not among them. */
static uint64_t rounds_needed(const coord_study *s)
{
    uint64_t n = coord_study_count(s, COORD_FAIL);
    for (uint64_t i = 0; i < coord_study_n_trials(s); i++) n += coord_study_trial(s, i)->rounds;
    return n;
}

static bool has_model(const stage *t, uint64_t trial)
{
    char path[800];
    snprintf(path, sizeof path, "%s/trials/%llu/model.h5", t->folder, (unsigned long long)trial);
    return fw_path_exists(path);
}

/* ---- cases ------------------------------------------------------------------------------------------------------------------------------------ */

static void lockstep_gives_the_same_trials_on_any_groups(void **state)
{
    (void)state;
    static const struct { uint32_t groups, lose_every; } cases[] = {{1, 0}, {2, 0}, {3, 0}, {7, 0}, {1, 5}, {2, 7}, {4, 11}, {7, 3}};
    stage whole, other;
    fake_groups plain = {.n = 3, .diverge_one_in = 5};
    open_stage(&whole);
    assert_int_equal(run(&whole, &plain, 3, COORD_STUDY_NEW), FW_OK);
    assert_int_equal(ended(whole.study), 24);
    assert_true(coord_study_count(whole.study, COORD_FAIL) > 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        fake_groups fake = {.n = cases[i].groups, .lose_every = cases[i].lose_every, .diverge_one_in = 5};
        open_stage(&other);
        if (run(&other, &fake, 3, COORD_STUDY_NEW) != FW_OK) fail_msg("%s", other.err.text);
        assert_same_trials(whole.study, other.study);
        assert_int_equal(fake.losses > 0, cases[i].lose_every > 0);
        if (cases[i].lose_every == 0) assert_int_equal(fake.advances, rounds_needed(other.study));
        assert_true(has_model(&other, coord_study_best(other.study)->number));
        close_stage(&other);
    }
    close_stage(&whole);
}

/* So what comes of a round is not left lying while something else computes. */
static void who_waits_for_a_group_has_short_turns(void **state)
{
    (void)state;
    stage t;
    fake_groups fake = {.n = 1};
    if (!turns_can_be_chosen()) skip();
    see_turn();
    const uint64_t usual = turn_ns;
    open_stage(&t);
    assert_int_equal(run(&t, &fake, 0, COORD_STUDY_NEW), FW_OK);
    assert_int_equal(turn_ns, 100000);
    assert_true(usual > turn_ns);
    close_stage(&t);
}

static void a_stopped_study_goes_on(void **state)
{
    (void)state;
    stage whole, other;
    fake_groups plain = {.n = 2};
    open_stage(&whole);
    assert_int_equal(run(&whole, &plain, 4, COORD_STUDY_NEW), FW_OK);
    for (uint32_t after = 3; after < 40; after += 9) {
        fake_groups stopping = {.n = 3, .stop_after = after}, rest = {.n = 2};
        open_stage(&other);
        assert_int_equal(run(&other, &stopping, 4, COORD_STUDY_NEW), FW_ERR_STOPPED);
        assert_true(ended(other.study) < 24);
        assert_int_equal(run(&other, &rest, 4, COORD_STUDY_RESUME), FW_OK);
        assert_same_trials(whole.study, other.study);
        assert_true(stopping.advances + rest.advances <= plain.advances + 3);      /* saved: next to nothing is trained again */
        close_stage(&other);
    }
    close_stage(&whole);
}

static void the_others_go_on_without_a_group_that_is_given_up(void **state)
{
    (void)state;
    stage t;
    fake_groups fake = {.n = 3, .lose_every = 6};
    open_stage(&t);
    fake.given_up[1] = true;
    assert_int_equal(run(&t, &fake, 0, COORD_STUDY_NEW), FW_OK);
    assert_int_equal(ended(t.study), 24);
    close_stage(&t);
    open_stage(&t);
    for (int i = 0; i < 3; i++) fake.given_up[i] = true;
    assert_int_equal(run(&t, &fake, 0, COORD_STUDY_NEW), FW_ERR_LOST);
    assert_non_null(strstr(t.err.text, "does not come back"));
    close_stage(&t);
}

static void a_trial_that_ends_its_ranks_again_and_again_fails(void **state)
{
    (void)state;
    stage t;
    fake_groups fake = {.n = 2, .lose_every = 15, .blame_trial = true};
    open_stage(&t);
    assert_int_equal(run(&t, &fake, 0, COORD_STUDY_NEW), FW_OK);
    assert_int_equal(coord_study_count(t.study, COORD_FAIL), fake.losses);
    assert_int_equal(ended(t.study), 24);
    close_stage(&t);
}

static void too_many_failures_end_the_study(void **state)
{
    (void)state;
    stage t;
    fake_groups fake = {.n = 3, .diverge_one_in = 1};
    open_stage(&t);
    assert_int_equal(run(&t, &fake, 0, COORD_STUDY_NEW), FW_ERR_CONFIG);
    assert_non_null(strstr(t.err.text, "max_failed_trials"));
    close_stage(&t);
}

static void what_ended_leaves_no_files(void **state)
{
    (void)state;
    stage t;
    fake_groups fake = {.n = 2};
    open_stage(&t);
    assert_int_equal(run(&t, &fake, 0, COORD_STUDY_NEW), FW_OK);
    for (uint64_t i = 0; i < 24; i++) assert_int_equal(has_model(&t, i), coord_study_best(t.study)->number == i);
    close_stage(&t);
}

/* ---- what the ranks are told --------------------------------------------------------------------------------------------------------------------- */

typedef struct opened { const stage *t; char *resolved[64]; size_t n; } opened;

/** As a worker reads the order. */
static void keep_project(void *context, const fw_order *o, uint64_t number)
{
    opened *all = context;
    fw_project *given = NULL, *p = NULL;
    (void)number;
    if (o->kind != FW_ORDER_OPEN) return;
    assert_int_equal(fw_project_parse(&given, o->project, "order", o->directory, NULL), FW_OK);
    assert_int_equal(fw_project_with(&p, given, (const char *const *)o->overrides, o->n_overrides, NULL), FW_OK);
    assert_true(all->n < 64 && fw_project_resolved(&all->resolved[all->n++], p, NULL) == FW_OK);
    fw_project_destroy(&given);
    fw_project_destroy(&p);
}

static bool was_opened(const opened *all, const char *resolved)
{
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->resolved[i], resolved) == 0) return true;
    return false;
}

static void an_order_to_open_gives_the_project_of_the_trial(void **state)
{
    (void)state;
    stage t;
    opened all = {.t = &t};
    fake_groups fake = {.n = 1, .work = keep_project, .context = &all};
    open_stage(&t);
    assert_int_equal(fw_project_set(t.project, "tune.pruner.max_rounds", "5", &t.err), FW_OK);
    assert_int_equal(run(&t, &fake, 0, COORD_STUDY_NEW), FW_OK);
    coord_trials trials = {.project = t.project, .space = coord_study_space(t.study), .max_rounds = 5, .folds = 1, .seeds = 2};
    for (uint64_t i = 0; i < 24; i++) {
        fw_project *p = NULL, *second = NULL;
        FW_FREE char *resolved = NULL;
        const double *x = coord_study_trial(t.study, i)->x;
        assert_int_equal(coord_trial_project(&p, &trials, x, 0, &t.err), FW_OK);
        assert_int_equal(fw_project_resolved(&resolved, p, &t.err), FW_OK);
        assert_int_equal(p->train.epochs, 5);
        assert_true(was_opened(&all, resolved));
        assert_int_equal(coord_trial_project(&second, &trials, x, 1, &t.err), FW_OK);
        assert_int_equal(second->train.seed, p->train.seed + 1);
        assert_int_equal(second->train.epochs, 5);
        fw_project_destroy(&p);
        fw_project_destroy(&second);
    }
    while (all.n > 0) free(all.resolved[--all.n]);
    close_stage(&t);
}

static void bar_next_folder(void *context, const fw_order *o, uint64_t number)
{
    char path[800];
    const opened *all = context;
    snprintf(path, sizeof path, "%s/trials/1", all->t->folder);
    if (o->kind == FW_ORDER_ADVANCE && number == 1) assert_int_equal(fw_write_file(path, "", 0, NULL), FW_OK);
}

static void ranks_open_while_the_folder_is_made(void **state)
{
    (void)state;
    stage t;
    opened all = {.t = &t};
    fake_groups fake = {.n = 1, .work = bar_next_folder, .context = &all};
    open_stage(&t);
    assert_int_equal(run(&t, &fake, 0, COORD_STUDY_NEW), FW_ERR_IO);
    assert_non_null(strstr(t.err.text, "trials/1 cannot be made"));
    assert_int_equal(fake.opens, 2);                           /* the second was at it, and was waited for */
    close_stage(&t);
}

static size_t asks_in_the_journal(const stage *t)
{
    char path[800];
    FW_FREE char *text = NULL;
    size_t len, n = 0;
    snprintf(path, sizeof path, "%s/journal", t->folder);
    assert_int_equal(fw_read_file(&text, &len, path, 1 << 24, NULL), FW_OK);
    for (const char *at = text; (at = strstr(at, "\"event\":\"ask\"")) != NULL; at++) n++;
    return n;
}

/* The answer is held back until the line is there: nobody else would write it. */
static void wait_for_ask(void *context, const fw_order *o, uint64_t number)
{
    const opened *all = context;
    const fw_mono deadline = fw_mono_after(fw_mono_now(), 5.0);
    if (o->kind != FW_ORDER_OPEN) return;
    while (asks_in_the_journal(all->t) < number && !fw_mono_passed(deadline)) fw_sleep_ms(1);
    assert_int_equal(asks_in_the_journal(all->t), number);
}

static void lines_are_written_while_the_ranks_work(void **state)
{
    (void)state;
    stage t;
    opened all = {.t = &t};
    fake_groups fake = {.n = 1, .work = wait_for_ask, .context = &all};
    open_stage(&t);
    assert_int_equal(fw_project_set(t.project, "tune.pruner", "none", &t.err), FW_OK);
    assert_int_equal(run(&t, &fake, 0, COORD_STUDY_NEW), FW_OK);
    assert_int_equal(fake.opens, 24);
    close_stage(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lockstep_gives_the_same_trials_on_any_groups),
        cmocka_unit_test(who_waits_for_a_group_has_short_turns),
        cmocka_unit_test(a_stopped_study_goes_on),
        cmocka_unit_test(the_others_go_on_without_a_group_that_is_given_up),
        cmocka_unit_test(a_trial_that_ends_its_ranks_again_and_again_fails),
        cmocka_unit_test(too_many_failures_end_the_study),
        cmocka_unit_test(what_ended_leaves_no_files),
        cmocka_unit_test(an_order_to_open_gives_the_project_of_the_trial),
        cmocka_unit_test(ranks_open_while_the_folder_is_made),
        cmocka_unit_test(lines_are_written_while_the_ranks_work),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
