#include "monitor/channel.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/core/clock.h"
#include "common/core/size.h"
#include "common/core/thread.h"

#define MAX_WAITING   256
#define FIRST_PAUSE_S 1.0
#define MAX_PAUSE_S   60.0

/** A place of the ring: first a text that waits, then how it came out. */
typedef struct place { uint64_t ticket; char *text; monitor_sent sent; } place;

struct monitor_channel {
    monitor_channel_opts opts;
    pthread_t thread;
    pthread_mutex_t mutex;             /* guards what follows */
    pthread_cond_t changed;
    place *ring;                       /* of opts.max_waiting places; fetched <= sent <= put count up for ever */
    uint64_t fetched, sent, put;
    atomic_bool stop;                  /* leave what you do */
    bool ending;                       /* leave when nothing waits */
};

static place *at(const monitor_channel *c, uint64_t i) { return &c->ring[i % c->opts.max_waiting]; }

static struct timespec moment(double after_s)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    const int64_t ns = (int64_t)t.tv_nsec + (int64_t)(after_s * 1e9);
    return (struct timespec){.tv_sec = t.tv_sec + ns / 1000000000, .tv_nsec = ns % 1000000000};
}

/** Until the time has passed, or the channel is to stop. */
static void rest(monitor_channel *c, double seconds)
{
    const struct timespec end = moment(seconds);
    pthread_mutex_lock(&c->mutex);
    while (!atomic_load(&c->stop) && pthread_cond_timedwait(&c->changed, &c->mutex, &end) != ETIMEDOUT) {}
    pthread_mutex_unlock(&c->mutex);
}

static bool worth_another(fw_status s) { return s == FW_ERR_TIMEOUT || s == FW_ERR_IO || s == FW_ERR_LOST; }

/** As often as it is worth it. */
static fw_status send_text(monitor_channel *c, const char *text, fw_error *err)
{
    double pause = c->opts.first_pause_s;
    for (unsigned n = 1;; n++) {
        const fw_status s = c->opts.send(c->opts.context, text, &c->stop, err);
        if (s >= 0 || !worth_another(s) || n >= c->opts.tries || atomic_load(&c->stop)) return s;
        rest(c, pause);
        pause = FW_MIN(2 * pause, c->opts.max_pause_s);
        if (atomic_load(&c->stop)) return s;
    }
}

/** The next text; NULL: the channel ends. */
static char *await_text(monitor_channel *c)
{
    char *text = NULL;
    pthread_mutex_lock(&c->mutex);
    while (c->sent == c->put && !c->ending && !atomic_load(&c->stop)) pthread_cond_wait(&c->changed, &c->mutex);
    if (c->sent < c->put && !atomic_load(&c->stop)) text = at(c, c->sent)->text;
    pthread_mutex_unlock(&c->mutex);
    return text;
}

static void note_sent(monitor_channel *c, fw_status s, const fw_error *err)
{
    pthread_mutex_lock(&c->mutex);
    place *p = at(c, c->sent);
    p->sent = (monitor_sent){.ticket = p->ticket, .arrived = s >= 0};
    if (s < 0) snprintf(p->sent.why, sizeof p->sent.why, "%.255s", err->text);
    free(p->text);
    p->text = NULL;
    c->sent++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
}

static void *work(void *context)
{
    monitor_channel *c = context;
    for (char *text = await_text(c); text != NULL; text = await_text(c)) {
        fw_error err = {0};
        const fw_status s = send_text(c, text, &err);
        if (s < 0 && atomic_load(&c->stop)) return NULL;      /* broken off: it has no outcome */
        note_sent(c, s, &err);
    }
    return NULL;
}

static fw_status init_waiting(monitor_channel *c, fw_error *err)
{
    pthread_condattr_t attributes;
    if (pthread_mutex_init(&c->mutex, NULL) != 0) return fw_fail(err, FW_ERR_NOMEM, "%s: a mutex", c->opts.name);
    bool made = pthread_condattr_init(&attributes) == 0;
    if (made) {
        made = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0 && pthread_cond_init(&c->changed, &attributes) == 0;
        pthread_condattr_destroy(&attributes);
    }
    if (made) return FW_OK;
    pthread_mutex_destroy(&c->mutex);
    return fw_fail(err, FW_ERR_NOMEM, "%s: a condition variable", c->opts.name);
}

static void release(monitor_channel *c)
{
    for (uint64_t i = c->sent; i < c->put; i++) free(at(c, i)->text);
    free(c->ring);
    free(c);
}

fw_status monitor_channel_open(monitor_channel **out, const monitor_channel_opts *opts, fw_error *err)
{
    monitor_channel *c = calloc(1, sizeof *c);
    if (c == NULL) return fw_fail(err, FW_ERR_NOMEM, "%s: a channel", opts->name);
    c->opts = *opts;
    if (c->opts.max_waiting == 0) c->opts.max_waiting = MAX_WAITING;
    if (!(c->opts.first_pause_s > 0)) c->opts.first_pause_s = FIRST_PAUSE_S;
    if (!(c->opts.max_pause_s > 0)) c->opts.max_pause_s = MAX_PAUSE_S;
    fw_status s = fw_alloc_zeroed((void **)&c->ring, c->opts.max_waiting, sizeof *c->ring, "messages that wait", err);
    if (s >= 0) s = init_waiting(c, err);
    if (s < 0) {
        release(c);
        return s;
    }
    s = fw_thread_start(&c->thread, work, c, opts->name, err);
    if (s < 0) {
        pthread_cond_destroy(&c->changed);
        pthread_mutex_destroy(&c->mutex);
        release(c);
        return s;
    }
    *out = c;
    return FW_OK;
}

void monitor_channel_close(monitor_channel **channel, double linger_s)
{
    if (channel == NULL || *channel == NULL) return;
    monitor_channel *c = *channel;
    const struct timespec end = moment(linger_s);
    pthread_mutex_lock(&c->mutex);
    c->ending = true;
    pthread_cond_broadcast(&c->changed);
    while (c->sent < c->put && pthread_cond_timedwait(&c->changed, &c->mutex, &end) != ETIMEDOUT) {}
    atomic_store(&c->stop, true);
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->mutex);
    pthread_join(c->thread, NULL);
    pthread_cond_destroy(&c->changed);
    pthread_mutex_destroy(&c->mutex);
    release(c);
    *channel = NULL;
}

fw_status monitor_channel_put(monitor_channel *c, uint64_t ticket, const char *text, fw_error *err)
{
    FW_FREE char *copy = NULL;
    FW_TRY(fw_copy_text(&copy, text, err));
    pthread_mutex_lock(&c->mutex);
    const bool room = c->put - c->fetched < c->opts.max_waiting;
    if (room) {
        *at(c, c->put++) = (place){.ticket = ticket, .text = copy};
        copy = NULL;
        pthread_cond_broadcast(&c->changed);
    }
    pthread_mutex_unlock(&c->mutex);
    return room ? FW_OK : FW_END;
}

bool monitor_channel_next(monitor_channel *c, monitor_sent *out)
{
    pthread_mutex_lock(&c->mutex);
    const bool found = c->fetched < c->sent;
    if (found) *out = at(c, c->fetched++)->sent;
    pthread_mutex_unlock(&c->mutex);
    return found;
}
