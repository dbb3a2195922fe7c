/** Which publisher tells of which model: when some of its messages are lost, these models' windows lack something. A publisher is known by its stream; of a
 *  model it counts the version that it told of last. The oldest of MONITOR_MAX_SENDERS makes room. One owner. */
#ifndef MONITOR_SENDERS_H
#define MONITOR_SENDERS_H

#include <stddef.h>

#include "common/bus/inbox.h"
#include "common/core/status.h"

#define MONITOR_MAX_SENDERS 1000u

typedef struct monitor_sender { fw_stream stream; char *name, *digest; } monitor_sender;
typedef struct monitor_senders { monitor_sender *of; size_t n, capacity; } monitor_senders;      /* begins as {0}; of: may be read */

void      monitor_senders_destroy(monitor_senders *s);
/** A message of the stream is of this version of this model. Costs a look at each sender; allocates when it is a new one, or of a new version. */
fw_status monitor_senders_note(monitor_senders *s, const fw_stream *stream, const char *name, const char *digest, fw_error *err);

#endif
