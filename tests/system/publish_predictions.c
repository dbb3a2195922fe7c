/** A publisher for tests: binds a free port, prints the endpoint, waits for its readers, publishes batches whose content a reader can compute
 *  again, says its end, and prints its counts.
 *  Usage: publish_predictions READERS BATCHES ROWS_PER_BATCH [SKIP]       SKIP: the batch with this number is numbered but not sent
 *  Row r has id "id-r", label r mod 3, probabilities (label: 0.5, others 0.25). */
#include <stdio.h>
#include <stdlib.h>

#include "common/bus/bus.h"
#include "common/core/size.h"
#include "proto/telemetry.h"

#define TOPIC     FW_TOPIC_PREDICTION "callcenter"
#define CLASSES   3
#define WAIT_S    60.0
#define LINGER_MS 30000

static const char *const classes[CLASSES] = {"kindle", "orders", "prime \"video\""};

static fw_status pack_batch(fw_text *packed, uint64_t first, size_t n, fw_error *err)
{
    static const float by_label[CLASSES][CLASSES] = {{0.5f, 0.25f, 0.25f}, {0.25f, 0.5f, 0.25f}, {0.25f, 0.25f, 0.5f}};
    FW_FREE void *rows_space = NULL;
    FW_FREE void *ids_space = NULL;
    FW_TRY(fw_alloc_zeroed(&rows_space, n, sizeof(fw_prediction), "rows", err));
    FW_TRY(fw_alloc_zeroed(&ids_space, n, 32, "ids", err));
    fw_prediction *rows = rows_space;
    for (size_t i = 0; i < n; i++) {
        char *id = (char *)ids_space + 32 * i;
        uint32_t label = (uint32_t)((first + i) % CLASSES);
        snprintf(id, 32, "id-%llu", (unsigned long long)(first + i));
        rows[i] = (fw_prediction){.row = first + i, .id = id, .label = label, .confidence = 0.5f, .probabilities = by_label[label], .n_probabilities = CLASSES};
    }
    fw_text_clear(packed);
    return fw_telemetry_pack_rows(packed, "callcenter", "0123456789abcdef", classes, CLASSES, rows, n, err);
}

static fw_status publish(fw_publisher *p, uint64_t batches, size_t rows, uint64_t skip, fw_error *err)
{
    FW_AUTO(fw_telemetry) *t = NULL;
    FW_AUTO(fw_text) packed = {0};
    FW_AUTO(fw_text) batch = {0};
    FW_TRY(fw_telemetry_create(&t, err));
    for (uint64_t i = 0; i < batches; i++) {
        FW_TRY(pack_batch(&packed, i * rows, rows, err));
        FW_TRY(fw_telemetry_wrap(t, &batch, TOPIC, packed.data, packed.len, rows, err));
        if (i + 1 != skip) FW_TRY(fw_publisher_send(p, TOPIC, batch.data, batch.len, err));
    }
    FW_TRY(fw_telemetry_end(t, &batch, TOPIC, err));
    return fw_publisher_send(p, TOPIC, batch.data, batch.len, err);
}

static fw_status run(int argc, char **argv, fw_error *err)
{
    FW_AUTO(fw_bus) *bus = NULL;
    FW_AUTO(fw_publisher) *p = NULL;
    if (argc < 4) return fw_fail(err, FW_ERR_CONFIG, "usage: publish_predictions READERS BATCHES ROWS_PER_BATCH [SKIP]");
    FW_TRY(fw_bus_create(&bus, err));
    FW_TRY(fw_publisher_create(&p, bus, "tcp://127.0.0.1:*", NULL, err));
    printf("%s\n", fw_publisher_endpoint(p));
    fflush(stdout);
    FW_TRY(fw_publisher_wait(p, atoi(argv[1]), fw_mono_after(fw_mono_now(), WAIT_S), err));
    FW_TRY(publish(p, strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), argc > 4 ? strtoull(argv[4], NULL, 10) : 0, err));
    fw_publisher_counts c = fw_publisher_count(p);
    printf("produced %llu delivered %llu unheard %llu dropped %llu\n", (unsigned long long)c.produced, (unsigned long long)c.delivered,
           (unsigned long long)c.unheard, (unsigned long long)c.dropped);
    return fw_publisher_close(&p, LINGER_MS, err);
}

int main(int argc, char **argv)
{
    fw_error err = {0};
    fw_status status = run(argc, argv, &err);
    if (status < 0) fprintf(stderr, "publish_predictions: %s\n", err.text);
    return fw_status_exit_code(status);
}
