/** The forms of the report: what they say, that hostile names stay text, and that lines fit. FW_KEEP_REPORTS=DIR keeps the model cards there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/unit/report_example.h"
#include "tests/unit/scratch.h"

static const char *const skills[] = {"billing", "delivery", "echo", "fire_tv", "kindle", "music", "orders", "returns"};
static const char *const income[] = {"<=50K", ">50K"};
static const char *const hostile[] = {"<script>alert(1)</script>", "\"quoted\" & 'single'", "\033[31mred\a", ("Stra\xc3\x9f" "e \xe2\x82\xac"), "broken \xff\xfe utf-8",
                                      "a name that is much longer than any column of the table can be"};

static void say(const char *text, const char *words)
{
    if (text == NULL || strstr(text, words) == NULL) fail_msg("\"%s\" is not said in: %s", words, text == NULL ? "(nothing)" : text);
}

static void say_not(const char *text, const char *words)
{
    if (strstr(text, words) != NULL) fail_msg("\"%s\" is said in: %s", words, text);
}

/** A model trained for 20 rounds whose validation loss turns at round 12. */
static void full_example(example *e, const char *const *classes, size_t k)
{
    double train[20], valid[20];
    for (int i = 0; i < 20; i++) {
        train[i] = 0.42 + 1.4 * exp(-0.28 * i);
        valid[i] = 0.55 + 1.3 * exp(-0.33 * i) + 0.0022 * (i > 11 ? (i - 11) * (i - 11) : 0) + 0.004 * example_noise((uint64_t)i);
    }
    assert_true(example_make(e, classes, k, 6000, 0.86));
    example_history(e, k > 0 ? "log_loss" : "r2", train, valid, 20);
    e->report.kept_round = 14;
    e->project.goal.statement = (char *)"Send each caller to an agent with the right skill the first time.";
    e->project.goal.kpi.name = (char *)"transfer_rate";
    e->project.goal.kpi.direction = (char *)"minimize";
    e->project.goal.kpi.baseline = 0.34;
    e->project.goal.kpi.target = 0.2;
    e->report.fairness = e->fairness;
    e->report.n_fairness = k > 0 ? 2 : 0;
    e->report.has_train_metric = true;
    e->report.train_metric = k > 0 ? 0.41 : 0.95;
    e->report.split_rows[0] = 24000;
    e->report.split_rows[1] = e->report.split_rows[2] = 6000;
    e->report.missing = 1234;
    e->report.unseen = 7;
}

/* gates */

static void gates_hold_or_not(void **state)
{
    (void)state;
    example e;
    assert_true(example_make(&e, skills, 8, 4000, 0.85));
    double accuracy = e.metrics->accuracy;
    const struct { fw_gate_op op; double bound; bool passes; } cases[] = {
        {FW_AT_LEAST, accuracy, true}, {FW_ABOVE, accuracy, false}, {FW_AT_MOST, accuracy, true}, {FW_BELOW, accuracy, false},
        {FW_AT_LEAST, accuracy + 1e-9, false}, {FW_ABOVE, accuracy - 1e-9, true}, {FW_AT_MOST, accuracy - 1e-9, false}, {FW_BELOW, accuracy + 1e-9, true}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_true(example_gates(&e, (fw_gate[]){{(char *)"accuracy", cases[i].op, cases[i].bound}, {(char *)"f1:kindle", FW_AT_LEAST, 0.1}}, 2));
        assert_int_equal(e.n_gates, 2);
        assert_int_equal(e.gates[0].passed, cases[i].passes);
        assert_true(e.gates[0].value == accuracy && e.gates[1].passed && e.gates[1].value == e.metrics->per_class[4].f1);
        free(e.gates);
        e.gates = NULL;
    }
    example_free(&e);
}

static void gates_that_cannot_be_are_refused(void **state)
{
    (void)state;
    example e;
    assert_true(example_make(&e, skills, 8, 400, 0.85));
    static const struct { const char *metric, *words; } cases[] = {{"rmse", "not a metric of a classification"}, {"f1:kindel", "did you mean \"kindle\"?"}, {"acuracy", "did you mean"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fw_gate gate = {(char *)cases[i].metric, FW_AT_LEAST, 0.5};
        fw_error err = {0};
        coord_gate_result *gates = NULL;
        size_t n = 0;
        e.project.problem.success = &gate;
        e.project.problem.n_success = 1;
        assert_int_equal(coord_report_gates(&gates, &n, &e.project, e.metrics, skills, &err), FW_ERR_CONFIG);
        assert_null(gates);
        say(err.text, "problem.success");
        say(err.text, cases[i].words);
    }
    example_free(&e);
}

static void a_gate_without_a_value_has_not_passed(void **state)
{
    (void)state;
    example e;
    assert_true(example_make(&e, income, 2, 100, 0.8));
    e.metrics->has_auc = false;
    assert_true(example_gates(&e, (fw_gate[]){{(char *)"auc", FW_AT_LEAST, 0.0}}, 1));
    assert_true(!e.gates[0].passed && !e.gates[0].has_value);
    example_free(&e);
}

/* over- and under-fitting */

typedef enum course { FALLS, SETTLES, TURNS, DIVERGES, NOISY, RISES, STANDS, RETURNS } course;

static double course_at(course c, double x)      /* x from 0 to 1 */
{
    switch (c) {
    case FALLS: return 1.5 - x;
    case SETTLES: return 0.5 + exp(-12 * x);
    case TURNS: return 0.5 + exp(-12 * x) + (x > 0.4 ? 0.8 * (x - 0.4) : 0);
    case DIVERGES: return 0.5 + exp(-12 * x) + (x > 0.4 ? 4 * (x - 0.4) : 0);
    case NOISY: return 0.5 + exp(-12 * x) + 0.05 * example_noise((uint64_t)(1000 * x));
    case RISES: return 0.9 - exp(-12 * x);                    /* a score */
    case STANDS: return 0.7;
    case RETURNS: return x < 0.55 ? 1 - x : x < 0.95 ? 0.75 : 0.502;     /* best in the middle, worse, at last nearly as good again */
    }
    return 0;
}

static void fit_is_said_with_its_evidence(void **state)
{
    (void)state;
    static const struct { const char *what; course train, valid; size_t rounds; const char *metric; double train_metric; const char *says[3], *says_not; uint64_t kept; } cases[] = {
        {"overfit", SETTLES, TURNS, 20, "log_loss", 0, {"Signs of over-fitting", "best in round 8 ", "Early stopping"}, "No sign", 0},
        {"overfit, last round kept", SETTLES, TURNS, 20, "log_loss", 0, {"Signs of over-fitting", "weights of round 20", "Early stopping"}, "No sign", 20},
        {"overfit, best round kept", SETTLES, TURNS, 20, "log_loss", 0, {"were not kept", "weights of round 8", "ore weight decay"}, "Early stopping", 8},
        {"unstable", DIVERGES, DIVERGES, 20, "log_loss", 0, {"Training became unstable", "learning rate", ""}, "Signs of over-fitting", 0},
        {"still falling", FALLS, FALLS, 12, "log_loss", 0, {"still improving at the end", "more epochs may help", "so was the training loss"}, "over-fitting", 0},
        {"settled", SETTLES, SETTLES, 24, "log_loss", 0, {"No sign of over-fitting", "both settled", ""}, "may help", 0},
        {"nearly as good as before", SETTLES, RETURNS, 11, "log_loss", 0, {"No sign", "", ""}, "improving", 0},
        {"noise is no trend", SETTLES, NOISY, 24, "log_loss", 0, {"No sign", "", ""}, "worse since", 0},
        {"score settled", SETTLES, RISES, 24, "accuracy", 0, {"No sign", "validation accuracy", ""}, "worse since", 0},
        {"flat", STANDS, STANDS, 10, "log_loss", 0, {"No sign", "", ""}, "improving", 0},
        {"few rounds", FALLS, FALLS, 2, "log_loss", 0, {"cannot be judged", "2 rounds show no trend", ""}, "epochs may help", 0},
        {"one round", FALLS, FALLS, 1, "log_loss", 0, {"cannot be judged", "1 round shows no trend", ""}, "epochs", 0},
        {"no history", FALLS, FALLS, 0, "log_loss", 0, {"cannot be judged", "", ""}, "epochs", 0},
        {"no validation", FALLS, FALLS, 10, NULL, 0, {"cannot be judged", "no validation", ""}, "epochs", 0},
        {"large gap", SETTLES, RISES, 24, "accuracy", 0.99, {"Signs of over-fitting", "a large gap", "on the training rows"}, "No sign", 0},
        {"no gap", SETTLES, RISES, 24, "accuracy", 0.84, {"No sign", "", ""}, "a large gap", 0},
        {"gap and few rounds", FALLS, FALLS, 2, "accuracy", 0.99, {"Signs of over-fitting", "no trend yet", "a large gap"}, "cannot be judged", 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        example e;
        double train[EXAMPLE_ROUNDS_MAX], valid[EXAMPLE_ROUNDS_MAX];
        assert_true(example_make(&e, skills, 8, 4000, 0.85));
        for (size_t k = 0; k < cases[i].rounds; k++) {
            double x = cases[i].rounds > 1 ? (double)k / (double)(cases[i].rounds - 1) : 0;
            train[k] = course_at(cases[i].train, x);
            valid[k] = course_at(cases[i].valid, x);
        }
        example_history(&e, cases[i].metric, train, valid, cases[i].rounds);
        e.report.has_train_metric = cases[i].train_metric > 0;
        e.report.train_metric = cases[i].train_metric;
        e.report.kept_round = cases[i].kept;
        char *words = coord_report_fit_words(&e.report);
        for (size_t k = 0; k < 3; k++) say(words, cases[i].says[k]);
        say_not(words, cases[i].says_not);
        free(words);
        example_free(&e);
    }
}

static void a_model_that_knows_nothing_is_underfitted(void **state)
{
    (void)state;
    example e;
    assert_true(example_make(&e, NULL, 0, 500, 0));
    e.metrics->r2 = 0.01;
    e.report.history_metric = "r2";
    e.report.has_train_metric = true;
    e.report.train_metric = 0.02;
    char *words = coord_report_fit_words(&e.report);
    say(words, "Signs of under-fitting");
    free(words);
    e.report.train_metric = 0.9;
    words = coord_report_fit_words(&e.report);
    say(words, "Signs of over-fitting");
    say(words, "does not carry over");
    free(words);
    example_free(&e);
}

/* forms */

static char *table_of(const coord_report *r)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(coord_report_table(out, r, NULL), FW_OK);
    fclose(out);
    return text;
}

static char *html_of(const coord_report *r)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    assert_int_equal(coord_report_html(out, r, NULL), FW_OK);
    fclose(out);
    return text;
}

static void fits_100_columns(const char *text)
{
    size_t column = 0;
    for (const char *s = text; *s != '\0'; s++) {
        if (*s == '\n') column = 0;
        else column += ((unsigned char)*s & 0xc0) != 0x80;
        if (column > 100) fail_msg("a line is wider than 100 columns: %.110s", s - 100);
        assert_true(*s == '\n' || (unsigned char)*s >= 0x20);
    }
}

static void keep(const char *name, const char *html, const char *fallback)
{
    const char *dir = getenv("FW_KEEP_REPORTS");
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir != NULL ? dir : fallback, name);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_true(fputs(html, out) >= 0);
    assert_int_equal(fclose(out), 0);
}

static void the_table_fits_and_names_everything(void **state)
{
    const scratch *s = *state;
    static const char *const many[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "a class of a long name"};
    example e;
    full_example(&e, skills, 8);
    assert_true(example_gates(&e, (fw_gate[]){{(char *)"accuracy", FW_AT_LEAST, 0.8}, {(char *)"macro_f1", FW_AT_LEAST, 0.99}}, 2));
    char *text = table_of(&e.report);
    keep("table.txt", text, s->dir);
    fits_100_columns(text);
    static const char *const said[] = {"callcenter", "test split, 6,000 rows", "balanced_accuracy", "kindle", "Confusion", "passed", "FAILED", "1 of 2 gates does not hold", "prime_member",
                                       "too few", "Counts too small", "none & unknown (", "over-fitting", "1,234 missing values"};
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++) say(text, said[i]);
    free(text);
    example_free(&e);

    full_example(&e, many, 15);
    for (size_t i = 0; i < 15 * 15; i++) e.metrics->confusion[i] *= 1000000;
    for (size_t c = 0; c < 15; c++) e.metrics->per_class[c].support *= 1000000;
    text = table_of(&e.report);
    fits_100_columns(text);
    say(text, "per cent");
    free(text);
    example_free(&e);
}

static void hostile_names_stay_text(void **state)
{
    (void)state;
    example e;
    full_example(&e, hostile, 6);
    e.model.name = (char *)"</title><script>";
    e.project.problem.target = (char *)"<img src=x onerror=y>";
    e.project.goal.statement = (char *)"</section><b onclick='x'>";
    e.fairness[0].attribute = "\"><svg onload=z>\033[2J";
    char *table = table_of(&e.report), *html = html_of(&e.report);
    fits_100_columns(table);
    static const char *const never[] = {"<script", "<img", "<svg onload", "<b onclick", "\033", "\xff", "onclick='"};
    for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) say_not(html, never[i]);
    say(html, "&lt;script&gt;alert(1)&lt;/script&gt;");
    say(html, "&quot;quoted&quot; &amp; &#39;single&#39;");
    say(html, "Stra\xc3\x9f" "e \xe2\x82\xac");
    json_t *j = NULL;
    assert_int_equal(coord_report_json(&j, &e.report, NULL), FW_OK);
    char *dumped = json_dumps(j, 0);
    assert_non_null(dumped);
    free(dumped);
    json_decref(j);
    free(table);
    free(html);
    example_free(&e);
}

/** Every element that is opened is closed, in order. */
static void is_balanced(const char *html)
{
    static const char *const empty[] = {"meta", "!DOCTYPE", "br"};
    char open[64][16];
    size_t depth = 0;
    for (const char *s = strchr(html, '<'); s != NULL; s = strchr(s + 1, '<')) {
        const char *end = strchr(s, '>'), *name = s + (s[1] == '/' ? 2 : 1);
        int len = (int)strcspn(name, " />");
        bool closes = s[1] == '/', alone = end[-1] == '/';
        for (size_t i = 0; i < 3; i++) alone = alone || strncmp(name, empty[i], strlen(empty[i])) == 0;
        if (alone) continue;
        assert_true(len < 16 && depth < 64);
        if (!closes) {
            snprintf(open[depth++], sizeof open[0], "%.*s", len, name);
        } else if (depth == 0 || strncmp(open[depth - 1], name, (size_t)len) != 0 || open[depth - 1][len] != '\0') {
            fail_msg("</%.*s> closes <%s>", len, name, depth > 0 ? open[depth - 1] : "nothing");
        } else {
            depth--;
        }
    }
    assert_int_equal(depth, 0);
}

static void the_card_is_whole_and_needs_nothing_else(void **state)
{
    const scratch *s = *state;
    static const struct { const char *file; const char *const *classes; size_t k; double bound; } cases[] = {
        {"classes.html", skills, 8, 0.8}, {"binary.html", income, 2, 0.99}, {"regression.html", NULL, 0, 0.5}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        example e;
        full_example(&e, cases[i].classes, cases[i].k);
        bool classes = cases[i].k > 0;
        if (!classes)
            for (size_t k = 0; k < 20; k++) e.history[k].validation = 0.9 - 0.7 * exp(-0.3 * (double)k);
        assert_true(example_gates(&e, (fw_gate[]){{(char *)(classes ? "accuracy" : "r2"), FW_AT_LEAST, cases[i].bound}, {(char *)(classes ? "macro_f1" : "rmse"), classes ? FW_AT_LEAST : FW_AT_MOST, 0.5}}, 2));
        char *html = html_of(&e.report);
        keep(cases[i].file, html, s->dir);
        is_balanced(html);
        static const char *const never[] = {"http:", "https:", "<script", "src=", "nan", "\"inf", ">inf", "-nan", "url("};
        for (size_t k = 0; k < sizeof never / sizeof never[0]; k++) say_not(html, never[k]);
        static const char *const said[] = {"Model card", "the right skill the first time", "transfer_rate", "How good it is", "How it learned", "<svg", "The data", "The model", "Lineage", "Limits", "24,000"};
        for (size_t k = 0; k < sizeof said / sizeof said[0]; k++) say(html, said[k]);
        (classes ? say : say_not)(html, "Where it errs");
        (classes ? say : say_not)(html, "Fairness</h2>");
        say(html, cases[i].k == 2 ? "Not passed" : "Passed");
        free(html);
        example_free(&e);
    }
}

static void parts_that_are_not_there_are_left_out(void **state)
{
    (void)state;
    example e;
    assert_true(example_make(&e, income, 2, 50, 0.8));
    e.report.dataset_digest = NULL;
    e.model.dataset_digest = e.model.name = e.model.learner = e.model.program_version = NULL;
    e.model.digest[0] = '\0';
    e.report.n_history = 0;
    e.report.split = "validation";
    char *html = html_of(&e.report), *table = table_of(&e.report);
    is_balanced(html);
    say(html, "No gates");
    say(html, "50 rows are few");
    say(html, "a little too good");
    say(html, "Fairness was not looked at");
    say(table, "No gates are set");
    free(html);
    free(table);
    example_free(&e);
}

static void json_has_the_documented_names(void **state)
{
    (void)state;
    example e;
    full_example(&e, skills, 8);
    assert_true(example_gates(&e, (fw_gate[]){{(char *)"accuracy", FW_AT_LEAST, 0.8}, {(char *)"auc:kindle", FW_AT_LEAST, 0.99}}, 2));
    e.metrics->per_class[7].has_auc = false;
    json_t *j = NULL;
    assert_int_equal(coord_report_json(&j, &e.report, NULL), FW_OK);
    assert_string_equal(json_string_value(json_object_get(j, "model")), e.model.digest);
    assert_string_equal(json_string_value(json_object_get(j, "dataset")), e.model.dataset_digest);
    assert_string_equal(json_string_value(json_object_get(j, "split")), "test");
    assert_int_equal(json_integer_value(json_object_get(j, "rows")), 6000);
    json_t *metrics = json_object_get(j, "metrics");
    assert_int_equal(json_object_size(metrics), 15);
    assert_true(json_real_value(json_object_get(metrics, "accuracy")) == e.metrics->accuracy);
    assert_true(json_real_value(json_object_get(metrics, "f1")) == e.metrics->macro_f1);
    json_t *gate = json_array_get(json_object_get(j, "gates"), 1);
    assert_string_equal(json_string_value(json_object_get(gate, "metric")), "auc:kindle");
    assert_string_equal(json_string_value(json_object_get(gate, "op")), ">=");
    assert_true(json_is_false(json_object_get(gate, "passed")) && json_is_false(json_object_get(j, "passed")));
    assert_int_equal(json_array_size(json_object_get(j, "fairness")), 2);
    assert_true(json_is_null(json_object_get(json_array_get(json_object_get(j, "per_class"), 7), "auc")));
    json_t *row = json_array_get(json_object_get(j, "confusion"), 3);
    assert_int_equal(json_integer_value(json_array_get(row, 4)), e.metrics->confusion[3 * 8 + 4]);
    assert_int_equal(json_array_size(json_object_get(j, "calibration")), FW_CALIBRATION_BINS);
    json_decref(j);
    example_free(&e);
}

/* Of more classes than the matrix is written for: the commonest pairs by name, in order, no matrix. */
static void json_of_many_classes_lists_the_commonest_confusions(void **state)
{
    (void)state;
    enum { MANY = 300 };
    static char name[MANY][8];
    static const char *names[MANY];
    for (size_t c = 0; c < MANY; c++) {
        snprintf(name[c], sizeof name[c], "c%03zu", c);
        names[c] = name[c];
    }
    example e;
    full_example(&e, names, MANY);
    json_t *j = NULL;
    assert_int_equal(coord_report_json(&j, &e.report, NULL), FW_OK);
    assert_null(json_object_get(j, "confusion"));
    json_t *list = json_object_get(j, "commonest_confusions");
    assert_in_range(json_array_size(list), 2, 1000);
    json_int_t last = INT64_MAX;
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *pair = json_array_get(list, i);
        const json_int_t count = json_integer_value(json_object_get(pair, "count"));
        assert_in_range(count, 1, last);
        last = count;
        const size_t truth = (size_t)atoi(json_string_value(json_object_get(pair, "truth")) + 1);
        const size_t predicted = (size_t)atoi(json_string_value(json_object_get(pair, "predicted")) + 1);
        assert_true(truth != predicted);
        assert_int_equal(count, e.metrics->confusion[truth * MANY + predicted]);
    }
    json_decref(j);
    example_free(&e);
}

static void a_full_disk_is_noticed(void **state)
{
    (void)state;
    example e;
    full_example(&e, skills, 8);
    FILE *full = fopen("/dev/full", "w");
    if (full == NULL) skip();
    setvbuf(full, NULL, _IONBF, 0);
    fw_error err = {0};
    assert_int_equal(coord_report_html(full, &e.report, &err), FW_ERR_IO);
    assert_int_equal(coord_report_table(full, &e.report, &err), FW_ERR_IO);
    say(err.text, "cannot be written");
    fclose(full);
    example_free(&e);
}

int main(void)
{
    scratch s;
    if (!scratch_make(&s)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gates_hold_or_not),
        cmocka_unit_test(gates_that_cannot_be_are_refused),
        cmocka_unit_test(a_gate_without_a_value_has_not_passed),
        cmocka_unit_test(fit_is_said_with_its_evidence),
        cmocka_unit_test(a_model_that_knows_nothing_is_underfitted),
        cmocka_unit_test_prestate(the_table_fits_and_names_everything, &s),
        cmocka_unit_test(hostile_names_stay_text),
        cmocka_unit_test_prestate(the_card_is_whole_and_needs_nothing_else, &s),
        cmocka_unit_test(parts_that_are_not_there_are_left_out),
        cmocka_unit_test(json_has_the_documented_names),
        cmocka_unit_test(json_of_many_classes_lists_the_commonest_confusions),
        cmocka_unit_test(a_full_disk_is_noticed),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(&s);
    return failed;
}
