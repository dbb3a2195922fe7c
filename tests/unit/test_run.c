/** Where a training goes and what it goes on from: runs/ beside the project file, -o, --resume. */
#include "coordinator/commands/run.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/model/checkpoint.h"
#include "tests/unit/scratch.h"

typedef struct fixture { scratch folder; fw_project *project, *other; } fixture;

static const char base[] = "project: p\nproblem: {task: classification, target: y}\ndata:\n  tables: {a: a.csv}\nmodel: {learner: linear}\n";

static int begin(void **context)
{
    fixture *f = calloc(1, sizeof *f);
    *context = f;
    if (f == NULL || !scratch_make(&f->folder)) return -1;
    char other[300];
    snprintf(other, sizeof other, "%strain: {learning_rate: 0.5}\n", base);
    if (fw_project_parse(&f->project, base, "p.yaml", f->folder.dir, NULL) != FW_OK) return -1;
    return fw_project_parse(&f->other, other, "p.yaml", f->folder.dir, NULL) == FW_OK ? 0 : -1;
}

static int finish(void **context)
{
    fixture *f = *context;
    scratch_remove(&f->folder);
    fw_project_destroy(&f->project);
    fw_project_destroy(&f->other);
    free(f);
    return 0;
}

#define DATASET "0123456789abcdef0123456789abcdef"

static coord_run *open_run(const fw_project *p, const char *output, coord_resume how, const char *path)
{
    coord_run *r = NULL;
    fw_error err = {0};
    if (coord_run_open(&r, p, DATASET, output, how, path, &err) != FW_OK) fail_msg("%s", err.text);
    return r;
}

static void write_checkpoint(const char *path, const char *previous)
{
    float w[4] = {1, 2, 3, 4};
    const fw_array a = {"w", FW_F32, 4, w};
    json_t *manifest = json_object();
    assert_int_equal(fw_checkpoint_write(path, previous, manifest, &a, 1, NULL), FW_OK);
    json_decref(manifest);
}

static void put(const char *dir, const char *name, const char *text)
{
    FW_FREE char *path = NULL;
    assert_int_equal(fw_path_join(&path, dir, name, NULL), FW_OK);
    assert_int_equal(fw_write_file(path, text, strlen(text), NULL), FW_OK);
}

/* runs/<time>-<digest> as an earlier start left it. */
static char *earlier_run(const fixture *f, const char *time, const char *digest, bool checkpoint, bool model)
{
    char dir[600], path[700];
    snprintf(dir, sizeof dir, "%s/runs/%s-%s", f->folder.dir, time, digest);
    assert_int_equal(fw_make_dirs(dir, NULL), FW_OK);
    snprintf(path, sizeof path, "%s/checkpoint.h5", dir);
    if (checkpoint) write_checkpoint(path, NULL);
    if (model) put(dir, "model.h5", "a model");
    return strdup(dir);
}

/* The short digest of the fixture's project with this data. */
static void digest_of(char out[9], const fw_project *p)
{
    FW_AUTO(coord_run) *r = open_run(p, NULL, COORD_RESUME_NEVER, NULL);
    memcpy(out, r->dir + strlen(r->dir) - 8, 9);
}

static void a_new_run_has_a_folder_of_its_own(void **context)
{
    const fixture *f = *context;
    FW_AUTO(coord_run) *a = open_run(f->project, NULL, COORD_RESUME_AUTO, NULL);
    FW_AUTO(coord_run) *b = open_run(f->project, NULL, COORD_RESUME_AUTO, NULL);       /* in the same second, mostly */
    assert_true(fw_path_is_dir(a->dir) && fw_path_is_dir(b->dir));
    assert_string_not_equal(a->dir, b->dir);
    assert_null(a->resume_from);
    const char *name = strrchr(a->dir, '/') + 1;
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, used = 0;
    assert_int_equal(sscanf(name, "%4d%2d%2dT%2d%2d%2dZ%n", &year, &month, &day, &hour, &minute, &second, &used), 6);
    assert_true(year >= 2020 && month >= 1 && month <= 12 && day >= 1 && day <= 31 && strlen(name) - (size_t)used >= 9);
    assert_int_equal(strncmp(a->model, a->dir, strlen(a->dir)), 0);
    assert_non_null(strstr(a->previous, "checkpoint.h5.previous"));
}

static void the_digest_tells_settings_and_data_apart(void **context)
{
    const fixture *f = *context;
    char mine[9], again[9], other[9];
    digest_of(mine, f->project);
    digest_of(again, f->project);
    digest_of(other, f->other);
    assert_string_equal(mine, again);
    assert_string_not_equal(mine, other);
    FW_AUTO(coord_run) *r = NULL;
    assert_int_equal(coord_run_open(&r, f->project, "another", NULL, COORD_RESUME_NEVER, NULL, NULL), FW_OK);
    assert_string_not_equal(mine, r->dir + strlen(r->dir) - 8);
}

static void auto_goes_on_with_the_newest_unfinished_run(void **context)
{
    const fixture *f = *context;
    char digest[9], other[9];
    digest_of(digest, f->project);
    digest_of(other, f->other);
    free(earlier_run(f, "20240101T000000Z", digest, true, false));
    FW_FREE char *newest = earlier_run(f, "20240103T000000Z", digest, true, false);
    free(earlier_run(f, "20240102T000000Z", digest, true, false));
    FW_FREE char *others = earlier_run(f, "20240109T000000Z", other, true, false);
    free(earlier_run(f, "20240105T000000Z", digest, true, true));          /* newer, and done */
    free(earlier_run(f, "20240106T000000Z", digest, false, false));        /* newer, and died before its first checkpoint */
    FW_AUTO(coord_run) *r = open_run(f->project, NULL, COORD_RESUME_AUTO, NULL);
    assert_string_equal(r->dir, newest);
    assert_string_equal(r->resume_from, r->checkpoint);
    assert_false(r->damaged_latest);
    FW_AUTO(coord_run) *theirs = open_run(f->other, NULL, COORD_RESUME_AUTO, NULL);
    assert_string_equal(theirs->dir, others);
    FW_AUTO(coord_run) *anew = open_run(f->project, NULL, COORD_RESUME_NEVER, NULL);
    assert_null(anew->resume_from);
    assert_string_not_equal(anew->dir, newest);
}

static void auto_begins_anew_when_all_are_finished(void **context)
{
    const fixture *f = *context;
    char digest[9];
    digest_of(digest, f->project);
    FW_FREE char *finished = earlier_run(f, "20240105T000000Z", digest, true, true);
    FW_AUTO(coord_run) *r = open_run(f->project, NULL, COORD_RESUME_AUTO, NULL);
    assert_string_not_equal(r->dir, finished);
    assert_null(r->resume_from);
}

static void a_run_with_only_the_previous_checkpoint_is_gone_on_with(void **context)
{
    const fixture *f = *context;
    char digest[9], path[700];
    digest_of(digest, f->project);
    FW_FREE char *dir = earlier_run(f, "20240105T000000Z", digest, false, false);
    snprintf(path, sizeof path, "%s/checkpoint.h5.previous", dir);
    write_checkpoint(path, NULL);
    FW_AUTO(coord_run) *r = open_run(f->project, NULL, COORD_RESUME_AUTO, NULL);
    assert_string_equal(r->dir, dir);
    assert_string_equal(r->resume_from, r->previous);
}

static void a_damaged_checkpoint_gives_way_to_the_one_before(void **context)
{
    const fixture *f = *context;
    char digest[9];
    digest_of(digest, f->project);
    FW_FREE char *dir = earlier_run(f, "20240105T000000Z", digest, true, false);
    FW_AUTO(coord_run) *before = open_run(f->project, NULL, COORD_RESUME_AUTO, NULL);
    write_checkpoint(before->checkpoint, before->previous);
    coord_run_destroy(&before);
    put(dir, "checkpoint.h5", "torn");
    FW_AUTO(coord_run) *r = open_run(f->project, NULL, COORD_RESUME_AUTO, NULL);
    assert_string_equal(r->dir, dir);
    assert_string_equal(r->resume_from, r->previous);
    assert_true(r->damaged_latest);
    FW_FREE char *previous = strdup(r->previous);
    coord_run_destroy(&r);

    put(dir, "checkpoint.h5.previous", "torn too");
    FW_AUTO(coord_run) *none = NULL;
    fw_error err = {0};
    assert_int_equal(coord_run_open(&none, f->project, DATASET, NULL, COORD_RESUME_AUTO, NULL, &err), FW_ERR_FORMAT);
    assert_null(none);
    unlink(previous);
    assert_int_equal(coord_run_open(&none, f->project, DATASET, NULL, COORD_RESUME_AUTO, NULL, &err), FW_ERR_FORMAT);
    assert_non_null(strstr(err.text, "checkpoint.h5"));
    assert_non_null(strstr(err.text, "--resume never"));
}

static void a_given_folder_is_used_and_a_finished_one_refused(void **context)
{
    fixture *f = *context;
    FW_FREE char *out = strdup(scratch_path(&f->folder, "deep/out"));
    FW_AUTO(coord_run) *a = open_run(f->project, out, COORD_RESUME_AUTO, NULL);
    assert_string_equal(a->dir, out);
    assert_true(fw_path_is_dir(out));
    assert_null(a->latest);
    assert_null(a->resume_from);
    write_checkpoint(a->checkpoint, NULL);
    coord_run_destroy(&a);
    FW_AUTO(coord_run) *b = open_run(f->project, out, COORD_RESUME_AUTO, NULL);
    assert_string_equal(b->resume_from, b->checkpoint);
    coord_run_destroy(&b);
    put(out, "model.h5", "a model");
    FW_AUTO(coord_run) *c = NULL;
    fw_error err = {0};
    assert_int_equal(coord_run_open(&c, f->project, DATASET, out, COORD_RESUME_AUTO, NULL, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, out));
    assert_non_null(strstr(err.text, "--resume never"));
    FW_AUTO(coord_run) *anew = open_run(f->project, out, COORD_RESUME_NEVER, NULL);
    assert_null(anew->resume_from);
}

/* The report comes after the model, and `done` last: what was killed in between is not finished. The end of progress.jsonl, how it is read, where a run stands. */
static void a_run_is_finished_when_it_is_done(void **context)
{
    fixture *f = *context;
    const struct { const char *progress; bool model, finished; } cases[] = {
        {"", true, true},
        {"{\"event\":\"start\"}\n{\"event\":\"done\"}\n", true, true},
        {"{\"event\":\"done\"}\n{\"event\":\"rou", true, true},
        {"{\"event\":\"done\"}\n", false, false},
        {"{\"event\":\"start\"}\n{\"event\":\"round\",\"round\":9}\n", true, false},
        {"{\"event\":\"done\"}\n{\"event\":\"resume\"}\n", true, false},
        {"{\"event\":\"start\"}\n{\"event\":\"do", true, false},
        {"{\"event\":\"done\"}", true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[32], digest[9];
        digest_of(digest, f->project);
        snprintf(name, sizeof name, "202%zu0105T000000Z", i);
        FW_FREE char *dir = earlier_run(f, name, digest, true, cases[i].model);
        put(dir, "progress.jsonl", cases[i].progress);
        FW_AUTO(coord_run) *by_name = NULL;
        const fw_status s = coord_run_open(&by_name, f->project, DATASET, dir, COORD_RESUME_AUTO, NULL, NULL);
        assert_int_equal(s, cases[i].finished ? FW_ERR_CONFIG : FW_OK);
        if (s == FW_OK) assert_string_equal(by_name->resume_from, by_name->checkpoint);
        coord_run_destroy(&by_name);
        FW_AUTO(coord_run) *found = open_run(f->project, NULL, COORD_RESUME_AUTO, NULL);
        assert_int_equal(strcmp(found->dir, dir) == 0, !cases[i].finished);
        coord_run_destroy(&found);
        char path[700];
        snprintf(path, sizeof path, "%s/checkpoint.h5", dir);
        assert_int_equal(unlink(path), 0);                                      /* out of the way of the next case */
    }
}

/* Ranks of a gang may live though no checkpoint was written: they are found by the fence. After a loss the newest checkpoint is taken. */
static void a_run_of_a_gang_is_found_and_goes_on_from_its_own_checkpoint(void **context)
{
    fixture *f = *context;
    char digest[9];
    digest_of(digest, f->project);
    FW_FREE char *dir = earlier_run(f, "20240105T000000Z", digest, false, false);
    put(dir, "gang.generation", "3\n");
    FW_AUTO(coord_run) *r = open_run(f->project, NULL, COORD_RESUME_AUTO, NULL);
    assert_string_equal(r->dir, dir);
    assert_null(r->resume_from);
    assert_int_equal(coord_run_again(r, NULL), FW_OK);
    assert_null(r->resume_from);
    write_checkpoint(r->checkpoint, NULL);
    assert_int_equal(coord_run_again(r, NULL), FW_OK);
    assert_string_equal(r->resume_from, r->checkpoint);
    write_checkpoint(r->checkpoint, r->previous);
    put(dir, "checkpoint.h5", "torn");
    assert_int_equal(coord_run_again(r, NULL), FW_OK);
    assert_string_equal(r->resume_from, r->previous);
    static const char *const halves[] = {"checkpoint.h5.tmp.4711", "model.h5.tmp.4711", "metrics.json.tmp.4711", "report.html.tmp.4711"};
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) put(dir, halves[i], "half");
    coord_run_tidy(r);
    for (size_t i = 0; i < sizeof halves / sizeof *halves; i++) {
        FW_FREE char *half = NULL;
        assert_int_equal(fw_path_join(&half, dir, halves[i], NULL), FW_OK);
        assert_int_equal(access(half, F_OK), -1);
    }
    assert_int_equal(access(r->previous, F_OK), 0);

    FW_FREE char *out = strdup(scratch_path(&f->folder, "other"));
    FW_AUTO(coord_run) *given = open_run(f->project, out, COORD_RESUME_PATH, r->previous);
    assert_int_equal(coord_run_again(given, NULL), FW_OK);                      /* none of its own yet: again from where it began */
    assert_string_equal(given->resume_from, r->previous);
}

static void two_trainings_do_not_share_a_folder(void **context)
{
    fixture *f = *context;
    FW_FREE char *out = strdup(scratch_path(&f->folder, "shared"));
    FW_AUTO(coord_run) *first = open_run(f->project, out, COORD_RESUME_AUTO, NULL);
    FW_AUTO(coord_run) *second = NULL;
    fw_error err = {0};
    write_checkpoint(first->checkpoint, NULL);
    assert_int_equal(coord_run_open(&second, f->project, DATASET, out, COORD_RESUME_AUTO, NULL, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "another training"));
    assert_int_equal(coord_run_open(&second, f->project, DATASET, NULL, COORD_RESUME_PATH, out, &err), FW_ERR_CONFIG);
    coord_run_destroy(&first);
    second = open_run(f->project, out, COORD_RESUME_AUTO, NULL);
    assert_non_null(second->resume_from);
}

/* Else a new start that is killed would go on from the old checkpoint, and evaluate would judge the old model. */
static void a_new_start_removes_what_an_earlier_run_left(void **context)
{
    fixture *f = *context;
    static const char *const names[] = {"model.h5", "checkpoint.h5.previous", "metrics.json", "report.html", "checkpoint.h5"};
    const size_t n = sizeof names / sizeof *names;
    FW_FREE char *out = strdup(scratch_path(&f->folder, "again"));
    for (int anew = 0; anew < 2; anew++) {
        FW_AUTO(coord_run) *r = open_run(f->project, out, COORD_RESUME_NEVER, NULL);
        for (size_t i = 0; i + 1 < n; i++) put(out, names[i], "old");
        write_checkpoint(r->checkpoint, NULL);
        assert_int_equal(coord_run_event(r, "start", NULL, NULL), FW_OK);
        FW_FREE char *checkpoint = strdup(r->checkpoint);
        coord_run_destroy(&r);
        r = anew ? open_run(f->project, out, COORD_RESUME_NEVER, NULL) : open_run(f->project, out, COORD_RESUME_PATH, checkpoint);
        assert_int_equal(coord_run_begin(r, f->project, NULL), FW_OK);
        for (size_t i = 0; i < n; i++) {
            FW_FREE char *path = NULL;
            assert_int_equal(fw_path_join(&path, out, names[i], NULL), FW_OK);
            assert_int_equal(fw_path_exists(path), !anew);
        }
        uint64_t bytes = 0;
        assert_int_equal(fw_file_size(&bytes, r->progress, NULL), FW_OK);
        assert_int_equal(bytes == 0, anew);
    }
}

static void a_path_to_resume_is_a_folder_or_a_file(void **context)
{
    fixture *f = *context;
    char digest[9];
    digest_of(digest, f->project);
    FW_FREE char *dir = earlier_run(f, "20230101T000000Z", digest, true, false);
    FW_FREE char *empty = earlier_run(f, "20230102T000000Z", digest, false, false);
    FW_AUTO(coord_run) *folder = open_run(f->project, NULL, COORD_RESUME_PATH, dir);
    assert_string_equal(folder->dir, dir);
    assert_string_equal(folder->resume_from, folder->checkpoint);

    FW_FREE char *out = strdup(scratch_path(&f->folder, "elsewhere"));
    FW_AUTO(coord_run) *file = open_run(f->project, out, COORD_RESUME_PATH, folder->checkpoint);
    assert_string_equal(file->dir, out);
    assert_string_equal(file->resume_from, folder->checkpoint);

    FW_AUTO(coord_run) *none = NULL;
    fw_error err = {0};
    assert_int_equal(coord_run_open(&none, f->project, DATASET, NULL, COORD_RESUME_PATH, empty, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "no checkpoint"));
    assert_int_equal(coord_run_open(&none, f->project, DATASET, NULL, COORD_RESUME_PATH, "/nonexistent/c.h5", &err), FW_ERR_CONFIG);
    put(f->folder.dir, "torn.h5", "torn");
    assert_int_equal(coord_run_open(&none, f->project, DATASET, NULL, COORD_RESUME_PATH, scratch_path(&f->folder, "torn.h5"), &err), FW_ERR_FORMAT);
}

static void latest_points_to_the_run_that_began_last(void **context)
{
    fixture *f = *context;
    FW_AUTO(coord_run) *a = open_run(f->project, NULL, COORD_RESUME_NEVER, NULL);
    assert_int_equal(coord_run_begin(a, f->project, NULL), FW_OK);
    FW_AUTO(coord_run) *b = open_run(f->project, NULL, COORD_RESUME_NEVER, NULL);
    assert_int_equal(coord_run_begin(b, f->project, NULL), FW_OK);
    char target[300] = "";
    assert_true(readlink(scratch_path(&f->folder, "runs/latest"), target, sizeof target - 1) > 0);
    assert_string_equal(target, strrchr(b->dir, '/') + 1);                   /* relative: the folder can be moved */
    assert_true(fw_path_exists(a->resolved) && fw_path_exists(b->resolved));
    FW_AUTO(fw_project) *p = NULL;
    FW_FREE char *yaml = NULL;
    size_t len = 0;
    assert_int_equal(fw_read_file(&yaml, &len, b->resolved, 1 << 20, NULL), FW_OK);
    assert_int_equal(fw_project_parse(&p, yaml, "resolved.yaml", f->folder.dir, NULL), FW_OK);
    /* latest is no run, also when it points to one */
    FW_AUTO(coord_run) *c = open_run(f->project, NULL, COORD_RESUME_AUTO, NULL);
    assert_null(c->resume_from);
}

static void the_model_of_a_run_or_a_file(void **context)
{
    fixture *f = *context;
    FW_AUTO(coord_run) *r = open_run(f->project, NULL, COORD_RESUME_NEVER, NULL);
    FW_FREE char *path = NULL;
    FW_FREE char *direct = NULL;
    fw_error err = {0};
    assert_int_equal(coord_run_model_path(&path, r->dir, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "has not finished"));
    assert_int_equal(coord_run_model_path(&path, "/nonexistent", &err), FW_ERR_CONFIG);
    put(r->dir, "model.h5", "a model");
    assert_int_equal(coord_run_model_path(&path, r->dir, &err), FW_OK);
    assert_string_equal(path, r->model);
    assert_int_equal(coord_run_model_path(&direct, r->model, &err), FW_OK);
    assert_string_equal(direct, r->model);
}

/* Rounds done again after a restart count once; a line that was cut by a kill is passed over. */
static void the_history_is_what_was_done_last(void **context)
{
    fixture *f = *context;
    fw_round_result *rounds = NULL;
    size_t n = 7;
    assert_int_equal(coord_run_history(&rounds, &n, f->folder.dir, NULL), FW_OK);
    assert_int_equal(n, 0);
    put(f->folder.dir, "progress.jsonl",
        "{\"event\":\"start\"}\n"
        "{\"event\":\"round\",\"round\":1,\"step\":10,\"rows\":640,\"train_loss\":0.5,\"validation\":{\"log_loss\":0.6,\"accuracy\":0.7}}\n"
        "{\"event\":\"round\",\"round\":2,\"step\":20,\"train_loss\":0.4}\n"
        "{\"event\":\"round\",\"round\":3,\"step\":30,\"train_loss\":9}\n"
        "{\"event\":\"rou\n"
        "{\"event\":\"resume\"}\n"
        "not json\n"
        "{\"event\":\"round\",\"round\":2,\"step\":20,\"train_loss\":0.45}\n"
        "{\"event\":\"round\",\"round\":3,\"step\":30,\"train_loss\":0.3}");
    assert_int_equal(coord_run_history(&rounds, &n, f->folder.dir, NULL), FW_OK);
    assert_int_equal(n, 3);
    assert_true(rounds[0].train_loss == 0.5 && rounds[1].train_loss == 0.45 && rounds[2].train_loss == 0.3);
    assert_int_equal(rounds[0].n_validation, 2);
    assert_string_equal(rounds[0].validation[1].name, "accuracy");
    assert_true(rounds[0].position.rows == 640 && rounds[2].position.step == 30);
    coord_run_history_free(rounds, n);
}

static void events_are_lines_of_json(void **context)
{
    fixture *f = *context;
    FW_AUTO(coord_run) *r = open_run(f->project, NULL, COORD_RESUME_NEVER, NULL);
    assert_int_equal(coord_run_event(r, "start", NULL, NULL), FW_OK);
    assert_int_equal(coord_run_event(r, "round", json_pack("{s:i, s:f}", "round", 1, "train_loss", 0.25), NULL), FW_OK);
    fw_round_result *rounds = NULL;
    size_t n = 0;
    assert_int_equal(coord_run_history(&rounds, &n, r->dir, NULL), FW_OK);
    assert_int_equal(n, 1);
    assert_true(rounds[0].train_loss == 0.25);
    coord_run_history_free(rounds, n);
    FW_FREE char *text = NULL;
    size_t len = 0;
    assert_int_equal(fw_read_file(&text, &len, r->progress, 1 << 16, NULL), FW_OK);
    json_t *first = json_loads(strtok(text, "\n"), 0, NULL);
    assert_string_equal(json_string_value(json_object_get(first, "event")), "start");
    assert_int_equal(strlen(json_string_value(json_object_get(first, "time"))) >= 20, 1);
    json_decref(first);
}

static void a_folder_that_cannot_be_made_is_named(void **context)
{
    fixture *f = *context;
    put(f->folder.dir, "file", "x");
    FW_FREE char *out = strdup(scratch_path(&f->folder, "file/out"));
    FW_AUTO(coord_run) *r = NULL;
    fw_error err = {0};
    assert_true(coord_run_open(&r, f->project, DATASET, out, COORD_RESUME_AUTO, NULL, &err) < 0);
    assert_null(r);
    assert_non_null(strstr(err.text, "file"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, begin, finish)
int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_new_run_has_a_folder_of_its_own),
        CASE(the_digest_tells_settings_and_data_apart),
        CASE(auto_goes_on_with_the_newest_unfinished_run),
        CASE(auto_begins_anew_when_all_are_finished),
        CASE(a_run_with_only_the_previous_checkpoint_is_gone_on_with),
        CASE(a_damaged_checkpoint_gives_way_to_the_one_before),
        CASE(a_given_folder_is_used_and_a_finished_one_refused),
        CASE(a_run_is_finished_when_it_is_done),
        CASE(a_run_of_a_gang_is_found_and_goes_on_from_its_own_checkpoint),
        CASE(two_trainings_do_not_share_a_folder),
        CASE(a_new_start_removes_what_an_earlier_run_left),
        CASE(a_path_to_resume_is_a_folder_or_a_file),
        CASE(latest_points_to_the_run_that_began_last),
        CASE(the_model_of_a_run_or_a_file),
        CASE(the_history_is_what_was_done_last),
        CASE(events_are_lines_of_json),
        CASE(a_folder_that_cannot_be_made_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
