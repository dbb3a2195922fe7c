/** The inside of an outbox, for the files that share it: outbox.c (the caller's side), outbox_thread.c (what the thread does), outbox_replay.c (who asks
 *  and acknowledges). */
#ifndef FW_BUS_OUTBOX_PARTS_H
#define FW_BUS_OUTBOX_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <zmq.h>

#include "common/bus/frames.h"
#include "common/bus/outbox.h"
#include "common/bus/socket.h"

#define FW_OUTBOX_SESSIONS 64
#define FW_OUTBOX_IDENTITY 64          /* bytes of a peer's name in the ROUTER */
#define FW_SILENT_S        5.0         /* who was not heard for so long is not there */

/** A message on its way to the thread. */
typedef struct fw_letter {
    struct fw_letter *next;
    uint64_t sequence;
    size_t topic_len, len;
    char bytes[];                      /* topic, payload */
} fw_letter;

/** Who has said where it stands. */
typedef struct fw_session {
    unsigned char identity[FW_OUTBOX_IDENTITY]; size_t identity_len;
    char name[FW_READER_NAME];         /* "": without */
    uint64_t received, acknowledged;
    fw_mono heard;
} fw_session;

/** What the thread does: it works; it naps, some ms at a time, as long as work came a short while ago: callers need not wake it, which costs them 15 us; it sleeps
 *  until it is woken. */
typedef enum fw_outbox_rest { FW_AWAKE, FW_NAPPING, FW_ASLEEP } fw_outbox_rest;

struct fw_outbox {
    fw_bus *own;                       /* a context of its own, so that the end can wait for its queue alone */
    fw_socket live, replay;
    uint32_t replay_port;
    fw_spool *spool;
    fw_outbox_opts opts;
    char name[FW_READER_NAME];

    /* between callers and thread */
    _Atomic(fw_letter *) letters;      /* the last one put first */
    atomic_size_t queued_bytes;
    _Atomic uint64_t put, dropped;     /* messages that were taken; that found no room */
    _Atomic fw_outbox_rest rest;
    atomic_int waiting;                /* callers who want all that was put to be written */
    int wake;                          /* eventfd */
    pthread_t thread; bool started;
    pthread_mutex_t lock;              /* guards what follows, up to the next blank line */
    pthread_cond_t changed;
    fw_outbox_counts counts;
    uint64_t written;                  /* of those that were put */
    enum { FW_RUN, FW_END_IN_ORDER, FW_END_NOW } wish;
    fw_mono until;                     /* of an end in order */
    fw_status failed; fw_error why;    /* of the thread: it goes on, what can't be spooled is dropped */

    /* of the thread */
    fw_session sessions[FW_OUTBOX_SESSIONS]; size_t n_sessions;
    int subscribers; fw_mono last_subscribed;
    uint64_t bad_requests, noted_drops;
    fw_outbox_state state;
    fw_mono next_status, sync_due;
    bool status_due;                   /* somebody new is there */
    bool ending;                       /* the caller wishes it */
    int naps;                          /* left, until it sleeps */
};

void     *fw_outbox_run(void *outbox);                     /* the thread */
void      fw_outbox_wake(fw_outbox *o);
void      fw_outbox_say(const fw_outbox *o, const char *text);

/** All that readers have asked meanwhile, within bounds. */
void      fw_outbox_answer(fw_outbox *o);
/** Whether everybody who is there has everything. */
bool      fw_outbox_all_have_all(const fw_outbox *o);
size_t    fw_outbox_readers(const fw_outbox *o);
/** The status to each of them, beside the one that goes to all: who is gone is forgotten. */
void      fw_outbox_tell_readers(fw_outbox *o);
void      fw_outbox_fill_status(const fw_outbox *o, char out[static FW_STATUS_BYTES]);
/** Never waits. False: no room, or nobody of that name. A failed first frame takes the rest back. */
bool      fw_outbox_send(fw_socket *s, const fw_session *to, const char *topic, size_t topic_len, const fw_header *h, const void *payload, size_t len);

#endif
