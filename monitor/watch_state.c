/** What is watched, as states of the store. "told/MODEL/BINS/ADDRESS": the model as the publisher there told it first. The others are words of 64 bits.
 *  "drift/MODEL/BINS": magic, what the windows of the model have in common, the rows that wait for a look, a hash of that, then the drift's own
 *  bytes.
 *  "window/MODEL/BINS/NUMBER": magic, one window, its counts, its evidence, the counts of its rows' times when any was told, a hash of it all. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "monitor/store_reader.h"
#include "monitor/watch_parts.h"
#include "monitor/words.h"

#define DRIFT_KEY    "drift/"
#define WINDOW_KEY   "window/"
#define MAGIC        UINT64_C(0x3448435457574646)      /* "FFWWTCH4" */
#define WINDOW_MAGIC UINT64_C(0x31444e5757574646)      /* "FFWWWND1" */

void monitor_watch_key(char *out, size_t len, const char *prefix, const watched *t)
{
    snprintf(out, len, "%s%lld/%016" PRIx64, prefix, (long long)t->model, fw_summary_shape(t->shown));
}

static void window_key(char *out, size_t len, const watched *t, const monitor_pane *p)
{
    char head[80];
    monitor_watch_key(head, sizeof head, WINDOW_KEY, t);
    snprintf(out, len, "%s/%" PRIu64, head, p->number);
}

/* ---- save ---- */

static fw_status put(const monitor_watch *w, const char *key, const fw_text *bytes, fw_error *err)
{
    FW_TRY(fw_text_check(bytes, err));
    return monitor_store_put_state(w->opts.store, &(monitor_state_row){.key = key, .at_us = fw_utc_now_us(), .bytes = {bytes->data, bytes->len}}, err);
}

static void put_words(fw_text *out, const uint64_t *word, size_t n)
{
    for (size_t i = 0; i < n; i++) monitor_put_word(out, word[i]);
}

static fw_status save_drift(const monitor_watch *w, const watched *t, fw_error *err)
{
    FW_AUTO(fw_text) bytes = {0};
    char key[80];
    const uint64_t head[] = {MAGIC, t->number, t->gone, t->all_rows, t->gaps, t->lost_rows, t->jumped_rows, (uint64_t)t->newest_us, (uint64_t)w->length_us, t->late_rows};
    put_words(&bytes, head, sizeof head / sizeof *head);
    if (t->late_rows > 0) put_words(&bytes, t->late, fw_summary_total(t->shown));
    FW_TRY(fw_text_check(&bytes, err));
    monitor_put_word(&bytes, fw_hash64(bytes.data, bytes.len, MAGIC));
    FW_TRY(monitor_drift_save(t->drift, &bytes, err));
    monitor_watch_key(key, sizeof key, DRIFT_KEY, t);
    return put(w, key, &bytes, err);
}

static fw_status save_window(const monitor_watch *w, const watched *t, const monitor_pane *p, fw_error *err)
{
    FW_AUTO(fw_text) bytes = {0};
    char key[112];
    const uint64_t head[] = {WINDOW_MAGIC, p->number, p->rows, p->revised, p->gaps, (uint64_t)p->from_us, (uint64_t)p->to_us, (uint64_t)p->length_us,
                             (uint64_t)p->reason * 2 + p->amended};
    put_words(&bytes, head, sizeof head / sizeof *head);
    put_words(&bytes, p->count, fw_summary_total(t->shown));
    for (size_t i = 0; i < fw_summary_n(t->shown) * MONITOR_N_QUESTIONS; i++) {
        uint64_t bits;
        memcpy(&bits, &p->log_e[i], sizeof bits);
        monitor_put_word(&bytes, bits);
    }
    if (fw_times_total(p->times.count) > 0) put_words(&bytes, p->times.count, FW_TIMES_N);
    FW_TRY(fw_text_check(&bytes, err));
    monitor_put_word(&bytes, fw_hash64(bytes.data, bytes.len, WINDOW_MAGIC));
    window_key(key, sizeof key, t, p);
    return put(w, key, &bytes, err);
}

static fw_status save_one(const monitor_watch *w, watched *t, fw_error *err)
{
    if (t->changed) FW_TRY(save_drift(w, t, err));
    if (t->misplaced) FW_TRY(monitor_watch_put_misplaced(w, t, err));
    t->changed = t->misplaced = false;
    FW_TRY(monitor_watch_put_newest(w, t, err));
    for (size_t i = 0; i < t->n; i++) {
        if (!t->pane[i].changed) continue;
        FW_TRY(save_window(w, t, &t->pane[i], err));
        t->pane[i].changed = false;
        t->pane[i].saved = true;
    }
    return FW_OK;
}

fw_status monitor_watch_save(monitor_watch *w, fw_error *err)
{
    if (w->opts.store == NULL) return FW_OK;
    for (size_t i = 0; i < w->n; i++)
        if (w->of[i].drift != NULL) FW_TRY(save_one(w, &w->of[i], err));
    return FW_OK;
}

fw_status monitor_watch_forget(const monitor_watch *w, const watched *t, const monitor_pane *p, fw_error *err)
{
    char key[112];
    if (w->opts.store == NULL || !p->saved) return FW_OK;
    window_key(key, sizeof key, t, p);
    return monitor_store_remove_state(w->opts.store, &(monitor_state_row){.key = key}, err);
}

/* ---- restore ---- */

typedef struct restoring { monitor_watch *w; fw_mono now; } restoring;

static bool begins(const char *text, const char *prefix) { return strncmp(text, prefix, strlen(prefix)) == 0; }

/* Behind MODEL and BINS; "": an older monitor did not note it. */
static const char *address_of(const char *key)
{
    const char *at = key + strlen(MONITOR_TOLD_KEY);
    for (int i = 0; i < 2 && at != NULL; i++) at = strchr(at, '/') != NULL ? strchr(at, '/') + 1 : NULL;
    return at != NULL ? at : "";
}

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
    FW_TRY(monitor_models_keep(&verdict, &known, r->w->models, address_of(row->key), b, &why, err));
    if (verdict == MONITOR_NEW) return monitor_watch_add(r->w, known, NULL, 0, err);
    fw_log_warn("store: state %s is no model that can be watched: %s", row->key, why.text);
    return FW_OK;
}

/** The model of a key PREFIX MODEL / BINS [/ NUMBER]; NULL: none that is watched. */
static watched *model_of(const monitor_watch *w, const char *key, const char *prefix)
{
    long long model = 0;
    uint64_t shape = 0;
    if (!begins(key, prefix) || sscanf(key + strlen(prefix), "%lld/%" SCNx64, &model, &shape) != 2) return NULL;
    for (size_t i = 0; i < w->n; i++) {
        watched *t = &w->of[i];
        if (t->drift != NULL && t->model == model && fw_summary_shape(t->shown) == shape) return t;
    }
    return NULL;
}

static bool take_words(monitor_words *in, uint64_t *word, size_t n)
{
    bool whole = in->left / 8 >= n;
    for (size_t i = 0; whole && i < n; i++) whole = monitor_take_word(in, &word[i]);
    return whole;
}

/** Counts of so many rows in each column. */
static bool take_counts(uint64_t *count, const watched *t, uint64_t rows, monitor_words *in)
{
    fw_summary_reset(t->shown);
    return take_words(in, count, fw_summary_total(t->shown)) && fw_summary_add_counts(t->shown, count, fw_summary_total(t->shown), rows, NULL) == FW_OK;
}

/** What stands before the drift's own bytes; *late is allocated when there are such rows. */
static bool take_common(uint64_t head[static 10], uint64_t **late, const watched *t, monitor_words *in)
{
    const unsigned char *begin = in->at;
    uint64_t hash = 0;
    if (!take_words(in, head, 10) || head[0] != MAGIC || head[1] >= INT64_MAX || head[2] >= INT64_MAX || head[7] > INT64_MAX) return false;
    if (head[9] > 0 && (in->left / 8 < fw_summary_total(t->shown) || fw_alloc_zeroed((void **)late, fw_summary_total(t->shown), sizeof **late, "late rows", NULL) < 0 ||
                        !take_counts(*late, t, head[9], in)))
        return false;
    const size_t len = (size_t)(in->at - begin);
    return monitor_take_word(in, &hash) && hash == fw_hash64(begin, len, MAGIC);
}

static void restore_drift(const monitor_watch *w, watched *t, const monitor_state_row *row, fw_mono now)
{
    monitor_words in = {row->bytes.data, row->bytes.len};
    uint64_t head[10], *late = NULL;
    fw_error why = {0};
    if (!take_common(head, &late, t, &in)) {
        free(late);
        fw_log_warn("store: state %s is damaged, or of another version; drift is watched anew from here on", row->key);
        return;
    }
    t->restored = true;
    t->number = head[1];
    t->gone = head[8] == (uint64_t)w->length_us ? head[2] : 0;          /* numbers of another length are not these */
    t->all_rows = head[3];
    t->gaps = head[4];
    t->lost_rows = head[5];
    t->jumped_rows = head[6];
    t->newest_us = (int64_t)head[7];
    t->late_rows = head[9];
    t->late = late;
    t->last = now;
    if (monitor_drift_restore(t->drift, in.at, in.left, &why) < 0) fw_log_warn("store: state %s: %s", row->key, why.text);
}

static bool take_pane(watched *t, monitor_pane *p, const uint64_t *head, monitor_words *in)
{
    uint64_t bits;
    if (!take_counts(p->count, t, head[2], in)) {
        memset(p->count, 0, fw_summary_total(t->shown) * sizeof *p->count);
        return false;
    }
    for (size_t i = 0; i < fw_summary_n(t->shown) * MONITOR_N_QUESTIONS && monitor_take_word(in, &bits); i++) memcpy(&p->log_e[i], &bits, sizeof bits);
    if (!take_words(in, p->times.count, FW_TIMES_N) || fw_times_total(p->times.count) > head[2]) p->times = (fw_times){0};      /* none was told */
    p->rows = head[2];
    p->revised = head[3];
    p->gaps = head[4];
    p->from_us = (int64_t)head[5];
    p->to_us = (int64_t)head[6];
    p->reason = (monitor_reason)(head[8] / 2);
    p->amended = head[8] % 2 != 0;
    p->changed = false;
    p->saved = true;
    return true;
}

/** The head of a window whose bytes are whole. */
static bool take_head(uint64_t head[static 9], monitor_words *in)
{
    monitor_words end = {in->at + (in->left >= 8 ? in->left - 8 : 0), FW_MIN(in->left, 8)};
    uint64_t hash = 0;
    if (in->left < 80 || !monitor_take_word(&end, &hash) || hash != fw_hash64(in->at, in->left - 8, WINDOW_MAGIC)) return false;
    in->left -= 8;
    return take_words(in, head, 9) && head[0] == WINDOW_MAGIC && head[1] < INT64_MAX && head[5] <= INT64_MAX && head[6] <= INT64_MAX && head[7] <= INT64_MAX &&
           head[8] / 2 <= MONITOR_END;
}

/** Closed windows of another length can't be amended any more; an open one is closed at the next tick. */
static fw_status restore_window(const monitor_watch *w, watched *t, const monitor_state_row *row, fw_mono now, fw_error *err)
{
    monitor_words in = {row->bytes.data, row->bytes.len};
    monitor_pane *p = NULL;
    uint64_t head[9];
    const bool whole = take_head(head, &in);
    if (whole && head[8] / 2 != MONITOR_OPEN && (int64_t)head[7] != w->length_us) return monitor_store_remove_state(w->opts.store, row, err);
    if (whole) FW_TRY(monitor_pane_make(&p, t, head[1], (int64_t)head[7], err));
    if (!whole || !take_pane(t, p, head, &in)) fw_log_warn("store: state %s is damaged; the rows of its window that were not told of yet are lost", row->key);
    t->last = now;
    return FW_OK;
}

static fw_status restore_drifts(void *context, const monitor_state_row *row, fw_error *err)
{
    const restoring *r = context;
    watched *t = model_of(r->w, row->key, DRIFT_KEY);
    (void)err;
    if (t != NULL) restore_drift(r->w, t, row, r->now);
    return FW_OK;
}

static fw_status restore_windows(void *context, const monitor_state_row *row, fw_error *err)
{
    const restoring *r = context;
    watched *t = model_of(r->w, row->key, WINDOW_KEY);
    return t != NULL ? restore_window(r->w, t, row, r->now, err) : FW_OK;
}

/** No number is given twice, whatever became of the states. */
static fw_status pass_number(void *context, const monitor_window_row *row, fw_error *err)
{
    watched *t = context;
    (void)err;
    t->number = FW_MAX(t->number, (uint64_t)row->number + 1);
    return FW_END;
}

fw_status monitor_watch_restore(monitor_watch *w, const char *path, fw_mono now, fw_error *err)
{
    static const monitor_state_fn pass[] = {restore_model, restore_drifts, restore_windows};
    FW_AUTO(monitor_reader) *reader = NULL;
    restoring r = {w, now};
    FW_TRY(monitor_reader_open(&reader, path, err));
    fw_status s = FW_OK;
    for (size_t i = 0; s >= 0 && i < sizeof pass / sizeof *pass; i++) s = monitor_read_state(reader, NULL, pass[i], &r, err);
    for (size_t i = 0; s >= 0 && i < w->n; i++)
        if (!w->of[i].restored) s = monitor_read_window(reader, &(monitor_query){.model = w->of[i].model, .newest_first = true, .limit = 1}, pass_number, &w->of[i], err);
    return s < 0 ? fw_wrap(err, s, "store %s", path) : FW_OK;
}
