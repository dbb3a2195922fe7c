/** The report: what stands in its markup is of this program alone, its data are whole, and a full disk leaves nothing. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "common/core/fs.h"
#include "common/core/text.h"
#include "monitor/web/report.h"
#include "tests/unit/store_fixture.h"

#define NAME    "</script><script>alert(1)</script>&<!--"
#define FEATURE "a</SCRIPT>\xe2\x80\xa8<!--<script>"

static char report[600];

static void fill(void)
{
    monitor_store *s = open_with((monitor_store_opts){0});
    int64_t model = 0;
    assert_int_equal(monitor_store_model(&model, s, NAME, "d1", NULL), FW_OK);
    assert_int_equal(monitor_store_put_model(s, &(monitor_model_row){.model = model, .name = NAME, .digest = "d1", .task = "regression", .last_us = 7}, NULL), FW_OK);
    put_window(s, model, 1, 10);
    monitor_drift_row drift[2];
    for (int i = 0; i < 2; i++)
        drift[i] = (monitor_drift_row){.model = model, .window = 1, .feature = i == 0 ? FEATURE : "b", .test = "psi", .statistic = 0.5, .threshold = 0.2};
    assert_int_equal(monitor_store_put_drift(s, drift, 2, 1, 1, NULL), FW_OK);
    commit(s);
    monitor_store_close(&s);
    snprintf(report, sizeof report, "%s/r.html", folder.dir);
}

static fw_status write_report(fw_error *err)
{
    return monitor_report_write(&(monitor_report_opts){.path = report, .store = path, .verdict = "2 alerts <were> raised", .good = false}, err);
}

static size_t count(const char *text, const char *word)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, word)) != NULL; at += strlen(word)) n++;
    return n;
}

/** The answer to path, model and feature; NULL: it is not there. */
static const json_t *answer(const json_t *data, const char *path_, const char *model, const char *feature)
{
    const json_t *list = json_object_get(data, "answers");
    for (size_t i = 0; i + 1 < json_array_size(list); i += 2) {
        const json_t *key = json_array_get(list, i);
        const char *its[] = {json_string_value(json_array_get(key, 0)), json_string_value(json_array_get(key, 1)), json_string_value(json_array_get(key, 2))};
        if (fw_text_equal(its[0], path_) && fw_text_equal(its[1], model) && fw_text_equal(its[2], feature)) return json_array_get(list, i + 1);
    }
    return NULL;
}

static json_t *read_data(char **html)
{
    static const char begin_mark[] = "<script type=\"application/json\" id=\"report\">";
    size_t len = 0;
    assert_int_equal(fw_read_file(html, &len, report, 1u << 24, NULL), FW_OK);
    char *at = strstr(*html, begin_mark);
    assert_non_null(at);
    at += strlen(begin_mark);
    const char *end_of = strstr(at, "</script>");
    json_t *data = json_loadb(at, (size_t)(end_of - at), JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(data);
    return data;
}

static void what_others_have_said_is_data_and_no_markup(void **state)
{
    (void)state;
    FW_FREE char *html = NULL;
    fw_error err = {0};
    fill();
    if (write_report(&err) != FW_OK) fail_msg("%s", err.text);
    json_t *data = read_data(&html);
    assert_int_equal(count(html, "</script>"), 3);
    assert_int_equal(count(html, "</SCRIPT>"), 0);
    assert_int_equal(count(html, "alert(1)"), count(html, "\\u003cscript\\u003ealert(1)"));
    assert_int_equal(count(html, "src=\"page.js\"") + count(html, "href=\"page.css\""), 0);
    assert_string_equal(json_string_value(json_object_get(data, "verdict")), "2 alerts <were> raised");
    assert_true(json_is_false(json_object_get(data, "good")));
    const json_t *models = json_object_get(answer(data, "models", NULL, NULL), "models");
    assert_string_equal(json_string_value(json_object_get(json_array_get(models, 0), "name")), NAME);
    json_decref(data);
}

static void each_route_that_is_kept_is_answered(void **state)
{
    (void)state;
    static const char *const once[] = {"models", "kpi", "alerts", "publishers", "trainings", "studies"}, *const of_model[] = {"windows", "drift", "performance"};
    FW_FREE char *html = NULL;
    fill();
    assert_int_equal(write_report(NULL), FW_OK);
    json_t *data = read_data(&html);
    for (size_t i = 0; i < sizeof once / sizeof *once; i++) assert_non_null(answer(data, once[i], NULL, NULL));
    for (size_t i = 0; i < sizeof of_model / sizeof *of_model; i++) assert_non_null(answer(data, of_model[i], NAME, NULL));
    assert_int_equal(json_array_size(json_object_get(answer(data, "drift", NAME, FEATURE), "drift")), 1);
    assert_non_null(answer(data, "histogram", NAME, FEATURE));
    assert_non_null(answer(data, "histogram", NAME, "b"));
    assert_int_equal(json_array_size(json_object_get(data, "answers")), 2 * (6 + 3 + 4));
    json_decref(data);
}

static void without_a_store_or_room_nothing_is_left(void **state)
{
    (void)state;
    fw_error err = {0};
    fill();
    allow_bytes(4096);
    assert_int_equal(write_report(&err), FW_ERR_IO);
    allow_bytes(RLIM_INFINITY);
    assert_false(fw_path_exists(report));
    snprintf(path, sizeof path, "%s", scratch_path(&folder, "none.store"));
    assert_int_equal(write_report(&err), FW_ERR_IO);
    assert_false(fw_path_exists(report));
}

#define WITH_FOLDER(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
    signal(SIGXFSZ, SIG_IGN);
    const struct CMUnitTest tests[] = {
        WITH_FOLDER(what_others_have_said_is_data_and_no_markup),
        WITH_FOLDER(each_route_that_is_kept_is_answered),
        WITH_FOLDER(without_a_store_or_room_nothing_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
