#include "monitor/store_versions.h"

#include <jansson.h>

#include "common/core/clock.h"
#include "common/core/size.h"

fw_status monitor_store_put_version(int64_t *number, monitor_store *s, const monitor_store_version *v, fw_error *err)
{
    const int64_t now_us = fw_utc_now_us();
    FW_TRY(monitor_store_model(number, s, v->name, v->digest, err));
    json_t *classes = json_array();
    for (size_t i = 0; i < v->n_classes; i++) json_array_append_new(classes, json_string(v->classes[i]));
    FW_FREE char *text = json_dumps(classes, JSON_COMPACT);
    json_decref(classes);
    if (text == NULL) return fw_fail(err, FW_ERR_NOMEM, "store: the classes of model %s", v->name);
    const monitor_model_row row = {.model = *number, .name = v->name, .digest = v->digest, .task = v->n_classes > 0 ? "classification" : "regression", .classes = text,
                                   .first_us = now_us, .last_us = now_us, .predictions = (int64_t)v->predictions};
    return monitor_store_put_model(s, &row, err);
}
