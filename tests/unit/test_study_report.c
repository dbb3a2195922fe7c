/** The page of a search: what it says, and that hostile names stay text. FW_KEEP_REPORTS=DIR keeps the page there. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/core/random.h"
#include "coordinator/report/study.h"

#define N 64
#define AXES 4

static double unit(uint64_t row, uint32_t place) { return fw_random_unit(fw_random(3, FW_RANDOM_TEST, 0, row, place)); }

typedef struct example {
    coord_study_axis axis[AXES];
    const char *words_of_last[3];
    coord_study_row row[N];
    double u[N][AXES];
    char words[N][AXES][24];
    const char *text[N][AXES];
    uint64_t finished[N];
    coord_study_bar bar[N];
    coord_study_page report;
} example;

static void fill(example *e, const char *name)
{
    static const double ends[] = {0, 0.5, 1}, thirds[] = {1 / 6.0, 0.5, 5 / 6.0};
    static const char *const rates[] = {"0.0001", "0.003", "0.1"}, *const drops[] = {"0", "0.25", "0.5"}, *const nets[] = {"[32]", "[64, 32]", "[128, 64]"};
    e->words_of_last[0] = "sgd";
    e->words_of_last[1] = name;
    e->words_of_last[2] = "adam";
    e->axis[0] = (coord_study_axis){"train.learning_rate", ends, rates, 3, 0.6};
    e->axis[1] = (coord_study_axis){"model.dropout", ends, drops, 3, 0.1};
    e->axis[2] = (coord_study_axis){"model.hidden", thirds, nets, 3, 0.3};
    e->axis[3] = (coord_study_axis){name, thirds, e->words_of_last, 3, 0.0};
    int64_t best = -1;
    for (size_t i = 0; i < N; i++) {
        for (uint32_t k = 0; k < AXES; k++) {
            e->u[i][k] = k < 2 ? unit(i, k) : (floor(unit(i, k) * 3) + 0.5) / 3;
            snprintf(e->words[i][k], sizeof e->words[i][k], "%.3g", e->u[i][k]);
            e->text[i][k] = e->words[i][k];
        }
        if (i % 5 == 0) e->u[i][3] = NAN;
        const double value = 0.89 - 0.4 * pow(e->u[i][0] - 0.6, 2) - 0.03 * e->u[i][1] - 0.02 * unit(i, 9);
        const coord_study_end end = i == 7 ? COORD_STUDY_FAIL : i > 60 ? COORD_STUDY_OPEN : value < 0.85 ? COORD_STUDY_PRUNED : COORD_STUDY_COMPLETE;
        e->row[i] = (coord_study_row){i, end, end == COORD_STUDY_FAIL ? NAN : value, end == COORD_STUDY_COMPLETE ? 27 : value < 0.8 ? 3 : 9, e->u[i], e->text[i]};
        if (end == COORD_STUDY_COMPLETE && (best < 0 || value > e->row[best].value)) best = (int64_t)i;
        e->finished[i] = i;
        e->bar[i] = (coord_study_bar){(uint32_t)(i % 4), i, 10.0 * (double)(i / 4), 10.0 * (double)(i / 4) + 6 + 4 * unit(i, 12), end};
    }
    e->report = (coord_study_page){.name = name, .metric = "accuracy", .maximize = true, .sampler = "auto: tpe, for 4 parameters and 64 trials", .pruner = "asha",
                                     .importance_method = "Permutation importance on a forest of 64 regression trees.", .program = "1.0", .budget = N, .max_rounds = 27,
                                     .axis = e->axis, .n_axes = AXES, .row = e->row, .n_rows = N, .finished = e->finished, .n_finished = 61, .best = best, .bar = e->bar,
                                     .n_bars = N, .slots = 4, .seconds = 160, .busy = 0.81};
}

static char *page(const coord_study_page *r)
{
    char *text = NULL;
    size_t len = 0;
    FILE *f = open_memstream(&text, &len);
    assert_int_equal(coord_study_html(f, r, NULL), FW_OK);
    fclose(f);
    return text;
}

static void the_page_says_what_was_found(void **state)
{
    (void)state;
    example *e = calloc(1, sizeof *e);
    fill(e, "callcenter");
    char *text = page(&e->report);
    static const char *const said[] = {"<h1>callcenter</h1>", "highest accuracy", "auto: tpe", "64 of 64", "1 failed, 3 not ended", "on 4 groups, 81.0 %", "The best trial",
                                       "Permutation importance", "trials that came so far", "<td>27</td>", "group 3", "60.0", "All parameters of each trial"};
    for (size_t i = 0; i < sizeof said / sizeof *said; i++)
        if (strstr(text, said[i]) == NULL) fail_msg("\"%s\" is not said", said[i]);
    const char *folder = getenv("FW_KEEP_REPORTS");
    if (folder != NULL) {
        char path[4096];
        snprintf(path, sizeof path, "%s/study.html", folder);
        FILE *f = fopen(path, "w");
        assert_non_null(f);
        fputs(text, f);
        fclose(f);
    }
    free(text);
    free(e);
}

static void hostile_names_stay_text(void **state)
{
    (void)state;
    example *e = calloc(1, sizeof *e);
    fill(e, "<script>\"alert\"&'1'</script>\033[31m");
    char *text = page(&e->report);
    assert_null(strstr(text, "<script"));
    assert_null(strchr(text, '\033'));
    assert_non_null(strstr(text, "&lt;script&gt;"));
    free(text);
    free(e);
}

static void what_is_not_there_is_left_out(void **state)
{
    (void)state;
    example *e = calloc(1, sizeof *e);
    fill(e, "empty");
    coord_study_page none = {.name = "none", .metric = "rmse", .sampler = "random", .pruner = "none", .program = "1.0", .budget = 5, .max_rounds = 3, .best = -1, .slots = 1};
    char *text = page(&none);
    assert_non_null(strstr(text, "No trial is complete"));
    assert_non_null(strstr(text, "lowest rmse"));
    assert_null(strstr(text, "nan"));
    free(text);
    for (size_t i = 0; i < N; i++) e->row[i].value = i % 2 == 0 ? NAN : 0.5;      /* all the same */
    e->report.best = -1;
    text = page(&e->report);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "inf\""));
    free(text);
    free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_says_what_was_found),
        cmocka_unit_test(hostile_names_stay_text),
        cmocka_unit_test(what_is_not_there_is_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
