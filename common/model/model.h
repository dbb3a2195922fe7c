/** model.h5: everything that prediction needs, and where it came from. Nothing of ranks, hosts, paths or wall time is in it: two equal models
 *  are equal files. Loading never runs code.
 *
 *  user block (envelope, digest of the rest)
 *  /manifest                  JSON: name, task, learner, net, schema, pipeline, lineage, metrics, target scale
 *  /project                   the project file as resolved, YAML
 *  /reference                 JSON (reference_json.h), or null: what it was made on and how it did, as counts
 *  /weights/<layer>/W (in, out) f32, /weights/<layer>/b (out) f32
 *  /samples/<column>/values, /missing (and /offsets) and /samples/row: some rows as raw cells, types as in dataset.h5
 *  /samples/expected (n, n_out) f32: what the model gives for them, checked bit by bit at each load */
#ifndef FW_MODEL_MODEL_H
#define FW_MODEL_MODEL_H

#include "common/core/hash.h"
#include "common/data/block.h"
#include "common/features/pipeline.h"
#include "common/model/dense.h"
#include "common/stats/metrics.h"
#include "common/stats/reference.h"

#define FW_MODEL_VERSION 3            /* 2 and 1, which are read too, had no reference; 1 had a name of no use in its lineage, "blas_core" */
#define FW_MODEL_SAMPLES 16

typedef struct fw_named_value { char *name; double value; } fw_named_value;

typedef struct fw_model {
    char *name;                        /* the project's name */
    char *project_yaml;
    char *learner;                     /* "linear", "mlp" */
    fw_task task;
    fw_schema *schema;                 /* of the dataset it was trained on, target included */
    fw_pipeline *pipeline;
    fw_dense net;
    float *params;                     /* net.n_params, FW_ALIGN-aligned */
    double target_mean, target_scale;  /* regression: prediction = mean + scale * output; else 0, 1 */
    fw_named_value *metrics;           /* on the validation split */
    size_t n_metrics;
    char *dataset_digest, *program_version;   /* lineage */
    uint64_t seed, train_rows;
    uint64_t rounds, steps;            /* after which the weights were taken: of the best round with early stopping, else of the last */
    fw_reference *reference;           /* NULL: it has none */
    fw_block *samples;                 /* over schema; raw rows */
    float *expected;                   /* (samples->n_rows, n_out) */
    char digest[FW_DIGEST_TEXT];       /* of the file, set by load and save */
} fw_model;

fw_status fw_model_create(fw_model **out, fw_error *err);      /* zeroed, target_scale 1 */
void      fw_model_destroy(fw_model **m);

size_t      fw_model_n_out(const fw_model *m);                 /* floats a row from fw_model_predict: classes, 2 for binary, 1 for regression */
size_t      fw_model_n_classes(const fw_model *m);             /* 0 for regression */
const char *fw_model_class_name(const fw_model *m, size_t i);

/** One path for a row (law 3). rows [first, first + n) of a block over m->schema -> out (n, n_out): class probabilities (binary: both), or
 *  the value in the target's unit as double precision in out64 (regression; out, which may be NULL, gets the network's output before mean and
 *  scale). Local. Works in fixed pieces with its own scratch. Thread-safe for different calls. FW_ERR_NUMERIC: a prediction is not finite. */
fw_status fw_model_predict(const fw_model *m, const fw_block *block, size_t first, size_t n, float *out, double *out64,
                           fw_apply_counts *counts, fw_error *err);
/** The same from features already made (n, ld). */
fw_status fw_model_predict_features(const fw_model *m, const float *x, size_t ld, size_t n, float *out, double *out64, fw_error *err);

/** Fills samples' expected outputs, writes atomically, sets digest. FW_ERR_IO. */
fw_status fw_model_save(fw_model *m, const char *path, fw_error *err);
/** Checks envelope, shapes, finite weights, and the sample rows' expected bits. FW_ERR_FORMAT, FW_ERR_VERSION, FW_ERR_IO. */
fw_status fw_model_load(fw_model **out, const char *path, fw_error *err);

#endif
