/** A publisher of predictions for test_monitor_exact.py, which kills it: what its messages hold can be computed from SEED and WHO alone.
 *  Usage: telemetry_peer ENDPOINT SPOOL SEED WHO BLOCKS ROWS PAUSE_US [CAP_BYTES]
 *  Of PERIOD messages the first tells of the model "told". Behind it come BLOCKS blocks, each of STEPS messages: the summary of ROWS rows of it; every tenth of these
 *  rows with an id; what came true for them; ROWS rows of the model "plain", of which nobody tells anything. The last two messages are the ends of predictions.
 *  It goes on behind the last number of its spool, says each hundredth number, and ends, with its counts, when all are published and nobody who is there lacks any. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/bus/outbox.h"
#include "common/core/size.h"
#include "proto/telemetry.h"

#define CLASSES     5
#define STEPS       4
#define BLOCKS      16         /* between two that tell of the model */
#define PERIOD      (1 + BLOCKS * STEPS)
#define SAMPLED     10         /* one of so many rows has an id */
#define COLUMNS     (4 + CLASSES)
#define FEATURES    2
#define MODEL_ROWS  20000
#define FLUSH_S     60.0
#define FLUSH_EVERY 16
#define SAY_EVERY   100
#define READER_S    5.0
#define LINGER_MS   60000
#define TOLD_DIGEST "7e11"

enum kind { TOLD, UNTOLD, REFERENCE };

static const char *const class_name[CLASSES] = {"kindle", "orders", "prime", "music", "other"};

typedef struct plan { uint64_t seed, who, blocks, rows; int pause_us; } plan;

typedef struct peer {
    plan p;
    fw_outbox *o;
    fw_telemetry *t;
    fw_reference *reference;
    uint64_t *count;           /* of a block, as the reference's columns are laid out */
    size_t at[COLUMNS];        /* of each column in it */
    uint64_t *row;             /* (rows) */
    uint32_t *label;           /* (rows) */
    float *confidence;         /* (rows) */
    const char **told_id;      /* (rows) */
    fw_outcome *outcome;       /* (rows) */
    char (*id)[32];            /* (rows) */
    size_t n;                  /* rows of the message at hand */
    fw_text packed, batch;
} peer;

static void say(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "telemetry_peer: %s\n", text);
}

static fw_mono in_seconds(double s) { return fw_mono_after(fw_mono_now(), s); }

/* ---- rows: 64 bits each, all else is taken from them ------------------------------------------------------------------------------------------ */

static uint64_t draw(const plan *p, enum kind kind, uint64_t row)
{
    uint64_t x = (row + 1) * UINT64_C(0x9E3779B97F4A7C15) + p->seed * UINT64_C(0xBF58476D1CE4E5B9) + (p->who * 4 + kind) * UINT64_C(0x94D049BB133111EB);
    x = (x ^ x >> 32) * UINT64_C(0xD6E8FEB86659FD93);
    return x ^ x >> 32;
}

static uint32_t label_of(uint64_t x)
{
    static const uint32_t label[16] = {0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 3, 3, 4};
    return label[x & 15];
}

/* Three of four are right. */
static uint32_t truth_of(uint64_t x) { return (label_of(x) + ((x >> 20 & 3) == 0)) % CLASSES; }
static float    confidence_of(uint64_t x) { return (float)(0.65 + 0.1 * (double)(x >> 16 & 3)); }

/* Of the columns: "days" and the scores have cuts, "gold" has labels, unseen and missing ones. */
static size_t place_of(size_t column, uint64_t x)
{
    static const size_t gold[16] = {0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 2, 3};
    if (column == 0) return x >> 8 & 3;
    if (column == 1) return gold[x >> 12 & 15];
    if (column == 2) return label_of(x);
    return column == 3 ? x >> 16 & 3 : label_of(x) == column - 4;
}

static void count_rows(peer *e, enum kind kind, uint64_t first, uint64_t n)
{
    memset(e->count, 0, fw_summary_total(e->reference->summary) * sizeof *e->count);
    for (uint64_t i = first; i < first + n; i++) {
        const uint64_t x = draw(&e->p, kind, i);
        for (size_t k = 0; k < COLUMNS; k++) e->count[e->at[k] + place_of(k, x)]++;
    }
}

/* ---- the model -------------------------------------------------------------------------------------------------------------------------------- */

static fw_status make_columns(fw_bins *b, fw_error *err)
{
    static const double days[] = {1, 7, 30}, days_centre[] = {0, 4, 18, 60}, confidence[] = {0.7, 0.8, 0.9}, confidence_centre[] = {0.65, 0.75, 0.85, 0.95};
    static const double half[] = {0.5}, half_centre[] = {0.1, 0.8};
    static const char *const gold[] = {"no", "yes"};
    FW_TRY(fw_bins_of_cuts(&b[0], "days", FW_BINS_NUMBER, days, 3, days_centre, err));
    FW_TRY(fw_bins_of_labels(&b[1], "gold", FW_BINS_CATEGORY, gold, 2, err));
    FW_TRY(fw_bins_of_labels(&b[2], FW_REFERENCE_PREDICTION, FW_BINS_CLASS, class_name, CLASSES, err));
    FW_TRY(fw_bins_of_cuts(&b[3], FW_REFERENCE_CONFIDENCE, FW_BINS_SCORE, confidence, 3, confidence_centre, err));
    for (size_t c = 0; c < CLASSES; c++) {
        char name[64];
        snprintf(name, sizeof name, FW_REFERENCE_SCORE "%s", class_name[c]);
        FW_TRY(fw_bins_of_cuts(&b[4 + c], name, FW_BINS_SCORE, half, 1, half_centre, err));
    }
    return FW_OK;
}

/* The same model for whoever tells of it. */
static fw_status fill_reference(peer *e, fw_error *err)
{
    const plan p = e->p;
    fw_reference *r = e->reference;
    e->p.who = e->p.seed = 0;
    count_rows(e, REFERENCE, 0, MODEL_ROWS);
    FW_TRY(fw_summary_add_counts(r->summary, e->count, fw_summary_total(r->summary), MODEL_ROWS, err));
    for (uint64_t i = 0; i < MODEL_ROWS; i++) {
        const uint64_t x = draw(&e->p, REFERENCE, i);
        const uint32_t truth = truth_of(x);
        if (label_of(x) == truth) fw_reference_hits(r, 3)[place_of(3, x)]++;
        fw_reference_hits(r, 4 + truth)[place_of(4 + truth, x)]++;
    }
    e->p = p;
    FW_TRY(fw_reference_add_metric(r, "accuracy", 0.75, 0.75, 0.01, err));
    r->chunk_rows = 1000;
    r->n_chunks = MODEL_ROWS / r->chunk_rows;
    return fw_reference_check(r, err);
}

static fw_status make_reference(peer *e, fw_error *err)
{
    fw_bins b[COLUMNS] = {0};
    fw_status s = make_columns(b, err);
    if (s == FW_OK) s = fw_reference_create(&e->reference, b, COLUMNS, FEATURES, "validation", err);
    for (size_t k = 0; k < COLUMNS; k++) fw_bins_destroy(&b[k]);
    FW_TRY(s);
    const fw_summary *sum = e->reference->summary;
    for (size_t k = 0; k < COLUMNS; k++) e->at[k] = (size_t)(fw_summary_counts(sum, k) - fw_summary_counts(sum, 0));
    FW_TRY(fw_alloc_zeroed((void **)&e->count, fw_summary_total(sum), sizeof *e->count, "counts", err));
    return fill_reference(e, err);
}

/* ---- messages --------------------------------------------------------------------------------------------------------------------------------- */

static fw_status pack_model(peer *e, uint64_t block, fw_error *err)
{
    (void)block;
    const fw_telemetry_model m = {.name = "told", .digest = TOLD_DIGEST, .task = FW_TASK_CLASSIFICATION, .classes = class_name, .n_classes = CLASSES, .reference = e->reference};
    return fw_telemetry_pack_model(&e->packed, &m, err);
}

static fw_status pack_summary(peer *e, uint64_t block, fw_error *err)
{
    const int64_t now_us = fw_utc_now_us();
    count_rows(e, TOLD, block * e->p.rows, e->p.rows);
    const fw_telemetry_summary s = {.model = "told", .digest = TOLD_DIGEST, .shape = fw_summary_shape(e->reference->summary), .window = block + 1, .rows = e->p.rows,
                                    .from_us = now_us - 1000, .to_us = now_us, .count = e->count, .n = fw_summary_total(e->reference->summary)};
    return fw_telemetry_pack_summary(&e->packed, &s, err);
}

static void write_id(peer *e, uint64_t n, uint64_t row) { snprintf(e->id[n], sizeof e->id[n], "%" PRIu64 "-%" PRIu64, e->p.who, row); }

/** The rows of a block, one of `every`. */
static void predict(peer *e, enum kind kind, uint64_t block, uint64_t every)
{
    e->n = 0;
    for (uint64_t i = block * e->p.rows; i < (block + 1) * e->p.rows; i += every, e->n++) {
        const uint64_t x = draw(&e->p, kind, i);
        write_id(e, e->n, i);
        e->row[e->n] = i;
        e->told_id[e->n] = e->id[e->n];
        e->label[e->n] = label_of(x);
        e->confidence[e->n] = confidence_of(x);
    }
}

static fw_status pack_sample(peer *e, uint64_t block, fw_error *err)
{
    predict(e, TOLD, block, SAMPLED);
    const fw_told_rows rows = {.n = e->n, .row = e->row, .id = e->told_id, .label = e->label, .confidence = e->confidence};
    return fw_telemetry_pack_rows(&e->packed, "told", TOLD_DIGEST, class_name, CLASSES, &rows, err);
}

static fw_status pack_outcomes(peer *e, uint64_t block, fw_error *err)
{
    size_t n = 0;
    for (uint64_t i = block * e->p.rows; i < (block + 1) * e->p.rows; i += SAMPLED, n++) {
        write_id(e, n, i);
        e->outcome[n] = (fw_outcome){.id = e->id[n], .outcome = class_name[truth_of(draw(&e->p, TOLD, i))]};
    }
    return fw_telemetry_pack_outcomes(&e->packed, &(fw_telemetry_outcomes){.model = "told", .rows = e->outcome, .n = n}, err);
}

static fw_status pack_plain(peer *e, uint64_t block, fw_error *err)
{
    predict(e, UNTOLD, block, 1);
    const fw_told_rows rows = {.n = e->n, .row = e->row, .label = e->label, .confidence = e->confidence};
    return fw_telemetry_pack_rows(&e->packed, "plain", "0", class_name, CLASSES, &rows, err);
}

typedef struct message { const char *topic; fw_status (*pack)(peer *e, uint64_t block, fw_error *err); } message;

static const message model = {FW_TOPIC_MODEL "told", pack_model}, ends[] = {{FW_TOPIC_PREDICTION "plain", NULL}, {FW_TOPIC_PREDICTION "told", NULL}};
static const message steps[STEPS] = {{FW_TOPIC_SUMMARY "told", pack_summary}, {FW_TOPIC_PREDICTION "told", pack_sample}, {FW_TOPIC_OUTCOME "told", pack_outcomes},
                                     {FW_TOPIC_PREDICTION "plain", pack_plain}};

static uint64_t last_number(const plan *p) { return p->blocks * STEPS + (p->blocks + BLOCKS - 1) / BLOCKS + 2; }

/** What message `number` of the stream says. */
static fw_status put(peer *e, uint64_t number, fw_error *err)
{
    const uint64_t last = last_number(&e->p), at = (number - 1) % PERIOD;
    const bool is_end = number > last - 2;
    const message *m = is_end ? &ends[number == last] : at == 0 ? &model : &steps[(at - 1) % STEPS];
    e->n = 0;
    fw_text_clear(&e->packed);
    if (!is_end) FW_TRY(m->pack(e, (number - 1) / PERIOD * BLOCKS + (at - (at > 0)) / STEPS, err));
    FW_TRY(is_end ? fw_telemetry_end(e->t, &e->batch, m->topic, err) : fw_telemetry_wrap(e->t, &e->batch, m->topic, e->packed.data, e->packed.len, e->n, err));
    const fw_status s = fw_outbox_put(e->o, m->topic, e->batch.data, e->batch.len, err);
    return s == FW_END ? fw_fail(err, FW_ERR_INTERNAL, "the queue is full") : s;
}

/* ---- all of it -------------------------------------------------------------------------------------------------------------------------------- */

static fw_status publish_all(peer *e, fw_error *err)
{
    const uint64_t last = last_number(&e->p);
    for (uint64_t number = fw_outbox_count(e->o).spool.highest + 1; number <= last; number++) {
        FW_TRY(put(e, number, err));
        if (number % FLUSH_EVERY == 0) FW_TRY(fw_outbox_flush(e->o, in_seconds(FLUSH_S), err));
        if (number % SAY_EVERY == 0) printf("{\"messages\": %" PRIu64 "}\n", number);
        if (number % STEPS == 0 && e->p.pause_us > 0) usleep((useconds_t)e->p.pause_us);
    }
    FW_TRY(fw_outbox_flush(e->o, in_seconds(FLUSH_S), err));
    printf("{\"messages\": %" PRIu64 "}\n", last);
    return FW_OK;
}

static void say_counts(const fw_spool_counts *s)
{
    printf("{\"produced\": %" PRIu64 ", \"delivered\": %" PRIu64 ", \"spooled\": %" PRIu64, s->produced, s->delivered, s->spooled);
    for (size_t i = 0; i < FW_N_DROPS; i++) printf(", \"%s\": %" PRIu64, fw_drop_text((fw_drop)i), s->dropped[i]);
    printf("}\n");
}

static fw_status set_up(peer *e, fw_error *err)
{
    FW_TRY(make_reference(e, err));
    FW_TRY(fw_telemetry_create(&e->t, err));
    FW_TRY(fw_alloc_zeroed((void **)&e->row, e->p.rows, sizeof *e->row, "rows", err));
    FW_TRY(fw_alloc_zeroed((void **)&e->label, e->p.rows, sizeof *e->label, "rows", err));
    FW_TRY(fw_alloc_zeroed((void **)&e->confidence, e->p.rows, sizeof *e->confidence, "rows", err));
    FW_TRY(fw_alloc_zeroed((void **)&e->told_id, e->p.rows, sizeof *e->told_id, "ids", err));
    FW_TRY(fw_alloc_zeroed((void **)&e->outcome, e->p.rows, sizeof *e->outcome, "outcomes", err));
    return fw_alloc_zeroed((void **)&e->id, e->p.rows, sizeof *e->id, "ids", err);
}

static void peer_destroy(peer *e)
{
    fw_outbox_destroy(&e->o);
    fw_telemetry_destroy(&e->t);
    fw_reference_destroy(&e->reference);
    free(e->count);
    free(e->row);
    free(e->label);
    free(e->confidence);
    free(e->told_id);
    free(e->outcome);
    free(e->id);
    fw_text_destroy(&e->packed);
    fw_text_destroy(&e->batch);
}

static fw_status run(int argc, char **argv, fw_error *err)
{
    FW_AUTO(fw_bus) *bus = NULL;
    FW_AUTO(peer) e = {0};
    fw_outbox_counts c;
    if (argc < 8) return fw_fail(err, FW_ERR_CONFIG, "usage: telemetry_peer ENDPOINT SPOOL SEED WHO BLOCKS ROWS PAUSE_US [CAP_BYTES]");
    e.p = (plan){.seed = strtoull(argv[3], NULL, 10), .who = strtoull(argv[4], NULL, 10), .blocks = strtoull(argv[5], NULL, 10), .rows = strtoull(argv[6], NULL, 10),
                 .pause_us = atoi(argv[7])};
    const fw_outbox_opts opts = {.spool = argv[2], .cap_bytes = argc > 8 ? strtoull(argv[8], NULL, 10) : 0, .say = say};
    FW_TRY(set_up(&e, err));
    FW_TRY(fw_bus_create(&bus, err));
    FW_TRY(fw_outbox_open(&e.o, bus, argv[1], &opts, err));
    FW_TRY(publish_all(&e, err));
    fw_outbox_wait(e.o, 1, in_seconds(READER_S), NULL);        /* it may be away just now; what it lacks then is the next publisher's to deliver */
    FW_TRY(fw_outbox_close(&e.o, LINGER_MS, &c, err));
    say_counts(&c.spool);
    return FW_OK;
}

int main(int argc, char **argv)
{
    fw_error err = {0};
    setvbuf(stdout, NULL, _IOLBF, 0);
    const fw_status status = run(argc, argv, &err);
    if (status < 0) fprintf(stderr, "telemetry_peer: %s\n", err.text);
    return fw_status_exit_code(status);
}
