/** Alerts reach a command and the queue of a channel, or it is told why not; nobody waits for one that hangs. The webhook has a server in
 *  tests/system/test_alerts.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/fs.h"
#include "common/core/size.h"
#include "monitor/channel.h"
#include "monitor/command.h"
#include "monitor/deliver.h"
#include "monitor/webhook.h"
#include "tests/unit/scratch.h"

#define LIMIT_S 20.0

static scratch folder;

static int begin(void **state)
{
    (void)state;
    signal(SIGPIPE, SIG_IGN);
    return scratch_make(&folder) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    scratch_remove(&folder);
    return 0;
}

/* ---- the command ---- */

static fw_status run_script(const char *script, double deadline_s, const char *text, fw_error *err)
{
    char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t)script, folder.dir, NULL};
    static const atomic_bool stop = false;
    monitor_command c = {.argv = argv, .deadline_s = deadline_s};
    return monitor_command_run(&c, text, &stop, err);
}

static void a_command_gets_the_alert_and_is_judged(void **state)
{
    (void)state;
    static char large[1 << 20];
    memset(large, 'x', sizeof large - 1);
    static const struct { const char *what, *script; bool much; fw_status status; const char *says; } table[] = {
        {"reads it", "test \"$(cat)\" = '{\"a\":1}'", false, FW_OK, NULL},
        {"reads much", "test $(wc -c) = 1048575", true, FW_OK, NULL},
        {"does not read", "exit 0", true, FW_OK, NULL},
        {"fails", "echo first; echo 'no route' >&2; exit 7", false, FW_ERR_CHECK, "ended with 7: no route"},
        {"fails in silence", "exit 1", false, FW_ERR_CHECK, "ended with 1"},
        {"is killed", "kill -9 $$", false, FW_ERR_CHECK, "signal 9"},
        {"prints much", "head -c 9000000 /dev/zero | tr '\\0' y; echo; echo last; exit 3", false, FW_ERR_CHECK, "ended with 3: last"},
        {"prints what harms a terminal", "printf 'a\\033[2Jb'; exit 3", false, FW_ERR_CHECK, "a?[2Jb"},
        {"hangs", "sleep 60", false, FW_ERR_TIMEOUT, "did not end in time"},
        {"does not read and hangs", "exec sleep 60", true, FW_ERR_TIMEOUT, "did not end in time"},
        {"takes no notice of SIGTERM", "trap '' TERM INT; while :; do sleep 0.1; done", false, FW_ERR_TIMEOUT, "did not end in time"},
        {"prints without end", "exec yes", false, FW_ERR_TIMEOUT, "did not end in time"},
        {"has none of our files", "test ! -e /proc/self/fd/9", false, FW_OK, NULL},
    };
    const int nine = dup2(0, 9);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        fw_error err = {0};
        const fw_mono before = fw_mono_now();
        const fw_status s = run_script(table[i].script, table[i].status == FW_ERR_TIMEOUT ? 0.3 : LIMIT_S, table[i].much ? large : "{\"a\":1}", &err);
        if (s != table[i].status || (table[i].says != NULL && strstr(err.text, table[i].says) == NULL)) fail_msg("%s: %s %s", table[i].what, fw_status_name(s), err.text);
        if (table[i].status == FW_ERR_TIMEOUT) assert_true(fw_mono_seconds(before, fw_mono_now()) < 5);
    }
    if (nine >= 0) close(nine);
}

static void a_program_that_is_not_there_is_named(void **state)
{
    (void)state;
    char *argv[] = {(char *)(uintptr_t) "/nowhere/notify", NULL};
    static const atomic_bool stop = false;
    fw_error err = {0};
    assert_int_equal(monitor_command_run(&(monitor_command){.argv = argv}, "{}", &stop, &err), FW_ERR_NOTFOUND);
    assert_non_null(strstr(err.text, "/nowhere/notify"));
}

static pid_t pid_from(const char *name)
{
    FW_FREE char *text = NULL;
    size_t len = 0;
    if (fw_read_file(&text, &len, scratch_path(&folder, name), 64, NULL) != FW_OK) return 0;
    return (pid_t)strtol(text, NULL, 10);
}

static void what_a_command_started_ends_with_it(void **state)
{
    (void)state;
    static const struct { const char *script; double deadline_s; } table[] = {
        {"sleep 600 & echo $! > \"$0/child\"; exit 0", LIMIT_S},
        {"sleep 600 & echo $! > \"$0/child\"; sleep 600", 0.3},
    };
    for (size_t i = 0; i < 2; i++) {
        run_script(table[i].script, table[i].deadline_s, "{}", NULL);
        const pid_t child = pid_from("child");
        assert_true(child > 1);
        const fw_mono limit = fw_mono_after(fw_mono_now(), LIMIT_S);
        char path[64];
        snprintf(path, sizeof path, "/proc/%ld/cmdline", (long)child);
        for (size_t len = 1; len > 0;) {            /* gone, or a zombie that nobody has reaped */
            FW_FREE char *line = NULL;
            if (fw_read_file(&line, &len, path, 4096, NULL) != FW_OK) len = 0;
            assert_false(fw_mono_passed(limit));
        }
    }
}

/* ---- the channel ---- */

typedef struct outlet { atomic_int tries; int fails; fw_status with; atomic_bool blocked; char heard[256]; } outlet;

static fw_status send_out(void *context, const char *text, const atomic_bool *stop, fw_error *err)
{
    outlet *o = context;
    const int n = atomic_fetch_add(&o->tries, 1) + 1;
    while (atomic_load(&o->blocked) && !atomic_load(stop)) fw_sleep_ms(1);
    if (atomic_load(stop)) return fw_fail(err, FW_ERR_STOPPED, "stopped");
    if (n <= o->fails) return fw_fail(err, o->with, "try %d", n);
    strncat(o->heard, text, sizeof o->heard - strlen(o->heard) - 1);
    return FW_OK;
}

static monitor_sent await_sent(monitor_channel *c)
{
    monitor_sent sent = {0};
    const fw_mono limit = fw_mono_after(fw_mono_now(), LIMIT_S);
    while (!monitor_channel_next(c, &sent)) {
        assert_false(fw_mono_passed(limit));
        fw_sleep_ms(1);
    }
    return sent;
}

static void a_channel_tries_again_what_may_pass(void **state)
{
    (void)state;
    static const struct { int fails; fw_status with; int tries; bool arrived; } table[] = {
        {0, FW_OK, 1, true}, {2, FW_ERR_IO, 3, true}, {3, FW_ERR_TIMEOUT, 4, true}, {9, FW_ERR_IO, 4, false}, {1, FW_ERR_CHECK, 1, false}, {1, FW_ERR_NOTFOUND, 1, false}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        outlet o = {.fails = table[i].fails, .with = table[i].with};
        monitor_channel *c = NULL;
        const monitor_channel_opts opts = {.name = "test", .send = send_out, .context = &o, .tries = 4, .first_pause_s = 0.001, .max_pause_s = 0.004};
        assert_int_equal(monitor_channel_open(&c, &opts, NULL), FW_OK);
        assert_int_equal(monitor_channel_put(c, 5, "a", NULL), FW_OK);
        const monitor_sent sent = await_sent(c);
        assert_int_equal(sent.ticket, 5);
        assert_int_equal(sent.arrived, table[i].arrived);
        assert_int_equal(atomic_load(&o.tries), table[i].tries);
        if (!sent.arrived) assert_non_null(strstr(sent.why, "try"));
        monitor_channel_close(&c, 0);
    }
}

static void a_channel_that_hangs_keeps_nobody_waiting(void **state)
{
    (void)state;
    outlet o = {.blocked = true};
    monitor_channel *c = NULL;
    const monitor_channel_opts opts = {.name = "test", .send = send_out, .context = &o, .max_waiting = 3};
    assert_int_equal(monitor_channel_open(&c, &opts, NULL), FW_OK);
    const fw_mono before = fw_mono_now();
    for (uint64_t i = 1; i <= 5; i++) assert_int_equal(monitor_channel_put(c, i, "x", NULL), i <= 3 ? FW_OK : FW_END);
    monitor_sent sent;
    assert_false(monitor_channel_next(c, &sent));
    atomic_store(&o.blocked, false);
    for (uint64_t i = 1; i <= 3; i++) assert_int_equal(await_sent(c).ticket, i);
    atomic_store(&o.blocked, true);
    assert_int_equal(monitor_channel_put(c, 6, "y", NULL), FW_OK);
    monitor_channel_close(&c, 0.05);                        /* hangs still: it is broken off */
    assert_true(fw_mono_seconds(before, fw_mono_now()) < 5);
    assert_string_equal(o.heard, "xxx");
}

static void a_channel_that_ends_sends_what_waits(void **state)
{
    (void)state;
    outlet o = {.fails = 1, .with = FW_ERR_IO};
    monitor_channel *c = NULL;
    const monitor_channel_opts opts = {.name = "test", .send = send_out, .context = &o, .tries = 2, .first_pause_s = 0.01};
    assert_int_equal(monitor_channel_open(&c, &opts, NULL), FW_OK);
    for (uint64_t i = 0; i < 20; i++) assert_int_equal(monitor_channel_put(c, i, "x", NULL), FW_OK);
    monitor_channel_close(&c, LIMIT_S);
    assert_int_equal(strlen(o.heard), 20);
}

/* ---- all together ---- */

static void keep_alert(void *context, const fw_alert *alert)
{
    char *to = context;
    snprintf(to, 200, "%s %s %s %s %zu", alert->id, alert->model, alert->event, alert->features[alert->n_features - 1], alert->n_features);
}

static monitor_told await_told(monitor_deliver *d)
{
    monitor_told told = {0};
    const fw_mono limit = fw_mono_after(fw_mono_now(), LIMIT_S);
    while (!monitor_deliver_next(d, &told)) {
        assert_false(fw_mono_passed(limit));
        fw_sleep_ms(1);
    }
    return told;
}

static void an_event_is_told_once_to_each(void **state)
{
    (void)state;
    char published[200] = "";
    char *argv[] = {(char *)(uintptr_t) "sh", (char *)(uintptr_t) "-c", (char *)(uintptr_t) "cat >> \"$0/got\"; grep -q 'event\":\"raised' \"$0/got\"", folder.dir, NULL};
    const monitor_deliver_opts opts = {.command = argv, .show = keep_alert, .context = published};
    monitor_deliver *d = NULL;
    assert_int_equal(monitor_deliver_open(&d, &opts, NULL), FW_OK);
    const monitor_alert_row row = {.alert = 4, .kind = "drift", .name = "adult", .subject = "age", .level = 0.5, .certainty = NAN, .features = "[\"age\",\"sex\"]"};
    assert_int_equal(monitor_deliver_event(d, &row, "resolved", 77, false, NULL), FW_OK);
    monitor_told told = await_told(d);
    assert_int_equal(told.alert, 4);
    assert_int_equal(told.at_us, 77);
    assert_string_equal(told.event, "resolved");
    assert_false(told.arrived);                             /* grep did not find it */
    assert_non_null(strstr(told.why, "ended with 1"));
    assert_string_equal(published, "4-resolved-77 adult resolved sex 2");
    *published = '\0';
    assert_int_equal(monitor_deliver_event(d, &row, "raised", 78, true, NULL), FW_OK);
    told = await_told(d);
    assert_true(told.arrived);
    assert_string_equal(published, "");                     /* again: nobody is shown it */
    assert_false(monitor_deliver_next(d, &told));
    monitor_deliver_close(&d);
    FW_FREE char *got = NULL;
    size_t len = 0;
    assert_int_equal(fw_read_file(&got, &len, scratch_path(&folder, "got"), 1 << 16, NULL), FW_OK);
    assert_non_null(strstr(got, "\"id\":\"4-resolved-77\""));
    assert_non_null(strstr(got, "\"certainty\":null"));
}

static void without_anybody_to_tell_an_event_is_told_at_once(void **state)
{
    (void)state;
    monitor_deliver *d = NULL;
    monitor_told told = {0};
    assert_int_equal(monitor_deliver_open(&d, &(monitor_deliver_opts){0}, NULL), FW_OK);
    const monitor_alert_row row = {.alert = 1, .kind = "kpi", .subject = ""};
    assert_int_equal(monitor_deliver_event(d, &row, "raised", 1, false, NULL), FW_OK);
    assert_true(monitor_deliver_next(d, &told));
    assert_true(told.arrived);
    monitor_deliver_close(&d);
}

static void an_address_that_is_none_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "hooks.example", "ftp://host/x", "file:///etc/passwd", "http://", "gopher://h/"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        FW_AUTO(monitor_webhook) *w = NULL;
        if (monitor_webhook_create(&w, bad[i], 0, NULL) != FW_ERR_CONFIG) fail_msg("%s", bad[i]);
        monitor_deliver *d = NULL;
        assert_int_equal(monitor_deliver_open(&d, &(monitor_deliver_opts){.webhook = bad[i]}, NULL), FW_ERR_CONFIG);
    }
}

int main(void)
{
#define DELIVER_TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)
    const struct CMUnitTest tests[] = {
        DELIVER_TEST(a_command_gets_the_alert_and_is_judged),
        DELIVER_TEST(a_program_that_is_not_there_is_named),
        DELIVER_TEST(what_a_command_started_ends_with_it),
        DELIVER_TEST(a_channel_tries_again_what_may_pass),
        DELIVER_TEST(a_channel_that_hangs_keeps_nobody_waiting),
        DELIVER_TEST(a_channel_that_ends_sends_what_waits),
        DELIVER_TEST(an_event_is_told_once_to_each),
        DELIVER_TEST(without_anybody_to_tell_an_event_is_told_at_once),
        DELIVER_TEST(an_address_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
