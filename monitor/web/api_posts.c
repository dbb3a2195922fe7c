/** POST /api/outcomes, POST /api/kpi: what happened in truth. Written into the store as messages of the bus, and taken in by the monitor (store_posted.h). */
#include <string.h>

#include "common/core/clock.h"
#include "common/core/size.h"
#include "monitor/store_posted.h"
#include "monitor/web/body.h"
#include "monitor/web/json.h"
#include "proto/telemetry.h"

#define MESSAGE_ROWS 10000      /* of one message, so that a large post does not hold up the watching */

/** Messages on their way into the store. */
typedef struct posting { fw_telemetry *telemetry; fw_text topic, packed; fw_text *batch; monitor_post *post; size_t n, room; } posting;

static void posting_destroy(posting *p)
{
    for (size_t i = 0; i < p->n; i++) fw_text_destroy(&p->batch[i]);
    fw_telemetry_destroy(&p->telemetry);
    fw_text_destroy(&p->topic);
    fw_text_destroy(&p->packed);
    free(p->batch);
    free(p->post);
}

static fw_status posting_begin(posting *p, const char *prefix, const char *name, size_t rows, fw_error *err)
{
    p->room = (rows + MESSAGE_ROWS - 1) / MESSAGE_ROWS;
    fw_text_format(&p->topic, "%s%s", prefix, name);
    FW_TRY(fw_text_check(&p->topic, err));
    if (!fw_telemetry_topic_valid(p->topic.data)) return fw_fail(err, FW_ERR_ARG, "a name that is empty or too long");
    FW_TRY(fw_alloc_zeroed((void **)&p->batch, p->room, sizeof *p->batch, "messages", err));
    FW_TRY(fw_alloc_zeroed((void **)&p->post, p->room, sizeof *p->post, "messages", err));
    return fw_telemetry_create(&p->telemetry, err);
}

/** What was packed is a message more. */
static fw_status posting_wrap(posting *p, size_t rows, fw_error *err)
{
    fw_text *batch = &p->batch[p->n++];
    FW_TRY(fw_telemetry_wrap(p->telemetry, batch, p->topic.data, p->packed.data, p->packed.len, rows, err));
    p->post[p->n - 1] = (monitor_post){.topic = p->topic.data, .bytes = batch->data, .len = batch->len};
    fw_text_clear(&p->packed);
    return FW_OK;
}

/** Into the store, and the answer. The reader is let go of first: the store's log would grow while it waits. */
static fw_status posting_send(monitor_answer *out, const monitor_ask *ask, const posting *p, size_t rows, fw_error *err)
{
    monitor_reader_end(ask->reader);
    FW_TRY(monitor_store_post(ask->store, p->post, p->n, fw_utc_now_us(), MONITOR_BODY_WAIT_MS, err));
    out->code = 202;
    out->accepted = rows;
    return monitor_json_answer(out, json_pack("{s:I}", "accepted", (json_int_t)rows), err);
}

/* ---- outcomes ---- */

static fw_status see_model(void *context, const monitor_model_row *row, fw_error *err)
{
    (void)row, (void)err;
    *(bool *)context = true;
    return FW_END;
}

static fw_status check_model(const monitor_ask *ask, const char *name, fw_error *err)
{
    bool there = false;
    FW_TRY(monitor_read_model(ask->reader, &(monitor_query){.name = name, .limit = 1}, see_model, &there, err));
    return there ? FW_OK : fw_fail(err, FW_ERR_NOTFOUND, "there is no model of this name here; /api/models has the names");
}

MONITOR_ANSWER(post_outcomes)
{
    __attribute__((cleanup(monitor_body_destroy))) monitor_body body = {0};
    __attribute__((cleanup(posting_destroy))) posting p = {0};
    fw_telemetry_outcomes all = {0};
    FW_TRY(monitor_body_outcomes(&all, &body, ask->body, ask->body_bytes, err));
    FW_TRY(check_model(ask, all.model, err));
    FW_TRY(posting_begin(&p, FW_TOPIC_OUTCOME, all.model, all.n, err));
    for (size_t i = 0; i < all.n; i += MESSAGE_ROWS) {
        const fw_telemetry_outcomes some = {.model = all.model, .rows = all.rows + i, .n = FW_MIN(all.n - i, (size_t)MESSAGE_ROWS)};
        FW_TRY(fw_telemetry_pack_outcomes(&p.packed, &some, err));
        FW_TRY(posting_wrap(&p, some.n, err));
    }
    return posting_send(out, ask, &p, all.n, err);
}

/* ---- KPI ---- */

MONITOR_ANSWER(post_kpi)
{
    __attribute__((cleanup(monitor_body_destroy))) monitor_body body = {0};
    __attribute__((cleanup(posting_destroy))) posting p = {0};
    fw_telemetry_kpi all = {0};
    FW_TRY(monitor_body_kpi(&all, &body, ask->body, ask->body_bytes, err));
    FW_TRY(posting_begin(&p, FW_TOPIC_KPI, all.project, all.n, err));
    for (size_t i = 0; i < all.n; i += MESSAGE_ROWS) {
        const fw_telemetry_kpi some = {.project = all.project, .name = all.name, .rows = all.rows + i, .n = FW_MIN(all.n - i, (size_t)MESSAGE_ROWS)};
        FW_TRY(fw_telemetry_pack_kpi(&p.packed, &some, err));
        FW_TRY(posting_wrap(&p, some.n, err));
    }
    return posting_send(out, ask, &p, all.n, err);
}
