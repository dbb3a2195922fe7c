#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bus/outbox_parts.h"
#include "common/core/size.h"

#define STATUS_EVERY_S  1.0
#define CLOSING_EVERY_S 0.1
#define SYNC_EVERY_S    0.1
#define SYNC_BYTES      (1u << 20)
#define NAP_MS          5          /* after work: what comes meanwhile waits so long at most */
#define NAPS            10         /* until it sleeps */
#define YOUNG_S         2.0        /* who came just now may still have to say where it stands */
#define EVENTS_PER_LOOK 1000       /* subscriptions handled before other work goes on, so that a flood of them cannot hold it up */

void fw_outbox_say(const fw_outbox *o, const char *text)
{
    if (o->opts.say != NULL) o->opts.say(o->opts.context, text);
}

/* ---- frames ----------------------------------------------------------------------------------------------------------------------------------- */

static bool send_bytes(fw_socket *s, const void *bytes, size_t len, int flags)
{
    int n;
    do n = zmq_send(s->zmq, bytes, len, flags | ZMQ_DONTWAIT);
    while (n < 0 && zmq_errno() == EINTR);
    return n >= 0;
}

bool fw_outbox_send(fw_socket *s, const fw_session *to, const char *topic, size_t topic_len, const fw_header *h, const void *payload, size_t len)
{
    char header[FW_HEADER_BYTES];
    fw_header_encode(header, h);
    if (to != NULL && !send_bytes(s, to->identity, to->identity_len, ZMQ_SNDMORE)) return false;
    return send_bytes(s, topic, topic_len, ZMQ_SNDMORE) && send_bytes(s, header, sizeof header, ZMQ_SNDMORE) && send_bytes(s, payload, len, 0);
}

/** What a slow reader has no room for it asks for again. */
static void publish(fw_outbox *o, const fw_letter *letter)
{
    const fw_header h = {.kind = FW_FRAME_DATA, .stream = fw_spool_stream(o->spool), .sequence = letter->sequence};
    if (o->subscribers > 0) fw_outbox_send(&o->live, NULL, letter->bytes, letter->topic_len, &h, letter->bytes + letter->topic_len, letter->len);
}

static void send_status(fw_outbox *o)
{
    char bytes[FW_STATUS_BYTES];
    const fw_header h = {.kind = FW_FRAME_STATUS, .stream = fw_spool_stream(o->spool), .sequence = fw_spool_count(o->spool).highest};
    fw_outbox_fill_status(o, bytes);
    fw_outbox_send(&o->live, NULL, FW_TOPIC_STATUS, strlen(FW_TOPIC_STATUS), &h, bytes, sizeof bytes);
    if (o->state != FW_OUTBOX_OPEN) fw_outbox_tell_readers(o);
    o->next_status = fw_mono_after(fw_mono_now(), o->state == FW_OUTBOX_OPEN ? STATUS_EVERY_S : CLOSING_EVERY_S);
    o->status_due = false;
}

/* ---- work ------------------------------------------------------------------------------------------------------------------------------------- */

/** What callers have put, the first one first. */
static fw_letter *take_letters(fw_outbox *o)
{
    fw_letter *first = NULL;
    for (fw_letter *letter = atomic_exchange(&o->letters, NULL), *next; letter != NULL; letter = next) {
        next = letter->next;
        letter->next = first;
        first = letter;
    }
    return first;
}

static void note_failure(fw_outbox *o, fw_status status, const fw_error *why)
{
    const bool first = o->failed == FW_OK;
    pthread_mutex_lock(&o->lock);
    if (first) o->failed = status, o->why = *why;
    pthread_mutex_unlock(&o->lock);
    if (first) fw_outbox_say(o, why->text);
}

/** Numbers, spools, publishes. Nobody sees a number that a killed process would take back. */
static uint64_t deliver(fw_outbox *o)
{
    fw_letter *letters = take_letters(o);
    fw_error why = {0};
    uint64_t n = 0;
    size_t bytes = 0;
    for (fw_letter *letter = letters; letter != NULL; letter = letter->next) {
        const fw_status status = fw_spool_append(o->spool, &letter->sequence, letter->bytes, letter->topic_len, letter->bytes + letter->topic_len, letter->len, &why);
        if (status < 0) {
            letter->sequence = 0;
            fw_spool_note_drops(o->spool, 1);
            note_failure(o, status, &why);
        }
        bytes += sizeof *letter + letter->topic_len + letter->len;
        n++;
    }
    const fw_status status = n > 0 ? fw_spool_write(o->spool, &why) : FW_OK;
    if (status < 0) note_failure(o, status, &why);
    for (fw_letter *letter = letters, *next; letter != NULL; letter = next) {
        next = letter->next;
        if (letter->sequence > 0) publish(o, letter);
        free(letter);
    }
    atomic_fetch_sub(&o->queued_bytes, bytes);
    return n;
}

static void note_drops(fw_outbox *o)
{
    const uint64_t dropped = atomic_load(&o->dropped);
    if (dropped == o->noted_drops) return;
    fw_spool_note_drops(o->spool, dropped - o->noted_drops);
    o->noted_drops = dropped;
}

static void sync_when_due(fw_outbox *o, bool now)
{
    fw_error why = {0};
    if (fw_spool_unsynced(o->spool) == 0 && !now) {
        o->sync_due = fw_mono_after(fw_mono_now(), SYNC_EVERY_S);
        return;
    }
    if (!now && fw_spool_unsynced(o->spool) < SYNC_BYTES && !fw_mono_passed(o->sync_due)) return;
    const fw_status status = fw_spool_sync(o->spool, &why);
    if (status < 0) note_failure(o, status, &why);
    o->sync_due = fw_mono_after(fw_mono_now(), SYNC_EVERY_S);
}

/** Takes in who came and who went. */
static void look_at_subscribers(fw_outbox *o)
{
    for (int i = 0; i < EVENTS_PER_LOOK; i++) {
        zmq_msg_t event;
        zmq_msg_init(&event);
        const int n = zmq_msg_recv(&event, o->live.zmq, ZMQ_DONTWAIT);
        const unsigned char what = n > 0 ? *(const unsigned char *)zmq_msg_data(&event) : 2;
        zmq_msg_close(&event);
        if (n < 0 && zmq_errno() != EINTR) return;
        if (what == 1) {
            o->subscribers++;
            o->last_subscribed = fw_mono_now();
            o->status_due = true;
        } else if (what == 0 && o->subscribers > 0) {
            o->subscribers--;
        }
    }
}

/* ---- the loop --------------------------------------------------------------------------------------------------------------------------------- */

static void tell_counts(fw_outbox *o, uint64_t delivered)
{
    const fw_spool_counts spool = fw_spool_count(o->spool);
    pthread_mutex_lock(&o->lock);
    o->counts = (fw_outbox_counts){.spool = spool, .bad_requests = o->bad_requests, .subscribers = o->subscribers, .readers = fw_outbox_readers(o)};
    o->written += delivered;
    pthread_cond_broadcast(&o->changed);
    pthread_mutex_unlock(&o->lock);
}

/** Whether the caller wants the end, and all has been done for it that can be. */
static bool at_end(fw_outbox *o)
{
    pthread_mutex_lock(&o->lock);
    const int wish = o->wish;
    const fw_mono until = o->until;
    pthread_mutex_unlock(&o->lock);
    o->ending = wish != FW_RUN;
    if (wish == FW_RUN || atomic_load(&o->letters) != NULL) return wish == FW_END_NOW;
    if (wish == FW_END_IN_ORDER && o->state == FW_OUTBOX_OPEN) {
        o->state = FW_OUTBOX_CLOSING;
        o->status_due = true;
        return false;
    }
    const bool may_still_speak = (size_t)o->subscribers > fw_outbox_readers(o) && fw_mono_seconds(o->last_subscribed, fw_mono_now()) < YOUNG_S;
    return wish == FW_END_NOW || fw_mono_passed(until) || (!may_still_speak && fw_outbox_all_have_all(o));
}

/** Until something comes, a nap is over, or something is due. */
static void wait_for_work(fw_outbox *o)
{
    zmq_pollitem_t items[] = {{.socket = o->live.zmq, .events = ZMQ_POLLIN}, {.socket = o->replay.zmq, .events = ZMQ_POLLIN}, {.fd = o->wake, .events = ZMQ_POLLIN}};
    const bool nap = o->naps > 0;
    int left = fw_mono_left_ms(o->next_status);
    if (fw_spool_unsynced(o->spool) > 0) left = FW_MIN(left, fw_mono_left_ms(o->sync_due));
    if (o->state != FW_OUTBOX_OPEN) left = FW_MIN(left, 20);
    if (nap) left = FW_MIN(left, NAP_MS), o->naps--;
    atomic_store(&o->rest, nap ? FW_NAPPING : FW_ASLEEP);
    if (atomic_load(&o->letters) == NULL || (nap && atomic_load(&o->waiting) == 0)) zmq_poll(items, 3, left);
    atomic_store(&o->rest, FW_AWAKE);
    uint64_t count;
    if (read(o->wake, &count, sizeof count) < 0) {}            /* nothing to take */
}

void *fw_outbox_run(void *outbox)
{
    fw_outbox *o = outbox;
    o->next_status = fw_mono_now();
    tell_counts(o, 0);
    while (!at_end(o)) {
        const uint64_t delivered = deliver(o);
        note_drops(o);
        look_at_subscribers(o);
        fw_outbox_answer(o);
        const bool due = fw_mono_passed(o->next_status);
        sync_when_due(o, due);                                 /* also looks at a failing disk */
        if (due || o->status_due) send_status(o);
        tell_counts(o, delivered);
        if (o->ending) o->naps = 0;
        else if (delivered > 0) o->naps = NAPS;
        if (delivered == 0 || o->naps > 0) wait_for_work(o);
    }
    tell_counts(o, deliver(o));
    o->state = FW_OUTBOX_CLOSED;
    if (o->wish == FW_END_IN_ORDER) send_status(o);
    return NULL;
}
