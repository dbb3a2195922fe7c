#include "monitor/main/once.h"

#include <inttypes.h>
#include <string.h>

#include "common/core/log.h"
#include "monitor/store_reader.h"

/** What makes a model's data, or the model, no good any more. Lost messages and silent publishers are no judgement of either. */
static const monitor_alert_kind judged[] = {MONITOR_ALERT_DRIFT, MONITOR_ALERT_MISSING, MONITOR_ALERT_UNSEEN, MONITOR_ALERT_PERFORMANCE, MONITOR_ALERT_KPI};
#define N_JUDGED (sizeof judged / sizeof *judged)

/* ---- the verdict ------------------------------------------------------------------------------------------------------------------------------- */

static fw_status count_open(void *context, const monitor_alert_row *row, fw_error *err)
{
    uint64_t *n = context;
    (void)err;
    for (size_t k = 0; k < N_JUDGED; k++) *n += strcmp(row->kind, monitor_alert_kind_name(judged[k])) == 0;
    return FW_OK;
}

/** Also those that an earlier run on this store has raised. */
static fw_status open_alerts(uint64_t *n, const monitor_options *o, fw_error *err)
{
    FW_AUTO(monitor_reader) *reader = NULL;
    *n = 0;
    if (o->run.store == NULL) return FW_OK;
    FW_TRY(monitor_reader_open(&reader, o->run.store->path, err));
    return monitor_read_alert(reader, &(monitor_query){.open = true}, count_open, n, err);
}

/** A recording of which a part could not be judged is no "nothing has drifted". */
static fw_status check_whole(const monitor_result *r, fw_error *err)
{
    const monitor_counts *c = &r->messages;
    if (c->malformed + c->refused > 0)
        return fw_fail(err, FW_ERR_DATA, "the recordings are judged in part alone: %" PRIu64 " messages are no telemetry, %" PRIu64 " were refused; the reasons are above", c->malformed, c->refused);
    if (r->watched == 0)
        return fw_fail(err, FW_ERR_DATA, "the recordings tell of no model with a reference, so there is nothing to hold predictions against; train it anew");
    return FW_OK;
}

static fw_status give_verdict(const monitor_options *o, const monitor_result *r, fw_error *err)
{
    FW_AUTO(fw_text) kinds = {0};
    uint64_t raised = 0, open = 0;
    FW_TRY(check_whole(r, err));
    FW_TRY(open_alerts(&open, o, err));
    for (size_t k = 0; k < N_JUDGED; k++) {
        const uint64_t n = r->alerts.raised[judged[k]];
        if (n > 0) fw_text_format(&kinds, "%s%s %" PRIu64, raised > 0 ? ", " : "", monitor_alert_kind_name(judged[k]), n);
        raised += n;
    }
    FW_TRY(fw_text_check(&kinds, err));
    if (raised > 0) return fw_fail(err, FW_ERR_CHECK, "%" PRIu64 " alert%s raised: %s", raised, raised == 1 ? " was" : "s were", kinds.data);
    if (open > 0) return fw_fail(err, FW_ERR_CHECK, "no alert is new, but %" PRIu64 " of %s %s still open", open, o->run.store->path, open == 1 ? "is" : "are");
    fw_log_info("no alert was raised");
    return FW_OK;
}

fw_status monitor_once(monitor_options *o, fw_error *err)
{
    monitor_result result = {0};
    FW_TRY(monitor_run(&o->run, &result, err));
    return give_verdict(o, &result, err);
}
