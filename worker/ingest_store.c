#include "worker/ingest_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/size.h"
#include "worker/ingest_file.h"

typedef struct stored { size_t len; void *in_memory; uint64_t offset; } stored;      /* in_memory NULL: in the file */

struct worker_store {
    worker_memory *memory;
    char *path;
    int fd;                            /* -1: no file yet */
    uint64_t end;                      /* bytes in the file */
    stored *pieces;
    size_t n, capacity, next;
    void *scratch;                     /* a piece on its way to or from the file */
    size_t scratch_capacity;
};

fw_status worker_store_create(worker_store **out, const char *path, worker_memory *memory, fw_error *err)
{
    FW_AUTO(worker_store) *s = calloc(1, sizeof *s);
    if (s == NULL) return fw_fail(err, FW_ERR_NOMEM, "temporary file '%s'", path);
    s->fd = -1;
    s->memory = memory;
    FW_TRY(fw_copy_text(&s->path, path, err));
    *out = s;
    s = NULL;
    return FW_OK;
}

void worker_store_destroy(worker_store **s)
{
    if (*s == NULL) return;
    if ((*s)->fd >= 0) {
        close((*s)->fd);
        unlink((*s)->path);
    }
    free((*s)->pieces);
    free((*s)->scratch);
    free((*s)->path);
    free(*s);
    *s = NULL;
}

fw_status worker_store_room(worker_store *s, size_t len, void **to, fw_error *err)
{
    void *list = s->pieces;
    FW_TRY(fw_grow(&list, &s->capacity, s->n + 1, sizeof *s->pieces, "pieces of rows", err));
    s->pieces = list;
    stored piece = {.len = len, .in_memory = worker_memory_keep(s->memory, len), .offset = s->end};
    if (piece.in_memory == NULL) FW_TRY(fw_grow(&s->scratch, &s->scratch_capacity, len, 1, "a piece of rows", err));
    s->pieces[s->n] = piece;
    *to = piece.in_memory != NULL ? piece.in_memory : s->scratch;
    return FW_OK;
}

fw_status worker_store_put(worker_store *s, fw_error *err)
{
    const stored *piece = &s->pieces[s->n++];
    if (piece->in_memory != NULL) return FW_OK;
    if (s->fd < 0) FW_TRY(worker_file_create(&s->fd, s->path, err));
    FW_TRY(worker_file_write(s->fd, s->scratch, piece->len, s->end, s->path, err));
    s->end += piece->len;
    return FW_OK;
}

fw_status worker_store_next(worker_store *s, void **piece, size_t *len, fw_error *err)
{
    if (s->next > 0 && s->pieces[s->next - 1].in_memory != NULL) worker_memory_drop(s->memory, s->pieces[s->next - 1].len);
    if (s->next == s->n) return FW_END;
    const stored *p = &s->pieces[s->next++];
    *len = p->len;
    *piece = p->in_memory;
    if (p->in_memory != NULL) return FW_OK;
    FW_TRY(fw_grow(&s->scratch, &s->scratch_capacity, p->len, 1, "a piece of rows", err));
    *piece = s->scratch;
    return worker_file_read(s->fd, s->scratch, p->len, p->offset, s->path, err);
}
