/** What is counted of scored rows, and told of the model: each rank counts its rows on the bins of the model's reference; rank 0 merges and publishes. */
#ifndef WORKER_SCORE_COUNTS_H
#define WORKER_SCORE_COUNTS_H

#include "common/model/model.h"
#include "common/project/project.h"
#include "proto/telemetry.h"

/** One rank's counts since they were last taken. */
typedef struct worker_counts worker_counts;
/** m with a reference. rows: the most that are added at a time. ranks: that count side by side. */
fw_status worker_counts_create(worker_counts **out, const fw_model *m, const fw_project *p, size_t rows, int ranks, fw_error *err);
void      worker_counts_destroy(worker_counts **c);
/** Rows [first, first + n) of a block over the model's columns, with what was predicted for them: p (n, n_out) or value (n). Allocates nothing. */
void      worker_counts_add(worker_counts *c, const fw_block *block, size_t first, size_t n, const float *p, const double *value);
/** How long they took: each of these n rows so long. */
void      worker_counts_took(worker_counts *c, size_t n, int64_t ns);
/** Whether it is time to pass them on: this rank's share of a window, or half a second. */
bool      worker_counts_due(const worker_counts *c);
/** The counts, all columns one behind the other, and those of the rows' times; after worker_counts_clear they begin anew. */
const fw_summary *worker_counts_get(const worker_counts *c, uint64_t *rows, const fw_times **times);
void      worker_counts_clear(worker_counts *c);

/** The raw cells of a row, where monitor.features is full: those of the reference's features, in their order. column (features): worker_values_columns'. */
size_t worker_values_columns(size_t column[static FW_REFERENCE_MAX_FEATURES], const fw_model *m, const fw_project *p);      /* 0: not to be told */
void   worker_values_take(fw_raw *out, const size_t *column, size_t n, const fw_model *m, const fw_block *block, size_t row);

/** Rank 0's: tells of the model at once and every 10 s, and of each window of monitor.window rows, or a second. Everything given is in exactly one
 *  window: with windows of time that of the moment when it is given, and none lies in two of them. */
typedef struct worker_teller worker_teller;
typedef fw_status (*worker_put)(void *context, const char *topic, const void *bytes, size_t len, fw_error *err);
fw_status worker_teller_create(worker_teller **out, const fw_model *m, const char *digest, const fw_project *p, fw_telemetry *telemetry, worker_put put, void *context,
                               fw_error *err);
void      worker_teller_destroy(worker_teller **t);
/** Counts of a rank (n of them, aligned to 8), and of its rows' times (FW_TIMES_N). FW_ERR_DATA: they are not on these bins. */
fw_status worker_teller_take(worker_teller *t, const uint64_t *count, size_t n, uint64_t rows, const uint64_t *times, fw_error *err);
/** The same of counts that were not passed on by way of bytes; they begin anew. */
fw_status worker_teller_merge(worker_teller *t, worker_counts *c, fw_error *err);
/** What is due. */
fw_status worker_teller_tick(worker_teller *t, fw_error *err);
/** The last window. */
fw_status worker_teller_finish(worker_teller *t, fw_error *err);

#endif
