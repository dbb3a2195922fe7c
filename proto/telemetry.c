#include "proto/telemetry.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/dict.h"
#include "common/core/size.h"
#include "proto/telemetry_parts.h"

typedef struct topic_state { uint64_t batches, rows; } topic_state;

struct fw_telemetry {
    fw_dict *topics;                            /* name -> index in states */
    topic_state *states; size_t capacity;
};

static void append_to_text(ProtobufCBuffer *buffer, size_t len, const uint8_t *bytes)
{
    fw_text_add_bytes(((fw_text_buffer *)buffer)->text, (const char *)bytes, len);
}

fw_text_buffer fw_text_buffer_on(fw_text *text) { return (fw_text_buffer){.base = {.append = append_to_text}, .text = text}; }

char *fw_telemetry_unconst(const char *s) { return (char *)(uintptr_t)(s != NULL ? s : ""); }

static bool is_text(const char *s)
{
    if (s == NULL) return true;
    size_t len = strlen(s);
    return len <= FW_TELEMETRY_MAX_TEXT && fw_utf8_valid(s, len) == len;
}

bool fw_telemetry_topic_valid(const char *topic)
{
    static const char *const kinds[] = {FW_TOPIC_PREDICTION, FW_TOPIC_PROGRESS, FW_TOPIC_ALERT, FW_TOPIC_MODEL, FW_TOPIC_SUMMARY, FW_TOPIC_OUTCOME, FW_TOPIC_KPI};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strncmp(topic, kinds[i], strlen(kinds[i])) == 0) return topic[strlen(kinds[i])] != '\0' && is_text(topic);
    return false;
}

fw_status fw_telemetry_check_own(const char *s, const char *what, fw_error *err)
{
    if (is_text(s)) return FW_OK;
    return fw_fail(err, FW_ERR_DATA, "telemetry: %s is not UTF-8 of at most %u bytes", what, FW_TELEMETRY_MAX_TEXT);
}

fw_status fw_telemetry_check_packed(fw_text *out, size_t before, fw_error *err)
{
    FW_TRY(fw_text_check(out, err));
    const size_t len = out->len - before;
    if (len <= FW_TELEMETRY_MAX_BYTES) return FW_OK;
    out->len = before;
    out->data[before] = '\0';
    return fw_fail(err, FW_ERR_ARG, "telemetry: a batch of %zu bytes is larger than %u; publish fewer rows at once", len, FW_TELEMETRY_MAX_BYTES);
}

fw_status fw_telemetry_create(fw_telemetry **out, fw_error *err)
{
    FW_AUTO(fw_telemetry) *t = calloc(1, sizeof *t);
    if (t == NULL) return fw_fail(err, FW_ERR_NOMEM, "telemetry: publisher");
    FW_TRY(fw_dict_create(&t->topics, err));
    *out = t;
    t = NULL;
    return FW_OK;
}

void fw_telemetry_destroy(fw_telemetry **t)
{
    if (t == NULL || *t == NULL) return;
    fw_dict_destroy(&(*t)->topics);
    free((*t)->states);
    free(*t);
    *t = NULL;
}

static fw_status state_of(topic_state **out, fw_telemetry *t, const char *topic, fw_error *err)
{
    if (!fw_telemetry_topic_valid(topic))
        return fw_fail(err, FW_ERR_ARG, "telemetry: topic '%.100s' is none: write %sNAME, or another kind of the contract", topic, FW_TOPIC_PREDICTION);
    int32_t code = fw_dict_find(t->topics, topic, strlen(topic));
    if (code < 0) {
        size_t n = fw_dict_size(t->topics);
        FW_TRY(fw_grow((void **)&t->states, &t->capacity, n + 1, sizeof *t->states, "telemetry topics", err));
        FW_TRY(fw_dict_add(&code, t->topics, topic, strlen(topic), err));
        t->states[code] = (topic_state){0};
    }
    *out = &t->states[code];
    return FW_OK;
}

static Flywheel__TelemetryBatch batch_of_now(void)
{
    Flywheel__TelemetryBatch batch;
    flywheel__telemetry_batch__init(&batch);
    batch.time_us = fw_utc_now_us();
    return batch;
}

static void add_varint(fw_text *out, uint64_t v)
{
    char bytes[FW_VARINT_MOST];
    fw_text_add_bytes(out, bytes, (size_t)(fw_varint_put(bytes, v) - bytes));
}

/* A body's field and its wire type (length-delimited), with which its encoding begins. */
static uint64_t body_tag(const char *topic)
{
    static const struct { const char *prefix; uint64_t field; } packed[] = {
        {FW_TOPIC_PREDICTION, 10}, {FW_TOPIC_OUTCOME, 13}, {FW_TOPIC_MODEL, 14}, {FW_TOPIC_SUMMARY, 15}, {FW_TOPIC_KPI, 16}};
    size_t i = sizeof packed / sizeof *packed;
    while (i-- > 1 && strncmp(topic, packed[i].prefix, strlen(packed[i].prefix)) != 0) {}
    return packed[i].field << 3 | 2;
}

/** The encoding of a message is the concatenation of its fields: header fields, then the body's with the packed bytes as they are.
 *      time_us | body_tag | varint len | packed */
fw_status fw_telemetry_wrap(fw_telemetry *t, fw_text *out, const char *topic, const void *packed, size_t len, uint64_t n_rows, fw_error *err)
{
    topic_state *state = NULL;
    FW_TRY(state_of(&state, t, topic, err));
    Flywheel__TelemetryBatch batch = batch_of_now();
    fw_text_clear(out);
    fw_text_buffer buffer = fw_text_buffer_on(out);
    flywheel__telemetry_batch__pack_to_buffer(&batch, &buffer.base);
    add_varint(out, body_tag(topic));
    add_varint(out, len);
    fw_text_add_bytes(out, packed, len);
    FW_TRY(fw_telemetry_check_packed(out, 0, err));
    state->batches++;
    state->rows += n_rows;
    return FW_OK;
}

static fw_status pack_batch(fw_text *out, const Flywheel__TelemetryBatch *batch, topic_state *state, fw_error *err)
{
    fw_text_clear(out);
    fw_text_buffer buffer = fw_text_buffer_on(out);
    flywheel__telemetry_batch__pack_to_buffer(batch, &buffer.base);
    FW_TRY(fw_telemetry_check_packed(out, 0, err));
    state->batches++;
    return FW_OK;
}

static fw_status check_progress(const fw_progress *p, fw_error *err)
{
    FW_TRY(fw_telemetry_check_own(p->project, "the project's name", err));
    FW_TRY(fw_telemetry_check_own(p->run, "the run's name", err));
    FW_TRY(fw_telemetry_check_own(p->event, "the event's name", err));
    if (p->n_validation > FW_TELEMETRY_MAX_VALUES)
        return fw_fail(err, FW_ERR_ARG, "telemetry: %zu validation metrics; at most %u fit", p->n_validation, FW_TELEMETRY_MAX_VALUES);
    for (size_t i = 0; i < p->n_validation; i++) FW_TRY(fw_telemetry_check_own(p->validation[i].name, "a metric's name", err));
    if (!isfinite(p->train_loss) || !isfinite(p->rows_per_s))
        return fw_fail(err, FW_ERR_NUMERIC, "telemetry: the loss or the speed of round %llu is not finite", (unsigned long long)p->round);
    return FW_OK;
}

static size_t fill_validation(Flywheel__Progress__ValidationEntry *entries, Flywheel__Progress__ValidationEntry **pointers, const fw_progress *p)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n_validation; i++) {
        if (!isfinite(p->validation[i].value)) continue;
        flywheel__progress__validation_entry__init(&entries[n]);
        entries[n].key = fw_telemetry_unconst(p->validation[i].name);
        entries[n].value = p->validation[i].value;
        pointers[n] = &entries[n];
        n++;
    }
    return n;
}

fw_status fw_telemetry_progress(fw_telemetry *t, fw_text *out, const char *topic, const fw_progress *p, fw_error *err)
{
    topic_state *state = NULL;
    FW_TRY(state_of(&state, t, topic, err));
    FW_TRY(check_progress(p, err));
    FW_FREE void *entries = NULL;
    FW_FREE void *pointers = NULL;
    FW_TRY(fw_alloc_zeroed(&entries, p->n_validation, sizeof(Flywheel__Progress__ValidationEntry), "telemetry metrics", err));
    FW_TRY(fw_alloc_zeroed(&pointers, p->n_validation, sizeof(Flywheel__Progress__ValidationEntry *), "telemetry metrics", err));
    Flywheel__Progress body;
    flywheel__progress__init(&body);
    body.project = fw_telemetry_unconst(p->project);
    body.run = fw_telemetry_unconst(p->run);
    body.event = fw_telemetry_unconst(p->event);
    body.round = p->round;
    body.step = p->step;
    body.rows = p->rows;
    body.rows_per_s = p->rows_per_s;
    body.train_loss = p->train_loss;
    body.n_validation = fill_validation(entries, pointers, p);
    body.validation = pointers;
    body.ranks = p->ranks;
    Flywheel__TelemetryBatch batch = batch_of_now();
    batch.body_case = FLYWHEEL__TELEMETRY_BATCH__BODY_PROGRESS;
    batch.progress = &body;
    return pack_batch(out, &batch, state, err);
}

static fw_status check_alert(const fw_alert *a, fw_error *err)
{
    const char *const texts[] = {a->id, a->event, a->kind, a->model, a->digest, a->subject, a->text, a->advice};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) FW_TRY(fw_telemetry_check_own(texts[i], "a text of an alert", err));
    if (a->n_features > FW_TELEMETRY_MAX_VALUES)
        return fw_fail(err, FW_ERR_ARG, "telemetry: an alert of %zu features; at most %u fit", a->n_features, FW_TELEMETRY_MAX_VALUES);
    for (size_t i = 0; i < a->n_features; i++) FW_TRY(fw_telemetry_check_own(a->features[i], "a feature's name", err));
    if (!isfinite(a->level) || !isfinite(a->threshold) || !isfinite(a->certainty))
        return fw_fail(err, FW_ERR_NUMERIC, "telemetry: a number of alert %llu is not finite", (unsigned long long)a->number);
    return FW_OK;
}

fw_status fw_telemetry_alert(fw_telemetry *t, fw_text *out, const char *topic, const fw_alert *a, fw_error *err)
{
    topic_state *state = NULL;
    FW_TRY(state_of(&state, t, topic, err));
    FW_TRY(check_alert(a, err));
    Flywheel__Alert body;
    flywheel__alert__init(&body);
    body.number = a->number;
    body.id = fw_telemetry_unconst(a->id);
    body.event_us = a->event_us;
    body.event = fw_telemetry_unconst(a->event);
    body.kind = fw_telemetry_unconst(a->kind);
    body.model = fw_telemetry_unconst(a->model);
    body.digest = fw_telemetry_unconst(a->digest);
    body.subject = fw_telemetry_unconst(a->subject);
    body.since_us = a->since_us;
    body.raised_us = a->raised_us;
    body.level = a->level;
    body.threshold = a->threshold;
    body.certainty = a->certainty;
    body.n_features = a->n_features;
    body.features = (char **)(uintptr_t)a->features;
    body.text = fw_telemetry_unconst(a->text);
    body.advice = fw_telemetry_unconst(a->advice);
    Flywheel__TelemetryBatch batch = batch_of_now();
    batch.body_case = FLYWHEEL__TELEMETRY_BATCH__BODY_ALERT;
    batch.alert = &body;
    return pack_batch(out, &batch, state, err);
}

fw_status fw_telemetry_end(fw_telemetry *t, fw_text *out, const char *topic, fw_error *err)
{
    topic_state *state = NULL;
    FW_TRY(state_of(&state, t, topic, err));
    Flywheel__End body;
    flywheel__end__init(&body);
    body.produced = state->batches;
    body.rows = state->rows;
    Flywheel__TelemetryBatch batch = batch_of_now();
    batch.body_case = FLYWHEEL__TELEMETRY_BATCH__BODY_END;
    batch.end = &body;
    return pack_batch(out, &batch, state, err);
}
