#include "monitor/recorder.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "monitor/bodies.h"
#include "monitor/store_reader.h"
#include "monitor/store_versions.h"

#define STATE_KEY  "intake"
#define TIDY_S     60.0
#define TIDY_BYTES ((size_t)16 << 20)      /* or when so much was written: the store's bound holds however fast it grows */

struct monitor_recorder {
    monitor_store *store;
    monitor_sink next;
    bool (*is_left)(const void *context, const monitor_model *m);
    const void *left_by;
    fw_mono tidy_at;
    size_t written;                    /* bytes since it was tidied */
    uint64_t dropped;                  /* rows, as far as it was told */
    bool in_trouble;
    fw_error failed;                   /* of a put: the sink has no status */
};

fw_status monitor_recorder_create(monitor_recorder **out, monitor_store *store, const monitor_sink *next, fw_error *err)
{
    monitor_recorder *r = calloc(1, sizeof *r);
    if (r == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: recorder");
    r->store = store;
    r->next = *next;
    r->tidy_at = fw_mono_now();
    *out = r;
    return FW_OK;
}

void monitor_recorder_destroy(monitor_recorder **r)
{
    free(*r);
    *r = NULL;
}

/* ---- rows ---- */

static fw_status body_of(char **json, const monitor_summary *s, fw_error *err)
{
    const monitor_window_body b = {.seconds = s->seconds, .rate = s->rate > 0 ? s->rate : NAN, .confidence = s->n_classes > 0 ? s->confidence : NAN,
                                   .value = s->n_classes > 0 ? NAN : s->value, .gaps = s->gaps, .counts = s->counts, .n_classes = s->n_classes,
                                   .latency_p50_s = NAN, .latency_p90_s = NAN, .latency_p99_s = NAN};
    return monitor_window_body_write(json, &b, err);
}

static fw_status put_window(const monitor_recorder *r, const monitor_model *m, const monitor_summary *s, fw_error *err)
{
    const int64_t now_us = fw_utc_now_us();
    int64_t number = 0;
    const monitor_store_version v = {.name = m->name, .digest = m->digest, .classes = (const char *const *)m->classes, .n_classes = m->n_classes, .predictions = m->predictions};
    FW_TRY(monitor_store_put_version(&number, r->store, &v, err));
    FW_FREE char *body = NULL;
    FW_TRY(body_of(&body, s, err));
    const monitor_window_row row = {.model = number, .number = (int64_t)s->number, .from_us = now_us - (int64_t)(s->seconds * 1e6), .to_us = now_us,
                                    .rows = (int64_t)s->predictions, .closed = monitor_reason_text(s->reason), .body = body};
    return monitor_store_put_window(r->store, &row, err);
}

static void on_window(void *context, const monitor_model *m, const monitor_summary *s)
{
    monitor_recorder *r = context;
    fw_error err = {0};
    const bool left = r->is_left != NULL && r->is_left(r->left_by, m);
    if (!left && put_window(r, m, s, &err) < 0) r->failed = err;
    r->next.window(r->next.context, m, s);
}

static void on_total(void *context, const monitor_model *m)
{
    monitor_recorder *r = context;
    r->next.total(r->next.context, m);
}

monitor_sink monitor_recorder_sink(monitor_recorder *r) { return (monitor_sink){.context = r, .window = on_window, .total = on_total}; }

void monitor_recorder_leave(monitor_recorder *r, bool (*is_left)(const void *context, const monitor_model *m), const void *context)
{
    r->is_left = is_left;
    r->left_by = context;
}

/* ---- restore, commit ---- */

typedef struct loading { monitor_intake *in; fw_mono now; } loading;

static fw_status load_state(void *context, const monitor_state_row *row, fw_error *err)
{
    const loading *l = context;
    return monitor_intake_load(l->in, row->bytes.data, row->bytes.len, l->now, err);
}

fw_status monitor_recorder_restore(monitor_intake *in, const char *path, fw_mono now, fw_error *err)
{
    FW_AUTO(monitor_reader) *reader = NULL;
    loading l = {in, now};
    FW_TRY(monitor_reader_open(&reader, path, err));
    const fw_status s = monitor_read_state(reader, &(monitor_query){.name = STATE_KEY}, load_state, &l, err);
    return s < 0 ? fw_wrap(err, s, "store %s", path) : FW_OK;
}

static void tell_health(monitor_recorder *r, fw_status s, const fw_error *why)
{
    const monitor_store_health h = monitor_store_check(r->store);
    if (s < 0 && !r->in_trouble) fw_log_warn("%s. The monitor goes on in memory and tries again; until then a restart begins where the store ends", why->text);
    if (s >= 0 && r->in_trouble) fw_log_info("the store writes again; %llu rows could not be kept", (unsigned long long)(h.dropped_rows - r->dropped));
    if (s >= 0) r->dropped = h.dropped_rows;
    r->in_trouble = s < 0;
}

static void tidy(monitor_recorder *r)
{
    fw_error err = {0};
    bool more = false;
    if (!fw_mono_passed(r->tidy_at) && r->written < TIDY_BYTES) return;
    const fw_status s = monitor_store_tidy(r->store, fw_utc_now_us(), &more, &err);
    if (s < 0) fw_log_warn("%s", err.text);
    r->written = 0;
    r->tidy_at = fw_mono_after(fw_mono_now(), more && s >= 0 ? 0 : TIDY_S);
}

fw_status monitor_recorder_commit(monitor_recorder *r, const monitor_intake *in, fw_error *err)
{
    FW_AUTO(fw_text) state = {0};
    fw_error why = {0};
    if (r->failed.status < 0) return fw_fail(err, r->failed.status, "%s", r->failed.text);
    FW_TRY(monitor_intake_save(in, &state, err));
    const monitor_state_row row = {.key = STATE_KEY, .at_us = fw_utc_now_us(), .bytes = {state.data, state.len}};
    FW_TRY(monitor_store_put_state(r->store, &row, err));
    const size_t bytes = monitor_store_check(r->store).waiting_bytes;
    const fw_status s = monitor_store_commit(r->store, &why);
    if (s == FW_ERR_NOMEM) return fw_fail(err, s, "%s", why.text);
    tell_health(r, s, &why);
    if (s < 0) return FW_OK;
    r->written += bytes;
    tidy(r);
    return FW_OK;
}
