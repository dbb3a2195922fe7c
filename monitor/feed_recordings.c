#include <stdlib.h>
#include <string.h>

#include "common/bus/recording.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "monitor/feed.h"

typedef struct source {
    fw_recording *recording;
    fw_inbox_publisher info;           /* as a publisher that has all its messages in its spool, and delivers them */
    bool told;                         /* that it is there */
} source;

typedef struct feed { source *of; size_t n, at; } feed;

static void close_feed(void *context)
{
    feed *f = context;
    for (size_t i = 0; i < f->n; i++) fw_recording_destroy(&f->of[i].recording);
    free(f->of);
    free(f);
}

/** As much of a path as there is room for, and as can be shown. */
static void copy_name(char *out, size_t room, const char *from)
{
    size_t len = fw_utf8_valid(from, FW_MIN(strlen(from), room - 1));
    memcpy(out, from, len);
    out[len] = '\0';
}

static fw_status open_source(source *s, const char *path, fw_error *err)
{
    const char *slash = strrchr(path, '/');
    FW_TRY(fw_recording_open(&s->recording, path, err));
    const uint64_t messages = fw_recording_messages(s->recording);
    s->info = (fw_inbox_publisher){.there = true, .stream = fw_recording_stream(s->recording), .highest = fw_recording_highest(s->recording),
                                   .produced = messages, .spooled = messages, .adds_up = true};
    copy_name(s->info.endpoint, sizeof s->info.endpoint, path);
    copy_name(s->info.name, sizeof s->info.name, slash != NULL && slash[1] != '\0' ? slash + 1 : path);
    return FW_OK;
}

/* What had left a spool before its first message was taken by others; other numbers are lost. */
static bool take_hole(source *s, const fw_recorded *hole)
{
    const uint64_t n = hole->last - hole->first + 1;
    s->info.position = hole->last;
    if (hole->first == 1) s->info.before = n;
    else s->info.lost += n;
    return hole->first > 1;
}

static void take_message(source *s, const fw_recorded *m)
{
    s->info.position = s->info.acknowledged = m->first;
    s->info.delivered++;
    s->info.spooled--;
}

static fw_status next_of(source *s, fw_inbox_event *out, fw_error *err)
{
    fw_recorded r;
    *out = (fw_inbox_event){.kind = FW_INBOX_FOUND, .publisher = &s->info};
    if (!s->told) {
        s->told = true;
        return FW_OK;
    }
    fw_status status;
    while ((status = fw_recording_next(s->recording, &r, err)) == FW_OK) {
        if (r.topic == NULL && !take_hole(s, &r)) continue;
        if (r.topic != NULL) take_message(s, &r);
        out->kind = r.topic != NULL ? FW_INBOX_MESSAGE : FW_INBOX_LOST;
        out->topic = r.topic;
        out->payload = r.payload;
        out->len = r.len;
        out->first = r.first;
        out->last = r.last;
        return FW_OK;
    }
    return status;
}

static fw_status next(void *context, fw_inbox_event *out, fw_mono deadline, fw_error *err)
{
    feed *f = context;
    (void)deadline;
    if (f->at == f->n) return FW_END;
    source *s = &f->of[f->at];
    const fw_status status = next_of(s, out, err);
    if (status != FW_END) return status;
    f->at++;
    s->info.there = false;
    out->kind = FW_INBOX_ENDED;
    return FW_OK;
}

/* Recordings are read from their beginning; who stands further passes over what it knows. */
static fw_status set_position(void *context, const fw_stream *stream, uint64_t sequence, fw_error *err)
{
    (void)context, (void)stream, (void)sequence, (void)err;
    return FW_OK;
}

static void acknowledge(void *context) { (void)context; }
static size_t n_publishers(const void *context) { return ((const feed *)context)->n; }
static const fw_inbox_publisher *publisher_at(const void *context, size_t i) { return &((const feed *)context)->of[i].info; }

/** The same stream twice would count its messages once, in silence. */
static fw_status check_twice(const feed *f, const char *path, fw_error *err)
{
    const source *new = &f->of[f->n - 1];
    for (size_t i = 0; i + 1 < f->n; i++)
        if (memcmp(&f->of[i].info.stream, &new->info.stream, sizeof new->info.stream) == 0)
            return fw_fail(err, FW_ERR_CONFIG, "%s and %s are the same recording; give it once", f->of[i].info.endpoint, path);
    return FW_OK;
}

static fw_status open_all(feed *f, const char *const *paths, size_t n, fw_error *err)
{
    FW_TRY(fw_alloc_zeroed((void **)&f->of, n, sizeof *f->of, "recordings", err));
    for (size_t i = 0; i < n; i++) {
        f->n++;
        FW_TRY(open_source(&f->of[i], paths[i], err));
        FW_TRY(check_twice(f, paths[i], err));
    }
    return FW_OK;
}

fw_status monitor_feed_recordings(monitor_feed *out, const char *const *paths, size_t n, fw_error *err)
{
    if (n == 0 || n > FW_INBOX_MAX_PUBLISHERS) return fw_fail(err, FW_ERR_CONFIG, "monitor: %zu recordings; it reads 1 to %d at a time", n, FW_INBOX_MAX_PUBLISHERS);
    feed *f = calloc(1, sizeof *f);
    if (f == NULL) return fw_fail(err, FW_ERR_NOMEM, "monitor: recordings");
    const fw_status status = open_all(f, paths, n, err);
    if (status < 0) {
        close_feed(f);
        return status;
    }
    *out = (monitor_feed){.context = f, .next = next, .set_position = set_position, .acknowledge = acknowledge, .n = n_publishers, .at = publisher_at, .close = close_feed};
    return FW_OK;
}
