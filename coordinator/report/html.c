/** The model card: one file that a manager can read, with what an engineer needs behind it. */
#include <string.h>

#include "coordinator/report/html_parts.h"

void coord_html_escape(fw_text *out, const char *s)
{
    FW_AUTO(fw_text) plain = {0};
    if (s == NULL) return;
    coord_add_plain(&plain, s);
    out->failed = out->failed || plain.failed;
    for (size_t i = 0; i < plain.len; i++) {
        switch (plain.data[i]) {
        case '&': fw_text_add(out, "&amp;"); break;
        case '<': fw_text_add(out, "&lt;"); break;
        case '>': fw_text_add(out, "&gt;"); break;
        case '"': fw_text_add(out, "&quot;"); break;
        case '\'': fw_text_add(out, "&#39;"); break;
        default: fw_text_add_bytes(out, &plain.data[i], 1);
        }
    }
}

static void add_what_it_predicts(fw_text *t, const coord_report *r)
{
    char rows[COORD_FIGURE_TEXT];
    coord_count(rows, r->rows);
    fw_text_add(t, "<p>Predicts <b>");
    coord_html_escape(t, coord_target_name(r));
    if (r->metrics->task == FW_TASK_REGRESSION) {
        fw_text_add(t, "</b>, a number");
    } else if (r->metrics->n_classes <= 6) {
        fw_text_add(t, "</b> (");
        for (size_t c = 0; c < r->metrics->n_classes; c++) {
            fw_text_add(t, c == 0 ? "" : c + 1 == r->metrics->n_classes ? " or " : ", ");
            coord_html_escape(t, coord_class_name(r, c));
        }
        fw_text_add(t, ")");
    } else {
        fw_text_format(t, "</b>, one of %zu classes", r->metrics->n_classes);
    }
    size_t n_columns = r->model->pipeline != NULL ? fw_pipeline_n_inputs(r->model->pipeline) : 0;
    if (n_columns > 0) fw_text_format(t, ", from %zu column%s", n_columns, n_columns == 1 ? "" : "s");
    fw_text_format(t, ". Judged here on the %s rows of the <b>%s</b> split%s.</p>", rows, r->split,
                   strcmp(r->split, "test") == 0 ? ", which the model has never seen" : strcmp(r->split, "train") == 0 ? ", from which the model has learned" : "");
}

static void add_goal(fw_text *t, const coord_report *r)
{
    if (r->project->goal.statement == NULL && r->project->goal.kpi.name == NULL) return;
    fw_text_add(t, "<section><h2>Goal</h2>");
    if (r->project->goal.statement != NULL) {
        fw_text_add(t, "<p>");
        coord_html_escape(t, r->project->goal.statement);
        fw_text_add(t, "</p>");
    }
    if (r->project->goal.kpi.name != NULL) {
        char baseline[FW_NUMBER_TEXT], target[FW_NUMBER_TEXT];
        fw_format_double(baseline, r->project->goal.kpi.baseline);
        fw_format_double(target, r->project->goal.kpi.target);
        fw_text_add(t, "<p>Business figure (KPI): <b>");
        coord_html_escape(t, r->project->goal.kpi.name);
        fw_text_add(t, "</b>, to ");
        coord_html_escape(t, r->project->goal.kpi.direction != NULL ? r->project->goal.kpi.direction : "change");
        fw_text_format(t, " from %s to %s. <span class=\"soft\">The figures below are the model's own; whether the KPI moves shows in use.</span></p>", baseline, target);
    }
    fw_text_add(t, "</section>");
}

static void add_head(fw_text *t, const coord_report *r)
{
    const char *name = r->model->name != NULL ? r->model->name : "model";
    fw_text_add(t, "<!DOCTYPE html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">"
                   "<meta name=\"color-scheme\" content=\"light dark\"><title>");
    coord_html_escape(t, name);
    fw_text_add(t, ": model card</title><style>");
    fw_text_add(t, coord_html_style);
    fw_text_add(t, "</style></head><body><main><header><p class=\"kind\">Model card</p><h1>");
    coord_html_escape(t, name);
    fw_text_add(t, "</h1>");
    add_what_it_predicts(t, r);
    fw_text_add(t, "</header>");
}

fw_status coord_report_html(FILE *out, const coord_report *r, fw_error *err)
{
    FW_AUTO(fw_text) t = {0};
    bool classes = r->metrics->task == FW_TASK_CLASSIFICATION;
    add_head(&t, r);
    add_goal(&t, r);
    coord_card_gates(&t, r);
    coord_card_headline(&t, r);
    coord_card_learning(&t, r);
    if (classes) {
        coord_card_mistakes(&t, r);
        coord_card_calibration(&t, r);
        coord_card_classes(&t, r);
    }
    coord_card_fairness(&t, r);
    coord_card_data(&t, r);
    coord_card_model(&t, r);
    coord_card_lineage(&t, r);
    coord_card_limits(&t, r);
    fw_text_add(&t, "<footer>Written by flywheel");
    if (r->model->program_version != NULL) {
        fw_text_add(&t, " ");
        coord_html_escape(&t, r->model->program_version);
    }
    fw_text_add(&t, ". The same figures for programs: <code>flywheel evaluate --format json</code>.</footer></main></body></html>\n");
    FW_TRY(fw_text_check(&t, err));
    if (fwrite(t.data, 1, t.len, out) != t.len) return fw_fail_errno(err, FW_ERR_IO, "report: the model card cannot be written");
    return FW_OK;
}
