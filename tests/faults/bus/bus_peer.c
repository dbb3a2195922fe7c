/** The two ends of the durable bus, for test_bus.py, which kills them.
 *  Usage: bus_peer publish ENDPOINT SPOOL MESSAGES ROWS PAUSE_US [CAP_BYTES]
 *         bus_peer read STATE NAME ENDPOINT...
 *  A message is its number and ROWS labels; the label of row r is (r * r) mod 10. The publisher goes on behind the last number of its spool, and ends, with its
 *  counts, when all are published and nobody who is there lacks any. The reader keeps positions and counts in the file STATE, replaced as a whole, and acknowledges
 *  after that; it ends on SIGTERM. */
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus/inbox.h"
#include "common/bus/outbox.h"
#include "common/core/fs.h"
#include "common/core/size.h"

#define LABELS       10
#define MAX_STREAMS  16
#define FLUSH_S      60.0
#define LINGER_MS    60000
#define READER_S     5.0
#define FLUSH_EVERY  64
#define COMMIT_EVERY_S 0.05

static void say(void *context, const char *text)
{
    (void)context;
    fprintf(stderr, "bus_peer: %s\n", text);
}

static fw_mono in_seconds(double s) { return fw_mono_after(fw_mono_now(), s); }

/* ---- publish ---------------------------------------------------------------------------------------------------------------------------------- */

typedef struct plan { uint64_t messages, rows; int pause_us; } plan;

static fw_status put(fw_outbox *o, const plan *p, uint64_t number, char *bytes, fw_error *err)
{
    memcpy(bytes, &number, sizeof number);
    for (uint64_t i = 0; i < p->rows; i++) {
        const uint64_t row = (number - 1) * p->rows + i;
        bytes[sizeof number + i] = (char)(row % LABELS * (row % LABELS) % LABELS);
    }
    return fw_outbox_put(o, "prediction/test", bytes, sizeof number + p->rows, err);
}

static fw_status publish_all(fw_outbox *o, const plan *p, fw_error *err)
{
    FW_FREE char *bytes = malloc(sizeof(uint64_t) + p->rows);
    if (bytes == NULL) return fw_fail(err, FW_ERR_NOMEM, "a message");
    for (uint64_t number = fw_outbox_count(o).spool.highest + 1; number <= p->messages; number++) {
        const fw_status status = put(o, p, number, bytes, err);
        if (status != FW_OK) return status < 0 ? status : fw_fail(err, FW_ERR_INTERNAL, "the queue is full");
        if (number % FLUSH_EVERY == 0) FW_TRY(fw_outbox_flush(o, in_seconds(FLUSH_S), err));
        if (p->pause_us >= 1000 || (p->pause_us > 0 && number % (uint64_t)(1000 / p->pause_us) == 0)) fw_sleep_ms(FW_MAX(1, p->pause_us / 1000));
    }
    return fw_outbox_flush(o, in_seconds(FLUSH_S), err);
}

static fw_status publish(int argc, char **argv, fw_error *err)
{
    FW_AUTO(fw_bus) *bus = NULL;
    FW_AUTO(fw_outbox) *o = NULL;
    fw_outbox_counts c;
    if (argc < 7) return fw_fail(err, FW_ERR_CONFIG, "usage: bus_peer publish ENDPOINT SPOOL MESSAGES ROWS PAUSE_US [CAP_BYTES]");
    const plan p = {.messages = strtoull(argv[4], NULL, 10), .rows = strtoull(argv[5], NULL, 10), .pause_us = atoi(argv[6])};
    const fw_outbox_opts opts = {.spool = argv[3], .cap_bytes = argc > 7 ? strtoull(argv[7], NULL, 10) : 0, .say = say};
    FW_TRY(fw_bus_create(&bus, err));
    FW_TRY(fw_outbox_open(&o, bus, argv[2], &opts, err));
    FW_TRY(publish_all(o, &p, err));
    fw_outbox_wait(o, 1, in_seconds(READER_S), NULL);          /* it may be away just now; what it lacks then is the next publisher's to deliver */
    FW_TRY(fw_outbox_close(&o, LINGER_MS, &c, err));
    const fw_spool_counts *s = &c.spool;
    printf("{\"produced\": %" PRIu64 ", \"delivered\": %" PRIu64 ", \"spooled\": %" PRIu64 ", \"queue\": %" PRIu64 ", \"full\": %" PRIu64 ", \"disk\": %" PRIu64
           ", \"lost\": %" PRIu64 "}\n",
           s->produced, s->delivered, s->spooled, s->dropped[FW_DROP_QUEUE], s->dropped[FW_DROP_FULL], s->dropped[FW_DROP_DISK], s->dropped[FW_DROP_LOST]);
    return FW_OK;
}

/* ---- read ------------------------------------------------------------------------------------------------------------------------------------- */

/* What is committed of a stream. */
typedef struct account { fw_stream stream; uint64_t position, messages, lost, before, labels[LABELS]; } account;
typedef struct book { uint64_t n; account of[MAX_STREAMS]; } book;

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
    (void)number;
    stop_asked = 1;
}

static fw_status load(book *b, fw_inbox *in, const char *path, fw_error *err)
{
    FW_FREE char *bytes = NULL;
    size_t len = 0;
    if (!fw_path_exists(path)) return FW_OK;
    FW_TRY(fw_read_file(&bytes, &len, path, sizeof *b, err));
    if (len != sizeof *b) return fw_fail(err, FW_ERR_FORMAT, "%s: %zu bytes", path, len);
    memcpy(b, bytes, sizeof *b);
    for (uint64_t i = 0; i < b->n; i++) FW_TRY(fw_inbox_set_position(in, &b->of[i].stream, b->of[i].position, err));
    return FW_OK;
}

static account *account_of(book *b, const fw_inbox_publisher *p)
{
    for (uint64_t i = 0; i < b->n; i++)
        if (memcmp(&b->of[i].stream, &p->stream, sizeof p->stream) == 0) return &b->of[i];
    if (b->n == MAX_STREAMS) return NULL;
    b->of[b->n] = (account){.stream = p->stream, .before = p->before, .position = p->before};
    return &b->of[b->n++];
}

static fw_status take(book *b, const fw_inbox_event *e, fw_error *err)
{
    uint64_t number = 0;
    if (e->kind == FW_INBOX_REFUSED) return fw_fail(err, FW_ERR_CHECK, "%s: %s", e->publisher->endpoint, e->why);
    if (e->kind != FW_INBOX_MESSAGE && e->kind != FW_INBOX_LOST) return FW_OK;
    account *a = account_of(b, e->publisher);
    if (a == NULL || e->first != a->position + 1) return fw_fail(err, FW_ERR_CHECK, "message %" PRIu64 " does not follow the one before it", e->first);
    a->position = e->last;
    if (e->kind == FW_INBOX_LOST) {
        a->lost += e->last - e->first + 1;
        return FW_OK;
    }
    if (e->len > sizeof number) memcpy(&number, e->payload, sizeof number);
    if (number != e->first) return fw_fail(err, FW_ERR_CHECK, "message %" PRIu64 " holds %" PRIu64, e->first, number);
    for (size_t i = sizeof number; i < e->len; i++) a->labels[((const unsigned char *)e->payload)[i] % LABELS]++;
    a->messages++;
    return FW_OK;
}

static fw_status follow(fw_inbox *in, book *b, const char *path, fw_error *err)
{
    fw_mono commit_at = in_seconds(COMMIT_EVERY_S);
    while (stop_asked == 0) {
        fw_inbox_event e;
        const fw_status status = fw_inbox_receive(in, &e, commit_at, err);
        if (status < 0 && status != FW_ERR_TIMEOUT) return status;
        if (status == FW_OK) FW_TRY(take(b, &e, err));
        if (!fw_mono_passed(commit_at)) continue;
        FW_TRY(fw_write_file(path, b, sizeof *b, err));
        fw_inbox_acknowledge(in, NULL, 0);
        commit_at = in_seconds(COMMIT_EVERY_S);
    }
    return FW_OK;
}

static fw_status read_all(int argc, char **argv, fw_error *err)
{
    FW_AUTO(fw_bus) *bus = NULL;
    FW_AUTO(fw_inbox) *in = NULL;
    book b = {0};
    if (argc < 5) return fw_fail(err, FW_ERR_CONFIG, "usage: bus_peer read STATE NAME ENDPOINT...");
    const struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    FW_TRY(fw_bus_create(&bus, err));
    FW_TRY(fw_inbox_create(&in, bus, &(fw_inbox_opts){.name = argv[3]}, err));
    for (int i = 4; i < argc; i++) FW_TRY(fw_inbox_connect(in, argv[i], err));
    FW_TRY(load(&b, in, argv[2], err));
    return follow(in, &b, argv[2], err);
}

int main(int argc, char **argv)
{
    fw_error err = {0};
    const bool publishes = argc > 1 && strcmp(argv[1], "publish") == 0;
    const fw_status status = publishes ? publish(argc, argv, &err) : read_all(argc, argv, &err);
    if (status < 0) fprintf(stderr, "bus_peer: %s\n", err.text);
    return fw_status_exit_code(status);
}
