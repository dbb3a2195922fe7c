#include "monitor/shares.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"

void monitor_shares_destroy(monitor_shares *s)
{
    for (size_t i = 0; i < s->n; i++) free(s->of[i].who);
    free(s->of);
    *s = (monitor_shares){0};
}

static monitor_share *find(const monitor_shares *s, const char *who)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->of[i].who, who) == 0) return &s->of[i];
    return NULL;
}

bool monitor_shares_room(const monitor_shares *s, size_t bytes) { return s->places > 0 && bytes <= s->bytes; }

bool monitor_shares_may(const monitor_shares *s, const char *who, size_t bytes)
{
    static const monitor_share none;
    const monitor_share *held = find(s, who);
    if (!monitor_shares_room(s, bytes)) return false;
    if (*who == '\0') return true;
    if (held == NULL) held = &none;
    return held->places + 1 <= s->places - 1 && held->bytes + bytes <= s->bytes - bytes;
}

fw_status monitor_shares_add(monitor_shares *s, const char *who, size_t bytes, fw_error *err)
{
    monitor_share *held = find(s, who);
    if (held == NULL) {
        char *copy = NULL;
        FW_TRY(fw_grow((void **)&s->of, &s->capacity, s->n + 1, sizeof *s->of, "publishers' shares", err));
        FW_TRY(fw_copy_text(&copy, who, err));
        held = &s->of[s->n++];
        *held = (monitor_share){.who = copy};
    }
    held->places++;
    held->bytes += bytes;
    s->places--;
    s->bytes -= bytes;
    return FW_OK;
}

size_t monitor_shares_of(const monitor_shares *s, const char *who)
{
    const monitor_share *held = find(s, who);
    return held != NULL ? held->places : 0;
}
