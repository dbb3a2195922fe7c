/** Scoring: predictions for a table or a dataset, in input order, the same bytes for any number of ranks; with telemetry.
 *  Chunk i of a table is read, predicted and written as text by rank i mod size; rank 0 appends the chunks in order and publishes them. */
#ifndef WORKER_SCORE_H
#define WORKER_SCORE_H

#include "common/bus/bus.h"
#include "common/data/dataset.h"
#include "common/model/model.h"
#include "common/project/project.h"
#include "worker/group.h"

typedef struct worker_score_opts {
    const fw_project *project;     /* data.missing, data.id; its first table is the input when dataset is NULL */
    const char *dataset;           /* path of a dataset.h5 to score instead of a table */
    const char *split;             /* of the dataset: a name; "" or NULL: all splits in file order */
    const char *output;            /* path; NULL or "": nothing is written */
    const char *format;            /* "csv" or "hdf5" */
    const char *bus;               /* endpoint to publish on; NULL or "": none */
    fw_bus_identity identity;      /* who publishes there */
    const char *record;            /* path of a recording of what is published, also without a bus; NULL or "": none */
    const char *spool;             /* folder that keeps what no monitor has acknowledged; NULL or "": it is lost at the end */
    uint32_t wait_readers;         /* wait for so many subscribers before the first prediction, */
    double wait_s;                 /* at most so long (FW_ERR_TIMEOUT) */
    bool skip_bad_rows;
    size_t piece_rows;             /* rows predicted at a time; 0: 1,024. The bits do not depend on it */
    const char *model_digest;
} worker_score_opts;

typedef struct worker_part_times { double p50_s, p99_s; } worker_part_times;      /* what half of the parts, and 99 of 100, took at most */

typedef struct worker_score_result {
    uint64_t rows, bad, missing, unseen;
    uint64_t published;            /* predictions */
    uint64_t messages;             /* in which they were */
    uint64_t delivered, dropped;   /* messages meanwhile, also of runs before that were in the spool (common/bus/outbox.h has what the words mean) */
    uint64_t spooled;              /* messages in the spool now */
    uint64_t recorded;             /* messages in the recording */
    double seconds;                /* until the file was written */
    double ending_s;               /* then, until readers of the bus had all, or it was given up */
    uint64_t parts;                /* of the rows, that were read, predicted and delivered together, on all ranks */
    worker_part_times part, bare;  /* bare: without the time that rank 0 spent on telemetry in each */
    double parts_s, telemetry_s;   /* all parts; that time in them */
} worker_score_result;

typedef void (*worker_score_say)(void *context, const char *line);     /* at rank 0 */

/** Collective. FW_ERR_DATA: a column the model needs is not in the table ("did you mean"), a bad row, an unseen category where the policy
 *  is error. On any error no output is left behind. */
fw_status worker_score(worker_group *g, const fw_model *m, const worker_score_opts *opts, worker_score_say say, void *context,
                       worker_score_result *out, fw_error *err);

#endif
