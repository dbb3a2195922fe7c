#include "common/stats/metrics.h"

#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "common/stats/dmath.h"
#include "common/stats/exact_sum.h"
#include "common/stats/metrics_parts.h"

static const double lowest_probability = 1e-15;    /* in log_loss, and 1 - it at the other end */

void fw_metrics_destroy(fw_metrics **m)
{
    if (m == NULL || *m == NULL) return;
    free((*m)->confusion);
    free((*m)->per_class);
    free(*m);
    *m = NULL;
}

static fw_status check_classes(const fw_predictions *p, fw_error *err)
{
    if (p->n_classes == 0 || p->p == NULL || p->label == NULL)
        return fw_fail(err, FW_ERR_ARG, "metrics: a classification needs classes, probabilities and labels");
    for (size_t i = 0; i < p->n; i++) {
        if (p->label[i] < 0 || (size_t)p->label[i] >= p->n_classes)
            return fw_fail(err, FW_ERR_DATA, "metrics: row %zu: label %d is not one of the %zu classes; ingest the data with the model's class table", i,
                           (int)p->label[i], p->n_classes);
        for (size_t c = 0; c < p->n_classes; c++)
            if (!isfinite(p->p[i * p->n_classes + c]))
                return fw_fail(err, FW_ERR_NUMERIC, "metrics: row %zu: the probability of class %zu is not finite; the model has diverged or its input is out of range",
                               i, c);
    }
    return FW_OK;
}

static fw_status check_values(const fw_predictions *p, fw_error *err)
{
    if (p->value == NULL || p->truth == NULL) return fw_fail(err, FW_ERR_ARG, "metrics: a regression needs values and their truth");
    for (size_t i = 0; i < p->n; i++) {
        if (!isfinite(p->value[i]))
            return fw_fail(err, FW_ERR_NUMERIC, "metrics: row %zu: the prediction is not finite; the model has diverged or its input is out of range", i);
        if (!isfinite(p->truth[i])) return fw_fail(err, FW_ERR_NUMERIC, "metrics: row %zu: the true value is not finite", i);
    }
    return FW_OK;
}

fw_status fw_predictions_check(const fw_predictions *p, fw_error *err)
{
    if (p->n == 0) return fw_fail(err, FW_ERR_DATA, "metrics: no rows with a known truth; nothing can be measured");
    return p->task == FW_TASK_CLASSIFICATION ? check_classes(p, err) : check_values(p, err);
}

static double ratio(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0.0 : (double)part / (double)whole;
}

static void count_classes(fw_metrics *m, const fw_predictions *p)
{
    for (size_t i = 0; i < p->n; i++) {
        size_t truth = (size_t)p->label[i], predicted = fw_predicted_class(p->p + i * p->n_classes, p->n_classes);
        if (m->confusion != NULL) m->confusion[truth * p->n_classes + predicted]++;
        m->per_class[truth].support++;
        m->per_class[predicted].predicted++;
        if (truth == predicted) m->per_class[truth].correct++;
    }
}

/** precision = correct / predicted, recall = correct / support, f1 = 2 correct / (predicted + support); then their means. */
static void rates_of_classes(fw_metrics *m)
{
    double precision = 0, recall = 0, f1 = 0, truth_recall = 0, weighted_precision = 0, weighted_f1 = 0;
    uint64_t correct = 0, occurring = 0, in_truth = 0;
    for (size_t c = 0; c < m->n_classes; c++) {
        fw_class_metrics *k = &m->per_class[c];
        k->precision = ratio(k->correct, k->predicted);
        k->recall = ratio(k->correct, k->support);
        k->f1 = ratio(2 * k->correct, k->predicted + k->support);
        correct += k->correct;
        occurring += k->predicted + k->support > 0;
        in_truth += k->support > 0;
        precision += k->precision;
        recall += k->recall;
        f1 += k->f1;
        if (k->support > 0) truth_recall += k->recall;
        weighted_precision += k->precision * (double)k->support;
        weighted_f1 += k->f1 * (double)k->support;
    }
    double n = (double)m->n;
    m->accuracy = ratio(correct, m->n);
    m->balanced_accuracy = truth_recall / (double)in_truth;
    m->macro_precision = precision / (double)occurring;
    m->macro_recall = recall / (double)occurring;
    m->macro_f1 = f1 / (double)occurring;
    m->weighted_precision = weighted_precision / n;
    m->weighted_recall = m->accuracy;              /* sum of support * correct / support */
    m->weighted_f1 = weighted_f1 / n;
}

/** log_loss = -(1/n) sum log p[truth]. */
static fw_status log_loss(fw_metrics *m, const fw_predictions *p, fw_error *err)
{
    fw_exact_sum sum = {0};
    for (size_t i = 0; i < p->n; i++) {
        double q = (double)p->p[i * p->n_classes + (size_t)p->label[i]];
        q = FW_MIN(FW_MAX(q, lowest_probability), 1 - lowest_probability);
        FW_TRY(fw_exact_sum_add(&sum, fw_log_double(q), err));
    }
    m->log_loss = -fw_exact_sum_value(&sum) / (double)p->n;
    return FW_OK;
}

/** The bin of a confidence: bin b holds (b/10, (b+1)/10]; the first also what is not above 0. */
static size_t bin_of(double confidence)
{
    size_t b = 0;
    while (b + 1 < FW_CALIBRATION_BINS && confidence > (double)(b + 1) / FW_CALIBRATION_BINS) b++;
    return b;
}

/** ece = sum over bins of count/n |accuracy - mean confidence|.   Source  Guo et al., On calibration of modern neural networks (2017), eq. 3. */
static fw_status calibration(fw_metrics *m, const fw_predictions *p, fw_error *err)
{
    fw_exact_sum confidence[FW_CALIBRATION_BINS] = {0};
    uint64_t correct[FW_CALIBRATION_BINS] = {0};
    for (size_t i = 0; i < p->n; i++) {
        const float *row = p->p + i * p->n_classes;
        size_t predicted = fw_predicted_class(row, p->n_classes), b = bin_of((double)row[predicted]);
        m->reliability[b].count++;
        correct[b] += predicted == (size_t)p->label[i];
        FW_TRY(fw_exact_sum_add(&confidence[b], (double)row[predicted], err));
    }
    m->ece = 0;
    for (size_t b = 0; b < FW_CALIBRATION_BINS; b++) {
        fw_reliability_bin *r = &m->reliability[b];
        if (r->count == 0) continue;
        double sum = fw_exact_sum_value(&confidence[b]);
        r->confidence = sum / (double)r->count;
        r->accuracy = ratio(correct[b], r->count);
        m->ece += fabs((double)correct[b] - sum) / (double)p->n;
    }
    return FW_OK;
}

/** rmse = sqrt(mean e^2), mae = mean |e|, r2 = 1 - sum e^2 / sum (truth - mean truth)^2. */
static fw_status errors_of_values(fw_metrics *m, const fw_predictions *p, fw_error *err)
{
    fw_exact_sum truth = {0}, square = {0}, absolute = {0}, spread = {0};
    for (size_t i = 0; i < p->n; i++) FW_TRY(fw_exact_sum_add(&truth, p->truth[i], err));
    double n = (double)p->n, mean = fw_exact_sum_value(&truth) / n;
    for (size_t i = 0; i < p->n; i++) {
        double e = p->truth[i] - p->value[i], d = p->truth[i] - mean;
        if (fw_exact_sum_add(&square, e * e, NULL) < 0 || fw_exact_sum_add(&absolute, fabs(e), NULL) < 0 || fw_exact_sum_add(&spread, d * d, NULL) < 0)
            return fw_fail(err, FW_ERR_NUMERIC, "metrics: row %zu: the square of the error %.3g overflows; the model has diverged or the target needs another unit", i, e);
    }
    double residual = fw_exact_sum_value(&square), total = fw_exact_sum_value(&spread);
    m->rmse = sqrt(residual / n);
    m->mae = fw_exact_sum_value(&absolute) / n;
    m->r2 = total > 0 ? 1 - residual / total : residual > 0 ? 0.0 : 1.0;
    if (!isfinite(m->rmse) || !isfinite(m->mae) || !isfinite(m->r2))
        return fw_fail(err, FW_ERR_NUMERIC, "metrics: the sum of the errors overflows; the model has diverged or the target needs another unit");
    return FW_OK;
}

static fw_status create(fw_metrics **out, const fw_predictions *p, unsigned parts, fw_error *err)
{
    FW_AUTO(fw_metrics) *m = calloc(1, sizeof *m);
    if (m == NULL) return fw_fail(err, FW_ERR_NOMEM, "metrics");
    m->task = p->task;
    m->n = p->n;
    m->n_classes = p->task == FW_TASK_CLASSIFICATION ? p->n_classes : 0;
    m->positive = m->n_classes == 2 && !p->positive_first ? 1 : 0;
    size_t cells = 0;
    FW_TRY(fw_size_mul(&cells, m->n_classes, m->n_classes, "confusion matrix", err));
    if (parts & FW_PART_CONFUSION) FW_TRY(fw_alloc_zeroed((void **)&m->confusion, cells, sizeof *m->confusion, "confusion matrix", err));
    FW_TRY(fw_alloc_zeroed((void **)&m->per_class, m->n_classes, sizeof *m->per_class, "metrics of classes", err));
    *out = m;
    m = NULL;
    return FW_OK;
}

fw_status fw_metrics_compute_parts(fw_metrics **out, const fw_predictions *p, unsigned parts, fw_error *err)
{
    FW_TRY(fw_predictions_check(p, err));
    FW_AUTO(fw_metrics) *m = NULL;
    FW_TRY(create(&m, p, parts, err));
    if (p->task == FW_TASK_REGRESSION) {
        if (parts & FW_PART_ERRORS) FW_TRY(errors_of_values(m, p, err));
    } else {
        if (parts & FW_PART_COUNTS) {
            count_classes(m, p);
            rates_of_classes(m);
        }
        if (parts & FW_PART_LOSS) FW_TRY(log_loss(m, p, err));
        if (parts & FW_PART_CALIBRATION) FW_TRY(calibration(m, p, err));
        if (parts & (FW_PART_RANK | FW_PART_RANK_POSITIVE)) FW_TRY(fw_metrics_rank(m, p, !(parts & FW_PART_RANK), err));
    }
    *out = m;
    m = NULL;
    return FW_OK;
}

fw_status fw_metrics_compute(fw_metrics **out, const fw_predictions *p, fw_error *err)
{
    return fw_metrics_compute_parts(out, p, FW_PART_ALL, err);
}
