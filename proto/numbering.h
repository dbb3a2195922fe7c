/** What a reader knows of the numbering: for each publisher and topic the last sequence seen. A jump is a loss, a repetition is a duplicate.
 *  Holds a limited number of streams: when it is full, one that has ended or was silent for an hour makes room; else the new one is refused. */
#ifndef FW_PROTO_NUMBERING_H
#define FW_PROTO_NUMBERING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/clock.h"
#include "common/core/status.h"

typedef struct fw_numbering fw_numbering;

typedef enum fw_arrival { FW_ARRIVAL_NEW, FW_ARRIVAL_DUPLICATE, FW_ARRIVAL_REFUSED } fw_arrival;

fw_status fw_numbering_create(fw_numbering **out, size_t max_streams, fw_error *err);
void      fw_numbering_destroy(fw_numbering **n);

/** Takes note of one batch. *missing: numbers skipped since the last one of this stream. *before: of the first one seen, how many the
 *  publisher had sent before: the reader came late, which is not a loss on the way. last: the publisher's end. */
fw_status fw_numbering_take(fw_arrival *out, uint64_t *missing, uint64_t *before, fw_numbering *n, const char *publisher, const char *topic,
                            uint64_t sequence, bool last, fw_mono now, fw_error *err);

/** A stream as it was known before, e.g. by a process that ended: the next number is last + 1. FW_ERR_ARG: there is no room. */
fw_status fw_numbering_restore(fw_numbering *n, const char *publisher, const char *topic, uint64_t last, bool ended, fw_mono now, fw_error *err);
/** The i-th stream, from 0; false: there are no more. The texts are valid until the next call that takes one. */
bool      fw_numbering_at(const fw_numbering *n, size_t i, const char **publisher, const char **topic, uint64_t *last, bool *ended);

#endif
