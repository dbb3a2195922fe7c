#include "monitor/senders.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"

static void release(monitor_sender *s)
{
    free(s->name);
    free(s->digest);
    *s = (monitor_sender){0};
}

void monitor_senders_destroy(monitor_senders *s)
{
    for (size_t i = 0; i < s->n; i++) release(&s->of[i]);
    free(s->of);
    *s = (monitor_senders){0};
}

static monitor_sender *find(monitor_senders *s, const fw_stream *stream, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (memcmp(&s->of[i].stream, stream, sizeof *stream) == 0 && strcmp(s->of[i].name, name) == 0) return &s->of[i];
    return NULL;
}

static fw_status change_version(monitor_sender *at, const char *digest, fw_error *err)
{
    char *copy = NULL;
    FW_TRY(fw_copy_text(&copy, digest, err));
    free(at->digest);
    at->digest = copy;
    return FW_OK;
}

static void make_room(monitor_senders *s)
{
    if (s->n < MONITOR_MAX_SENDERS) return;
    release(&s->of[0]);
    memmove(s->of, s->of + 1, --s->n * sizeof *s->of);
}

static fw_status add(monitor_senders *s, const fw_stream *stream, const char *name, const char *digest, fw_error *err)
{
    monitor_sender new = {.stream = *stream};
    make_room(s);
    FW_TRY(fw_grow((void **)&s->of, &s->capacity, s->n + 1, sizeof *s->of, "publishers of models", err));
    fw_status status = fw_copy_text(&new.name, name, err);
    if (status == FW_OK) status = fw_copy_text(&new.digest, digest, err);
    if (status == FW_OK) s->of[s->n++] = new;
    else release(&new);
    return status;
}

fw_status monitor_senders_note(monitor_senders *s, const fw_stream *stream, const char *name, const char *digest, fw_error *err)
{
    monitor_sender *at = find(s, stream, name);
    if (at == NULL) return add(s, stream, name, digest, err);
    return strcmp(at->digest, digest) == 0 ? FW_OK : change_version(at, digest, err);
}
