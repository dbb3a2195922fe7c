/** Any bytes given to the door as the head of an HTTP request, or to a route as its body: refused with a reason, or every promise of head.h, target.h and body.h holds;
 *  and what was judged piece by piece is judged as the whole was. */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/text.h"
#include "monitor/web/body.h"
#include "monitor/web/head.h"
#include "monitor/web/target.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds) abort();
}

/** A head's verdict does not change when more comes: what is refused early is refused. */
static void compare_pieces(const char *bytes, size_t len, int whole)
{
    for (size_t n = 0; n < len; n += 1 + len / 16) {
        monitor_head head;
        const char *why = NULL;
        const int code = monitor_head_check(&head, &why, bytes, n);
        must(code == MONITOR_HEAD_MORE || code == whole || (code >= 400 && whole >= 400));
    }
}

static void check_target(const char *target, size_t len)
{
    static const char *const names[] = {"limit", "model", NULL};
    monitor_target t;
    fw_error err = {0};
    int64_t n = 0;
    if (monitor_target_parse(&t, target, len, &err) != FW_OK) {
        must(err.text[0] != '\0');
        return;
    }
    must(t.n <= MONITOR_TARGET_PARAMS && strlen(t.path) <= len);
    for (size_t i = 0; i < t.n; i++) {
        must(t.param[i].name[0] != '\0' && monitor_target_get(&t, t.param[i].name) == t.param[i].value);
        must(fw_utf8_valid(t.param[i].value, strlen(t.param[i].value)) == strlen(t.param[i].value));
    }
    if (monitor_target_number(&n, &t, "limit", 1, 1000, 100, NULL) == FW_OK) must(n >= 1 && n <= 1000);
    monitor_target_only(&t, names, &err);
    if (monitor_target_matches(&n, &t, "/api/alerts/*/resolve")) must(n >= 1 && strncmp(t.path, "/api/alerts/", 12) == 0);
}

/** What is taken can be packed, but for texts that are too long and times that are too far. */
static void check_body(const char *bytes, size_t len)
{
    monitor_body b = {0};
    fw_telemetry_outcomes o = {0};
    fw_telemetry_kpi k = {0};
    fw_text packed = {0};
    fw_error err = {0};
    fw_status s = monitor_body_outcomes(&o, &b, bytes, len, &err);
    must(s == FW_OK || err.text[0] != '\0');
    if (s == FW_OK) {
        must(o.n >= 1 && o.model[0] != '\0' && o.rows[o.n - 1].id[0] != '\0' && o.rows[o.n - 1].outcome[0] != '\0');
        s = fw_telemetry_pack_outcomes(&packed, &o, &err);
        must(s == FW_OK || s == FW_ERR_ARG);
    }
    monitor_body_destroy(&b);
    if (monitor_body_kpi(&k, &b, bytes, len, &err) == FW_OK) {
        must(k.n >= 1 && k.project[0] != '\0' && k.name[0] != '\0' && k.rows[k.n - 1].id[0] != '\0' && isfinite(k.rows[0].value));
        s = fw_telemetry_pack_kpi(&packed, &k, &err);
        must(s == FW_OK || s == FW_ERR_ARG);
    }
    monitor_body_destroy(&b);
    fw_text_destroy(&packed);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    char *copy = malloc(len + 1);        /* of its own size, so that a byte too far is seen */
    monitor_head head = {0};
    const char *why = NULL;
    must(copy != NULL);
    memcpy(copy, bytes, len);
    const int code = monitor_head_check(&head, &why, copy, len);
    must(head.body <= MONITOR_HEAD_BODY);
    must((why == NULL) == (code == MONITOR_HEAD_MORE || code == MONITOR_HEAD_FINE));
    compare_pieces(copy, len, code);
    if (code == MONITOR_HEAD_FINE) {
        must(head.len >= 4 && head.len <= len && memcmp(copy + head.len - 4, "\r\n\r\n", 4) == 0);
        must(head.target.len >= 1 && head.target.at[0] == '/' && (head.old || head.host.at != NULL));
        if (head.host.at != NULL) monitor_head_host_is_own(head.host.at, head.host.len);
        check_target(head.target.at, head.target.len);
        check_body(copy + head.len, len - head.len);
    }
    check_target(copy, len);
    check_body(copy, len);
    free(copy);
    return 0;
}
