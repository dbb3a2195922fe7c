/** The head and the address of an HTTP request: what is let in, and what is refused with which code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/web/exposition.h"
#include "monitor/web/head.h"
#include "monitor/web/target.h"

#define LINE "GET /a?b=1 HTTP/1.1\r\n"
#define HOST "Host: x\r\n"
#define POST "POST /a HTTP/1.1\r\n"

typedef struct head_row { const char *bytes; size_t len; int code; } head_row;
#define ROW(text, code) {text, sizeof(text) - 1, code}

static int check(const char *bytes, size_t len)
{
    monitor_head head = {0};
    const char *why = NULL;
    const int code = monitor_head_check(&head, &why, bytes, len);
    assert_true((code == MONITOR_HEAD_MORE || code == MONITOR_HEAD_FINE) == (why == NULL));
    return code;
}

static void judges_heads(void **state)
{
    (void)state;
    static const head_row rows[] = {
        ROW(LINE HOST "\r\n", 200), ROW("HEAD / HTTP/1.1\r\nhOST:  x  \r\nA: b:c\r\n\r\n", 200), ROW("GET / HTTP/1.0\r\n\r\n", 200),
        ROW(LINE HOST "Content-Length: 0\r\n\r\n", 200), ROW(LINE HOST "X: \xc3\xa9\r\n\r\n", 200), ROW(LINE HOST "\r\nGET /next", 200),
        /* not whole */
        ROW("", 0), ROW("GE", 0), ROW("GET", 0), ROW("GET /", 0), ROW(LINE, 0), ROW(LINE HOST, 0), ROW(LINE HOST "\r", 0),
        /* smuggling */
        ROW(LINE HOST "Content-Length: 5\r\nContent-Length: 6\r\n\r\n", 400), ROW(LINE HOST "Content-Length: 0\r\nContent-Length: 0\r\n\r\n", 400),
        ROW(LINE HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400), ROW(LINE HOST "Transfer-Encoding: xchunked\r\n\r\n", 501),
        ROW(LINE HOST "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n", 501), ROW(LINE HOST "Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", 400),
        ROW(LINE HOST "Content-Length: +5\r\n\r\n", 400), ROW(LINE HOST "Content-Length: \r\n\r\n", 400), ROW(LINE HOST "Content-Length: 5, 5\r\n\r\n", 400),
        ROW(LINE HOST "Content-Length: 99999999999999999999999999\r\n\r\n", 413), ROW(LINE HOST "Content-Length: 5\r\n\r\n", 413),
        ROW(LINE HOST "Expect: 100-continue\r\n\r\n", 417),
        /* bodies */
        ROW(POST HOST "\r\n", 200), ROW(POST HOST "Content-Length: 5\r\n\r\n", 200), ROW(POST HOST "Content-Length: 16777216\r\n\r\n", 200),
        ROW(POST HOST "Content-Length: 16777217\r\n\r\n", 413), ROW(POST HOST "Content-Length: 18446744073709551621\r\n\r\n", 413),
        ROW(POST HOST "Transfer-Encoding: chunked\r\n\r\n", 411), ROW(POST HOST "Content-Length: 5\r\nContent-Length: 5\r\n\r\n", 400),
        ROW(POST HOST "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400), ROW(POST HOST "Content-Length: 5\r\nExpect: 100-continue\r\n\r\n", 200),
        ROW(POST HOST "Expect: 100-continue\r\n\r\n", 417), ROW(POST HOST "Content-Length: 5\r\nExpect: 200-ok\r\n\r\n", 417),
        ROW("post / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n", 413), ROW("PUT / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\n", 413),
        /* lines */
        ROW("GET / HTTP/1.1\nHost: x\n\n", 400), ROW(LINE "Host: x\n", 400), ROW(LINE HOST "A: b\r\n c\r\n\r\n", 400), ROW(LINE HOST "A: b\0c\r\n\r\n", 400),
        ROW(LINE HOST "A: b\rc\r\n\r\n", 400), ROW(LINE HOST "A : b\r\n\r\n", 400), ROW(LINE HOST ": b\r\n\r\n", 400), ROW(LINE HOST "A\r\n\r\n", 400),
        ROW("\r\nGET / HTTP/1.1\r\n", 400), ROW(LINE "\r\n", 400), ROW(LINE HOST HOST "\r\n", 400),
        /* the request line */
        ROW("GET /\r\n", 400), ROW("GET  / HTTP/1.1\r\n", 400), ROW("GET / HTTP/2.0\r\n", 505), ROW("GET / HTTP/1.1 \r\n", 400), ROW("G\xc3T / HTTP/1.1\r\n", 400),
        ROW("GET http://x/ HTTP/1.1\r\n", 400), ROW("OPTIONS * HTTP/1.1\r\n", 400), ROW("GET /a b HTTP/1.1\r\n", 400), ROW("GET /\xff HTTP/1.1\r\n", 400),
        ROW("ABCDEFGHIJKLMNOPQRS / HTTP/1.1\r\n", 400), ROW("\x16\x03\x01\x02", 400), ROW("\xff\xfe", 400),
        ROW("ABCDEFGHIJKLMNOPQ", 400),
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const int code = check(rows[i].bytes, rows[i].len);
        if (code != rows[i].code) fail_msg("row %zu gives %d, not %d", i, code, rows[i].code);
    }
}

static void a_head_has_bounds(void **state)
{
    (void)state;
    static char bytes[MONITOR_HEAD_BYTES + 10];
    memset(bytes, 'a', sizeof bytes);
    memcpy(bytes, "GET /", 5);
    assert_int_equal(check(bytes, MONITOR_HEAD_TARGET), 0);
    assert_int_equal(check(bytes, MONITOR_HEAD_TARGET + 100), 414);
    memcpy(bytes + 5 + MONITOR_HEAD_TARGET, " HTTP/1.1\r\n", 11);
    assert_int_equal(check(bytes, 5 + MONITOR_HEAD_TARGET + 11), 414);
    memcpy(bytes, LINE "X: ", sizeof LINE + 2);
    assert_int_equal(check(bytes, 4000), 0);
    assert_int_equal(check(bytes, sizeof bytes), 431);
    size_t at = sizeof LINE - 1;
    for (size_t i = 0; i < MONITOR_HEAD_FIELDS; i++, at += 6) memcpy(bytes + at, "a: b\r\n", 6);
    assert_int_equal(check(bytes, at), 0);
    memcpy(bytes + at, "a: b\r\n", 6);
    assert_int_equal(check(bytes, at + 6), 431);
}

static void knows_own_hosts(void **state)
{
    (void)state;
    static const char *const own[] = {"localhost", "LOCALHOST:8090", "127.0.0.1", "10.0.0.7:80", "[::1]", "[::1]:8090"};
    static const char *const others[] = {"", "evil.example", "evil.example:8090", "127.0.0.1.evil.example", "localhost.evil", "[::1", "[::1]x", ":80"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) assert_true(monitor_head_host_is_own(own[i], strlen(own[i])));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) assert_false(monitor_head_host_is_own(others[i], strlen(others[i])));
}

static fw_status parse(monitor_target *t, const char *text) { return monitor_target_parse(t, text, strlen(text), NULL); }

static void takes_addresses_apart(void **state)
{
    (void)state;
    static const char *const bad[] = {"/?a=%", "/?a=%4", "/?a=%zz", "/?a=%00", "/?a=%0a", "/?a=%ff", "/?a=1&a=2", "/?%61=1&a=2", "/?=1", "/?a&&b",
                                      "/?a&b&c&d&e&f&g&h&i&j&k&l&m&n&o&p&q"};
    monitor_target t;
    assert_int_equal(parse(&t, "/api/windows?model=a%20b+%C3%A9%26&limit=5&x"), FW_OK);
    assert_string_equal(t.path, "/api/windows");
    assert_string_equal(monitor_target_get(&t, "model"), "a b \xc3\xa9&");
    assert_string_equal(monitor_target_get(&t, "x"), "");
    assert_null(monitor_target_get(&t, "mode"));
    assert_int_equal(parse(&t, "/%2e%2e/etc?"), FW_OK);
    assert_string_equal(t.path, "/%2e%2e/etc");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (parse(&t, bad[i]) != FW_ERR_ARG) fail_msg("%s is taken", bad[i]);
}

static void judges_parameters(void **state)
{
    (void)state;
    static const char *const names[] = {"limit", "model", NULL};
    monitor_target t;
    fw_error err = {0};
    int64_t n = 0;
    assert_int_equal(parse(&t, "/?limit=5&model=x"), FW_OK);
    assert_int_equal(monitor_target_only(&t, names, &err), FW_OK);
    assert_int_equal(monitor_target_number(&n, &t, "limit", 1, 10, 3, &err), FW_OK);
    assert_int_equal(n, 5);
    assert_int_equal(monitor_target_number(&n, &t, "since", 1, 10, 3, &err), FW_OK);
    assert_int_equal(n, 3);
    assert_int_equal(monitor_target_number(&n, &t, "limit", 1, 4, 3, &err), FW_ERR_ARG);
    assert_int_equal(monitor_target_number(&n, &t, "model", 1, 4, 3, &err), FW_ERR_ARG);
    assert_int_equal(parse(&t, "/?limt=5"), FW_OK);
    assert_int_equal(monitor_target_only(&t, names, &err), FW_ERR_ARG);
    assert_non_null(strstr(err.text, "did you mean 'limit'"));
}

static void writes_samples(void **state)
{
    (void)state;
    FW_AUTO(fw_text) out = {0};
    monitor_exposition_family(&out, "a_total", "counter", "What.");
    monitor_exposition_sample(&out, "a_total", MONITOR_LABELS({"x", "q\"b\\n\nl"}, {"y", ""}), 0.25);
    monitor_exposition_sample(&out, "b", NULL, 0, -1.0 / 0.0);
    assert_string_equal(out.data, "# HELP a_total What.\n# TYPE a_total counter\na_total{x=\"q\\\"b\\\\n\\nl\",y=\"\"} 0.25\nb -Inf\n");
}

static void matches_paths_with_a_number(void **state)
{
    (void)state;
    static const char pattern[] = "/api/alerts/*/resolve";
    static const char *const others[] = {"/api/alerts//resolve", "/api/alerts/0/resolve", "/api/alerts/01/resolve", "/api/alerts/-1/resolve", "/api/alerts/+1/resolve",
                                         "/api/alerts/1/resolve/", "/api/alerts/1/resolved", "/api/alerts/1a/resolve", "/api/alerts/%31/resolve", "/api/alerts/1", "/api/alerts/*/resolve",
                                         "/api/alerts/9223372036854775808/resolve", "/api/alerts/99999999999999999999999999/resolve", "/", ""};
    monitor_target t;
    int64_t number = -1;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_int_equal(parse(&t, others[i]), FW_OK);
        if (monitor_target_matches(&number, &t, pattern)) fail_msg("%s is taken", others[i]);
    }
    assert_int_equal(number, -1);
    assert_int_equal(parse(&t, "/api/alerts/9223372036854775807/resolve?a=b"), FW_OK);
    assert_true(monitor_target_matches(&number, &t, pattern));
    assert_true(number == INT64_MAX);
    assert_false(monitor_target_matches(&number, &t, "/api/alerts"));
    assert_int_equal(parse(&t, "/api/alerts"), FW_OK);
    assert_true(monitor_target_matches(&number, &t, "/api/alerts"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(judges_heads),        cmocka_unit_test(a_head_has_bounds), cmocka_unit_test(knows_own_hosts),
        cmocka_unit_test(takes_addresses_apart), cmocka_unit_test(judges_parameters), cmocka_unit_test(writes_samples),
        cmocka_unit_test(matches_paths_with_a_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
