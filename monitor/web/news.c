#include "monitor/web/news.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/text.h"
#include "common/core/thread.h"
#include "monitor/web/changes.h"
#include "monitor/web/source.h"

#define LOOK_S 1.0
#define LIFE_S 15.0                      /* a sign of life, so that who has gone is noticed */

struct monitor_listener {
    fw_text pending;
    bool lost;
    void (*wake)(void *context, bool lost);
    void *context;
    monitor_listener *next;
};

struct monitor_news {
    monitor_source *source;              /* of the thread */
    pthread_t thread;
    pthread_mutex_t lock;                /* guards all that follows */
    pthread_cond_t changed;
    bool running, closed;
    monitor_listener *first;
    size_t n, max;
    uint64_t lost;
};

/* ---- telling; with the lock held ---- */

static void give(monitor_news *n, monitor_listener *l, const char *bytes, size_t len)
{
    if (l->lost) return;
    if (l->pending.len + len <= MONITOR_NEWS_BYTES) fw_text_add_bytes(&l->pending, bytes, len);
    else l->lost = true;
    if (l->pending.failed) l->lost = true;
    if (l->lost) n->lost++;
    l->wake(l->context, l->lost);
}

static void give_all(monitor_news *n, const char *bytes, size_t len)
{
    for (monitor_listener *l = n->first; l != NULL; l = l->next) give(n, l, bytes, len);
}

void monitor_news_tell(monitor_news *n, const char *event, const char *data)
{
    FW_AUTO(fw_text) text = {0};
    fw_text_format(&text, "event: %s\ndata: %s\n\n", event, data);
    if (text.failed) return;             /* the page asks again by itself */
    pthread_mutex_lock(&n->lock);
    give_all(n, text.data, text.len);
    pthread_mutex_unlock(&n->lock);
}

/* ---- looking ---- */

static void tell_change(void *context, const char *event, const char *data) { monitor_news_tell(context, event, data); }

/** Waits for LOOK_S; whether to go on, and whether anybody listens. */
static bool wait_for_look(monitor_news *n, bool *listeners)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += (time_t)LOOK_S;
    pthread_mutex_lock(&n->lock);
    while (!n->closed && pthread_cond_timedwait(&n->changed, &n->lock, &until) == 0) {}
    *listeners = n->first != NULL;
    const bool on = !n->closed;
    pthread_mutex_unlock(&n->lock);
    return on;
}

static void look(monitor_news *n, monitor_changes *seen)
{
    const char *why;
    fw_error err = {0};
    monitor_reader *reader = monitor_source_begin(n->source, &why);
    if (reader == NULL) return;
    const fw_status s = monitor_changes_find(seen, reader, tell_change, n, &err);
    monitor_source_end(n->source, s < 0);
}

static void *run(void *context)
{
    monitor_news *n = context;
    monitor_changes seen = {0};
    fw_mono life = fw_mono_after(fw_mono_now(), LIFE_S);
    bool listeners;
    while (wait_for_look(n, &listeners)) {
        if (listeners) look(n, &seen);
        else seen.known = false;
        if (!fw_mono_passed(life)) continue;
        pthread_mutex_lock(&n->lock);
        give_all(n, ": alive\n\n", 9);
        pthread_mutex_unlock(&n->lock);
        life = fw_mono_after(fw_mono_now(), LIFE_S);
    }
    return NULL;
}

/* ---- life ---- */

static void begin_lock(monitor_news *n)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&n->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_init(&n->lock, NULL);
}

fw_status monitor_news_start(monitor_news **out, const char *store, size_t max_listeners, fw_error *err)
{
    FW_AUTO(monitor_news) *n = calloc(1, sizeof *n);
    if (n == NULL) return fw_fail(err, FW_ERR_NOMEM, "dashboard: its news");
    begin_lock(n);
    n->max = max_listeners;
    FW_TRY(monitor_source_create(&n->source, store, err));
    FW_TRY(fw_thread_start(&n->thread, run, n, "the dashboard's news", err));
    n->running = true;
    *out = n;
    n = NULL;
    return FW_OK;
}

void monitor_news_close(monitor_news *n)
{
    if (n == NULL) return;
    pthread_mutex_lock(&n->lock);
    n->closed = true;
    for (monitor_listener *l = n->first; l != NULL; l = l->next) l->wake(l->context, false);
    pthread_cond_broadcast(&n->changed);
    pthread_mutex_unlock(&n->lock);
}

void monitor_news_destroy(monitor_news **news)
{
    monitor_news *n = news != NULL ? *news : NULL;
    if (n == NULL) return;
    monitor_news_close(n);
    if (n->running) pthread_join(n->thread, NULL);
    monitor_source_destroy(&n->source);
    pthread_cond_destroy(&n->changed);
    pthread_mutex_destroy(&n->lock);
    free(n);
    *news = NULL;
}

/* ---- listening ---- */

fw_status monitor_news_listen(monitor_listener **out, monitor_news *n, void (*wake)(void *context, bool lost), void *context, fw_error *err)
{
    monitor_listener *l = calloc(1, sizeof *l);
    if (l == NULL) return fw_fail(err, FW_ERR_NOMEM, "dashboard: a listener");
    *l = (monitor_listener){.wake = wake, .context = context};
    fw_text_add(&l->pending, "retry: 2000\nevent: hello\ndata: {}\n\n");
    pthread_mutex_lock(&n->lock);
    const bool room = n->n < n->max && !n->closed && !l->pending.failed;
    if (room) {
        l->next = n->first;
        n->first = l;
        n->n++;
    }
    pthread_mutex_unlock(&n->lock);
    if (!room) {
        fw_text_destroy(&l->pending);
        free(l);
        return fw_fail(err, FW_ERR_LOST, "%zu pages are open already; close one", n->max);
    }
    *out = l;
    return FW_OK;
}

void monitor_news_leave(monitor_news *n, monitor_listener **listener)
{
    monitor_listener *l = *listener;
    pthread_mutex_lock(&n->lock);
    for (monitor_listener **at = &n->first; *at != NULL; at = &(*at)->next) {
        if (*at != l) continue;
        *at = l->next;
        n->n--;
        break;
    }
    pthread_mutex_unlock(&n->lock);
    fw_text_destroy(&l->pending);
    free(l);
    *listener = NULL;
}

ssize_t monitor_news_read(monitor_news *n, monitor_listener *l, char *out, size_t room, void (*sleep)(void *context))
{
    pthread_mutex_lock(&n->lock);
    ssize_t len = (ssize_t)(l->pending.len < room ? l->pending.len : room);
    if (l->lost || n->closed) {
        len = -1;
    } else if (len == 0) {
        sleep(l->context);
    } else {
        memcpy(out, l->pending.data, (size_t)len);
        memmove(l->pending.data, l->pending.data + len, l->pending.len - (size_t)len);
        l->pending.len -= (size_t)len;
    }
    pthread_mutex_unlock(&n->lock);
    return len;
}

void monitor_news_count(monitor_news *n, size_t *listeners, uint64_t *lost)
{
    pthread_mutex_lock(&n->lock);
    *listeners = n->n;
    *lost = n->lost;
    pthread_mutex_unlock(&n->lock);
}
