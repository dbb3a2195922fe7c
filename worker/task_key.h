/** What the rows and transforms of a task follow from: the file of the dataset as it stands, the fold, and the project's sections problem, data and
 *  features. Tasks of one key have the same rows, to the bit. */
#ifndef WORKER_TASK_KEY_H
#define WORKER_TASK_KEY_H

#include "common/core/hash.h"
#include "worker/task.h"

typedef struct worker_task_key worker_task_key;

/** with_file: the file is asked, too: that is for one rank, a file system may not bear it of thousands at each trial. */
fw_status worker_task_key_create(worker_task_key **out, const fw_project *project, const worker_task_opts *opts, bool with_file, fw_error *err);
void      worker_task_key_destroy(worker_task_key **k);
/** with_file: also that the file is the same one, unchanged; both keys were made with it. */
bool      worker_task_key_same(const worker_task_key *a, const worker_task_key *b, bool with_file);
/** Of a task's key and its dataset's digest: rows of one such digest are the same on any host. */
fw_digest worker_task_key_digest(const worker_task_key *k, const char *dataset_digest);

#endif
