#include "worker/task_key.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/core/size.h"
#include "common/core/text.h"

struct worker_task_key {
    char *path, *part;             /* of the dataset; fw_project_rows_part */
    uint32_t folds, fold;
    struct stat file;              /* zeros: it was not asked, or could not be */
};

fw_status worker_task_key_create(worker_task_key **out, const fw_project *project, const worker_task_opts *opts, bool with_file, fw_error *err)
{
    FW_AUTO(worker_task_key) *k = calloc(1, sizeof *k);
    if (k == NULL) return fw_fail(err, FW_ERR_NOMEM, "task");
    FW_TRY(fw_copy_text(&k->path, opts->dataset, err));
    FW_TRY(fw_project_rows_part(&k->part, project, err));
    k->folds = opts->folds;
    k->fold = opts->fold;
    if (with_file && stat(opts->dataset, &k->file) != 0) memset(&k->file, 0, sizeof k->file);
    *out = k;
    k = NULL;
    return FW_OK;
}

void worker_task_key_destroy(worker_task_key **key)
{
    worker_task_key *k = *key;
    if (k == NULL) return;
    free(k->path);
    free(k->part);
    free(k);
    *key = NULL;
}

static bool same_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ino != 0;
}

bool worker_task_key_same(const worker_task_key *a, const worker_task_key *b, bool with_file)
{
    return a->folds == b->folds && a->fold == b->fold && strcmp(a->path, b->path) == 0 && strcmp(a->part, b->part) == 0 &&
           (!with_file || same_file(&a->file, &b->file));
}

fw_digest worker_task_key_digest(const worker_task_key *k, const char *dataset_digest)
{
    const uint32_t fold[2] = {k->folds, k->fold};
    const fw_digest parts[3] = {fw_hash128(dataset_digest, strlen(dataset_digest), 1), fw_hash128(k->part, strlen(k->part), 2), fw_hash128(fold, sizeof fold, 3)};
    return fw_hash128(parts, sizeof parts, 0);
}
