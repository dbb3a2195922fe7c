/** How long the parts of a scoring take, and how much of that is telemetry: part by part, so that what the machine does meanwhile does not blur it. */
#ifndef WORKER_SCORE_TIMES_H
#define WORKER_SCORE_TIMES_H

#include "worker/score.h"

typedef struct worker_part { double seconds, telemetry; } worker_part;       /* telemetry: of the seconds */
typedef struct worker_parts { worker_part *part; size_t n, capacity; } worker_parts;

fw_status worker_parts_note(worker_parts *p, worker_part took, fw_error *err);
/** Fills in what the result has of parts; nothing, when there were none. O(n log n); the parts' order is lost. */
void      worker_parts_judge(worker_parts *p, worker_score_result *result);
void      worker_parts_destroy(worker_parts *p);

#endif
