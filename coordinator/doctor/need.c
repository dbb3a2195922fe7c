/** What training needs for the dataset of a project. */
#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/data/dataset.h"
#include "coordinator/doctor/doctor.h"

#define ROW_ALIGN 16               /* features: rows begin at multiples of 64 bytes */

/* Features that a column becomes at most: a number and whether it is missing, a category's values with "missing" and "other", a picture's bytes. */
static double features_of(const fw_column *c, const fw_column_stats *s)
{
    switch (c->type) {
    case FW_NUMBER: return 2.0;
    case FW_CATEGORY: return (double)s->distinct + 2.0;
    case FW_IMAGE: return (double)c->height * (double)c->width * (double)c->channels;
    case FW_TEXT: case FW_TIME: break;
    }
    return 0.0;
}

fw_status coord_need_of(coord_need *out, const fw_project *p, fw_error *err)
{
    FW_FREE char *path = NULL;
    FW_AUTO(fw_dataset) *d = NULL;
    uint64_t bytes = 0;
    *out = (coord_need){0};
    FW_TRY(fw_project_dataset_path(&path, p, err));
    if (!fw_path_exists(path)) return FW_OK;
    FW_TRY(fw_dataset_open(&d, path, err));
    FW_TRY(fw_file_size(&bytes, path, err));
    const fw_schema *schema = fw_dataset_schema(d);
    const fw_column_stats *stats = fw_dataset_stats(d);
    double width = 0.0;
    for (size_t i = 0; i < schema->n_columns; i++)
        if ((int)i != schema->target) width += features_of(&schema->columns[i], &stats[i]);
    const uint64_t rows = fw_dataset_rows(d, FW_TRAIN) + fw_dataset_rows(d, FW_VALIDATION);
    const double row_bytes = ((double)(((uint64_t)width + ROW_ALIGN - 1) / ROW_ALIGN * ROW_ALIGN) + 1.0) * sizeof(float);
    *out = (coord_need){.rows = rows, .features = (uint64_t)width, .memory_bytes = (uint64_t)((double)rows * row_bytes), .disk_bytes = bytes};
    return FW_OK;
}
