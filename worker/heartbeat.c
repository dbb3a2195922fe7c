#include "worker/heartbeat.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/log.h"
#include "common/core/process.h"
#include "common/core/text.h"
#include "common/core/thread.h"
#include "worker/group_board.h"

#define LOOK_EVERY_S 0.1       /* at the wish to end, and at the parent */

struct worker_heartbeat {
    worker_heartbeat_opts opts;
    fw_line *line;
    fw_gang_message beat;
    fw_mono heard;             /* the last lease */
    bool asked;                /* for a checkpoint */
    atomic_bool stop;
    pthread_t thread;
    bool running;
};

static void leave(const char *why)
{
    fw_log_error("%s; the last checkpoint stands", why);
    _exit(fw_status_exit_code(FW_ERR_LOST));
}

static void send_beat(worker_heartbeat *h)
{
    void *bytes = NULL;
    size_t len = 0;
    const worker_board_slot *s = h->opts.slot;
    worker_slot_phase(h->beat.phase, s);
    if (fw_utf8_valid(h->beat.phase, strlen(h->beat.phase)) != strlen(h->beat.phase)) h->beat.phase[0] = '\0';      /* caught while it changed */
    h->beat.round = atomic_load(&s->round);
    h->beat.step = atomic_load(&s->step);
    h->beat.made = atomic_load(h->opts.made);
    if (fw_gang_pack(&bytes, &len, &h->beat, NULL) != FW_OK) return;
    fw_line_send(h->line, bytes, len, fw_mono_now(), NULL);       /* a full queue: nobody reads, and the lease runs out */
    free(bytes);
}

static void take_lease(worker_heartbeat *h, const void *bytes, size_t len)
{
    fw_gang_message m;
    if (fw_gang_unpack(&m, bytes, len, NULL) != FW_OK || m.kind != FW_GANG_LEASE || m.generation != h->beat.generation) return;
    if (!fw_gang_same_token(m.token, h->beat.token)) return;
    h->heard = fw_mono_now();
    if (m.stop && !h->asked) {
        h->asked = true;
        kill(getpid(), SIGUSR1);
    }
}

static void look(const worker_heartbeat *h)
{
    if (fw_mono_seconds(h->heard, fw_mono_now()) > FW_GANG_LEASE_S) leave("nothing was heard from the coordinator for too long");
    if (h->opts.parent > 0 && getppid() != h->opts.parent) leave("the launcher of this rank is gone");
}

static void *run(void *argument)
{
    worker_heartbeat *h = argument;
    fw_mono next = fw_mono_now();
    while (!atomic_load(&h->stop)) {
        const void *bytes = NULL;
        size_t len = 0;
        if (fw_mono_passed(next)) {
            send_beat(h);
            next = fw_mono_after(fw_mono_now(), h->opts.card->beat_s);
        }
        const fw_mono soon = fw_mono_after(fw_mono_now(), LOOK_EVERY_S);
        if (fw_line_receive(h->line, &bytes, &len, soon.ns < next.ns ? soon : next, NULL) == FW_OK) take_lease(h, bytes, len);
        look(h);
    }
    return NULL;
}

static fw_status start_thread(worker_heartbeat *h, fw_error *err)
{
    FW_TRY(fw_thread_start(&h->thread, run, h, "the thread of the heartbeats", err));
    h->running = true;
    return FW_OK;
}

fw_status worker_heartbeat_start(worker_heartbeat **out, const worker_heartbeat_opts *opts, fw_error *err)
{
    worker_heartbeat *h = calloc(1, sizeof *h);
    if (h == NULL) return fw_fail(err, FW_ERR_NOMEM, "heartbeats");
    h->opts = *opts;
    h->heard = fw_mono_now();
    h->beat = (fw_gang_message){.kind = FW_GANG_HEARTBEAT, .generation = opts->card->generation, .rank = opts->rank, .pid = (uint32_t)getpid(),
                                .started = fw_process_started(getpid())};
    memcpy(h->beat.token, opts->card->token, sizeof h->beat.token);
    snprintf(h->beat.host, sizeof h->beat.host, "%s", opts->host);
    fw_status s = fw_line_to_desk(&h->line, opts->bus, opts->endpoint, opts->card->key, NULL, err);
    if (s == FW_OK) s = start_thread(h, err);
    if (s != FW_OK) {
        worker_heartbeat_stop(&h);
        return s;
    }
    *out = h;
    return FW_OK;
}

void worker_heartbeat_stop(worker_heartbeat **heartbeat)
{
    worker_heartbeat *h = *heartbeat;
    if (h == NULL) return;
    atomic_store(&h->stop, true);
    if (h->running) pthread_join(h->thread, NULL);
    fw_line_destroy(&h->line);
    free(h);
    *heartbeat = NULL;
}
