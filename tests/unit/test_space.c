/** The space of a search: what is refused and how it is told, order and conditions, the unit interval, and texts that read back as the same bits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "common/core/random.h"
#include "coordinator/study/space.h"

#define BASE  "project: p\nproblem: {task: classification, target: y}\ndata: {tables: {a: a.csv}}\n"
#define SPACE BASE "tune:\n  space:\n"

static coord_space *space_of(const char *yaml, fw_project **p)
{
    coord_space *s = NULL;
    fw_error err = {0};
    if (fw_project_parse(p, yaml, "p.yaml", ".", &err) < 0) fail_msg("%s", err.text);
    if (coord_space_create(&s, *p, &err) < 0) fail_msg("%s", err.text);
    return s;
}

/* ---- what is refused ---- */

static const struct bad { const char *yaml; const char *says[4]; } bad_spaces[] = {
    {SPACE "    train.learnin_rate: {low: 1, high: 2}\n", {"p.yaml:6:5: tune.space: 'train.learnin_rate' is no key of the project file, did you mean 'train.learning_rate'?"}},
    {SPACE "    dropout: {low: 0, high: 0.5}\n", {"'dropout' is no key of the project file, did you mean 'model.dropout'?"}},
    {SPACE "    train: {low: 0, high: 0.5}\n", {"'train' is no key"}},
    {SPACE "    train.epochs.x: {low: 1, high: 5}\n", {"'train.epochs.x' is no key"}},
    {SPACE "    \"\": {low: 1, high: 5}\n", {"'' is no key"}},
    {SPACE "    train.l2: {low: 0.5, high: 0.1}\n", {"p.yaml:6:21: tune.space.train.l2: low 0.5 is above high 0.1"}},
    {SPACE "    train.l2: {low: 0, high: 0.1, log: true}\n", {"tune.space.train.l2: low 0 has no logarithm"}},
    {SPACE "    train.l2: {low: 0.1, high: 1, log: yes}\n", {"log: expected true or false, found 'yes'"}},
    {SPACE "    train.l2: {low: 0.1, high: 1, log: true, step: 0.1}\n", {"p.yaml:6:46: tune.space.train.l2: log and step exclude each other"}},
    {SPACE "    train.l2: {low: 0.1, high: 1, step: 0.4}\n", {"step 0.4 does not lead from low to high: the last value is 0.9"}},
    {SPACE "    train.l2: {low: 0.1, high: 0.2, step: 0.4}\n", {"the last value is 0.1"}},
    {SPACE "    train.l2: {low: 0.1, high: 0.2, step: 0}\n", {"step: expected a number > 0, found '0'"}},
    {SPACE "    train.l2: {low: 0, high: 1, step: 1e-20}\n", {"makes more than 2^53 values"}},
    {SPACE "    train.epochs: {low: 1, high: 10, step: 0.5}\n", {"step: expected a whole number > 0, found '0.5'"}},
    {SPACE "    train.epochs: {low: 1, high: 10, step: 4}\n", {"the last value is 9; make that the high"}},
    {SPACE "    train.epochs: {low: 1.5, high: 10}\n", {"tune.space.train.epochs: expected a whole number, found '1.5'"}},
    {SPACE "    train.epochs: {low: 0, high: 10}\n", {"0 is out of range: must be >= 1"}},
    {SPACE "    model.dropout: {low: 0, high: 1}\n", {"p.yaml:6:35: tune.space.model.dropout: 1 is out of range: must be >= 0 and < 1"}},
    {SPACE "    model.dropout: {low: .nan, high: .inf}\n", {"p.yaml:6:26: tune.space.model.dropout: expected a number, found '.nan'", "found '.inf'"}},
    {SPACE "    model.dropout: {low: null, high: 0.5}\n", {"expected a number, found 'null'"}},
    {SPACE "    model.dropout: {low: 0}\n", {"tune.space.model.dropout: high is missing"}},
    {SPACE "    model.dropout: {}\n", {"low is missing: expected {low, high} or {choices}"}},
    {SPACE "    model.dropout: 0.5\n", {"expected {low, high} or {choices}, found '0.5'"}},
    {SPACE "    model.dropout: {low: 0, hihg: 0.5}\n", {"unknown key 'hihg', did you mean 'high'?"}},
    {SPACE "    model.hidden: {low: 1, high: 64}\n", {"p.yaml:6:5: tune.space.model.hidden: is no number but a list of whole numbers: give choices"}},
    {SPACE "    features.a.clip: {low: 0, high: 1}\n", {"give choices"}},
    {SPACE "    model.hidden: {choices: []}\n", {"p.yaml:6:29: tune.space.model.hidden: choices are empty"}},
    {SPACE "    model.hidden: {choices: 64}\n", {"expected a list of choices, found '64'"}},
    {SPACE "    model.hidden: {choices: [[64], [64, 0]]}\n", {"entry 2, '0', is no whole number >= 1"}},
    {SPACE "    model.hidden: {choices: [[64], [64]]}\n", {"p.yaml:6:36: tune.space.model.hidden: [64] stands twice in the choices"}},
    {SPACE "    train.l2: {choices: [0.1, 0.10]}\n", {"0.1 stands twice in the choices"}},
    {SPACE "    train.l2: {choices: [0.1], low: 0}\n", {"choices and low exclude each other"}},
    {SPACE "    train.optimizer: {choices: [adma]}\n", {"'adma' is none of sgd, adam, adamw: did you mean 'adam'?"}},
    {SPACE "    features.a.scale: {choices: [{standard: 1}]}\n", {"expected a word, found a map"}},
    {SPACE "    features.a.scale: {choices: [none]}\n    features.\"a\".scale: {choices: [none]}\n", {"p.yaml:7:5", "is searched twice, also in line 6"}},
    {SPACE "    features.a=b.scale: {choices: [none]}\n", {"can't be searched: its path has an '='"}},
    {SPACE "    features.a.type: {choices: [number]}\n", {"tune.space.features.a.type: shapes the dataset"}},
    {SPACE "    data.split.seed: {low: 1, high: 9}\n", {"p.yaml:6:5: tune.space.data.split.seed: shapes the dataset: each value would need one of its own"}},
    {SPACE "    problem.target: {choices: [a, b]}\n", {"shapes the dataset"}},
    {SPACE "    tune.trials: {low: 1, high: 9}\n", {"tune.space.tune.trials: belongs to the search itself"}},
    {SPACE "    goal.statement: {choices: [a]}\n", {"does not shape the model"}},
    {SPACE "    train.checkpoint.every: {choices: [5 s]}\n", {"does not shape the model"}},
    {SPACE "    select.keep: {low: 1, high: 2}\n", {"is used by no command of this version"}},
    {BASE "tune: {space: {}}\n", {"p.yaml:4:15: tune.space: is empty"}},
    {BASE "tune: {trials: 3}\n", {"p.yaml:4:7: tune.space: is missing"}},
    /* conditions */
    {SPACE "    model.dropout: {low: 0, high: 0.5, when: {model.lerner: mlp}}\n", {"p.yaml:6:47: tune.space.model.dropout: when: 'model.lerner' is no key of the project file, did you mean 'model.learner'?"}},
    {SPACE "    model.dropout: {low: 0, high: 0.5, when: {train.l2: 0}}\n    train.l2: {low: 0, high: 1}\n", {"when: train.l2 has a range and no choices"}},
    {SPACE "    model.dropout: {low: 0, high: 0.5, when: {model.learner: lniear}}\n    model.learner: {choices: [mlp]}\n", {"'lniear' is none of linear, mlp"}},
    {SPACE "    model.dropout: {low: 0, high: 0.5, when: {model.hidden: [8]}}\n    model.hidden: {choices: [[64], [64, 8]]}\n", {"when: [8] is no choice of model.hidden ([64], [64, 8])"}},
    {SPACE "    model.dropout: {low: 0, high: 0.5, when: mlp}\n", {"expected conditions, e.g. when: {model.learner: mlp}, found 'mlp'"}},
    {SPACE "    model.dropout: {low: 0, high: 0.5, when: {}}\n", {"when: no condition is named"}},
    {SPACE "    model.dropout: {low: 0, high: 0.5, when: {model.learner: []}}\n", {"when: no value is named for model.learner"}},
    {SPACE "    model.dropout: {low: 0, high: 0.5, when: {model.learner: [mlp, mlp]}}\n", {"when: mlp stands twice"}},
    {SPACE "    model.learner: {choices: [mlp], when: {model.learner: mlp}}\n", {"when: depends on itself"}},
    {SPACE "    model.learner: {choices: [mlp], when: {train.optimizer: adam}}\n    train.optimizer: {choices: [adam], when: {model.activation: relu}}\n"
           "    model.activation: {choices: [relu], when: {model.learner: mlp}}\n",
     {"conditions run in a circle: model.learner needs train.optimizer needs model.activation needs model.learner"}},
    {SPACE "    model.dropout: {low: 0, high: 0.5, when: {train.optimizer: sgd, model.activation: tanh}}\n    train.optimizer: {choices: [adam, sgd]}\n"
           "    model.activation: {choices: [relu, tanh], when: {train.optimizer: adam}}\n",
     {"p.yaml:6:5: tune.space.model.dropout: when: its conditions exclude each other"}},
    {SPACE "    model.dropout: {low: 0, high: 0.5, when: {model.learner: linear}}\n", {"p.yaml:6:5: tune.space: nothing is left: no `when` holds"}},
    /* points that are no projects */
    {SPACE "    train.optimizer: {choices: [adam, sgd]}\n    train.momentum: {low: 0, high: 0.9}\n",
     {"p.yaml:7:5: tune.space.train.momentum: has no effect with train.optimizer: adam; it is for: sgd", "give the key that depends on the other a `when`"}},
    {SPACE "    model.learner: {choices: [mlp, gbdt]}\n", {"p.yaml:6:5: tune.space.model.learner: gbdt is not available in this version"}},
    {SPACE "    train.schedule.warmup_epochs: {low: 0, high: 30}\n", {"tune.space.train.schedule.warmup_epochs: is longer than train.epochs, 20"}},
    {SPACE "    features.b.scale: {choices: [none]}\nfeatures: {a: number}\n", {"tune.space.features.b.scale: none can't be trained: it needs another dataset"}},
    /* tune.* itself */
    {BASE "tune: {sampler: tpo}\n", {"p.yaml:4:17: tune.sampler.name: 'tpo' is none of auto, random, grid, sobol, tpe, gp, cmaes: did you mean 'tpe'?"}},
    {BASE "tune: {pruner: {name: median, reduction_factor: 3}}\n", {"tune.pruner.reduction_factor: has no effect with tune.pruner.name: median"}},
    {BASE "tune: {pruner: {name: asha, reduction_factor: 1}}\n", {"1 is out of range: must be >= 1.1"}},
    {BASE "tune: {pruner: {name: asha, max_t: 3, max_rounds: 3}}\n", {"tune.pruner.max_t: is another name of 'max_rounds', which stands here too"}},
    {BASE "tune: {pruner: {max_t: 30}}\n", {"p.yaml:4:24: tune.pruner.max_rounds: 30 is more than train.epochs, 20"}},
    {SPACE "    train.l2: {low: 0, high: 1}\n  pruner: {name: asha, grace_period: 20}\n", {"tune.pruner.min_rounds: 20 is not below the rounds of a whole trial, 20"}},
    {BASE "tune: {trials: 5, pruner: {name: one_epoch_top_k, keep: 6}}\n", {"tune.pruner.keep: 6 is more than tune.trials, 5"}},
    {BASE "tune: {objective: {metric: rmse}}\n", {"p.yaml:4:28: tune.objective.metric: 'rmse' is no metric of this task"}},
    {BASE "tune: {objective: {metric: \"f1:a\"}}\n", {"'f1:a' is no metric of this task"}},
    {BASE "tune: {objective: {metric: accuracy, direction: minimize}}\n", {"tune.objective.direction: a better accuracy is a larger one: maximize it"}},
    {"project: p\nproblem: {task: classification, target: y}\ndata: {tables: {a: a.csv}, split: {train: 0.9, validation: 0, test: 0.1}}\ntune: {space: {train.l2: {low: 0, high: 1}}}\n",
     {"tune.objective: needs validation rows, but data.split.validation is 0"}},
    {SPACE "    train.seed: {low: 0, high: 1}\n  objective: {seeds: 2}\n", {"tune.objective.seeds: trains with several train.seed, which tune.space searches"}},
    {BASE "tune: {timeout: 2}\n", {"tune.timeout: expected a time with its unit"}},
};

static void bad_spaces_are_refused_with_place_and_reason(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad_spaces / sizeof *bad_spaces; i++) {
        fw_project *p = NULL;
        coord_space *s = NULL;
        fw_error err = {0};
        fw_status status = fw_project_parse(&p, bad_spaces[i].yaml, "p.yaml", ".", &err);
        if (status == FW_OK) status = coord_space_create(&s, p, &err);
        if (status != FW_ERR_CONFIG) fail_msg("taken:\n%s", bad_spaces[i].yaml);
        for (size_t k = 0; k < 4 && bad_spaces[i].says[k] != NULL; k++)
            if (strstr(err.text, bad_spaces[i].says[k]) == NULL) fail_msg("%s\nshould say: %s\nsays: %s", bad_spaces[i].yaml, bad_spaces[i].says[k], err.text);
        fw_project_destroy(&p);
    }
}

static void all_problems_are_told_together_in_the_order_of_the_file(void **state)
{
    (void)state;
    fw_project *p = NULL;
    fw_error err = {0};
    assert_int_equal(fw_project_parse(&p, SPACE "    train.l2: {low: 2, high: 1}\n    train.l1: {choices: []}\ntrain: {epochs: 0}\n", "p.yaml", ".", &err), FW_ERR_CONFIG);
    const char *a = strstr(err.text, "6:21: tune.space.train.l2"), *b = strstr(err.text, "7:25: tune.space.train.l1"), *c = strstr(err.text, "8:17: train.epochs");
    assert_true(a != NULL && b != NULL && c != NULL && a < b && b < c);
}

static void more_parameters_or_choices_than_there_can_be_are_refused(void **state)
{
    (void)state;
    FW_AUTO(fw_text) params = {0}, choices = {0};
    fw_text_add(&params, SPACE);
    fw_text_add(&choices, SPACE "    train.epochs: {choices: [1");
    for (int i = 0; i <= COORD_MAX_PARAMS; i++) fw_text_format(&params, "    features.c%d.scale: {choices: [none, standard]}\n", i);
    for (int i = 2; i <= COORD_MAX_CHOICES + 1; i++) fw_text_format(&choices, ", %d", i);
    fw_text_add(&choices, "]}\n");
    fw_project *p = NULL;
    fw_error err = {0};
    assert_int_equal(fw_project_parse(&p, params.data, "p.yaml", ".", &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "101 parameters: at most 100"));
    assert_int_equal(fw_project_parse(&p, choices.data, "p.yaml", ".", &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "1001 choices: at most 1000"));
}

/* ---- what is taken ---- */

#define WIDE SPACE                                                                                                                     \
    "    model.hidden: {choices: [[32], [64, 32]], when: {model.learner: mlp}}\n"                                                       \
    "    model.learner: {choices: [linear, mlp]}\n"                                                                                    \
    "    train.learning_rate: {low: 1.0e-4, high: 1.0e-1, log: true}\n"                                                                 \
    "    train.global_batch_size: {low: 16, high: 1024, log: true}\n"                                                                   \
    "    train.l2: {low: 0.1, high: 0.9, step: 0.1}\n"                                                                                 \
    "    train.l1: {low: 0.5, high: 0.5}\n"                                                                                            \
    "    train.epochs: {low: 5, high: 20, step: 5}\n"                                                                                  \
    "    train.weight_decay: {low: 0, high: 0.3}\n"                                                                                    \
    "    train.momentum: {low: 0, high: 0.9, when: {train.optimizer: sgd, train.schedule: [step, cosine]}}\n"                           \
    "    train.optimizer: {choices: [adam, sgd]}\n"                                                                                    \
    "    train.schedule: {choices: [constant, cosine]}\n"                                                                              \
    "    train.class_weights.spam: {low: 1, high: 10, log: true, when: {data.bad_rows: error}}\n"                                       \
    "    features.\"a.scale\".scale: {choices: [none, minmax]}\n"                                                                      \
    "    features.sepal.length.clip: {choices: [null, [0.01, 0.99]]}\n"                                                                \
    "    features.c.missing: {choices: [{constant: 0}, median]}\n"                                                                      \
    "    model.dropout: {low: 0, high: 0.5, when: {problem.task: regression}}\n"
#define GOOD WIDE "features: {\"*\": auto, c: {type: number}}\n"

static size_t at(const coord_space *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->param[i].name, name) == 0) return i;
    fail_msg("no parameter %s", name);
    return 0;
}

static void parents_stand_first_and_conditions_on_other_keys_are_judged_at_once(void **state)
{
    (void)state;
    fw_project *p = NULL;
    fw_error err = {0};
    /* step is no choice of the schedule, which is searched */
    assert_int_equal(fw_project_parse(&p, GOOD, "p.yaml", ".", &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "when: step is no choice of train.schedule.kind (constant, cosine)"));
    FW_AUTO(fw_text) yaml = {0};
    const char *cut = strstr(GOOD, "[step, cosine]");
    fw_text_add_bytes(&yaml, GOOD, (size_t)(cut - GOOD));
    fw_text_format(&yaml, "cosine%s", cut + strlen("[step, cosine]"));
    coord_space *s = space_of(yaml.data, &p);
    assert_int_equal(s->n, 15);                                /* model.dropout is out: this is no regression */
    assert_true(at(s, "model.learner") < at(s, "model.hidden") && at(s, "train.optimizer") < at(s, "train.momentum"));
    assert_true(at(s, "train.learning_rate") < at(s, "train.global_batch_size"));
    assert_int_equal(s->param[at(s, "train.class_weights.spam")].n_conditions, 0);
    assert_int_equal(s->param[at(s, "train.momentum")].n_conditions, 2);
    assert_true(coord_space_conditional(s));
    assert_true(coord_space_points(s) == 0);                   /* a continuum */
    (void)at(s, "features.\"a.scale\".scale");
    (void)at(s, "features.\"sepal.length\".clip");
    const coord_param *epochs = &s->param[at(s, "train.epochs")], *l2 = &s->param[at(s, "train.l2")];
    assert_true(epochs->kind == COORD_PARAM_INT && epochs->step == 5 && coord_param_values(epochs) == 4 && coord_param_values(l2) == 9);
    assert_int_equal(p->tune.pruner.max_rounds, 20);
    coord_space_destroy(&s);
    fw_project_destroy(&p);
}

static void masked_points_hold_and_others_do_not(void **state)
{
    (void)state;
    fw_project *p = NULL;
    coord_space *s = space_of(SPACE "    model.hidden: {choices: [[8], [9]], when: {model.learner: mlp}}\n    model.learner: {choices: [linear, mlp]}\n"
                                    "    model.activation: {choices: [relu, tanh, gelu], when: {model.hidden: [[9], [8]]}}\n    train.epochs: {low: 2, high: 8, step: 3}\n    train.l2: {low: 0.1, high: 0.7, step: 0.2}\n", &p);
    assert_string_equal(s->param[0].name, "model.learner");
    double x[] = {1, 0, 2, 5, 0.5}, y[5];
    assert_true(coord_space_holds(s, x));
    assert_true(coord_space_points(s) == (1 + 2 * 3) * 3 * 4);
    memcpy(y, x, sizeof x);
    y[0] = 0;
    assert_false(coord_space_holds(s, y));
    coord_space_mask(s, y);
    assert_true(isnan(y[1]) && isnan(y[2]) && y[3] == 5 && coord_space_holds(s, y));
    assert_true(coord_space_same(s, y, y) && !coord_space_same(s, x, y));
    const struct { size_t i; double v; } wrong[] = {{0, 2}, {0, 0.5}, {0, -1}, {0, NAN}, {3, 4}, {3, 1}, {3, 11}, {4, 0.6}, {4, 0.30000000000000004}, {4, INFINITY}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        memcpy(y, x, sizeof x);
        y[wrong[i].i] = wrong[i].v;
        assert_false(coord_space_holds(s, y));
    }
    coord_space_destroy(&s);
    fw_project_destroy(&p);
}

/** Points of a conditional space counted against their enumeration. */
static double enumerate(const coord_space *s, double *x, size_t i)
{
    if (i == s->n) return 1;
    x[i] = NAN;
    if (!coord_space_active(s, x, i)) return enumerate(s, x, i + 1);
    double sum = 0;
    for (double k = 0; k < coord_param_values(&s->param[i]); k++) {
        x[i] = s->param[i].kind == COORD_PARAM_CATEGORICAL ? k : s->param[i].low + k * s->param[i].step;
        sum += enumerate(s, x, i + 1);
    }
    return sum;
}

static void points_of_conditional_spaces_are_counted_without_repeats(void **state)
{
    (void)state;
    fw_project *p = NULL;
    coord_space *s = space_of(SPACE "    train.optimizer: {choices: [adam, sgd]}\n    model.learner: {choices: [linear, mlp]}\n    model.hidden: {choices: [[8], [9], [7]], when: {model.learner: mlp}}\n"
                                    "    model.activation: {choices: [relu, tanh], when: {model.hidden: [[9], [8]], train.optimizer: adam}}\n    train.seed: {low: 1, high: 5}\n"
                                    "    features.a.scale: {choices: [none, minmax]}\n    features.b.scale: {choices: [none, minmax], when: {features.a.scale: none}}\n", &p);
    double x[7];
    assert_true(coord_space_points(s) == enumerate(s, x, 0) && coord_space_points(s) == (2 * (1 + 2) + 4) * 5 * 3);
    coord_space_destroy(&s);
    fw_project_destroy(&p);
    FW_AUTO(fw_text) yaml = {0};
    fw_text_add(&yaml, SPACE);
    for (int i = 0; i < 60; i++) fw_text_format(&yaml, "    features.c%d.scale: {choices: [none, standard]}\n", i);
    s = space_of(yaml.data, &p);
    assert_true(coord_space_points(s) == 0);                   /* more than 2^53 */
    coord_space_destroy(&s);
    fw_project_destroy(&p);
}

/* ---- the unit interval, and texts ---- */

static coord_space *all_kinds(fw_project **p)
{
    return space_of(SPACE "    train.learning_rate: {low: 1.0e-5, high: 0.5, log: true}\n    train.l1: {low: 0.25, high: 3}\n    train.l2: {low: 0.1, high: 0.9, step: 0.1}\n"
                          "    train.epochs: {low: 3, high: 17}\n    train.global_batch_size: {low: 1, high: 4096, log: true}\n    train.seed: {low: 0, high: 9007199254740992}\n"
                          "    model.hidden: {choices: [[8], [9], [64, 32]]}\n    train.weight_decay: {low: 0.5, high: 0.5}\n    train.epsilon: {low: 0.001, high: 0.021, step: 0.005}\n", p);
}

static void the_unit_interval_and_the_values_are_each_others_inverse(void **state)
{
    (void)state;
    fw_project *p = NULL;
    coord_space *s = all_kinds(&p);
    for (size_t i = 0; i < s->n; i++) {
        const coord_param *a = &s->param[i];
        const double n = coord_param_values(a);
        double last = -INFINITY;
        for (int k = 0; k <= 2000; k++) {
            const double u = k / 2000.0, v = coord_param_from_unit(a, u), back = coord_param_to_unit(a, v), again = coord_param_from_unit(a, back);
            assert_true(v >= last && back >= 0 && back <= 1);
            last = v;
            if (n > 1e15) continue;                            /* more values than a double has between 0 and 1 */
            if (n > 0 && a->kind != COORD_PARAM_FLOAT) assert_true(again == v);
            else assert_true(fabs(again - v) <= 1e-13 * fabs(v));          /* a logarithm and back: some ulp */
            if (a->kind == COORD_PARAM_FLOAT && a->step > 0) assert_true(again == v);
            if (n == 0 || n > 2000) assert_true(fabs(back - u) < (a->kind == COORD_PARAM_INT && a->log ? 0.1 : 1e-12));
        }
        if (a->kind != COORD_PARAM_CATEGORICAL) assert_true(coord_param_from_unit(a, -1) == a->low && coord_param_from_unit(a, 2) == a->high && coord_param_from_unit(a, 1) == a->high);
        assert_true(isnan(coord_param_to_unit(a, NAN)) && isnan(coord_param_from_unit(a, NAN)));
    }
    coord_space_destroy(&s);
    fw_project_destroy(&p);
}

/** 90,000 even draws: a cell of share q gets 90,000 q +- 5 sqrt(90,000 q) (a false alarm in 1.7 million). */
static void cells_have_the_width_that_is_promised(void **state)
{
    (void)state;
    fw_project *p = NULL;
    coord_space *s = all_kinds(&p);
    const struct { const char *name; double value, share; } cells[] = {
        {"train.l2", 0.1, 1.0 / 9}, {"train.l2", 0.9, 1.0 / 9}, {"train.l2", 0.3, 1.0 / 9}, {"train.epochs", 3, 1.0 / 15}, {"train.epochs", 17, 1.0 / 15},
        {"model.hidden", 2, 1.0 / 3}, {"train.global_batch_size", 1, 1.0986122886681098 / 9.01103548}, {"train.epsilon", 0.016, 0.2}, {"train.weight_decay", 0.5, 1},
    };
    for (size_t c = 0; c < sizeof cells / sizeof *cells; c++) {
        const coord_param *a = &s->param[at(s, cells[c].name)];
        size_t hits = 0;
        for (uint64_t k = 0; k < 90000; k++) hits += coord_param_from_unit(a, fw_random_unit(fw_random(1, FW_RANDOM_TEST, (uint32_t)c, k, 0))) == cells[c].value;
        if (fabs((double)hits - 90000 * cells[c].share) > 5 * sqrt(90000 * cells[c].share)) fail_msg("%s %g: %zu hits", cells[c].name, cells[c].value, hits);
    }
    coord_space_destroy(&s);
    fw_project_destroy(&p);
}

/** What a parameter's value is in a project that was read with its text. */
static double read_back(const fw_project *p, const coord_param *a)
{
    const struct { const char *name; double v; } fields[] = {
        {"train.learning_rate", p->train.learning_rate}, {"train.l1", p->train.l1}, {"train.l2", p->train.l2}, {"train.epochs", (double)p->train.epochs},
        {"train.global_batch_size", (double)p->train.global_batch_size}, {"train.seed", (double)p->train.seed}, {"train.weight_decay", p->train.weight_decay},
        {"train.epsilon", p->train.epsilon}, {"model.hidden", p->model.hidden.v[0] == 8 ? 0 : p->model.hidden.v[0] == 9 ? 1 : 2},
    };
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (strcmp(fields[i].name, a->name) == 0) return fields[i].v;
    return NAN;
}

static void texts_read_back_as_the_same_bits(void **state)
{
    (void)state;
    fw_project *p = NULL;
    coord_space *s = all_kinds(&p);
    for (uint64_t k = 0; k < 200; k++) {
        char *list[16];
        double x[16];
        for (size_t i = 0; i < s->n; i++) {
            x[i] = coord_param_from_unit(&s->param[i], fw_random_unit(fw_random(2, FW_RANDOM_TEST, 0, k, (uint32_t)i)));
            FW_AUTO(fw_text) text = {0};
            assert_int_equal(coord_param_override(&text, &s->param[i], x[i], NULL), FW_OK);
            list[i] = fw_text_take(&text);
        }
        fw_project *with = NULL;
        fw_error err = {0};
        if (fw_project_with(&with, p, (const char *const *)list, s->n, &err) < 0) fail_msg("%s", err.text);
        for (size_t i = 0; i < s->n; i++) {
            if (!(read_back(with, &s->param[i]) == x[i])) fail_msg("%s", list[i]);
            free(list[i]);
        }
        fw_project_destroy(&with);
    }
    FW_AUTO(fw_text) text = {0};
    assert_int_equal(coord_param_override(&text, &s->param[0], NAN, NULL), FW_ERR_ARG);
    fw_text_clear(&text);
    assert_int_equal(coord_param_text(&text, &s->param[at(s, "train.l2")], coord_param_from_unit(&s->param[at(s, "train.l2")], 0.25), NULL), FW_OK);
    assert_string_equal(text.data, "0.3");                     /* not 0.30000000000000004 */
    coord_space_destroy(&s);
    fw_project_destroy(&p);
}

static void the_resolved_project_has_the_same_space(void **state)
{
    (void)state;
    fw_project *p = NULL, *q = NULL;
    char *once = NULL, *twice = NULL;
    fw_error err = {0};
    coord_space *s = all_kinds(&p), *t = NULL;
    assert_int_equal(fw_project_resolved(&once, p, &err), FW_OK);
    if (fw_project_parse(&q, once, "r.yaml", ".", &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(fw_project_resolved(&twice, q, &err), FW_OK);
    assert_string_equal(once, twice);
    if (coord_space_create(&t, q, &err) < 0) fail_msg("%s", err.text);
    assert_int_equal(s->n, t->n);
    for (size_t i = 0; i < s->n; i++) {
        const coord_param *a = &s->param[i], *b = &t->param[i];
        assert_string_equal(a->name, b->name);
        assert_true(a->kind == b->kind && a->low == b->low && a->high == b->high && a->step == b->step && a->log == b->log && a->n_choices == b->n_choices);
    }
    free(once);
    free(twice);
    coord_space_destroy(&s);
    coord_space_destroy(&t);
    fw_project_destroy(&p);
    fw_project_destroy(&q);
}

/** Of p with these keys set, and of what p's text gives when they are set in it: the same project. */
static void assert_given_is_enough(const fw_project *p, const char *given, const char *const *list, size_t n)
{
    fw_project *with = NULL, *q = NULL, *again = NULL;
    char *here = NULL, *there = NULL;
    fw_error err = {0};
    if (fw_project_with(&with, p, list, n, &err) < 0 || fw_project_parse(&q, given, "given", ".", &err) < 0 || fw_project_with(&again, q, list, n, &err) < 0)
        fail_msg("%s", err.text);
    assert_int_equal(fw_project_resolved(&here, with, &err), FW_OK);
    assert_int_equal(fw_project_resolved(&there, again, &err), FW_OK);
    assert_string_equal(here, there);
    free(here);
    free(there);
    fw_project_destroy(&with);
    fw_project_destroy(&q);
    fw_project_destroy(&again);
}

static void what_was_given_and_the_point_are_the_trials_project(void **state)
{
    (void)state;
    static const char *const files[] = {
        "model: {hidden: [64, 32], dropout: 0.1}\ntrain: {optimizer: sgd, momentum: 0.9, epochs: 7}\n",
        "model: {learner: mlp}\ntrain: {optimizer: adam, checkpoint: 30 s}\nfeatures: {\"*\": auto, \"a.b\": {type: category, min_count: 3}, \"no\": ignore}\n",
        "goal: {statement: \"null: '~' and \\\"it\\\"\"}\nmodel:\ntrain:\nevaluate: {fairness: {attributes: [\"12\", \"yes\"]}}\n",
    };
    static const char *const points[][3] = {{"model.learner=linear", "train.optimizer=adam", "train.epochs=3"}, {"model.learner=mlp", "model.hidden=[9]", "train.optimizer=sgd"},
                                            {"model.learner=mlp", "train.learning_rate=1.0e-05", "train.seed=12"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        fw_project *p = NULL;
        char *given = NULL, yaml[2000];
        snprintf(yaml, sizeof yaml, "%s%s", SPACE "    model.learner: {choices: [mlp, linear]}\n    model.hidden: {choices: [[8], [9]], when: {model.learner: mlp}}\n"
                                            "    train.optimizer: {choices: [adam, sgd]}\n", files[i]);
        coord_space *s = space_of(yaml, &p);
        assert_int_equal(fw_project_given(&given, p, NULL), FW_OK);
        for (size_t k = 0; k < sizeof points / sizeof *points; k++) assert_given_is_enough(p, given, points[k], 3);
        free(given);
        coord_space_destroy(&s);
        fw_project_destroy(&p);
    }
}

static void keys_of_the_file_that_a_choice_makes_meaningless_are_left_out(void **state)
{
    (void)state;
    fw_project *p = NULL, *q = NULL;
    fw_error err = {0};
    coord_space *s = space_of(SPACE "    model.learner: {choices: [mlp, linear]}\n    model.hidden: {choices: [[8], [9]], when: {model.learner: mlp}}\n    train.optimizer: {choices: [adam, sgd]}\n"
                                    "model: {hidden: [64, 32], dropout: 0.1}\ntrain: {optimizer: sgd, momentum: 0.9}\n", &p);
    if (fw_project_with(&q, p, (const char *const[]){"model.learner=linear", "train.optimizer=adam"}, 2, &err) < 0) fail_msg("%s", err.text);
    char *text = NULL;
    assert_int_equal(fw_project_resolved(&text, q, &err), FW_OK);
    assert_null(strstr(text, "dropout"));
    assert_null(strstr(text, "momentum"));
    free(text);
    fw_project_destroy(&q);
    assert_int_equal(fw_project_with(&q, p, (const char *const[]){"model.learner=mlp", "train.optimizer=sgd"}, 2, &err), FW_OK);
    assert_true(q->model.dropout == 0.1 && q->train.momentum == 0.9 && p->model.hidden.v[0] == 64);
    fw_project_destroy(&q);
    assert_int_equal(fw_project_with(&q, p, (const char *const[]){"model.learner=linear", "model.dropout=0.2"}, 2, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "trial: model.dropout: has no effect with model.learner: linear"));
    coord_space_destroy(&s);
    fw_project_destroy(&p);
}

static void other_names_of_keys_are_taken_and_told(void **state)
{
    (void)state;
    fw_project *p = NULL, *q = NULL;
    fw_error err = {0};
    assert_int_equal(fw_project_parse(&p, BASE "tune: {pruner: {name: asha, grace_period: 2, max_t: 9}}\n", "p.yaml", ".", &err), FW_OK);
    assert_true(p->tune.pruner.min_rounds == 2 && p->tune.pruner.max_rounds == 9);
    char *names = fw_project_aliases(p);
    assert_string_equal(names, "tune.pruner.grace_period is min_rounds, tune.pruner.max_t is max_rounds");
    free(names);
    assert_int_equal(fw_project_with(&q, p, (const char *const[]){"tune.pruner.max_t=7"}, 1, &err), FW_OK);
    assert_int_equal(q->tune.pruner.max_rounds, 7);
    fw_project_destroy(&p);
    fw_project_destroy(&q);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bad_spaces_are_refused_with_place_and_reason),
        cmocka_unit_test(all_problems_are_told_together_in_the_order_of_the_file),
        cmocka_unit_test(more_parameters_or_choices_than_there_can_be_are_refused),
        cmocka_unit_test(parents_stand_first_and_conditions_on_other_keys_are_judged_at_once),
        cmocka_unit_test(masked_points_hold_and_others_do_not),
        cmocka_unit_test(points_of_conditional_spaces_are_counted_without_repeats),
        cmocka_unit_test(the_unit_interval_and_the_values_are_each_others_inverse),
        cmocka_unit_test(cells_have_the_width_that_is_promised),
        cmocka_unit_test(texts_read_back_as_the_same_bits),
        cmocka_unit_test(the_resolved_project_has_the_same_space),
        cmocka_unit_test(what_was_given_and_the_point_are_the_trials_project),
        cmocka_unit_test(keys_of_the_file_that_a_choice_makes_meaningless_are_left_out),
        cmocka_unit_test(other_names_of_keys_are_taken_and_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
