#include "common/stats/quality.h"

#include <string.h>

static const char *const names[FW_N_QUALITIES] = {
    [FW_QUALITY_ACCURACY] = "accuracy", [FW_QUALITY_PRECISION] = "precision", [FW_QUALITY_RECALL] = "recall", [FW_QUALITY_F1] = "f1",
    [FW_QUALITY_MACRO_F1] = "macro_f1", [FW_QUALITY_AUC] = "auc", [FW_QUALITY_LOG_LOSS] = "log_loss", [FW_QUALITY_RMSE] = "rmse", [FW_QUALITY_MAE] = "mae",
};

fw_qualities fw_qualities_none(void)
{
    fw_qualities q;
    for (size_t i = 0; i < FW_N_QUALITIES; i++) q.of[i] = FW_INTERVAL_NONE;
    return q;
}

const char *fw_quality_name(fw_quality_metric m) { return names[m]; }

bool fw_quality_fits(fw_quality_metric m, fw_task task) { return (m == FW_QUALITY_RMSE || m == FW_QUALITY_MAE) == (task == FW_TASK_REGRESSION); }

bool fw_quality_find(fw_quality_metric *out, const char *name)
{
    for (size_t i = 0; i < FW_N_QUALITIES; i++) {
        if (strcmp(names[i], name) != 0) continue;
        *out = (fw_quality_metric)i;
        return true;
    }
    return false;
}
