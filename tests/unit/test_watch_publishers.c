/** Publishers that are watched: what their events say to the alerts. No message is sent: events are made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "monitor/watch_publishers.h"

#define ENDPOINT "tcp://127.0.0.1:9"      /* nobody is there */

typedef struct bench { monitor_feed *feed; monitor_alert_desk *desk; monitor_publishers *publishers; } bench;

static void bench_destroy(bench *b)
{
    monitor_publishers_destroy(&b->publishers);
    monitor_alert_desk_close(&b->desk, 0);
    monitor_feed_destroy(b->feed);
}

static bench make(void)
{
    static const char *const endpoint = ENDPOINT;
    static monitor_feed feed;
    bench b = {.feed = &feed};
    assert_int_equal(monitor_feed_bus(&feed, &(monitor_bus_opts){.endpoints = &endpoint, .n_endpoints = 1}, NULL), FW_OK);
    assert_int_equal(monitor_alert_desk_open(&b.desk, NULL, NULL, &(monitor_alert_opts){0}, &(monitor_deliver_opts){0}, fw_utc_now_us(), NULL), FW_OK);
    assert_int_equal(monitor_publishers_create(&b.publishers, b.feed, NULL, b.desk, NULL), FW_OK);
    return b;
}

static monitor_alert_counts tell(bench *b, fw_inbox_kind kind, uint64_t lost)
{
    fw_inbox_publisher p = *b->feed->at(b->feed->context, 0);
    snprintf(p.name, sizeof p.name, "score");
    p.stream.bytes[0] = 1;
    p.lost = lost;
    assert_int_equal(monitor_publishers_take(b->publishers, &(fw_inbox_event){.kind = kind, .publisher = &p, .first = 1, .last = lost}, NULL), FW_OK);
    return monitor_alert_desk_count(b->desk);
}

static void lost_messages_are_one_alert(void **state)
{
    (void)state;
    FW_AUTO(bench) b = make();
    assert_int_equal(tell(&b, FW_INBOX_FOUND, 0).open, 0);
    assert_int_equal(tell(&b, FW_INBOX_LOST, 7).raised[MONITOR_ALERT_TELEMETRY_LOST], 1);
    const monitor_alert_counts n = tell(&b, FW_INBOX_LOST, 9);
    assert_int_equal(n.raised[MONITOR_ALERT_TELEMETRY_LOST], 1);
    assert_int_equal(n.open, 1);
}

static void silence_is_an_alert_and_an_end_is_none(void **state)
{
    (void)state;
    FW_AUTO(bench) b = make();
    assert_int_equal(tell(&b, FW_INBOX_FOUND, 0).open, 0);
    assert_int_equal(tell(&b, FW_INBOX_ENDED, 0).open, 0);
    assert_int_equal(tell(&b, FW_INBOX_FOUND, 0).open, 0);
    assert_int_equal(tell(&b, FW_INBOX_SILENT, 0).raised[MONITOR_ALERT_PUBLISHER_LOST], 1);
    assert_int_equal(tell(&b, FW_INBOX_FOUND, 0).raised[MONITOR_ALERT_PUBLISHER_LOST], 1);
}

/** What the inbox knows of its publisher. */
static fw_inbox_publisher *known(bench *b)
{
    fw_inbox_publisher *p = (fw_inbox_publisher *)(uintptr_t)b->feed->at(b->feed->context, 0);
    p->stream.bytes[0] = 1;
    snprintf(p->name, sizeof p->name, "score");
    return p;
}

/** So many looks, five seconds apart. */
static monitor_alert_counts look(bench *b, fw_mono *now, int n)
{
    for (int i = 0; i < n; i++) {
        *now = fw_mono_after(*now, 6);
        assert_int_equal(monitor_publishers_tick(b->publishers, *now, NULL), FW_OK);
    }
    return monitor_alert_desk_count(b->desk);
}

static void no_more_lost_messages_resolve_it(void **state)
{
    (void)state;
    FW_AUTO(bench) b = make();
    fw_mono now = fw_mono_now();
    known(&b)->lost = 7;
    assert_int_equal(tell(&b, FW_INBOX_LOST, 7).open, 1);
    assert_int_equal(look(&b, &now, 2).open, 1);
    known(&b)->lost = 8;
    assert_int_equal(look(&b, &now, 3).open, 1);            /* one more: the quiet looks are counted anew */
    const monitor_alert_counts n = look(&b, &now, 1);
    assert_int_equal(n.open, 0);
    assert_int_equal(n.raised[MONITOR_ALERT_TELEMETRY_LOST], 1);
}

static void who_is_heard_again_under_another_name_resolves_it(void **state)
{
    (void)state;
    FW_AUTO(bench) b = make();
    fw_mono now = fw_mono_now();
    fw_inbox_publisher *p = known(&b);
    assert_int_equal(tell(&b, FW_INBOX_SILENT, 0).open, 1);
    assert_int_equal(look(&b, &now, 5).open, 1);
    assert_int_equal(tell(&b, FW_INBOX_FOUND, 0).open, 1);
    snprintf(p->name, sizeof p->name, "another");
    assert_int_equal(look(&b, &now, 3).open, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lost_messages_are_one_alert), cmocka_unit_test(silence_is_an_alert_and_an_end_is_none),
                                       cmocka_unit_test(no_more_lost_messages_resolve_it), cmocka_unit_test(who_is_heard_again_under_another_name_resolves_it)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
