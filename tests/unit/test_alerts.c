/** The life of alerts: raised once for a cause, resolved when it was quiet long enough, silent when asked, and the same after a restart. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "common/core/size.h"
#include "monitor/alerts.h"

#define SECOND INT64_C(1000000)

/** What the sink heard: "raised" of alert 2, told: "r2!", not told: "r2". */
typedef struct heard { char log[4096]; size_t changes; monitor_alert_row last; char text[1024], features[256]; } heard;

static fw_status hear(void *context, const monitor_alert_row *row, const char *event, int64_t at_us, bool tell, fw_error *err)
{
    heard *h = context;
    (void)err, (void)at_us;
    h->changes++;
    h->last = *row;
    snprintf(h->text, sizeof h->text, "%s", row->text != NULL ? row->text : "");
    snprintf(h->features, sizeof h->features, "%s", row->features != NULL ? row->features : "");
    const size_t len = strlen(h->log);
    if (event != NULL) snprintf(h->log + len, sizeof h->log - len, "%s%c%lld%s", len > 0 ? " " : "", event[0], (long long)row->alert, tell ? "!" : "");
    return FW_OK;
}

static monitor_alerts *alerts_with(heard *h, monitor_alert_opts opts)
{
    monitor_alerts *a = NULL;
    assert_int_equal(monitor_alerts_create(&a, &opts, &(monitor_alert_sink){h, hear}, NULL), FW_OK);
    return a;
}

static void look(monitor_alerts *a, const char *subject, double level, int64_t at_s)
{
    const monitor_look l = {.kind = MONITOR_ALERT_DRIFT, .model = 1, .name = "adult", .digest = "d", .subject = subject, .level = level, .threshold = 0.25,
                            .evidence = true, .certainty = 0.999, .measure = "PSI"};
    assert_int_equal(monitor_alerts_look(a, &l, at_s * SECOND, NULL), FW_OK);
}

/** Levels in hundredths, one look a second; the events that come of it. */
static void a_life_goes_by_its_table(void **state)
{
    (void)state;
    static const struct { const char *what; monitor_alert_opts opts; int level[16]; const char *events; } table[] = {
        {"below", {0}, {10, 24, 24, -1}, ""},
        {"raised once", {0}, {25, 30, 40, 26, -1}, "r1!"},
        {"resolved after three quiet ones", {0}, {30, 10, 10, 10, -1}, "r1! r1!"},
        {"two are not enough", {0}, {30, 10, 10, 30, 10, 10, 30, -1}, "r1!"},
        {"nor is a look between", {0}, {30, 10, 10, 22, 10, 10, -1}, "r1!"},
        {"a look between is not quiet", {0}, {30, 22, 22, 22, 22, 22, -1}, "r1!"},
        {"cooling raises nothing", {.cool_down_s = 100}, {30, 1, 1, 1, 30, 30, 30, -1}, "r1! r1!"},
        {"cooled it does", {.cool_down_s = 2}, {30, 1, 1, 1, 30, 30, 30, -1}, "r1! r1! r2!"},
        {"without a cool-down", {.cool_down_s = -1, .quiet_looks = 1}, {30, 1, 30, 1, 30, -1}, "r1! r1! r2! r2! r3!"},
        {"numbers go on", {.first_number = 41}, {30, -1}, "r41!"},
        {"half the threshold", {.resolving_share = 0.5, .quiet_looks = 1}, {30, 13, 13, 12, -1}, "r1! r1!"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        heard h = {0};
        FW_AUTO(monitor_alerts) *a = alerts_with(&h, table[i].opts);
        for (int k = 0; table[i].level[k] >= 0; k++) look(a, "age", table[i].level[k] / 100.0, k + 1);
        if (strcmp(h.log, table[i].events) != 0) fail_msg("%s: \"%s\", expected \"%s\"", table[i].what, h.log, table[i].events);
    }
}

static void a_cause_is_kind_model_and_subject(void **state)
{
    (void)state;
    heard h = {0};
    FW_AUTO(monitor_alerts) *a = alerts_with(&h, (monitor_alert_opts){0});
    const monitor_look base = {.kind = MONITOR_ALERT_DRIFT, .model = 1, .subject = "age", .level = 1, .threshold = 0.5, .evidence = true, .certainty = NAN};
    monitor_look l[5] = {base, base, base, base, base};
    l[1].kind = MONITOR_ALERT_MISSING;
    l[2].model = 2;
    l[3].subject = "sex";
    l[4].subject = NULL;
    for (int round = 0; round < 2; round++)
        for (size_t i = 0; i < 5; i++) assert_int_equal(monitor_alerts_look(a, &l[i], SECOND, NULL), FW_OK);
    assert_string_equal(h.log, "r1! r2! r3! r4! r5!");
    assert_int_equal(monitor_alerts_count(a).open, 5);
    assert_int_equal(monitor_alerts_count(a).raised[MONITOR_ALERT_DRIFT], 4);
}

static void both_keys_are_needed(void **state)
{
    (void)state;
    heard h = {0};
    FW_AUTO(monitor_alerts) *a = alerts_with(&h, (monitor_alert_opts){.quiet_looks = 1});
    monitor_look l = {.kind = MONITOR_ALERT_KPI, .subject = "calls", .level = 9, .threshold = 1, .certainty = NAN};
    assert_int_equal(monitor_alerts_look(a, &l, 1, NULL), FW_OK);
    assert_string_equal(h.log, "");
    l.evidence = true;
    l.level = NAN;
    assert_int_equal(monitor_alerts_look(a, &l, 1, NULL), FW_OK);
    assert_string_equal(h.log, "");
    l.level = 9;
    assert_int_equal(monitor_alerts_look(a, &l, 1, NULL), FW_OK);
    l.level = NAN;                                          /* says nothing, so it is not quiet */
    assert_int_equal(monitor_alerts_look(a, &l, 1, NULL), FW_OK);
    assert_string_equal(h.log, "r1!");
    l.threshold = 0;
    assert_int_equal(monitor_alerts_look(a, &l, 1, NULL), FW_ERR_ARG);
    l.threshold = NAN;
    assert_int_equal(monitor_alerts_look(a, &l, 1, NULL), FW_ERR_ARG);
}

static void users_acknowledge_silence_and_resolve(void **state)
{
    (void)state;
    heard h = {0};
    FW_AUTO(monitor_alerts) *a = alerts_with(&h, (monitor_alert_opts){.cool_down_s = 50});
    look(a, "age", 0.3, 1);
    monitor_alert_row did = {.alert = 1, .acknowledged_us = 2 * SECOND};
    assert_int_equal(monitor_alerts_act(a, &did, 2 * SECOND, NULL), FW_OK);
    assert_int_equal(monitor_alerts_act(a, &did, 3 * SECOND, NULL), FW_OK);          /* once */
    assert_int_equal(monitor_alerts_act(a, &(monitor_alert_row){.alert = 77, .resolved_us = 1}, 3 * SECOND, NULL), FW_OK);
    look(a, "age", 0.3, 4);
    assert_string_equal(h.log, "r1! a1!");
    did.resolved_us = 5 * SECOND;
    assert_int_equal(monitor_alerts_act(a, &did, 6 * SECOND, NULL), FW_OK);
    assert_int_equal(h.last.resolved_us, 5 * SECOND);
    look(a, "age", 0.3, 54);                                                         /* it is still there: not before it has cooled */
    assert_string_equal(h.log, "r1! a1! r1!");
    look(a, "age", 0.3, 55);
    assert_string_equal(h.log, "r1! a1! r1! r2!");
}

static void silence_hides_and_its_end_tells(void **state)
{
    (void)state;
    heard h = {0};
    FW_AUTO(monitor_alerts) *a = alerts_with(&h, (monitor_alert_opts){.cool_down_s = -1, .quiet_looks = 1});
    look(a, "age", 0.3, 1);
    assert_int_equal(monitor_alerts_act(a, &(monitor_alert_row){.alert = 1, .silenced_until_us = 100 * SECOND}, 2 * SECOND, NULL), FW_OK);
    look(a, "age", 0.1, 3);
    assert_string_equal(h.log, "r1! r1");
    assert_int_equal(monitor_alerts_tick(a, 50 * SECOND, NULL), FW_OK);
    look(a, "age", 0.3, 60);                                                         /* the next alert of the cause is silent too */
    assert_string_equal(h.log, "r1! r1 r2");
    assert_int_equal(h.last.silenced_until_us, 100 * SECOND);
    assert_int_equal(monitor_alerts_tick(a, 99 * SECOND, NULL), FW_OK);
    assert_string_equal(h.log, "r1! r1 r2");
    assert_int_equal(monitor_alerts_tick(a, 100 * SECOND, NULL), FW_OK);             /* still raised: now somebody hears of it */
    assert_int_equal(monitor_alerts_tick(a, 101 * SECOND, NULL), FW_OK);
    assert_string_equal(h.log, "r1! r1 r2 r2!");
}

static void quiet_causes_are_forgotten(void **state)
{
    (void)state;
    heard h = {0};
    FW_AUTO(monitor_alerts) *a = alerts_with(&h, (monitor_alert_opts){.cool_down_s = 10, .quiet_looks = 1});
    look(a, "age", 0.3, 1);
    look(a, "sex", 0.3, 1);
    look(a, "age", 0.1, 2);
    assert_int_equal(monitor_alerts_tick(a, 11 * SECOND, NULL), FW_OK);
    assert_int_equal(monitor_alerts_count(a).remembered, 2);
    assert_int_equal(monitor_alerts_tick(a, 12 * SECOND, NULL), FW_OK);
    assert_int_equal(monitor_alerts_count(a).remembered, 1);
    assert_int_equal(monitor_alerts_count(a).open, 1);
}

static void beyond_the_limit_looks_are_counted_and_raise_nothing(void **state)
{
    (void)state;
    heard h = {0};
    FW_AUTO(monitor_alerts) *a = alerts_with(&h, (monitor_alert_opts){0});
    for (unsigned i = 0; i < MONITOR_MAX_ALERTS + 3; i++) {
        char subject[16];
        snprintf(subject, sizeof subject, "f%u", i);
        look(a, subject, 0.3, 1);
    }
    assert_int_equal(h.changes, MONITOR_MAX_ALERTS);
    assert_int_equal(monitor_alerts_count(a).refused, 3);
    look(a, "f7", 0.3, 2);
    assert_int_equal(h.changes, MONITOR_MAX_ALERTS + 1);
}

/** What a store would hold: the last row of each alert. */
typedef struct kept { heard h; monitor_alert_row row[64]; char text[64][4][128]; } kept;

static fw_status keep(void *context, const monitor_alert_row *row, const char *event, int64_t at_us, bool told, fw_error *err)
{
    kept *k = context;
    assert_true(row->alert < 64);
    monitor_alert_row *to = &k->row[row->alert];
    const int64_t acknowledged = to->acknowledged_us, silenced = to->silenced_until_us;
    *to = *row;
    if (to->acknowledged_us == 0) to->acknowledged_us = acknowledged;
    if (to->silenced_until_us == 0) to->silenced_until_us = silenced;
    snprintf(k->text[row->alert][0], 128, "%s", row->subject);
    to->subject = k->text[row->alert][0];
    to->name = to->digest = to->features = to->text = to->advice = NULL;
    return hear(&k->h, row, event, at_us, told, err);
}

/** The same looks with and without a restart after each of them give the same events. */
static void a_restart_changes_nothing(void **state)
{
    (void)state;
    kept *whole = calloc(1, sizeof *whole), *broken = calloc(1, sizeof *broken);
    assert_non_null(whole);
    assert_non_null(broken);
    const monitor_alert_opts opts = {.cool_down_s = 5, .quiet_looks = 2};
    FW_AUTO(monitor_alerts) *a = NULL;
    FW_AUTO(monitor_alerts) *b = NULL;
    assert_int_equal(monitor_alerts_create(&a, &opts, &(monitor_alert_sink){whole, keep}, NULL), FW_OK);
    uint32_t seed = 12345;
    for (int64_t at_s = 1; at_s < 60; at_s++) {
        monitor_alerts_destroy(&b);
        assert_int_equal(monitor_alerts_create(&b, &opts, &(monitor_alert_sink){broken, keep}, NULL), FW_OK);
        for (int i = 1; i < 64; i++)
            if (broken->row[i].alert != 0) assert_int_equal(monitor_alerts_restore(b, &broken->row[i], at_s * SECOND, NULL), FW_OK);
        for (int f = 0; f < 3; f++) {
            static const char *const names[] = {"age", "sex", "pay"};
            seed = seed * 1664525u + 1013904223u;
            const double level = (seed >> 24) % 4 == 0 ? 0.3 : 0.1;
            look(a, names[f], level, at_s);
            look(b, names[f], level, at_s);
        }
        if (at_s == 20) {
            const monitor_alert_row did = {.alert = whole->h.last.alert, .acknowledged_us = at_s * SECOND, .silenced_until_us = 31 * SECOND};
            assert_int_equal(monitor_alerts_act(a, &did, at_s * SECOND, NULL), FW_OK);
            assert_int_equal(monitor_alerts_act(b, &did, at_s * SECOND, NULL), FW_OK);
            broken->row[did.alert].silenced_until_us = did.silenced_until_us;      /* the user's columns: written by the user */
            broken->row[did.alert].told = 0;
        }
        assert_int_equal(monitor_alerts_tick(a, at_s * SECOND, NULL), FW_OK);
        assert_int_equal(monitor_alerts_tick(b, at_s * SECOND, NULL), FW_OK);
        if (strcmp(whole->h.log, broken->h.log) != 0) fail_msg("after %lld s: \"%s\", with restarts \"%s\"", (long long)at_s, whole->h.log, broken->h.log);
    }
    assert_true(strlen(whole->h.log) > 40);
    free(whole);
    free(broken);
}

static void an_alert_says_what_how_much_since_when_and_what_to_do(void **state)
{
    (void)state;
    static const char *const features[] = {"age", "a\"b"};
    heard h = {0};
    FW_AUTO(monitor_alerts) *a = alerts_with(&h, (monitor_alert_opts){0});
    const monitor_look l = {.kind = MONITOR_ALERT_DRIFT, .model = 1, .name = "adult", .digest = "d1", .subject = "age", .level = 0.3125, .threshold = 0.25, .evidence = true,
                            .certainty = 0.9995, .since_us = 1000 * SECOND, .measure = "PSI", .detail = "mean 44.1 instead of 38.2", .features = features, .n_features = 2};
    assert_int_equal(monitor_alerts_look(a, &l, 2000 * SECOND, NULL), FW_OK);
    assert_string_equal(h.text, "adult: age has drifted from the reference: PSI 0.3125, an alert from 0.25 on, mean 44.1 instead of 38.2; "
                                "since 1970-01-01T00:16:40.000Z; certainty 99.95 %; features: age, a\"b");
    FW_FREE char *json = NULL;
    assert_int_equal(monitor_alert_json(&json, &h.last, "raised", 2000 * SECOND, NULL), FW_OK);
    json_t *o = json_loads(json, 0, NULL);
    assert_non_null(o);
    assert_string_equal(json_string_value(json_object_get(o, "id")), "1-raised-2000000000");
    assert_string_equal(json_string_value(json_array_get(json_object_get(o, "features"), 1)), "a\"b");
    assert_string_equal(json_string_value(json_object_get(o, "since")), "1970-01-01T00:16:40.000Z");
    assert_true(json_is_null(json_object_get(o, "resolved")));
    assert_non_null(strstr(json_string_value(json_object_get(o, "advice")), "reference"));
    json_decref(o);
    for (int k = 0; k < MONITOR_N_ALERT_KINDS; k++) {
        monitor_alert_kind found;
        assert_true(monitor_alert_kind_find(&found, monitor_alert_kind_name((monitor_alert_kind)k)));
        assert_int_equal(found, k);
        assert_true(strlen(monitor_alert_advice(found, "")) > 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_life_goes_by_its_table),
        cmocka_unit_test(a_cause_is_kind_model_and_subject),
        cmocka_unit_test(both_keys_are_needed),
        cmocka_unit_test(users_acknowledge_silence_and_resolve),
        cmocka_unit_test(silence_hides_and_its_end_tells),
        cmocka_unit_test(quiet_causes_are_forgotten),
        cmocka_unit_test(beyond_the_limit_looks_are_counted_and_raise_nothing),
        cmocka_unit_test(a_restart_changes_nothing),
        cmocka_unit_test(an_alert_says_what_how_much_since_when_and_what_to_do),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
