#include "worker/score_rows.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/model/predictions_file.h"
#include "proto/telemetry.h"
#include "worker/score_encode.h"
#include "worker/score_post.h"

struct worker_outputs {
    const fw_model *model;
    const worker_score_opts *opts;
    bool has_id;
    fw_atomic_file *csv;
    fw_predictions_file *hdf5;
    worker_post *post;                               /* NULL: nobody is told */
    fw_telemetry *telemetry;
    worker_teller *teller;
    fw_text topic, batch;
    uint64_t published;                              /* predictions */
    int64_t telling_ns;
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

static fw_status put_told(void *context, const char *topic, const void *bytes, size_t len, fw_error *err)
{
    const worker_outputs *o = context;
    return worker_post_put(o->post, topic, bytes, len, err);
}

static fw_status open_post(worker_outputs *o, fw_error *err)
{
    FW_TRY(worker_post_open(&o->post, o->opts, err));
    FW_TRY(fw_telemetry_create(&o->telemetry, err));
    fw_text_format(&o->topic, FW_TOPIC_PREDICTION "%s", o->model->name);
    FW_TRY(fw_text_check(&o->topic, err));
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
    if (worker_score_publishes(opts)) FW_TRY(open_post(o, err));
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
    worker_post_destroy(&o->post);
    worker_teller_destroy(&o->teller);
    fw_telemetry_destroy(&o->telemetry);
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

static fw_status put(worker_outputs *o, fw_error *err) { return worker_post_put(o->post, o->topic.data, o->batch.data, o->batch.len, err); }

static fw_status publish(worker_outputs *o, const char *packed, size_t len, uint64_t n, fw_error *err)
{
    FW_TRY(fw_telemetry_wrap(o->telemetry, &o->batch, o->topic.data, packed, len, n, err));
    FW_TRY(put(o, err));
    o->published += n;
    return FW_OK;
}

static fw_status take_counts(worker_outputs *o, const worker_record *head, const char *bytes, fw_error *err)
{
    const uint64_t *count = (const uint64_t *)(const void *)bytes;
    const size_t n = (size_t)head->len / sizeof *count - FW_TIMES_N;
    FW_TRY(worker_teller_take(o->teller, count, n, head->n, count + n, err));
    return worker_teller_tick(o->teller, err);
}

static fw_status take_text(worker_outputs *o, const char *text, size_t len, fw_error *err)
{
    if (fwrite(text, 1, len, fw_atomic_file_stream(o->csv)) != len) return fw_fail_errno(err, FW_ERR_IO, "%s: writing", o->opts->output);
    return FW_OK;
}

/* What telemetry has done since then. */
static fw_status told(worker_outputs *o, fw_mono since, fw_status status)
{
    o->telling_ns += fw_mono_now().ns - since.ns;
    return status;
}

static fw_status take_record(worker_outputs *o, const worker_record *head, const char *bytes, fw_error *err)
{
    uint64_t len = 0;
    if (head->kind == WORKER_RECORD_CELLS) return take_cells(o, head, bytes, err);
    const fw_mono begun = fw_mono_now();
    if (head->kind == WORKER_RECORD_COUNTS) return told(o, begun, take_counts(o, head, bytes, err));
    memcpy(&len, bytes, sizeof len);
    bytes += sizeof len;
    if (head->kind == WORKER_RECORD_TELEMETRY) return told(o, begun, publish(o, bytes, (size_t)len, head->n, err));
    return take_text(o, bytes, (size_t)len, err);
}

static fw_status tick(worker_outputs *o, fw_error *err)
{
    if (o->teller == NULL) return FW_OK;
    const fw_mono begun = fw_mono_now();
    return told(o, begun, worker_teller_tick(o->teller, err));
}

fw_status worker_outputs_take(worker_outputs *o, const char *bytes, size_t len, fw_error *err)
{
    for (size_t at = 0; at < len;) {
        worker_record head;
        memcpy(&head, bytes + at, sizeof head);
        FW_TRY(take_record(o, &head, bytes + at + sizeof head, err));
        at += sizeof head + (size_t)head.len;
    }
    return tick(o, err);
}

fw_status worker_outputs_take_counts(worker_outputs *o, worker_counts *c, fw_error *err)
{
    const fw_mono begun = fw_mono_now();
    FW_TRY(told(o, begun, worker_teller_merge(o->teller, c, err)));
    return tick(o, err);
}

int64_t worker_outputs_telling_ns(const worker_outputs *o) { return o->telling_ns; }

/** The last messages. */
static fw_status end_stream(worker_outputs *o, fw_error *err)
{
    if (o->post == NULL) return FW_OK;
    FW_TRY(worker_teller_finish(o->teller, err));
    FW_TRY(fw_telemetry_end(o->telemetry, &o->batch, o->topic.data, err));
    FW_TRY(put(o, err));
    return worker_post_commit(o->post, err);
}

fw_status worker_outputs_finish(worker_outputs *o, worker_score_result *result, fw_error *err)
{
    FW_TRY(end_stream(o, err));
    if (o->csv != NULL) FW_TRY(fw_atomic_file_commit(o->csv, err));
    if (o->hdf5 != NULL) FW_TRY(fw_predictions_file_commit(o->hdf5, err));
    result->published = o->published;
    if (o->post != NULL) worker_post_finish(o->post, result);
    return FW_OK;
}
