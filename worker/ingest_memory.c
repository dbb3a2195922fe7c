#include "worker/ingest_memory.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "common/core/size.h"
#include "common/core/text.h"

#define ALIGNMENT ((size_t)16)
#define HUGE_PAGE ((size_t)2 << 20)

struct worker_memory {
    char *base;
    size_t size;
    size_t dropped, kept_end;          /* pieces: [dropped, kept_end) */
    size_t front, behind;              /* where the next take begins: in [0, dropped), or from kept_end on */
};

fw_status worker_memory_limit(size_t *bytes, int ranks, fw_error *err)
{
    const char *text = getenv(WORKER_MEMORY_SWITCH);
    uint64_t n = FW_MAX(WORKER_MEMORY_BYTES / (size_t)ranks, WORKER_MEMORY_LEAST);
    if (text != NULL && !fw_parse_uint64(&n, text, strlen(text)))
        return fw_fail(err, FW_ERR_CONFIG, "%s='%s': a number of bytes is expected", WORKER_MEMORY_SWITCH, text);
    *bytes = (size_t)n;
    return FW_OK;
}

fw_status worker_memory_create(worker_memory **out, size_t bytes, fw_error *err)
{
    worker_memory *m = calloc(1, sizeof *m);
    if (m == NULL) return fw_fail(err, FW_ERR_NOMEM, "memory of an ingest");
    if (bytes > 0) {
        m->base = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (m->base == MAP_FAILED) {
            free(m);
            return fw_fail_errno(err, FW_ERR_NOMEM, "%zu bytes of memory of an ingest (%s sets another number)", bytes, WORKER_MEMORY_SWITCH);
        }
        if (bytes >= HUGE_PAGE) madvise(m->base, bytes, MADV_HUGEPAGE);      /* a wish: fewer page faults */
    }
    m->size = bytes;
    *out = m;
    return FW_OK;
}

void worker_memory_destroy(worker_memory **m)
{
    if (*m == NULL) return;
    if ((*m)->base != NULL) munmap((*m)->base, (*m)->size);
    free(*m);
    *m = NULL;
}

static size_t rounded(size_t len)
{
    return (len + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void *worker_memory_keep(worker_memory *m, size_t len)
{
    size_t need = rounded(len);
    if (need < len || need > m->size - m->kept_end) return NULL;
    void *at = m->base + m->kept_end;
    m->behind = m->kept_end += need;
    return at;
}

void worker_memory_drop(worker_memory *m, size_t len)
{
    m->dropped += rounded(len);
}

void *worker_memory_take(worker_memory *m, size_t len)
{
    size_t need = rounded(len);
    if (need < len) return NULL;
    const bool in_front = need <= m->dropped - m->front;       /* pages that are there already */
    if (!in_front && need > m->size - m->behind) return NULL;
    size_t *next = in_front ? &m->front : &m->behind;
    void *at = m->base + *next;
    *next += need;
    return at;
}

void worker_memory_take_back(worker_memory *m)
{
    m->front = 0;
    m->behind = m->kept_end;
}
