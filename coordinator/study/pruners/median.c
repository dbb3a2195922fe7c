/** The percentile pruner at 50. */
#include "coordinator/study/pruners/percentile.h"

static fw_status create(void **state, const coord_pruner_opts *opts, fw_error *err)
{
    return coord_percentile_create(state, opts, 50, err);
}

const coord_pruner_kind coord_pruner_median = {
    .name = "median", .help = "ends a trial whose best loss is worse than the median of the complete ones at the same round",
    .create = create, .destroy = coord_percentile_destroy, .milestone = coord_percentile_milestone, .judge = coord_percentile_judge,
    .ended = coord_percentile_ended, .promote = coord_percentile_promote, .settle = coord_percentile_settle,
};
