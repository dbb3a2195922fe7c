#include "common/bus/outbox.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "common/bus/outbox_parts.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/core/thread.h"

#define QUEUE_BYTES     ((size_t)64 << 20)
#define LIVE_MESSAGES   1000       /* a reader's queue: what is more it asks for again */
#define REPLAY_MESSAGES 4096
#define MUCH_BYTES      ((size_t)1 << 20)      /* so much, or a quarter of the queue, ends a nap */

/* ---- open ------------------------------------------------------------------------------------------------------------------------------------- */

static void choose_name(char out[static FW_READER_NAME], const char *wanted)
{
    char host[128] = {0};
    gethostname(host, sizeof host - 1);
    if (wanted != NULL) snprintf(out, FW_READER_NAME, "%.*s", FW_READER_NAME - 1, wanted);
    else snprintf(out, FW_READER_NAME, "%.20s@%.30s:%d", program_invocation_short_name, host, (int)getpid());
    for (char *c = out; *c != '\0'; c++) {
        const char one[2] = {*c, '\0'};
        if (!fw_reader_name_valid(one)) *c = '-';
    }
}

/** Where the replay is bound: on the same host, at any port; beside the socket's file. */
static fw_status replay_endpoint(char out[static FW_ENDPOINT_TEXT], const char *live, fw_error *err)
{
    const char *colon = strrchr(live, ':');
    int n;
    if (strncmp(live, "tcp://", 6) == 0 && colon != NULL) n = snprintf(out, FW_ENDPOINT_TEXT, "%.*s:*", (int)(colon - live), live);
    else n = snprintf(out, FW_ENDPOINT_TEXT, "%s.replay", live);
    if (n > 0 && n < FW_ENDPOINT_TEXT) return FW_OK;
    return fw_fail(err, FW_ERR_CONFIG, "bus: the endpoint %.60s... is too long", live);
}

static fw_status open_live(fw_outbox *o, const char *endpoint, fw_error *err)
{
    const fw_socket_opts opts = {.type = ZMQ_XPUB, .high_water = LIVE_MESSAGES, .max_message = FW_BUS_MAX_TOPIC + 1, .side = FW_SIDE_PUBLISHER, .no_heartbeats = true};
    FW_TRY(fw_socket_open(&o->live, o->own, &opts, endpoint, err));
    FW_TRY(fw_socket_set_int(&o->live, ZMQ_XPUB_VERBOSER, 1, "XPUB_VERBOSER", err));      /* every reader's coming and going */
    return fw_socket_bind(&o->live, endpoint, err);
}

static fw_status open_replay(fw_outbox *o, const char *endpoint, fw_error *err)
{
    const fw_socket_opts opts = {.type = ZMQ_ROUTER, .high_water = REPLAY_MESSAGES, .max_message = 4096, .side = FW_SIDE_REPLAY, .no_heartbeats = true};
    char at[FW_ENDPOINT_TEXT];
    FW_TRY(replay_endpoint(at, strncmp(endpoint, "tcp://", 6) == 0 ? endpoint : o->live.endpoint, err));
    FW_TRY(fw_socket_open(&o->replay, o->own, &opts, at, err));
    FW_TRY(fw_socket_set_int(&o->replay, ZMQ_ROUTER_MANDATORY, 1, "ROUTER_MANDATORY", err));
    FW_TRY(fw_socket_bind(&o->replay, at, err));
    uint64_t port = 0;
    const char *colon = strrchr(o->replay.endpoint, ':');
    if (strncmp(at, "tcp://", 6) == 0 && colon != NULL && fw_parse_uint64(&port, colon + 1, strlen(colon + 1))) o->replay_port = (uint32_t)port;
    return FW_OK;
}

static fw_status check(const char *endpoint, const fw_outbox_opts *opts, fw_error *err)
{
    if (endpoint != NULL && strncmp(endpoint, "inproc://", 9) == 0)
        return fw_fail(err, FW_ERR_CONFIG, "bus: nobody could come to '%.60s'; write tcp://HOST:PORT or ipc://PATH", endpoint);
    if (opts->name != NULL && !fw_reader_name_valid(opts->name))
        return fw_fail(err, FW_ERR_ARG, "bus: '%.80s' is no name of a publisher: letters, digits and .:_@-, at most %d", opts->name, FW_READER_NAME - 1);
    return FW_OK;
}

static fw_status open_all(fw_outbox *o, fw_bus *b, const char *endpoint, fw_error *err)
{
    const fw_outbox_opts *opts = &o->opts;
    FW_TRY(check(endpoint, opts, err));
    FW_TRY(fw_bus_create_beside(&o->own, b, err));
    FW_TRY(open_live(o, endpoint, err));
    FW_TRY(open_replay(o, endpoint, err));
    FW_TRY(fw_spool_open(&o->spool, &(fw_spool_opts){.folder = opts->spool, .cap_bytes = opts->cap_bytes, .say = opts->say, .context = opts->context}, err));
    o->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (o->wake < 0) return fw_fail_errno(err, FW_ERR_IO, "bus: eventfd");
    o->counts.spool = fw_spool_count(o->spool);
    FW_TRY(fw_thread_start(&o->thread, fw_outbox_run, o, "the thread of the publisher", err));
    o->started = true;
    return FW_OK;
}

fw_status fw_outbox_open(fw_outbox **out, fw_bus *b, const char *endpoint, const fw_outbox_opts *opts, fw_error *err)
{
    FW_AUTO(fw_outbox) *o = calloc(1, sizeof *o);
    if (o == NULL) return fw_fail(err, FW_ERR_NOMEM, "bus: publisher");
    pthread_condattr_t monotonic;
    o->wake = -1;
    if (opts != NULL) o->opts = *opts;
    if (o->opts.queue_bytes == 0) o->opts.queue_bytes = QUEUE_BYTES;
    choose_name(o->name, o->opts.name);
    pthread_mutex_init(&o->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&o->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    FW_TRY(open_all(o, b, endpoint, err));
    o->opts.spool = o->opts.name = NULL;       /* the caller's text */
    *out = o;
    o = NULL;
    return FW_OK;
}

/* ---- the caller's side ------------------------------------------------------------------------------------------------------------------------ */

const char *fw_outbox_endpoint(const fw_outbox *o) { return o->live.endpoint; }
fw_stream fw_outbox_stream(const fw_outbox *o) { return fw_spool_stream(o->spool); }

void fw_outbox_wake(fw_outbox *o)
{
    const uint64_t one = 1;
    if (atomic_exchange(&o->rest, FW_AWAKE) != FW_AWAKE && write(o->wake, &one, sizeof one) < 0) {}      /* full: it is awake already */
}

fw_status fw_outbox_put(fw_outbox *o, const char *topic, const void *payload, size_t len, fw_error *err)
{
    const size_t topic_len = strlen(topic);
    if (topic_len == 0 || topic_len > FW_BUS_MAX_TOPIC || len > FW_BUS_MAX_MESSAGE)
        return fw_fail(err, FW_ERR_ARG, "bus: a message of %zu bytes with a topic of %zu; readers accept %u and 1 to %u; publish smaller batches", len, topic_len,
                       FW_BUS_MAX_MESSAGE, FW_BUS_MAX_TOPIC);
    const size_t bytes = sizeof(fw_letter) + topic_len + len;
    const size_t queued = atomic_fetch_add(&o->queued_bytes, bytes) + bytes;
    fw_letter *letter = queued <= o->opts.queue_bytes ? malloc(bytes) : NULL;
    if (letter == NULL) {
        atomic_fetch_sub(&o->queued_bytes, bytes);
        atomic_fetch_add(&o->dropped, 1);
        return FW_END;
    }
    letter->topic_len = topic_len;
    letter->len = len;
    memcpy(letter->bytes, topic, topic_len);
    if (len > 0) memcpy(letter->bytes + topic_len, payload, len);
    atomic_fetch_add(&o->put, 1);
    letter->next = atomic_load(&o->letters);
    while (!atomic_compare_exchange_weak(&o->letters, &letter->next, letter)) {}
    const fw_outbox_rest rest = atomic_load(&o->rest);
    if (rest == FW_ASLEEP || (rest == FW_NAPPING && queued > FW_MIN(MUCH_BYTES, o->opts.queue_bytes / 4))) fw_outbox_wake(o);
    return FW_OK;
}

static struct timespec as_timespec(fw_mono t) { return (struct timespec){.tv_sec = t.ns / 1000000000, .tv_nsec = t.ns % 1000000000}; }

fw_status fw_outbox_flush(fw_outbox *o, fw_mono deadline, fw_error *err)
{
    const uint64_t wanted = atomic_load(&o->put);
    const struct timespec at = as_timespec(deadline);
    int rc = 0;
    atomic_fetch_add(&o->waiting, 1);
    pthread_mutex_lock(&o->lock);
    while (o->written < wanted && rc == 0) {
        fw_outbox_wake(o);
        rc = pthread_cond_timedwait(&o->changed, &o->lock, &at);
    }
    const bool done = o->written >= wanted;
    fw_status status = o->failed;
    if (status < 0 && err != NULL) *err = o->why;
    pthread_mutex_unlock(&o->lock);
    atomic_fetch_sub(&o->waiting, 1);
    if (status < 0) return status;
    return done ? FW_OK : fw_fail(err, FW_ERR_TIMEOUT, "bus: %s: not all was written to the spool before the deadline", o->live.endpoint);
}

fw_status fw_outbox_wait(fw_outbox *o, int subscribers, fw_mono deadline, fw_error *err)
{
    const struct timespec at = as_timespec(deadline);
    int rc = 0;
    pthread_mutex_lock(&o->lock);
    while (o->counts.subscribers < subscribers && rc == 0) rc = pthread_cond_timedwait(&o->changed, &o->lock, &at);
    const int there = o->counts.subscribers;
    pthread_mutex_unlock(&o->lock);
    if (there >= subscribers) return FW_OK;
    return fw_fail(err, FW_ERR_TIMEOUT, "bus: %s: %d of %d readers came before the deadline", o->live.endpoint, there, subscribers);
}

fw_outbox_counts fw_outbox_count(fw_outbox *o)
{
    pthread_mutex_lock(&o->lock);
    const fw_outbox_counts counts = o->counts;
    pthread_mutex_unlock(&o->lock);
    return counts;
}

/* ---- the end ---------------------------------------------------------------------------------------------------------------------------------- */

static void end_thread(fw_outbox *o, int how, int linger_ms)
{
    if (!o->started) return;
    pthread_mutex_lock(&o->lock);
    o->wish = how;
    o->until = fw_mono_after(fw_mono_now(), linger_ms / 1000.0);
    pthread_mutex_unlock(&o->lock);
    const uint64_t one = 1;
    if (write(o->wake, &one, sizeof one) < 0) {}
    pthread_join(o->thread, NULL);
    o->started = false;
}

static void release(fw_outbox *o, int linger_ms)
{
    for (fw_letter *letter = atomic_load(&o->letters), *next; letter != NULL; letter = next) {
        next = letter->next;
        free(letter);
    }
    fw_socket_close(&o->replay, 0);
    fw_socket_close(&o->live, linger_ms);
    fw_bus_destroy(&o->own);                   /* waits for what is queued, as long as the socket lingers */
    if (o->wake >= 0) close(o->wake);
    pthread_mutex_destroy(&o->lock);
    pthread_cond_destroy(&o->changed);
    free(o);
}

void fw_outbox_destroy(fw_outbox **o)
{
    if (o == NULL || *o == NULL) return;
    end_thread(*o, FW_END_NOW, 0);
    fw_spool_destroy(&(*o)->spool);
    release(*o, 0);
    *o = NULL;
}

fw_status fw_outbox_close(fw_outbox **outbox, int linger_ms, fw_outbox_counts *rest, fw_error *err)
{
    fw_outbox *o = *outbox;
    if (o == NULL) return FW_OK;
    *outbox = NULL;
    const fw_mono until = fw_mono_after(fw_mono_now(), linger_ms / 1000.0);
    end_thread(o, FW_END_IN_ORDER, linger_ms);
    o->counts.spool = fw_spool_count(o->spool);
    if (!fw_spool_has_folder(o->spool)) {
        o->counts.spool.dropped[FW_DROP_LOST] += o->counts.spool.spooled;
        o->counts.spool.spooled = 0;
    }
    if (rest != NULL) *rest = o->counts;
    fw_status status = o->failed;
    if (status < 0 && err != NULL) *err = o->why;
    const fw_status closed = fw_spool_close(&o->spool, status < 0 ? NULL : err);
    const bool all_reported = (size_t)o->subscribers <= fw_outbox_readers(o);
    release(o, all_reported ? FW_MIN(200, linger_ms) : fw_mono_left_ms(until));
    return status < 0 ? status : closed;
}
