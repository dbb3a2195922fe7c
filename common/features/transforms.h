/** What a transform is: one column in, some float features out. The table in transforms.c lists them; a new one is a file with a
 *  fw_transform and a line there. Internal to common/features: everybody else uses pipeline.h.
 *
 *  Life: plan (or from_json) -> [want -> observe, all rows, some passes -> answer]* -> frozen: width, apply, feature_name, to_json. */
#ifndef FW_FEATURES_TRANSFORMS_H
#define FW_FEATURES_TRANSFORMS_H

#include "common/features/fit_stage.h"
#include "common/features/pipeline.h"

#define FW_APPLY_ROWS 64      /* rows at a time: the features of so many rows stay in the first-level cache */

/** Rows [first, first + n) of a column into x (n, ld), n <= FW_APPLY_ROWS; x points at the column's first feature. */
typedef struct fw_apply_rows {
    const fw_column *column;
    const fw_cells *cells;
    const uint64_t *row;               /* row numbers for messages; the same index as the cells */
    size_t first, n, ld;
    float *x;
    fw_apply_counts *counts;           /* never NULL */
} fw_apply_rows;

typedef struct fw_transform {
    const char *name;
    fw_column_type reads;

    /** Local. *self is what the transform keeps for this column. An option that does not fit: FW_ERR_CONFIG; when type is FW_FEATURE_AUTO (the
     *  option was given for every column at once) the default instead, with a line in notes. */
    fw_status (*plan)(void **self, const fw_feature_spec *spec, const fw_column *column, fw_text *notes, fw_error *err);
    void (*destroy)(void *self);

    /** Fitting. want reserves what the next stage is to gather, nothing when all is known; the same on every rank, as is answer. Local. */
    fw_status (*want)(void *self, const fw_column *column, fw_stage *stage, fw_error *err);
    fw_status (*observe)(void *self, const fw_column *column, const fw_cells *cells, size_t n, fw_stage *stage, fw_error *err);
    fw_status (*answer)(void *self, const fw_column *column, const fw_stage *stage, uint64_t n_rows, fw_error *err);

    /** Frozen. Local, pure. */
    size_t (*width)(const void *self);
    bool (*bytes)(const void *self);   /* every feature is a byte / 255; NULL: never. Known after plan */
    fw_status (*apply)(const void *self, const fw_apply_rows *rows, fw_error *err);
    void (*feature_name)(fw_text *out, const void *self, const fw_column *column, size_t feature);
    fw_status (*to_json)(json_t **out, const void *self, fw_error *err);              /* an object */
    fw_status (*from_json)(void **self, const json_t *j, const fw_column *column, fw_error *err);   /* untrusted: FW_ERR_FORMAT */
} fw_transform;

extern const fw_transform fw_transform_number, fw_transform_category, fw_transform_image;

/** The transform for a type of column, or by name; NULL: none. */
const fw_transform *fw_transform_for(fw_column_type type);
const fw_transform *fw_transform_find(const char *name);

typedef struct fw_input {
    const fw_transform *kind;
    size_t column, first, width;       /* index in the schema; its features are [first, first + width) */
    void *self;
} fw_input;

struct fw_pipeline {
    fw_schema *schema;                 /* a copy */
    fw_input *inputs;                  /* in the order of columns */
    size_t n_inputs, width;            /* width 0: not fitted yet */
    bool *wanted;
};

/** An unfitted pipeline without inputs, with room for one a column. */
fw_status fw_pipeline_create(fw_pipeline **out, const fw_schema *schema, fw_error *err);
/** After fitting or reading: features are numbered. FW_ERR_NOMEM when there are too many to count. */
fw_status fw_pipeline_number_features(fw_pipeline *p, fw_error *err);

/** Words of an enum in JSON: the index of word in words (NULL-terminated), or -1. */
int fw_word_index(const char *word, const char *const *words);

#endif
