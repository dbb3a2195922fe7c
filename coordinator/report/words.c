#include "coordinator/report/words.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

const char *coord_op_text(fw_gate_op op)
{
    switch (op) {
    case FW_AT_LEAST: return ">=";
    case FW_AT_MOST: return "<=";
    case FW_ABOVE: return ">";
    case FW_BELOW: return "<";
    }
    return "?";
}

const char *coord_op_words(fw_gate_op op)
{
    switch (op) {
    case FW_AT_LEAST: return "at least";
    case FW_AT_MOST: return "at most";
    case FW_ABOVE: return "above";
    case FW_BELOW: return "below";
    }
    return "?";
}

void coord_figure(char out[static COORD_FIGURE_TEXT], double v)
{
    double size = fabs(v);
    if (size == 0 || (size >= 1e-3 && size < 10)) snprintf(out, COORD_FIGURE_TEXT, "%.4f", size == 0 ? 0.0 : v);
    else if (size >= 10 && size < 1e6) snprintf(out, COORD_FIGURE_TEXT, size < 100 ? "%.2f" : size < 1000 ? "%.1f" : "%.0f", v);
    else snprintf(out, COORD_FIGURE_TEXT, "%.3e", v);
}

void coord_gate_figure(char out[static COORD_FIGURE_TEXT], const coord_gate_result *g)
{
    char bound[COORD_FIGURE_TEXT], exact[FW_NUMBER_TEXT];
    coord_figure(out, g->value);
    coord_figure(bound, g->bound);
    if (!g->has_value) snprintf(out, COORD_FIGURE_TEXT, "no value");
    else if (strcmp(out, bound) == 0) {
        fw_format_double(exact, g->value);
        snprintf(out, COORD_FIGURE_TEXT, "%s", exact);
    }
}

void coord_count(char out[static COORD_FIGURE_TEXT], uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n);
    size_t at = 0;
    for (int i = 0; i < len; i++) {
        if (i > 0 && (len - i) % 3 == 0) out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
}

void coord_percent(char out[static COORD_FIGURE_TEXT], double share)
{
    if (share > 0 && share < 0.0005) snprintf(out, COORD_FIGURE_TEXT, "under 0.1\u00a0%%");
    else snprintf(out, COORD_FIGURE_TEXT, "%.1f\u00a0%%", 100 * share);
}

static const struct { const char *name, *title; } titles[] = {
    {"accuracy", "Accuracy"},
    {"balanced_accuracy", "Balanced accuracy"},
    {"precision", "Precision"},
    {"recall", "Recall"},
    {"f1", "F1"},
    {"macro_precision", "Macro precision"},
    {"macro_recall", "Macro recall"},
    {"macro_f1", "Macro F1"},
    {"weighted_precision", "Weighted precision"},
    {"weighted_recall", "Weighted recall"},
    {"weighted_f1", "Weighted F1"},
    {"log_loss", "Log loss"},
    {"auc", "AUC"},
    {"average_precision", "Average precision"},
    {"ece", "Calibration error"},
    {"rmse", "RMSE"},
    {"mae", "MAE"},
    {"r2", "R\u00b2"},
};

const char *coord_metric_title(const char *name)
{
    for (size_t i = 0; i < sizeof titles / sizeof titles[0]; i++)
        if (strcmp(titles[i].name, name) == 0) return titles[i].title;
    return name;
}

void coord_metric_in_text(char out[static COORD_FIGURE_TEXT], const char *name)
{
    snprintf(out, COORD_FIGURE_TEXT, "%s", coord_metric_title(name));
    if (out[0] >= 'A' && out[0] <= 'Z' && out[1] >= 'a' && out[1] <= 'z') out[0] = (char)(out[0] - 'A' + 'a');
}

static void classification_meaning(fw_text *out, const char *name, double value, const coord_report *r)
{
    const fw_metrics *m = r->metrics;
    const char *positive = m->n_classes == 2 ? coord_class_name(r, m->positive) : NULL;
    if (strcmp(name, "accuracy") == 0)
        fw_text_format(out, "The predicted class was right for %.1f of 100 rows.", 100 * value);
    else if (strcmp(name, "balanced_accuracy") == 0)
        fw_text_add(out, "The share of right answers when every class counts the same, however rare it is.");
    else if (strcmp(name, "macro_f1") == 0)
        fw_text_add(out, "Mean over the classes of F1, which is high only when few rows of a class are missed and few are wrongly given to it.");
    else if (strcmp(name, "auc") == 0 && positive != NULL)
        fw_text_format(out, "Of two rows, one \u201c%s\u201d and one not, the model ranks the right one higher %.1f times in 100 (50 is guessing).", positive, 100 * value);
    else if (strcmp(name, "auc") == 0)
        fw_text_format(out, "A row of a class is ranked above a row of another %.1f times in 100, on average over the classes (50 is guessing).", 100 * value);
    else if (strcmp(name, "log_loss") == 0)
        fw_text_format(out, "How surprised the model is by the truth: it gave the true class a probability of %.*f in the geometric mean. 0 is perfect.", value < 0.01 ? 4 : 2,
                       exp(-value));
    else if (strcmp(name, "ece") == 0)
        fw_text_format(out, "Stated confidence and real accuracy differ by %.1f points on average. 0 is perfect.", 100 * value);
    else if (strcmp(name, "f1") == 0 && positive != NULL)
        fw_text_format(out, "Precision and recall of \u201c%s\u201d in one figure.", positive);
    else if (strcmp(name, "precision") == 0 && positive != NULL)
        fw_text_format(out, "Of 100 rows called \u201c%s\u201d, %.1f are.", positive, 100 * value);
    else if (strcmp(name, "recall") == 0 && positive != NULL)
        fw_text_format(out, "Of 100 rows that are \u201c%s\u201d, %.1f are found.", positive, 100 * value);
}

void coord_metric_meaning(fw_text *out, const char *name, double value, const coord_report *r)
{
    if (r->metrics->task == FW_TASK_CLASSIFICATION) classification_meaning(out, name, value, r);
    else if (strcmp(name, "rmse") == 0)
        fw_text_format(out, "Typical size of an error in the unit of %s; large errors weigh more.", coord_target_name(r));
    else if (strcmp(name, "mae") == 0)
        fw_text_format(out, "Mean size of an error in the unit of %s.", coord_target_name(r));
    else if (strcmp(name, "r2") == 0 && value >= 0)
        fw_text_format(out, "The model explains %.1f\u00a0%% of the variation of %s; always saying the mean explains none.", 100 * value, coord_target_name(r));
    else if (strcmp(name, "r2") == 0)
        fw_text_format(out, "The model does worse than always saying the mean of %s.", coord_target_name(r));
}

const char *coord_class_name(const coord_report *r, size_t c)
{
    const char *name = fw_model_class_name(r->model, c);
    return name != NULL ? name : "?";
}

fw_status coord_class_names(const char ***out, const coord_report *r, fw_error *err)
{
    const char **names = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&names, r->metrics->n_classes, sizeof *names, "names of the classes", err));
    for (size_t c = 0; c < r->metrics->n_classes; c++) names[c] = coord_class_name(r, c);
    *out = names;
    return FW_OK;
}

const char *coord_group_name(const coord_fairness *f, size_t group)
{
    return group + 1 == f->result->n_groups ? "(missing)" : f->group_names[group];
}

const char *coord_target_name(const coord_report *r)
{
    if (r->project->problem.target != NULL) return r->project->problem.target;
    const fw_schema *s = r->model->schema;
    return s != NULL && s->target >= 0 ? s->columns[s->target].name : "the target";
}

const char *coord_positive_name(const coord_fairness *f, const coord_report *r)
{
    return f->positive != NULL ? f->positive : r->metrics->n_classes == 2 ? coord_class_name(r, r->metrics->positive) : "the positive class";
}

void coord_add_plain(fw_text *out, const char *s)
{
    size_t len = strlen(s);
    while (len > 0) {
        size_t good = fw_utf8_valid(s, len);
        for (size_t i = 0; i < good; i++) {
            bool control = (unsigned char)s[i] < 0x20 || s[i] == 0x7f;
            bool control_c1 = (unsigned char)s[i] == 0xc2 && i + 1 < good && (unsigned char)s[i + 1] < 0xa0;     /* U+0080 to U+009F */
            if (control_c1) i++;
            if (control || control_c1) fw_text_add(out, "?");
            else fw_text_add_bytes(out, s + i, 1);
        }
        if (good < len) {
            fw_text_add(out, "?");
            good++;
        }
        s += good;
        len -= good;
    }
}

size_t coord_top_confusions(coord_confusion *out, size_t n, const fw_metrics *m)
{
    size_t found = 0;
    for (size_t truth = 0; truth < m->n_classes; truth++)
        for (size_t predicted = 0; predicted < m->n_classes; predicted++) {
            uint64_t count = m->confusion[truth * m->n_classes + predicted];
            if (truth == predicted || count == 0) continue;
            size_t at = found < n ? found++ : n;
            for (; at > 0 && out[at - 1].count < count; at--)
                if (at < n) out[at] = out[at - 1];
            if (at < n) out[at] = (coord_confusion){truth, predicted, count};
        }
    return found;
}

void coord_gates_words(fw_text *out, const coord_report *r)
{
    size_t failed = 0;
    for (size_t i = 0; i < r->n_gates; i++) failed += !r->gates[i].passed;
    if (r->n_gates == 0) fw_text_add(out, "No gates are set in problem.success: nothing was demanded of this model.");
    else if (failed == 0 && r->n_gates == 1) fw_text_format(out, "The one gate holds on the %s split.", r->split);
    else if (failed == 0 && r->n_gates == 2) fw_text_format(out, "Both gates hold on the %s split.", r->split);
    else if (failed == 0) fw_text_format(out, "All %zu gates hold on the %s split.", r->n_gates, r->split);
    else if (r->n_gates == 1) fw_text_format(out, "The one gate does not hold on the %s split.", r->split);
    else fw_text_format(out, "%zu of %zu gates do%s not hold on the %s split.", failed, r->n_gates, failed == 1 ? "es" : "", r->split);
}

static void name_small_groups(fw_text *out, const coord_fairness *f)
{
    size_t named = 0;
    for (size_t g = 0; g < f->result->n_groups; g++) {
        const fw_group_rates *rates = &f->result->groups[g];
        if (!rates->too_small || rates->count == 0) continue;
        fw_text_add(out, named++ == 0 ? " Counts too small to compare, and left out: " : ", ");
        coord_add_plain(out, coord_group_name(f, g));
        fw_text_format(out, " (%" PRIu64 " row%s)", rates->count, rates->count == 1 ? "" : "s");
    }
    if (named > 0) fw_text_add(out, ".");
}

void coord_fairness_words(fw_text *out, const coord_fairness *f, const coord_report *r)
{
    const fw_fairness *q = f->result;
    double limit = r->project->evaluate.fairness_max_difference;
    if (!q->comparable) {
        fw_text_add(out, "Fewer than two groups have enough rows: no comparison can be made.");
    } else {
        fw_text_format(out, "The selection rates of the groups differ by %.1f points at most", 100 * q->demographic_parity_difference);
        if (limit > 0)
            fw_text_format(out, ", %s the limit of %.1f points set in evaluate.fairness", q->demographic_parity_difference <= limit ? "within" : "above", 100 * limit);
        fw_text_format(out, "; the lowest is %.2f of the highest%s.", q->disparate_impact,
                       q->disparate_impact < 0.8 ? ", below the four-fifths that a common rule of thumb asks for" : "");
        fw_text_format(out, " Hit rates or false-alarm rates differ by %.1f points at most.", 100 * q->equalized_odds_difference);
    }
    name_small_groups(out, f);
}

void coord_calibration_words(fw_text *out, const fw_metrics *m)
{
    double confidence = 0, accuracy = 0;
    for (size_t b = 0; b < FW_CALIBRATION_BINS; b++) {
        confidence += m->reliability[b].confidence * (double)m->reliability[b].count / (double)m->n;
        accuracy += m->reliability[b].accuracy * (double)m->reliability[b].count / (double)m->n;
    }
    fw_text_format(out, "Mean confidence is %.1f\u00a0%%, real accuracy %.1f\u00a0%%; in bins of confidence they differ by %.1f points on average. ", 100 * confidence, 100 * accuracy,
                   100 * m->ece);
    if (m->ece < 0.03) fw_text_add(out, "The confidence can be read as a probability.");
    else if (confidence > accuracy + 0.01) fw_text_add(out, "The model is surer than it should be: read its confidence with care.");
    else if (confidence < accuracy - 0.01) fw_text_add(out, "The model is more often right than its confidence says.");
    else fw_text_add(out, "It is too sure in some ranges and not sure enough in others: read its confidence with care.");
}
