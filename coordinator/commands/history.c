#include "coordinator/commands/history.h"

#include <stdlib.h>

#include "common/core/size.h"
#include "common/core/text.h"

const char *coord_history_metric(const fw_project *p)
{
    if (p->train.early_stopping.metric != NULL) return p->train.early_stopping.metric;
    return p->problem.task == FW_TASK_REGRESSION ? "rmse" : "log_loss";
}

const double *coord_round_metric(const fw_round_result *r, const char *name)
{
    for (size_t i = 0; i < r->n_validation; i++)
        if (fw_text_equal(r->validation[i].name, name)) return &r->validation[i].value;
    return NULL;
}

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
