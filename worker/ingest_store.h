/** Pieces of bytes that are written once in sequence and read back once in sequence: in memory while there is room, else in a temporary file that
 *  is made when it is needed. Destroying removes the file. Local; a full disk is FW_ERR_IO at the call that notices it. */
#ifndef WORKER_INGEST_STORE_H
#define WORKER_INGEST_STORE_H

#include <stddef.h>

#include "worker/ingest_memory.h"

typedef struct worker_store worker_store;
/** memory: not owned, outlives the store; nobody else keeps anything there. */
fw_status worker_store_create(worker_store **out, const char *path, worker_memory *memory, fw_error *err);
void      worker_store_destroy(worker_store **s);

/** Room for a piece of len bytes, aligned to 16, to be filled before worker_store_put. */
fw_status worker_store_room(worker_store *s, size_t len, void **to, fw_error *err);
fw_status worker_store_put(worker_store *s, fw_error *err);
/** The next piece, from the first one on; it stays until the next call, then its memory is free. FW_END: there is none. */
fw_status worker_store_next(worker_store *s, void **piece, size_t *len, fw_error *err);

#endif
