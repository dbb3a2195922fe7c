/** The report on a terminal of 100 columns. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/log.h"
#include "common/core/size.h"
#include "coordinator/report/words.h"

#define WIDTH           100
#define LABEL_WIDTH     24
#define MATRIX_CLASSES  15
#define LISTED_CLASSES  40

/** Adds the first `width` characters of s, harmless, padded with blanks. */
static void add_label(fw_text *t, const char *s, size_t width)
{
    FW_AUTO(fw_text) plain = {0};
    coord_add_plain(&plain, s);
    size_t shown = 0, total = 0;
    for (size_t i = 0; i < plain.len; i++) total += ((unsigned char)plain.data[i] & 0xc0) != 0x80;
    for (size_t i = 0; i < plain.len; i++) {
        bool begins = ((unsigned char)plain.data[i] & 0xc0) != 0x80;
        if (begins && total > width && shown + 1 == width) {
            fw_text_add(t, "\u2026");
            shown++;
            break;
        }
        shown += begins;
        fw_text_add_bytes(t, plain.data + i, 1);
    }
    for (; shown < width; shown++) fw_text_add(t, " ");
}

static size_t characters(const char *s)
{
    size_t n = 0;
    for (; *s != '\0'; s++) n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

/** Words of one paragraph, broken before column WIDTH, each line indented. */
static void add_wrapped(fw_text *t, const char *s, const char *indent)
{
    size_t column = 0;
    while (*s != '\0') {
        size_t len = strcspn(s, " "), wide = 0;
        for (size_t i = 0; i < len; i++) wide += ((unsigned char)s[i] & 0xc0) != 0x80;
        if (column > 0 && column + 1 + wide > WIDTH) {
            fw_text_add(t, "\n");
            column = 0;
        }
        fw_text_add(t, column == 0 ? indent : " ");
        column += column == 0 ? strlen(indent) : 1;
        fw_text_add_bytes(t, s, len);
        column += wide;
        s += len;
        s += strspn(s, " ");
    }
    fw_text_add(t, "\n");
}

static void heading(fw_text *t, const char *words, bool colour)
{
    fw_text_format(t, "\n%s%s%s\n", colour ? "\033[1m" : "", words, colour ? "\033[0m" : "");
}

static void add_head(fw_text *t, const coord_report *r, bool colour)
{
    char rows[COORD_FIGURE_TEXT];
    coord_count(rows, r->rows);
    fw_text_add(t, colour ? "\033[1m" : "");
    coord_add_plain(t, r->model->name != NULL ? r->model->name : "model");
    fw_text_format(t, "%s: %s split, %s rows, predicts ", colour ? "\033[0m" : "", r->split, rows);
    coord_add_plain(t, coord_target_name(r));
    if (r->model->learner != NULL) fw_text_format(t, " (%s)", r->model->learner);
    fw_text_add(t, "\n");
    if (r->model->digest[0] != '\0') fw_text_format(t, "model %.16s%s%.16s\n", r->model->digest, r->dataset_digest ? ", dataset " : "", r->dataset_digest ? r->dataset_digest : "");
}

/** With more than two classes these are the means over the classes, which are listed as such. */
static bool is_said_as_macro(const fw_metrics *m, const char *name)
{
    return m->n_classes > 2 && (strcmp(name, "precision") == 0 || strcmp(name, "recall") == 0 || strcmp(name, "f1") == 0);
}

static void add_metrics(fw_text *t, const coord_report *r, bool colour)
{
    heading(t, "Metrics", colour);
    const char *const *names = fw_metrics_names(r->metrics->task);
    size_t column = 0;
    for (size_t i = 0; names[i] != NULL; i++) {
        double v = 0;
        char figure[COORD_FIGURE_TEXT] = "none";
        if (is_said_as_macro(r->metrics, names[i])) continue;
        if (fw_metrics_get(&v, r->metrics, names[i], NULL, NULL) == FW_OK) coord_figure(figure, v);
        bool last = column == 2 || names[i + 1] == NULL;
        fw_text_format(t, "  %-19s %9s%s", names[i], figure, last ? "\n" : "  ");
        column = last ? 0 : column + 1;
    }
}

/** For qsort_r: class numbers by F1, the lowest first. */
static int by_f1(const void *a, const void *b, void *metrics)
{
    const fw_metrics *m = metrics;
    size_t x = *(const size_t *)a, y = *(const size_t *)b;
    double fx = m->per_class[x].f1, fy = m->per_class[y].f1;
    return fx != fy ? (fx > fy) - (fx < fy) : (x > y) - (x < y);
}

static size_t label_width(const coord_report *r, size_t at_most)
{
    size_t width = 5;
    for (size_t c = 0; c < r->metrics->n_classes; c++) width = FW_MAX(width, characters(coord_class_name(r, c)));
    return FW_MIN(width, at_most);
}

static fw_status add_classes(fw_text *t, const coord_report *r, bool colour, fw_error *err)
{
    const fw_metrics *m = r->metrics;
    FW_FREE size_t *order = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&order, m->n_classes, sizeof *order, "order of the classes", err));
    for (size_t c = 0; c < m->n_classes; c++) order[c] = c;
    bool cut = m->n_classes > LISTED_CLASSES;
    if (cut) qsort_r(order, m->n_classes, sizeof *order, by_f1, (void *)(uintptr_t)m);
    heading(t, "Classes", colour);
    size_t width = label_width(r, LABEL_WIDTH);
    fw_text_format(t, "  %-*s %11s %11s %9s %9s %9s %9s\n", (int)width, "class", "rows", "predicted", "precision", "recall", "f1", "auc");
    for (size_t i = 0; i < FW_MIN(m->n_classes, LISTED_CLASSES); i++) {
        const fw_class_metrics *k = &m->per_class[order[i]];
        fw_text_add(t, "  ");
        add_label(t, coord_class_name(r, order[i]), width);
        fw_text_format(t, " %11" PRIu64 " %11" PRIu64 " %9.4f %9.4f %9.4f", k->support, k->predicted, k->precision, k->recall, k->f1);
        if (k->has_auc) fw_text_format(t, " %9.4f\n", k->auc);
        else fw_text_format(t, " %9s\n", "none");
    }
    if (cut) fw_text_format(t, "  the %d of %zu classes with the lowest F1\n", LISTED_CLASSES, m->n_classes);
    return FW_OK;
}

/** The line above the matrix: the names of the classes where they fit, else the numbers of the lines. */
static void add_confusion_head(fw_text *t, const coord_report *r, size_t left, size_t width, bool named)
{
    fw_text_format(t, "  %*s", (int)left, "");
    for (size_t c = 0; c < r->metrics->n_classes; c++) {
        const char *name = coord_class_name(r, c);
        if (!named) {
            fw_text_format(t, "%*zu", (int)width, c + 1);
            continue;
        }
        fw_text_format(t, "%*s", (int)(width - characters(name)), "");
        add_label(t, name, characters(name));
    }
    fw_text_add(t, "\n");
}

/** Rows: truth. Columns: predicted, named, or numbered like the rows. Per cent of the row where counts do not fit. */
static void add_confusion(fw_text *t, const coord_report *r, bool colour)
{
    const fw_metrics *m = r->metrics;
    uint64_t most = 0;
    for (size_t i = 0; i < m->n_classes * m->n_classes; i++) most = FW_MAX(most, m->confusion[i]);
    size_t width = 1, label = label_width(r, 16), room = (WIDTH - 2 - 4 - label) / m->n_classes, longest = label_width(r, WIDTH);
    for (uint64_t v = most; v >= 10; v /= 10) width++;
    width = FW_MAX(width + 2, 5);
    bool named = FW_MAX(width, longest + 2) <= room, shares = width > room;
    if (named) width = FW_MAX(width, longest + 2);
    if (shares) width = FW_MIN(room, 6);
    heading(t, shares ? "Confusion (per cent of the rows of a true class; columns: predicted)" : "Confusion (rows: truth; columns: predicted)", colour);
    add_confusion_head(t, r, label + (named ? 0 : 4), width, named);
    for (size_t truth = 0; truth < m->n_classes; truth++) {
        fw_text_add(t, "  ");
        add_label(t, coord_class_name(r, truth), label);
        if (!named) fw_text_format(t, " %3zu", truth + 1);
        for (size_t c = 0; c < m->n_classes; c++) {
            uint64_t count = m->confusion[truth * m->n_classes + c], support = m->per_class[truth].support;
            bool bold = colour && c == truth;
            fw_text_add(t, bold ? "\033[1m" : "");
            if (count == 0) fw_text_format(t, "%*s", (int)width, ".");
            else if (shares) fw_text_format(t, "%*.0f", (int)width, 100 * (double)count / (double)support);
            else fw_text_format(t, "%*" PRIu64, (int)width, count);
            fw_text_add(t, bold ? "\033[0m" : "");
        }
        fw_text_add(t, "\n");
    }
}

static void add_gates(fw_text *t, const coord_report *r, bool colour)
{
    heading(t, "Gates", colour);
    for (size_t i = 0; i < r->n_gates; i++) {
        const coord_gate_result *g = &r->gates[i];
        char value[COORD_FIGURE_TEXT], bound[FW_NUMBER_TEXT];
        coord_gate_figure(value, g);
        fw_format_double(bound, g->bound);
        fw_text_format(t, "  %s%s%s  ", colour ? (g->passed ? "\033[32m" : "\033[31m") : "", g->passed ? "passed" : "FAILED", colour ? "\033[0m" : "");
        add_label(t, g->metric, LABEL_WIDTH);
        fw_text_format(t, " %10s   wanted %s %s\n", value, coord_op_text(g->op), bound);
    }
    FW_AUTO(fw_text) words = {0};
    coord_gates_words(&words, r);
    if (!words.failed) add_wrapped(t, words.data, "  ");
}

static void add_fairness(fw_text *t, const coord_report *r, const coord_fairness *f, bool colour)
{
    FW_AUTO(fw_text) title = {0};
    fw_text_add(&title, "Fairness over ");
    coord_add_plain(&title, f->attribute);
    fw_text_add(&title, " (selected: predicted ");
    coord_add_plain(&title, coord_positive_name(f, r));
    fw_text_add(&title, ")");
    if (!title.failed) heading(t, title.data, colour);
    fw_text_format(t, "  %-*s %11s %14s %14s %14s\n", LABEL_WIDTH, "group", "rows", "selected", "hit rate", "false alarms");
    for (size_t g = 0; g < f->result->n_groups; g++) {
        const fw_group_rates *k = &f->result->groups[g];
        if (k->count == 0) continue;
        fw_text_add(t, "  ");
        add_label(t, coord_group_name(f, g), LABEL_WIDTH);
        fw_text_format(t, " %11" PRIu64 " %12.1f %% %12.1f %% %12.1f %%%s\n", k->count, 100 * k->selection_rate, 100 * k->true_positive_rate, 100 * k->false_positive_rate,
                       k->too_small ? "  too few" : "");
    }
    FW_AUTO(fw_text) words = {0};
    coord_fairness_words(&words, f, r);
    if (!words.failed) add_wrapped(t, words.data, "  ");
}

static void add_data(fw_text *t, const coord_report *r, bool colour)
{
    if (r->missing == 0 && r->unseen == 0) return;
    heading(t, "Data", colour);
    char missing[COORD_FIGURE_TEXT], unseen[COORD_FIGURE_TEXT];
    coord_count(missing, r->missing);
    coord_count(unseen, r->unseen);
    fw_text_format(t, "  %s missing values filled in, %s categories not seen in training\n", missing, unseen);
}

fw_status coord_report_table(FILE *out, const coord_report *r, fw_error *err)
{
    FW_AUTO(fw_text) t = {0};
    bool colour = fw_log_colour(fileno(out));
    bool classes = r->metrics->task == FW_TASK_CLASSIFICATION;
    add_head(&t, r, colour);
    add_metrics(&t, r, colour);
    if (classes) FW_TRY(add_classes(&t, r, colour, err));
    if (classes && r->metrics->n_classes <= MATRIX_CLASSES) add_confusion(&t, r, colour);
    FW_FREE char *fit = coord_report_fit_words(r);
    if (fit == NULL) return fw_fail(err, FW_ERR_NOMEM, "report: over- and under-fitting");
    heading(&t, "Fit", colour);
    add_wrapped(&t, fit, "  ");
    for (size_t i = 0; i < r->n_fairness; i++) add_fairness(&t, r, &r->fairness[i], colour);
    add_data(&t, r, colour);
    add_gates(&t, r, colour);
    FW_TRY(fw_text_check(&t, err));
    if (fwrite(t.data, 1, t.len, out) != t.len) return fw_fail_errno(err, FW_ERR_IO, "report: the table cannot be written");
    return FW_OK;
}
