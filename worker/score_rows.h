/** Scored rows on their way from the rank that predicted them to rank 0, and rank 0's outputs: a file, and the bus. */
#ifndef WORKER_SCORE_ROWS_H
#define WORKER_SCORE_ROWS_H

#include "common/core/text.h"
#include "worker/score.h"
#include "worker/score_counts.h"

/** Rows of one piece: n rows; p (n, n_out) or value (n); id (n) or NULL; their cells: rows [first, first + n) of a block over the model's columns. */
typedef struct worker_scored {
    size_t n;
    const uint64_t *row;
    const char *const *id;
    const float *p;
    const double *value;
    const fw_block *block; size_t first;
} worker_scored;

/** Appends the rows to `out` in the form that the outputs need: CSV text or cells, and packed telemetry (of those in monitor.sample). Local, any rank. */
fw_status worker_scored_encode(fw_text *out, const fw_model *m, const worker_score_opts *opts, const worker_scored *rows, fw_error *err);

/** Appends what a rank has counted, which begins anew. Local, any rank. */
fw_status worker_scored_counts(fw_text *out, worker_counts *c, fw_error *err);

/** Rank 0's outputs. */
typedef struct worker_outputs worker_outputs;
fw_status worker_outputs_open(worker_outputs **out, const fw_model *m, const worker_score_opts *opts, const char *id_name, fw_error *err);
void      worker_outputs_destroy(worker_outputs **o);          /* without finish: nothing is left behind */
/** What worker_scored_encode gave, once or several times in a row. */
fw_status worker_outputs_take(worker_outputs *o, const char *bytes, size_t len, fw_error *err);
/** Ends the stream, then commits the file. */
fw_status worker_outputs_finish(worker_outputs *o, worker_score_result *result, fw_error *err);

#endif
