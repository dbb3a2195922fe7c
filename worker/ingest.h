/** Tables -> dataset.h5, on all ranks of a communicator. One streaming parse; the rest works on spool files beside the output, so memory is
 *  bounded by a few blocks whatever the data's size. The content does not depend on the ranks, the chunks or the blocks. */
#ifndef WORKER_INGEST_H
#define WORKER_INGEST_H

#include "common/core/hash.h"
#include "common/data/dataset.h"
#include "common/project/project.h"
#include "common/stats/reduce.h"

typedef struct worker_ingest_result {
    char digest[FW_DIGEST_TEXT];
    uint64_t rows, rows_by_split[FW_N_SPLITS];
    uint64_t bad, excluded, duplicates;
    double seconds;
} worker_ingest_result;

/** Collective. Reads the project's tables, writes the dataset at `output` (atomically: a dataset that stands there is replaced at the end or
 *  not at all). `say` (may be NULL; called on rank 0 only) gets one line of talk at a time: types found, counts, warnings.
 *  The project with the types that were found written into its features is stored in the manifest as "resolved".
 *  All ranks return the same status and text.
 *  FW_ERR_CONFIG: a column that is not in the tables; FW_ERR_DATA: a bad row (data.bad_rows: error), a constant target, an empty train split;
 *  FW_ERR_IO: a file that cannot be read or written. Nothing is left behind on failure; what a killed run left is removed at the next start. */
fw_status worker_ingest(const fw_project *project, const char *output, const fw_reduce *reduce,
                        void (*say)(void *context, const char *line), void *context, worker_ingest_result *out, fw_error *err);

#endif
