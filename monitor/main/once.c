#include "monitor/main/once.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/log.h"
#include "monitor/store_reader.h"
#include "monitor/web/report.h"

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
    if (r->watched == 0)
        return fw_fail(err, FW_ERR_DATA, "the recordings tell of no model with a reference, so there is nothing to hold predictions against; train it anew and record with flywheel score --record FILE");
    if (c->malformed + c->refused > 0)
        return fw_fail(err, FW_ERR_DATA, "the recordings are judged in part alone: %" PRIu64 " messages are no telemetry, %" PRIu64 " were refused, with the reasons above; predictions come before their outcomes",
                       c->malformed, c->refused);
    return FW_OK;
}

/** The sentence, in any case that can be judged. FW_ERR_CHECK: it is a bad one. */
static fw_status give_verdict(fw_text *out, const monitor_options *o, const monitor_result *r, fw_error *err)
{
    uint64_t raised = 0, open = 0;
    FW_TRY(check_whole(r, err));
    FW_TRY(open_alerts(&open, o, err));
    for (size_t k = 0; k < N_JUDGED; k++) raised += r->alerts.raised[judged[k]];
    if (raised > 0) fw_text_format(out, "%" PRIu64 " alert%s raised:", raised, raised == 1 ? " was" : "s were");
    else if (open > 0) fw_text_format(out, "no alert is new, but %" PRIu64 " of the store %s still open", open, open == 1 ? "is" : "are");
    else fw_text_add(out, "no alert was raised");
    for (size_t k = 0; k < N_JUDGED; k++)
        if (r->alerts.raised[judged[k]] > 0) fw_text_format(out, " %s %" PRIu64, monitor_alert_kind_name(judged[k]), r->alerts.raised[judged[k]]);
    FW_TRY(fw_text_check(out, err));
    return raised > 0 || open > 0 ? fw_fail(err, FW_ERR_CHECK, "%s", out->data) : FW_OK;
}

/* ---- the report -------------------------------------------------------------------------------------------------------------------------------- */

/** The page reads a store: without one of the user's, one that goes with the run. */
typedef struct place { char folder[512]; char store[560]; } place;

static fw_status make_place(place *p, fw_error *err)
{
    const char *base = getenv("TMPDIR");
    const int n = snprintf(p->folder, sizeof p->folder, "%s/flywheel-once-XXXXXX", base != NULL && *base != '\0' ? base : "/tmp");
    if (n < 0 || (size_t)n >= sizeof p->folder) return fw_fail(err, FW_ERR_CONFIG, "TMPDIR is too long a path: %s", base);
    if (mkdtemp(p->folder) == NULL) return fw_fail_errno(err, FW_ERR_IO, "%s cannot be made; set TMPDIR, or name a store with --store FILE", p->folder);
    snprintf(p->store, sizeof p->store, "%s/store", p->folder);
    return FW_OK;
}

static void remove_place(const place *p)
{
    static const char *const names[] = {"store", "store-wal", "store-shm", "store.lock"};
    char path[600];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", p->folder, names[i]);
        unlink(path);
    }
    if (rmdir(p->folder) != 0) fw_log_warn("%s is left behind: %s", p->folder, strerror(errno));
}

static fw_status write_report(const monitor_options *o, const monitor_result *r, const char *verdict, bool good, fw_error *err)
{
    if (!r->kept) return fw_fail(err, FW_ERR_IO, "report %s: its figures could not be kept in %s; see what was said of the store", o->report, o->run.store->path);
    const monitor_report_opts opts = {.path = o->report, .store = o->run.store->path, .verdict = verdict, .good = good};
    FW_TRY(monitor_report_write(&opts, err));
    fw_log_info("written: %s", o->report);
    return FW_OK;
}

static fw_status judge(monitor_options *o, fw_error *err)
{
    FW_AUTO(fw_text) verdict = {0};
    monitor_result result = {0};
    fw_error why = {0};
    FW_TRY(monitor_run(&o->run, &result, err));
    const fw_status status = give_verdict(&verdict, o, &result, err);
    if (status < 0 && status != FW_ERR_CHECK) return status;
    if (status == FW_OK) fw_log_info("%s", verdict.data);
    if (o->report == NULL || write_report(o, &result, verdict.data, status == FW_OK, &why) == FW_OK) return status;
    if (status == FW_OK) return fw_fail(err, why.status, "%s", why.text);
    fw_log_warn("%s", why.text);                 /* the verdict is the worse news */
    return status;
}

fw_status monitor_once(monitor_options *o, fw_error *err)
{
    place p;
    if (o->report == NULL || o->run.store != NULL) return judge(o, err);
    FW_TRY(make_place(&p, err));
    o->store.path = p.store;
    o->run.store = &o->store;
    const fw_status status = judge(o, err);
    remove_place(&p);
    return status;
}
