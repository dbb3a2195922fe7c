/** Outcomes and KPI events on the wire: there and back exactly; what breaks their contract is refused, when it is sent and when it comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/telemetry.h"
#include "proto/telemetry.pb-c.h"

#define OUTCOME_TOPIC FW_TOPIC_OUTCOME "churn"
#define KPI_TOPIC     FW_TOPIC_KPI "callcenter"
#define LATE          INT64_C(253402300799999999)

static void wrap(fw_text *out, const char *topic, const fw_text *packed, uint64_t rows)
{
    FW_AUTO(fw_telemetry) *t = NULL;
    assert_int_equal(fw_telemetry_create(&t, NULL), FW_OK);
    assert_int_equal(fw_telemetry_wrap(t, out, topic, packed->data, packed->len, rows, NULL), FW_OK);
}

static void outcomes_come_back(void **state)
{
    (void)state;
    const fw_outcome rows[] = {{"1", "yes", 0}, {"\xc3\xa4", "-1.5e3", LATE}, {"3", "", 7}};
    const fw_telemetry_outcomes o = {.model = "churn", .rows = rows, .n = 3};
    FW_AUTO(fw_text) packed = {0};
    FW_AUTO(fw_text) bytes = {0};
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    assert_int_equal(fw_telemetry_pack_outcomes(&packed, &o, NULL), FW_OK);
    wrap(&bytes, OUTCOME_TOPIC, &packed, 3);
    assert_int_equal(fw_telemetry_decode(&b, OUTCOME_TOPIC, bytes.data, bytes.len, NULL), FW_OK);
    assert_true(b->kind == FW_TELEMETRY_OUTCOMES && b->outcomes.n == 3);
    assert_string_equal(b->outcomes.model, "churn");
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(b->outcomes.rows[i].id, rows[i].id);
        assert_string_equal(b->outcomes.rows[i].outcome, rows[i].outcome);
        assert_int_equal(b->outcomes.rows[i].at_us, rows[i].at_us);
    }
    fw_telemetry_batch *no = NULL;
    assert_int_equal(fw_telemetry_decode(&no, KPI_TOPIC, bytes.data, bytes.len, NULL), FW_ERR_FORMAT);      /* of another kind than the topic */
}

static void kpi_events_come_back(void **state)
{
    (void)state;
    const fw_kpi_event rows[] = {{"a", 1, 5}, {NULL, -0.25, 0}};
    const fw_telemetry_kpi k = {.project = "callcenter", .name = "transfer_rate", .rows = rows, .n = 2};
    FW_AUTO(fw_text) packed = {0};
    FW_AUTO(fw_text) bytes = {0};
    FW_AUTO(fw_telemetry_batch) *b = NULL;
    assert_int_equal(fw_telemetry_pack_kpi(&packed, &k, NULL), FW_OK);
    wrap(&bytes, KPI_TOPIC, &packed, 2);
    assert_int_equal(fw_telemetry_decode(&b, KPI_TOPIC, bytes.data, bytes.len, NULL), FW_OK);
    assert_true(b->kind == FW_TELEMETRY_KPI && b->kpi.n == 2 && b->kpi.rows[0].at_us == 5);
    assert_string_equal(b->kpi.project, "callcenter");
    assert_string_equal(b->kpi.name, "transfer_rate");
    assert_string_equal(b->kpi.rows[1].id, "");
    assert_true(b->kpi.rows[0].value > 0.9 && b->kpi.rows[1].value < -0.2);
}

static void what_cannot_be_is_not_sent(void **state)
{
    (void)state;
    static char long_text[FW_TELEMETRY_MAX_TEXT + 2];
    memset(long_text, 'a', sizeof long_text - 1);
    const struct { const char *model; fw_outcome row; size_t n; fw_status status; } outcomes[] = {
        {"", {"1", "a", 0}, 1, FW_ERR_ARG}, {NULL, {"1", "a", 0}, 1, FW_ERR_ARG}, {"\xff", {"1", "a", 0}, 1, FW_ERR_DATA}, {"m", {"", "a", 0}, 1, FW_ERR_ARG},
        {"m", {"1", "\xc3", 0}, 1, FW_ERR_DATA}, {"m", {long_text, "a", 0}, 1, FW_ERR_DATA}, {"m", {"1", "a", -1}, 1, FW_ERR_ARG}, {"m", {"1", "a", LATE + 1}, 1, FW_ERR_ARG},
        {"m", {"1", "a", 0}, FW_TELEMETRY_MAX_ROWS + 1, FW_ERR_ARG}};
    const struct { const char *name; fw_kpi_event row; fw_status status; } events[] = {
        {"", {"1", 1, 0}, FW_ERR_ARG}, {"k", {"1", NAN, 0}, FW_ERR_NUMERIC}, {"k", {"1", INFINITY, 0}, FW_ERR_NUMERIC}, {"k", {"\xff", 1, 0}, FW_ERR_DATA}, {"k", {"1", 1, -1}, FW_ERR_ARG}};
    FW_AUTO(fw_text) out = {0};
    fw_text_add(&out, "before");
    for (size_t i = 0; i < sizeof outcomes / sizeof *outcomes; i++) {
        const fw_telemetry_outcomes o = {.model = outcomes[i].model, .rows = &outcomes[i].row, .n = outcomes[i].n};
        assert_int_equal(fw_telemetry_pack_outcomes(&out, &o, NULL), outcomes[i].status);
    }
    for (size_t i = 0; i < sizeof events / sizeof *events; i++) {
        const fw_telemetry_kpi k = {.project = "p", .name = events[i].name, .rows = &events[i].row, .n = 1};
        assert_int_equal(fw_telemetry_pack_kpi(&out, &k, NULL), events[i].status);
    }
    assert_string_equal(out.data, "before");
}

/* A batch with one row, as a peer may send it, and, when it is good, each of its prefixes. */
static fw_status decode(const char *topic, const Flywheel__TelemetryBatch *batch)
{
    fw_telemetry_batch *b = NULL;
    uint8_t bytes[512];
    const size_t len = flywheel__telemetry_batch__pack(batch, bytes);
    const fw_status s = fw_telemetry_decode(&b, topic, bytes, len, NULL);
    assert_true((b != NULL) == (s == FW_OK));
    for (size_t cut = 0; s == FW_OK && cut < len; cut++) {
        fw_telemetry_batch *torn = NULL;      /* a prefix may be a batch of its own, without a body */
        assert_int_equal(fw_telemetry_decode(&torn, topic, bytes, cut, NULL), FW_ERR_FORMAT);
    }
    fw_telemetry_batch_destroy(&b);
    return s;
}

static fw_status decode_outcome(const char *model, Flywheel__Outcome row)
{
    Flywheel__Outcomes body;
    Flywheel__TelemetryBatch batch;
    Flywheel__Outcome *list[1] = {&row};
    flywheel__outcomes__init(&body);
    flywheel__telemetry_batch__init(&batch);
    body.model = (char *)(uintptr_t)model;
    body.rows = list;
    body.n_rows = 1;
    batch.outcomes = &body;
    batch.body_case = FLYWHEEL__TELEMETRY_BATCH__BODY_OUTCOMES;
    return decode(OUTCOME_TOPIC, &batch);
}

static fw_status decode_event(const char *name, Flywheel__KpiEvent row)
{
    Flywheel__Kpi body;
    Flywheel__TelemetryBatch batch;
    Flywheel__KpiEvent *list[1] = {&row};
    flywheel__kpi__init(&body);
    flywheel__telemetry_batch__init(&batch);
    body.name = (char *)(uintptr_t)name;
    body.rows = list;
    body.n_rows = 1;
    batch.kpi = &body;
    batch.body_case = FLYWHEEL__TELEMETRY_BATCH__BODY_KPI;
    return decode(KPI_TOPIC, &batch);
}

static void what_cannot_be_is_not_taken(void **state)
{
    (void)state;
    Flywheel__Outcome row = FLYWHEEL__OUTCOME__INIT;
    row.id = (char *)(uintptr_t)"1";
    row.outcome = (char *)(uintptr_t)"a";
    assert_int_equal(decode_outcome("m", row), FW_OK);
    assert_int_equal(decode_outcome("", row), FW_ERR_FORMAT);
    Flywheel__Outcome bad = row;
    bad.id = (char *)(uintptr_t)"";
    assert_int_equal(decode_outcome("m", bad), FW_ERR_FORMAT);
    bad = row;
    bad.outcome = (char *)(uintptr_t)"\xff";
    assert_int_equal(decode_outcome("m", bad), FW_ERR_FORMAT);
    bad = row;
    bad.time_us = -1;
    assert_int_equal(decode_outcome("m", bad), FW_ERR_FORMAT);
    Flywheel__KpiEvent event = FLYWHEEL__KPI_EVENT__INIT;
    event.value = 1;
    assert_int_equal(decode_event("k", event), FW_OK);
    assert_int_equal(decode_event("", event), FW_ERR_FORMAT);
    event.value = NAN;
    assert_int_equal(decode_event("k", event), FW_ERR_FORMAT);
    event.value = 1;
    event.time_us = LATE + 1;
    assert_int_equal(decode_event("k", event), FW_ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(outcomes_come_back),
        cmocka_unit_test(kpi_events_come_back),
        cmocka_unit_test(what_cannot_be_is_not_sent),
        cmocka_unit_test(what_cannot_be_is_not_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
