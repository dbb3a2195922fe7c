/** Rows that were laid out in memory, as features. */
#include <string.h>

#include "worker/kernels/bytes.h"
#include "worker/rows.h"

#define AHEAD 4                /* rows that are gathered are asked for so many rows before; they stand anywhere in memory */
#define LINE  64               /* bytes that are asked for at once */

static void ask_for(const char *row, size_t bytes)
{
    for (size_t at = 0; at < bytes; at += LINE) __builtin_prefetch(row + at);
}

/* ld <= pitch: zeros behind the width become zeros. */
static void make_features(const worker_rows *r, uint64_t row, float *x)
{
    worker_bytes_to_features(x, r->bytes + row * r->pitch, r->ld);
}

void worker_rows_gather(const worker_rows *r, const uint64_t *row, size_t n, float *x)
{
    const size_t bytes = r->x != NULL ? r->ld * sizeof *r->x : r->pitch;
    const char *base = r->x != NULL ? (const char *)r->x : (const char *)r->bytes;
    for (size_t i = 0; i < n && i < AHEAD; i++) ask_for(base + row[i] * bytes, bytes);
    for (size_t i = 0; i < n; i++, x += r->ld) {
        if (i + AHEAD < n) ask_for(base + row[i + AHEAD] * bytes, bytes);
        if (r->x != NULL) memcpy(x, r->x + row[i] * r->ld, bytes);
        else make_features(r, row[i], x);
    }
}

const float *worker_rows_features(const worker_rows *r, uint64_t first, size_t n, float *scratch)
{
    if (r->x != NULL) return r->x + first * r->ld;
    for (size_t i = 0; i < n; i++) make_features(r, first + i, scratch + i * r->ld);
    return scratch;
}
