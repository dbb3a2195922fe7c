#include "proto/numbering.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"

#define SILENT_S 3600.0

typedef struct stream {
    uint64_t hash;
    char *publisher, *topic;
    uint64_t last;
    bool ended;
    fw_mono heard;
} stream;

struct fw_numbering { stream *streams; size_t n, capacity, max; };

fw_status fw_numbering_create(fw_numbering **out, size_t max_streams, fw_error *err)
{
    if (max_streams == 0) return fw_fail(err, FW_ERR_ARG, "numbering: room for no stream");
    fw_numbering *n = calloc(1, sizeof *n);
    if (n == NULL) return fw_fail(err, FW_ERR_NOMEM, "numbering");
    n->max = max_streams;
    *out = n;
    return FW_OK;
}

static void release(stream *s)
{
    free(s->publisher);
    free(s->topic);
    *s = (stream){0};
}

void fw_numbering_destroy(fw_numbering **n)
{
    if (n == NULL || *n == NULL) return;
    for (size_t i = 0; i < (*n)->n; i++) release(&(*n)->streams[i]);
    free((*n)->streams);
    free(*n);
    *n = NULL;
}

static uint64_t hash_of(const char *publisher, const char *topic)
{
    return fw_hash64(topic, strlen(topic), fw_hash64(publisher, strlen(publisher), 0));
}

static stream *find(fw_numbering *n, uint64_t hash, const char *publisher, const char *topic)
{
    for (size_t i = 0; i < n->n; i++) {
        stream *s = &n->streams[i];
        if (s->hash == hash && strcmp(s->publisher, publisher) == 0 && strcmp(s->topic, topic) == 0) return s;
    }
    return NULL;
}

/** A place for a new stream: a fresh one, or that of the one longest silent among those that may go. *out NULL: there is none. */
static fw_status make_room(stream **out, fw_numbering *n, fw_mono now, fw_error *err)
{
    *out = NULL;
    if (n->n < n->max) {
        FW_TRY(fw_grow((void **)&n->streams, &n->capacity, n->n + 1, sizeof *n->streams, "streams", err));
        *out = &n->streams[n->n++];
        **out = (stream){0};
        return FW_OK;
    }
    for (size_t i = 0; i < n->n; i++) {
        stream *s = &n->streams[i];
        bool may_go = s->ended || fw_mono_seconds(s->heard, now) > SILENT_S;
        if (may_go && (*out == NULL || s->heard.ns < (*out)->heard.ns)) *out = s;
    }
    if (*out != NULL) release(*out);
    return FW_OK;
}

static fw_status add(stream **out, fw_numbering *n, uint64_t hash, const char *publisher, const char *topic, fw_mono now, fw_error *err)
{
    FW_FREE char *publisher_copy = NULL;
    FW_FREE char *topic_copy = NULL;
    FW_TRY(fw_copy_text(&publisher_copy, publisher, err));
    FW_TRY(fw_copy_text(&topic_copy, topic, err));
    FW_TRY(make_room(out, n, now, err));
    if (*out == NULL) return FW_OK;
    **out = (stream){.hash = hash, .publisher = publisher_copy, .topic = topic_copy};
    publisher_copy = topic_copy = NULL;
    return FW_OK;
}

fw_status fw_numbering_take(fw_arrival *out, uint64_t *missing, uint64_t *before, fw_numbering *n, const char *publisher, const char *topic,
                            uint64_t sequence, bool last, fw_mono now, fw_error *err)
{
    *missing = *before = 0;
    uint64_t hash = hash_of(publisher, topic);
    stream *s = find(n, hash, publisher, topic);
    if (s == NULL) {
        FW_TRY(add(&s, n, hash, publisher, topic, now, err));
        if (s == NULL) {
            *out = FW_ARRIVAL_REFUSED;
            return FW_OK;
        }
        *before = sequence - 1;
    } else if (sequence <= s->last) {
        *out = FW_ARRIVAL_DUPLICATE;
        return FW_OK;
    } else {
        *missing = sequence - s->last - 1;
    }
    s->last = sequence;
    s->ended = s->ended || last;
    s->heard = now;
    *out = FW_ARRIVAL_NEW;
    return FW_OK;
}

fw_status fw_numbering_restore(fw_numbering *n, const char *publisher, const char *topic, uint64_t last, bool ended, fw_mono now, fw_error *err)
{
    const uint64_t hash = hash_of(publisher, topic);
    stream *s = find(n, hash, publisher, topic);
    if (s == NULL) FW_TRY(add(&s, n, hash, publisher, topic, now, err));
    if (s == NULL) return fw_fail(err, FW_ERR_ARG, "numbering: no room for a stream of an earlier run");
    s->last = last;
    s->ended = ended;
    s->heard = now;
    return FW_OK;
}

bool fw_numbering_at(const fw_numbering *n, size_t i, const char **publisher, const char **topic, uint64_t *last, bool *ended)
{
    if (i >= n->n) return false;
    const stream *s = &n->streams[i];
    *publisher = s->publisher;
    *topic = s->topic;
    *last = s->last;
    *ended = s->ended;
    return true;
}
