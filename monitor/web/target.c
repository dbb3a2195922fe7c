#include "monitor/web/target.h"

#include <stdbool.h>
#include <string.h>

#include "common/core/text.h"

static int hex(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1; }

/** Decodes %XX and + in place; the text gets shorter, never longer. */
static fw_status decode(char *s, fw_error *err)
{
    char *to = s;
    for (const char *from = s; *from != '\0'; from++, to++) {
        *to = *from == '+' ? ' ' : *from;
        if (*from == '%') {
            const int high = hex(from[1]), low = high < 0 ? -1 : hex(from[2]);
            if (low < 0) return fw_fail(err, FW_ERR_ARG, "the query holds a %% without two hexadecimal digits behind it");
            *to = (char)(high << 4 | low);
            from += 2;
        }
        if ((unsigned char)*to < 0x20 || *to == 0x7f) return fw_fail(err, FW_ERR_ARG, "the query holds a control character");
    }
    *to = '\0';
    const size_t len = (size_t)(to - s);
    return fw_utf8_valid(s, len) == len ? FW_OK : fw_fail(err, FW_ERR_ARG, "the query is not UTF-8");
}

static fw_status add_param(monitor_target *t, char *pair, fw_error *err)
{
    char *equals = strchr(pair, '=');
    if (t->n == MONITOR_TARGET_PARAMS) return fw_fail(err, FW_ERR_ARG, "the query has more than %u parameters", MONITOR_TARGET_PARAMS);
    if (equals != NULL) *equals = '\0';
    FW_TRY(decode(pair, err));
    if (equals != NULL) FW_TRY(decode(equals + 1, err));
    if (*pair == '\0') return fw_fail(err, FW_ERR_ARG, "the query has a parameter without a name");
    if (monitor_target_get(t, pair) != NULL) return fw_fail(err, FW_ERR_ARG, "the parameter '%.60s' is there twice", pair);
    t->param[t->n++] = (monitor_param){pair, equals != NULL ? equals + 1 : ""};
    return FW_OK;
}

fw_status monitor_target_parse(monitor_target *out, const char *target, size_t len, fw_error *err)
{
    out->n = 0;
    out->path = out->text;
    if (len > MONITOR_TARGET_BYTES) return fw_fail(err, FW_ERR_ARG, "the address is longer than %u bytes", MONITOR_TARGET_BYTES);
    if (memchr(target, '\0', len) != NULL) return fw_fail(err, FW_ERR_ARG, "the address holds a NUL");
    memcpy(out->text, target, len);
    out->text[len] = '\0';
    char *query = strchr(out->text, '?');
    if (query == NULL) return FW_OK;
    *query++ = '\0';
    while (*query != '\0') {
        char *end = strchr(query, '&'), *next = end != NULL ? end + 1 : query + strlen(query);
        if (end != NULL) *end = '\0';
        FW_TRY(add_param(out, query, err));
        query = next;
    }
    return FW_OK;
}

const char *monitor_target_get(const monitor_target *t, const char *name)
{
    for (size_t i = 0; i < t->n; i++)
        if (strcmp(t->param[i].name, name) == 0) return t->param[i].value;
    return NULL;
}

fw_status monitor_target_number(int64_t *out, const monitor_target *t, const char *name, int64_t low, int64_t high, int64_t fallback, fw_error *err)
{
    const char *value = monitor_target_get(t, name);
    int64_t v = fallback;
    if (value != NULL && (!fw_parse_int64(&v, value, strlen(value)) || v < low || v > high))
        return fw_fail(err, FW_ERR_ARG, "%s=%.60s: it is a whole number from %lld to %lld", name, value, (long long)low, (long long)high);
    *out = v;
    return FW_OK;
}

bool monitor_target_matches(int64_t *number, const monitor_target *t, const char *pattern)
{
    const char *star = strchr(pattern, '*');
    if (star == NULL) return strcmp(t->path, pattern) == 0;
    const size_t head = (size_t)(star - pattern);
    if (strncmp(t->path, pattern, head) != 0) return false;
    const char *digits = t->path + head;
    const size_t n = strspn(digits, "0123456789");
    int64_t v = 0;
    if (n == 0 || *digits == '0' || strcmp(digits + n, star + 1) != 0 || !fw_parse_int64(&v, digits, n)) return false;
    *number = v;
    return true;
}

static bool is_among(const char *name, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(names[i], name) == 0) return true;
    return false;
}

fw_status monitor_target_only(const monitor_target *t, const char *const *names, fw_error *err)
{
    size_t n = 0;
    while (names[n] != NULL) n++;
    for (size_t i = 0; i < t->n; i++) {
        if (is_among(t->param[i].name, names, n)) continue;
        const char *near = fw_did_you_mean(t->param[i].name, names, n);
        return fw_fail(err, FW_ERR_ARG, "there is no parameter '%.60s' here%s%s%s", t->param[i].name, near != NULL ? "; did you mean '" : "",
                       near != NULL ? near : "", near != NULL ? "'?" : "");
    }
    return FW_OK;
}
