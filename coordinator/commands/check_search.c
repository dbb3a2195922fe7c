#include "coordinator/commands/check_search.h"

#include <stdio.h>
#include <string.h>

#include "common/core/size.h"
#include "common/project/tree.h"
#include "coordinator/study/space.h"

void coord_search_check(fw_text *errors, const fw_project *p)
{
    FW_AUTO(coord_space) *s = NULL;
    fw_error why = {0};
    if (p->tune.space.n == 0 || fw_project_available(p, &why) < 0) return;         /* that is told by itself */
    if (coord_space_create(&s, p, &why) < 0) fw_text_format(errors, "%s%s", errors->len > 0 ? "\n" : "", why.text);
}

static void add_range(fw_text *out, const coord_param *p)
{
    (void)coord_param_text(out, p, p->low, NULL);
    fw_text_add(out, " .. ");
    (void)coord_param_text(out, p, p->high, NULL);
    if (p->kind == COORD_PARAM_FLOAT ? p->step > 0 : p->step > 1) {
        fw_text_add(out, ", step ");
        fw_yaml_number(out, p->step);
    }
    if (p->kind == COORD_PARAM_INT) fw_text_add(out, ", whole");
    if (p->log) fw_text_add(out, ", log");
}

static void add_choices(fw_text *out, char *const *choice, size_t n, const bool *which)
{
    size_t shown = 0;
    for (size_t i = 0; i < n; i++)
        if (which == NULL || which[i]) fw_text_format(out, "%s%s", shown++ > 0 ? " | " : "", choice[i]);
}

/** "train.learning_rate  0.0001 .. 0.1, log" */
static void print_param(const coord_space *s, size_t i, int width)
{
    const coord_param *p = &s->param[i];
    FW_AUTO(fw_text) text = {0};
    if (p->kind == COORD_PARAM_CATEGORICAL) add_choices(&text, p->choice, p->n_choices, NULL);
    else add_range(&text, p);
    for (size_t k = 0; k < p->n_conditions; k++) {
        const coord_param *parent = &s->param[p->condition[k].parent];
        fw_text_format(&text, "%s%s is ", k == 0 ? "  when " : " and ", parent->name);
        add_choices(&text, parent->choice, parent->n_choices, p->condition[k].choice);
    }
    printf("%-12s%-*s  %s\n", i == 0 ? "space" : "", width, p->name, text.data != NULL ? text.data : "");
}

static void print_pruner(const fw_project *p)
{
    const char *name = p->tune.pruner.name;
    if (strcmp(name, "none") == 0) printf(", no pruner: %llu rounds each", (unsigned long long)p->tune.pruner.max_rounds);
    else printf(", pruner %s from %llu of %llu rounds", name, (unsigned long long)p->tune.pruner.min_rounds, (unsigned long long)p->tune.pruner.max_rounds);
}

static void print_objective(const fw_project *p)
{
    printf("%-12s%s %s", "objective", p->tune.objective.direction, p->tune.objective.metric);
    if (p->tune.objective.folds > 1) printf(", %llu folds", (unsigned long long)p->tune.objective.folds);
    else printf(" on the validation split");
    if (p->tune.objective.seeds > 1) printf(", %llu seeds", (unsigned long long)p->tune.objective.seeds);
    printf("\n");
}

void coord_search_print(const fw_project *p)
{
    FW_AUTO(coord_space) *s = NULL;
    if (p->tune.space.n == 0 || coord_space_create(&s, p, NULL) < 0) return;
    printf("%-12s%llu trials by %s", "search", (unsigned long long)p->tune.trials, p->tune.sampler.name);
    print_pruner(p);
    printf(", seed %llu\n", (unsigned long long)p->tune.seed);
    print_objective(p);
    int width = 0;
    for (size_t i = 0; i < s->n; i++) width = FW_MAX(width, (int)FW_MIN(strlen(s->param[i].name), (size_t)48));
    for (size_t i = 0; i < s->n; i++) print_param(s, i, width);
    if (s->n < p->tune.space.n) printf("%-12s%zu more that no `when` lets in\n", "", p->tune.space.n - s->n);
    const double points = coord_space_points(s);
    if (points > 0) printf("%-12s%.0f points in all\n", "", points);
    FW_FREE char *aliases = fw_project_aliases(p);
    if (aliases != NULL) printf("%-12s%s here\n", "names", aliases);
}
