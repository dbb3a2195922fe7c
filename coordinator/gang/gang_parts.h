/** What gang.c and gang_desk.c share: private to this folder. */
#ifndef COORD_GANG_GANG_PARTS_H
#define COORD_GANG_GANG_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "coordinator/gang/gang.h"
#include "proto/card.h"

typedef enum gang_end { GANG_GOES_ON, GANG_ENDS_BY_ORDER, GANG_ENDS_NOW } gang_end;
typedef enum gang_state { GANG_STARTING, GANG_READY, GANG_LOST, GANG_OVER } gang_state;

struct coord_gang {
    coord_gang_opts opts;
    fw_card card;
    char host[FW_GANG_HOST_TEXT];          /* the coordinator's */
    char mark[64];                         /* with the generation */
    char *log_path;
    off_t log_from;                        /* where this generation's part of the log begins */
    fw_bus *bus;
    fw_desk *desk;
    fw_line *outside, *inside;             /* the two ends of the line for orders; outside goes to the caller */
    fw_gang_page *page;
    pid_t launcher;                        /* 0: gone */
    pid_t launched;
    int launcher_status;

    pthread_t thread;
    bool running;
    pthread_mutex_t mutex;                 /* guards state; loss is written before state becomes GANG_LOST and not after */
    pthread_cond_t changed;
    gang_state state;
    coord_loss loss;
    _Atomic gang_end end;                  /* the caller wants it over */
    int exit_code;                         /* dismissed with it; both are written before `dismissed`, */
    bool leave;
    atomic_bool dismissed;                 /* and read after it */
    _Atomic int64_t first_step_ns;         /* 0: none yet */
    _Atomic uint64_t dropped;
    atomic_bool elsewhere;                 /* the leader is on another host */

    /* the thread's own from here on */
    coord_watch *watch;
    fw_caller leader, *caller;             /* caller: by rank, length 0 before its first heartbeat; (ranks) */
    uint64_t order;                        /* number of the order at hand, 0: none */
    void *unsent;                          /* an order for which the leader's queue had no room */
    size_t unsent_len;
    fw_mono ending_since, next_lease, stop_since;
    bool closing, ending, stopping;        /* the order to close was given; the caller waits for the end; the ranks were asked for a checkpoint */
};

/** The thread: argument is the gang. */
void *coord_gang_serve(void *gang);

/** Kills and sees to be gone what belongs to this generation on this host; a launcher that still lives is given a second to clean up behind its ranks. */
fw_status coord_gang_kill(coord_gang *g, fw_error *err);
/** Fills how, rank, exit code and lines from the launcher's end and what was printed. */
void coord_gang_explain(coord_gang *g, coord_loss *l);
/** Whether the ranks were there without a launcher of ours. */
bool coord_gang_is_guest(const coord_gang *g);
/** Without a launcher: a rank on this host whose process is gone; -1: none. */
int  coord_gang_find_dead(const coord_gang *g);
/** Whether the launcher has ended; its status is then in launcher_status. */
bool coord_gang_launcher_ended(coord_gang *g);

#endif
