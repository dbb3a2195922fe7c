#include <jansson.h>

#include "common/core/clock.h"
#include "monitor/web/json.h"
#include "monitor/web/route.h"

/** Whether the monitor lives, its store can be read, and who has a token may write. Names nothing and nobody: it is open to all who reach the port. */
MONITOR_ANSWER(health)
{
    const bool reads = ask->reader != NULL;
    json_t *body = json_pack("{s:s, s:s, s:b, s:b, s:f}", "status", reads ? "ok" : "no store", "version", FW_VERSION, "store", reads, "writable", ask->figures->writable, "uptime_s",
                             (double)(fw_utc_now_us() - ask->figures->started_us) / 1e6);
    return monitor_json_answer(out, body, err);
}
