/** What a put costs its caller, and how fast messages go from a publisher with a spool to a reader that acknowledges, in one process, over TCP loopback.
 *  Usage: bench_bus [MESSAGES [BYTES]]        default: 20,000 of 64 KiB
 *  Fails when a message is missing, or not delivered in the end. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus/inbox.h"
#include "common/bus/outbox.h"
#include "common/core/size.h"
#include "tests/unit/scratch.h"

#define LIMIT_S 200.0
#define AHEAD   ((uint64_t)32 << 20)      /* bytes put before a flush: less than the queue holds */

typedef struct reader { fw_bus *bus; const char *endpoint; uint64_t messages, taken; } reader;

static void *read_all(void *context)
{
    reader *r = context;
    fw_inbox *in = NULL;
    fw_inbox_event e;
    const fw_mono deadline = fw_mono_after(fw_mono_now(), LIMIT_S);
    if (fw_inbox_create(&in, r->bus, &(fw_inbox_opts){.name = "bench"}, NULL) < 0 || fw_inbox_connect(in, r->endpoint, NULL) < 0) return NULL;
    while (r->taken < r->messages && fw_inbox_receive(in, &e, deadline, NULL) == FW_OK) {
        if (e.kind != FW_INBOX_MESSAGE) continue;
        if (++r->taken % 100 == 0) fw_inbox_acknowledge(in, NULL, 0);
    }
    fw_inbox_acknowledge(in, NULL, 0);
    fw_inbox_destroy(&in);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static fw_status run(uint64_t messages, size_t bytes, fw_error *err)
{
    FW_AUTO(fw_bus) *bus = NULL;
    FW_AUTO(fw_outbox) *o = NULL;
    FW_FREE char *payload = calloc(1, bytes);
    FW_FREE double *ns = calloc(messages, sizeof *ns);
    scratch place;
    fw_outbox_counts c;
    pthread_t thread;
    if (payload == NULL || ns == NULL || !scratch_make(&place)) return fw_fail(err, FW_ERR_NOMEM, "bench");
    FW_TRY(fw_bus_create(&bus, err));
    FW_TRY(fw_outbox_open(&o, bus, "tcp://127.0.0.1:*", &(fw_outbox_opts){.spool = place.dir, .cap_bytes = (uint64_t)4 << 30}, err));
    reader r = {.bus = bus, .endpoint = fw_outbox_endpoint(o), .messages = messages};
    if (pthread_create(&thread, NULL, read_all, &r) != 0) return fw_fail(err, FW_ERR_NOMEM, "bench: a thread");
    FW_TRY(fw_outbox_wait(o, 1, fw_mono_after(fw_mono_now(), LIMIT_S), err));
    const fw_mono start = fw_mono_now();
    uint64_t ahead = 0;
    for (uint64_t i = 0; i < messages; i++) {
        const fw_mono before = fw_mono_now();
        if (fw_outbox_put(o, "bench/t", payload, bytes, err) != FW_OK) return fw_fail(err, FW_ERR_INTERNAL, "bench: a put found no room");
        ns[i] = 1e9 * fw_mono_seconds(before, fw_mono_now());
        if ((ahead += bytes + 64) < AHEAD) continue;
        FW_TRY(fw_outbox_flush(o, fw_mono_after(fw_mono_now(), LIMIT_S), err));
        ahead = 0;
    }
    FW_TRY(fw_outbox_flush(o, fw_mono_after(fw_mono_now(), LIMIT_S), err));
    const double spooled_s = fw_mono_seconds(start, fw_mono_now());
    pthread_join(thread, NULL);
    const double taken_s = fw_mono_seconds(start, fw_mono_now());
    FW_TRY(fw_outbox_close(&o, 5000, &c, err));
    scratch_remove(&place);
    qsort(ns, messages, sizeof *ns, by_value);
    const double mb = 1e-6 * (double)messages * (double)bytes;
    printf("bus: %llu messages of %zu bytes: put p50 %.0f ns, p99 %.0f ns; spooled %.0f MB/s, %.0f messages/s; at the reader %.0f MB/s, %.0f messages/s\n",
           (unsigned long long)messages, bytes, ns[messages / 2], ns[messages * 99 / 100], mb / spooled_s, (double)messages / spooled_s, mb / taken_s,
           (double)messages / taken_s);
    if (r.taken != messages || c.spool.delivered != messages)
        return fw_fail(err, FW_ERR_CHECK, "bench: %llu taken, %llu delivered", (unsigned long long)r.taken, (unsigned long long)c.spool.delivered);
    return FW_OK;
}

int main(int argc, char **argv)
{
    fw_error err = {0};
    const uint64_t messages = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000;
    const fw_status status = run(FW_MAX(messages, 1), argc > 2 ? strtoull(argv[2], NULL, 10) : 64 << 10, &err);
    if (status < 0) fprintf(stderr, "bench_bus: %s\n", err.text);
    return fw_status_exit_code(status);
}
