/** Who listens for news: bounded buffers, listeners who are too slow, the end; and what has changed in a store. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "monitor/web/changes.h"
#include "monitor/web/news.h"
#include "tests/unit/store_fixture.h"

typedef struct ear { int woken, lost, slept; } ear;

static void wake(void *context, bool lost)
{
    ear *e = context;
    e->woken++;
    e->lost += lost;
}

static void fall_asleep(void *context) { ((ear *)context)->slept++; }

static monitor_news *start(size_t most)
{
    monitor_news *n = NULL;
    assert_int_equal(monitor_news_start(&n, NULL, most, NULL), FW_OK);
    return n;
}

static ssize_t read_all(monitor_news *n, monitor_listener *l, char *out, size_t room)
{
    const ssize_t len = monitor_news_read(n, l, out, room - 1, fall_asleep);
    if (len >= 0) out[len] = '\0';
    return len;
}

static void tells_everybody(void **state)
{
    (void)state;
    monitor_news *n = start(2);
    monitor_listener *a = NULL, *b = NULL, *c = NULL;
    ear one = {0}, two = {0};
    char text[512];
    assert_int_equal(monitor_news_listen(&a, n, wake, &one, NULL), FW_OK);
    assert_int_equal(monitor_news_listen(&b, n, wake, &two, NULL), FW_OK);
    assert_int_equal(monitor_news_listen(&c, n, wake, &two, NULL), FW_ERR_LOST);
    assert_true(read_all(n, a, text, sizeof text) > 0);
    assert_int_equal(read_all(n, a, text, sizeof text), 0);
    assert_int_equal(one.slept, 1);
    monitor_news_tell(n, "windows", "{\"model\":1}");
    assert_int_equal(one.woken, 1);
    assert_int_equal(read_all(n, a, text, 8), 7);
    assert_string_equal(text, "event: ");
    assert_true(read_all(n, a, text, sizeof text) > 0);
    assert_string_equal(text, "windows\ndata: {\"model\":1}\n\n");
    monitor_news_leave(n, &a);
    monitor_news_leave(n, &b);
    monitor_news_destroy(&n);
}

static void who_does_not_read_is_lost_alone(void **state)
{
    (void)state;
    monitor_news *n = start(2);
    monitor_listener *deaf = NULL, *good = NULL;
    ear one = {0}, two = {0};
    char text[4096];
    size_t listeners = 0;
    uint64_t lost = 0;
    assert_int_equal(monitor_news_listen(&deaf, n, wake, &one, NULL), FW_OK);
    assert_int_equal(monitor_news_listen(&good, n, wake, &two, NULL), FW_OK);
    for (int i = 0; i < 5000; i++) {
        monitor_news_tell(n, "windows", "{\"model\":1,\"number\":2}");
        assert_true(read_all(n, good, text, sizeof text) > 0);
    }
    assert_int_equal(one.lost, 1);
    assert_int_equal(two.lost, 0);
    assert_int_equal(read_all(n, deaf, text, sizeof text), -1);
    monitor_news_count(n, &listeners, &lost);
    assert_int_equal(listeners, 2);
    assert_int_equal(lost, 1);
    monitor_news_close(n);
    assert_int_equal(read_all(n, good, text, sizeof text), -1);
    monitor_news_leave(n, &deaf);
    monitor_news_leave(n, &good);
    monitor_news_destroy(&n);
}

typedef struct heard { char text[512]; } heard;

static void hear(void *context, const char *event, const char *data)
{
    heard *h = context;
    const size_t n = strlen(h->text);
    snprintf(h->text + n, sizeof h->text - n, "%s %s;", event, data);
}

static void look_for(monitor_changes *c, const char *expected)
{
    FW_AUTO(monitor_reader) *r = reader();
    heard h = {0};
    assert_int_equal(monitor_changes_find(c, r, hear, &h, NULL), FW_OK);
    assert_string_equal(h.text, expected);
}

static void sees_each_change_once(void **state)
{
    (void)state;
    FW_AUTO(monitor_store) *s = open_with((monitor_store_opts){0});
    monitor_changes c = {0};
    put_window(s, 7, 1, 10);
    commit(s);
    look_for(&c, "");
    look_for(&c, "");
    put_window(s, 7, 2, 10);
    commit(s);
    look_for(&c, "windows {\"model\":7,\"number\":2};");
    look_for(&c, "");
    put_window(s, 7, 1, 11);             /* amended */
    put_position(s, 5);
    commit(s);
    look_for(&c, "windows {\"model\":7,\"number\":2};publishers {};");
    monitor_alert_row alert = {.alert = 3, .kind = "drift", .subject = "age"};
    assert_int_equal(monitor_store_put_alert(s, &alert, NULL), FW_OK);
    commit(s);
    look_for(&c, "alerts {\"alert\":3};");
    alert.resolved_us = 5;
    assert_int_equal(monitor_store_put_alert(s, &alert, NULL), FW_OK);
    commit(s);
    look_for(&c, "alerts {\"alert\":3};");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_everybody),
        cmocka_unit_test(who_does_not_read_is_lost_alone),
        cmocka_unit_test_setup_teardown(sees_each_change_once, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
