/** A publisher for tests: binds a free port, prints the endpoint, waits for its readers, publishes batches whose content a reader can compute
 *  again, says its end, and prints its counts.
 *  Usage: publish_predictions READERS BATCHES ROWS_PER_BATCH [SPOOL [CAP_BYTES]]       SPOOL: publishes first, into this folder, and waits for readers then
 *  Row r has id "id-r", label r mod 3, probabilities (label: 0.5, others 0.25). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/bus/outbox.h"
#include "common/core/size.h"
#include "proto/telemetry.h"

#define TOPIC     FW_TOPIC_PREDICTION "callcenter"
#define CLASSES   3
#define ID_BYTES  32
#define WAIT_S    60.0
#define LINGER_MS 30000

static const char *const classes[CLASSES] = {"kindle", "orders", "prime \"video\""};

static fw_status pack_batch(fw_text *packed, uint64_t first, size_t n, fw_error *err)
{
    static const float by_label[CLASSES][CLASSES] = {{0.5f, 0.25f, 0.25f}, {0.25f, 0.5f, 0.25f}, {0.25f, 0.25f, 0.5f}};
    FW_FREE uint64_t *row = NULL;
    FW_FREE char *text = NULL;
    FW_FREE const char **id = NULL;
    FW_FREE uint32_t *label = NULL;
    FW_FREE float *p = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&row, n, sizeof *row, "rows", err));
    FW_TRY(fw_alloc_zeroed((void **)&text, n, ID_BYTES, "ids", err));
    FW_TRY(fw_alloc_zeroed((void **)&id, n, sizeof *id, "ids", err));
    FW_TRY(fw_alloc_zeroed((void **)&label, n, sizeof *label, "rows", err));
    FW_TRY(fw_alloc_zeroed((void **)&p, n * CLASSES, sizeof *p, "rows", err));
    for (size_t i = 0; i < n; i++) {
        row[i] = first + i;
        id[i] = text + ID_BYTES * i;
        label[i] = (uint32_t)((first + i) % CLASSES);
        snprintf(text + ID_BYTES * i, ID_BYTES, "id-%llu", (unsigned long long)(first + i));
        memcpy(p + i * CLASSES, by_label[label[i]], sizeof by_label[0]);
    }
    fw_text_clear(packed);
    const fw_told_rows rows = {.n = n, .row = row, .id = id, .label = label, .probability = p};
    return fw_telemetry_pack_rows(packed, "callcenter", "0123456789abcdef", classes, CLASSES, &rows, err);
}

static fw_status put(fw_outbox *o, const fw_text *batch, fw_error *err)
{
    FW_TRY(fw_outbox_put(o, TOPIC, batch->data, batch->len, err));
    return fw_outbox_flush(o, fw_mono_after(fw_mono_now(), WAIT_S), err);
}

static fw_status publish(fw_outbox *o, uint64_t batches, size_t rows, fw_error *err)
{
    FW_AUTO(fw_telemetry) *t = NULL;
    FW_AUTO(fw_text) packed = {0};
    FW_AUTO(fw_text) batch = {0};
    FW_TRY(fw_telemetry_create(&t, err));
    for (uint64_t i = 0; i < batches; i++) {
        FW_TRY(pack_batch(&packed, i * rows, rows, err));
        FW_TRY(fw_telemetry_wrap(t, &batch, TOPIC, packed.data, packed.len, rows, err));
        FW_TRY(put(o, &batch, err));
    }
    FW_TRY(fw_telemetry_end(t, &batch, TOPIC, err));
    return put(o, &batch, err);
}

static fw_status wait_for_readers(fw_outbox *o, int n, fw_error *err)
{
    printf("%s\n", fw_outbox_endpoint(o));
    fflush(stdout);
    return fw_outbox_wait(o, n, fw_mono_after(fw_mono_now(), WAIT_S), err);
}

static fw_status run(int argc, char **argv, fw_error *err)
{
    FW_AUTO(fw_bus) *bus = NULL;
    FW_AUTO(fw_outbox) *o = NULL;
    fw_outbox_counts c;
    if (argc < 4) return fw_fail(err, FW_ERR_CONFIG, "usage: publish_predictions READERS BATCHES ROWS_PER_BATCH [SPOOL [CAP_BYTES]]");
    const int readers = atoi(argv[1]);
    const uint64_t batches = strtoull(argv[2], NULL, 10), rows = strtoull(argv[3], NULL, 10);
    const fw_outbox_opts opts = {.spool = argc > 4 ? argv[4] : NULL, .cap_bytes = argc > 5 ? strtoull(argv[5], NULL, 10) : 0};
    FW_TRY(fw_bus_create(&bus, err));
    FW_TRY(fw_outbox_open(&o, bus, "tcp://127.0.0.1:*", &opts, err));
    if (opts.spool == NULL) FW_TRY(wait_for_readers(o, readers, err));
    FW_TRY(publish(o, batches, rows, err));
    if (opts.spool != NULL) FW_TRY(wait_for_readers(o, readers, err));
    FW_TRY(fw_outbox_close(&o, LINGER_MS, &c, err));
    const fw_spool_counts *s = &c.spool;
    printf("produced %llu delivered %llu spooled %llu dropped %llu\n", (unsigned long long)s->produced, (unsigned long long)s->delivered,
           (unsigned long long)s->spooled, (unsigned long long)(s->produced - s->delivered - s->spooled));
    return FW_OK;
}

int main(int argc, char **argv)
{
    fw_error err = {0};
    fw_status status = run(argc, argv, &err);
    if (status < 0) fprintf(stderr, "publish_predictions: %s\n", err.text);
    return fw_status_exit_code(status);
}
