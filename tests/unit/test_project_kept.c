/** The part of the project that a model file keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/project/project.h"

#define PROJECT "project: p\nproblem: {task: classification, target: y}\ndata: {tables: {a: a.csv}}\n"

static void a_model_keeps_how_its_predictions_are_told_of(void **state)
{
    (void)state;
    fw_project *p = NULL, *back = NULL;
    fw_error err = {0};
    char *kept = NULL, *shapes = NULL;
    const char *yaml = PROJECT "monitor: {window: 3, sample: 0.5, features: none, bus: \"tcp://127.0.0.1:5555\"}\n";
    if (fw_project_parse(&p, yaml, "p.yaml", ".", &err) != FW_OK) fail_msg("%s", err.text);
    assert_int_equal(fw_project_kept_part(&kept, p, NULL), FW_OK);
    assert_int_equal(fw_project_model_part(&shapes, p, NULL), FW_OK);
    assert_true(strncmp(kept, shapes, strlen(shapes)) == 0 && strstr(shapes, "monitor") == NULL);
    if (fw_project_parse_model_part(&back, kept, "{t: t.csv}", "part", ".", &err) != FW_OK) fail_msg("%s\n%s", err.text, kept);
    assert_true(back->monitor.window == 3 && back->monitor.sample == 0.5 && back->monitor.features == FW_TELL_NONE && back->monitor.bus == NULL);
    assert_int_equal(fw_project_set(back, "monitor.sample", "0", NULL), FW_ERR_CONFIG);
    assert_int_equal(fw_project_set(back, "monitor.sample", "1.5", NULL), FW_ERR_CONFIG);
    assert_int_equal(fw_project_set(back, "monitor.features", "some", NULL), FW_ERR_CONFIG);
    assert_int_equal(fw_project_set(back, "monitor.features", "full", NULL), FW_OK);
    assert_int_equal(back->monitor.features, FW_TELL_FULL);
    fw_project_destroy(&back);
    fw_project_destroy(&p);
    free(kept);
    free(shapes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_model_keeps_how_its_predictions_are_told_of)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
