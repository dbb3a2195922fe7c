#include "worker/ingest_spool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/size.h"

#define STREAM_BYTES ((size_t)1 << 20)
#define HEAD_BYTES   ((size_t)16 << 20)

struct worker_spool {
    char *path;
    char *head;                        /* the first bytes, at most HEAD_BYTES */
    size_t head_len, head_capacity, head_read;
    FILE *stream;                      /* what follows them */
};

fw_status worker_spool_create(worker_spool **out, const char *path, fw_error *err)
{
    FW_AUTO(worker_spool) *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "temporary file '%s'", path);
    FW_TRY(fw_copy_text(&s->path, path, err));
    s->stream = fopen(path, "w+be");
    if (s->stream == NULL) {
        fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be written", path);
        return FW_ERR_IO;
    }
    setvbuf(s->stream, NULL, _IOFBF, STREAM_BYTES);
    *out = s;
    s = NULL;
    return FW_OK;
}

void worker_spool_destroy(worker_spool **s)
{
    if (*s == NULL) return;
    if ((*s)->stream != NULL) {
        fclose((*s)->stream);
        unlink((*s)->path);
    }
    free((*s)->head);
    free((*s)->path);
    free(*s);
    *s = NULL;
}

fw_status worker_spool_write(worker_spool *s, const void *bytes, size_t len, fw_error *err)
{
    const size_t some = FW_MIN(len, HEAD_BYTES - s->head_len);
    if (some > 0) {
        FW_TRY(fw_grow((void **)&s->head, &s->head_capacity, s->head_len + some, 1, "keys of rows", err));
        memcpy(s->head + s->head_len, bytes, some);
        s->head_len += some;
    }
    len -= some;
    if (len > 0 && fwrite((const char *)bytes + some, 1, len, s->stream) != len) return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be written", s->path);
    return FW_OK;
}

fw_status worker_spool_rewind(worker_spool *s, fw_error *err)
{
    s->head_read = 0;
    if (fflush(s->stream) != 0 || fseeko(s->stream, 0, SEEK_SET) != 0)
        return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be written", s->path);
    return FW_OK;
}

fw_status worker_spool_read(worker_spool *s, void *bytes, size_t len, fw_error *err)
{
    const size_t some = FW_MIN(len, s->head_len - s->head_read);
    if (some > 0) memcpy(bytes, s->head + s->head_read, some);
    s->head_read += some;
    len -= some;
    if (len == 0 || fread((char *)bytes + some, 1, len, s->stream) == len) return FW_OK;
    if (ferror(s->stream)) return fw_fail_errno(err, FW_ERR_IO, "temporary file '%s' cannot be read", s->path);
    return fw_fail(err, FW_ERR_IO, "temporary file '%s' ends too early: something else changed it", s->path);
}
