#include "common/stats/reduce.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

static fw_status keep_i64(void *context, int64_t *v, size_t n, fw_error *err)
{
    (void)context, (void)v, (void)n, (void)err;
    return FW_OK;
}

static fw_status keep_f64(void *context, double *v, size_t n, fw_error *err)
{
    (void)context, (void)v, (void)n, (void)err;
    return FW_OK;
}

static fw_status gather_one(void *context, const void *bytes, size_t len, char **out, size_t *offset, fw_error *err)
{
    (void)context;
    char *copy = malloc(len > 0 ? len : 1);
    if (copy == NULL) return fw_fail(err, FW_ERR_NOMEM, "gather: %zu bytes", len);
    if (len > 0) memcpy(copy, bytes, len);
    *out = copy;
    offset[0] = 0;
    offset[1] = len;
    return FW_OK;
}

static fw_status exchange_alone(void *context, const void *bytes, const size_t *at, char **out, size_t *capacity, size_t *offset, fw_error *err)
{
    (void)context;
    offset[0] = 0;
    offset[1] = at[1] - at[0];
    FW_TRY(fw_grow((void **)out, capacity, offset[1] + 1, 1, "an exchange", err));
    if (offset[1] > 0) memcpy(*out, (const char *)bytes + at[0], offset[1]);
    return FW_OK;
}

static fw_status agree_alone(void *context, fw_status mine, fw_error *err)
{
    (void)context, (void)err;
    return mine;
}

const fw_reduce fw_reduce_alone = {
    .context = NULL,
    .rank = 0,
    .size = 1,
    .sum_i64 = keep_i64,
    .max_f64 = keep_f64,
    .min_f64 = keep_f64,
    .gather_all = gather_one,
    .exchange = exchange_alone,
    .agree = agree_alone,
};
