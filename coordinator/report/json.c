/** The report as one JSON object, for programs. */
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/report/words.h"

#define MATRIX_CLASSES    256        /* the whole confusion matrix up to here, beyond the commonest confusions */
#define LISTED_CONFUSIONS 1000

static void json_t_destroy(json_t **j)
{
    json_decref(*j);
}

/** Takes over value, also when it fails. */
static fw_status put(json_t *object, const char *key, json_t *value, fw_error *err)
{
    if (json_object_set_new(object, key, value) != 0) return fw_fail(err, FW_ERR_NOMEM, "report: JSON key \"%s\" cannot be made", key);
    return FW_OK;
}

static fw_status append(json_t *array, json_t *value, fw_error *err)
{
    if (json_array_append_new(array, value) != 0) return fw_fail(err, FW_ERR_NOMEM, "report: a JSON list cannot grow");
    return FW_OK;
}

static json_t *text_value(const char *s)
{
    FW_AUTO(fw_text) plain = {0};
    if (s == NULL) return json_null();
    fw_text_add(&plain, "");
    coord_add_plain(&plain, s);
    return plain.failed ? NULL : json_string(plain.data);
}

static json_t *count_value(uint64_t n)
{
    return json_integer((json_int_t)n);
}

static json_t *value_or_null(bool has, double v)
{
    return has ? json_real(v) : json_null();
}

static fw_status put_metrics(json_t *to, const coord_report *r, fw_error *err)
{
    FW_AUTO(json_t) *object = json_object();
    const char *const *names = fw_metrics_names(r->metrics->task);
    for (size_t i = 0; names[i] != NULL; i++) {
        double v = 0;
        bool has = fw_metrics_get(&v, r->metrics, names[i], NULL, NULL) == FW_OK;
        FW_TRY(put(object, names[i], value_or_null(has, v), err));
    }
    return put(to, "metrics", json_incref(object), err);
}

static fw_status put_gates(json_t *to, const coord_report *r, fw_error *err)
{
    FW_AUTO(json_t) *list = json_array();
    bool passed = true;
    for (size_t i = 0; i < r->n_gates; i++) {
        const coord_gate_result *g = &r->gates[i];
        passed = passed && g->passed;
        FW_TRY(append(list, json_pack("{s:o, s:s, s:f, s:o, s:b}", "metric", text_value(g->metric), "op", coord_op_text(g->op), "bound", g->bound, "value",
                                      value_or_null(g->has_value, g->value), "passed", g->passed), err));
    }
    FW_TRY(put(to, "gates", json_incref(list), err));
    return put(to, "passed", json_boolean(passed), err);
}

static json_t *group_value(const coord_fairness *f, size_t i)
{
    const fw_group_rates *g = &f->result->groups[i];
    return json_pack("{s:o, s:o, s:o, s:o, s:f, s:o, s:o, s:b}", "group", text_value(coord_group_name(f, i)), "count", count_value(g->count), "positives",
                     count_value(g->positives), "selected", count_value(g->selected), "selection_rate", g->selection_rate, "true_positive_rate",
                     value_or_null(g->positives > 0, g->true_positive_rate), "false_positive_rate", value_or_null(g->count > g->positives, g->false_positive_rate),
                     "too_small", g->too_small);
}

static fw_status put_fairness(json_t *to, const coord_report *r, fw_error *err)
{
    FW_AUTO(json_t) *list = json_array();
    for (size_t i = 0; i < r->n_fairness; i++) {
        const coord_fairness *f = &r->fairness[i];
        const fw_fairness *q = f->result;
        FW_AUTO(json_t) *groups = json_array();
        for (size_t g = 0; g < q->n_groups; g++)
            if (q->groups[g].count > 0) FW_TRY(append(groups, group_value(f, g), err));
        FW_TRY(append(list, json_pack("{s:o, s:o, s:b, s:o, s:o, s:o, s:O}", "attribute", text_value(f->attribute), "positive",
                                      text_value(coord_positive_name(f, r)), "comparable", q->comparable,
                                      "demographic_parity_difference", value_or_null(q->comparable, q->demographic_parity_difference), "disparate_impact",
                                      value_or_null(q->comparable, q->disparate_impact), "equalized_odds_difference",
                                      value_or_null(q->comparable, q->equalized_odds_difference), "groups", groups), err));
    }
    return put(to, "fairness", json_incref(list), err);
}

static fw_status put_classes(json_t *to, const coord_report *r, fw_error *err)
{
    const fw_metrics *m = r->metrics;
    FW_AUTO(json_t) *list = json_array();
    for (size_t c = 0; c < m->n_classes; c++) {
        const fw_class_metrics *k = &m->per_class[c];
        FW_TRY(append(list, json_pack("{s:o, s:o, s:o, s:o, s:f, s:f, s:f, s:o, s:o}", "class", text_value(coord_class_name(r, c)), "support", count_value(k->support),
                                      "predicted", count_value(k->predicted), "correct", count_value(k->correct), "precision", k->precision, "recall", k->recall,
                                      "f1", k->f1, "auc", value_or_null(k->has_auc, k->auc), "average_precision", value_or_null(k->has_auc, k->average_precision)), err));
    }
    FW_TRY(put(to, "per_class", json_incref(list), err));
    return m->n_classes == 2 ? put(to, "positive", text_value(coord_class_name(r, m->positive)), err) : FW_OK;
}

/* The matrix of many classes is nearly all zeros, and larger than all else that is written. */
static fw_status put_commonest_confusions(json_t *to, const coord_report *r, fw_error *err)
{
    FW_FREE coord_confusion *top = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&top, LISTED_CONFUSIONS, sizeof *top, "confusions", err));
    const size_t n = coord_top_confusions(top, LISTED_CONFUSIONS, r->metrics);
    FW_AUTO(json_t) *list = json_array();
    for (size_t i = 0; i < n; i++)
        FW_TRY(append(list, json_pack("{s:o, s:o, s:o}", "truth", text_value(coord_class_name(r, top[i].truth)), "predicted",
                                      text_value(coord_class_name(r, top[i].predicted)), "count", count_value(top[i].count)), err));
    return put(to, "commonest_confusions", json_incref(list), err);
}

static fw_status put_confusion(json_t *to, const coord_report *r, fw_error *err)
{
    const fw_metrics *m = r->metrics;
    if (m->n_classes > MATRIX_CLASSES) return put_commonest_confusions(to, r, err);
    FW_AUTO(json_t) *rows = json_array();
    for (size_t truth = 0; truth < m->n_classes; truth++) {
        FW_AUTO(json_t) *row = json_array();
        for (size_t c = 0; c < m->n_classes; c++) FW_TRY(append(row, count_value(m->confusion[truth * m->n_classes + c]), err));
        FW_TRY(append(rows, json_incref(row), err));
    }
    return put(to, "confusion", json_incref(rows), err);
}

static fw_status put_calibration(json_t *to, const fw_metrics *m, fw_error *err)
{
    FW_AUTO(json_t) *list = json_array();
    for (size_t b = 0; b < FW_CALIBRATION_BINS; b++) {
        const fw_reliability_bin *k = &m->reliability[b];
        FW_TRY(append(list, json_pack("{s:f, s:f, s:o, s:o, s:o}", "above", (double)b / FW_CALIBRATION_BINS, "to", (double)(b + 1) / FW_CALIBRATION_BINS, "count",
                                      count_value(k->count), "confidence", value_or_null(k->count > 0, k->confidence), "accuracy",
                                      value_or_null(k->count > 0, k->accuracy)), err));
    }
    return put(to, "calibration", json_incref(list), err);
}

fw_status coord_report_json(json_t **out, const coord_report *r, fw_error *err)
{
    bool classes = r->metrics->task == FW_TASK_CLASSIFICATION;
    FW_AUTO(json_t) *j = json_object();
    FW_TRY(put(j, "model", text_value(r->model->digest), err));
    FW_TRY(put(j, "project", text_value(r->model->name), err));
    FW_TRY(put(j, "task", text_value(classes ? "classification" : "regression"), err));
    FW_TRY(put(j, "learner", text_value(r->model->learner), err));
    FW_TRY(put(j, "dataset", text_value(r->dataset_digest), err));
    FW_TRY(put(j, "split", text_value(r->split), err));
    FW_TRY(put(j, "rows", count_value(r->rows), err));
    FW_TRY(put_metrics(j, r, err));
    FW_TRY(put_gates(j, r, err));
    FW_TRY(put_fairness(j, r, err));
    if (classes) {
        FW_TRY(put_classes(j, r, err));
        FW_TRY(put_confusion(j, r, err));
        FW_TRY(put_calibration(j, r->metrics, err));
    }
    FW_FREE char *fit = coord_report_fit_words(r);
    FW_TRY(put(j, "fit", fit == NULL ? NULL : text_value(fit), err));
    FW_TRY(put(j, "missing", count_value(r->missing), err));
    FW_TRY(put(j, "unseen", count_value(r->unseen), err));
    *out = j;
    j = NULL;
    return FW_OK;
}
