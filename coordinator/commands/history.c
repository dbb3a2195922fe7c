#include "coordinator/commands/history.h"

#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/study/rounds.h"

fw_status coord_history_rows(coord_history_row **out, const char **metric, const fw_round_result *rounds, size_t n, fw_error *err)
{
    const char *judged = *metric;
    FW_TRY(fw_alloc_zeroed((void **)out, n + 1, sizeof **out, "history", err));
    for (size_t i = 0; i < n; i++) {
        const double *v = coord_round_metric(&rounds[i], *metric);
        if (v == NULL) judged = NULL;
        (*out)[i] = (coord_history_row){.round = rounds[i].position.round, .step = rounds[i].position.step, .train_loss = rounds[i].train_loss,
                                        .validation = v != NULL ? *v : 0.0};
    }
    *metric = judged;
    return FW_OK;
}
