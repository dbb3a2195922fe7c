/** Messages in a file, for a reader without a bus: later, on another machine, in CI. Written as a spool's segment is (record.h), as long as it has to be:
 *
 *      segment head, number 1 | records 1, 2, 3, ... without a hole | the end: a record of the topic "bus/end", without a payload
 *
 *  The writer puts the file under its name when it is whole. The reader looks at all of it before it gives anything: what is damaged, cut off or
 *  unfinished is refused, with the place. It also reads the folder of a spool whose publisher has ended in order, and changes nothing there: numbers that are
 *  not in it any more are told as lost. Knows no message. Not thread-safe: one owner. */
#ifndef FW_BUS_RECORDING_H
#define FW_BUS_RECORDING_H

#include "common/bus/bus.h"
#include "common/bus/record.h"

typedef struct fw_recorder fw_recorder;

/** A new stream. FW_ERR_IO: the file can't be written. */
fw_status fw_recorder_create(fw_recorder **out, const char *path, fw_error *err);
void      fw_recorder_destroy(fw_recorder **r);        /* without commit: nothing is left */
/** FW_ERR_ARG: larger than FW_BUS_MAX_MESSAGE, or a topic that is empty or longer than FW_BUS_MAX_TOPIC. FW_ERR_IO. */
fw_status fw_recorder_put(fw_recorder *r, const char *topic, const void *payload, size_t len, fw_error *err);
/** The end; synced, and under its name. A file that stood there is replaced. */
fw_status fw_recorder_commit(fw_recorder *r, fw_error *err);
uint64_t  fw_recorder_messages(const fw_recorder *r);

/** Message first of the stream; or, with topic NULL, numbers first to last that are not there. */
typedef struct fw_recorded {
    uint64_t first, last;
    const char *topic; const void *payload; size_t len;
} fw_recorded;

typedef struct fw_recording fw_recording;

/** path: a recording, or the folder of a spool. Reads it once, to its end. FW_ERR_CONFIG: there is none, or a publisher holds it; FW_ERR_FORMAT: it is
 *  none, damaged, cut off or unfinished (where is said); FW_ERR_IO. */
fw_status fw_recording_open(fw_recording **out, const char *path, fw_error *err);
void      fw_recording_destroy(fw_recording **r);
/** The next one, valid until the next call. FW_END: that was all. FW_ERR_FORMAT: the file has changed since it was opened. */
fw_status fw_recording_next(fw_recording *r, fw_recorded *out, fw_error *err);

fw_stream fw_recording_stream(const fw_recording *r);
uint64_t  fw_recording_messages(const fw_recording *r);
uint64_t  fw_recording_highest(const fw_recording *r);   /* number */

#endif
