#include "monitor/web/door.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/thread.h"
#include "monitor/web/address.h"

#define BACKLOG      1024
#define EVENTS       64
#define TICK_S       0.25
#define LINGER_S     1.0                /* after a refusal, so that it is read before the connection is reset */
#define LINGER_BYTES 65536u
#define SEND_BYTES   65536              /* the kernel may hold of an answer: bounded memory, and who does not read is seen */
#define REST_S       0.05               /* without accepting, when there is no descriptor left */

/** WAITING: its head is not whole. LEAVING: it was refused, and what it still sends is thrown away. */
typedef enum stage { EMPTY, WAITING, LEAVING } stage;
typedef struct place { stage stage; int fd; fw_mono since, deadline; size_t left; } place;

struct monitor_door {
    monitor_door_opts opts;
    char address[MONITOR_ADDRESS_TEXT];
    int listener, epoll, stop;
    bool running;
    pthread_t thread;
    place places[MONITOR_DOOR_WAITING];
    fw_mono rest;
    char head[MONITOR_HEAD_BYTES];
    pthread_mutex_t lock;               /* guards counts */
    monitor_door_counts counts;
};

/* Marks of what an event belongs to; a place's is its index. */
#define MARK_LISTENER UINT64_MAX
#define MARK_STOP     (UINT64_MAX - 1)

static void count(monitor_door *d, uint64_t *counter)
{
    pthread_mutex_lock(&d->lock);
    ++*counter;
    pthread_mutex_unlock(&d->lock);
}

static void leave(place *p)
{
    close(p->fd);
    *p = (place){.fd = -1};
}

/** Says why, sees the other's end of it, and closes within LINGER_S. */
static void refuse(monitor_door *d, place *p, int code, const char *why)
{
    char answer[512];
    const int n = snprintf(answer, sizeof answer,
                           "HTTP/1.1 %d %s\r\nContent-Type: application/json\r\nContent-Length: %zu\r\nConnection: close\r\nCache-Control: no-store\r\n%s"
                           "X-Content-Type-Options: nosniff\r\n\r\n{\"error\":\"%s\"}\n",
                           code, monitor_code_words(code), strlen(why) + 13, code == 503 ? "Retry-After: 1\r\n" : "", why);
    count(d, &d->counts.refused);
    if (send(p->fd, answer, (size_t)n, MSG_NOSIGNAL | MSG_DONTWAIT) != n || shutdown(p->fd, SHUT_WR) != 0) {
        leave(p);
        return;
    }
    p->stage = LEAVING;
    p->left = LINGER_BYTES;
    p->deadline = fw_mono_after(fw_mono_now(), LINGER_S);
}

static void throw_away(place *p)
{
    char bytes[4096];
    for (;;) {
        const ssize_t n = recv(p->fd, bytes, sizeof bytes, MSG_DONTWAIT);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return;
        if (n <= 0 || (size_t)n > p->left) {
            leave(p);
            return;
        }
        p->left -= (size_t)n;
    }
}

static void admit(monitor_door *d, place *p)
{
    const int fd = p->fd;
    if (!d->opts.room(d->opts.context)) {
        refuse(d, p, 503, "too many connections are served at the moment; try again in a second");
        return;
    }
    epoll_ctl(d->epoll, EPOLL_CTL_DEL, fd, NULL);
    *p = (place){.fd = -1};
    count(d, &d->counts.admitted);
    d->opts.admit(d->opts.context, fd);
}

/** Looks at what has come; it stays in the socket for the one who serves it. */
static void look(monitor_door *d, place *p)
{
    monitor_head head;
    const char *why = NULL;
    const ssize_t n = recv(p->fd, d->head, sizeof d->head, MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) {
        leave(p);
        return;
    }
    const int code = monitor_head_check(&head, &why, d->head, (size_t)n);
    if (code == MONITOR_HEAD_FINE) admit(d, p);
    else if (code != MONITOR_HEAD_MORE) refuse(d, p, code, why);
}

/** A free place, else that of the one who has waited longest. */
static place *find_place(monitor_door *d)
{
    place *oldest = NULL;
    for (size_t i = 0; i < MONITOR_DOOR_WAITING; i++) {
        place *p = &d->places[i];
        if (p->stage == EMPTY) return p;
        if (oldest == NULL || p->since.ns < oldest->since.ns) oldest = p;
    }
    count(d, &d->counts.crowded_out);
    leave(oldest);
    return oldest;
}

/** Edge-triggered: bytes that were only looked at do not wake again, new ones do. */
static void take_in(monitor_door *d, int fd)
{
    const int bytes = SEND_BYTES;
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
    place *p = find_place(d);
    const fw_mono now = fw_mono_now();
    *p = (place){.stage = WAITING, .fd = fd, .since = now, .deadline = fw_mono_after(now, MONITOR_DOOR_HEAD_S)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP | EPOLLET, .data.u64 = (uint64_t)(p - d->places)};
    if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &event) != 0) leave(p);
}

static void listen_again(monitor_door *d, bool on)
{
    struct epoll_event event = {.events = on ? EPOLLIN : 0u, .data.u64 = MARK_LISTENER};
    epoll_ctl(d->epoll, EPOLL_CTL_MOD, d->listener, &event);
    d->rest = on ? (fw_mono){0} : fw_mono_after(fw_mono_now(), REST_S);
}

static void accept_some(monitor_door *d)
{
    for (int i = 0; i < EVENTS; i++) {
        const int fd = accept4(d->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (fd >= 0) take_in(d, fd);
        else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            listen_again(d, false);
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) return;
    }
}

static void look_at_deadlines(monitor_door *d)
{
    size_t waiting = 0;
    for (size_t i = 0; i < MONITOR_DOOR_WAITING; i++) {
        place *p = &d->places[i];
        if (p->stage != EMPTY && fw_mono_passed(p->deadline)) {
            if (p->stage == WAITING) {
                count(d, &d->counts.timed_out);
                refuse(d, p, 408, "the head of the request did not come within 5 seconds");
            } else leave(p);
        }
        waiting += p->stage != EMPTY;
    }
    pthread_mutex_lock(&d->lock);
    d->counts.waiting = waiting;
    pthread_mutex_unlock(&d->lock);
}

static void answer_event(monitor_door *d, const struct epoll_event *event)
{
    if (event->data.u64 == MARK_LISTENER) {
        accept_some(d);
        return;
    }
    place *p = &d->places[event->data.u64];
    if (p->stage == WAITING) look(d, p);
    else if (p->stage == LEAVING) throw_away(p);
}

static void *run(void *context)
{
    monitor_door *d = context;
    struct epoll_event events[EVENTS];
    fw_mono tick = fw_mono_after(fw_mono_now(), TICK_S);
    for (;;) {
        const int n = epoll_wait(d->epoll, events, EVENTS, d->rest.ns != 0 ? (int)(REST_S * 1000) : fw_mono_left_ms(tick));
        for (int i = 0; i < n; i++) {
            if (events[i].data.u64 == MARK_STOP) return NULL;
            answer_event(d, &events[i]);
        }
        if (d->rest.ns != 0 && fw_mono_passed(d->rest)) listen_again(d, true);
        if (!fw_mono_passed(tick)) continue;
        look_at_deadlines(d);
        d->opts.tick(d->opts.context);
        tick = fw_mono_after(fw_mono_now(), TICK_S);
    }
}

static fw_status watch(monitor_door *d, int fd, uint64_t mark, fw_error *err)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = mark};
    if (epoll_ctl(d->epoll, EPOLL_CTL_ADD, fd, &event) != 0) return fw_fail_errno(err, FW_ERR_IO, "dashboard: epoll");
    return FW_OK;
}

static fw_status prepare(monitor_door *d, fw_error *err)
{
    FW_TRY(monitor_address_listen(&d->listener, d->address, d->opts.address, BACKLOG, err));
    d->epoll = epoll_create1(EPOLL_CLOEXEC);
    d->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->epoll < 0 || d->stop < 0) return fw_fail_errno(err, FW_ERR_IO, "dashboard: no descriptor");
    FW_TRY(watch(d, d->listener, MARK_LISTENER, err));
    return watch(d, d->stop, MARK_STOP, err);
}

fw_status monitor_door_open(monitor_door **out, const monitor_door_opts *opts, fw_error *err)
{
    FW_AUTO(monitor_door) *d = calloc(1, sizeof *d);
    if (d == NULL) return fw_fail(err, FW_ERR_NOMEM, "dashboard: a door");
    pthread_mutex_init(&d->lock, NULL);
    d->opts = *opts;
    d->listener = d->epoll = d->stop = -1;
    FW_TRY(prepare(d, err));
    *out = d;
    d = NULL;
    return FW_OK;
}

fw_status monitor_door_run(monitor_door *d, fw_error *err)
{
    FW_TRY(fw_thread_start(&d->thread, run, d, "the dashboard's door", err));
    d->running = true;
    return FW_OK;
}

void monitor_door_stop(monitor_door *d)
{
    const uint64_t one = 1;
    if (d == NULL || !d->running) return;
    if (write(d->stop, &one, sizeof one) == (ssize_t)sizeof one) pthread_join(d->thread, NULL);
    d->running = false;
}

void monitor_door_destroy(monitor_door **door)
{
    monitor_door *d = door != NULL ? *door : NULL;
    if (d == NULL) return;
    monitor_door_stop(d);
    for (size_t i = 0; i < MONITOR_DOOR_WAITING; i++)
        if (d->places[i].stage != EMPTY) leave(&d->places[i]);
    if (d->listener >= 0) close(d->listener);
    if (d->epoll >= 0) close(d->epoll);
    if (d->stop >= 0) close(d->stop);
    pthread_mutex_destroy(&d->lock);
    free(d);
    *door = NULL;
}

const char *monitor_door_address(const monitor_door *d) { return d->address; }

monitor_door_counts monitor_door_count(monitor_door *d)
{
    pthread_mutex_lock(&d->lock);
    const monitor_door_counts counts = d->counts;
    pthread_mutex_unlock(&d->lock);
    return counts;
}
