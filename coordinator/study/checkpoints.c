#include "coordinator/study/checkpoints.h"

#include "common/core/fs.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/model/checkpoint.h"

fw_status coord_checkpoint_choose(char **out, bool *damaged, const char *latest, const char *previous, fw_error *err)
{
    FW_AUTO(fw_checkpoint) *c = NULL;
    fw_error first = {0};
    *out = NULL;
    if (damaged != NULL) *damaged = false;
    if (fw_path_exists(latest) && fw_checkpoint_open(&c, latest, &first) == FW_OK) return fw_copy_text(out, latest, err);
    if (previous != NULL && fw_path_exists(previous)) {
        FW_TRY(fw_checkpoint_open(&c, previous, err));
        if (damaged != NULL) *damaged = true;
        if (first.text[0] != '\0') fw_log_warn("%s; going on from the checkpoint before it", first.text);
        return fw_copy_text(out, previous, err);
    }
    return first.text[0] != '\0' ? fw_fail(err, first.status, "%s", first.text) : FW_OK;
}
