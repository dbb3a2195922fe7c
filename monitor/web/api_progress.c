/** GET /api/trainings, /api/studies: loss curves and trials, as monitor/experiments keeps them. */
#include <string.h>

#include "monitor/experiments.h"
#include "monitor/web/json.h"
#include "monitor/web/rows.h"

static fw_status add_if(monitor_page *page, const monitor_ask *ask, const json_t *entry, const char *kind, fw_error *err)
{
    const char *its = json_string_value(json_object_get(entry, "kind")), *key = json_string_value(json_object_get(entry, "key"));
    const int64_t at = (int64_t)json_integer_value(json_object_get(entry, "updated_us"));
    json_t *body = NULL;
    if (its == NULL || key == NULL || strcmp(its, kind) != 0 || at < page->query.from || json_array_size(page->list) >= page->query.limit) return FW_OK;
    FW_TRY(monitor_read_json_state(&body, ask->reader, key, err));
    if (body == NULL) return FW_OK;
    json_object_set_new(body, "started", monitor_json_time((int64_t)json_integer_value(json_object_get(body, "started_us"))));
    json_object_set_new(body, "updated", monitor_json_time(at));
    return monitor_page_add(page, body, at, err);
}

/** The newest first in the index; since: microseconds since 1970, those alone that were told of since. */
static fw_status answer_kind(monitor_answer *out, const monitor_ask *ask, const char *kind, const char *name, fw_error *err)
{
    FW_AUTO(monitor_page) page = {0};
    json_t *index = NULL;
    FW_TRY(monitor_page_begin(&page, ask, 16, MONITOR_MAX_EXPERIMENTS, err));
    page.query.newest_first = true;
    fw_status status = monitor_read_json_state(&index, ask->reader, MONITOR_EXPERIMENTS_INDEX, err);
    for (size_t i = 0; status == FW_OK && i < json_array_size(index); i++) status = add_if(&page, ask, json_array_get(index, i), kind, err);
    json_decref(index);
    if (status < 0) return status;
    return monitor_page_answer(&page, out, json_object(), name, err);
}

MONITOR_ANSWER(trainings) { return answer_kind(out, ask, "training", "trainings", err); }
MONITOR_ANSWER(studies) { return answer_kind(out, ask, "study", "studies", err); }
