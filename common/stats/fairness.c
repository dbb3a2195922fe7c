/** Fairness of a decision over the groups of one attribute. Definitions as in Fairlearn. */
#include <stdlib.h>

#include "common/core/size.h"
#include "common/stats/metrics_parts.h"

void fw_fairness_destroy(fw_fairness **f)
{
    if (f == NULL || *f == NULL) return;
    free((*f)->groups);
    free(*f);
    *f = NULL;
}

static fw_status count_rows(fw_fairness *f, const fw_predictions *p, size_t positive, const int32_t *group, fw_error *err)
{
    size_t missing = f->n_groups - 1;
    for (size_t i = 0; i < p->n; i++) {
        if (group[i] < -1 || (group[i] >= 0 && (size_t)group[i] >= missing))
            return fw_fail(err, FW_ERR_DATA, "fairness: row %zu: group %d is not one of the %zu groups of the attribute", i, (int)group[i], missing);
        fw_group_rates *g = &f->groups[group[i] < 0 ? missing : (size_t)group[i]];
        bool truth = (size_t)p->label[i] == positive, selected = fw_predicted_class(p->p + i * p->n_classes, p->n_classes) == positive;
        g->count++;
        g->positives += truth;
        g->selected += selected;
        g->true_positive += truth && selected;
        g->false_positive += !truth && selected;
    }
    return FW_OK;
}

static double ratio(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0.0 : (double)part / (double)whole;
}

typedef struct extent { double low, high; size_t n; } extent;

static void widen(extent *e, double rate)
{
    e->low = e->n == 0 ? rate : FW_MIN(e->low, rate);
    e->high = e->n == 0 ? rate : FW_MAX(e->high, rate);
    e->n++;
}

/** Rates of each group, and their spread over the groups that are large enough; a rate without a denominator is left out of its spread. */
static void compare(fw_fairness *f, uint64_t min_count)
{
    extent selection = {0}, hit = {0}, alarm = {0};
    for (size_t i = 0; i < f->n_groups; i++) {
        fw_group_rates *g = &f->groups[i];
        g->selection_rate = ratio(g->selected, g->count);
        g->true_positive_rate = ratio(g->true_positive, g->positives);
        g->false_positive_rate = ratio(g->false_positive, g->count - g->positives);
        g->too_small = g->count == 0 || g->count < min_count;
        if (g->too_small) continue;
        widen(&selection, g->selection_rate);
        if (g->positives > 0) widen(&hit, g->true_positive_rate);
        if (g->count > g->positives) widen(&alarm, g->false_positive_rate);
    }
    f->comparable = selection.n >= 2;
    f->demographic_parity_difference = selection.high - selection.low;
    f->disparate_impact = selection.high > 0 ? selection.low / selection.high : 1.0;
    f->equalized_odds_difference = FW_MAX(hit.high - hit.low, alarm.high - alarm.low);
    if (!f->comparable) {
        f->demographic_parity_difference = f->equalized_odds_difference = 0;
        f->disparate_impact = 1;
    }
}

fw_status fw_fairness_compute(fw_fairness **out, const fw_predictions *p, int32_t positive, const int32_t *group, size_t n_groups, uint64_t min_count,
                              fw_error *err)
{
    if (p->task != FW_TASK_CLASSIFICATION) return fw_fail(err, FW_ERR_ARG, "fairness: only a classification has decisions to compare");
    if (positive < 0 || (size_t)positive >= p->n_classes)
        return fw_fail(err, FW_ERR_ARG, "fairness: the positive class %d is not one of the %zu classes", (int)positive, p->n_classes);
    FW_TRY(fw_predictions_check(p, err));
    FW_AUTO(fw_fairness) *f = calloc(1, sizeof *f);
    if (f == NULL) return fw_fail(err, FW_ERR_NOMEM, "fairness");
    FW_TRY(fw_size_add(&f->n_groups, n_groups, 1, "groups of the attribute", err));
    FW_TRY(fw_alloc_zeroed((void **)&f->groups, f->n_groups, sizeof *f->groups, "groups of the attribute", err));
    FW_TRY(count_rows(f, p, (size_t)positive, group, err));
    compare(f, min_count);
    *out = f;
    f = NULL;
    return FW_OK;
}
