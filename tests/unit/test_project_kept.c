/** The part of the project that a model file keeps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
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

static fw_status parse(fw_project **p, const char *window, fw_error *err)
{
    char yaml[256];
    snprintf(yaml, sizeof yaml, PROJECT "monitor: {window: %s}\n", window);
    return fw_project_parse(p, yaml, "p.yaml", ".", err);
}

static void a_window_is_of_rows_or_of_a_time(void **state)
{
    (void)state;
    static const struct { const char *text; uint64_t rows; double seconds; } good[] = {
        {"250", 250, 0}, {"1", 1, 0}, {"60 s", 0, 60}, {"1h", 0, 3600}, {"7 d", 0, 604800}, {"1500 ms", 0, 1.5}};
    static const char *const bad[] = {"0", "-1", "1000000001", "1.5", "0 s", "0.5 s", "8 d", "1 w", "s", "-3 s", "[1]", "nan s", "1e300 s"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        fw_project *p = NULL, *back = NULL;
        char *kept = NULL;
        assert_int_equal(parse(&p, good[i].text, NULL), FW_OK);
        assert_int_equal(fw_project_kept_part(&kept, p, NULL), FW_OK);
        assert_int_equal(fw_project_parse_model_part(&back, kept, "{t: t.csv}", "part", ".", NULL), FW_OK);
        assert_true(back->monitor.window == good[i].rows && back->monitor.window_s == good[i].seconds);
        fw_project_destroy(&back);
        fw_project_destroy(&p);
        free(kept);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        fw_project *p = NULL;
        fw_error err = {0};
        assert_int_equal(parse(&p, bad[i], &err), FW_ERR_CONFIG);
        assert_non_null(strstr(err.text, "monitor.window"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_model_keeps_how_its_predictions_are_told_of), cmocka_unit_test(a_window_is_of_rows_or_of_a_time)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
