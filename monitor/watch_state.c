/** What is watched, as states of the store. "told/MODEL/BINS": the model as it was told. "drift/MODEL/BINS": words of 64 bits: number, rows and times of the
 *  open window, its counts, then the drift's own bytes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/core/log.h"
#include "common/core/size.h"
#include "monitor/store_reader.h"
#include "monitor/watch_parts.h"
#include "monitor/words.h"

#define DRIFT_KEY "drift/"
#define MAGIC     UINT64_C(0x3348435457574646)      /* "FFWWTCH3" */

void monitor_watch_key(char *out, size_t len, const char *prefix, const watched *t)
{
    snprintf(out, len, "%s%lld/%016" PRIx64, prefix, (long long)t->model, fw_summary_shape(t->open));
}

/* ---- save ---- */

static fw_status save_one(const monitor_watch *w, const watched *t, fw_error *err)
{
    FW_AUTO(fw_text) bytes = {0};
    char key[80];
    const uint64_t head[] = {MAGIC, t->number, t->all_rows, t->rows, (uint64_t)t->from_us, (uint64_t)t->to_us, t->gaps};
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) monitor_put_word(&bytes, head[i]);
    for (size_t i = 0; i < fw_summary_total(t->open); i++) monitor_put_word(&bytes, fw_summary_counts(t->open, 0)[i]);
    FW_TRY(fw_text_check(&bytes, err));
    FW_TRY(monitor_drift_save(t->drift, &bytes, err));
    monitor_watch_key(key, sizeof key, DRIFT_KEY, t);
    return monitor_store_put_state(w->opts.store, &(monitor_state_row){.key = key, .at_us = fw_utc_now_us(), .bytes = {bytes.data, bytes.len}}, err);
}

fw_status monitor_watch_save(monitor_watch *w, fw_error *err)
{
    if (w->opts.store == NULL) return FW_OK;
    for (size_t i = 0; i < w->n; i++) {
        if (!w->of[i].changed) continue;
        FW_TRY(save_one(w, &w->of[i], err));
        w->of[i].changed = false;
    }
    return FW_OK;
}

/* ---- restore ---- */

typedef struct restoring { monitor_watch *w; fw_mono now; } restoring;

static bool begins(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

static fw_status restore_model(void *context, const monitor_state_row *row, fw_error *err)
{
    const restoring *r = context;
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    fw_error why = {0};
    monitor_verdict verdict;
    const monitor_known *known = NULL;
    if (!begins(row->key, MONITOR_TOLD_KEY)) return FW_OK;
    const fw_status s = fw_telemetry_decode(&b, NULL, row->bytes.data, row->bytes.len, &why);
    if (s < 0) return fw_fail(err, s, "state %s: %s", row->key, why.text);
    FW_TRY(monitor_models_take(&verdict, &known, r->w->models, b, &why, err));
    if (verdict == MONITOR_NEW) return monitor_watch_add(r->w, known, NULL, 0, err);
    fw_log_warn("store: state %s is no model that can be watched: %s", row->key, why.text);
    return FW_OK;
}

/** Its counts are the rows of the open window, or it is not of these bins. */
static bool take_counts(watched *t, const watched *head, monitor_words *in)
{
    const size_t n = fw_summary_total(t->open);
    FW_FREE uint64_t *count = NULL;
    if (in->left / 8 < n || fw_alloc_zeroed((void **)&count, n, sizeof *count, "counts", NULL) < 0) return false;
    for (size_t i = 0; i < n; i++) monitor_take_word(in, &count[i]);
    return fw_summary_add_counts(t->open, count, n, head->rows, NULL) == FW_OK;
}

static bool take_head(watched *head, monitor_words *in)
{
    uint64_t magic = 0, from = 0, to = 0;
    const bool whole = monitor_take_word(in, &magic) && monitor_take_word(in, &head->number) && monitor_take_word(in, &head->all_rows) &&
                       monitor_take_word(in, &head->rows) && monitor_take_word(in, &from) && monitor_take_word(in, &to) && monitor_take_word(in, &head->gaps);
    head->from_us = (int64_t)from;
    head->to_us = (int64_t)to;
    return whole && magic == MAGIC && head->number < INT64_MAX && head->rows <= head->all_rows;
}

static fw_status restore_drift(watched *t, const monitor_state_row *row, fw_mono now)
{
    monitor_words in = {row->bytes.data, row->bytes.len};
    watched head = {0};
    fw_error why = {0};
    const bool headed = take_head(&head, &in);
    if (headed) {
        t->number = head.number;
        t->all_rows = head.all_rows;
    }
    if (!headed || !take_counts(t, &head, &in)) {
        fw_log_warn("store: state %s is damaged; drift is watched anew from here on", row->key);
        return FW_OK;
    }
    t->rows = head.rows;
    t->from_us = head.from_us;
    t->to_us = head.to_us;
    t->gaps = head.gaps;
    t->opened = t->last = now;
    if (monitor_drift_restore(t->drift, in.at, in.left, &why) < 0) fw_log_warn("store: state %s: %s", row->key, why.text);
    return FW_OK;
}

static fw_status restore_state(void *context, const monitor_state_row *row, fw_error *err)
{
    const restoring *r = context;
    char key[80];
    (void)err;
    for (size_t i = 0; begins(row->key, DRIFT_KEY) && i < r->w->n; i++) {
        watched *t = &r->w->of[i];
        if (t->drift == NULL) continue;
        monitor_watch_key(key, sizeof key, DRIFT_KEY, t);
        if (strcmp(key, row->key) == 0) return restore_drift(t, row, r->now);
    }
    return FW_OK;
}

fw_status monitor_watch_restore(monitor_watch *w, const char *path, fw_mono now, fw_error *err)
{
    FW_AUTO(monitor_reader) *reader = NULL;
    restoring r = {w, now};
    FW_TRY(monitor_reader_open(&reader, path, err));
    fw_status s = monitor_read_state(reader, NULL, restore_model, &r, err);
    if (s >= 0) s = monitor_read_state(reader, NULL, restore_state, &r, err);
    return s < 0 ? fw_wrap(err, s, "store %s", path) : FW_OK;
}
