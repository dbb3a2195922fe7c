/** A run folder: runs/<UTC time>-<short digest> with model.h5, checkpoint.h5, progress.jsonl, resolved.yaml, metrics.json, report.html. */
#ifndef COORD_COMMANDS_RUN_H
#define COORD_COMMANDS_RUN_H

#include <jansson.h>

#include "common/project/project.h"
#include "proto/command.h"

typedef struct coord_run {
    char *dir, *model, *checkpoint, *previous, *progress, *resolved, *metrics, *report, *latest;     /* paths; latest: the link, NULL with -o */
    char *resume_from;         /* the checkpoint to go on from; NULL: a new start */
    bool damaged_latest;       /* checkpoint.h5 could not be read, the one before is used */
    int lock;                  /* descriptor of progress.jsonl, locked; -1: none */
} coord_run;

typedef enum coord_resume { COORD_RESUME_AUTO, COORD_RESUME_NEVER, COORD_RESUME_PATH } coord_resume;

/** Where this training goes. output NULL: runs/ beside the project file; an unfinished run there of the same settings and dataset is gone on
 *  with (auto). While it stands nobody else trains in its folder. FW_ERR_CONFIG: somebody does, or output holds a finished run (model and `done`); FW_ERR_FORMAT: the checkpoint to resume is damaged and no other is there. */
fw_status coord_run_open(coord_run **out, const fw_project *p, const char *dataset_digest, const char *output, coord_resume how, const char *resume_path,
                         fw_error *err);
void      coord_run_destroy(coord_run **r);

/** After a loss of the ranks: the newest whole checkpoint of this folder into resume_from; where none was written, resume_from stays. */
fw_status coord_run_again(coord_run *r, fw_error *err);

/** Removes what a killed writer left half-written. To be called when no ranks write: before they are started or while none has an order. */
void coord_run_tidy(const coord_run *r);

/** Removes what an earlier run left here when this one does not go on with it, writes resolved.yaml and points runs/latest here. */
fw_status coord_run_begin(const coord_run *r, const fw_project *p, fw_error *err);

/** Whether the folder holds a run that has ended: its model, and the event `done` behind it. */
fw_status coord_run_is_finished(bool *out, const char *dir, fw_error *err);

/** Appends one event to progress.jsonl: `event` and the fields of `more` (stolen, may be NULL). */
fw_status coord_run_event(const coord_run *r, const char *event, json_t *more, fw_error *err);

/** DIR/model.h5 for a run folder, the path itself for a file; malloc'ed. FW_ERR_CONFIG: neither. */
fw_status coord_run_model_path(char **out, const char *path, fw_error *err);

/** The rounds in DIR/progress.jsonl, last run through a round wins; for reports. n may become 0. */
fw_status coord_run_history(fw_round_result **out, size_t *n, const char *dir, fw_error *err);
void      coord_run_history_free(fw_round_result *rounds, size_t n);

#endif
