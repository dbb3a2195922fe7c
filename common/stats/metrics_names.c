/** Metrics by name: one table says what each needs and where its value stands. */
#include <stddef.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "common/stats/metrics_parts.h"

#define NOT_BY_CLASS SIZE_MAX

typedef struct metric {
    const char *name;
    fw_task task;
    unsigned parts;
    size_t at;             /* in fw_metrics */
    size_t class_at;       /* in fw_class_metrics, for "name:class" */
    bool positive;         /* binary: the value of the positive class, not the mean */
    bool smaller_is_better;
} metric;

#define M(field) offsetof(fw_metrics, field)
#define K(field) offsetof(fw_class_metrics, field)
static const metric metrics[] = {
    {"accuracy", FW_TASK_CLASSIFICATION, FW_PART_COUNTS, M(accuracy), NOT_BY_CLASS, false, false},
    {"balanced_accuracy", FW_TASK_CLASSIFICATION, FW_PART_COUNTS, M(balanced_accuracy), NOT_BY_CLASS, false, false},
    {"precision", FW_TASK_CLASSIFICATION, FW_PART_COUNTS, M(macro_precision), K(precision), true, false},
    {"recall", FW_TASK_CLASSIFICATION, FW_PART_COUNTS, M(macro_recall), K(recall), true, false},
    {"f1", FW_TASK_CLASSIFICATION, FW_PART_COUNTS, M(macro_f1), K(f1), true, false},
    {"macro_precision", FW_TASK_CLASSIFICATION, FW_PART_COUNTS, M(macro_precision), NOT_BY_CLASS, false, false},
    {"macro_recall", FW_TASK_CLASSIFICATION, FW_PART_COUNTS, M(macro_recall), NOT_BY_CLASS, false, false},
    {"macro_f1", FW_TASK_CLASSIFICATION, FW_PART_COUNTS, M(macro_f1), NOT_BY_CLASS, false, false},
    {"weighted_precision", FW_TASK_CLASSIFICATION, FW_PART_COUNTS, M(weighted_precision), NOT_BY_CLASS, false, false},
    {"weighted_recall", FW_TASK_CLASSIFICATION, FW_PART_COUNTS, M(weighted_recall), NOT_BY_CLASS, false, false},
    {"weighted_f1", FW_TASK_CLASSIFICATION, FW_PART_COUNTS, M(weighted_f1), NOT_BY_CLASS, false, false},
    {"log_loss", FW_TASK_CLASSIFICATION, FW_PART_LOSS, M(log_loss), NOT_BY_CLASS, false, true},
    {"auc", FW_TASK_CLASSIFICATION, FW_PART_RANK_POSITIVE, M(auc), K(auc), false, false},
    {"average_precision", FW_TASK_CLASSIFICATION, FW_PART_RANK_POSITIVE, M(average_precision), K(average_precision), false, false},
    {"ece", FW_TASK_CLASSIFICATION, FW_PART_CALIBRATION, M(ece), NOT_BY_CLASS, false, true},
    {"rmse", FW_TASK_REGRESSION, FW_PART_ERRORS, M(rmse), NOT_BY_CLASS, false, true},
    {"mae", FW_TASK_REGRESSION, FW_PART_ERRORS, M(mae), NOT_BY_CLASS, false, true},
    {"r2", FW_TASK_REGRESSION, FW_PART_ERRORS, M(r2), NOT_BY_CLASS, false, false},
};
#define N_METRICS (sizeof metrics / sizeof metrics[0])

static const char *const classification_names[] = {
    "accuracy", "balanced_accuracy", "precision", "recall", "f1", "macro_precision", "macro_recall", "macro_f1",
    "weighted_precision", "weighted_recall", "weighted_f1", "log_loss", "auc", "average_precision", "ece", NULL};
static const char *const regression_names[] = {"rmse", "mae", "r2", NULL};

const char *const *fw_metrics_names(fw_task task)
{
    return task == FW_TASK_REGRESSION ? regression_names : classification_names;
}

static const metric *find(const char *name, size_t len)
{
    for (size_t i = 0; i < N_METRICS; i++)
        if (strlen(metrics[i].name) == len && memcmp(metrics[i].name, name, len) == 0) return &metrics[i];
    return NULL;
}

bool fw_metrics_smaller_is_better(const char *name)
{
    const metric *k = find(name, strcspn(name, ":"));
    return k != NULL && k->smaller_is_better;
}

static fw_status no_such_metric(const char *name, fw_task task, fw_error *err)
{
    const char *const *names = fw_metrics_names(task);
    FW_AUTO(fw_text) list = {0};
    size_t n = 0;
    for (; names[n] != NULL; n++) fw_text_format(&list, "%s%s", n == 0 ? "" : ", ", names[n]);
    FW_TRY(fw_text_check(&list, err));
    const char *near = fw_did_you_mean(name, names, n);
    return fw_fail(err, FW_ERR_NOTFOUND, "\"%s\" is not a metric of a %s%s%s%s; there are %s", name,
                   task == FW_TASK_REGRESSION ? "regression" : "classification", near ? "; did you mean \"" : "", near ? near : "", near ? "\"?" : "", list.data);
}

static fw_status find_for(const metric **out, const char *name, fw_task task, fw_error *err)
{
    size_t len = strcspn(name, ":");
    const metric *k = find(name, len);
    if (k == NULL || k->task != task) return no_such_metric(name, task, err);
    if (name[len] == ':' && k->class_at == NOT_BY_CLASS)
        return fw_fail(err, FW_ERR_NOTFOUND, "metric \"%s\": %s has no value for one class; precision, recall, f1, auc and average_precision have", name, k->name);
    *out = k;
    return FW_OK;
}

static double field(const void *base, size_t at)
{
    double v = 0;
    memcpy(&v, (const char *)base + at, sizeof v);
    return v;
}

static fw_status of_class(double *value, const fw_metrics *m, const metric *k, const char *name, const char *class_name, const char *const *class_names,
                          fw_error *err)
{
    if (class_names == NULL) return fw_fail(err, FW_ERR_NOTFOUND, "metric \"%s\": the names of the classes are not known here", name);
    for (size_t c = 0; c < m->n_classes; c++) {
        if (strcmp(class_names[c], class_name) != 0) continue;
        if (k->class_at == K(auc) && !m->per_class[c].has_auc)
            return fw_fail(err, FW_ERR_DATA, "metric \"%s\" has no value: it needs rows of class \"%s\" and rows of others", name, class_name);
        *value = field(&m->per_class[c], k->class_at);
        return FW_OK;
    }
    const char *near = fw_did_you_mean(class_name, class_names, m->n_classes);
    return fw_fail(err, FW_ERR_NOTFOUND, "metric \"%s\": there is no class \"%s\"%s%s%s", name, class_name, near ? "; did you mean \"" : "", near ? near : "",
                   near ? "\"?" : "");
}

fw_status fw_metrics_get(double *value, const fw_metrics *m, const char *name, const char *const *class_names, fw_error *err)
{
    const metric *k = NULL;
    FW_TRY(find_for(&k, name, m->task, err));
    const char *colon = strchr(name, ':');
    if (colon != NULL) return of_class(value, m, k, name, colon + 1, class_names, err);
    if ((k->at == M(auc) || k->at == M(average_precision)) && !m->has_auc)
        return fw_fail(err, FW_ERR_DATA, "metric \"%s\" has no value: the %zu rows are all of one class", name, m->n);
    *value = k->positive && m->n_classes == 2 ? field(&m->per_class[m->positive], k->class_at) : field(m, k->at);
    return FW_OK;
}

fw_status fw_metrics_compute_one(double *value, const fw_predictions *p, const char *name, fw_error *err)
{
    const metric *k = NULL;
    FW_TRY(find_for(&k, name, p->task, err));
    if (strchr(name, ':') != NULL)
        return fw_fail(err, FW_ERR_NOTFOUND, "metric \"%s\": the metric of one class can be a gate, but not what a round is judged by; use %s or macro_f1", name, k->name);
    FW_AUTO(fw_metrics) *m = NULL;
    FW_TRY(fw_metrics_compute_parts(&m, p, k->parts, err));
    return fw_metrics_get(value, m, name, NULL, err);
}
