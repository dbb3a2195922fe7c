#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "proto/telemetry_parts.h"

/* ---- a model ---------------------------------------------------------------------------------------------------------------------------- */

static fw_status take_bins(fw_bins *to, const Flywheel__Column *c, fw_error *err)
{
    const fw_bins_kind kind = (fw_bins_kind)c->kind;
    const bool cuts = kind == FW_BINS_NUMBER || kind == FW_BINS_SCORE;
    if (cuts ? c->n_labels > 0 || c->n_centres != c->n_cuts + 1 : c->n_cuts > 0 || c->n_centres > 0)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: a column with both cut points and labels, or with %zu centres for %zu cut points", c->n_centres, c->n_cuts);
    if (cuts) return fw_bins_of_cuts(to, c->name, kind, c->cuts, c->n_cuts, c->centres, err);
    return fw_bins_of_labels(to, c->name, kind, (const char *const *)c->labels, c->n_labels, err);
}

static fw_status take_counts(fw_reference *r, size_t i, const Flywheel__Column *c, fw_error *err)
{
    const fw_bins *b = fw_summary_bins(r->summary, i);
    if (c->n_counts != fw_bins_counts(b) || (c->n_hits != 0 && c->n_hits != fw_bins_n(b)))
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: column %s has %zu counts and %zu hits for its bins", b->name, c->n_counts, c->n_hits);
    for (size_t k = 0; k < c->n_hits; k++) fw_reference_hits(r, i)[k] = c->hits[k];
    return fw_summary_add_column(r->summary, i, c->counts, err);
}

static fw_status take_errors(fw_reference *r, const Flywheel__Column *c, fw_error *err)
{
    if (c->n_absolute == 0) return FW_OK;
    if (c->n_square != c->n_absolute || c->n_fourth != c->n_absolute)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: errors of %zu, %zu and %zu bins", c->n_absolute, c->n_square, c->n_fourth);
    return fw_reference_set_errors(r, c->absolute, c->square, c->fourth, c->n_absolute, err);
}

static fw_status take_reference(fw_reference **out, fw_bins *bins, const Flywheel__Model *m, fw_error *err)
{
    FW_AUTO(fw_reference) *r = NULL;
    for (size_t i = 0; i < m->n_columns; i++) FW_TRY(take_bins(&bins[i], m->columns[i], err));
    FW_TRY(fw_telemetry_check_text(m->split, "the name of a split", err));
    FW_TRY(fw_reference_create(&r, bins, m->n_columns, m->features, m->split, err));
    for (size_t i = 0; i < m->n_columns; i++) FW_TRY(take_counts(r, i, m->columns[i], err));
    if (m->features < m->n_columns) FW_TRY(take_errors(r, m->columns[m->features], err));
    for (size_t i = 0; i < m->n_metrics; i++)
        FW_TRY(fw_reference_add_metric(r, m->metrics[i]->name, m->metrics[i]->value, m->metrics[i]->mean, m->metrics[i]->deviation, err));
    r->features_left_out = m->features_left_out;
    r->scores_left_out = m->scores_left_out;
    r->chunk_rows = m->chunk_rows;
    r->n_chunks = m->chunks;
    FW_TRY(fw_reference_check(r, err));
    *out = r;
    r = NULL;
    return FW_OK;
}

static fw_status check_reference(fw_reference **out, const Flywheel__Model *m, fw_error *err)
{
    FW_FREE fw_bins *bins = NULL;
    *out = NULL;
    if (m->n_columns == 0) return FW_OK;
    if (m->n_columns > FW_SUMMARY_MAX_COLUMNS)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: a model with %zu columns; at most %d are accepted", m->n_columns, FW_SUMMARY_MAX_COLUMNS);
    FW_TRY(fw_alloc_zeroed((void **)&bins, m->n_columns, sizeof *bins, "telemetry columns", err));
    const fw_status s = take_reference(out, bins, m, err);
    for (size_t i = 0; i < m->n_columns; i++) fw_bins_destroy(&bins[i]);
    return s == FW_ERR_ARG || s == FW_ERR_DATA ? fw_wrap(err, FW_ERR_FORMAT, "telemetry"), FW_ERR_FORMAT : s;
}

fw_status fw_telemetry_check_model(fw_telemetry_model *to, fw_reference **reference, const Flywheel__Model *m, fw_error *err)
{
    if (*m->name == '\0') return fw_fail(err, FW_ERR_FORMAT, "telemetry: the model has no name");
    if (m->n_classes > FW_TELEMETRY_MAX_CLASSES)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: a model of %zu classes; at most %u are accepted", m->n_classes, FW_TELEMETRY_MAX_CLASSES);
    if (m->task != FLYWHEEL__TASK__CLASSIFICATION && m->task != FLYWHEEL__TASK__REGRESSION) return fw_fail(err, FW_ERR_FORMAT, "telemetry: a model of an unknown task");
    FW_TRY(fw_telemetry_check_text(m->name, "the model's name", err));
    FW_TRY(fw_telemetry_check_text(m->digest, "the model's digest", err));
    for (size_t i = 0; i < m->n_classes; i++) FW_TRY(fw_telemetry_check_text(m->classes[i], "a class name", err));
    FW_TRY(check_reference(reference, m, err));
    *to = (fw_telemetry_model){.name = m->name, .digest = m->digest, .task = m->task == FLYWHEEL__TASK__REGRESSION ? FW_TASK_REGRESSION : FW_TASK_CLASSIFICATION,
                               .classes = (const char *const *)m->classes, .n_classes = m->n_classes, .reference = *reference};
    return FW_OK;
}

/* ---- a summary --------------------------------------------------------------------------------------------------------------------------- */

fw_status fw_telemetry_check_summary(fw_telemetry_summary *to, const Flywheel__Summary *m, fw_error *err)
{
    if (*m->model == '\0') return fw_fail(err, FW_ERR_FORMAT, "telemetry: a summary of a model without a name");
    FW_TRY(fw_telemetry_check_text(m->model, "the model's name", err));
    FW_TRY(fw_telemetry_check_text(m->digest, "the model's digest", err));
    if (m->rows > FW_TELEMETRY_MAX_TOTAL || m->window == 0 || m->window > FW_TELEMETRY_MAX_TOTAL)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: window %llu of %llu rows; neither may be above 2^53", (unsigned long long)m->window, (unsigned long long)m->rows);
    if (m->from_us < 0 || m->from_us > m->to_us || m->to_us > FW_TELEMETRY_LAST_TIME_US)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: window %llu ends before it begins, or is not in the years 1970 to 9999", (unsigned long long)m->window);
    if (m->n_counts > FW_TELEMETRY_MAX_COUNTS)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: a summary of %zu counts; at most %u are accepted", m->n_counts, FW_TELEMETRY_MAX_COUNTS);
    for (size_t i = 0; i < m->n_counts; i++)
        if (m->counts[i] > m->rows) return fw_fail(err, FW_ERR_FORMAT, "telemetry: a bin counts more than the window's %llu rows", (unsigned long long)m->rows);
    if (m->n_latency != 0 && m->n_latency != FW_TIMES_N)
        return fw_fail(err, FW_ERR_FORMAT, "telemetry: a summary with %zu counts of times; they are %u, or none", m->n_latency, FW_TIMES_N);
    *to = (fw_telemetry_summary){.model = m->model, .digest = m->digest, .shape = m->shape, .window = m->window, .rows = m->rows, .from_us = m->from_us,
                                 .to_us = m->to_us, .count = m->counts, .n = m->n_counts, .latency = m->latency, .n_latency = m->n_latency};
    return FW_OK;
}
