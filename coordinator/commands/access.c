#include "coordinator/commands/access.h"

#include <stdlib.h>

#include "common/core/fs.h"
#include "common/core/log.h"

fw_status coord_access_options(coord_access *out, const coord_call *call, fw_error *err)
{
    const char *keys = coord_option_value(call, "keys");
    const bool insecure = coord_option_set(call, "insecure");
    if (keys != NULL && *keys == '\0') return fw_fail(err, FW_ERR_CONFIG, "%s: --keys names no folder", call->command->name);
    if (keys != NULL && insecure) return fw_fail(err, FW_ERR_CONFIG, "%s: --keys and --insecure exclude each other", call->command->name);
    *out = (coord_access){.identity = {.keys = keys, .insecure = insecure}};
    return FW_OK;
}

fw_status coord_access_complete(coord_access *a, const fw_project *p, const char *endpoint, bool publishes, fw_error *err)
{
    const char *keys = p != NULL ? p->monitor.keys : NULL;
    if (endpoint == NULL) return FW_OK;
    if (keys != NULL && a->identity.insecure) fw_log_warn("--insecure: monitor.keys (%s) is not used", keys);
    if (keys != NULL && a->identity.keys == NULL && !a->identity.insecure) {
        FW_TRY(fw_path_join(&a->folder, p->dir, keys, err));
        a->identity.keys = a->folder;
    }
    return fw_bus_check(endpoint, &a->identity, publishes, err);
}

void coord_access_release(coord_access *a)
{
    free(a->folder);
    *a = (coord_access){0};
}
