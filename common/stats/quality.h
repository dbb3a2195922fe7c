/** The metrics by which a model in use is judged, each with an interval: realised ones from outcomes, estimated ones without. Names are those of metrics.h. */
#ifndef FW_STATS_QUALITY_H
#define FW_STATS_QUALITY_H

#include <stdbool.h>
#include <stddef.h>

#include "common/stats/interval.h"
#include "common/stats/metrics.h"      /* fw_task */

typedef enum fw_quality_metric {
    FW_QUALITY_ACCURACY, FW_QUALITY_PRECISION, FW_QUALITY_RECALL, FW_QUALITY_F1,      /* the last three: of two classes the positive one */
    FW_QUALITY_MACRO_F1, FW_QUALITY_AUC, FW_QUALITY_LOG_LOSS, FW_QUALITY_RMSE, FW_QUALITY_MAE, FW_N_QUALITIES
} fw_quality_metric;

typedef struct fw_qualities { fw_interval of[FW_N_QUALITIES]; } fw_qualities;      /* NaN: not known */

fw_qualities fw_qualities_none(void);
const char  *fw_quality_name(fw_quality_metric m);      /* "accuracy", "macro_f1" */
bool         fw_quality_fits(fw_quality_metric m, fw_task task);
bool         fw_quality_find(fw_quality_metric *out, const char *name);

#endif
