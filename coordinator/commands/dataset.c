#include "coordinator/commands/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/data/dataset.h"

fw_status coord_dataset_check(const char *path, const fw_project *p, fw_error *err)
{
    if (!fw_path_exists(path))
        return fw_fail(err, FW_ERR_CONFIG, "%s: there is no dataset yet; make it with `flywheel ingest %s`", path, p->path);
    FW_AUTO(fw_dataset) *d = NULL;
    FW_FREE char *part = NULL;
    char digest[FW_DIGEST_TEXT];
    FW_TRY(fw_dataset_open(&d, path, err));
    FW_TRY(fw_project_data_part(&part, p, err));
    fw_digest_text(digest, fw_hash128(part, strlen(part), 0));
    const char *theirs = json_string_value(json_object_get(fw_dataset_manifest(d), "project_digest"));
    if (!fw_text_equal(theirs, digest))
        return fw_fail(err, FW_ERR_CONFIG, "%s: it was made with other settings under data, problem or features' types; make it anew with `flywheel ingest %s`",
                       path, p->path);
    return FW_OK;
}

fw_status coord_dataset_digest(char out[static FW_DIGEST_TEXT], const char *path, fw_error *err)
{
    FW_AUTO(fw_dataset) *d = NULL;
    FW_TRY(fw_dataset_open(&d, path, err));
    snprintf(out, FW_DIGEST_TEXT, "%s", fw_dataset_digest(d));
    return FW_OK;
}

bool coord_is_flywheel_file(const char *path)
{
    char magic[8] = {0};
    FILE *f = fopen(path, "rb");
    size_t n = f != NULL ? fread(magic, 1, sizeof magic, f) : 0;
    if (f != NULL) fclose(f);
    return n == sizeof magic && memcmp(magic, "FLYWHEEL", sizeof magic) == 0;
}
