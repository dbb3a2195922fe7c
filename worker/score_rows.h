/** Rank 0's outputs of scored rows: a file, and the bus. */
#ifndef WORKER_SCORE_ROWS_H
#define WORKER_SCORE_ROWS_H

#include "worker/score.h"
#include "worker/score_counts.h"

typedef struct worker_outputs worker_outputs;
fw_status worker_outputs_open(worker_outputs **out, const fw_model *m, const worker_score_opts *opts, const char *id_name, fw_error *err);
void      worker_outputs_destroy(worker_outputs **o);          /* without finish: nothing is left behind */
/** Records of an encoder (score_encode.h), one behind the other, aligned to 8. */
fw_status worker_outputs_take(worker_outputs *o, const char *bytes, size_t len, fw_error *err);
/** What a rank without others has counted, which begins anew: the same as a record of it. */
fw_status worker_outputs_take_counts(worker_outputs *o, worker_counts *c, fw_error *err);
/** Spent on telemetry so far, here: not by the thread that sends it. */
int64_t   worker_outputs_telling_ns(const worker_outputs *o);
/** Commits the file, then ends the stream: nobody waits for the predictions because a reader of the bus is slow. */
fw_status worker_outputs_finish(worker_outputs *o, worker_score_result *result, fw_error *err);

#endif
