/** tune.*: what must hold between the search and the rest of the project, and the defaults that follow from it. */
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/project/rules.h"

static const fw_space_param *searched(const fw_project *p, const char *key)
{
    for (size_t i = 0; i < p->tune.space.n; i++)
        if (fw_text_equal(p->tune.space.v[i].key, key)) return &p->tune.space.v[i];
    return NULL;
}

/** The longest training of a trial, in rounds. */
static uint64_t longest(const fw_project *p)
{
    const fw_space_param *epochs = searched(p, "train.epochs");
    if (epochs == NULL) return p->train.epochs;
    uint64_t most = epochs->choices.n == 0 ? (uint64_t)epochs->high : 0, v = 0;
    for (size_t i = 0; i < epochs->choices.n; i++) {
        const char *text = epochs->choices.v[i];
        if (!fw_parse_uint64(&v, text, strlen(text))) v = p->train.epochs;      /* null */
        most = FW_MAX(most, v);
    }
    return most > 0 ? most : p->train.epochs;
}

static void check_objective(fw_fill *f)
{
    fw_project *p = f->p;
    typeof(p->tune.objective) *o = &p->tune.objective;
    if (((const fw_internal *)p->internal)->clustering) return;
    if (o->metric != NULL) fw_rule_metric(f, "tune.objective.metric", fw_given_near(p, "tune.objective.metric"), false, o->metric, false);
    else if (p->train.early_stopping.metric != NULL) o->metric = p->train.early_stopping.metric;
    else o->metric = fw_fill_text(f, p->problem.task == FW_TASK_CLASSIFICATION ? "log_loss" : "rmse");
    if (o->metric == NULL) return;
    const char *better = fw_metrics_smaller_is_better(o->metric) ? "minimize" : "maximize";
    if (o->direction != NULL && strcmp(o->direction, better) != 0)
        fw_problem(f->problems, fw_given(p, "tune.objective.direction"), false, "tune.objective.direction", "a better %s is a %s one: %s it, or leave this out", o->metric,
                   better[1] == 'i' ? "smaller" : "larger", better);
    o->direction = fw_fill_text(f, better);
    if (p->tune.space.n > 0 && o->folds == 1 && p->data.split.validation <= 0)
        fw_problem(f->problems, fw_given_near(p, "tune.objective.metric"), false, "tune.objective",
                   "needs validation rows, but data.split.validation is 0: give it a share, or set tune.objective.folds, e.g. 5");
    if (o->seeds > 1 && searched(p, "train.seed") != NULL)
        fw_problem(f->problems, fw_given(p, "tune.objective.seeds"), false, "tune.objective.seeds", "trains with several train.seed, which tune.space searches: do one of the two");
}

static void check_pruner(fw_fill *f)
{
    fw_project *p = f->p;
    typeof(p->tune.pruner) *pruner = &p->tune.pruner;
    const uint64_t rounds = longest(p);
    const fw_node *most = fw_given(p, "tune.pruner.max_rounds");
    if (most == NULL) pruner->max_rounds = rounds;
    else if (pruner->max_rounds > rounds)
        fw_problem(f->problems, most, false, "tune.pruner.max_rounds", "%llu is more than train.epochs, %llu: no trial gets there", (unsigned long long)pruner->max_rounds,
                   (unsigned long long)rounds);
    if (!fw_text_equal(pruner->name, "none") && pruner->min_rounds >= pruner->max_rounds && p->tune.space.n > 0)
        fw_problem(f->problems, fw_given_near(p, "tune.pruner.min_rounds"), false, "tune.pruner.min_rounds",
                   "%llu is not below the rounds of a whole trial, %llu: nothing is left to end early; lower it, or set pruner: none",
                   (unsigned long long)pruner->min_rounds, (unsigned long long)pruner->max_rounds);
    if (pruner->keep > p->tune.trials)
        fw_problem(f->problems, fw_given(p, "tune.pruner.keep"), false, "tune.pruner.keep", "%llu is more than tune.trials, %llu", (unsigned long long)pruner->keep,
                   (unsigned long long)p->tune.trials);
}

void fw_rules_tune(fw_fill *f)
{
    check_objective(f);
    check_pruner(f);
}
