/** data.*: tables, labels, private columns and the split: what must hold between their keys, and the defaults that follow from them. */
#include <math.h>
#include <string.h>

#include "common/project/rules.h"

/* ---- tables, labels, private columns ---- */

static void check_tables(fw_fill *f)
{
    const fw_project *p = f->p;
    const fw_node *tables = fw_given(p, "data.tables");
    if (tables != NULL && tables->kind == FW_TREE_MAP && tables->n == 0)
        fw_problem(f->problems, tables, false, "data.tables", "is empty: name a table, e.g. {calls: calls.csv}");
    for (size_t i = 0; i < p->data.n_tables; i++) {
        const fw_table_spec *t = &p->data.tables[i];
        const fw_node *node = fw_node_child(tables, t->name);
        FW_AUTO(fw_text) path = {0};
        fw_text_format(&path, "data.tables.%s", t->name);
        bool pictures = t->images != NULL || t->labels != NULL;
        if (pictures && t->path != NULL)
            fw_problem(f->problems, node, true, path.data, "has a path and images: it is either a text table or IDX pictures");
        else if (pictures && (t->images == NULL || t->labels == NULL)) fw_problem(f->problems, node, true, path.data, "needs both images and labels");
        else if (pictures && (t->columns.n > 0 || t->delimiter != 0 || !t->header || t->quote != '"' || !t->trim))
            fw_problem(f->problems, node, true, path.data, "header, delimiter, quote, trim and columns mean nothing for pictures: remove them");
        else if (!pictures && t->path == NULL) fw_problem(f->problems, node, true, path.data, "needs a path, or images and labels");
        if (t->delimiter != 0 && t->delimiter == t->quote) fw_problem(f->problems, node, true, path.data, "delimiter and quote are the same sign");
    }
}

static void check_labels(fw_fill *f)
{
    const fw_project *p = f->p;
    const fw_node *labels = fw_given(p, "data.labels"), *merge = fw_given(p, "data.labels.merge"), *exclude = fw_given(p, "data.labels.exclude");
    if ((p->data.labels.n_merge > 0 || p->data.labels.exclude.n > 0) && p->problem.task != FW_TASK_CLASSIFICATION)
        fw_problem(f->problems, labels, true, "data.labels", "has no effect: only a classification has classes to merge or exclude");
    for (size_t i = 0; i < p->data.labels.n_merge; i++) {
        const fw_merge *m = &p->data.labels.merge[i];
        const fw_node *node = fw_node_child(merge, m->into);
        if (fw_strings_have(&p->data.labels.exclude, m->into))
            fw_problem(f->problems, node, true, "data.labels.merge", "'%s' is excluded, but classes are merged into it", m->into);
        for (size_t k = 0; k < m->from.n; k++) {
            const char *label = m->from.v[k];
            if (fw_strings_have(&p->data.labels.exclude, label))
                fw_problem(f->problems, exclude, false, "data.labels.exclude", "'%s' is also merged into '%s': do one of the two", label, m->into);
            for (size_t j = 0; j < p->data.labels.n_merge; j++) {
                const fw_merge *other = &p->data.labels.merge[j];
                if (j < i && fw_strings_have(&other->from, label))
                    fw_problem(f->problems, node, true, "data.labels.merge", "'%s' is merged into '%s' and into '%s'", label, other->into, m->into);
                if (j != i && strcmp(other->into, label) == 0)
                    fw_problem(f->problems, node, true, "data.labels.merge", "'%s' is itself the outcome of a merge: list its classes here", label);
            }
        }
    }
}

static void check_private(fw_fill *f)
{
    const fw_project *p = f->p;
    const fw_strings *private = &p->data.private_columns;
    const fw_node *node = fw_given(p, "data.private");
    if (p->problem.target != NULL && fw_strings_have(private, p->problem.target))
        fw_problem(f->problems, node, false, "data.private", "'%s' is the target: it must be stored to be learnt", p->problem.target);
    if (p->data.id != NULL && fw_strings_have(private, p->data.id))
        fw_problem(f->problems, node, false, "data.private", "'%s' is data.id, which score writes out: choose another id", p->data.id);
    for (size_t i = 0; i < p->features.n; i++)
        if (fw_strings_have(private, p->features.v[i].column) && p->features.v[i].type != FW_FEATURE_IGNORE)
            fw_problem(f->problems, fw_node_child(fw_given(p, "features"), p->features.v[i].column), true, "features",
                       "'%s' is private, so it can't be a feature", p->features.v[i].column);
    for (size_t i = 0; i < p->evaluate.fairness_attributes.n; i++)
        if (fw_strings_have(private, p->evaluate.fairness_attributes.v[i]))
            fw_problem(f->problems, fw_given(p, "evaluate.fairness.attributes"), false, "evaluate.fairness.attributes",
                       "'%s' is private and never stored: leave it out of data.private and mark it as `ignore` in features",
                       p->evaluate.fairness_attributes.v[i]);
}

/* ---- split ---- */

static bool is_table(const fw_project *p, const char *name)
{
    for (size_t i = 0; i < p->data.n_tables; i++)
        if (strcmp(p->data.tables[i].name, name) == 0) return true;
    return false;
}

static void check_given_list(fw_fill *f, const char *path, const fw_strings *list)
{
    const fw_node *node = fw_given_near(f->p, path);
    if (list->n == 0) fw_problem(f->problems, node, false, path, "by: given needs a list of tables here, e.g. [%s]", strrchr(path, '.') + 1);
    for (size_t i = 0; i < list->n; i++)
        if (!is_table(f->p, list->v[i])) fw_problem(f->problems, node, false, path, "'%s' is no table of data.tables", list->v[i]);
}

static void check_given_split(fw_fill *f)
{
    fw_project *p = f->p;
    const fw_strings *train = &p->data.split.given_train, *test = &p->data.split.given_test;
    check_given_list(f, "data.split.train", train);
    check_given_list(f, "data.split.test", test);
    for (size_t i = 0; i < train->n; i++)
        if (fw_strings_have(test, train->v[i]))
            fw_problem(f->problems, fw_given(p, "data.split.test"), false, "data.split.test", "'%s' is also a train table", train->v[i]);
    for (size_t i = 0; i < p->data.n_tables && train->n > 0 && test->n > 0; i++)
        if (!fw_strings_have(train, p->data.tables[i].name) && !fw_strings_have(test, p->data.tables[i].name))
            fw_problem(f->problems, fw_given(p, "data.split"), true, "data.split", "table '%s' is neither in train nor in test",
                       p->data.tables[i].name);
    if (p->data.split.validation >= 1)
        fw_problem(f->problems, fw_given_near(p, "data.split.validation"), false, "data.split.validation", "leaves no rows to train on: must be < 1");
    p->data.split.train = 1 - p->data.split.validation;
    p->data.split.test = 0;
}

static void check_split(fw_fill *f)
{
    fw_project *p = f->p;
    typeof(p->data.split) *split = &p->data.split;
    const fw_node *node = fw_given(p, "data.split");
    if (fw_given(p, "data.split.stratify") == NULL) split->stratify = split->by == FW_BY_RANDOM && p->problem.task == FW_TASK_CLASSIFICATION;
    else if (split->stratify && p->problem.task != FW_TASK_CLASSIFICATION)
        fw_problem(f->problems, fw_given(p, "data.split.stratify"), true, "data.split.stratify", "has no effect: only a classification has classes");
    if ((split->by == FW_BY_TIME || split->by == FW_BY_GROUP) && split->column == NULL)
        fw_problem(f->problems, node, true, "data.split.column", "is missing: the split by %s needs the column of the %s",
                   split->by == FW_BY_TIME ? "time" : "group", split->by == FW_BY_TIME ? "time" : "group");
    if (split->by == FW_BY_GIVEN) {
        check_given_split(f);
        return;
    }
    if (split->given_train.v != NULL || split->given_test.v != NULL) {
        fw_problem(f->problems, node, true, "data.split", "train and test are lists of tables only with by: given");
        return;
    }
    double sum = split->train + split->validation + split->test;
    if (fabs(sum - 1) > 1e-9)
        fw_problem(f->problems, node, true, "data.split", "train %g + validation %g + test %g is %g: the shares must sum to 1", split->train,
                   split->validation, split->test, sum);
    else if (split->train <= 0) fw_problem(f->problems, node, true, "data.split.train", "leaves no rows to train on: must be > 0");
}

void fw_rules_data(fw_fill *f)
{
    check_tables(f);
    check_labels(f);
    check_private(f);
    check_split(f);
}
