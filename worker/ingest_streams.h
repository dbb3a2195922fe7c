/** Runs of bytes that grow side by side in one file, each from front to back: the columns of a dataset. They are gathered in buffers and written by one
 *  thread of its own, past the page cache where the file system can (O_DIRECT: no copy, no fresh pages, and fsync has nothing left to do), while the
 *  caller puts the next ones together. The page at either end of a run, which may belong to two runs, goes through the cache.
 *
 *      file     ..... | page | page | page | page | .....
 *      a run            [at ............ at + len)             its bytes lie in the buffer as they do in the pages
 *                            ^ cut: written up to here; the rest moves to the next buffer
 *  Local; one owner. Waits last as long as the disk's. Errors of the thread are told by the next call: FW_ERR_IO. */
#ifndef WORKER_INGEST_STREAMS_H
#define WORKER_INGEST_STREAMS_H

#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

typedef struct ingest_streams ingest_streams;

/** n runs in the file at path, which exists and has its length; n_used of them will be written. path outlives it. Memory: at most 12 MiB; with so
 *  many runs that a buffer would be smaller than 8 KiB there are none, and writes are the caller's. */
fw_status ingest_streams_create(ingest_streams **out, const char *path, size_t n, size_t n_used, fw_error *err);
/** What was not finished is dropped. */
void      ingest_streams_destroy(ingest_streams **s);

/** *to: where len bytes of the file from `at` on are to be put before the next call. NULL: no buffer takes so many; put them. */
fw_status ingest_streams_room(ingest_streams *s, size_t stream, uint64_t at, size_t len, void **to, fw_error *err);
fw_status ingest_streams_put(ingest_streams *s, size_t stream, uint64_t at, const void *bytes, size_t len, fw_error *err);
/** All is on the disk. */
fw_status ingest_streams_finish(ingest_streams *s, fw_error *err);

#endif
