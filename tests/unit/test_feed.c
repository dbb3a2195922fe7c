/** Recordings as a feed: the events of a publisher that has all its messages in its spool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/bus/recording.h"
#include "common/bus/spool.h"
#include "monitor/feed.h"
#include "tests/unit/scratch.h"

static scratch place;
static char paths[2][600];
static fw_error err;

static void must(fw_status status)
{
    if (status != FW_OK) fail_msg("%s", err.text);
}

static int set_up(void **state)
{
    (void)state;
    if (!scratch_make(&place)) return -1;
    snprintf(paths[0], sizeof paths[0], "%s/first.rec", place.dir);
    snprintf(paths[1], sizeof paths[1], "%s/second", place.dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    scratch_remove(&place);
    return 0;
}

static void record_messages(const char *path, uint64_t n)
{
    fw_recorder *r = NULL;
    must(fw_recorder_create(&r, path, &err));
    for (uint64_t i = 0; i < n; i++) must(fw_recorder_put(r, "prediction/m", "x", 1, &err));
    must(fw_recorder_commit(r, &err));
    fw_recorder_destroy(&r);
}

/* The kinds of all events, a letter each; what is told of the publishers adds up at each of them. */
static void assert_events(monitor_feed *f, const char *expected)
{
    static const char letter[] = {[FW_INBOX_MESSAGE] = 'm', [FW_INBOX_FOUND] = 'f', [FW_INBOX_ENDED] = 'e', [FW_INBOX_LOST] = 'l', [FW_INBOX_SILENT] = 's', [FW_INBOX_REFUSED] = 'r'};
    char got[4096] = "";
    size_t n = 0;
    fw_inbox_event e;
    fw_status status;
    while ((status = f->next(f->context, &e, (fw_mono){0}, &err)) == FW_OK && n + 1 < sizeof got) {
        const fw_inbox_publisher *p = e.publisher;
        got[n++] = letter[e.kind];
        assert_true(p->produced == p->delivered + p->spooled && p->adds_up);
        if (e.kind == FW_INBOX_MESSAGE) assert_true(e.first == p->position && strcmp(e.topic, "prediction/m") == 0);
    }
    assert_int_equal(status, FW_END);
    got[n] = '\0';
    assert_string_equal(got, expected);
    assert_int_equal(f->next(f->context, &e, (fw_mono){0}, &err), FW_END);
}

static void recordings_come_one_behind_the_other(void **state)
{
    (void)state;
    const char *const both[] = {paths[0], paths[1]};
    monitor_feed f = {0};
    record_messages(paths[0], 3);
    record_messages(paths[1], 0);
    must(monitor_feed_recordings(&f, both, 2, &err));
    assert_int_equal(f.n(f.context), 2);
    assert_string_equal(f.at(f.context, 0)->name, "first.rec");
    assert_string_equal(f.at(f.context, 1)->endpoint, paths[1]);
    assert_events(&f, "fmmmefe");
    assert_int_equal(f.at(f.context, 0)->delivered, 3);
    assert_false(f.at(f.context, 0)->there);
    monitor_feed_destroy(&f);
}

static void what_had_left_a_spool_is_told_as_before(void **state)
{
    (void)state;
    const char *const one[] = {paths[1]};
    char payload[3000] = {0};
    monitor_feed f = {0};
    fw_spool *s = NULL;
    must(fw_spool_open(&s, &(fw_spool_opts){.folder = paths[1], .cap_bytes = 1u << 16, .segment_bytes = 1u << 13}, &err));
    for (uint64_t i = 0, number; i < 40; i++) must(fw_spool_append(s, &number, "prediction/m", 12, payload, sizeof payload, &err));
    const uint64_t first = fw_spool_count(s).first;
    must(fw_spool_close(&s, &err));
    must(monitor_feed_recordings(&f, one, 1, &err));
    char expected[64] = "f";
    memset(expected + 1, 'm', 40 - first + 1);
    strcat(expected, "e");
    assert_events(&f, expected);
    const fw_inbox_publisher *p = f.at(f.context, 0);
    assert_true(first > 1 && p->before == first - 1 && p->lost == 0 && p->position == 40);
    monitor_feed_destroy(&f);
}

static void what_makes_no_sense_is_refused(void **state)
{
    (void)state;
    monitor_feed f = {0};
    const char *many[FW_INBOX_MAX_PUBLISHERS + 1];
    record_messages(paths[0], 1);
    for (size_t i = 0; i < FW_INBOX_MAX_PUBLISHERS + 1; i++) many[i] = paths[0];
    assert_int_equal(monitor_feed_recordings(&f, many, 0, &err), FW_ERR_CONFIG);
    assert_int_equal(monitor_feed_recordings(&f, many, FW_INBOX_MAX_PUBLISHERS + 1, &err), FW_ERR_CONFIG);
    assert_int_equal(monitor_feed_recordings(&f, many, 2, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "are the same recording"));
    many[1] = paths[1];
    assert_int_equal(monitor_feed_recordings(&f, many, 2, &err), FW_ERR_CONFIG);
    assert_null(f.context);
}

#define WITH_PLACE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {WITH_PLACE(recordings_come_one_behind_the_other), WITH_PLACE(what_had_left_a_spool_is_told_as_before), WITH_PLACE(what_makes_no_sense_is_refused)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
