/** What the files of the intake share. */
#ifndef MONITOR_INTAKE_PARTS_H
#define MONITOR_INTAKE_PARTS_H

#include "monitor/intake.h"
#include "monitor/senders.h"
#include "monitor/shares.h"
#include "proto/telemetry.h"

typedef struct tracked {
    monitor_model model;
    monitor_window *window;
    char *from;                    /* address of the publisher that told of it first; "": not known */
    bool news;                     /* something came since its total was given */
} tracked;

struct monitor_intake {
    monitor_window_opts window_opts;
    monitor_sink sink;
    monitor_others others;             /* take NULL: nobody */
    tracked *models; size_t n_models, capacity;
    monitor_position *positions; size_t n_positions, positions_capacity;
    monitor_senders senders;
    monitor_shares shares;             /* of models */
    const char *from;                  /* address of who gives what is taken; "": nobody */
    monitor_counts counts;
};

/** NULL: the stream is not known. */
monitor_position *monitor_intake_position(const monitor_intake *in, const fw_stream *stream);

void monitor_tracked_release(tracked *t);
/** Of in->from, whatever its share is. *out NULL: there is no room. Of the batch its model, digest and classes are looked at. */
fw_status monitor_intake_add_model(tracked **out, monitor_intake *in, const char *topic, const fw_telemetry_batch *b, fw_error *err);

#endif
