#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "worker/train_state.h"

static fw_status check_belongs(const worker_train *t, const json_t *m, const char *path, fw_error *err)
{
    const char *theirs = json_string_value(json_object_get(m, "project")), *dataset = json_string_value(json_object_get(m, "dataset"));
    if (!fw_text_equal(theirs, t->project_digest))
        return fw_fail(err, FW_ERR_CONFIG,
                       "%s: it was written with other settings (problem, features, model or train); start a new run, or go back to those settings", path);
    if (!fw_text_equal(dataset, fw_dataset_digest(t->task->dataset)))
        return fw_fail(err, FW_ERR_DATA, "%s: it was written for dataset %s, this one is %s; ingest the same data again, or start a new run", path,
                       dataset != NULL ? dataset : "?", fw_dataset_digest(t->task->dataset));
    const json_int_t fold = json_integer_value(json_array_get(json_object_get(m, "fold"), 0)), folds = json_integer_value(json_array_get(json_object_get(m, "fold"), 1));
    if (fold != t->task->fold || folds != t->task->folds)      /* not there: of a training without folds */
        return fw_fail(err, FW_ERR_DATA, "%s: it was written for fold %lld of %lld, this training is on fold %u of %u", path, (long long)fold,
                       (long long)folds, t->task->fold, t->task->folds);
    return FW_OK;
}

static fw_status history_from_json(worker_train *t, const json_t *list, fw_error *err)
{
    size_t i = 0;
    json_t *j = NULL;
    t->n_history = 0;
    json_array_foreach(list, i, j) {
        worker_round r = {0};
        json_t *v = NULL;
        size_t k = 0;
        r.position = (worker_position){.round = (uint64_t)json_integer_value(json_object_get(j, "round")), .step = (uint64_t)json_integer_value(json_object_get(j, "step")),
                                       .rows = (uint64_t)json_integer_value(json_object_get(j, "rows"))};
        r.train_loss = json_number_value(json_object_get(j, "train_loss"));
        r.learning_rate = json_number_value(json_object_get(j, "learning_rate"));
        json_array_foreach(json_object_get(j, "validation"), k, v) {
            const char *name = json_string_value(json_object_get(v, "name"));
            if (name == NULL || r.n_validation == WORKER_MAX_VALIDATION) return fw_fail(err, FW_ERR_FORMAT, "checkpoint: damaged history");
            snprintf(r.validation_name[r.n_validation], sizeof r.validation_name[0], "%s", name);
            r.validation[r.n_validation++] = json_number_value(json_object_get(v, "value"));
        }
        FW_TRY(worker_train_add_history(t, &r, err));
    }
    return FW_OK;
}

/* The leader's copy of an array to every rank; see worker_learner_kind.arrays for which memory is whose. */
static fw_status spread(worker_train *t, const fw_checkpoint *c, const fw_array *a, fw_error *err)
{
    worker_group *g = t->task->group;
    const fw_reduce *reduce = worker_group_reduce(g);
    const void *data = NULL;
    void *copy = NULL;
    size_t bytes = worker_array_bytes(a);
    fw_status s = c != NULL ? fw_checkpoint_array(&data, c, a->name, a->type, a->n, err) : FW_OK;
    FW_TRY(reduce->agree(reduce->context, s, err));
    if (c != NULL) memcpy(a->data, data, bytes);
    copy = a->data;
    s = worker_group_broadcast(g, &copy, &bytes, err);
    if (s == FW_OK && c == NULL && (a->type == FW_I64 || worker_group_node_rank(g) == 0)) memcpy(a->data, copy, bytes);
    if (copy != a->data) free(copy);
    return s;
}

static fw_status restore_best(worker_train *t, const fw_checkpoint *c, fw_error *err)
{
    fw_array arrays[WORKER_MAX_ARRAYS];
    t->kind->arrays(t->learner, arrays);
    for (size_t i = 0; i < t->kind->n_model; i++) {
        FW_AUTO(fw_text) name = {0};
        const void *data = NULL;
        const size_t bytes = worker_array_bytes(&arrays[i]);
        fw_text_format(&name, "best_%s", arrays[i].name);
        FW_TRY(fw_text_check(&name, err));
        FW_TRY(fw_checkpoint_array(&data, c, name.data, arrays[i].type, arrays[i].n, err));
        FW_TRY(fw_alloc_zeroed(&t->best[0][i], bytes, 1, "the best weights", err));
        memcpy(t->best[0][i], data, bytes);
    }
    t->best_now = 0;
    t->best_digest = worker_best_digest(t, 0);
    return FW_OK;
}

/* Round, steps and rows agree with each other and with the training split. */
static bool position_makes_sense(const worker_train *t)
{
    const worker_position *p = &t->position;
    const uint64_t steps = t->kind->steps(t->learner), n = t->task->train.n, rounds_max = UINT32_MAX;
    if (p->round > rounds_max || p->step_in_round > steps || p->step != p->round * steps + p->step_in_round) return false;
    const uint64_t before = p->round * n, after = before + n;
    if (p->rows < before || p->rows > after) return false;
    return (p->step_in_round > 0) == (p->rows > before) && (p->step_in_round == steps) == (p->rows == after);
}

static fw_status read_manifest(worker_train *t, const json_t *m, const char *path, fw_error *err)
{
    const json_t *p = json_object_get(m, "position"), *loss = json_object_get(m, "loss");
    t->position = (worker_position){.round = (uint64_t)json_integer_value(json_object_get(p, "round")),
                                    .step_in_round = (uint64_t)json_integer_value(json_object_get(p, "step_in_round")),
                                    .step = (uint64_t)json_integer_value(json_object_get(p, "step")),
                                    .rows = (uint64_t)json_integer_value(json_object_get(p, "rows"))};
    if (!json_is_object(p) || !position_makes_sense(t)) return fw_fail(err, FW_ERR_FORMAT, "%s: its position is none of this training", path);
    if (worker_group_rank(t->task->group) == 0)
        t->loss = (worker_loss_sum){json_integer_value(json_array_get(loss, 0)), json_integer_value(json_array_get(loss, 1))};
    t->last_rate = json_number_value(json_object_get(m, "learning_rate"));
    t->has_best = json_is_true(json_object_get(m, "best"));
    t->best_round = (uint64_t)json_integer_value(json_object_get(m, "best_round"));
    t->best_step = (uint64_t)json_integer_value(json_object_get(m, "best_step"));
    FW_TRY(history_from_json(t, json_object_get(m, "history"), err));
    if (t->n_history == t->position.round) return FW_OK;
    return fw_fail(err, FW_ERR_FORMAT, "%s: it tells of %zu rounds and stands behind round %llu", path, t->n_history, (unsigned long long)t->position.round);
}

fw_status worker_train_restore(worker_train *t, const char *path, fw_error *err)
{
    worker_group *g = t->task->group;
    const fw_reduce *reduce = worker_group_reduce(g);
    FW_AUTO(fw_checkpoint) *c = NULL;
    json_t *manifest = NULL;
    fw_status s = FW_OK;
    if (worker_group_rank(g) == 0) {
        s = fw_checkpoint_open(&c, path, err);
        if (s == FW_OK) s = check_belongs(t, fw_checkpoint_manifest(c), path, err);
    }
    FW_TRY(reduce->agree(reduce->context, s, err));
    FW_FREE char *text = c != NULL ? json_dumps(fw_checkpoint_manifest(c), JSON_COMPACT | JSON_REAL_PRECISION(17)) : NULL;
    size_t len = text != NULL ? strlen(text) : 0;
    FW_TRY(reduce->agree(reduce->context, c != NULL && text == NULL ? fw_fail(err, FW_ERR_NOMEM, "manifest") : FW_OK, err));
    FW_TRY(worker_group_broadcast(g, (void **)&text, &len, err));
    manifest = json_loadb(text, len, 0, NULL);
    s = manifest != NULL ? read_manifest(t, manifest, path, err) : fw_fail(err, FW_ERR_FORMAT, "%s: manifest", path);
    json_decref(manifest);
    FW_TRY(reduce->agree(reduce->context, s, err));
    fw_array arrays[WORKER_MAX_ARRAYS];
    size_t n = t->kind->arrays(t->learner, arrays);
    for (size_t i = 0; i < n; i++) FW_TRY(spread(t, c, &arrays[i], err));
    s = c != NULL && t->has_best ? restore_best(t, c, err) : FW_OK;
    FW_TRY(reduce->agree(reduce->context, s, err));
    worker_group_note_checkpoint(g, path);
    FW_TRY(worker_group_barrier(g, err));
    return worker_train_seal(t, false, err);
}
