/** GET /api/alerts: what rings, and what rang. */
#include <string.h>

#include "common/core/clock.h"
#include "monitor/alerts.h"
#include "monitor/web/json.h"
#include "monitor/web/rows.h"

typedef struct chosen { monitor_page *page; const char *model; size_t left; int64_t now_us; } chosen;

static fw_status add_alert(void *context, const monitor_alert_row *a, fw_error *err)
{
    chosen *c = context;
    if (c->model != NULL && (a->name == NULL || strcmp(a->name, c->model) != 0)) return FW_OK;
    if (c->left-- == 0) return FW_END;
    json_t *row = json_pack("{s:I, s:s, s:s, s:o, s:o, s:s, s:o, s:o, s:o}", "alert", (json_int_t)a->alert, "kind", a->kind, "state", monitor_alert_state(a, c->now_us),
                            "model", monitor_json_text(a->name), "version", monitor_json_text(a->digest), "subject", a->subject, "features",
                            monitor_json_parsed(a->features), "text", monitor_json_text(a->text), "advice", monitor_json_text(a->advice));
    json_t *figures = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "level", monitor_json_real(a->level), "peak", monitor_json_real(a->peak), "threshold",
                                monitor_json_real(a->threshold), "certainty", monitor_json_real(a->certainty), "since", monitor_json_time(a->since_us), "raised",
                                monitor_json_time(a->raised_us), "last", monitor_json_time(a->last_us), "acknowledged", monitor_json_time(a->acknowledged_us),
                                "silenced_until", monitor_json_time(a->silenced_until_us), "resolved", monitor_json_time(a->resolved_us));
    json_object_update(row, figures);
    json_decref(figures);
    return monitor_page_add(c->page, row, a->raised_us, err);
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
