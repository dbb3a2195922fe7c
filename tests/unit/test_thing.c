/* diff and inspect as a user calls them, on models made by hand; and the parts they are made of. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/core/fs.h"
#include "common/model/checkpoint.h"
#include "coordinator/commands/command.h"
#include "coordinator/commands/thing.h"
#include "coordinator/commands/yaml_lines.h"
#include "tests/unit/model_fixture.h"
#include "tests/unit/scratch.h"

typedef struct fixture { scratch folder; char a[512], b[512], out[512]; } fixture;

static int setup(void **context)
{
    fixture *f = calloc(1, sizeof *f);
    if (!scratch_make(&f->folder)) return -1;
    snprintf(f->a, sizeof f->a, "%s/a", f->folder.dir);
    snprintf(f->b, sizeof f->b, "%s/b.h5", f->folder.dir);
    snprintf(f->out, sizeof f->out, "%s/out", f->folder.dir);
    *context = f;
    return mkdir(f->a, 0777);
}

static int teardown(void **context)
{
    fixture *f = *context;
    scratch_remove(&f->folder);
    free(f);
    return 0;
}

/* Runs a command with stdout in a file; *text (malloc'ed) is what it printed. */
static fw_status call(const fixture *f, char **text, const char *const *words, int n, fw_error *err)
{
    coord_call c = {0};
    const coord_command *command = strcmp(words[0], "diff") == 0 ? &coord_command_diff : &coord_command_inspect;
    char *argv[8] = {0};
    for (int i = 1; i < n; i++) argv[i - 1] = (char *)(uintptr_t)words[i];
    assert_int_equal(coord_call_parse(&c, command, n - 1, argv, err), FW_OK);
    fflush(stdout);
    const int kept = dup(STDOUT_FILENO);
    assert_non_null(freopen(f->out, "w", stdout));
    const fw_status status = command->run(&c, err);
    fflush(stdout);
    assert_true(dup2(kept, STDOUT_FILENO) >= 0);
    close(kept);
    coord_call_release(&c);
    assert_int_equal(fw_read_file(text, NULL, f->out, 1 << 20, NULL), FW_OK);
    return status;
}
#define CALL(f, text, err, ...) call(f, text, (const char *const[]){__VA_ARGS__}, (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)), err)

/* A run folder `a` with a model, and a model file `b`. */
static void save_two(const fixture *f, fw_model *a, fw_model *b)
{
    char path[600];
    snprintf(path, sizeof path, "%s/model.h5", f->a);
    assert_int_equal(fw_model_save(a, path, NULL), FW_OK);
    assert_int_equal(fw_model_save(b, f->b, NULL), FW_OK);
}

static void says(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) fail_msg("\"%s\" is not in:\n%s", part, text);
}

static void equal_models_are_one_line_and_ok(void **context)
{
    const fixture *f = *context;
    FW_AUTO(fw_model) *a = make_model(0, 1), *b = make_model(0, 1);
    fw_error err = {0};
    FW_FREE char *text = NULL, *json = NULL;
    char expected[64];
    save_two(f, a, b);
    assert_int_equal(CALL(f, &text, &err, "diff", f->a, f->b), FW_OK);
    snprintf(expected, sizeof expected, "equal: %s\n", a->digest);
    assert_string_equal(text, expected);
    assert_int_equal(CALL(f, &json, &err, "diff", f->a, f->b, "--format", "json"), FW_OK);
    says(json, "\"equal\":true");
}

static void each_difference_is_named(void **context)
{
    const fixture *f = *context;
    for (int i = 0; i < 7; i++) {
        FW_AUTO(fw_model) *a = make_model(0, 1), *b = make_model(0, 1);
        static const char *const expected[] = {"seed", "layer 0 W", "train.seed", "log_loss", "only the sample rows", "program", "layer 1 b"};
        if (i == 0) b->seed = 7;
        if (i == 1) b->params[5] += 0.5f;
        if (i == 2) free(b->project_yaml), b->project_yaml = copy("project: example\ntrain:\n  seed: 2\n");
        if (i == 3) b->metrics[0].value += 1e-15;
        if (i == 4) b->samples->row[2]++;
        if (i == 5) free(b->program_version), b->program_version = copy("0.2.0");
        if (i == 6) b->params[b->net.n_params - 1] = -b->params[b->net.n_params - 1];
        fw_error err = {0};
        FW_FREE char *text = NULL;
        save_two(f, a, b);
        assert_int_equal(CALL(f, &text, &err, "diff", f->a, f->b), FW_ERR_CHECK);
        says(text, expected[i]);
        says(err.text, "differ");
    }
}

static void other_networks_and_classes_are_compared_as_far_as_they_go(void **context)
{
    const fixture *f = *context;
    FW_AUTO(fw_model) *a = make_model(0, 1), *b = make_model(1, 1);
    fw_error err = {0};
    FW_FREE char *text = NULL;
    save_two(f, a, b);
    assert_int_equal(CALL(f, &text, &err, "diff", f->a, f->b), FW_ERR_CHECK);
    says(text, "category of 2, the target");
    says(text, "category of 3, other ones, the target");
    says(text, "10 x 8, tanh");
}

static void inspect_says_what_a_model_is(void **context)
{
    const fixture *f = *context;
    FW_AUTO(fw_model) *a = make_model(0, 1), *b = make_model(2, 1);
    fw_error err = {0};
    FW_FREE char *text = NULL, *json = NULL;
    save_two(f, a, b);
    assert_int_equal(CALL(f, &text, &err, "inspect", f->a), FW_OK);
    static const char *const parts[] = {"classification", "no, yes", "missing=median fill=38.5", "sigmoid", "log_loss", "0123456789abcdef"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) says(text, parts[i]);
    assert_int_equal(CALL(f, &json, &err, "inspect", f->b, "--format", "json"), FW_OK);
    json_t *j = json_loads(json, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(j, "task")), "regression");
    assert_int_equal(json_array_size(json_object_get(j, "layers")), 2);
    json_decref(j);
}

static void inspect_says_what_a_checkpoint_is(void **context)
{
    const fixture *f = *context;
    float w[3] = {1, 2, 3};
    const fw_array array = {"parameters", FW_F32, 3, w};
    json_t *manifest = json_pack("{s:s, s:{s:i}, s:[ii]}", "learner", "mlp", "position", "round", 7, "history", 1, 2);
    char path[600];
    snprintf(path, sizeof path, "%s/checkpoint.h5", f->a);
    assert_int_equal(fw_checkpoint_write(path, NULL, manifest, &array, 1, NULL), FW_OK);
    json_decref(manifest);
    fw_error err = {0};
    FW_FREE char *text = NULL;
    assert_int_equal(CALL(f, &text, &err, "inspect", f->a), FW_OK);      /* a run folder without a model yet */
    says(text, "checkpoint");
    says(text, "round  7");
    says(text, "parameters  f32        3");
}

static void what_is_none_of_ours_or_damaged_is_refused(void **context)
{
    const fixture *f = *context;
    FW_AUTO(fw_model) *a = make_model(0, 1), *b = make_model(0, 1);
    fw_error err = {0};
    char *text = NULL;
    save_two(f, a, b);
    assert_int_equal(CALL(f, &text, &err, "inspect", "/nonexistent"), FW_ERR_CONFIG);
    free(text);
    assert_int_equal(CALL(f, &text, &err, "inspect", f->folder.dir), FW_ERR_CONFIG);
    free(text);
    assert_int_equal(truncate(f->b, 3000), 0);
    assert_int_equal(CALL(f, &text, &err, "inspect", f->b), FW_ERR_FORMAT);
    free(text);
    assert_int_equal(CALL(f, &text, &err, "inspect", "--verify", f->b), FW_ERR_CHECK);
    free(text);
    assert_int_equal(CALL(f, &text, &err, "diff", f->a, f->b), FW_ERR_FORMAT);
    free(text);
    assert_int_equal(fw_write_file(f->b, "age,y\n", 6, NULL), FW_OK);
    assert_int_equal(CALL(f, &text, &err, "inspect", f->b), FW_ERR_FORMAT);
    free(text);
}

static void project_lines_are_dotted_keys(void **context)
{
    (void)context;
    static const struct { const char *key, *value; } expected[] = {
        {"project", "x"}, {"data.tables.calls", "{path: \"a: b.csv\"}"}, {"data.\"odd: name\".deep", "[1, 2]"}, {"train.seed", "1"}};
    FW_AUTO(coord_yaml_lines) *l = NULL;
    assert_int_equal(
        coord_yaml_lines_create(
            &l, "project: x\ndata:\n  tables:\n    calls: {path: \"a: b.csv\"}\n  \"odd: name\":\n    deep: [1, 2]\ntrain:\n  seed: 1", NULL),
        FW_OK);
    assert_int_equal(coord_yaml_lines_n(l), 4);
    for (size_t i = 0; i < 4; i++) {
        assert_string_equal(coord_yaml_lines_key(l, i), expected[i].key);
        assert_string_equal(coord_yaml_lines_find(l, expected[i].key), expected[i].value);
    }
    assert_null(coord_yaml_lines_find(l, "data"));
    static const char *const odd[] = {"",
                                      "\n\n",
                                      ":",
                                      ": x",
                                      "    deep: 1",
                                      "a",
                                      "\"",
                                      "a:\n                                                                                          b: 1"};
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++) {
        FW_AUTO(coord_yaml_lines) *strange = NULL;
        assert_int_equal(coord_yaml_lines_create(&strange, odd[i], NULL), FW_OK);
    }
}

static void control_characters_do_not_reach_the_terminal(void **context)
{
    (void)context;
    FW_AUTO(fw_text) out = {0};
    json_t *v = json_string("a\033[2Jb\n");
    coord_description_value(&out, v, 6);
    assert_string_equal(out.data, "a?[2Jb?");
    json_decref(v);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(equal_models_are_one_line_and_ok),  EACH(each_difference_is_named), EACH(other_networks_and_classes_are_compared_as_far_as_they_go),
        EACH(inspect_says_what_a_model_is),      EACH(inspect_says_what_a_checkpoint_is), EACH(what_is_none_of_ours_or_damaged_is_refused),
        EACH(project_lines_are_dotted_keys),     EACH(control_characters_do_not_reach_the_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
