#include "monitor/web/json.h"

#include <math.h>
#include <string.h>

#include "common/core/clock.h"

static int add_bytes(const char *bytes, size_t len, void *context)
{
    fw_text_add_bytes(context, bytes, len);
    return 0;
}

fw_status monitor_json_answer(monitor_answer *out, json_t *body, fw_error *err)
{
    const bool written = body != NULL && json_dump_callback(body, add_bytes, &out->text, JSON_COMPACT | JSON_REAL_PRECISION(12)) == 0;
    json_decref(body);
    fw_text_add(&out->text, "\n");
    out->type = "application/json";
    return written && !out->text.failed ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "dashboard: an answer");
}

json_t *monitor_json_real(double v) { return isfinite(v) ? json_real(v) : json_null(); }

json_t *monitor_json_time(int64_t us)
{
    char text[FW_UTC_LEN];
    if (us == 0) return json_null();
    fw_utc_format(text, us);
    return json_string(text);
}

json_t *monitor_json_text(const char *s) { return s != NULL ? json_string(s) : json_null(); }

json_t *monitor_json_parsed(const char *s)
{
    json_t *v = s != NULL ? json_loads(s, JSON_REJECT_DUPLICATES, NULL) : NULL;
    return v != NULL ? v : json_null();
}
