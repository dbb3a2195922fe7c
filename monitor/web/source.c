#include "monitor/web/source.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/core/size.h"

struct monitor_source {
    char *path;
    monitor_reader *reader;
    dev_t device; ino_t inode;           /* of the file that the reader has open */
    fw_error why;
};

fw_status monitor_source_create(monitor_source **out, const char *path, fw_error *err)
{
    FW_AUTO(monitor_source) *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "dashboard: the store");
    if (path != NULL) FW_TRY(fw_copy_text(&s->path, path, err));
    *out = s;
    s = NULL;
    return FW_OK;
}

void monitor_source_destroy(monitor_source **source)
{
    monitor_source *s = source != NULL ? *source : NULL;
    if (s == NULL) return;
    monitor_reader_destroy(&s->reader);
    free(s->path);
    free(s);
    *source = NULL;
}

const char *monitor_source_path(const monitor_source *s) { return s->path; }

static fw_status open_again(monitor_source *s)
{
    struct stat now = {0};
    const bool there = stat(s->path, &now) == 0;
    if (s->reader != NULL && (!there || now.st_dev != s->device || now.st_ino != s->inode)) monitor_reader_destroy(&s->reader);
    if (s->reader != NULL) return FW_OK;
    s->device = now.st_dev;
    s->inode = now.st_ino;
    return monitor_reader_open(&s->reader, s->path, &s->why);
}

monitor_reader *monitor_source_begin(monitor_source *s, const char **why)
{
    s->why.text[0] = '\0';
    fw_status status = s->path == NULL ? fw_fail(&s->why, FW_ERR_NOTFOUND, "the monitor keeps no store; start it with --store FILE") : open_again(s);
    if (status == FW_OK) status = monitor_reader_begin(s->reader, &s->why);
    *why = s->why.text;
    return status == FW_OK ? s->reader : NULL;
}

void monitor_source_end(monitor_source *s, bool failed)
{
    if (s->reader != NULL) monitor_reader_end(s->reader);
    if (failed) monitor_reader_destroy(&s->reader);
}
