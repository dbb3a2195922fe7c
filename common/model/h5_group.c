#include "common/model/model_parts.h"

fw_status fw_h5_check_group(hid_t at, const char *name, fw_error *err)
{
    H5L_info_t link;
    if (H5Lexists(at, name, H5P_DEFAULT) <= 0 || H5Lget_info(at, name, &link, H5P_DEFAULT) < 0) {
        H5Eclear2(H5E_DEFAULT);
        return fw_fail(err, FW_ERR_FORMAT, "group '%s' is not there", name);
    }
    if (link.type != H5L_TYPE_HARD) return fw_fail(err, FW_ERR_FORMAT, "group '%s' is a link to somewhere else, which is refused", name);
    return FW_OK;
}
