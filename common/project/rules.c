/** What must hold between keys, once all values are in; and the defaults that depend on other keys. */
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/project/kinds.h"
#include "common/project/rules.h"
#include "common/stats/quality.h"

/* ---- where things stand ---- */

const fw_node *fw_given(const fw_project *p, const char *path)
{
    const fw_node *node = ((const fw_internal *)p->internal)->tree;
    while (node != NULL && *path != '\0') {
        char part[64];
        size_t len = FW_MIN(strcspn(path, "."), sizeof part - 1);
        memcpy(part, path, len);
        part[len] = '\0';
        path += len + (path[len] == '.');
        node = fw_node_child(node, part);
    }
    return node != NULL && !fw_node_is_null(node) ? node : NULL;
}

const fw_node *fw_given_near(const fw_project *p, const char *path)
{
    char up[128];
    snprintf(up, sizeof up, "%s", path);
    for (;;) {
        const fw_node *node = fw_given(p, up);
        char *dot = strrchr(up, '.');
        if (node != NULL || dot == NULL) return node;
        *dot = '\0';
    }
}

bool fw_strings_have(const fw_strings *list, const char *text)
{
    for (size_t i = 0; i < list->n; i++)
        if (strcmp(list->v[i], text) == 0) return true;
    return false;
}

/* ---- keys that mean something only with others ---- */

bool fw_key_applies(const fw_key *key, const fw_project *p, const void *element, bool *failed)
{
    if (key->when == NULL) return true;
    size_t len = strcspn(key->when, " ");
    char path[64];
    snprintf(path, sizeof path, "%.*s", (int)len, key->when);
    const fw_key *other = fw_key_find(path);
    FW_AUTO(fw_text) value = {0};
    if (!fw_key_kinds[other->form].write(&value, other, strchr(path, '*') != NULL ? element : p)) return false;
    if (value.failed) {
        *failed = true;
        return false;
    }
    for (const char *w = key->when + len; *w != '\0';) {
        w += strspn(w, " ");
        size_t n = strcspn(w, " ");
        if (n == value.len && strncmp(w, value.data, n) == 0) return true;
        w += n;
    }
    return false;
}

static void meaningless(fw_fill *f, const fw_key *key, const char *path, const fw_node *node, const void *element)
{
    size_t len = strcspn(key->when, " ");
    char other[64];
    snprintf(other, sizeof other, "%.*s", (int)len, key->when);
    const fw_key *deciding = fw_key_find(other);
    FW_AUTO(fw_text) value = {0};
    (void)fw_key_kinds[deciding->form].write(&value, deciding, element != NULL ? element : (const void *)f->p);
    fw_problem(f->problems, node, true, path, "has no effect with %s: %s; it is for:%s. Remove it, or change %s", element != NULL ? "type" : other,
               value.len > 0 ? value.data : "nothing", key->when + len, element != NULL ? "the type" : other);
}

/** Whether a search chose the value that makes a key of the file mean nothing: the key is for its other choices, and this trial goes without. */
static bool is_for_other_trials(const fw_project *p, const fw_key *key, const fw_node *node)
{
    char other[64];
    snprintf(other, sizeof other, "%.*s", (int)strcspn(key->when, " "), key->when);
    const fw_node *deciding = fw_given(p, other);
    return node->origin != FW_FROM_TRIAL && deciding != NULL && deciding->origin == FW_FROM_TRIAL;
}

static void check_meaning(fw_fill *f)
{
    const fw_key *features = fw_key_find("features");
    for (size_t i = 0; i < fw_n_keys; i++) {
        const fw_key *key = &fw_keys[i];
        if (key->when == NULL || strchr(key->path, '*') != NULL) continue;
        const fw_node *node = fw_given(f->p, key->path);
        if (node != NULL && !fw_key_applies(key, f->p, NULL, &f->out_of_memory) && !is_for_other_trials(f->p, key, node)) meaningless(f, key, key->path, node, NULL);
    }
    for (size_t i = 0; i < f->p->features.n; i++) {
        const fw_feature_spec *spec = &f->p->features.v[i];
        const fw_node *entry = fw_node_child(fw_given(f->p, "features"), spec->column);
        for (size_t j = 0; entry != NULL && entry->kind == FW_TREE_MAP && j < entry->n; j++) {
            const fw_key *key = fw_key_below(features, entry->child[j]->key);
            FW_AUTO(fw_text) path = {0};
            fw_text_format(&path, "features.%s.%s", spec->column, entry->child[j]->key);
            if (key != NULL && !fw_node_is_null(entry->child[j]) && !fw_key_applies(key, f->p, spec, &f->out_of_memory))
                meaningless(f, key, path.data, entry->child[j], spec);
        }
    }
}

/* ---- problem ---- */

void fw_rule_metric(fw_fill *f, const char *path, const fw_node *node, bool at_key, const char *metric, bool by_class)
{
    static const char *const of_classes[] = {"precision", "recall", "f1", "auc", "average_precision"};
    const char *const *names = fw_metrics_names(f->p->problem.task);
    size_t len = strcspn(metric, ":"), n = 0;
    for (; names[n] != NULL; n++)
        if (strcmp(names[n], metric) == 0) return;
    for (size_t i = 0; by_class && metric[len] == ':' && f->p->problem.task == FW_TASK_CLASSIFICATION && i < 5; i++)
        if (strlen(of_classes[i]) == len && strncmp(of_classes[i], metric, len) == 0) return;
    FW_AUTO(fw_text) list = {0};
    for (size_t i = 0; i < n; i++) fw_text_format(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
    const char *near = fw_did_you_mean(metric, names, n);
    fw_problem(f->problems, node, at_key, path, "'%.60s' is no metric of this task (%s)%s%s%s", metric, list.data,
               near != NULL ? ": did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
}

static void check_problem(fw_fill *f)
{
    const fw_project *p = f->p;
    bool clustering = ((const fw_internal *)p->internal)->clustering, classes = p->problem.task == FW_TASK_CLASSIFICATION;
    const fw_node *gates = fw_given(p, "problem.success"), *positive = fw_given(p, "problem.positive");
    if (p->problem.target == NULL && !clustering)
        fw_problem(f->problems, fw_given(p, "problem"), true, "problem.target", "is missing: the column to predict");
    if (positive != NULL && !classes) fw_problem(f->problems, positive, true, "problem.positive", "has no effect: only a classification has classes");
    for (size_t i = 0; i < p->problem.n_success && !clustering; i++)
        fw_rule_metric(f, "problem.success", fw_node_child(gates, p->problem.success[i].metric), true, p->problem.success[i].metric, true);
    for (const char *c = p->project; c != NULL && *c != '\0'; c++)
        if (*c == '/' || (unsigned char)*c < ' ' || (c == p->project && *c == '.')) {
            fw_problem(f->problems, fw_given(p, "project"), false, "project",
                       "'%.60s' can't name files: no slash, no dot in front, no control characters", p->project);
            break;
        }
}

/* ---- features, model, training ---- */

/** What missing and scale are when nothing is said of them: by the type, as the transforms do it (has_missing and has_scale stay false). */
static void default_by_type(fw_feature_spec *s)
{
    if (!s->has_missing) s->missing = s->type == FW_FEATURE_CATEGORY ? FW_MISSING_OWN : FW_MISSING_MEDIAN;
    if (!s->has_scale) s->scale = s->type == FW_FEATURE_IMAGE || s->type == FW_FEATURE_CATEGORY ? FW_SCALE_NONE : FW_SCALE_STANDARD;
}

/** NULL: the policy fits the type. */
static const char *wrong_missing(const fw_feature_spec *s)
{
    if (!s->has_missing) return NULL;
    if (s->type == FW_FEATURE_NUMBER && s->missing == FW_MISSING_OWN)
        return "a number has no value of its own for missing: use mean, median, error or {constant: 0}, and indicator: true";
    if (s->type == FW_FEATURE_CATEGORY && s->missing != FW_MISSING_OWN && s->missing != FW_MISSING_ERROR)
        return "a category can have missing: own or missing: error";
    return s->type == FW_FEATURE_IMAGE && s->missing != FW_MISSING_ERROR ? "an image can have missing: error, or nothing said: black" : NULL;
}

static void check_features(fw_fill *f)
{
    fw_project *p = f->p;
    const fw_node *node = fw_given(p, "features");
    bool any = false;
    for (size_t i = 0; i < p->features.n; i++) {
        fw_feature_spec *s = &p->features.v[i];
        const fw_node *entry = fw_node_child(node, s->column), *missing = fw_node_child(entry, "missing");
        bool used = s->type != FW_FEATURE_IGNORE;
        any = any || used;
        if (strcmp(s->column, "*") == 0) p->features_all = used;
        if (used && fw_text_equal(s->column, p->problem.target))
            fw_problem(f->problems, entry, true, "features", "'%s' is the target, so it can't be a feature: remove it here", s->column);
        const char *wrong = wrong_missing(s);
        if (wrong != NULL) fw_problem(f->problems, missing, false, "features", "'%s': %s", s->column, wrong);
        if (s->type == FW_FEATURE_IMAGE && s->has_scale && s->scale != FW_SCALE_NONE && s->scale != FW_SCALE_STANDARD)
            fw_problem(f->problems, fw_node_child(entry, "scale"), false, "features",
                       "'%s': an image can have scale: none (divided by 255) or standard", s->column);
        default_by_type(s);
    }
    if (!any && p->features.n > 0)
        fw_problem(f->problems, node, true, "features", "nothing is left: every column is ignored; add \"*\": auto for all others");
}

static void check_model(fw_fill *f)
{
    fw_project *p = f->p;
    bool mlp = fw_text_equal(p->model.learner, "mlp"), net = mlp || fw_text_equal(p->model.learner, "cnn");
    if (mlp && p->model.hidden.n == 0)
        fw_problem(f->problems, fw_given_near(p, "model.hidden"), false, "model.hidden",
                   "is empty: an mlp has at least one hidden layer (learner: linear has none)");
    if (!net) p->model.hidden.n = 0;
}

static void check_training(fw_fill *f)
{
    fw_project *p = f->p;
    bool classes = p->problem.task == FW_TASK_CLASSIFICATION;
    typeof(p->train.early_stopping) *stop = &p->train.early_stopping;
    const fw_node *node = fw_given(p, "train.early_stopping");
    if (node != NULL && stop->patience == 0 && fw_given(p, "train.early_stopping.patience") == NULL)
        fw_problem(f->problems, node, true, "train.early_stopping.patience",
                   "is missing: how many rounds without improvement end the training, e.g. 3");
    if (stop->metric != NULL)
        fw_rule_metric(f, "train.early_stopping.metric", fw_given_near(p, "train.early_stopping.metric"), false, stop->metric, false);
    else if (stop->patience > 0) stop->metric = fw_fill_text(f, classes ? "log_loss" : "rmse");
    if (stop->patience > 0 && p->data.split.validation <= 0)
        fw_problem(f->problems, node, true, "train.early_stopping", "needs validation rows, but data.split.validation is 0");
    if ((p->train.balanced_classes || p->train.n_class_weights > 0) && !classes)
        fw_problem(f->problems, fw_given(p, "train.class_weights"), true, "train.class_weights", "has no effect: only a classification has classes");
    if (p->train.schedule.warmup_epochs > (double)p->train.epochs)
        fw_problem(f->problems, fw_given_near(p, "train.schedule.warmup_epochs"), false, "train.schedule.warmup_epochs",
                   "is longer than train.epochs, %llu", (unsigned long long)p->train.epochs);
}

/* ---- the rest ---- */

static void check_endpoint(fw_fill *f, const char *key, const char *endpoint)
{
    if (endpoint != NULL && strncmp(endpoint, "tcp://", 6) != 0 && strncmp(endpoint, "ipc://", 6) != 0)
        fw_problem(f->problems, fw_given(f->p, key), false, key, "'%.60s' is no endpoint: write tcp://host:port or ipc://path", endpoint);
}

static void check_evaluation(fw_fill *f)
{
    const fw_project *p = f->p;
    const fw_node *attributes = fw_given(p, "evaluate.fairness.attributes");
    if (p->evaluate.fairness_attributes.n > 0 && p->problem.task != FW_TASK_CLASSIFICATION)
        fw_problem(f->problems, attributes, true, "evaluate.fairness.attributes",
                   "has no effect: fairness is judged on the decisions of a classification");
    if (p->problem.target != NULL && fw_strings_have(&p->evaluate.fairness_attributes, p->problem.target))
        fw_problem(f->problems, attributes, false, "evaluate.fairness.attributes", "'%s' is the target: groups come from other columns",
                   p->problem.target);
    check_endpoint(f, "monitor.bus", p->monitor.bus);
    check_endpoint(f, "monitor.alerts.bus", p->monitor.alerts.bus);
    if (p->monitor.bus != NULL && p->monitor.alerts.bus != NULL && strcmp(p->monitor.bus, p->monitor.alerts.bus) == 0)
        fw_problem(f->problems, fw_given(p, "monitor.alerts.bus"), false, "monitor.alerts.bus", "predictions are published there (monitor.bus): take another port");
    const char *webhook = p->monitor.alerts.webhook;
    if (webhook != NULL && strncmp(webhook, "https://", 8) != 0 && strncmp(webhook, "http://", 7) != 0)
        fw_problem(f->problems, fw_given(p, "monitor.alerts.webhook"), false, "monitor.alerts.webhook", "it is no address: write https://host/path");
    if (p->monitor.alerts.exec.n > 0 && *p->monitor.alerts.exec.v[0] == '\0')
        fw_problem(f->problems, fw_given(p, "monitor.alerts.exec"), false, "monitor.alerts.exec", "the first text of the list is the program: it is empty");
}

/* Of the metrics that are followed in use those of the task. */
static void check_performance(fw_fill *f)
{
    const fw_project *p = f->p;
    const bool clustering = ((const fw_internal *)p->internal)->clustering;
    const char *metric = p->monitor.performance.metric, *names[FW_N_QUALITIES];
    fw_quality_metric found;
    size_t n = 0;
    if (metric == NULL || clustering || (fw_quality_find(&found, metric) && fw_quality_fits(found, p->problem.task))) return;
    FW_AUTO(fw_text) list = {0};
    for (fw_quality_metric m = 0; m < FW_N_QUALITIES; m++)
        if (fw_quality_fits(m, p->problem.task)) names[n++] = fw_quality_name(m);
    for (size_t i = 0; i < n; i++) fw_text_format(&list, "%s%s", i == 0 ? "" : ", ", names[i]);
    const char *near = fw_did_you_mean(metric, names, n);
    fw_problem(f->problems, fw_given(p, "monitor.performance.metric"), false, "monitor.performance.metric", "'%.60s' is no metric that is followed in use for this task (%s)%s%s%s", metric,
               list.data, near != NULL ? ": did you mean '" : "", near != NULL ? near : "", near != NULL ? "'?" : "");
}

void fw_project_rules(fw_fill *f)
{
    check_problem(f);
    fw_rules_data(f);
    check_meaning(f);
    check_features(f);
    check_model(f);
    check_training(f);
    check_evaluation(f);
    check_performance(f);
    fw_rules_tune(f);
}

/* ---- what this version can do ---- */

fw_status fw_project_available(const fw_project *p, fw_error *err)
{
    fw_problems problems = {.file = ((const fw_internal *)p->internal)->file};
    const fw_node *query = fw_given(p, "data.query");
    const char *learner = p->model.learner;
    if (((const fw_internal *)p->internal)->clustering)
        fw_problem(&problems, fw_given(p, "problem.task"), false, "problem.task",
                   "clustering is not available in this version: classification and regression are");
    if (query != NULL)
        fw_problem(&problems, query, true, "data.query", "is not available in this version: make one table first, and name it in data.tables");
    if (!fw_text_equal(learner, "linear") && !fw_text_equal(learner, "mlp"))
        fw_problem(&problems, fw_given_near(p, "model.learner"), false, "model.learner", "%s is not available in this version: linear and mlp are",
                   learner);
    fw_status s = fw_problems_status(&problems, err);
    fw_problems_release(&problems);
    return s;
}
