#include "worker/group_board.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/status.h"

#define WATCH_PERIOD_MS 100

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

static void leave(const worker_watcher *w, int lost, const char *how)
{
    if (speaks(w) && atomic_exchange(&w->board->told, 1) == 0) report_lost(w, lost, how);
    _exit(fw_status_exit_code(FW_ERR_LOST));
}

static void look_for_dead(const worker_watcher *w)
{
    for (int i = 0; i < w->node_size; i++) {
        int32_t pid = atomic_load(&w->board->slot[i].pid);
        if (i == w->node_rank || pid <= 0 || alive(pid)) continue;
        if (atomic_load(&w->board->slot[i].pid) == -1 || atomic_load(&w->stop)) continue;   /* it left meanwhile */
        leave(w, i, "its process is gone");
    }
}

/* All ranks of a group step together: when nobody's step moves while they train, the one that
 * does not wait, or that still stands at an earlier meeting, holds them up. */
static void look_for_stall(const worker_watcher *w, uint64_t *seen, fw_mono *since)
{
    uint64_t sum = 0;
    int holds_up = 0;
    bool training = true;
    for (int i = 0; i < w->node_size; i++) {
        const worker_board_slot *s = &w->board->slot[i];
        char phase[WORKER_PHASE_TEXT];
        worker_slot_phase(phase, s);
        sum += atomic_load(&s->step);
        if (atomic_load(&s->waiting) < atomic_load(&w->board->slot[holds_up].waiting)) holds_up = i;
        training = training && strcmp(phase, "train") == 0;
    }
    if (!training || sum != *seen) {
        *seen = sum;
        *since = fw_mono_now();
    } else if (fw_mono_seconds(*since, fw_mono_now()) > w->stall_s) {
        leave(w, holds_up, "no step was made for too long");
    }
}

static void *watch(void *argument)
{
    worker_watcher *w = argument;
    uint64_t seen = 0;
    fw_mono since = fw_mono_now();
    while (!atomic_load(&w->stop)) {
        look_for_dead(w);
        look_for_stall(w, &seen, &since);
        fw_sleep_ms(WATCH_PERIOD_MS);
    }
    return NULL;
}

int worker_watcher_start(worker_watcher *w, worker_board *board, int node_rank, int node_size, const char *host)
{
    w->board = board;
    w->node_rank = node_rank;
    w->node_size = node_size;
    w->host = host;
    const char *stall = getenv("FW_STALL_SECONDS");
    w->stall_s = stall != NULL && atof(stall) > 0.0 ? atof(stall) : WORKER_STALL_S;
    atomic_store(&w->stop, false);
    sigset_t all, before;
    sigfillset(&all);                               /* signals are for the main thread */
    pthread_sigmask(SIG_BLOCK, &all, &before);
    int rc = pthread_create(&w->thread, NULL, watch, w);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    w->running = rc == 0;
    return rc;
}

void worker_watcher_stop(worker_watcher *w)
{
    if (!w->running) return;
    atomic_store(&w->stop, true);
    pthread_join(w->thread, NULL);
    w->running = false;
}
