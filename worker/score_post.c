#include "worker/score_post.h"

#include <stdlib.h>

#include "common/bus/outbox.h"
#include "common/bus/recording.h"
#include "common/core/log.h"
#include "worker/group.h"

#define LOOK_EVERY_S 0.5       /* at readers that are waited for */
#define LINGER_MS    30000

struct worker_post {
    const worker_score_opts *opts;
    fw_bus *bus;
    fw_outbox *outbox;                               /* NULL: no bus */
    fw_spool_counts before;                          /* messages: the spool may hold those of runs before */
    fw_recorder *recorder;                           /* NULL: no recording */
};

static bool is_set(const char *text) { return text != NULL && text[0] != '\0'; }

/* As long as the user has said. */
static fw_status wait_for_readers(worker_post *p, fw_error *err)
{
    const fw_mono deadline = fw_mono_after(fw_mono_now(), p->opts->wait_s);
    fw_status s = FW_ERR_TIMEOUT;
    for (bool last = false; s == FW_ERR_TIMEOUT && !last;) {
        const fw_mono soon = fw_mono_after(fw_mono_now(), LOOK_EVERY_S);
        last = deadline.ns <= soon.ns;
        worker_tick();
        s = fw_outbox_wait(p->outbox, (int)p->opts->wait_readers, last ? deadline : soon, err);
    }
    return s;
}

static void warn(void *context, const char *text)
{
    (void)context;
    fw_log_warn("%s", text);
}

static fw_status open_bus(worker_post *p, fw_error *err)
{
    const fw_outbox_opts opts = {.spool = is_set(p->opts->spool) ? p->opts->spool : NULL, .say = warn};
    FW_TRY(fw_bus_create(&p->bus, err));
    FW_TRY(fw_bus_secure(p->bus, &p->opts->identity, err));
    FW_TRY(fw_outbox_open(&p->outbox, p->bus, p->opts->bus, &opts, err));
    p->before = fw_outbox_count(p->outbox).spool;
    return p->opts->wait_readers > 0 ? wait_for_readers(p, err) : FW_OK;
}

fw_status worker_post_open(worker_post **out, const worker_score_opts *opts, fw_error *err)
{
    FW_AUTO(worker_post) *p = calloc(1, sizeof *p);
    if (p == NULL) return fw_fail(err, FW_ERR_NOMEM, "score: what is told of");
    p->opts = opts;
    if (is_set(opts->record)) FW_TRY(fw_recorder_create(&p->recorder, opts->record, err));
    if (is_set(opts->bus)) FW_TRY(open_bus(p, err));
    *out = p;
    p = NULL;
    return FW_OK;
}

void worker_post_destroy(worker_post **post)
{
    worker_post *p = *post;
    if (p == NULL) return;
    fw_recorder_destroy(&p->recorder);
    fw_outbox_destroy(&p->outbox);
    fw_bus_destroy(&p->bus);
    free(p);
    *post = NULL;
}

fw_status worker_post_put(worker_post *p, const char *topic, const void *bytes, size_t len, fw_error *err)
{
    if (p->recorder != NULL) FW_TRY(fw_recorder_put(p->recorder, topic, bytes, len, err));
    if (p->outbox == NULL) return FW_OK;
    const fw_status s = fw_outbox_put(p->outbox, topic, bytes, len, err);
    return s == FW_END ? FW_OK : s;
}

fw_status worker_post_commit(worker_post *p, fw_error *err) { return p->recorder != NULL ? fw_recorder_commit(p->recorder, err) : FW_OK; }

static uint64_t all_dropped(const fw_spool_counts *c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < FW_N_DROPS; i++) n += c->dropped[i];
    return n;
}

/* Readers that are too slow to take all in time find the rest in the spool. */
void worker_post_finish(worker_post *p, worker_score_result *result)
{
    fw_outbox_counts rest;
    fw_error why = {0};
    if (p->recorder != NULL) result->recorded = fw_recorder_messages(p->recorder);
    if (p->outbox == NULL) return;
    const fw_mono start = fw_mono_now();
    if (fw_outbox_close(&p->outbox, LINGER_MS, &rest, &why) < 0) fw_log_warn("%s", why.text);      /* what was predicted is not spoiled by it */
    result->ending_s = fw_mono_seconds(start, fw_mono_now());
    result->messages = rest.spool.produced - p->before.produced;
    result->delivered = rest.spool.delivered - p->before.delivered;
    result->spooled = rest.spool.spooled;
    result->dropped = all_dropped(&rest.spool) - all_dropped(&p->before);
}
