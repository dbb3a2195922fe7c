/** Scored rows as bytes for rank 0: what a rank that predicted makes of them, a record for each kind of output. The bytes are the same on any rank. */
#ifndef WORKER_SCORE_ENCODE_H
#define WORKER_SCORE_ENCODE_H

#include "common/core/text.h"
#include "worker/score.h"
#include "worker/score_counts.h"

/** A record: this, then len bytes, a multiple of 8. TEXT and TELEMETRY: their true length (8 bytes), then lines of CSV, or packed predictions. CELLS: row (n),
 *  then p or value, then ids with their NULs. COUNTS: those of n rows, all columns one behind the other, then those of their times. */
typedef struct worker_record { uint32_t kind, reserved; uint64_t n, len; } worker_record;
enum { WORKER_RECORD_TEXT = 1, WORKER_RECORD_CELLS, WORKER_RECORD_TELEMETRY, WORKER_RECORD_COUNTS };

/** Rows of one piece: n rows; p (n, n_out) or value (n); id (n) or NULL; their cells: rows [first, first + n) of a block over the model's columns. */
typedef struct worker_scored {
    size_t n;
    const uint64_t *row;
    const char *const *id;
    const float *p;
    const double *value;
    const fw_block *block; size_t first;
} worker_scored;

/** One rank's. m and opts outlive it. */
typedef struct worker_encoder worker_encoder;
fw_status worker_encoder_create(worker_encoder **out, const fw_model *m, const worker_score_opts *opts, fw_error *err);
void      worker_encoder_destroy(worker_encoder **e);
/** Appends the rows in the form that the file needs, CSV text or cells; nothing when there is none. */
fw_status worker_encode_rows(worker_encoder *e, fw_text *out, const worker_scored *rows, fw_error *err);
/** Appends packed telemetry, of the rows in monitor.sample. Where something is published. */
fw_status worker_encode_telemetry(worker_encoder *e, fw_text *out, const worker_scored *rows, fw_error *err);
/** Appends what a rank has counted, which begins anew. */
fw_status worker_encode_counts(fw_text *out, worker_counts *c, fw_error *err);

/** RFC 4180: quoted where it must be. */
void worker_add_field(fw_text *t, const char *s);

bool worker_score_writes(const worker_score_opts *o);          /* a file */
bool worker_score_is_csv(const worker_score_opts *o);
bool worker_score_publishes(const worker_score_opts *o);       /* on the bus, or into a recording */

#endif
