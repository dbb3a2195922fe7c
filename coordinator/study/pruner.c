#include "coordinator/study/pruner.h"

#include <string.h>

const coord_pruner_kind *const coord_pruners[] = {
    &coord_pruner_none, &coord_pruner_asha, &coord_pruner_hyperband, &coord_pruner_median, &coord_pruner_percentile, &coord_pruner_one_epoch_top_k, NULL,
};

const coord_pruner_kind *coord_pruner_find(const char *name)
{
    for (size_t i = 0; coord_pruners[i] != NULL; i++)
        if (strcmp(coord_pruners[i]->name, name) == 0) return coord_pruners[i];
    return NULL;
}

const char *coord_verdict_on_name(coord_verdict_on v)
{
    static const char *const names[] = {[COORD_GO_ON] = "go_on", [COORD_PAUSE] = "pause", [COORD_PRUNE] = "prune"};
    return names[v];
}
