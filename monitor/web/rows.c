#include "monitor/web/rows.h"

#include <string.h>

#include "monitor/web/json.h"

fw_status monitor_page_begin(monitor_page *p, const monitor_ask *ask, int64_t fallback, int64_t most, fw_error *err)
{
    int64_t limit = 0, since = 0;
    FW_TRY(monitor_target_number(&limit, ask->target, "limit", 1, most, fallback, err));
    FW_TRY(monitor_target_number(&since, ask->target, "since", 0, INT64_MAX - 1, 0, err));
    p->query = (monitor_query){.from = since, .newest_first = since == 0, .limit = (size_t)limit};
    p->limit = (size_t)limit;
    p->list = json_array();
    return p->list != NULL ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "dashboard: rows");
}

fw_status monitor_page_add(monitor_page *p, json_t *row, int64_t at, fw_error *err)
{
    if (json_array_append_new(p->list, row) != 0) return fw_fail(err, FW_ERR_NOMEM, "dashboard: rows");
    p->tail = at == p->last ? p->tail + 1 : 1;
    if (at > p->last) p->last = at;
    return FW_OK;
}

static json_t *reversed(const json_t *list)
{
    json_t *out = json_array();
    for (size_t i = json_array_size(list); i-- > 0;) json_array_append(out, json_array_get(list, i));
    return out;
}

fw_status monitor_page_answer(monitor_page *p, monitor_answer *out, json_t *head, const char *name, fw_error *err)
{
    const size_t n = json_array_size(p->list);
    int64_t next = p->last > 0 ? p->last + 1 : p->query.from;
    if (!p->query.newest_first && n == p->limit && p->tail < n) {
        for (size_t i = 0; i < p->tail; i++) json_array_remove(p->list, n - 1 - i);
        next = p->last;
    }
    json_object_set_new(head, name, p->query.newest_first ? reversed(p->list) : json_incref(p->list));
    json_object_set_new(head, "next", json_integer((json_int_t)next));
    return monitor_json_answer(out, head, err);
}

void monitor_page_destroy(monitor_page *p) { json_decref(p->list); }

/* ---- the model that is asked for ---- */

typedef struct wanted { const char *name, *version; monitor_asked_model *out; } wanted;

static fw_status match_model(void *context, const monitor_model_row *row, fw_error *err)
{
    const wanted *w = context;
    if (strcmp(row->name, w->name) != 0) return FW_OK;
    if (w->version != NULL && strncmp(row->digest, w->version, strlen(w->version)) != 0) return FW_OK;
    w->out->model = row->model;
    w->out->about = json_pack("{s:s, s:s, s:o, s:o}", "model", row->name, "version", row->digest, "task", monitor_json_text(row->task), "classes",
                              monitor_json_parsed(row->classes));
    return w->out->about != NULL ? FW_END : fw_fail(err, FW_ERR_NOMEM, "dashboard: a model");
}

fw_status monitor_asked_model_find(monitor_asked_model *out, const monitor_ask *ask, fw_error *err)
{
    wanted w = {monitor_target_get(ask->target, "model"), monitor_target_get(ask->target, "version"), out};
    if (w.name == NULL) return fw_fail(err, FW_ERR_ARG, "which model? write ?model=NAME; /api/models has the names");
    FW_TRY(monitor_read_model(ask->reader, &(monitor_query){.newest_first = true}, match_model, &w, err));
    if (out->about != NULL) return FW_OK;
    return fw_fail(err, FW_ERR_NOTFOUND, "there is no model '%.100s'%s here; /api/models has the names", w.name, w.version != NULL ? " of this version" : "");
}

void monitor_asked_model_destroy(monitor_asked_model *m) { json_decref(m->about); }

/* ---- states ---- */

static fw_status take_state(void *context, const monitor_state_row *row, fw_error *err)
{
    (void)err;
    *(json_t **)context = json_loadb(row->bytes.data, row->bytes.len, JSON_REJECT_DUPLICATES, NULL);
    return FW_END;
}

fw_status monitor_read_json_state(json_t **out, monitor_reader *r, const char *key, fw_error *err)
{
    *out = NULL;
    return monitor_read_state(r, &(monitor_query){.name = key}, take_state, out, err);
}
