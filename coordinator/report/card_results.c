/** The sections of the card that say how good the model is. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/report/html_parts.h"

#define MATRIX_CLASSES 30      /* a larger matrix cannot be read; its commonest mistakes are listed all the same */
#define TOP_CONFUSIONS 5

void coord_card_gates(fw_text *out, const coord_report *r)
{
    size_t failed = 0;
    for (size_t i = 0; i < r->n_gates; i++) failed += !r->gates[i].passed;
    fw_text_format(out, "<section class=\"verdict %s\"><h2>%s</h2><p>", r->n_gates == 0 ? "plain" : failed == 0 ? "good" : "bad",
                   r->n_gates == 0 ? "No gates" : failed == 0 ? "\u2713 Passed" : "\u2717 Not passed");
    coord_gates_words(out, r);
    fw_text_add(out, "</p>");
    if (r->n_gates > 0) fw_text_add(out, "<div class=\"wide\"><table><tr><th>metric</th><th>wanted</th><th>measured</th><th class=\"left\">result</th></tr>");
    for (size_t i = 0; i < r->n_gates; i++) {
        const coord_gate_result *g = &r->gates[i];
        char value[COORD_FIGURE_TEXT], bound[FW_NUMBER_TEXT];
        coord_gate_figure(value, g);
        fw_format_double(bound, g->bound);
        fw_text_add(out, "<tr><td>");
        coord_html_escape(out, coord_metric_title(g->metric));
        fw_text_format(out, "</td><td>%s %s</td><td>%s</td><td class=\"left %s\">%s</td></tr>", coord_op_words(g->op), bound, value, g->passed ? "ok" : "no", g->passed ? "\u2713 passed" : "\u2717 failed");
    }
    if (r->n_gates > 0) fw_text_add(out, "</table></div>");
    fw_text_add(out, "</section>");
}

static void headline_card(fw_text *out, const coord_report *r, const char *name)
{
    double v = 0;
    char figure[COORD_FIGURE_TEXT];
    if (fw_metrics_get(&v, r->metrics, name, NULL, NULL) != FW_OK) return;
    coord_figure(figure, v);
    FW_AUTO(fw_text) meaning = {0};
    coord_metric_meaning(&meaning, name, v, r);
    fw_text_format(out, "<div class=\"card\"><span>%s</span><b>%s</b><p>", coord_metric_title(name), figure);
    coord_html_escape(out, meaning.data);
    fw_text_add(out, "</p></div>");
}

void coord_card_headline(fw_text *out, const coord_report *r)
{
    static const char *const many[] = {"accuracy", "macro_f1", "balanced_accuracy", "auc", "log_loss", "ece", NULL};
    static const char *const binary[] = {"accuracy", "auc", "precision", "recall", "f1", "log_loss", NULL};
    static const char *const numbers[] = {"r2", "rmse", "mae", NULL};
    const char *const *shown = r->metrics->task == FW_TASK_REGRESSION ? numbers : r->metrics->n_classes == 2 ? binary : many;
    fw_text_add(out, "<section><h2>How good it is</h2><div class=\"cards\">");
    for (size_t i = 0; shown[i] != NULL; i++) headline_card(out, r, shown[i]);
    fw_text_add(out, "</div></section>");
}

/** One figure with both lines where they are in the same unit (log loss), else two. */
static void learning_charts(fw_text *out, const coord_report *r, const double *x, const double *train, const double *valid, size_t best)
{
    char title[96], mark[64];
    snprintf(mark, sizeof mark, "best validation: round %.0f", x[best]);
    const coord_line loss = {"training loss", "first", x, train, r->n_history};
    const coord_line judged = {r->history_metric == NULL ? "" : coord_metric_title(r->history_metric), "second", x, valid, r->n_history};
    fw_text_add(out, "<div class=\"charts\">");
    if (r->history_metric != NULL && strcmp(r->history_metric, "log_loss") == 0) {
        const coord_line both[] = {loss, {"validation log loss", "second", x, valid, r->n_history}};
        coord_chart_lines(out, "Loss by round", "round", both, 2, x[best], mark);
    } else {
        coord_chart_lines(out, "Training loss by round", "round", &loss, 1, 0, NULL);
        if (r->history_metric != NULL) {
            snprintf(title, sizeof title, "%s on the validation split by round", judged.name);
            coord_chart_lines(out, title, "round", &judged, 1, x[best], mark);
        }
    }
    fw_text_add(out, "</div>");
}

void coord_card_learning(fw_text *out, const coord_report *r)
{
    FW_FREE char *words = coord_report_fit_words(r);
    fw_text_add(out, "<section><h2>How it learned</h2><p>");
    coord_html_escape(out, words);
    fw_text_add(out, "</p>");
    FW_FREE double *series = calloc(3 * FW_MAX(r->n_history, 1), sizeof *series);
    if (words == NULL || series == NULL) {
        out->failed = true;
        return;
    }
    double *x = series, *train = x + r->n_history, *valid = train + r->n_history;
    double sign = r->history_metric != NULL && fw_metrics_smaller_is_better(r->history_metric) ? 1 : -1;
    size_t best = 0;
    for (size_t i = 0; i < r->n_history; i++) {
        x[i] = (double)r->history[i].round;
        train[i] = r->history[i].train_loss;
        valid[i] = r->history[i].validation;
        if (sign * valid[i] < sign * valid[best]) best = i;
    }
    if (r->n_history > 1) learning_charts(out, r, x, train, valid, best);
    fw_text_add(out, "</section>");
}

static void top_confusions(fw_text *out, const coord_report *r)
{
    coord_confusion top[TOP_CONFUSIONS];
    size_t n = coord_top_confusions(top, TOP_CONFUSIONS, r->metrics);
    if (n == 0) {
        fw_text_add(out, "<div class=\"aside\"><p>No row was taken for another class.</p></div>");
        return;
    }
    fw_text_add(out, n == 1 ? "<div class=\"aside\"><p>The only mistake:</p><ul>" : "<div class=\"aside\"><p>The commonest mistakes:</p><ul>");
    for (size_t i = 0; i < n; i++) {
        char count[COORD_FIGURE_TEXT];
        coord_count(count, top[i].count);
        fw_text_add(out, "<li>\u201c");
        coord_html_escape(out, coord_class_name(r, top[i].truth));
        fw_text_add(out, "\u201d taken for \u201c");
        coord_html_escape(out, coord_class_name(r, top[i].predicted));
        fw_text_format(out, "\u201d: %s row%s, %.1f\u00a0%% of its class</li>", count, top[i].count == 1 ? "" : "s",
                       100 * (double)top[i].count / (double)r->metrics->per_class[top[i].truth].support);
    }
    fw_text_add(out, "</ul></div>");
}

void coord_card_mistakes(fw_text *out, const coord_report *r)
{
    fw_text_add(out, "<section><h2>Where it errs</h2>");
    if (r->metrics->n_classes <= MATRIX_CLASSES)
        fw_text_add(out, "<p class=\"soft\">Each line is a true class: blue what was found, orange what was taken for another; the stronger the colour, the larger the share of the line.</p>");
    fw_text_add(out, "<div class=\"charts\">");
    if (r->metrics->n_classes <= MATRIX_CLASSES) coord_chart_confusion(out, r);
    top_confusions(out, r);
    fw_text_add(out, "</div></section>");
}

void coord_card_calibration(fw_text *out, const coord_report *r)
{
    fw_text_add(out, "<section><h2>Can its confidence be trusted?</h2><div class=\"charts\">");
    coord_chart_reliability(out, r->metrics);
    fw_text_add(out, "<div class=\"aside\"><p>");
    coord_calibration_words(out, r->metrics);
    fw_text_add(out, "</p></div></div></section>");
}

void coord_card_classes(fw_text *out, const coord_report *r)
{
    fw_text_add(out, "<section><h2>By class</h2><p class=\"soft\">Precision: of the rows given to the class, the share that belongs to it. Recall: of the rows of the class, the share "
                     "that was found. F1: both in one.</p><div class=\"wide\"><table class=\"full\"><tr><th>class</th><th>rows</th><th>predicted</th><th>precision</th><th>recall</th>"
                     "<th>F1</th><th>AUC</th></tr>");
    for (size_t c = 0; c < r->metrics->n_classes; c++) {
        const fw_class_metrics *k = &r->metrics->per_class[c];
        char rows[COORD_FIGURE_TEXT], predicted[COORD_FIGURE_TEXT], auc[COORD_FIGURE_TEXT] = "none";
        coord_count(rows, k->support);
        coord_count(predicted, k->predicted);
        if (k->has_auc) snprintf(auc, sizeof auc, "%.3f", k->auc);
        fw_text_add(out, "<tr><td>");
        coord_html_escape(out, coord_class_name(r, c));
        fw_text_format(out, "</td><td>%s</td><td>%s</td><td>%.3f</td><td>%.3f</td><td>%.3f<span class=\"meter\"><i style=\"width:%.0f%%\"></i></span></td><td>%s</td></tr>", rows,
                       predicted, k->precision, k->recall, k->f1, 100 * k->f1, auc);
    }
    fw_text_add(out, "</table></div></section>");
}

static void fairness_table(fw_text *out, const coord_fairness *f)
{
    fw_text_add(out, "<div class=\"wide\"><table class=\"full\"><tr><th>group</th><th>rows</th><th>selected</th><th>hit rate</th><th>false alarms</th><th class=\"left\"></th></tr>");
    for (size_t g = 0; g < f->result->n_groups; g++) {
        const fw_group_rates *k = &f->result->groups[g];
        if (k->count == 0) continue;
        char count[COORD_FIGURE_TEXT], selected[COORD_FIGURE_TEXT], hits[COORD_FIGURE_TEXT] = "none", alarms[COORD_FIGURE_TEXT] = "none";
        coord_count(count, k->count);
        coord_percent(selected, k->selection_rate);
        if (k->positives > 0) coord_percent(hits, k->true_positive_rate);
        if (k->count > k->positives) coord_percent(alarms, k->false_positive_rate);
        fw_text_add(out, "<tr><td>");
        coord_html_escape(out, coord_group_name(f, g));
        fw_text_format(out, "</td><td>%s</td><td>%s</td><td>%s</td><td>%s</td><td class=\"left soft\">%s</td></tr>", count, selected, hits, alarms,
                       k->too_small ? "counts too small" : "");
    }
    fw_text_add(out, "</table></div>");
}

void coord_card_fairness(fw_text *out, const coord_report *r)
{
    if (r->n_fairness == 0) return;
    fw_text_add(out, "<section><h2>Fairness</h2><p class=\"soft\">Selected: the share of the group for which the model says \u201c");
    coord_html_escape(out, coord_positive_name(&r->fairness[0], r));
    fw_text_add(out, "\u201d. Hit rate: the share of those who are, for whom it says so. False alarms: the share of those who are not, for whom it says so.</p>");
    for (size_t i = 0; i < r->n_fairness; i++) {
        FW_AUTO(fw_text) words = {0};
        fw_text_add(out, "<h3>By ");
        coord_html_escape(out, r->fairness[i].attribute);
        fw_text_add(out, "</h3><p>");
        coord_fairness_words(&words, &r->fairness[i], r);
        coord_html_escape(out, words.data);
        fw_text_add(out, "</p>");
        fairness_table(out, &r->fairness[i]);
    }
    fw_text_add(out, "</section>");
}
