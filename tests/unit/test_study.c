/** The study: decisions are in the journal and come out again; what is killed, lost or slow changes nothing in lockstep. */
#include "coordinator/study/study_parts.h"

#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "tests/unit/scratch.h"
#include "tests/unit/study_cluster.h"

static const char *const samplers[] = {"random", "tpe", "sobol", "grid", "cmaes", "auto"};
static const char *const pruners[] = {"none", "asha", "hyperband", "median", "percentile", "one_epoch_top_k"};

typedef struct fixture { scratch s; char dir[512], path[1024]; } fixture;

static int begin(void **state)
{
    fixture *f = calloc(1, sizeof *f);
    *state = f;
    if (f == NULL || !scratch_make(&f->s)) return -1;
    snprintf(f->dir, sizeof f->dir, "%s", scratch_path(&f->s, "study"));
    snprintf(f->path, sizeof f->path, "%s/journal", f->dir);
    return 0;
}

static int finish(void **state)
{
    fixture *f = *state;
    scratch_remove(&f->s);
    free(f);
    return 0;
}

static cluster_opts some_study(uint64_t seed)
{
    const fw_philox r = fw_random(seed, FW_RANDOM_TEST, 7, 0, 0), q = fw_random(seed, FW_RANDOM_TEST, 7, 1, 0);
    return (cluster_opts){.sampler = samplers[r.word[0] % 6], .pruner = pruners[r.word[1] % 6], .slots = 1 + r.word[2] % CLUSTER_SLOTS, .trials = 1 + r.word[3] % 24,
                          .max_rounds = 1 + q.word[0] % 9, .max_failed = 1000, .seed = seed, .lockstep = true, .fail_share = q.word[1] % 3 ? 0.15 : 0.0,
                          .early_share = q.word[2] % 2 ? 0.2 : 0.0};
}

/* ---- what is killed comes to the same ------------------------------------------------------------------------------------------------------- */

/* A kill leaves any part of the file; without its first line nothing was begun. */
static void kill_coordinator(cluster *c, const char *path)
{
    FW_FREE char *bytes = NULL;
    size_t len, keep;
    coord_study_close(&c->study);
    assert_int_equal(fw_read_file(&bytes, &len, path, 1 << 24, NULL), FW_OK);
    const size_t tail = FW_MIN(len, (size_t)600);
    keep = cluster_draw(c) < 0.2 ? (size_t)(cluster_draw(c) * (double)len) : len - (size_t)(cluster_draw(c) * (double)tail);
    assert_int_equal(truncate(path, (off_t)keep), 0);
    c->kills++;
    cluster_open(c, memchr(bytes, '\n', keep) != NULL ? COORD_STUDY_RESUME : COORD_STUDY_NEW);
}

/* Asked to stop: nobody begins, who runs leaves its job, and all is closed. */
static void stop_and_go_on(cluster *c)
{
    coord_study_stop(c->study);
    for (uint32_t i = 0; i < c->opts.slots; i++)
        if (c->runner[i].busy) cluster_lose(c, i);
    coord_study_close(&c->study);
    cluster_open(c, COORD_STUDY_RESUME);
}

static char *run(cluster *c, const char *path)
{
    cluster_open(c, COORD_STUDY_NEW);
    for (uint64_t step = 0; !cluster_done(c); step++) {
        if (step > 400000) fail_msg("%s %s: no end", c->opts.sampler, c->opts.pruner);
        cluster_step(c);
        if (cluster_draw(c) < c->kill) kill_coordinator(c, path);
        else if (cluster_draw(c) < c->stop) stop_and_go_on(c);
    }
    assert_int_equal(c->finished_twice, 0);
    return cluster_result(c->study);
}

static void same_as_undisturbed(const fixture *f, cluster_opts opts, uint64_t chaos)
{
    FW_FREE char *quiet = NULL, *loud = NULL, *read = NULL;
    fw_error err = {0};
    uint64_t decisions;
    cluster c = {.opts = opts, .dir = f->dir, .seed = 1};
    quiet = run(&c, f->path);
    coord_study_close(&c.study);
    assert_int_equal(unlink(f->path), 0);
    cluster d = {.opts = opts, .dir = f->dir, .seed = chaos, .lose = 0.02, .kill = 0.01, .stop = 0.003};
    loud = run(&d, f->path);
    if (strcmp(quiet, loud) != 0) fail_msg("%s %s, %u slots, seed %llu, after %llu kills and %llu losses:\n%s---\n%s", opts.sampler, opts.pruner, opts.slots, (unsigned long long)opts.seed,
                                           (unsigned long long)d.kills, (unsigned long long)d.losses, quiet, loud);
    coord_study_close(&d.study);
    if (coord_study_replay(f->dir, &decisions, &err) != FW_OK) fail_msg("%s", err.text);
    if (coord_study_read(&d.study, f->dir, &err) != FW_OK) fail_msg("%s", err.text);
    read = cluster_result(d.study);
    assert_string_equal(read, loud);
    coord_study_close(&d.study);
    assert_int_equal(unlink(f->path), 0);
}

static void in_lockstep_kills_losses_and_speed_change_nothing(void **state)
{
    const char *more = getenv("FW_STUDY_RUNS");
    const uint64_t runs = more != NULL ? strtoull(more, NULL, 10) : 60;
    for (uint64_t i = 0; i < runs; i++) same_as_undisturbed(*state, some_study(i), 1000 + i);
}

/* Without lockstep the order of arrival counts; but what is finished stays finished, and every decision comes out of the journal again. */
static void without_lockstep_every_decision_comes_again(void **state)
{
    const fixture *f = *state;
    for (uint64_t i = 0; i < 40; i++) {
        fw_error err = {0};
        uint64_t decisions = 0;
        cluster_opts opts = some_study(500 + i);
        opts.lockstep = false;
        cluster c = {.opts = opts, .dir = f->dir, .seed = i, .lose = 0.02, .kill = 0.01, .stop = 0.003};
        FW_FREE char *result = run(&c, f->path);
        const uint64_t lines = coord_journal_lines(c.study->journal);
        coord_study_close(&c.study);
        if (coord_study_replay(f->dir, &decisions, &err) != FW_OK) fail_msg("%s", err.text);
        assert_int_equal(decisions + 1, lines);
        if (coord_study_read(&c.study, f->dir, &err) != FW_OK) fail_msg("%s", err.text);
        FW_FREE char *read = cluster_result(c.study);
        assert_string_equal(read, result);
        for (size_t t = 0; t < coord_study_n_trials(c.study); t++) assert_true(coord_study_trial(c.study, t)->state >= COORD_COMPLETE);
        assert_int_equal(coord_study_count(c.study, COORD_WAITING) + coord_study_count(c.study, COORD_RUNNING), 0);
        coord_study_close(&c.study);
        unlink(f->path);
    }
}

/* ---- a small study, and what is wrong with its journal --------------------------------------------------------------------------------------- */

static cluster_opts small_study(void)
{
    return (cluster_opts){.sampler = "random", .pruner = "asha", .slots = 2, .trials = 5, .max_rounds = 9, .max_failed = 10, .seed = 3, .lockstep = true, .fail_share = 0.2};
}

static fw_status resume(const fixture *f, const cluster_opts *opts, fw_error *err)
{
    coord_study *s = NULL;
    json_t *settings = cluster_settings(opts);
    const fw_status status = coord_study_open_as(&s, f->dir, settings, COORD_STUDY_RESUME, err);
    json_decref(settings);
    coord_study_close(&s);
    return status;
}

static void a_journal_cut_at_any_byte_ends_in_the_same(void **state)
{
    const fixture *f = *state;
    FW_FREE char *bytes = NULL, *whole = NULL;
    size_t len;
    cluster c = {.opts = small_study(), .dir = f->dir, .seed = 1};
    whole = run(&c, f->path);
    coord_study_close(&c.study);
    assert_int_equal(fw_read_file(&bytes, &len, f->path, 1 << 20, NULL), FW_OK);
    for (size_t cut = 0; cut <= len; cut += cut > 0 && bytes[cut - 1] != '\n' && cut % 16 != 0 ? 1 + cut % 7 : 1) {
        assert_int_equal(fw_write_file(f->path, bytes, cut, NULL), FW_OK);
        c = (cluster){.opts = small_study(), .dir = f->dir, .seed = cut};
        cluster_open(&c, memchr(bytes, '\n', cut) != NULL ? COORD_STUDY_RESUME : COORD_STUDY_NEW);
        while (!cluster_done(&c)) cluster_step(&c);
        FW_FREE char *again = cluster_result(c.study);
        assert_string_equal(whole, again);
        coord_study_close(&c.study);
    }
}

static void every_changed_byte_is_found_and_named(void **state)
{
    const fixture *f = *state;
    FW_FREE char *bytes = NULL;
    size_t len;
    cluster_opts opts = small_study();
    cluster c = {.opts = opts, .dir = f->dir, .seed = 1};
    free(run(&c, f->path));
    coord_study_close(&c.study);
    assert_int_equal(fw_read_file(&bytes, &len, f->path, 1 << 20, NULL), FW_OK);
    for (size_t i = 0, line = 1; i < len; i++) {
        fw_error err = {0};
        char where[64];
        uint64_t decisions;
        const char was = bytes[i];
        bytes[i] = (char)(was ^ (1 << (i % 8)));
        assert_int_equal(fw_write_file(f->path, bytes, len, NULL), FW_OK);
        bytes[i] = was;
        snprintf(where, sizeof where, "line %zu (byte ", line);
        assert_int_equal(coord_study_replay(f->dir, &decisions, &err), FW_ERR_FORMAT);
        assert_non_null(strstr(err.text, where));
        assert_int_equal(resume(f, &opts, &err), FW_ERR_FORMAT);
        line += was == '\n';
    }
}

/* Sound by its checksums, but another decision: as a program would make that chooses in another way. */
static void a_decision_that_is_not_ours_is_named(void **state)
{
    const fixture *f = *state;
    static const struct { const char *from, *to, *says; } lies[] = {
        {"\"verdict\":\"pause\"", "\"verdict\":\"prune\"", "the decision is another one"},
        {"\"new\":true,\"x\":[0", "\"new\":true,\"x\":[1", "the decision is another one"},
        {"\"event\":\"settle\"", "\"event\":\"settel\"", "no event"},
        {"\"event\":\"report\",\"slot\":1,\"trial\":1", "\"event\":\"report\",\"slot\":1,\"trial\":4", "does not run here"},
        {"\"round\":1", "\"round\":2", "reports round"},
    };
    cluster c = {.opts = small_study(), .dir = f->dir, .seed = 1};
    free(run(&c, f->path));
    coord_study_close(&c.study);
    FW_FREE char *bytes = NULL;
    size_t len;
    assert_int_equal(fw_read_file(&bytes, &len, f->path, 1 << 20, NULL), FW_OK);
    for (size_t k = 0; k < sizeof lies / sizeof *lies; k++) {
        FW_AUTO(fw_text) changed = {0};
        fw_error err = {0};
        uint64_t decisions, chain = 0;
        bool done = false;
        for (char *line = bytes, *end; line < bytes + len; line = end + 1) {
            FW_AUTO(fw_text) json = {0};
            end = strchr(line, '\n');
            fw_text_add_bytes(&json, line + 17, (size_t)(end - line) - 17);
            char *at = done ? NULL : strstr(json.data, lies[k].from);
            if (at != NULL) memcpy(at, lies[k].to, strlen(lies[k].to));
            done |= at != NULL;
            chain = fw_hash64(json.data, json.len, chain);
            fw_text_format(&changed, "%016llx %s\n", (unsigned long long)chain, json.data);
        }
        if (!done) fail_msg("%s is not in:\n%s", lies[k].from, bytes);
        assert_int_equal(fw_write_file(f->path, changed.data, changed.len, NULL), FW_OK);
        assert_int_equal(coord_study_replay(f->dir, &decisions, &err), FW_ERR_FORMAT);
        if (strstr(err.text, lies[k].says) == NULL || strstr(err.text, "journal: line ") == NULL) fail_msg("%s", err.text);
    }
}

static void of_another_project_it_is_refused_with_what_differs(void **state)
{
    const fixture *f = *state;
    cluster_opts opts = small_study();
    cluster c = {.opts = opts, .dir = f->dir, .seed = 1};
    cluster_open(&c, COORD_STUDY_NEW);
    coord_study_close(&c.study);
    static const struct { const char *path, *value, *says; } other[] = {
        {"project", "\"q\"", "project: \"p\" in the study, \"q\" now"},
        {"dataset", "\"e\"", "dataset: \"d\" in the study, \"e\" now"},
        {"seed", "4", "seed: 3 in the study, 4 now"},
        {"slots", "3", "slots: 2 in the study, 3 now"},
        {"trials", "4", "trials: 5 in the study, 4 now"},
        {"pruner.name", "\"none\"", "pruner.name: \"asha\" in the study, \"none\" now"},
        {"objective.direction", "\"minimize\"", "objective.direction: \"maximize\" in the study, \"minimize\" now"},
        {"space.0.high", "0.5", "space.train.learning_rate.high: 0.1"},
        {"model", "\"model:\\n  learner: linear\\ntrain:\\n  epochs: 9\\n  schedule:\\n    kind: cosine\\n    warmup_epochs: 2\\n\"", "model.learner: mlp in the study, linear now"},
        {"model", "\"model:\\n  learner: mlp\\ntrain:\\n  epochs: 9\\n  schedule:\\n    kind: cosine\\n    warmup_epochs: 2\\n\"", "train.schedule.warmup_epochs: nothing in the study, 2 now"},
        {"trials", "6", NULL},
        {"max_failed_trials", "99", NULL},
        {"version", "\"1\"", NULL},
    };
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        fw_error err = {0};
        coord_study *s = NULL;
        json_t *settings = cluster_settings(&opts), *in = settings, *value = json_loads(other[i].value, JSON_DECODE_ANY, NULL);
        char path[64], *part = path, *dot;
        snprintf(path, sizeof path, "%s", other[i].path);
        for (; (dot = strchr(part, '.')) != NULL; part = dot + 1) {
            *dot = '\0';
            in = json_is_array(in) ? json_array_get(in, (size_t)atoi(part)) : json_object_get(in, part);
        }
        json_object_set_new(in, part, value);
        const fw_status status = coord_study_open_as(&s, f->dir, settings, COORD_STUDY_RESUME, &err);
        json_decref(settings);
        coord_study_close(&s);
        assert_int_equal(status, other[i].says != NULL ? FW_ERR_CONFIG : FW_OK);
        if (other[i].says != NULL && strstr(err.text, other[i].says) == NULL) fail_msg("%s", err.text);
    }
}

/* ---- opening --------------------------------------------------------------------------------------------------------------------------------- */

static void it_is_neither_reused_nor_overwritten_by_mistake(void **state)
{
    const fixture *f = *state;
    fw_error err = {0};
    coord_study *s = NULL;
    cluster_opts opts = small_study();
    json_t *settings = cluster_settings(&opts);
    assert_int_equal(coord_study_open_as(&s, f->dir, settings, COORD_STUDY_RESUME, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "no study"));
    cluster c = {.opts = opts, .dir = f->dir, .seed = 1};
    free(run(&c, f->path));
    assert_int_equal(coord_study_open_as(&s, f->dir, settings, COORD_STUDY_NEW, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "--resume"));
    assert_int_equal(coord_study_open_as(&s, f->dir, settings, COORD_STUDY_RESUME, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "another process"));
    assert_int_equal(coord_study_open_as(&s, f->dir, settings, COORD_STUDY_FORCE, &err), FW_ERR_CONFIG);
    coord_study_close(&c.study);
    assert_int_equal(coord_study_open_as(&s, f->dir, settings, COORD_STUDY_FORCE, &err), FW_OK);
    assert_int_equal(coord_study_n_trials(s), 0);
    coord_study_close(&s);
    json_decref(settings);
}

static void only_reading_changes_and_orders_nothing(void **state)
{
    const fixture *f = *state;
    fw_error err = {0};
    coord_study *s = NULL;
    coord_answer_kind kind;
    coord_job job;
    assert_int_equal(coord_study_read(&s, f->dir, &err), FW_ERR_CONFIG);
    cluster c = {.opts = small_study(), .dir = f->dir, .seed = 1};
    cluster_open(&c, COORD_STUDY_NEW);
    for (int i = 0; i < 40; i++) cluster_step(&c);
    assert_int_equal(coord_study_read(&s, f->dir, &err), FW_OK);          /* while it is worked on */
    FW_FREE char *there = cluster_result(s), *here = cluster_result(c.study);
    assert_string_equal(there, here);
    assert_int_equal(coord_study_ask(s, 0, &kind, &job, &err), FW_ERR_ARG);
    assert_int_equal(coord_study_extend(s, 100, &err), FW_ERR_ARG);
    const coord_stretch *a, *b;
    assert_int_equal(coord_study_stretches(s, &a), coord_study_stretches(c.study, &b));
    for (size_t i = 0; i < coord_study_stretches(s, &a); i++) {
        assert_true(a[i].begin_s >= 0 && a[i].end_s >= a[i].begin_s);
        assert_int_equal(a[i].trial, b[i].trial);
        assert_int_equal(a[i].to, b[i].to);
        assert_int_equal(a[i].end, b[i].end);
        assert_true(fabs(a[i].end_s - b[i].end_s) < 0.0011);              /* the journal has milliseconds */
    }
    coord_study_close(&s);
    coord_study_close(&c.study);
}

/* ---- failures -------------------------------------------------------------------------------------------------------------------------------- */

static void when_all_trials_fail_the_study_ends(void **state)
{
    const fixture *f = *state;
    fw_error err = {0};
    cluster_opts opts = small_study();
    opts.max_failed = 2;
    opts.trials = 20;
    cluster c = {.opts = opts, .dir = f->dir, .seed = 1};
    cluster_open(&c, COORD_STUDY_NEW);
    coord_answer_kind kind;
    coord_job job;
    fw_status status = FW_OK;
    for (int i = 0; i < 3; i++) {
        const uint32_t slot = (uint32_t)coord_study_turn(c.study);
        assert_int_equal(status, FW_OK);
        cluster_must(coord_study_ask(c.study, slot, &kind, &job, &err), &err);
        if (kind == COORD_JOB && i == 0) cluster_must(coord_study_ask(c.study, 1, &kind, &job, &err), &err);
        job.trial = c.study->slot[coord_study_turn(c.study)].trial;
        status = coord_study_fail(c.study, &job, "out of memory", &err);
    }
    assert_int_equal(status, FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "3 trials have failed"));
    assert_int_equal(coord_study_ask(c.study, (uint32_t)coord_study_turn(c.study), &kind, &job, &err), FW_OK);
    assert_int_equal(kind, COORD_DONE);
    assert_null(coord_study_best(c.study));
    coord_study_close(&c.study);
    c.opts.max_failed = 100;                                              /* may be raised */
    cluster_open(&c, COORD_STUDY_RESUME);
    assert_string_equal(coord_study_trial(c.study, 0)->reason, "out of memory");
    while (!cluster_done(&c)) cluster_step(&c);
    assert_int_equal(coord_study_n_trials(c.study), 20);
    coord_study_close(&c.study);
}

/* The limit on the size of a file stands for a full disk. */
static void on_a_full_disk_it_stops_and_can_go_on(void **state)
{
    const fixture *f = *state;
    FW_FREE char *whole = NULL;
    cluster c = {.opts = small_study(), .dir = f->dir, .seed = 1};
    whole = run(&c, f->path);
    coord_study_close(&c.study);
    uint64_t bytes;
    struct rlimit before;
    assert_int_equal(fw_file_size(&bytes, f->path, NULL), FW_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, SIG_IGN);
    unlink(f->path);
    cluster_open(&c, COORD_STUDY_NEW);
    struct rlimit small = {.rlim_cur = bytes / 2, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    fw_status status = FW_OK;
    fw_error err = {0};
    while (status == FW_OK) {
        const uint32_t slot = (uint32_t)coord_study_turn(c.study);
        cluster_runner *r = &c.runner[slot];
        coord_answer_kind kind;
        coord_verdict_on verdict;
        coord_job job;
        if (!r->busy) {
            status = coord_study_ask(c.study, slot, &kind, &job, &err);
            if (status == FW_OK && kind == COORD_JOB) cluster_begin(&c, r, &job);
        } else if (r->done >= r->job.max_rounds) {
            status = coord_study_complete(c.study, &r->job, cluster_value(&c, r->job.x, r->done), NAN, r->done, &err);
            r->busy = false;
        } else if (cluster_fails_at(&c, r->job.x) == r->done + 1) {
            status = coord_study_fail(c.study, &r->job, "diverged \"here\"\n", &err);
            r->busy = false;
        } else {
            status = coord_study_report(c.study, &r->job, r->done + 1, cluster_value(&c, r->job.x, r->done + 1), (r->done + 1) % 2 ? 0.5 : (double)NAN, &verdict, &err);
            r->done++;
            r->busy = verdict == COORD_GO_ON;
        }
    }
    assert_int_equal(status, FW_ERR_IO);
    assert_non_null(strstr(err.text, "appending"));
    coord_answer_kind kind;
    coord_job job;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(coord_study_ask(c.study, 0, &kind, &job, &err), FW_ERR_IO);      /* what it decided last is not written: it does nothing more */
    assert_non_null(strstr(err.text, "--resume"));
    coord_study_close(&c.study);
    cluster_open(&c, COORD_STUDY_RESUME);
    while (!cluster_done(&c)) cluster_step(&c);
    FW_FREE char *again = cluster_result(c.study);
    assert_string_equal(whole, again);
    coord_study_close(&c.study);
}

/* ---- the contract of the calls ----------------------------------------------------------------------------------------------------------------- */

static void rounds_that_come_again_must_be_the_same(void **state)
{
    const fixture *f = *state;
    fw_error err = {0};
    coord_answer_kind kind;
    coord_job job;
    coord_verdict_on verdict;
    cluster_opts opts = small_study();
    opts.pruner = "none";
    cluster c = {.opts = opts, .dir = f->dir, .seed = 1};
    cluster_open(&c, COORD_STUDY_NEW);
    cluster_must(coord_study_ask(c.study, 0, &kind, &job, &err), &err);
    assert_int_equal(job.to, opts.max_rounds);
    assert_false(job.resumed);
    for (uint64_t r = 1; r <= 3; r++) cluster_must(coord_study_report(c.study, &job, r, (double)r, NAN, &verdict, &err), &err);
    assert_int_equal(coord_study_report(c.study, &job, 5, 5.0, NAN, &verdict, &err), FW_ERR_ARG);
    cluster_must(coord_study_lost(c.study, &job, &err), &err);
    assert_int_equal(coord_study_trial(c.study, job.trial)->state, COORD_WAITING);
    cluster_must(coord_study_ask(c.study, 0, &kind, &job, &err), &err);
    assert_true(kind == COORD_JOB && job.resumed && job.from == 3);
    const uint64_t lines = coord_journal_lines(c.study->journal);
    cluster_must(coord_study_report(c.study, &job, 2, 2.0, NAN, &verdict, &err), &err);
    assert_int_equal(coord_journal_lines(c.study->journal), lines);
    assert_int_equal(coord_study_report(c.study, &job, 3, 3.5, NAN, &verdict, &err), FW_ERR_INTERNAL);
    assert_non_null(strstr(err.text, "the same bits were promised"));
    coord_study_close(&c.study);
}

static void in_lockstep_nobody_speaks_before_its_turn(void **state)
{
    const fixture *f = *state;
    fw_error err = {0};
    coord_answer_kind kind;
    coord_job job, second;
    coord_verdict_on verdict;
    cluster c = {.opts = small_study(), .dir = f->dir, .seed = 1};
    cluster_open(&c, COORD_STUDY_NEW);
    assert_int_equal(coord_study_turn(c.study), 0);
    assert_int_equal(coord_study_ask(c.study, 1, &kind, &second, &err), FW_ERR_INTERNAL);
    cluster_must(coord_study_ask(c.study, 0, &kind, &job, &err), &err);
    assert_int_equal(coord_study_turn(c.study), 1);
    assert_int_equal(job.to, 1);
    assert_int_equal(coord_study_report(c.study, &job, 1, 0.5, NAN, &verdict, &err), FW_ERR_INTERNAL);
    coord_study_stop(c.study);
    assert_int_equal(coord_study_turn(c.study), -1);
    assert_int_equal(coord_study_report(c.study, &job, 1, 0.5, NAN, &verdict, &err), FW_ERR_STOPPED);
    cluster_must(coord_study_ask(c.study, 1, &kind, &second, &err), &err);
    assert_int_equal(kind, COORD_DONE);
    coord_study_close(&c.study);
}

/* Whoever waited asks again when what it waited for happened, not before; an end before the last round counts one round after the last report. */
static void the_clocks_of_lockstep_count_rounds(void **state)
{
    const fixture *f = *state;
    fw_error err = {0};
    coord_answer_kind kind;
    coord_job job, none;
    coord_verdict_on verdict;
    cluster_opts opts = small_study();
    opts.pruner = "none";
    opts.trials = 1;
    opts.max_rounds = 3;
    for (uint64_t rounds = 1; rounds <= 3; rounds++) {
        cluster c = {.opts = opts, .dir = f->dir, .seed = 1};
        cluster_open(&c, rounds == 1 ? COORD_STUDY_NEW : COORD_STUDY_FORCE);
        cluster_must(coord_study_ask(c.study, 0, &kind, &job, &err), &err);
        cluster_must(coord_study_ask(c.study, 1, &kind, &none, &err), &err);
        assert_int_equal(kind, COORD_WAIT);
        assert_int_equal(coord_study_turn(c.study), 0);
        for (uint64_t r = 1; r <= rounds; r++) cluster_must(coord_study_report(c.study, &job, r, 1.0, NAN, &verdict, &err), &err);
        assert_int_equal(c.study->slot[1].state, SLOT_WAITING);
        cluster_must(coord_study_complete(c.study, &job, 1.0, NAN, rounds, &err), &err);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(c.study->slot[i].clock, FW_MIN(rounds + 1, opts.max_rounds));
            assert_int_equal(c.study->slot[i].state, SLOT_IDLE);
            assert_int_equal(coord_study_turn(c.study), i);
            cluster_must(coord_study_ask(c.study, (uint32_t)i, &kind, &none, &err), &err);
            assert_int_equal(kind, COORD_DONE);
        }
        coord_study_close(&c.study);
    }
}

static void more_trials_can_be_asked_for(void **state)
{
    const fixture *f = *state;
    fw_error err = {0};
    cluster c = {.opts = small_study(), .dir = f->dir, .seed = 1};
    free(run(&c, f->path));
    assert_int_equal(coord_study_budget(c.study), 5);
    cluster_must(coord_study_extend(c.study, 9, &err), &err);
    cluster_must(coord_study_extend(c.study, 3, &err), &err);
    assert_int_equal(coord_study_budget(c.study), 9);
    memset(c.over, 0, sizeof c.over);
    while (!cluster_done(&c)) cluster_step(&c);
    assert_int_equal(coord_study_n_trials(c.study), 9);
    coord_study_close(&c.study);
    uint64_t decisions;
    cluster_must(coord_study_replay(f->dir, &decisions, &err), &err);
    cluster_open(&c, COORD_STUDY_RESUME);
    assert_int_equal(coord_study_budget(c.study), 9);
    coord_study_close(&c.study);
}

static void the_best_is_the_highest_and_of_equals_the_first(void **state)
{
    const fixture *f = *state;
    fw_error err = {0};
    coord_answer_kind kind;
    coord_job job[3];
    coord_verdict_on verdict;
    cluster_opts opts = small_study();
    opts.lockstep = false;
    opts.pruner = "none";
    opts.slots = 3;
    opts.max_rounds = 1;
    cluster c = {.opts = opts, .dir = f->dir, .seed = 1};
    cluster_open(&c, COORD_STUDY_NEW);
    for (uint32_t i = 0; i < 3; i++) cluster_must(coord_study_ask(c.study, i, &kind, &job[i], &err), &err);
    static const double values[] = {0.25, 0.5, 0.5};
    for (int i = 2; i >= 0; i--) {
        cluster_must(coord_study_report(c.study, &job[i], 1, values[i], 0.125, &verdict, &err), &err);
        assert_true(i == 0 ? !coord_study_would_be_best(c.study, job[i].trial, values[i]) : coord_study_would_be_best(c.study, job[i].trial, values[i]));
        cluster_must(coord_study_complete(c.study, &job[i], values[i], 0.125, 1, &err), &err);
    }
    assert_int_equal(coord_study_best(c.study)->number, 1);
    assert_false(coord_study_would_be_best(c.study, 4, (double)NAN));
    coord_study_close(&c.study);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, begin, finish)
    const struct CMUnitTest tests[] = {
        T(in_lockstep_kills_losses_and_speed_change_nothing), T(without_lockstep_every_decision_comes_again), T(a_journal_cut_at_any_byte_ends_in_the_same),
        T(every_changed_byte_is_found_and_named), T(a_decision_that_is_not_ours_is_named), T(of_another_project_it_is_refused_with_what_differs),
        T(it_is_neither_reused_nor_overwritten_by_mistake), T(only_reading_changes_and_orders_nothing), T(when_all_trials_fail_the_study_ends),
        T(on_a_full_disk_it_stops_and_can_go_on), T(rounds_that_come_again_must_be_the_same), T(in_lockstep_nobody_speaks_before_its_turn),
        T(the_clocks_of_lockstep_count_rounds), T(more_trials_can_be_asked_for), T(the_best_is_the_highest_and_of_equals_the_first),
    };
#undef T
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);      /* thousands of studies are opened; no disk is tested */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
