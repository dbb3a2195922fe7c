/** What the intake counts as JSON, and back.
 *      {"counts": {...}, "streams": [{"stream": 32 hex digits, "last", "lost"}], "senders": [{"stream", "name", "digest"}],
 *       "models": [{"topic", "name", "digest", "from", "classes", totals, "window": {...}}]} */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "monitor/intake_parts.h"

/* ---- save ---- */

static json_t *number(uint64_t v) { return json_integer((json_int_t)v); }

static json_t *counts_object(const monitor_counts *c)
{
    return json_pack("{so so so so}", "malformed", number(c->malformed), "refused", number(c->refused), "gaps", number(c->gaps), "ends", number(c->ends));
}

/** NULL: no memory. Takes items over. */
static bool append(json_t *list, json_t *item) { return json_array_append_new(list, item) == 0; }

#define STREAM_TEXT (2 * FW_STREAM_BYTES + 1)
static const char *stream_text(char out[static STREAM_TEXT], const fw_stream *s)
{
    for (size_t k = 0; k < FW_STREAM_BYTES; k++) snprintf(out + 2 * k, 3, "%02x", s->bytes[k]);
    return out;
}

static json_t *streams_list(const monitor_intake *in)
{
    bool whole = true;
    char text[STREAM_TEXT];
    json_t *list = json_array();
    for (size_t i = 0; i < in->n_positions; i++) {
        stream_text(text, &in->positions[i].stream);
        whole = append(list, json_pack("{ss so so}", "stream", text, "last", number(in->positions[i].last), "lost", number(in->positions[i].lost))) && whole;
    }
    if (whole) return list;
    json_decref(list);
    return NULL;
}

static json_t *senders_list(const monitor_senders *s)
{
    bool whole = true;
    char text[STREAM_TEXT];
    json_t *list = json_array();
    for (size_t i = 0; i < s->n; i++)
        whole = append(list, json_pack("{ss ss ss}", "stream", stream_text(text, &s->of[i].stream), "name", s->of[i].name, "digest", s->of[i].digest)) && whole;
    if (whole) return list;
    json_decref(list);
    return NULL;
}

static json_t *window_object(const monitor_window *w)
{
    const monitor_window_state s = monitor_window_save(w);
    json_t *counts = json_array();
    bool whole = true;
    for (size_t i = 0; i < s.n_classes; i++) whole = append(counts, number(s.counts[i])) && whole;
    json_t *o = json_pack("{so so so sf sf so}", "number", number(s.number), "predictions", number(s.predictions), "gaps", number(s.gaps),
                          "confidence", s.confidence, "value", s.value, "counts", counts);
    if (whole) return o;
    json_decref(o);
    return NULL;
}

static json_t *model_object(const tracked *t)
{
    const monitor_model *m = &t->model;
    json_t *classes = json_array();
    bool whole = true;
    for (size_t i = 0; i < m->n_classes; i++) whole = append(classes, json_string(m->classes[i])) && whole;
    json_t *o = json_pack("{ss ss ss ss so so so sb so}", "topic", m->topic, "name", m->name, "digest", m->digest, "from", t->from, "classes", classes, "predictions",
                          number(m->predictions), "gaps", number(m->gaps), "news", t->news, "window", window_object(t->window));
    if (whole) return o;
    json_decref(o);
    return NULL;
}

fw_status monitor_intake_save(const monitor_intake *in, fw_text *out, fw_error *err)
{
    json_t *models = json_array();
    bool whole = true;
    for (size_t i = 0; i < in->n_models; i++) whole = append(models, model_object(&in->models[i])) && whole;
    json_t *all = json_pack("{so so so so}", "counts", counts_object(&in->counts), "streams", streams_list(in), "senders", senders_list(&in->senders), "models", models);
    char *text = whole && all != NULL ? json_dumps(all, JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    json_decref(all);
    if (text == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: what it counts, as JSON");
    fw_text_add(out, text);
    free(text);
    return fw_text_check(out, err);
}

/* ---- load ---- */

static fw_status does_not_fit(fw_error *err, const char *what)
{
    return fw_fail(err, FW_ERR_FORMAT, "monitor: what was kept of its counts is damaged: %s", what);
}

static bool get_number(uint64_t *out, const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    if (!json_is_integer(v) || json_integer_value(v) < 0) return false;
    *out = (uint64_t)json_integer_value(v);
    return true;
}

static bool get_real(double *out, const json_t *object, const char *name)
{
    const json_t *v = json_object_get(object, name);
    *out = json_number_value(v);
    return json_is_number(v);
}

static bool get_text(const char **out, const json_t *object, const char *name) { return (*out = json_string_value(json_object_get(object, name))) != NULL; }

static bool read_stream(fw_stream *out, const char *text)
{
    if (strlen(text) != 2 * FW_STREAM_BYTES || strspn(text, "0123456789abcdef") != 2 * FW_STREAM_BYTES) return false;
    for (size_t i = 0; i < FW_STREAM_BYTES; i++) {
        const char digits[3] = {text[2 * i], text[2 * i + 1], '\0'};
        out->bytes[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    return true;
}

static fw_status load_streams(monitor_intake *in, const json_t *list, fw_error *err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        const char *text = NULL;
        fw_stream stream;
        uint64_t last = 0, lost = 0;
        if (!get_text(&text, o, "stream") || !read_stream(&stream, text) || !get_number(&last, o, "last") || last > FW_BUS_MAX_SEQUENCE ||
            !get_number(&lost, o, "lost") || lost > last)
            return does_not_fit(err, "a stream");
        FW_TRY(monitor_intake_set_position(in, &stream, last, err));
        monitor_intake_position(in, &stream)->lost = lost;
    }
    return FW_OK;
}

static fw_status load_senders(monitor_intake *in, const json_t *list, fw_error *err)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *o = json_array_get(list, i);
        const char *text = NULL, *name = NULL, *digest = NULL;
        fw_stream stream;
        if (!get_text(&text, o, "stream") || !read_stream(&stream, text) || !get_text(&name, o, "name") || !get_text(&digest, o, "digest"))
            return does_not_fit(err, "a publisher of a model");
        FW_TRY(monitor_senders_note(&in->senders, &stream, name, digest, err));
    }
    return FW_OK;
}

static fw_status load_window(monitor_window *w, const json_t *o, size_t n_classes, fw_mono now, fw_error *err)
{
    const json_t *list = json_object_get(o, "counts");
    FW_FREE void *space = NULL;
    monitor_window_state s = {.n_classes = n_classes};
    if (json_array_size(list) != n_classes || !get_number(&s.number, o, "number") || !get_number(&s.predictions, o, "predictions") ||
        !get_number(&s.gaps, o, "gaps") || !get_real(&s.confidence, o, "confidence") ||
        !get_real(&s.value, o, "value"))
        return does_not_fit(err, "a window");
    FW_TRY(fw_alloc_zeroed(&space, n_classes, sizeof(uint64_t), "class counts", err));
    uint64_t *counts = space;
    for (size_t i = 0; i < n_classes; i++) counts[i] = (uint64_t)json_integer_value(json_array_get(list, i));
    s.counts = counts;
    return monitor_window_restore(w, &s, now, err);
}

static fw_status load_model(monitor_intake *in, const json_t *o, fw_mono now, fw_error *err)
{
    const json_t *list = json_object_get(o, "classes");
    const char *topic = NULL, *from = NULL;
    fw_telemetry_batch b = {0};
    FW_FREE void *space = NULL;
    tracked *t = NULL;
    const size_t n = json_array_size(list);
    FW_TRY(fw_alloc_zeroed(&space, n, sizeof(char *), "class names", err));
    const char **classes = space;
    bool whole = n <= FW_TELEMETRY_MAX_CLASSES && get_text(&topic, o, "topic") && get_text(&b.predictions.model, o, "name") &&
                 get_text(&b.predictions.digest, o, "digest");
    for (size_t i = 0; whole && i < n; i++) whole = (classes[i] = json_string_value(json_array_get(list, i))) != NULL;
    if (!whole) return does_not_fit(err, "a model");
    b.predictions.classes = classes;
    b.predictions.n_classes = n;
    in->from = get_text(&from, o, "from") ? from : "";      /* older monitors did not note it */
    const fw_status added = monitor_intake_add_model(&t, in, topic, &b, err);
    in->from = "";
    if (added < 0) return added;
    if (t == NULL) return does_not_fit(err, "more models than there is room for");
    if (!get_number(&t->model.predictions, o, "predictions") || !get_number(&t->model.gaps, o, "gaps"))
        return does_not_fit(err, "the totals of a model");
    t->news = json_is_true(json_object_get(o, "news"));
    return load_window(t->window, json_object_get(o, "window"), n, now, err);
}

static fw_status load_all(monitor_intake *in, const json_t *all, fw_mono now, fw_error *err)
{
    const json_t *counts = json_object_get(all, "counts"), *models = json_object_get(all, "models");
    monitor_counts *c = &in->counts;
    if (!get_number(&c->malformed, counts, "malformed") || !get_number(&c->refused, counts, "refused") || !get_number(&c->gaps, counts, "gaps") ||
        !get_number(&c->ends, counts, "ends"))
        return does_not_fit(err, "its counts");
    FW_TRY(load_streams(in, json_object_get(all, "streams"), err));
    FW_TRY(load_senders(in, json_object_get(all, "senders"), err));
    for (size_t i = 0; i < json_array_size(models); i++) FW_TRY(load_model(in, json_array_get(models, i), now, err));
    return FW_OK;
}

fw_status monitor_intake_load(monitor_intake *in, const char *json, size_t len, fw_mono now, fw_error *err)
{
    json_error_t why;
    json_t *all = json_loadb(json, len, JSON_REJECT_DUPLICATES, &why);
    if (all == NULL) return does_not_fit(err, why.text);
    const fw_status s = load_all(in, all, now, err);
    json_decref(all);
    return s;
}
