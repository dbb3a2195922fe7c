/** The transforms of a model: planned from the project file, fitted by merging exact statistics over the ranks, frozen, and applied in this
 *  one place. raw columns -> a row of float features. A new transform is one file and one line in the table in transforms.c.
 *
 *  Order within a number: missing -> clip -> log1p -> scale; a missing indicator is a feature of its own behind it.
 *  Everything here depends on the rows alone: applying to a row gives the same bits in any block, on any rank. */
#ifndef FW_FEATURES_PIPELINE_H
#define FW_FEATURES_PIPELINE_H

#include "common/core/text.h"
#include "common/data/block.h"
#include "common/project/project.h"
#include "common/stats/reduce.h"

typedef struct fw_pipeline fw_pipeline;

/** Reads rows [first, first + n) of what is to be fitted into block; context is the caller's (usually fw_dataset_read of the train split). */
typedef struct fw_rows {
    void *context;
    uint64_t n_rows;
    size_t block_rows;             /* a good size to read in */
    fw_status (*read)(void *context, uint64_t first, size_t n, const bool *wanted, fw_block *block, fw_error *err);
} fw_rows;

/** Which column becomes what: the project's features section over the schema (the target and columns marked ignore are left out; text and
 *  time columns are left out too, and named in *notes, one line each, malloc'ed or NULL). FW_ERR_CONFIG: a feature that is no column ("did you
 *  mean"), a type that does not fit, nothing left. */
fw_status fw_pipeline_plan(fw_pipeline **out, const fw_project *project, const fw_schema *schema, char **notes, fw_error *err);
void      fw_pipeline_destroy(fw_pipeline **p);

/** Collective: each rank reads its contiguous share of the rows, in as many passes as needed (quantiles: exact, by radix passes over ordered bits).
 *  The same on every rank, status too. Once; after an error the pipeline is to be destroyed. FW_ERR_DATA: no rows, nothing but missing values, a
 *  missing value where the policy is error, a negative one before log1p. */
fw_status fw_pipeline_fit(fw_pipeline *p, const fw_schema *schema, const fw_rows *rows, const fw_reduce *reduce, fw_error *err);

size_t      fw_pipeline_width(const fw_pipeline *p);                       /* features a row; 0 before fitting */
bool        fw_pipeline_is_bytes(const fw_pipeline *p);                    /* every feature is (float)((double)byte / 255.0); known after planning */
const bool *fw_pipeline_wanted(const fw_pipeline *p);                      /* schema->n_columns: columns it reads */
/** Appends "age", "age=(missing)" (its indicator), "workclass=Private", "workclass=(other)", "workclass=(missing)", "image[3,5]" (row, column). */
fw_status   fw_pipeline_feature_name(fw_text *out, const fw_pipeline *p, size_t feature);

/** Counted, never silent (law 4). Zero-initialise; one entry per input column: see fw_pipeline_n_inputs / _input_name. */
typedef struct fw_apply_counts { uint64_t missing, unseen; } fw_apply_counts;
size_t      fw_pipeline_n_inputs(const fw_pipeline *p);
const char *fw_pipeline_input_name(const fw_pipeline *p, size_t i);

/** Local: features of rows [first, first + n) of the block into x (n, ld), ld >= width; columns behind width are left alone.
 *  counts: n_inputs entries added to, or NULL. FW_ERR_DATA: an unseen category where the policy is error (names row, column, value when known),
 *  a missing value where the policy is error, a negative one before log1p, other columns than those of the training data, which
 *  come first.
 *  FW_ERR_NUMERIC: a feature too large for a float. On error x and counts are unspecified. Allocates nothing. */
fw_status fw_pipeline_apply(const fw_pipeline *p, const fw_block *block, size_t first, size_t n, float *x, size_t ld,
                            fw_apply_counts *counts, fw_error *err);

/** Exact round trip of a fitted pipeline. from_json trusts nothing: FW_ERR_FORMAT says which column and value. */
fw_status fw_pipeline_to_json(json_t **out, const fw_pipeline *p, fw_error *err);
fw_status fw_pipeline_from_json(fw_pipeline **out, const json_t *j, const fw_schema *schema, fw_error *err);

#endif
