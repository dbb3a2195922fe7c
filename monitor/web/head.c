#include "monitor/web/head.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#define METHOD_BYTES  16u
#define VERSION_BYTES 8u                /* "HTTP/1.1" */

/** What the fields said. */
typedef struct fields { size_t n, hosts, lengths, codings; uint64_t length; bool chunked, expects, waits; } fields;      /* waits: for "100 Continue" */

typedef struct judge { monitor_head head; fields seen; const char *why; } judge;

static int refuse(judge *j, int code, const char *why)
{
    j->why = why;
    return code;
}

/* RFC 9110, 5.6.2 */
static bool is_token(unsigned char c)
{
    return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool all_tokens(const char *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_token((unsigned char)s[i])) return false;
    return n > 0;
}

static bool is_word(const char *s, size_t n, const char *word) { return n == strlen(word) && strncasecmp(s, word, n) == 0; }

/** One line from `at` on, without its end; *next is behind it. MONITOR_HEAD_MORE: its end is not there yet. */
static int take_line(judge *j, monitor_head_text *line, size_t *next, const char *bytes, size_t len, size_t at)
{
    for (size_t i = at; i < len; i++) {
        const unsigned char c = (unsigned char)bytes[i];
        if (c == '\n') return refuse(j, 400, "a line ends without a carriage return");
        if (c == '\r') {
            if (i + 1 == len) return MONITOR_HEAD_MORE;
            if (bytes[i + 1] != '\n') return refuse(j, 400, "a carriage return stands inside a line");
            *line = (monitor_head_text){bytes + at, i - at};
            *next = i + 2;
            return MONITOR_HEAD_FINE;
        }
        if ((c < 0x20 && c != '\t') || c == 0x7f) return refuse(j, 400, "a control character stands in the head");
    }
    return MONITOR_HEAD_MORE;
}

/* "GET /path?query HTTP/1.1" */
static int judge_request_line(judge *j, monitor_head_text line)
{
    const char *space = memchr(line.at, ' ', line.len);
    const size_t method = space != NULL ? (size_t)(space - line.at) : line.len;
    if (space == NULL || !all_tokens(line.at, method) || method > METHOD_BYTES) return refuse(j, 400, "the request line is none");
    const char *target = space + 1, *end = line.at + line.len;
    if ((size_t)(end - target) < VERSION_BYTES + 2) return refuse(j, 400, "the request line is none");
    const char *version = end - VERSION_BYTES;
    if (version[-1] != ' ' || memcmp(version, "HTTP/", 5) != 0) return refuse(j, 400, "the request line does not end in a version");
    if (memcmp(version, "HTTP/1.1", VERSION_BYTES) != 0 && memcmp(version, "HTTP/1.0", VERSION_BYTES) != 0)
        return refuse(j, 505, "this is not HTTP/1.1 or 1.0");
    const size_t n = (size_t)(version - 1 - target);
    if (n > MONITOR_HEAD_TARGET) return refuse(j, 414, "the address is longer than 2048 bytes");
    if (target[0] != '/') return refuse(j, 400, "the address does not begin with a slash");
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)target[i] <= ' ' || (unsigned char)target[i] >= 0x7f) return refuse(j, 400, "the address holds a character that must be written as %XX");
    j->head.method = (monitor_head_text){line.at, method};
    j->head.target = (monitor_head_text){target, n};
    j->head.old = version[7] == '0';
    return MONITOR_HEAD_MORE;
}

static int judge_length(judge *j, const char *value, size_t n)
{
    uint64_t length = 0;
    if (++j->seen.lengths > 1) return refuse(j, 400, "there is more than one Content-Length");
    for (size_t i = 0; i < n; i++) {
        if (value[i] < '0' || value[i] > '9') return refuse(j, 400, "Content-Length is no number");
        length = length > 1000000000000 ? length : length * 10 + (uint64_t)(value[i] - '0');
    }
    if (n == 0) return refuse(j, 400, "Content-Length is no number");
    j->seen.length = length;
    return MONITOR_HEAD_MORE;
}

/* "Name: value" */
static int judge_field(judge *j, monitor_head_text line)
{
    if (line.at[0] == ' ' || line.at[0] == '\t') return refuse(j, 400, "a field goes on over several lines");
    if (++j->seen.n > MONITOR_HEAD_FIELDS) return refuse(j, 431, "there are more than 64 fields");
    const char *colon = memchr(line.at, ':', line.len);
    if (colon == NULL || !all_tokens(line.at, (size_t)(colon - line.at))) return refuse(j, 400, "a field's name is none, or a blank stands before its colon");
    const size_t name = (size_t)(colon - line.at);
    const char *value = colon + 1, *end = line.at + line.len;
    while (value < end && (*value == ' ' || *value == '\t')) value++;
    while (end > value && (end[-1] == ' ' || end[-1] == '\t')) end--;
    const size_t n = (size_t)(end - value);
    if (is_word(line.at, name, "content-length")) return judge_length(j, value, n);
    if (is_word(line.at, name, "transfer-encoding")) {
        j->seen.codings++;
        j->seen.chunked = is_word(value, n, "chunked");
    } else if (is_word(line.at, name, "expect")) {
        j->seen.expects = true;
        j->seen.waits = is_word(value, n, "100-continue");
    } else if (is_word(line.at, name, "host")) {
        if (++j->seen.hosts > 1) return refuse(j, 400, "there is more than one Host");
        j->head.host = (monitor_head_text){value, n};
    }
    return MONITOR_HEAD_MORE;
}

static int judge_post(judge *j)
{
    const fields *f = &j->seen;
    if (f->codings > 0) return refuse(j, 411, "a body is sent with its Content-Length, not in chunks");
    if (f->length > MONITOR_HEAD_BODY) return refuse(j, 413, "the body is longer than 16 MiB; send it in parts");
    if (f->expects && (!f->waits || f->length == 0)) return refuse(j, 417, "nothing can be expected here but 100-continue, of a request with a body");
    j->head.body = (size_t)f->length;
    return MONITOR_HEAD_FINE;
}

static int judge_bare(judge *j)
{
    const fields *f = &j->seen;
    if (f->codings > 0) return refuse(j, 400, "such requests have no body");
    if (f->length > 0) return refuse(j, 413, "such requests have no body");
    if (f->expects) return refuse(j, 417, "there is nothing to expect: such requests have no body");
    return MONITOR_HEAD_FINE;
}

static int judge_whole(judge *j)
{
    const fields *f = &j->seen;
    if (f->hosts == 0 && !j->head.old) return refuse(j, 400, "there is no Host");
    if (f->codings > 0 && f->lengths > 0) return refuse(j, 400, "Content-Length stands beside Transfer-Encoding");
    if (f->codings > 0 && (f->codings > 1 || !f->chunked)) return refuse(j, 501, "the transfer coding is unknown here");
    const monitor_head_text method = j->head.method;
    return method.len == 4 && memcmp(method.at, "POST", 4) == 0 ? judge_post(j) : judge_bare(j);      /* methods have a case */
}

/** Whether a request line can begin so: a method, as far as it is there. */
static bool begins_well(const char *bytes, size_t len)
{
    const char *space = memchr(bytes, ' ', len);
    const size_t method = space != NULL ? (size_t)(space - bytes) : len;
    return len == 0 || (method <= METHOD_BYTES && all_tokens(bytes, method));
}

static int judge_all(judge *j, const char *bytes, size_t len)
{
    monitor_head_text line;
    size_t at = 0;
    int code;
    for (size_t n = 0; (code = take_line(j, &line, &at, bytes, len, at)) == MONITOR_HEAD_FINE; n++) {
        if (line.len == 0 && n > 0) {
            j->head.len = at;
            return judge_whole(j);
        }
        code = n == 0 ? judge_request_line(j, line) : judge_field(j, line);
        if (code != MONITOR_HEAD_MORE) return code;
    }
    if (code != MONITOR_HEAD_MORE) return code;
    if (at == 0 && !begins_well(bytes, len)) return refuse(j, 400, "the request line is none");
    if (at == 0 && len > MONITOR_HEAD_TARGET + 64) return refuse(j, 414, "the address is longer than 2048 bytes");
    return MONITOR_HEAD_MORE;
}

int monitor_head_check(monitor_head *out, const char **why, const char *bytes, size_t len)
{
    judge j = {0};
    const bool full = len >= MONITOR_HEAD_BYTES;
    int code = judge_all(&j, bytes, full ? MONITOR_HEAD_BYTES : len);
    if (code == MONITOR_HEAD_MORE && full) code = refuse(&j, 431, "the head is longer than 16 KiB");
    if (code == MONITOR_HEAD_FINE) *out = j.head;
    else *why = j.why;
    return code;
}

bool monitor_head_host_is_own(const char *host, size_t len)
{
    if (len > 0 && host[0] == '[') {
        const char *end = memchr(host, ']', len);
        return end != NULL && (end + 1 == host + len || end[1] == ':');
    }
    const char *colon = memchr(host, ':', len);
    const size_t n = colon != NULL ? (size_t)(colon - host) : len;
    if (is_word(host, n, "localhost")) return true;
    for (size_t i = 0; i < n; i++)
        if (host[i] != '.' && (host[i] < '0' || host[i] > '9')) return false;
    return n > 0;
}
