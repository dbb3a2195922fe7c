/** GET /api/alerts: what rings, and what rang. POST /api/alerts/N/acknowledge, silence, resolve: what is done about it. */
#include <string.h>

#include "common/core/clock.h"
#include "common/core/time_text.h"
#include "monitor/alerts.h"
#include "monitor/store_acts.h"
#include "monitor/web/body.h"
#include "monitor/web/json.h"
#include "monitor/web/rows.h"

#define BY "page"                        /* who acts: whom the token is of */

typedef struct chosen { monitor_page *page; const char *model; size_t left; int64_t now_us; } chosen;

static json_t *alert_json(const monitor_alert_row *a, int64_t now_us)
{
    json_t *row = json_pack("{s:I, s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o}", "alert", (json_int_t)a->alert, "kind", a->kind, "state", monitor_alert_state(a, now_us),
                            "model", monitor_json_text(a->name), "version", monitor_json_text(a->digest), "subject", a->subject, "features",
                            monitor_json_parsed(a->features), "text", monitor_json_text(a->text), "advice", monitor_json_text(a->advice));
    json_t *figures = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "level", monitor_json_real(a->level), "peak", monitor_json_real(a->peak), "threshold",
                                monitor_json_real(a->threshold), "certainty", monitor_json_real(a->certainty), "since", monitor_json_time(a->since_us), "raised",
                                monitor_json_time(a->raised_us), "last", monitor_json_time(a->last_us), "acknowledged", monitor_json_time(a->acknowledged_us),
                                "silenced_until", monitor_json_time(a->silenced_until_us), "resolved", monitor_json_time(a->resolved_us));
    json_object_update(row, figures);
    json_decref(figures);
    return row;
}

static fw_status add_alert(void *context, const monitor_alert_row *a, fw_error *err)
{
    chosen *c = context;
    if (c->model != NULL && (a->name == NULL || strcmp(a->name, c->model) != 0)) return FW_OK;
    if (c->left-- == 0) return FW_END;
    return monitor_page_add(c->page, alert_json(a, c->now_us), a->raised_us, err);
}

/** since: microseconds since 1970; alerts that were raised since. open=1: those alone that are not resolved. */
MONITOR_ANSWER(alerts)
{
    FW_AUTO(monitor_page) page = {0};
    int64_t open = 0;
    FW_TRY(monitor_target_number(&open, ask->target, "open", 0, 1, 0, err));
    FW_TRY(monitor_page_begin(&page, ask, 100, 1000, err));
    chosen c = {&page, monitor_target_get(ask->target, "model"), page.query.limit, fw_utc_now_us()};
    page.query.open = open == 1;
    page.query.limit = 0;                /* counted here: rows of other models are passed over */
    FW_TRY(monitor_read_alert(ask->reader, &page.query, add_alert, &c, err));
    return monitor_page_answer(&page, out, json_object(), "alerts", err);
}

/* ---- acts ---- */

static fw_status take_alert(void *context, const monitor_alert_row *a, fw_error *err)
{
    (void)err;
    *(json_t **)context = alert_json(a, fw_utc_now_us());
    return FW_END;
}

/** The reader is on the state before the act, and then on that behind it. */
static fw_status act_on(monitor_answer *out, const monitor_ask *ask, monitor_act_kind kind, int64_t until_us, fw_error *err)
{
    const monitor_act act = {.kind = kind, .alert = ask->number, .until_us = until_us, .by = BY, .wait_ms = MONITOR_BODY_WAIT_MS};
    json_t *now = NULL;
    monitor_reader_end(ask->reader);
    const fw_status s = monitor_store_act(ask->store, &act, fw_utc_now_us(), err);
    if (s == FW_ERR_NOTFOUND) return fw_fail(err, s, "there is no alert %lld here; /api/alerts has those that are", (long long)ask->number);
    if (s < 0) return s;
    out->accepted = 1;
    FW_TRY(monitor_reader_begin(ask->reader, err));
    FW_TRY(monitor_read_alert(ask->reader, &(monitor_query){.alert = ask->number}, take_alert, &now, err));
    return monitor_json_answer(out, now, err);
}

static fw_status act_without_words(monitor_answer *out, const monitor_ask *ask, monitor_act_kind kind, fw_error *err)
{
    __attribute__((cleanup(monitor_body_destroy))) monitor_body body = {0};
    FW_TRY(monitor_body_parse(&body, ask->body, ask->body_bytes, (const char *const[]){NULL}, err));
    return act_on(out, ask, kind, 0, err);
}

MONITOR_ANSWER(acknowledge) { return act_without_words(out, ask, MONITOR_ACKNOWLEDGE, err); }
MONITOR_ANSWER(resolve) { return act_without_words(out, ask, MONITOR_RESOLVE, err); }

/** {"until": "2 h"} from now, or a moment: "2026-03-01T10:00Z". */
MONITOR_ANSWER(silence)
{
    __attribute__((cleanup(monitor_body_destroy))) monitor_body body = {0};
    const int64_t now_us = fw_utc_now_us();
    const char *text = NULL;
    int64_t until_us = 0;
    double span_s = 0;
    FW_TRY(monitor_body_parse(&body, ask->body, ask->body_bytes, (const char *const[]){"until", NULL}, err));
    FW_TRY(monitor_body_text(&text, &body, "until", err));
    if (text == NULL) return fw_fail(err, FW_ERR_ARG, "until when? Send {\"until\": \"2 h\"}, or a moment: \"2026-03-01T10:00Z\"");
    if (monitor_silence_parse(&span_s, text)) until_us = now_us + (int64_t)(span_s * 1e6);
    else if (!fw_parse_time(&until_us, text, strlen(text)) || until_us < 0 || until_us > now_us + (int64_t)(MONITOR_SILENCE_MAX_S * 1e6))
        return fw_fail(err, FW_ERR_ARG, "until: a time with its unit (90s, 30min, 2 h, 7d) or a moment (2026-03-01T10:00Z), at most a year from now");
    return act_on(out, ask, MONITOR_SILENCE, until_us, err);
}
