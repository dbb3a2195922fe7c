#include "common/core/fence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/core/text.h"

#define MAX_FENCE_BYTES 64

static struct { char *path; uint64_t generation; } fence;      /* set once, before threads start */

fw_status fw_fence_set(const char *path, uint64_t generation, fw_error *err)
{
    char *copy = NULL;
    if (path != NULL) FW_TRY(fw_copy_text(&copy, path, err));
    free(fence.path);
    fence.path = copy;
    fence.generation = generation;
    return FW_OK;
}

fw_status fw_fence_read(uint64_t *generation, const char *path, fw_error *err)
{
    FW_FREE char *text = NULL;
    size_t len = 0;
    uint64_t number = 0;
    if (!fw_path_exists(path)) {
        *generation = 0;
        return FW_OK;
    }
    FW_TRY(fw_read_file(&text, &len, path, MAX_FENCE_BYTES, err));
    len = strcspn(text, "\n");
    if (!fw_parse_uint64(&number, text, len)) return fw_fail(err, FW_ERR_FORMAT, "%s: it holds no number of a generation", path);
    *generation = number;
    return FW_OK;
}

fw_status fw_fence_raise(const char *path, uint64_t generation, fw_error *err)
{
    char text[MAX_FENCE_BYTES];
    const int len = snprintf(text, sizeof text, "%llu\n", (unsigned long long)generation);
    return fw_write_file(path, text, (size_t)len, err);
}

fw_status fw_fence_check(fw_error *err)
{
    uint64_t newest = 0;
    if (fence.path == NULL) return FW_OK;
    FW_TRY(fw_fence_read(&newest, fence.path, err));
    if (newest == 0) return fw_fail(err, FW_ERR_IO, "%s: the fence is gone; nothing is written without it", fence.path);
    if (newest > fence.generation)
        return fw_fail(err, FW_ERR_LOST, "generation %llu of the ranks was given up and generation %llu has taken over; this one writes nothing more",
                       (unsigned long long)fence.generation, (unsigned long long)newest);
    return FW_OK;
}
