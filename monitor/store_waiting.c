#include "monitor/store_waiting.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "monitor/store_tables.h"

#define CHANGE_BYTES 96      /* of a change beside its row: its place, its key in the dictionary */

fw_status monitor_waiting_init(monitor_waiting *w, size_t max_bytes, fw_error *err)
{
    w->max_bytes = max_bytes;
    return fw_dict_create(&w->keys, err);
}

static void free_changes(monitor_waiting *w)
{
    for (size_t i = 0; i < w->n; i++) free(w->change[i].packed);
    w->n = w->bytes = w->history_bytes = 0;
}

void monitor_waiting_release(monitor_waiting *w)
{
    free_changes(w);
    free(w->change);
    fw_dict_destroy(&w->keys);
    *w = (monitor_waiting){0};
}

static fw_status new_keys(monitor_waiting *w, fw_error *err)
{
    FW_AUTO(fw_dict) *keys = NULL;
    FW_TRY(fw_dict_create(&keys, err));
    fw_dict *old = w->keys;
    w->keys = keys;
    keys = old;      /* ended here */
    return FW_OK;
}

fw_status monitor_waiting_clear(monitor_waiting *w, fw_error *err)
{
    if (w->n == 0) return FW_OK;
    FW_TRY(new_keys(w, err));
    free_changes(w);
    return FW_OK;
}

/** The place of a change of this key: an earlier one's, or n for a new one. */
static fw_status place_of(size_t *out, monitor_waiting *w, monitor_table_id table, const char *packed, size_t key_len, fw_error *err)
{
    FW_AUTO(fw_text) key = {0};
    const char tag = (char)table;
    int32_t code = 0;
    fw_text_add_bytes(&key, &tag, 1);
    fw_text_add_bytes(&key, packed, key_len);
    FW_TRY(fw_text_check(&key, err));
    FW_TRY(fw_dict_add(&code, w->keys, key.data, key.len, err));
    *out = (size_t)code;
    return FW_OK;
}

/** The length of the key at the head of a packed row. */
static size_t key_length(const monitor_change *c)
{
    const monitor_table *t = &monitor_tables[c->table];
    size_t at = 0;
    for (size_t i = 0; i < t->n_keys; i++) {
        uint32_t len = 0;
        if (t->columns[i].kind == MONITOR_INTEGER || t->columns[i].kind == MONITOR_REAL) {
            at += 8;
            continue;
        }
        memcpy(&len, c->packed + at, sizeof len);
        at += sizeof len + len;
    }
    return at;
}

static size_t cost_of(const monitor_change *c) { return c->len + CHANGE_BYTES; }
static bool is_history(const monitor_change *c) { return monitor_tables[c->table].history; }

static void account(monitor_waiting *w, const monitor_change *c, bool comes)
{
    const size_t cost = cost_of(c);
    w->bytes = comes ? w->bytes + cost : w->bytes - cost;
    if (is_history(c)) w->history_bytes = comes ? w->history_bytes + cost : w->history_bytes - cost;
}

/** The oldest half of the history that waits goes; the rest moves up and is numbered anew. Without memory for that it goes too. */
static fw_status drop_oldest(monitor_waiting *w, size_t *dropped, fw_error *err)
{
    const size_t aim = w->history_bytes / 2;
    size_t kept = 0, place = 0;
    bool numbered = true;
    FW_TRY(new_keys(w, err));
    for (size_t i = 0; i < w->n; i++) {
        const monitor_change c = w->change[i];
        const bool goes = is_history(&c) && w->history_bytes > aim;
        numbered = numbered && (goes || place_of(&place, w, c.table, c.packed, key_length(&c), err) >= 0);
        if (goes || !numbered) {
            account(w, &c, false);
            free(c.packed);
            ++*dropped;
        } else {
            w->change[kept++] = c;
        }
    }
    w->n = kept;
    return FW_OK;
}

static void keep(monitor_waiting *w, size_t place, monitor_change c)
{
    if (place < w->n) {
        account(w, &w->change[place], false);
        free(w->change[place].packed);
    } else {
        w->n++;
    }
    w->change[place] = c;
    account(w, &c, true);
}

fw_status monitor_waiting_add(monitor_waiting *w, monitor_table_id table, const void *row, bool remove, size_t *dropped, fw_error *err)
{
    FW_AUTO(fw_text) packed = {0};
    size_t key_len = 0, place = 0;
    *dropped = 0;
    FW_TRY(monitor_row_pack(&packed, &key_len, &monitor_tables[table], row, remove, err));
    FW_TRY(fw_grow((void **)&w->change, &w->capacity, w->n + 1, sizeof *w->change, "rows to be stored", err));
    FW_TRY(place_of(&place, w, table, packed.data, key_len, err));
    const size_t len = packed.len;
    keep(w, place, (monitor_change){.table = table, .remove = remove, .packed = fw_text_take(&packed), .len = len});
    return w->bytes > w->max_bytes && w->history_bytes > w->max_bytes / 8 ? drop_oldest(w, dropped, err) : FW_OK;
}
