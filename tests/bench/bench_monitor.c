/** A publisher of predictions on 28 features, as `score` publishes them, without the scoring: what a monitor can take. bench_monitor.py drives it.
 *  Usage: bench_monitor [rows=N] [rate=ROWS_A_SECOND] [window=ROWS | every=SECONDS] [sample=0|1] [endpoint=tcp://127.0.0.1:*] [spool=FOLDER] [wait=1]
 *         default: 1,000,000 rows as fast as they go, a summary for each 1,000 and no rows, to nobody
 *  Counts each row on the bins of its model, publishes summaries, and with sample=1 the rows too; says its endpoint first, with wait=1 begins when a reader is there, and ends
 *  when it has acknowledged all: then everything is committed there. Prints one JSON object. Fails when a message was dropped, or with wait=1 not delivered. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "common/bus/outbox.h"
#include "common/core/clock.h"
#include "common/core/random.h"
#include "common/core/size.h"
#include "proto/telemetry.h"

#define MODEL  "bench"
#define DIGEST "0123456789abcdef0123456789abcdef"
#define WAIT_S 120.0
enum { FEATURES = 28, OUTPUTS = 3, COLUMNS = FEATURES + OUTPUTS, POOL = 16384, PIECE = 1024, AHEAD = 64 };

static const char *const classes[] = {"0", "1"};

typedef struct plan { uint64_t rows, window; double rate, every_s; bool sample, wait; const char *endpoint, *spool; } plan;

/* Rows that are predicted again and again: a number, in [0, 1) of equal shares as 32 quantile bins are, of each feature, and what was predicted. */
typedef struct pool {
    double feature[FEATURES][POOL], confidence[POOL];
    float p[POOL][2];
    int32_t label[POOL];
} pool;

static void fill_pool(pool *q)
{
    for (uint32_t i = 0; i < POOL; i++) {
        for (uint32_t c = 0; c < FEATURES; c++) q->feature[c][i] = fw_random_unit(fw_random(1, FW_RANDOM_TEST, c, i, 0));
        const float p = (float)q->feature[0][i];
        q->p[i][0] = 1.0f - p;
        q->p[i][1] = p;
        q->label[i] = p > 0.5f;
        q->confidence[i] = (double)fmaxf(p, 1.0f - p);
    }
}

/* ---- the model --------------------------------------------------------------------------------------------------------------------------------- */

static fw_status number_bins(fw_bins *out, const char *name, fw_bins_kind kind, fw_error *err)
{
    double cut[FW_BINS_CUTS], centre[FW_BINS_CUTS + 1];
    for (size_t i = 0; i <= FW_BINS_CUTS; i++) {
        if (i < FW_BINS_CUTS) cut[i] = (double)(i + 1) / (FW_BINS_CUTS + 1);
        centre[i] = ((double)i + 0.5) / (FW_BINS_CUTS + 1);
    }
    return fw_bins_of_cuts(out, name, kind, cut, FW_BINS_CUTS, centre, err);
}

static fw_status make_bins(fw_bins *bins, fw_error *err)
{
    char name[16];
    for (size_t i = 0; i < FEATURES; i++) {
        snprintf(name, sizeof name, "x%zu", i);
        FW_TRY(number_bins(&bins[i], name, FW_BINS_NUMBER, err));
    }
    FW_TRY(fw_bins_of_labels(&bins[FEATURES], FW_REFERENCE_PREDICTION, FW_BINS_CLASS, classes, 2, err));
    FW_TRY(number_bins(&bins[FEATURES + 1], FW_REFERENCE_CONFIDENCE, FW_BINS_SCORE, err));
    return number_bins(&bins[FEATURES + 2], FW_REFERENCE_SCORE "1", FW_BINS_SCORE, err);
}

/* Rows [first, first + n) of the pool. */
static void count(fw_summary *s, const pool *q, size_t first, size_t n)
{
    for (size_t c = 0; c < FEATURES; c++) fw_summary_add_numbers(s, c, q->feature[c] + first, NULL, n);
    fw_summary_add_codes(s, FEATURES, q->label + first, n);
    fw_summary_add_numbers(s, FEATURES + 1, q->confidence + first, NULL, n);
    fw_summary_add_floats(s, FEATURES + 2, q->p[first] + 1, 2, n);
}

static fw_status map_labels(fw_summary *s, fw_error *err)
{
    FW_AUTO(fw_dict) *dict = NULL;
    int32_t code;
    FW_TRY(fw_dict_create(&dict, err));
    for (size_t i = 0; i < 2; i++) FW_TRY(fw_dict_add(&code, dict, classes[i], 1, err));
    return fw_summary_map_codes(s, FEATURES, dict, err);
}

static fw_status make_reference(fw_reference **out, const pool *q, fw_error *err)
{
    fw_bins bins[COLUMNS] = {{0}};
    fw_status s = make_bins(bins, err);
    if (s >= 0) s = fw_reference_create(out, bins, COLUMNS, FEATURES, "validation", err);
    for (size_t i = 0; i < COLUMNS; i++) fw_bins_destroy(&bins[i]);
    FW_TRY(s);
    FW_TRY(map_labels((*out)->summary, err));
    count((*out)->summary, q, 0, POOL);
    return FW_OK;
}

/* ---- publishing -------------------------------------------------------------------------------------------------------------------------------- */

typedef struct publisher {
    const plan *plan;
    const pool *pool;
    fw_outbox *outbox;
    fw_telemetry *telemetry;
    fw_reference *reference;
    fw_summary *window;
    uint64_t number, in_window, messages;
    int64_t from_us;
    fw_mono opened;
    fw_text packed, batch;
    uint64_t row[PIECE];
    uint32_t label[PIECE];
} publisher;

static void release(publisher *p)
{
    fw_outbox_destroy(&p->outbox);
    fw_telemetry_destroy(&p->telemetry);
    fw_reference_destroy(&p->reference);
    fw_summary_destroy(&p->window);
    fw_text_destroy(&p->packed);
    fw_text_destroy(&p->batch);
}

/* Never more ahead of the spool than the queue holds. */
static fw_status put(publisher *p, const char *topic, uint64_t rows, fw_error *err)
{
    FW_TRY(fw_telemetry_wrap(p->telemetry, &p->batch, topic, p->packed.data, p->packed.len, rows, err));
    FW_TRY(fw_outbox_put(p->outbox, topic, p->batch.data, p->batch.len, err));
    fw_text_clear(&p->packed);
    return ++p->messages % AHEAD == 0 ? fw_outbox_flush(p->outbox, fw_mono_after(fw_mono_now(), WAIT_S), err) : FW_OK;
}

static fw_status tell_model(publisher *p, fw_error *err)
{
    const fw_telemetry_model m = {.name = MODEL, .digest = DIGEST, .task = FW_TASK_CLASSIFICATION, .classes = classes, .n_classes = 2, .reference = p->reference};
    FW_TRY(fw_telemetry_pack_model(&p->packed, &m, err));
    return put(p, FW_TOPIC_MODEL MODEL, 0, err);
}

static fw_status close_window(publisher *p, fw_error *err)
{
    const int64_t to_us = fw_utc_now_us();
    const fw_telemetry_summary s = {.model = MODEL, .digest = DIGEST, .shape = fw_summary_shape(p->window), .window = ++p->number, .rows = p->in_window, .from_us = p->from_us,
                                    .to_us = to_us, .count = fw_summary_counts(p->window, 0), .n = fw_summary_total(p->window)};
    FW_TRY(fw_telemetry_pack_summary(&p->packed, &s, err));
    fw_summary_reset(p->window);
    p->in_window = 0;
    p->from_us = to_us;
    p->opened = fw_mono_now();
    return put(p, FW_TOPIC_SUMMARY MODEL, 0, err);
}

static bool is_due(const publisher *p)
{
    if (p->plan->window > 0) return p->in_window >= p->plan->window;
    return fw_mono_seconds(p->opened, fw_mono_now()) >= p->plan->every_s;
}

static fw_status publish_rows(publisher *p, uint64_t number, size_t first, size_t n, fw_error *err)
{
    for (size_t i = 0; i < n; i++) p->row[i] = number + i, p->label[i] = (uint32_t)p->pool->label[first + i];
    const fw_told_rows rows = {.n = n, .row = p->row, .label = p->label, .probability = p->pool->p[first]};
    FW_TRY(fw_telemetry_pack_rows(&p->packed, MODEL, DIGEST, classes, 2, &rows, err));
    return put(p, FW_TOPIC_PREDICTION MODEL, n, err);
}

static fw_status predict(publisher *p, fw_mono start, fw_error *err)
{
    const plan *q = p->plan;
    const size_t piece = q->window > 0 ? FW_MIN((size_t)PIECE, (size_t)q->window) : PIECE;
    for (uint64_t done = 0, n; done < q->rows; done += n) {
        const size_t first = (size_t)(done % POOL), room = q->window > 0 ? (size_t)(q->window - p->in_window) : PIECE;
        n = FW_MIN(FW_MIN((uint64_t)FW_MIN(piece, room), q->rows - done), (uint64_t)(POOL - first));
        count(p->window, p->pool, first, (size_t)n);
        p->in_window += n;
        if (q->sample) FW_TRY(publish_rows(p, done, first, (size_t)n, err));
        if (is_due(p)) FW_TRY(close_window(p, err));
        const double ahead = q->rate > 0 ? (double)(done + n) / q->rate - fw_mono_seconds(start, fw_mono_now()) : 0;
        if (ahead > 2e-3) fw_sleep_ms((int)(ahead * 1e3));
    }
    return p->in_window > 0 ? close_window(p, err) : FW_OK;
}

static fw_status end(publisher *p, fw_error *err)
{
    FW_TRY(fw_telemetry_end(p->telemetry, &p->batch, FW_TOPIC_PREDICTION MODEL, err));
    return fw_outbox_put(p->outbox, FW_TOPIC_PREDICTION MODEL, p->batch.data, p->batch.len, err);
}

static fw_status run(publisher *p, fw_error *err)
{
    const plan *q = p->plan;
    FW_AUTO(fw_bus) *bus = NULL;
    fw_outbox_counts c = {0};
    struct rusage used;
    FW_TRY(make_reference(&p->reference, p->pool, err));
    FW_TRY(fw_summary_create(&p->window, fw_summary_bins(p->reference->summary, 0), COLUMNS, err));
    FW_TRY(map_labels(p->window, err));
    FW_TRY(fw_telemetry_create(&p->telemetry, err));
    FW_TRY(fw_bus_create(&bus, err));
    FW_TRY(fw_outbox_open(&p->outbox, bus, q->endpoint, &(fw_outbox_opts){.spool = q->spool, .cap_bytes = (uint64_t)8 << 30}, err));
    printf("%s\n", fw_outbox_endpoint(p->outbox));
    fflush(stdout);
    if (q->wait) FW_TRY(fw_outbox_wait(p->outbox, 1, fw_mono_after(fw_mono_now(), WAIT_S), err));
    const fw_mono start = p->opened = fw_mono_now();
    p->from_us = fw_utc_now_us();
    FW_TRY(tell_model(p, err));
    FW_TRY(predict(p, start, err));
    FW_TRY(end(p, err));
    const double put_s = fw_mono_seconds(start, fw_mono_now());
    FW_TRY(fw_outbox_close(&p->outbox, (int)(1000 * WAIT_S), &c, err));
    const double seconds = fw_mono_seconds(start, fw_mono_now());
    getrusage(RUSAGE_SELF, &used);
    const double cpu_s = (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) + 1e-6 * (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
    printf("{\"rows\": %llu, \"put_seconds\": %.3f, \"seconds\": %.3f, \"rows_per_s\": %.0f, \"cpu_seconds\": %.3f, \"windows\": %llu, \"messages\": %llu, \"delivered\": %llu}\n",
           (unsigned long long)q->rows, put_s, seconds, (double)q->rows / seconds, cpu_s, (unsigned long long)p->number, (unsigned long long)c.spool.produced,
           (unsigned long long)c.spool.delivered);
    for (size_t i = 0; i < FW_N_DROPS; i++)
        if (c.spool.dropped[i] > 0 && (i != FW_DROP_LOST || q->wait))
            return fw_fail(err, FW_ERR_CHECK, "%llu messages were dropped (%s)", (unsigned long long)c.spool.dropped[i], fw_drop_text((fw_drop)i));
    if (q->wait && c.spool.delivered != c.spool.produced) return fw_fail(err, FW_ERR_CHECK, "not all was delivered");
    return FW_OK;
}

static bool take(plan *q, const char *word)
{
    const char *value = strchr(word, '=');
    const size_t n = value != NULL ? (size_t)(value++ - word) : 0;
    if (n == 0) return false;
    if (strncmp(word, "rows", n) == 0) q->rows = strtoull(value, NULL, 10);
    else if (strncmp(word, "rate", n) == 0) q->rate = strtod(value, NULL);
    else if (strncmp(word, "window", n) == 0) q->window = strtoull(value, NULL, 10);
    else if (strncmp(word, "every", n) == 0) q->every_s = strtod(value, NULL), q->window = 0;
    else if (strncmp(word, "sample", n) == 0) q->sample = *value == '1';
    else if (strncmp(word, "wait", n) == 0) q->wait = *value == '1';
    else if (strncmp(word, "endpoint", n) == 0) q->endpoint = value;
    else if (strncmp(word, "spool", n) == 0) q->spool = value;
    else return false;
    return true;
}

int main(int argc, char **argv)
{
    static pool rows;
    static publisher p;
    plan q = {.rows = 1000000, .window = 1000, .endpoint = "tcp://127.0.0.1:*"};
    fw_error err = {0};
    for (int i = 1; i < argc; i++)
        if (!take(&q, argv[i])) {
            fprintf(stderr, "bench_monitor: '%s'? See the comment at the head of bench_monitor.c\n", argv[i]);
            return 2;
        }
    fill_pool(&rows);
    p.plan = &q;
    p.pool = &rows;
    const fw_status status = run(&p, &err);
    release(&p);
    if (status < 0) fprintf(stderr, "bench_monitor: %s\n", err.text);
    return fw_status_exit_code(status);
}
