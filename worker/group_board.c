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

/* The lowest living rank speaks for the node. */
static bool speaks(const worker_watcher *w)
{
    for (int i = 0; i < w->node_rank; i++) {
        int32_t pid = atomic_load(&w->board->slot[i].pid);
        if (pid > 0 && alive(pid)) return false;
    }
    return true;
}

static void report_lost(const worker_watcher *w, int lost)
{
    const worker_board_slot *s = &w->board->slot[lost];
    const char *checkpoint = w->board->checkpoint;
    fw_log_error("a rank was lost\n"
                 "  rank        %d (pid %d)\n"
                 "  host        %s\n"
                 "  phase       %.31s\n"
                 "  last step   %llu (round %llu)\n"
                 "  checkpoint  %.1000s\n"
                 "  what to do  start the same command again: it goes on from there, on any number of ranks",
                 s->rank, atomic_load(&s->pid), w->host, s->phase, (unsigned long long)atomic_load(&s->step),
                 (unsigned long long)atomic_load(&s->round), checkpoint[0] != '\0' ? checkpoint : "none yet");
}

static void *watch(void *argument)
{
    worker_watcher *w = argument;
    while (!atomic_load(&w->stop)) {
        for (int i = 0; i < w->node_size; i++) {
            int32_t pid = atomic_load(&w->board->slot[i].pid);
            if (i == w->node_rank || pid <= 0 || alive(pid)) continue;
            if (atomic_load(&w->board->slot[i].pid) == -1 || atomic_load(&w->stop)) continue;   /* it left meanwhile */
            if (speaks(w)) report_lost(w, i);
            _exit(fw_status_exit_code(FW_ERR_LOST));
        }
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
