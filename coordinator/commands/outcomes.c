/** flywheel outcomes: the true outcomes of predictions, or events of the KPI, from a table to the bus or into a recording. */
#include <string.h>

#include "common/bus/outbox.h"
#include "common/bus/recording.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/data/table.h"
#include "coordinator/commands/access.h"
#include "proto/telemetry.h"

#define DEFAULT_ENDPOINT "tcp://127.0.0.1:5555"
#define MESSAGE_ROWS     10000
#define WAIT_S           30.0          /* for a reader, and for its acknowledgement */

typedef enum column { ID, VALUE, TIME, N_COLUMNS } column;

typedef struct sending {
    const char *path, *model;          /* model NULL: a KPI */
    char *project, *kpi;
    fw_table *table;
    fw_schema *schema;
    int column_of[N_COLUMNS];
    fw_outbox *outbox;                 /* NULL: they go to the recorder */
    fw_recorder *recorder;
    fw_telemetry *telemetry;
    fw_text topic, packed, batch, ids, values;
    uint64_t sent, empty;
    double wait_s;
} sending;

/* ---- the table ---------------------------------------------------------------------------------------------------------------------------- */

static int find_column(const fw_table *t, const char *name)
{
    for (size_t i = 0; i < fw_table_n_columns(t); i++)
        if (strcmp(fw_table_column_name(t, i), name) == 0) return (int)i;
    return -1;
}

static fw_status choose_column(sending *s, column which, const char *wanted, const char *fallback, fw_column_type type, bool needed, fw_error *err)
{
    const char *name = wanted != NULL ? wanted : fallback;
    s->column_of[which] = find_column(s->table, name);
    if (s->column_of[which] < 0 && (needed || wanted != NULL))
        return fw_fail(err, FW_ERR_CONFIG, "%s: it has no column '%s'; name it with --%s", s->path, name, which == ID ? "id" : which == TIME ? "time" : "outcome");
    s->schema->columns[which].type = type;
    return fw_copy_text(&s->schema->columns[which].name, name, err);
}

static fw_status open_table(sending *s, const coord_call *call, fw_error *err)
{
    const fw_table_spec spec = {.name = "outcomes", .path = (char *)s->path, .header = true, .quote = '"', .trim = true};
    const bool kpi = s->model == NULL;
    FW_TRY(fw_table_open(&s->table, &spec, "", &fw_reduce_alone, err));
    FW_TRY(fw_schema_create(&s->schema, N_COLUMNS, err));
    FW_TRY(choose_column(s, ID, coord_option_value(call, "id"), "id", FW_TEXT, true, err));
    FW_TRY(choose_column(s, VALUE, coord_option_value(call, "outcome"), kpi ? "value" : "outcome", kpi ? FW_NUMBER : FW_TEXT, true, err));
    return choose_column(s, TIME, coord_option_value(call, "time"), "time", FW_TIME, false, err);
}

/* A cell's text, with an end, into the pool; its place there. */
static size_t take_text(fw_text *pool, const fw_cells *cells, size_t row)
{
    const size_t at = pool->len;
    fw_text_add_bytes(pool, cells->text_bytes + cells->text_at[row], (size_t)(cells->text_at[row + 1] - cells->text_at[row]));
    fw_text_add_bytes(pool, "", 1);
    return at;
}

static int64_t time_of(const fw_block *b, size_t row) { return b->cells[TIME].missing[row] ? 0 : b->cells[TIME].time_us[row]; }

/* ---- messages ------------------------------------------------------------------------------------------------------------------------------ */

static fw_status put_batch(sending *s, fw_error *err)
{
    fw_status status;
    if (s->recorder != NULL) return fw_recorder_put(s->recorder, s->topic.data, s->batch.data, s->batch.len, err);
    while ((status = fw_outbox_put(s->outbox, s->topic.data, s->batch.data, s->batch.len, err)) == FW_END)      /* the queue is full */
        FW_TRY(fw_outbox_flush(s->outbox, fw_mono_after(fw_mono_now(), s->wait_s), err));
    return status;
}

static fw_status put_message(sending *s, uint64_t rows, fw_error *err)
{
    FW_TRY(fw_telemetry_wrap(s->telemetry, &s->batch, s->topic.data, s->packed.data, s->packed.len, rows, err));
    s->sent += rows;
    return put_batch(s, err);
}

static fw_status refuse_row(const sending *s, const fw_block *b, size_t row, fw_error *err)
{
    return fw_fail(err, FW_ERR_DATA, "%s: row %llu has no %s; nothing can be joined without it", s->path, (unsigned long long)b->row[row] + 1, s->schema->columns[ID].name);
}

/* Rows [first, first + n) of the block that tell an outcome. Places become pointers when the pools grow no more. */
static fw_status send_outcomes(sending *s, const fw_block *b, size_t first, size_t n, fw_error *err)
{
    static fw_outcome rows[MESSAGE_ROWS];
    static size_t id_at[MESSAGE_ROWS], value_at[MESSAGE_ROWS];
    size_t kept = 0;
    fw_text_clear(&s->ids);
    fw_text_clear(&s->values);
    for (size_t i = first; i < first + n; i++) {
        if (b->cells[ID].missing[i]) return refuse_row(s, b, i, err);
        s->empty += b->cells[VALUE].missing[i];
        if (b->cells[VALUE].missing[i]) continue;
        id_at[kept] = take_text(&s->ids, &b->cells[ID], i);
        value_at[kept] = take_text(&s->values, &b->cells[VALUE], i);
        rows[kept++].at_us = time_of(b, i);
    }
    FW_TRY(fw_text_check(&s->ids, err));
    FW_TRY(fw_text_check(&s->values, err));
    for (size_t i = 0; i < kept; i++) {
        rows[i].id = s->ids.data + id_at[i];
        rows[i].outcome = s->values.data + value_at[i];
    }
    const fw_telemetry_outcomes o = {.model = s->model, .rows = rows, .n = kept};
    if (kept == 0) return FW_OK;
    FW_TRY(fw_telemetry_pack_outcomes(&s->packed, &o, err));
    return put_message(s, kept, err);
}

static fw_status send_events(sending *s, const fw_block *b, size_t first, size_t n, fw_error *err)
{
    static fw_kpi_event rows[MESSAGE_ROWS];
    static size_t id_at[MESSAGE_ROWS];
    size_t kept = 0;
    fw_text_clear(&s->ids);
    for (size_t i = first; i < first + n; i++) {
        if (b->cells[ID].missing[i]) return refuse_row(s, b, i, err);
        s->empty += b->cells[VALUE].missing[i];
        if (b->cells[VALUE].missing[i]) continue;
        id_at[kept] = take_text(&s->ids, &b->cells[ID], i);
        rows[kept++] = (fw_kpi_event){.value = b->cells[VALUE].number[i], .at_us = time_of(b, i)};
    }
    FW_TRY(fw_text_check(&s->ids, err));
    for (size_t i = 0; i < kept; i++) rows[i].id = s->ids.data + id_at[i];
    const fw_telemetry_kpi k = {.project = s->project, .name = s->kpi, .rows = rows, .n = kept};
    if (kept == 0) return FW_OK;
    FW_TRY(fw_telemetry_pack_kpi(&s->packed, &k, err));
    return put_message(s, kept, err);
}

static fw_status send_block(sending *s, const fw_block *b, fw_error *err)
{
    for (size_t first = 0; first < b->n_rows; first += MESSAGE_ROWS) {
        const size_t n = FW_MIN(b->n_rows - first, (size_t)MESSAGE_ROWS);
        fw_text_clear(&s->packed);
        FW_TRY(s->model != NULL ? send_outcomes(s, b, first, n, err) : send_events(s, b, first, n, err));
    }
    return FW_OK;
}

static fw_status send_table(sending *s, const coord_call *call, fw_error *err)
{
    static const char *const missing[] = {""};
    const fw_table_reading how = {.schema = s->schema, .column_of = s->column_of, .missing = missing, .n_missing = 1, .codes = FW_TABLE_GROW,
                                  .skip_bad_rows = coord_option_set(call, "skip-bad-rows")};
    FW_AUTO(fw_block) *block = NULL;
    uint64_t chunk = 0, records = 0, before = 0;
    FW_TRY(fw_block_create(&block, s->schema, MESSAGE_ROWS, err));
    for (fw_status status; (status = fw_table_read(s->table, &how, block, &chunk, &records, err)) != FW_END; before += records) {
        FW_TRY(status);
        for (size_t i = 0; i < block->n_rows; i++) block->row[i] += before;
        FW_TRY(send_block(s, block, err));
    }
    FW_TRY(fw_telemetry_end(s->telemetry, &s->batch, s->topic.data, err));
    return put_batch(s, err);
}

/* ---- the bus ------------------------------------------------------------------------------------------------------------------------------- */

static void say(void *context, const char *text)
{
    (void)context;
    fw_log_warn("%s", text);
}

static fw_status wait_for_reader(sending *s, const char *endpoint, bool spooled, fw_error *err)
{
    fw_error why = {0};
    const fw_status status = fw_outbox_wait(s->outbox, 1, fw_mono_after(fw_mono_now(), s->wait_s), &why);
    if (status == FW_ERR_TIMEOUT && !spooled)
        return fw_fail(err, FW_ERR_TIMEOUT, "outcomes: nobody has listened at %s for %g s; start flywheel-monitor --connect %s, or give --spool FOLDER, where they wait", endpoint, s->wait_s, endpoint);
    return status == FW_ERR_TIMEOUT ? FW_OK : status < 0 ? fw_fail(err, status, "%s", why.text) : FW_OK;
}

static fw_status publish(sending *s, const coord_call *call, const coord_access *access, fw_error *err)
{
    FW_AUTO(fw_bus) *bus = NULL;
    const char *endpoint = coord_option_value(call, "bus") != NULL ? coord_option_value(call, "bus") : DEFAULT_ENDPOINT;
    const fw_outbox_opts opts = {.spool = coord_option_value(call, "spool"), .say = say};
    fw_outbox_counts rest = {0};
    FW_TRY(fw_bus_create(&bus, err));
    FW_TRY(fw_bus_secure(bus, &access->identity, err));
    FW_TRY(fw_outbox_open(&s->outbox, bus, endpoint, &opts, err));
    fw_status status = wait_for_reader(s, fw_outbox_endpoint(s->outbox), opts.spool != NULL, err);
    if (status == FW_OK) status = send_table(s, call, err);
    if (status < 0) {
        fw_outbox_destroy(&s->outbox);
        return status;
    }
    FW_TRY(fw_outbox_close(&s->outbox, (int)(s->wait_s * 1000), &rest, err));
    if (rest.spool.spooled > 0) fw_log_info("%llu messages wait in %s for who listens next", (unsigned long long)rest.spool.spooled, opts.spool);
    return FW_OK;
}

static fw_status record(sending *s, const coord_call *call, const char *path, fw_error *err)
{
    if (coord_option_set(call, "bus") || coord_option_set(call, "spool")) return fw_fail(err, FW_ERR_CONFIG, "outcomes: --record writes a file in place of the bus: --bus and --spool don't go with it");
    FW_TRY(fw_recorder_create(&s->recorder, path, err));
    FW_TRY(send_table(s, call, err));
    FW_TRY(fw_recorder_commit(s->recorder, err));
    fw_log_info("written: %s, %llu messages; flywheel-monitor --once judges them with the predictions", path, (unsigned long long)fw_recorder_messages(s->recorder));
    return FW_OK;
}

/* ---- the command --------------------------------------------------------------------------------------------------------------------------- */

static fw_status choose_topic(sending *s, const coord_call *call, fw_error *err)
{
    const char *kpi = coord_option_value(call, "kpi"), *slash = kpi != NULL ? strchr(kpi, '/') : NULL;
    s->model = coord_option_value(call, "model");
    if ((s->model == NULL) == (kpi == NULL)) return fw_fail(err, FW_ERR_CONFIG, "outcomes: say of what: --model NAME, or --kpi PROJECT/NAME");
    if (kpi != NULL) {
        if (slash == NULL || slash == kpi || slash[1] == '\0') return fw_fail(err, FW_ERR_CONFIG, "--kpi %s: write PROJECT/NAME, as in callcenter/transfer_rate", kpi);
        FW_TRY(fw_copy_text(&s->kpi, slash + 1, err));
        FW_TRY(fw_copy_text(&s->project, kpi, err));
        s->project[slash - kpi] = '\0';
    }
    fw_text_format(&s->topic, "%s%s", s->model != NULL ? FW_TOPIC_OUTCOME : FW_TOPIC_KPI, s->model != NULL ? s->model : s->project);
    FW_TRY(fw_text_check(&s->topic, err));
    return fw_telemetry_topic_valid(s->topic.data) ? FW_OK : fw_fail(err, FW_ERR_CONFIG, "outcomes: a name that is empty, too long or not UTF-8");
}

static fw_status tell(sending *s, const coord_call *call, fw_error *err)
{
    coord_access access;
    FW_TRY(coord_option_number(&s->wait_s, call, "wait", WAIT_S, 0, 86400, err));
    FW_TRY(choose_topic(s, call, err));
    FW_TRY(open_table(s, call, err));
    FW_TRY(fw_telemetry_create(&s->telemetry, err));
    if (coord_option_set(call, "record")) return record(s, call, coord_option_value(call, "record"), err);
    FW_TRY(coord_access_options(&access, call, err));
    fw_status status = coord_access_complete(&access, NULL, coord_option_value(call, "bus"), true, err);
    if (status == FW_OK) status = publish(s, call, &access, err);
    coord_access_release(&access);
    return status;
}

static fw_status run_outcomes(coord_call *call, fw_error *err)
{
    sending s = {.path = call->positional[0]};
    const fw_status status = tell(&s, call, err);
    if (status == FW_OK) {
        fw_log_info("%llu %s %s, %llu rows without one, %llu bad rows", (unsigned long long)s.sent, s.model != NULL ? "outcomes" : "events", s.recorder != NULL ? "recorded" : "published",(unsigned long long)s.empty,
                    (unsigned long long)fw_table_n_bad(s.table));
    }
    fw_text *const texts[] = {&s.topic, &s.packed, &s.batch, &s.ids, &s.values};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) fw_text_destroy(texts[i]);
    fw_telemetry_destroy(&s.telemetry);
    fw_recorder_destroy(&s.recorder);
    fw_table_destroy(&s.table);
    fw_schema_destroy(&s.schema);
    free(s.project);
    free(s.kpi);
    return status;
}

static const coord_option options[] = {
    {"model", 0, "NAME", "outcomes of this model's predictions"},
    {"kpi", 0, "PROJECT/NAME", "instead: events of this project's KPI"},
    {"bus", 0, "ENDPOINT", "publish there, default " DEFAULT_ENDPOINT},
    COORD_ACCESS_OPTIONS,
    {"id", 0, "COLUMN", "which column has the prediction's id, or the event's; default: id"},
    {"outcome", 0, "COLUMN", "which column has the true class or number (default: outcome), or the KPI's value (default: value)"},
    {"time", 0, "COLUMN", "when it was observed, or happened (default: time, when there is such a column; else now)"},
    {"spool", 0, "FOLDER", "what nobody takes waits there, and goes with the next call that names it"},
    {"record", 0, "FILE", "instead of the bus: into a file, which flywheel-monitor --once judges with the predictions' own"},
    {"wait", 0, "S", "for a reader, and until it has everything; default 30"},
    {"skip-bad-rows", 0, NULL, "rows that can't be read are counted, not an error"},
};

const coord_command coord_command_outcomes = {
    .name = "outcomes",
    .arguments = "FILE (--model NAME | --kpi PROJECT/NAME)",
    .summary = "tell the monitor what was true: outcomes of predictions, events of the KPI",
    .description = "Reads FILE (CSV or TSV, also .gz and .zst) and publishes an outcome for each row that has one: the monitor joins it with the prediction of the\n"
                   "same id, whichever comes first. Told again it counts once; another value of a later time corrects it. Rows without an outcome are\n"
                   "passed over. Ends when a reader has everything.\n"
                   "\n"
                   "  flywheel outcomes march.csv --model churn --id customer --outcome left --time left_on\n"
                   "  flywheel outcomes calls.csv --kpi callcenter/transfer_rate --outcome transferred\n",
    .min_positional = 1,
    .max_positional = 1,
    .options = options,
    .n_options = sizeof options / sizeof *options,
    .run = run_outcomes,
};
