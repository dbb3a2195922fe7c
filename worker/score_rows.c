#include "worker/score_rows.h"

#include <stdlib.h>
#include <string.h>

#include "common/bus/outbox.h"
#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/model/predictions_file.h"
#include "proto/telemetry.h"
#include "worker/group.h"
#include "worker/score_encode.h"

#define LOOK_EVERY_S 0.5       /* at readers that are waited for */

#define LINGER_MS    30000

struct worker_outputs {
    const fw_model *model;
    const worker_score_opts *opts;
    bool has_id;
    fw_atomic_file *csv;
    fw_predictions_file *hdf5;
    fw_bus *bus;
    fw_outbox *outbox;
    fw_telemetry *telemetry;
    worker_teller *teller;
    fw_text topic, batch;
    uint64_t published;                              /* predictions */
    fw_spool_counts before;                          /* messages: the spool may hold those of runs before */
};

static fw_status open_csv(worker_outputs *o, const char *id_name, fw_error *err)
{
    FW_AUTO(fw_text) head = {0};
    FW_TRY(fw_atomic_file_create(&o->csv, o->opts->output, err));
    worker_add_field(&head, id_name != NULL ? id_name : "row");
    fw_text_add(&head, ",prediction");
    for (size_t c = 0; c < fw_model_n_classes(o->model); c++) {
        FW_AUTO(fw_text) name = {0};
        fw_text_format(&name, "p_%s", fw_model_class_name(o->model, c));
        FW_TRY(fw_text_check(&name, err));
        fw_text_add(&head, ",");
        worker_add_field(&head, name.data);
    }
    fw_text_add(&head, "\n");
    FW_TRY(fw_text_check(&head, err));
    if (fwrite(head.data, 1, head.len, fw_atomic_file_stream(o->csv)) != head.len)
        return fw_fail_errno(err, FW_ERR_IO, "%s: writing", o->opts->output);
    return FW_OK;
}

/* As long as the user has said. */
static fw_status wait_for_readers(worker_outputs *o, fw_error *err)
{
    const fw_mono deadline = fw_mono_after(fw_mono_now(), o->opts->wait_s);
    fw_status s = FW_ERR_TIMEOUT;
    for (bool last = false; s == FW_ERR_TIMEOUT && !last;) {
        const fw_mono soon = fw_mono_after(fw_mono_now(), LOOK_EVERY_S);
        last = deadline.ns <= soon.ns;
        worker_tick();
        s = fw_outbox_wait(o->outbox, (int)o->opts->wait_readers, last ? deadline : soon, err);
    }
    return s;
}

/* What the teller has to say: a queue that is full loses it, which the outbox counts. */
static fw_status put_told(void *context, const char *topic, const void *bytes, size_t len, fw_error *err)
{
    worker_outputs *o = context;
    const fw_status s = fw_outbox_put(o->outbox, topic, bytes, len, err);
    return s == FW_END ? FW_OK : s;
}

static void warn(void *context, const char *text)
{
    (void)context;
    fw_log_warn("%s", text);
}

static fw_status open_bus(worker_outputs *o, fw_error *err)
{
    const char *spool = o->opts->spool;
    const fw_outbox_opts opts = {.spool = spool != NULL && spool[0] != '\0' ? spool : NULL, .say = warn};
    FW_TRY(fw_bus_create(&o->bus, err));
    FW_TRY(fw_bus_secure(o->bus, &o->opts->identity, err));
    FW_TRY(fw_outbox_open(&o->outbox, o->bus, o->opts->bus, &opts, err));
    o->before = fw_outbox_count(o->outbox).spool;
    FW_TRY(fw_telemetry_create(&o->telemetry, err));
    fw_text_format(&o->topic, FW_TOPIC_PREDICTION "%s", o->model->name);
    FW_TRY(fw_text_check(&o->topic, err));
    if (o->opts->wait_readers > 0) FW_TRY(wait_for_readers(o, err));
    return worker_teller_create(&o->teller, o->model, o->opts->model_digest, o->opts->project, o->telemetry, put_told, o, err);
}

fw_status worker_outputs_open(worker_outputs **out, const fw_model *m, const worker_score_opts *opts, const char *id_name, fw_error *err)
{
    FW_AUTO(worker_outputs) *o = calloc(1, sizeof *o);
    if (o == NULL) return fw_fail(err, FW_ERR_NOMEM, "outputs");
    o->model = m;
    o->opts = opts;
    o->has_id = id_name != NULL;
    if (worker_score_writes(opts) && worker_score_is_csv(opts)) FW_TRY(open_csv(o, id_name, err));
    if (worker_score_writes(opts) && !worker_score_is_csv(opts)) FW_TRY(fw_predictions_file_create(&o->hdf5, opts->output, m, o->has_id, err));
    if (worker_score_publishes(opts)) FW_TRY(open_bus(o, err));
    *out = o;
    o = NULL;
    return FW_OK;
}

void worker_outputs_destroy(worker_outputs **outputs)
{
    worker_outputs *o = *outputs;
    if (o == NULL) return;
    fw_atomic_file_destroy(&o->csv);
    fw_predictions_file_destroy(&o->hdf5);
    fw_outbox_destroy(&o->outbox);
    worker_teller_destroy(&o->teller);
    fw_telemetry_destroy(&o->telemetry);
    fw_bus_destroy(&o->bus);
    fw_text_destroy(&o->topic);
    fw_text_destroy(&o->batch);
    free(o);
    *outputs = NULL;
}

static fw_status take_cells(worker_outputs *o, const worker_record *head, const char *bytes, fw_error *err)
{
    const size_t n = (size_t)head->n, k = fw_model_n_out(o->model);
    const bool regression = o->model->task == FW_TASK_REGRESSION;
    const char *values = bytes + n * sizeof(uint64_t), *at = values + n * (regression ? sizeof(double) : k * sizeof(float));
    FW_FREE const char **id = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&id, n + 1, sizeof *id, "ids", err));
    for (size_t i = 0; o->has_id && i < n; i++) {
        id[i] = at;
        at += strlen(at) + 1;
    }
    return fw_predictions_file_append(o->hdf5, n, (const uint64_t *)(const void *)bytes, o->has_id ? id : NULL,
                                      regression ? NULL : (const float *)(const void *)values, regression ? (const double *)(const void *)values : NULL, err);
}

static fw_status put(worker_outputs *o, fw_error *err)
{
    const fw_status s = fw_outbox_put(o->outbox, o->topic.data, o->batch.data, o->batch.len, err);
    return s == FW_END ? FW_OK : s;                  /* the outbox counts it as dropped */
}

static fw_status publish(worker_outputs *o, const char *packed, size_t len, uint64_t n, fw_error *err)
{
    FW_TRY(fw_telemetry_wrap(o->telemetry, &o->batch, o->topic.data, packed, len, n, err));
    FW_TRY(put(o, err));
    o->published += n;
    return FW_OK;
}

static fw_status take_record(worker_outputs *o, const worker_record *head, const char *bytes, fw_error *err)
{
    uint64_t len = 0;
    if (head->kind == WORKER_RECORD_CELLS) return take_cells(o, head, bytes, err);
    if (head->kind == WORKER_RECORD_COUNTS) {
        FW_TRY(worker_teller_take(o->teller, (const uint64_t *)(const void *)bytes, (size_t)head->len / sizeof len, head->n, err));
        return worker_teller_tick(o->teller, err);
    }
    memcpy(&len, bytes, sizeof len);
    bytes += sizeof len;
    if (head->kind == WORKER_RECORD_TELEMETRY) return publish(o, bytes, (size_t)len, head->n, err);
    if (fwrite(bytes, 1, (size_t)len, fw_atomic_file_stream(o->csv)) != (size_t)len)
        return fw_fail_errno(err, FW_ERR_IO, "%s: writing", o->opts->output);
    return FW_OK;
}

fw_status worker_outputs_take(worker_outputs *o, const char *bytes, size_t len, fw_error *err)
{
    for (size_t at = 0; at < len;) {
        worker_record head;
        memcpy(&head, bytes + at, sizeof head);
        FW_TRY(take_record(o, &head, bytes + at + sizeof head, err));
        at += sizeof head + (size_t)head.len;
    }
    return o->teller != NULL ? worker_teller_tick(o->teller, err) : FW_OK;
}

static uint64_t all_dropped(const fw_spool_counts *c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < FW_N_DROPS; i++) n += c->dropped[i];
    return n;
}

/* Readers that are too slow to take all in time find the rest in the spool. */
static fw_status end_stream(worker_outputs *o, worker_score_result *result, fw_error *err)
{
    fw_outbox_counts rest;
    if (o->outbox == NULL) return FW_OK;
    FW_TRY(worker_teller_finish(o->teller, err));
    FW_TRY(fw_telemetry_end(o->telemetry, &o->batch, o->topic.data, err));
    FW_TRY(put(o, err));
    fw_error why = {0};
    const fw_mono start = fw_mono_now();
    if (fw_outbox_close(&o->outbox, LINGER_MS, &rest, &why) < 0) fw_log_warn("%s", why.text);      /* what was predicted is not spoiled by it */
    result->ending_s = fw_mono_seconds(start, fw_mono_now());
    result->messages = rest.spool.produced - o->before.produced;
    result->delivered = rest.spool.delivered - o->before.delivered;
    result->spooled = rest.spool.spooled;
    result->dropped = all_dropped(&rest.spool) - all_dropped(&o->before);
    return FW_OK;
}

fw_status worker_outputs_finish(worker_outputs *o, worker_score_result *result, fw_error *err)
{
    if (o->csv != NULL) FW_TRY(fw_atomic_file_commit(o->csv, err));
    if (o->hdf5 != NULL) FW_TRY(fw_predictions_file_commit(o->hdf5, err));
    result->published = o->published;
    return end_stream(o, result, err);
}
