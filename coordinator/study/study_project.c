/* The first line of a journal, from the project. */
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/study/study_parts.h"

static json_t *sampler_json(const fw_project *p)
{
    return json_pack("{s:s, s:I, s:b}", "name", p->tune.sampler.name, "startup_trials", (json_int_t)p->tune.sampler.startup_trials, "univariate", (int)p->tune.sampler.univariate);
}

static json_t *pruner_json(const fw_project *p)
{
    return json_pack("{s:s, s:I, s:f, s:I, s:f, s:I}", "name", p->tune.pruner.name, "min_rounds", (json_int_t)FW_MAX(p->tune.pruner.min_rounds, (uint64_t)1), "reduction_factor",
                     p->tune.pruner.reduction_factor, "startup_trials", (json_int_t)p->tune.pruner.startup_trials, "percentile", p->tune.pruner.percentile, "keep",
                     (json_int_t)p->tune.pruner.keep);
}

static json_t *objective_json(const fw_project *p)
{
    return json_pack("{s:s, s:s, s:I, s:I}", "metric", p->tune.objective.metric, "direction", p->tune.objective.direction, "folds", (json_int_t)p->tune.objective.folds, "seeds",
                     (json_int_t)p->tune.objective.seeds);
}

fw_status coord_settings_json(json_t **out, const coord_study_opts *opts, fw_error *err)
{
    const fw_project *p = opts->project;
    coord_space *space = NULL;
    FW_FREE char *model = NULL;
    if (p->tune.objective.metric == NULL || p->tune.objective.direction == NULL)
        return fw_fail(err, FW_ERR_CONFIG, "tune.objective: say by which metric the trials are compared, and which direction is better");
    if (opts->lockstep && opts->slots > COORD_MAX_LOCKSTEP)
        return fw_fail(err, FW_ERR_CONFIG, "lockstep: %u trials at a time, and %u is the most; set tune.parallel", opts->slots, COORD_MAX_LOCKSTEP);
    FW_TRY(fw_project_model_part(&model, p, err));
    FW_TRY(coord_space_create(&space, p, err));
    json_t *j = json_pack("{s:s, s:i, s:s, s:s, s:s, s:I, s:b, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:s}", "event", "study", "format", COORD_STUDY_FORMAT, "version", FW_VERSION, "project",
                          p->project, "dataset", opts->dataset_digest, "slots", (json_int_t)opts->slots, "lockstep", (int)opts->lockstep, "trials", (json_int_t)p->tune.trials,
                          "seed", (json_int_t)p->tune.seed, "max_rounds", (json_int_t)(p->tune.pruner.max_rounds > 0 ? p->tune.pruner.max_rounds : p->train.epochs),
                          "max_failed_trials", (json_int_t)p->tune.max_failed_trials, "objective", objective_json(p), "sampler", sampler_json(p), "pruner", pruner_json(p),
                          "space", coord_space_json(space), "model", model);
    coord_space_destroy(&space);
    if (j == NULL) return fw_fail(err, FW_ERR_NOMEM, "study: its settings");
    *out = j;
    return FW_OK;
}
