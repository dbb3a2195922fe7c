#include "monitor/intake_parts.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "proto/telemetry.h"

#define MODEL_MEMORY ((size_t)256 << 20)

void monitor_tracked_release(tracked *t)
{
    free(t->model.topic);
    free(t->model.name);
    free(t->model.digest);
    for (size_t i = 0; t->model.classes != NULL && i < t->model.n_classes; i++) free(t->model.classes[i]);
    free(t->model.classes);
    free(t->from);
    monitor_window_destroy(&t->window);
    *t = (tracked){0};
}

fw_status monitor_intake_create(monitor_intake **out, const monitor_window_opts *window, const monitor_sink *sink, fw_error *err)
{
    FW_AUTO(monitor_intake) *in = calloc(1, sizeof *in);
    if (in == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: intake");
    in->window_opts = *window;
    in->sink = *sink;
    in->shares = (monitor_shares){.places = MONITOR_MAX_MODELS, .bytes = MODEL_MEMORY};
    in->from = "";
    *out = in;
    in = NULL;
    return FW_OK;
}

void monitor_intake_destroy(monitor_intake **in)
{
    if (in == NULL || *in == NULL) return;
    for (size_t i = 0; i < (*in)->n_models; i++) monitor_tracked_release(&(*in)->models[i]);
    free((*in)->models);
    free((*in)->positions);
    monitor_senders_destroy(&(*in)->senders);
    monitor_shares_destroy(&(*in)->shares);
    free(*in);
    *in = NULL;
}

void monitor_intake_from(monitor_intake *in, const char *address) { in->from = address; }
void monitor_intake_pass_on(monitor_intake *in, const monitor_others *others) { in->others = *others; }

static tracked *find_model(monitor_intake *in, const char *topic, const fw_telemetry_batch *b)
{
    for (size_t i = 0; i < in->n_models; i++) {
        const monitor_model *m = &in->models[i].model;
        if (strcmp(m->digest, b->predictions.digest) == 0 && strcmp(m->name, b->predictions.model) == 0 && strcmp(m->topic, topic) == 0)
            return &in->models[i];
    }
    return NULL;
}

/** Bytes a model's class table and counts take. */
static size_t cost_of(const fw_telemetry_batch *b)
{
    size_t bytes = 0;
    for (size_t i = 0; i < b->predictions.n_classes; i++) bytes += strlen(b->predictions.classes[i]) + 64;
    return bytes;
}

static fw_status fill_model(tracked *t, const monitor_intake *in, const char *topic, const fw_telemetry_batch *b, fw_error *err)
{
    size_t n = b->predictions.n_classes;
    FW_TRY(fw_copy_text(&t->model.topic, topic, err));
    FW_TRY(fw_copy_text(&t->model.name, b->predictions.model, err));
    FW_TRY(fw_copy_text(&t->model.digest, b->predictions.digest, err));
    FW_TRY(fw_copy_text(&t->from, in->from, err));
    FW_TRY(fw_alloc_zeroed((void **)&t->model.classes, n, sizeof *t->model.classes, "class names", err));
    t->model.n_classes = n;
    for (size_t i = 0; i < n; i++) FW_TRY(fw_copy_text(&t->model.classes[i], b->predictions.classes[i], err));
    return monitor_window_create(&t->window, &in->window_opts, n, err);
}

fw_status monitor_intake_add_model(tracked **out, monitor_intake *in, const char *topic, const fw_telemetry_batch *b, fw_error *err)
{
    size_t cost = cost_of(b);
    *out = NULL;
    if (!monitor_shares_room(&in->shares, cost)) return FW_OK;
    FW_TRY(fw_grow((void **)&in->models, &in->capacity, in->n_models + 1, sizeof *in->models, "models", err));
    tracked t = {0};
    fw_status status = fill_model(&t, in, topic, b, err);
    if (status >= 0) status = monitor_shares_add(&in->shares, in->from, cost, err);
    if (status < 0) {
        monitor_tracked_release(&t);
        return status;
    }
    in->models[in->n_models] = t;
    *out = &in->models[in->n_models++];
    return FW_OK;
}

static bool same_classes(const monitor_model *m, const fw_telemetry_batch *b)
{
    if (m->n_classes != b->predictions.n_classes) return false;
    for (size_t i = 0; i < m->n_classes; i++)
        if (strcmp(m->classes[i], b->predictions.classes[i]) != 0) return false;
    return true;
}

static void close_window(monitor_intake *in, tracked *t, monitor_reason reason)
{
    monitor_summary s = monitor_window_close(t->window, reason);
    in->sink.window(in->sink.context, &t->model, &s);
}

static void give_total(monitor_intake *in, tracked *t)
{
    if (!monitor_window_empty(t->window)) close_window(in, t, MONITOR_END);
    if (t->news) in->sink.total(in->sink.context, &t->model);
    t->news = false;
}

static fw_status tell_rows(const monitor_intake *in, const tracked *t, const fw_telemetry_batch *b, size_t first, size_t end, fw_error *err)
{
    if (in->others.predicted == NULL || end == first) return FW_OK;
    const uint64_t window = monitor_window_save(t->window).number;
    return in->others.predicted(in->others.context, &t->model, window, b->predictions.rows + first, end - first, b->time_us, err);
}

static fw_status add_rows(monitor_intake *in, tracked *t, const fw_telemetry_batch *b, fw_mono now, fw_error *err)
{
    size_t told = 0;
    for (size_t i = 0; i < b->predictions.n_rows; i++) {
        const fw_prediction *row = &b->predictions.rows[i];
        t->model.predictions++;                                /* those of the window that closes are in it */
        monitor_window_add(t->window, row->label, row->confidence, row->value, now);
        monitor_reason due = monitor_window_due(t->window, now);
        if (due != MONITOR_FULL) continue;
        FW_TRY(tell_rows(in, t, b, told, i + 1, err));
        told = i + 1;
        close_window(in, t, due);
    }
    return tell_rows(in, t, b, told, b->predictions.n_rows, err);
}

/* ---- positions ---- */

monitor_position *monitor_intake_position(const monitor_intake *in, const fw_stream *stream)
{
    for (size_t i = 0; i < in->n_positions; i++)
        if (memcmp(&in->positions[i].stream, stream, sizeof *stream) == 0) return &in->positions[i];
    return NULL;
}

fw_status monitor_intake_set_position(monitor_intake *in, const fw_stream *stream, uint64_t last, fw_error *err)
{
    monitor_position *p = monitor_intake_position(in, stream);
    if (p != NULL) {
        p->last = last;
        return FW_OK;
    }
    if (in->n_positions == MONITOR_MAX_STREAMS)               /* the one that is known the longest makes room */
        memmove(in->positions, in->positions + 1, --in->n_positions * sizeof *in->positions);
    FW_TRY(fw_grow((void **)&in->positions, &in->positions_capacity, in->n_positions + 1, sizeof *in->positions, "positions", err));
    in->positions[in->n_positions++] = (monitor_position){.stream = *stream, .last = last};
    return FW_OK;
}

uint64_t monitor_intake_lost_of(const monitor_intake *in, const fw_stream *stream)
{
    const monitor_position *p = monitor_intake_position(in, stream);
    return p != NULL ? p->lost : 0;
}

size_t monitor_intake_positions(const monitor_intake *in, const monitor_position **out)
{
    *out = in->positions;
    return in->n_positions;
}

static bool is_known(const monitor_intake *in, const fw_stream *stream, uint64_t sequence)
{
    const monitor_position *p = monitor_intake_position(in, stream);
    return p != NULL && sequence <= p->last;
}

/* ---- batches ---- */

static void take_end(monitor_intake *in, const char *topic)
{
    for (size_t i = 0; i < in->n_models; i++)
        if (strcmp(in->models[i].model.topic, topic) == 0) give_total(in, &in->models[i]);
    in->counts.ends++;
}

static fw_status take_predictions(monitor_intake *in, const char *topic, const fw_telemetry_batch *b, fw_mono now, fw_error *why, fw_error *err)
{
    tracked *t = find_model(in, topic, b);
    if (t != NULL && !same_classes(&t->model, b)) {
        in->counts.malformed++;
        fw_fail(why, FW_ERR_FORMAT, "monitor: a batch of model '%.100s' whose classes are not those it began with", t->model.name);
        return FW_OK;
    }
    if (t == NULL && monitor_shares_may(&in->shares, in->from, cost_of(b))) FW_TRY(monitor_intake_add_model(&t, in, topic, b, err));
    if (t == NULL) {
        in->counts.refused++;
        fw_fail(why, FW_ERR_DATA, "monitor: predictions of model '%.100s', which is one too many: %zu are counted, %zu of them of this publisher; none may hold more "
                "than it leaves to others", b->predictions.model, in->n_models, monitor_shares_of(&in->shares, in->from));
        return FW_OK;
    }
    monitor_reason due = monitor_window_due(t->window, now);
    if (due != MONITOR_OPEN) close_window(in, t, due);
    t->news = true;
    return add_rows(in, t, b, now, err);
}

static void note_lost(monitor_intake *in, const monitor_sender *s, uint64_t n)
{
    for (size_t i = 0; i < in->n_models; i++) {
        tracked *t = &in->models[i];
        if (strcmp(t->model.digest, s->digest) != 0 || strcmp(t->model.name, s->name) != 0) continue;
        t->model.gaps += n;
        t->news = true;
        monitor_window_note(t->window, n);
    }
    if (in->others.lost != NULL) in->others.lost(in->others.context, s->name, s->digest, n);
}

fw_status monitor_intake_lost(monitor_intake *in, const fw_stream *from, uint64_t first, uint64_t last, fw_error *err)
{
    const uint64_t n = last - first + 1;
    bool known = false;
    for (size_t i = 0; i < in->senders.n; i++) {
        if (memcmp(&in->senders.of[i].stream, from, sizeof *from) != 0) continue;
        note_lost(in, &in->senders.of[i], n);
        known = true;
    }
    if (!known) in->counts.gaps += n;
    FW_TRY(monitor_intake_set_position(in, from, last, err));
    monitor_intake_position(in, from)->lost += n;
    return FW_OK;
}

/** Of which model and version a batch is. False: of none. */
static bool model_of(const fw_telemetry_batch *b, const char **name, const char **digest)
{
    switch (b->kind) {
    case FW_TELEMETRY_PREDICTIONS: *name = b->predictions.model; *digest = b->predictions.digest; return true;
    case FW_TELEMETRY_MODEL: *name = b->model.name; *digest = b->model.digest; return true;
    case FW_TELEMETRY_SUMMARY: *name = b->summary.model; *digest = b->summary.digest; return true;
    case FW_TELEMETRY_PROGRESS:
    case FW_TELEMETRY_END:
    case FW_TELEMETRY_ALERT:
    case FW_TELEMETRY_OUTCOMES:
    case FW_TELEMETRY_KPI: break;
    }
    return false;
}

static fw_status take_other(monitor_intake *in, fw_telemetry_batch *b, const void *bytes, size_t len, fw_mono now, fw_error *why, fw_error *err)
{
    fw_error reason = {0};
    if (in->others.take == NULL) return FW_OK;
    FW_TRY(in->others.take(in->others.context, b, bytes, len, now, &reason, err));
    if (reason.status >= 0) return FW_OK;
    in->counts.refused++;
    if (why != NULL) *why = reason;
    return FW_OK;
}

/* from NULL: of no stream. */
static fw_status take_message(monitor_intake *in, const fw_stream *from, const char *topic, const void *bytes, size_t len, fw_mono now, fw_error *why,
                              fw_error *err)
{
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    fw_error reason = {0};
    fw_status status = fw_telemetry_decode(&b, topic, bytes, len, &reason);
    if (status == FW_ERR_FORMAT) {
        in->counts.malformed++;
        if (why != NULL) *why = reason;
        return FW_OK;
    }
    if (status < 0) return fw_fail(err, status, "%s", reason.text);
    const char *name = NULL, *digest = NULL;
    if (from != NULL && model_of(b, &name, &digest)) FW_TRY(monitor_senders_note(&in->senders, from, name, digest, err));
    if (strncmp(topic, FW_TOPIC_PREDICTION, strlen(FW_TOPIC_PREDICTION)) != 0) return take_other(in, b, bytes, len, now, why, err);
    if (b->kind == FW_TELEMETRY_END) take_end(in, topic);
    return b->kind == FW_TELEMETRY_PREDICTIONS ? take_predictions(in, topic, b, now, why, err) : FW_OK;
}

fw_status monitor_intake_take(monitor_intake *in, const fw_stream *from, uint64_t sequence, const char *topic, const void *bytes, size_t len, fw_mono now,
                              fw_error *why, fw_error *err)
{
    if (is_known(in, from, sequence)) return FW_OK;
    FW_TRY(take_message(in, from, topic, bytes, len, now, why, err));
    return monitor_intake_set_position(in, from, sequence, err);
}

fw_status monitor_intake_give(monitor_intake *in, const char *topic, const void *bytes, size_t len, fw_mono now, fw_error *why, fw_error *err)
{
    return take_message(in, NULL, topic, bytes, len, now, why, err);
}

void monitor_intake_tick(monitor_intake *in, fw_mono now)
{
    for (size_t i = 0; i < in->n_models; i++) {
        monitor_reason due = monitor_window_due(in->models[i].window, now);
        if (due != MONITOR_OPEN) close_window(in, &in->models[i], due);
    }
}

void monitor_intake_finish(monitor_intake *in)
{
    for (size_t i = 0; i < in->n_models; i++) give_total(in, &in->models[i]);
}

monitor_counts monitor_intake_count(const monitor_intake *in) { return in->counts; }
