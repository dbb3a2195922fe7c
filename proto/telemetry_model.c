#include "proto/telemetry_model.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "proto/telemetry_parts.h"

/* The generated structs of one Model, beside each other. */
typedef struct filled {
    Flywheel__Model message;
    Flywheel__Column *columns, **column_list;
    Flywheel__Metric *metrics, **metric_list;
} filled;

static void fill_column(Flywheel__Column *to, const fw_reference *r, size_t i)
{
    const fw_bins *b = fw_summary_bins(r->summary, i);
    flywheel__column__init(to);
    to->name = b->name;
    to->kind = (Flywheel__Column__Kind)b->kind;
    to->n_cuts = b->n_cuts;
    to->cuts = b->cut;
    to->n_centres = fw_bins_has_cuts(b) ? b->n_cuts + 1 : 0;
    to->centres = b->centre;
    to->n_labels = b->n_labels;
    to->labels = b->label;
    to->n_counts = fw_bins_counts(b);
    to->counts = (uint64_t *)(uintptr_t)fw_summary_counts(r->summary, i);
    if (i > r->n_features && fw_bins_has_cuts(b)) to->n_hits = fw_bins_n(b);
    to->hits = fw_reference_hits(r, i);
    if (i != r->n_features) return;
    to->n_absolute = to->n_square = to->n_fourth = r->errors.n;
    to->absolute = r->errors.absolute;
    to->square = r->errors.square;
    to->fourth = r->errors.fourth;
}

static fw_status fill_reference(filled *f, const fw_reference *r, fw_error *err)
{
    const size_t n = fw_summary_n(r->summary);
    FW_TRY(fw_alloc_zeroed((void **)&f->columns, n, sizeof *f->columns, "telemetry", err));
    FW_TRY(fw_alloc_zeroed((void **)&f->column_list, n, sizeof *f->column_list, "telemetry", err));
    FW_TRY(fw_alloc_zeroed((void **)&f->metrics, r->n_metrics, sizeof *f->metrics, "telemetry", err));
    FW_TRY(fw_alloc_zeroed((void **)&f->metric_list, r->n_metrics, sizeof *f->metric_list, "telemetry", err));
    for (size_t i = 0; i < n; i++) {
        fill_column(&f->columns[i], r, i);
        f->column_list[i] = &f->columns[i];
    }
    for (size_t i = 0; i < r->n_metrics; i++) {
        flywheel__metric__init(&f->metrics[i]);
        f->metrics[i].name = r->metrics[i].name;
        f->metrics[i].value = r->metrics[i].value;
        f->metrics[i].mean = r->metrics[i].mean;
        f->metrics[i].deviation = r->metrics[i].deviation;
        f->metric_list[i] = &f->metrics[i];
    }
    Flywheel__Model *m = &f->message;
    m->n_columns = n;
    m->columns = f->column_list;
    m->n_metrics = r->n_metrics;
    m->metrics = f->metric_list;
    m->features = (uint32_t)r->n_features;
    m->features_left_out = (uint32_t)r->features_left_out;
    m->scores_left_out = (uint32_t)r->scores_left_out;
    m->split = r->split;
    m->chunk_rows = r->chunk_rows;
    m->chunks = r->n_chunks;
    return FW_OK;
}

static fw_status pack_filled(fw_text *out, filled *f, const fw_telemetry_model *m, fw_error *err)
{
    flywheel__model__init(&f->message);
    if (m->reference != NULL) FW_TRY(fill_reference(f, m->reference, err));
    f->message.name = fw_telemetry_unconst(m->name);
    f->message.digest = fw_telemetry_unconst(m->digest);
    f->message.task = m->task == FW_TASK_REGRESSION ? FLYWHEEL__TASK__REGRESSION : FLYWHEEL__TASK__CLASSIFICATION;
    f->message.n_classes = m->n_classes;
    f->message.classes = (char **)(uintptr_t)m->classes;
    const size_t before = out->len;
    fw_text_buffer buffer = fw_text_buffer_on(out);
    flywheel__model__pack_to_buffer(&f->message, &buffer.base);
    return fw_telemetry_check_packed(out, before, err);
}

fw_status fw_telemetry_pack_model(fw_text *out, const fw_telemetry_model *m, fw_error *err)
{
    filled f = {0};
    if (m->name == NULL || *m->name == '\0') return fw_fail(err, FW_ERR_ARG, "telemetry: a model without a name");
    if (m->n_classes > FW_TELEMETRY_MAX_CLASSES) return fw_fail(err, FW_ERR_ARG, "telemetry: a model of %zu classes; at most %u fit", m->n_classes, FW_TELEMETRY_MAX_CLASSES);
    FW_TRY(fw_telemetry_check_own(m->name, "the model's name", err));
    FW_TRY(fw_telemetry_check_own(m->digest, "the model's digest", err));
    for (size_t i = 0; i < m->n_classes; i++) FW_TRY(fw_telemetry_check_own(m->classes[i], "a class name", err));
    const fw_status s = pack_filled(out, &f, m, err);
    free(f.columns);
    free(f.column_list);
    free(f.metrics);
    free(f.metric_list);
    return s;
}

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "bytes of a word are written as they are in memory");

#define GROUP 8u               /* counts that are looked at together: most are below 128, a byte each */

static char *put_group(char *at, const uint64_t *count)
{
    uint64_t all = 0, bytes = 0;
#pragma GCC unroll 8
    for (size_t i = 0; i < GROUP; i++) {
        all |= count[i];
        bytes |= count[i] << 8 * i;
    }
    if (all < 0x80) {
        memcpy(at, &bytes, sizeof bytes);
        return at + sizeof bytes;
    }
    for (size_t i = 0; i < GROUP; i++) at = fw_varint_put(at, count[i]);
    return at;
}

/** One of the last fields, by hand: protobuf-c makes a call for each of a thousand counts.      field, 2 | varint len | varints
 *  They are written behind a guess of how long their length is, and moved when that was wrong. */
static void add_counts(fw_text *out, unsigned field, const uint64_t *count, size_t n)
{
    char *const room = n > 0 ? fw_text_room(out, 1 + FW_VARINT_MOST * (n + 1)) : NULL;
    if (room == NULL) return;
    char *const first = room + 1 + fw_varint_len(n);
    char *end = first;
    size_t i = 0;
    for (; i + GROUP <= n; i += GROUP) end = put_group(end, count + i);
    for (; i < n; i++) end = fw_varint_put(end, count[i]);
    const size_t len = (size_t)(end - first), head = 1 + fw_varint_len(len);
    if (room + head != first) memmove(room + head, first, len);
    *room = (char)(field << 3 | 2);
    fw_varint_put(room + 1, len);
    fw_text_wrote(out, head + len);
}

fw_status fw_telemetry_pack_summary(fw_text *out, const fw_telemetry_summary *s, fw_error *err)
{
    if (s->model == NULL || *s->model == '\0') return fw_fail(err, FW_ERR_ARG, "telemetry: a summary of a model without a name");
    if (s->n > FW_TELEMETRY_MAX_COUNTS || s->rows > FW_TELEMETRY_MAX_TOTAL || s->window == 0 || s->window > FW_TELEMETRY_MAX_TOTAL)
        return fw_fail(err, FW_ERR_ARG, "telemetry: a summary of %zu counts, %llu rows, window %llu", s->n, (unsigned long long)s->rows, (unsigned long long)s->window);
    if (s->n_latency != 0 && s->n_latency != FW_TIMES_N)
        return fw_fail(err, FW_ERR_ARG, "telemetry: a summary with %zu counts of times; they are %u, or none", s->n_latency, FW_TIMES_N);
    FW_TRY(fw_telemetry_check_own(s->model, "the model's name", err));
    FW_TRY(fw_telemetry_check_own(s->digest, "the model's digest", err));
    Flywheel__Summary message;
    flywheel__summary__init(&message);
    message.model = fw_telemetry_unconst(s->model);
    message.digest = fw_telemetry_unconst(s->digest);
    message.shape = s->shape;
    message.window = s->window;
    message.rows = s->rows;
    message.from_us = s->from_us;
    message.to_us = s->to_us;
    const size_t before = out->len;
    fw_text_buffer buffer = fw_text_buffer_on(out);
    flywheel__summary__pack_to_buffer(&message, &buffer.base);
    add_counts(out, 8, s->count, s->n);
    add_counts(out, 9, s->latency, s->n_latency);
    return fw_telemetry_check_packed(out, before, err);
}
