/** A publisher that never makes its caller wait and accounts for every message: produced = delivered + spooled + dropped (by reason).
 *  fw_outbox_put copies into a bounded queue. A thread of the outbox numbers what is there, writes it to the spool (spool.h), publishes it live
 *  (XPUB), sends it again to those who ask (ROUTER, at an address that is announced on the XPUB each second), and takes acknowledgements.
 *  A message is *delivered* when every known reader has acknowledged it. Readers are known by the names they give (inbox.h): from their first word on,
 *  whether they are there or not, until 7 days of silence. Readers without a name, and plain SUB sockets, get everything live, and may ask for what is
 *  still spooled, but hold nothing back and deliver nothing. A reader that comes late and has no position gets everything that is still spooled.
 *  What was put is safe from a killed process when its number was written: fw_outbox_flush. Knows no message; frames.h has the bytes. */
#ifndef FW_BUS_OUTBOX_H
#define FW_BUS_OUTBOX_H

#include "common/bus/spool.h"

typedef struct fw_outbox_opts {
    const char *name;                  /* of the publisher, for people: letters, digits and .:_@-; NULL: "<program>@<host>:<process>" */
    const char *spool;                 /* folder; NULL: in memory alone, and what nobody has acknowledged at the end is lost */
    uint64_t cap_bytes;                /* of the spool, on disk or in memory; 0: its default */
    size_t queue_bytes;                /* between the callers and the thread; 0: 64 MiB */
    void (*say)(void *context, const char *text);      /* of troubles, from the thread; may be NULL */
    void *context;
} fw_outbox_opts;

typedef struct fw_outbox_counts {
    fw_spool_counts spool;             /* of the stream, from its beginning on */
    uint64_t bad_requests;             /* that were not understood, or came from nobody that can be */
    int subscribers;                   /* connected now, of every kind */
    size_t readers;                    /* that report where they stand, heard within 5 s */
} fw_outbox_counts;

typedef struct fw_outbox fw_outbox;

/** Binds the endpoint and a second one for the replay: tcp://, another port of the same host; ipc://, PATH.replay. FW_ERR_CONFIG: an endpoint that is
 *  none, or a spool that another publisher holds; FW_ERR_BUS; and the errors of the spool. */
fw_status   fw_outbox_open(fw_outbox **out, fw_bus *b, const char *endpoint, const fw_outbox_opts *opts, fw_error *err);
/** Ends in order: waits up to linger_ms until every reader that is there has all of it, and plain SUB sockets have been sent theirs; does not wait when
 *  nobody is there. The rest stays in the spool, for the next publisher on it. *rest (may be NULL): the counts at the end; without a folder what
 *  would be spooled is dropped as "lost". *o is NULL afterwards whatever is returned. */
fw_status   fw_outbox_close(fw_outbox **o, int linger_ms, fw_outbox_counts *rest, fw_error *err);
void        fw_outbox_destroy(fw_outbox **o);              /* at once, as if the process had ended */

const char *fw_outbox_endpoint(const fw_outbox *o);        /* as bound: tcp://127.0.0.1:* becomes a real port */
fw_stream   fw_outbox_stream(const fw_outbox *o);

/** Any thread, at any time; makes no system call that can wait, and none at all when others were put within the last 50 ms: then it is taken in up to 5 ms,
 *  with what comes meanwhile. FW_END: the queue was full and the message is dropped, which is counted.
 *  FW_ERR_ARG: larger than FW_BUS_MAX_MESSAGE, or a topic longer than FW_BUS_MAX_TOPIC or empty. */
fw_status   fw_outbox_put(fw_outbox *o, const char *topic, const void *payload, size_t len, fw_error *err);

/** Until all that was put before is numbered and written. FW_ERR_TIMEOUT. */
fw_status   fw_outbox_flush(fw_outbox *o, fw_mono deadline, fw_error *err);
/** Until so many subscribers are connected. FW_ERR_TIMEOUT. */
fw_status   fw_outbox_wait(fw_outbox *o, int subscribers, fw_mono deadline, fw_error *err);
/** As of at most a second ago; after a flush, or a wait that ended well, as of then. */
fw_outbox_counts fw_outbox_count(fw_outbox *o);

#endif
