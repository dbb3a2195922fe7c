/** Who of a gang was heard when, and what follows from it. Has no clock: the caller says what time it is, so a test can. */
#ifndef COORD_GANG_WATCH_H
#define COORD_GANG_WATCH_H

#include "common/core/clock.h"
#include "proto/gang.h"

typedef struct coord_watch_limits {
    double start_s;        /* from the launch until all ranks are there */
    double silent_s;       /* without a heartbeat of a rank */
    double stall_s;        /* without a step while all ranks train: this, or */
    double stall_steps;    /* so many median steps, if that is more */
    double stuck_s;        /* without any sign of progress while an order is at hand and not all train */
} coord_watch_limits;

/** 60 s, 8 s, 10 s, 5, 600 s; FW_START_SECONDS and FW_STALL_SECONDS in the environment set the first and the last. */
coord_watch_limits coord_watch_limits_default(void);

typedef enum coord_watch_finding { COORD_WATCH_WELL, COORD_WATCH_NOT_READY, COORD_WATCH_SILENT, COORD_WATCH_STALLED, COORD_WATCH_STUCK } coord_watch_finding;

typedef struct coord_watched {
    bool heard;                            /* at least once */
    fw_mono last;
    uint32_t pid;
    uint64_t started, round, step, made;
    char host[FW_GANG_HOST_TEXT], phase[FW_GANG_PHASE_TEXT];
} coord_watched;

typedef struct coord_watch coord_watch;

fw_status coord_watch_create(coord_watch **out, uint32_t ranks, const coord_watch_limits *limits, fw_mono now, fw_error *err);
void      coord_watch_destroy(coord_watch **w);

/** A heartbeat; of a rank that the gang has not it is passed over. */
void coord_watch_beat(coord_watch *w, const fw_gang_message *m, fw_mono now);
void coord_watch_ready(coord_watch *w, fw_mono now);                       /* all ranks are there */
void coord_watch_order(coord_watch *w, bool at_hand, fw_mono now);         /* an order is given, or answered */
void coord_watch_progress(coord_watch *w, fw_mono now);                    /* something came from the leader */

/** Call often: a gap between two calls (a coordinator that was stopped) is charged to nobody. *rank: the silent one, or -1; *for_s: how long. */
coord_watch_finding coord_watch_judge(coord_watch *w, fw_mono now, int *rank, double *for_s);

uint32_t             coord_watch_ranks(const coord_watch *w);
const coord_watched *coord_watch_rank(const coord_watch *w, uint32_t rank);
double               coord_watch_median_step(const coord_watch *w);        /* seconds; 0: not known yet */
/** Somebody on another host was heard 2.5 s after the last one on this host. How long ago does not matter: a launcher that notices the loss of a host
 *  ends the ranks of the others first, and itself seconds later. */
bool                 coord_watch_host_silent(const coord_watch *w, const char *host);

#endif
