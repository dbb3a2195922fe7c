/** GET /api/models, /api/windows, /api/publishers: what predicts, and how much of it arrives. */
#include <stdio.h>

#include "monitor/web/json.h"
#include "monitor/web/rows.h"

#define STREAM_BYTES 16

static fw_status add_model(void *context, const monitor_model_row *m, fw_error *err)
{
    return monitor_page_add(context,
                            json_pack("{s:s, s:s, s:o, s:o, s:I, s:b, s:o, s:o}", "name", m->name, "version", m->digest, "task", monitor_json_text(m->task), "classes",
                                      monitor_json_parsed(m->classes), "predictions", (json_int_t)m->predictions, "reference", m->reference.len > 0, "first",
                                      monitor_json_time(m->first_us), "last", monitor_json_time(m->last_us)),
                            m->last_us, err);
}

/** since: microseconds since 1970; models that were heard of since. */
MONITOR_ANSWER(models)
{
    FW_AUTO(monitor_page) page = {0};
    FW_TRY(monitor_page_begin(&page, ask, 100, 1000, err));
    FW_TRY(monitor_read_model(ask->reader, &page.query, add_model, &page, err));
    return monitor_page_answer(&page, out, json_object(), "models", err);
}

static fw_status add_window(void *context, const monitor_window_row *w, fw_error *err)
{
    json_t *row = json_pack("{s:I, s:o, s:o, s:I, s:I, s:o}", "number", (json_int_t)w->number, "from", monitor_json_time(w->from_us), "to", monitor_json_time(w->to_us),
                            "rows", (json_int_t)w->rows, "revised", (json_int_t)w->revised, "closed", monitor_json_text(w->closed));
    json_t *body = monitor_json_parsed(w->body);
    json_object_update_missing(row, body);
    json_decref(body);
    return monitor_page_add(context, row, w->to_us, err);
}

/** since: microseconds since 1970; windows that ended since. */
MONITOR_ANSWER(windows)
{
    FW_AUTO(monitor_page) page = {0};
    FW_AUTO(monitor_asked_model) model = {0};
    FW_TRY(monitor_asked_model_find(&model, ask, err));
    FW_TRY(monitor_page_begin(&page, ask, 100, 1000, err));
    page.query.model = model.model;
    FW_TRY(monitor_read_window(ask->reader, &page.query, add_window, &page, err));
    return monitor_page_answer(&page, out, json_incref(model.about), "windows", err);
}

static fw_status add_publisher(void *context, const monitor_publisher_row *p, fw_error *err)
{
    char stream[2 * STREAM_BYTES + 1] = "";
    json_t *dropped = monitor_json_parsed(p->reasons), *refused = json_incref(json_object_get(dropped, "refused"));
    json_object_del(dropped, "refused");
    for (size_t i = 0; i < STREAM_BYTES && i < p->stream.len; i++) snprintf(stream + 2 * i, 3, "%02x", ((const unsigned char *)p->stream.data)[i]);
    return monitor_page_add(context,
                            json_pack("{s:s, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o, s:o?, s:I, s:I, s:I, s:o, s:o, s:b}", "stream", stream, "name", monitor_json_text(p->name),
                                      "address", monitor_json_text(p->address), "position", (json_int_t)p->position, "produced", (json_int_t)p->produced, "delivered",
                                      (json_int_t)p->delivered, "spooled", (json_int_t)p->spooled, "dropped", (json_int_t)p->dropped, "reasons",
                                      dropped, "refused", refused, "missing", (json_int_t)p->missing, "duplicates", (json_int_t)p->duplicates, "malformed",
                                      (json_int_t)p->malformed, "first", monitor_json_time(p->first_us), "heard", monitor_json_time(p->heard_us), "ended", p->ended != 0),
                            p->heard_us, err);
}

/** since: microseconds since 1970; publishers that were heard since. */
MONITOR_ANSWER(publishers)
{
    FW_AUTO(monitor_page) page = {0};
    FW_TRY(monitor_page_begin(&page, ask, 100, 1000, err));
    FW_TRY(monitor_read_publisher(ask->reader, &page.query, add_publisher, &page, err));
    return monitor_page_answer(&page, out, json_object(), "publishers", err);
}
