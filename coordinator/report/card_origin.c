/** The sections of the card that say what the model is and where it came from. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/html_parts.h"

#define LISTED_COLUMNS 40

static void open_item(fw_text *out, const char *term)
{
    fw_text_format(out, "<dt>%s</dt><dd>", term);
}

static void item(fw_text *out, const char *term, const char *text)
{
    if (text == NULL || *text == '\0') return;
    open_item(out, term);
    coord_html_escape(out, text);
    fw_text_add(out, "</dd>");
}

static void digest_item(fw_text *out, const char *term, const char *digest)
{
    if (digest == NULL || *digest == '\0') return;
    open_item(out, term);
    fw_text_add(out, "<code>");
    coord_html_escape(out, digest);
    fw_text_add(out, "</code></dd>");
}

static void count_item(fw_text *out, const char *term, uint64_t n)
{
    char text[COORD_FIGURE_TEXT];
    coord_count(text, n);
    item(out, term, text);
}

static void columns_item(fw_text *out, const fw_pipeline *p)
{
    size_t n = fw_pipeline_n_inputs(p);
    open_item(out, "Columns used");
    for (size_t i = 0; i < n && i < LISTED_COLUMNS; i++) {
        fw_text_add(out, i == 0 ? "" : ", ");
        coord_html_escape(out, fw_pipeline_input_name(p, i));
    }
    if (n > LISTED_COLUMNS) fw_text_format(out, " and %zu more", n - LISTED_COLUMNS);
    fw_text_format(out, " <span class=\"soft\">(%zu column%s, %zu features after encoding)</span></dd>", n, n == 1 ? "" : "s", fw_pipeline_width(p));
}

void coord_card_data(fw_text *out, const coord_report *r)
{
    static const char *const terms[3] = {"Rows to train on", "Rows to validate on", "Rows to test on"};
    fw_text_add(out, "<section><h2>The data</h2><dl>");
    bool known = r->split_rows[0] + r->split_rows[1] + r->split_rows[2] > 0;
    for (size_t i = 0; known && i < 3; i++) count_item(out, terms[i], r->split_rows[i]);
    if (!known && r->model->train_rows > 0) count_item(out, terms[0], r->model->train_rows);
    open_item(out, "Judged on");
    char rows[COORD_FIGURE_TEXT], missing[COORD_FIGURE_TEXT], unseen[COORD_FIGURE_TEXT];
    coord_count(rows, r->rows);
    coord_count(missing, r->missing);
    coord_count(unseen, r->unseen);
    fw_text_format(out, "%s rows of the %s split</dd>", rows, r->split);
    if (r->model->schema != NULL) count_item(out, "Columns in the data", r->model->schema->n_columns);
    if (r->model->pipeline != NULL) columns_item(out, r->model->pipeline);
    item(out, "Missing values", missing);
    item(out, "Unseen categories", unseen);
    fw_text_format(out, "</dl><p class=\"soft\">Missing values and categories that training never saw are counted on the %s split, and treated as the project file says.</p></section>",
                   r->split);
}

static void layers_item(fw_text *out, const fw_dense *net)
{
    if (net->n_layers == 0) return;
    open_item(out, "Layers");
    fw_text_format(out, "%zu inputs", net->layers[0].in);
    for (size_t i = 0; i < net->n_layers; i++) {
        const fw_dense_layer *l = &net->layers[i];
        fw_text_format(out, " \u2192 %zu", l->out);
        if (l->activation != FW_IDENTITY) fw_text_format(out, " (%s)", fw_activation_name(l->activation));
    }
    fw_text_add(out, net->link == FW_LINK_SOFTMAX ? ", softmax</dd>" : net->link == FW_LINK_SIGMOID ? ", sigmoid</dd>" : "</dd>");
}

static void training_item(fw_text *out, const coord_report *r)
{
    static const char *const optimizers[] = {"sgd", "adam", "adamw"};
    const fw_project *p = r->project;
    char rate[FW_NUMBER_TEXT];
    fw_format_double(rate, p->train.learning_rate);
    open_item(out, "Training");
    fw_text_format(out, "%s, learning rate %s, global batch %" PRIu64, optimizers[p->train.optimizer], rate, p->train.global_batch_size);
    if (p->train.weight_decay > 0) {
        fw_format_double(rate, p->train.weight_decay);
        fw_text_format(out, ", weight decay %s", rate);
    }
    if (p->model.dropout > 0) {
        fw_format_double(rate, p->model.dropout);
        fw_text_format(out, ", dropout %s", rate);
    }
    fw_text_format(out, "; %" PRIu64 " of at most %" PRIu64 " epochs</dd>", r->model->rounds, p->train.epochs);
}

void coord_card_model(fw_text *out, const coord_report *r)
{
    fw_text_add(out, "<section><h2>The model</h2><dl>");
    item(out, "Learner", r->model->learner == NULL ? NULL : strcmp(r->model->learner, "mlp") == 0 ? "mlp (neural network of dense layers)"
                         : r->metrics->task == FW_TASK_REGRESSION ? "linear (linear regression)" : strcmp(r->model->learner, "linear") == 0 ? "linear (logistic regression)"
                         : r->model->learner);
    layers_item(out, &r->model->net);
    if (r->model->net.n_params > 0) count_item(out, "Parameters", r->model->net.n_params);
    training_item(out, r);
    count_item(out, "Steps", r->model->steps);
    fw_text_add(out, "</dl></section>");
}

void coord_card_lineage(fw_text *out, const coord_report *r)
{
    fw_text_add(out, "<section><h2>Lineage</h2><dl>");
    digest_item(out, "Model", r->model->digest);
    digest_item(out, "Data it was trained on", r->model->dataset_digest);
    digest_item(out, "Data it is judged on", r->dataset_digest);
    item(out, "Program", r->model->program_version);
    open_item(out, "Seed");
    fw_text_format(out, "%" PRIu64 "</dd></dl>", r->model->seed);
    if (r->dataset_digest != NULL && r->model->dataset_digest != NULL && strcmp(r->dataset_digest, r->model->dataset_digest) != 0)
        fw_text_add(out, "<p>The data it is judged on is not the dataset it was trained on: make sure that no row is in both.</p>");
    fw_text_add(out, "<p class=\"soft\">The same data, project file and seed give the same model, bit for bit, on any number of ranks.</p></section>");
}

/** Rows of the rarest class, and which it is. */
static size_t rarest_class(const fw_metrics *m)
{
    size_t rare = 0;
    for (size_t c = 1; c < m->n_classes; c++)
        if (m->per_class[c].support < m->per_class[rare].support) rare = c;
    return rare;
}

void coord_card_limits(fw_text *out, const coord_report *r)
{
    const fw_metrics *m = r->metrics;
    fw_text_add(out, "<section><h2>Limits</h2><ul>");
    fw_text_format(out, "<li>The figures hold for rows like those of the %s split. Where the world changes, they no longer do: watch the model in use.</li>", r->split);
    if (strcmp(r->split, "validation") == 0) fw_text_add(out, "<li>The validation split also chose when to stop training, so its figures are a little too good.</li>");
    if (strcmp(r->split, "train") == 0) fw_text_add(out, "<li>These are the rows the model learned from: the figures say nothing about new rows.</li>");
    if (m->task == FW_TASK_CLASSIFICATION && m->n_classes > 0 && m->per_class[rarest_class(m)].support < 50) {
        size_t rare = rarest_class(m);
        fw_text_add(out, "<li>Few rows stand behind some classes: \u201c");
        coord_html_escape(out, coord_class_name(r, rare));
        fw_text_format(out, "\u201d has %" PRIu64 ". Its figures may be off by a lot.</li>", m->per_class[rare].support);
    }
    if (m->n < 1000) fw_text_format(out, "<li>%zu rows are few: differences of a point or two may be chance.</li>", m->n);
    if (m->task == FW_TASK_CLASSIFICATION && r->n_fairness == 0) fw_text_add(out, "<li>Fairness was not looked at: evaluate.fairness.attributes names no attribute.</li>");
    if (r->n_fairness > 0) fw_text_add(out, "<li>Fairness was looked at only for the attributes named, one at a time; equal rates do not prove that a decision is just.</li>");
    fw_text_add(out, "<li>What the model predicts is found together with its columns in the data; that does not make one the cause of the other.</li></ul></section>");
}
