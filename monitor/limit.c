#include "monitor/limit.h"

#include <math.h>
#include <string.h>

#include "common/core/size.h"
#include "common/stats/bound.h"
#include "common/stats/dmath.h"

#define SMALLEST 1e-15      /* of a probability in log_loss, as in metrics.h */

typedef struct moments { double rows, mean, square; } moments;      /* sums until they are divided */

const fw_reference_metric *monitor_reference_metric(const fw_reference *r, fw_quality_metric m)
{
    const char *name = fw_quality_name(m);
    for (size_t i = 0; i < r->n_metrics; i++)
        if (strcmp(r->metrics[i].name, name) == 0) return &r->metrics[i];
    return NULL;
}

static monitor_limit loss_limit(double value) { return isfinite(value) && value > 0 ? (monitor_limit){.kind = MONITOR_LIMIT_LOSS, .value = value} : (monitor_limit){0}; }

/* ---- shares ------------------------------------------------------------------------------------------------------------------------------- */

/* Two classes: rows that were said to be positive, rows that are; false: the reference has no score column of them. */
static bool positives(const fw_reference *r, double *said, double *are)
{
    const size_t first = r->n_features;
    const fw_bins *classes = fw_summary_bins(r->summary, first);
    *said = *are = 0;
    if (fw_summary_n(r->summary) != first + 3 || classes->n_labels != 2) return false;
    const char *positive = fw_reference_score_class(fw_summary_bins(r->summary, first + 2));
    for (size_t i = 0; i < 2; i++)
        if (positive != NULL && strcmp(classes->label[i], positive) == 0) *said = (double)fw_summary_counts(r->summary, first)[i];
    for (size_t b = 0; b < fw_bins_counts(fw_summary_bins(r->summary, first + 2)); b++) *are += (double)fw_reference_hits(r, first + 2)[b];
    return true;
}

/* Of `rows` rows a share were hits; with the limit on the metric itself: metric = of_share(share). */
static double least_share(double share, double rows, double strength)
{
    const double n = floor(rows + 0.5), misses = floor((1 - share) * n + 0.5);
    return n < 1 ? 0 : 1 - fw_share_bound((uint64_t)FW_MAX(misses, 0.0), (uint64_t)n, strength);
}

static monitor_limit share_limit(fw_quality_metric metric, double value, double drop, const fw_reference *r, double strength)
{
    double said = 0, are = 0;
    if (metric == FW_QUALITY_ACCURACY) return loss_limit(1 - (least_share(value, (double)fw_summary_rows(r->summary, r->n_features), strength) - drop));
    if (!positives(r, &said, &are)) return (monitor_limit){0};
    if (metric == FW_QUALITY_PRECISION) return loss_limit(1 - (least_share(value, said, strength) - drop));
    if (metric == FW_QUALITY_RECALL) return loss_limit(1 - (least_share(value, are, strength) - drop));
    const double hits = value * (said + are) / 2, j = least_share(value / (2 - value), said + are - hits, strength), f1 = FW_MAX(2 * j / (1 + j) - drop, 0.0);
    return loss_limit(1 - f1 / (2 - f1));
}

/* ---- means of losses ---------------------------------------------------------------------------------------------------------------------- */

static void add_loss(moments *m, double rows, double probability)
{
    const double loss = -fw_log_double(FW_MIN(FW_MAX(probability, SMALLEST), 1 - SMALLEST));
    m->rows += rows;
    m->mean += rows * loss;
    m->square += rows * loss * loss;
}

/* Rows of a class stand in the bins of its score; of two classes those of the other one stand there, too. */
static moments log_losses(const fw_reference *r)
{
    moments m = {0};
    const bool two = fw_summary_n(r->summary) == r->n_features + 3;
    for (size_t column = r->n_features + 2; column < fw_summary_n(r->summary); column++) {
        const fw_bins *b = fw_summary_bins(r->summary, column);
        for (size_t i = 0; i < fw_bins_n(b); i++) {
            const double hits = (double)fw_reference_hits(r, column)[i];
            add_loss(&m, hits, b->centre[i]);
            if (two) add_loss(&m, (double)fw_summary_counts(r->summary, column)[i] - hits, 1 - b->centre[i]);
        }
    }
    return m;
}

static moments errors(const fw_reference *r, bool squares)
{
    moments m = {0};
    for (size_t i = 0; i < r->errors.n; i++) {
        const double rows = (double)fw_summary_counts(r->summary, r->n_features)[i];
        m.rows += rows;
        m.mean += rows * (squares ? r->errors.square[i] : r->errors.absolute[i]);
        m.square += rows * (squares ? r->errors.fourth[i] : r->errors.square[i]);
    }
    return m;
}

/* How far the mean may lie above what it is. Errors: by the moments of the rows, which are known. Log losses: those are of bins, whose insides are not seen, so that
 * the spread of the chunks has a say too; as it has where nothing else is known. 0: nothing is. deviation: of the mean itself, from chunk to chunk. */
static double reach(const moments *m, bool exact, const fw_reference *r, double deviation, double strength)
{
    double by_rows = 0, by_chunks = 0;
    if (m->rows > 1) by_rows = fw_student_bound(strength, INFINITY) * sqrt(FW_MAX(m->square / m->rows - m->mean / m->rows * (m->mean / m->rows), 0.0) / m->rows);
    if (r->n_chunks > 1) by_chunks = fw_student_bound(strength, (double)(r->n_chunks - 1)) * deviation / sqrt((double)r->n_chunks);
    return exact && by_rows > 0 ? by_rows : FW_MAX(by_rows, by_chunks);
}

static monitor_limit mean_limit(fw_quality_metric metric, const fw_reference_metric *m, double drop, const fw_reference *r, double strength)
{
    const bool square = metric == FW_QUALITY_RMSE, logs = metric == FW_QUALITY_LOG_LOSS;
    const moments rows = logs ? log_losses(r) : errors(r, square);
    const double value = square ? m->value * m->value : m->value, rise = square ? (1 + drop) * (1 + drop) : 1 + drop;
    const double above = reach(&rows, !logs, r, square ? 2 * m->value * m->deviation : m->deviation, strength);
    if (!(above > 0)) return (monitor_limit){0};
    return loss_limit(value > 0 ? rise * (value + above) : above + (square ? drop * drop : drop));
}

/* ---- blocks ------------------------------------------------------------------------------------------------------------------------------- */

static monitor_limit block_limit(const fw_reference_metric *m, double drop, const fw_reference *r, double strength)
{
    if (r->n_chunks < 2 || !(m->deviation > 0)) return (monitor_limit){0};
    const double least = m->mean - fw_student_bound(strength, (double)(r->n_chunks - 1)) * m->deviation / sqrt((double)r->n_chunks);
    if (!isfinite(least - drop)) return (monitor_limit){0};
    return (monitor_limit){.kind = MONITOR_LIMIT_BLOCK, .value = least - drop, .deviation = m->deviation, .block_rows = r->chunk_rows};
}

monitor_limit monitor_limit_of(fw_quality_metric metric, double drop, const fw_reference *r, double strength)
{
    const fw_reference_metric *m = monitor_reference_metric(r, metric);
    if (m == NULL || !isfinite(m->value) || fw_summary_n(r->summary) <= r->n_features) return (monitor_limit){0};
    switch (metric) {
    case FW_QUALITY_ACCURACY:
    case FW_QUALITY_PRECISION:
    case FW_QUALITY_RECALL:
    case FW_QUALITY_F1: return share_limit(metric, m->value, drop, r, strength);
    case FW_QUALITY_LOG_LOSS:
    case FW_QUALITY_RMSE:
    case FW_QUALITY_MAE: return mean_limit(metric, m, drop, r, strength);
    case FW_QUALITY_AUC:
    case FW_QUALITY_MACRO_F1: return block_limit(m, drop, r, strength);
    case FW_N_QUALITIES: break;
    }
    return (monitor_limit){0};
}
