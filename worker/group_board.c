#include "worker/group_board.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/thread.h"

#define WATCH_PERIOD_MS 100
#define WATCH_GAP_S     1.0       /* of one look: what the watcher itself was away for longer (a suspended job) is nobody's stall */
#define ELSEWHERE       6.0       /* so many times longer where all ranks wait for another node, which has a watcher of its own */

/* How long the node has been without a sign of progress. */
typedef struct quiet { uint64_t signs; double for_s; fw_mono looked; } quiet;

static bool alive(int32_t pid)
{
    return kill(pid, 0) == 0 || errno == EPERM;
}

void worker_slot_set_phase(worker_board_slot *s, const char *phase)
{
    uint64_t words[2] = {0, 0};
    memcpy(words, phase, strnlen(phase, sizeof words));
    atomic_store_explicit(&s->phase[0], words[0], memory_order_relaxed);
    atomic_store_explicit(&s->phase[1], words[1], memory_order_relaxed);
}

void worker_slot_phase(char out[static WORKER_PHASE_TEXT], const worker_board_slot *s)
{
    const uint64_t words[2] = {atomic_load_explicit(&s->phase[0], memory_order_relaxed), atomic_load_explicit(&s->phase[1], memory_order_relaxed)};
    memcpy(out, words, sizeof words);
    out[sizeof words] = '\0';
}

/* The lowest living rank speaks for the node. */
static bool speaks(const worker_watcher *w)
{
    for (int i = 0; i < w->node_rank; i++) {
        int32_t pid = atomic_load(&w->board->slot[i].pid);
        if (pid > 0 && alive(pid)) return false;
    }
    return true;
}

static void report_lost(const worker_watcher *w, int lost, const char *how)
{
    const worker_board_slot *s = &w->board->slot[lost];
    const char *checkpoint = w->board->checkpoint;
    char phase[WORKER_PHASE_TEXT];
    worker_slot_phase(phase, s);
    fw_log_error("a rank was lost: %s\n"
                 "  rank        %d (pid %d)\n"
                 "  host        %s\n"
                 "  phase       %s\n"
                 "  last step   %llu (round %llu)\n"
                 "  checkpoint  %.1000s\n"
                 "  what to do  start the same command again: it goes on from there, on any number of ranks",
                 how, s->rank, atomic_load(&s->pid), w->host, phase, (unsigned long long)atomic_load(&s->step),
                 (unsigned long long)atomic_load(&s->round), checkpoint[0] != '\0' ? checkpoint : "none yet");
}

static _Noreturn void leave(const worker_watcher *w, bool speak, int lost, const char *how)
{
    if (speak && atomic_exchange(&w->board->told, 1) == 0) report_lost(w, lost, how);
    _exit(fw_status_exit_code(FW_ERR_LOST));
}

static void look_for_dead(const worker_watcher *w)
{
    for (int i = 0; i < w->node_size; i++) {
        int32_t pid = atomic_load(&w->board->slot[i].pid);
        if (i == w->node_rank || pid <= 0 || alive(pid)) continue;
        if (atomic_load(&w->board->slot[i].pid) == -1 || atomic_load(&w->stop)) continue;   /* it left meanwhile */
        leave(w, speaks(w), i, "its process is gone");
    }
}

/* What the node's ranks do, taken together. */
typedef struct view {
    uint64_t signs;
    bool busy, training;          /* an order is at hand; all train */
    bool all_wait;                /* at the same meeting: for another node */
    int holds_up;                 /* the one that does not wait, or still stands at an earlier meeting */
} view;

static view look_at_board(const worker_watcher *w)
{
    const worker_board_slot *slot = w->board->slot;
    view v = {.training = true, .all_wait = true};
    for (int i = 0; i < w->node_size; i++) {
        const uint32_t waiting = atomic_load(&slot[i].waiting);
        char phase[WORKER_PHASE_TEXT];
        worker_slot_phase(phase, &slot[i]);
        v.signs += atomic_load(&slot[i].signs);
        v.busy = v.busy || !(strcmp(phase, "idle") == 0 || strcmp(phase, "start") == 0);
        v.training = v.training && strcmp(phase, "train") == 0;
        v.all_wait = v.all_wait && waiting != 0 && waiting == atomic_load(&slot[0].waiting);
        if (waiting < atomic_load(&slot[v.holds_up].waiting)) v.holds_up = i;
    }
    return v;
}

/* Ranks that train step together. In other phases one node may be done long before another. */
static void look_for_stall(const worker_watcher *w, quiet *q)
{
    const view v = look_at_board(w);
    const fw_mono now = fw_mono_now();
    const double passed = fw_mono_seconds(q->looked, now);
    q->for_s = v.busy && v.signs == q->signs ? q->for_s + (passed < WATCH_GAP_S ? passed : WATCH_GAP_S) : 0.0;
    q->signs = v.signs;
    q->looked = now;
    if (q->for_s <= (v.all_wait && !v.training && !w->alone ? ELSEWHERE * w->stall_s : w->stall_s)) return;
    char how[64];
    snprintf(how, sizeof how, "no sign of progress for %.0f s", q->for_s);
    leave(w, true, v.holds_up, how);       /* the lowest rank may be the one that is stopped: whoever finds it speaks */
}

static void *watch(void *argument)
{
    worker_watcher *w = argument;
    quiet q = {.looked = fw_mono_now()};
    while (!atomic_load(&w->stop)) {
        look_for_dead(w);
        look_for_stall(w, &q);
        fw_sleep_ms(WATCH_PERIOD_MS);
    }
    return NULL;
}

fw_status worker_watcher_start(worker_watcher *w, fw_error *err)
{
    const char *stall = getenv("FW_STALL_SECONDS");
    w->stall_s = stall != NULL && atof(stall) > 0.0 ? atof(stall) : WORKER_STALL_S;
    atomic_store(&w->stop, false);
    FW_TRY(fw_thread_start(&w->thread, watch, w, "the thread that watches the ranks of this node", err));
    w->running = true;
    return FW_OK;
}

void worker_watcher_stop(worker_watcher *w)
{
    if (!w->running) return;
    atomic_store(&w->stop, true);
    pthread_join(w->thread, NULL);
    w->running = false;
}
