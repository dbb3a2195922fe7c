/** Quality without outcomes of predictions in a file: estimate_windows MODEL FILE ROWS. FILE: a line "class probability ..." for each row, probabilities in the
 *  order of the model's classes. A line of JSON for each window of ROWS rows: the metrics that have an interval, each as value, low, high. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/model/model.h"
#include "common/stats/estimator.h"

#define MOST_CLASSES 32

typedef struct window { const fw_model *m; const fw_summary *summary; size_t first; uint64_t *count; } window;

static void count(window *w, size_t column, size_t bin)
{
    w->count[(size_t)(fw_summary_counts(w->summary, column) - fw_summary_counts(w->summary, 0)) + bin]++;
}

static void add_row(window *w, const char *said, const double *p, size_t n)
{
    const fw_bins *classes = fw_summary_bins(w->summary, w->first);
    double confidence = 0;
    for (size_t i = 0; i < n; i++) confidence = fmax(confidence, p[i]);
    for (size_t i = 0; i < classes->n_labels; i++)
        if (strcmp(classes->label[i], said) == 0) count(w, w->first, i);
    count(w, w->first + 1, fw_bins_find(fw_summary_bins(w->summary, w->first + 1), confidence));
    for (size_t c = w->first + 2; c < fw_summary_n(w->summary); c++)
        for (size_t i = 0; i < n; i++)
            if (strcmp(fw_reference_score_class(fw_summary_bins(w->summary, c)), fw_model_class_name(w->m, i)) == 0) count(w, c, fw_bins_find(fw_summary_bins(w->summary, c), p[i]));
}

static void print_window(const fw_estimator *e, window *w)
{
    const fw_qualities q = fw_estimator_window(e, w->count);
    const char *comma = "{";
    for (fw_quality_metric m = 0; m < FW_N_QUALITIES; m++) {
        if (isnan(q.of[m].value) || isnan(q.of[m].low)) continue;
        printf("%s\"%s\": [%.17g, %.17g, %.17g]", comma, fw_quality_name(m), q.of[m].value, q.of[m].low, q.of[m].high);
        comma = ", ";
    }
    printf("%s}\n", *comma == '{' ? "{" : "");
    memset(w->count, 0, fw_summary_total(w->summary) * sizeof *w->count);
}

static fw_status run(char **argv, fw_error *err)
{
    FW_AUTO(fw_model) *m = NULL;
    FW_AUTO(fw_estimator) *e = NULL;
    FW_FREE uint64_t *counts = NULL;
    char said[256];
    double p[MOST_CLASSES];
    FW_TRY(fw_model_load(&m, argv[1], err));
    FW_TRY(fw_estimator_create(&e, m->reference, err));
    FW_TRY(fw_alloc_zeroed((void **)&counts, fw_summary_total(m->reference->summary), sizeof *counts, "counts", err));
    window w = {.m = m, .summary = m->reference->summary, .first = m->reference->n_features, .count = counts};
    FILE *in = fopen(argv[2], "r");
    if (in == NULL) return fw_fail_errno(err, FW_ERR_IO, "%s", argv[2]);
    const size_t n = fw_summary_bins(w.summary, w.first)->n_labels;
    for (uint64_t rows = 1; n <= MOST_CLASSES && fscanf(in, "%255s", said) == 1; rows++) {
        for (size_t i = 0; i < n; i++)
            if (fscanf(in, "%lf", &p[i]) != 1) return fclose(in), fw_fail(err, FW_ERR_DATA, "row %llu has fewer than %zu probabilities", (unsigned long long)rows, n);
        add_row(&w, said, p, n);
        if (rows % strtoull(argv[3], NULL, 10) == 0) print_window(e, &w);
    }
    fclose(in);
    return FW_OK;
}

int main(int argc, char **argv)
{
    fw_error err = {0};
    if (argc != 4) return 2;
    if (run(argv, &err) == FW_OK) return 0;
    fprintf(stderr, "%s\n", err.text);
    return 1;
}
