/** Metrics against scikit-learn, and identities that do not need it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/stats/metrics.h"
#include "tests/unit/oracle.h"

static const char *const names[] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7", "c8", "c9"};

typedef struct data { fw_predictions p; float *probability; int32_t *label; double *value, *truth; } data;

static void data_free(data *d)
{
    free(d->probability);
    free(d->label);
    free(d->value);
    free(d->truth);
    *d = (data){0};
}

static void data_read(data *d, FILE *in, const char *task, size_t n, size_t k, int positive_first)
{
    *d = (data){.probability = calloc(n * k + 1, sizeof(float)), .label = calloc(n, sizeof(int32_t)), .value = calloc(n, sizeof(double)), .truth = calloc(n, sizeof(double))};
    bool classes = strcmp(task, "classification") == 0;
    for (size_t i = 0; i < n; i++) {
        if (classes) assert_int_equal(fscanf(in, "%d", &d->label[i]), 1);
        else assert_int_equal(fscanf(in, "%lf %lf", &d->value[i], &d->truth[i]), 2);
        for (size_t c = 0; c < k; c++) assert_int_equal(fscanf(in, "%f", &d->probability[i * k + c]), 1);
    }
    d->p = (fw_predictions){.task = classes ? FW_TASK_CLASSIFICATION : FW_TASK_REGRESSION, .n = n, .n_classes = k, .p = d->probability, .label = d->label, .value = d->value,
                            .truth = d->truth, .positive_first = positive_first != 0};
}

/** The value of name, and of compute_one, which must be the same bits. */
static fw_status value_of(double *v, const fw_metrics *m, const fw_predictions *p, const char *name)
{
    fw_status s = fw_metrics_get(v, m, name, names, NULL);
    double one = 0;
    if (strchr(name, ':') == NULL) {
        assert_int_equal(fw_metrics_compute_one(&one, p, name, NULL), s);
        if (s == FW_OK) assert_memory_equal(&one, v, sizeof one);
    }
    return s;
}

static void check_values(FILE *in, const char *name, const fw_metrics *m, const fw_predictions *p, double tolerance)
{
    int n = 0;
    assert_int_equal(fscanf(in, " expect %d", &n), 1);
    for (int i = 0; i < n; i++) {
        char metric[64], text[64];
        double v = 0;
        assert_int_equal(fscanf(in, "%63s %63s", metric, text), 2);
        bool none = strcmp(text, "none") == 0;
        fw_status s = value_of(&v, m, p, metric);
        double wanted = none ? 0 : strtod(text, NULL);
        if (s != (none ? FW_ERR_DATA : FW_OK) || (!none && !(fabs(v - wanted) <= tolerance * fmax(1, fabs(wanted)))))
            fail_msg("%s: %s is %.17g (%s), scikit-learn says %s", name, metric, v, fw_status_name(s), text);
    }
}

static void agree_with_scikit_learn(void **state)
{
    scratch *s = *state;
    FILE *in = oracle_open(s, "metrics");
    if (oracle_was_absent) skip();
    assert_non_null(in);
    char word[16], name[64], task[32];
    size_t n_cases = 0;
    while (fscanf(in, "%15s", word) == 1 && strcmp(word, "case") == 0) {
        size_t n = 0, k = 0;
        int positive_first = 0;
        double tolerance = 0;
        assert_int_equal(fscanf(in, "%63s %31s %zu %zu %d %lf", name, task, &n, &k, &positive_first, &tolerance), 6);
        data d = {0};
        fw_metrics *m = NULL;
        data_read(&d, in, task, n, k, positive_first);
        assert_int_equal(fw_metrics_compute(&m, &d.p, NULL), FW_OK);
        check_values(in, name, m, &d.p, tolerance);
        if (k > 0) assert_int_equal(fscanf(in, " confusion"), 0);
        for (size_t i = 0; i < k * k; i++) {
            uint64_t count = 0;
            assert_int_equal(fscanf(in, "%lu", &count), 1);
            assert_int_equal(m->confusion[i], count);
        }
        fw_metrics_destroy(&m);
        assert_null(m);
        data_free(&d);
        n_cases++;
    }
    assert_string_equal(word, "end");
    assert_true(n_cases >= 20);
    fclose(in);
}

/** Rows in the opposite order give the same bits: counts are integers and sums are exact. */
static void do_not_depend_on_row_order(void **state)
{
    (void)state;
    enum { N = 501, K = 3 };
    static float p[2][N * K];
    static int32_t label[2][N];
    uint32_t seed = 12345;
    for (int i = 0; i < N; i++) {
        float row[K], sum = 0;
        for (int c = 0; c < K; c++) {
            seed = seed * 1664525u + 1013904223u;
            row[c] = (float)(seed >> 20) + 1;
            sum += row[c];
        }
        label[0][i] = label[1][N - 1 - i] = (int32_t)(seed >> 8) % K;
        for (int c = 0; c < K; c++) p[0][i * K + c] = p[1][(N - 1 - i) * K + c] = row[c] / sum;
    }
    for (const char *const *name = fw_metrics_names(FW_TASK_CLASSIFICATION); *name != NULL; name++) {
        double v[2] = {0, 1};
        for (int k = 0; k < 2; k++) {
            fw_predictions q = {.task = FW_TASK_CLASSIFICATION, .n = N, .n_classes = K, .p = p[k], .label = label[k]};
            assert_int_equal(fw_metrics_compute_one(&v[k], &q, *name, NULL), FW_OK);
        }
        assert_memory_equal(&v[0], &v[1], sizeof v[0]);
    }
}

static void equal_probabilities_give_the_lowest_class(void **state)
{
    (void)state;
    const float p[] = {0.25f, 0.375f, 0.375f, 0.5f, 0.0f, 0.5f};
    const int32_t label[] = {1, 2};
    fw_metrics *m = NULL;
    assert_int_equal(fw_metrics_compute(&m, &(fw_predictions){.task = FW_TASK_CLASSIFICATION, .n = 2, .n_classes = 3, .p = p, .label = label}, NULL), FW_OK);
    assert_int_equal(m->confusion[1 * 3 + 1], 1);
    assert_int_equal(m->confusion[2 * 3 + 0], 1);
    assert_int_equal(m->reliability[3].count + m->reliability[4].count, 2);       /* 0.5 belongs to (0.4, 0.5] */
    fw_metrics_destroy(&m);
}

static void wrong_input_is_refused(void **state)
{
    (void)state;
    const float good[] = {0.5f, 0.5f}, nan_p[] = {0.5f, NAN};
    const int32_t label[] = {1}, high[] = {2}, low[] = {-1};
    const double one[] = {1}, infinite[] = {INFINITY}, huge[] = {1e200};
    const struct { fw_predictions p; fw_status wanted; const char *words; } cases[] = {
        {{.task = FW_TASK_CLASSIFICATION, .n = 0, .n_classes = 2, .p = good, .label = label}, FW_ERR_DATA, "no rows"},
        {{.task = FW_TASK_CLASSIFICATION, .n = 1, .n_classes = 0, .p = good, .label = label}, FW_ERR_ARG, "classes"},
        {{.task = FW_TASK_CLASSIFICATION, .n = 1, .n_classes = 2, .p = good, .label = high}, FW_ERR_DATA, "row 0: label 2"},
        {{.task = FW_TASK_CLASSIFICATION, .n = 1, .n_classes = 2, .p = good, .label = low}, FW_ERR_DATA, "label -1"},
        {{.task = FW_TASK_CLASSIFICATION, .n = 1, .n_classes = 2, .p = nan_p, .label = label}, FW_ERR_NUMERIC, "class 1"},
        {{.task = FW_TASK_REGRESSION, .n = 1, .value = infinite, .truth = one}, FW_ERR_NUMERIC, "prediction"},
        {{.task = FW_TASK_REGRESSION, .n = 1, .value = one, .truth = infinite}, FW_ERR_NUMERIC, "true value"},
        {{.task = FW_TASK_REGRESSION, .n = 1, .value = huge, .truth = one}, FW_ERR_NUMERIC, "overflows"},
        {{.task = FW_TASK_REGRESSION, .n = 1, .value = one}, FW_ERR_ARG, "truth"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fw_metrics *m = NULL;
        fw_error err = {0};
        assert_int_equal(fw_metrics_compute(&m, &cases[i].p, &err), cases[i].wanted);
        assert_null(m);
        if (strstr(err.text, cases[i].words) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].words);
    }
}

static void names_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    const float p[] = {0.5f, 0.25f, 0.25f, 0.25f, 0.5f, 0.25f};
    const int32_t label[] = {0, 1};
    const char *const skills[] = {"billing", "kindle", "music"};
    const fw_predictions q = {.task = FW_TASK_CLASSIFICATION, .n = 2, .n_classes = 3, .p = p, .label = label};
    static const struct { const char *name; fw_status wanted; const char *words; } cases[] = {
        {"acuracy", FW_ERR_NOTFOUND, "did you mean \"accuracy\"?"},
        {"rmse", FW_ERR_NOTFOUND, "not a metric of a classification"},
        {"f1:kindel", FW_ERR_NOTFOUND, "did you mean \"kindle\"?"},
        {"accuracy:kindle", FW_ERR_NOTFOUND, "no value for one class"},
        {"auc:music", FW_ERR_DATA, "rows of class \"music\""},
        {"", FW_ERR_NOTFOUND, "not a metric"},
        {"f1:kindle", FW_OK, ""},
    };
    fw_metrics *m = NULL;
    assert_int_equal(fw_metrics_compute(&m, &q, NULL), FW_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        fw_error err = {0};
        double v = -1;
        assert_int_equal(fw_metrics_get(&v, m, cases[i].name, skills, &err), cases[i].wanted);
        if (strstr(err.text, cases[i].words) == NULL) fail_msg("\"%s\" does not say \"%s\"", err.text, cases[i].words);
        assert_true((v != -1) == (cases[i].wanted == FW_OK));
    }
    double v = 0;
    assert_int_equal(fw_metrics_get(&v, m, "f1:kindle", NULL, NULL), FW_ERR_NOTFOUND);
    assert_int_equal(fw_metrics_compute_one(&v, &q, "f1:kindle", NULL), FW_ERR_NOTFOUND);
    fw_metrics_destroy(&m);
    assert_true(fw_metrics_smaller_is_better("log_loss") && fw_metrics_smaller_is_better("rmse") && fw_metrics_smaller_is_better("ece"));
    assert_false(fw_metrics_smaller_is_better("auc") || fw_metrics_smaller_is_better("f1:kindle") || fw_metrics_smaller_is_better("r2"));
}

int main(void)
{
    scratch s;
    if (!scratch_make(&s)) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(agree_with_scikit_learn, &s),
        cmocka_unit_test(do_not_depend_on_row_order),
        cmocka_unit_test(equal_probabilities_give_the_lowest_class),
        cmocka_unit_test(wrong_input_is_refused),
        cmocka_unit_test(names_that_do_not_exist_are_refused),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    scratch_remove(&s);
    return oracle_end(failed);
}
