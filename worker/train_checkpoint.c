#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fault.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "worker/train_state.h"

#define LOOK_EVERY_S 0.5       /* at a checkpoint that is waited for */

/* ---- the thread: reads what was written down for it, the copy of the state, and what never changes -------------------------------------- */

static json_t *history_to_json(const worker_round *history, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n; i++) {
        const worker_round *r = &history[i];
        json_t *validation = json_array();
        for (size_t k = 0; k < r->n_validation; k++)
            json_array_append_new(validation, json_pack("{s:s, s:f}", "name", r->validation_name[k], "value", r->validation[k]));
        json_array_append_new(list, json_pack("{s:I, s:I, s:I, s:f, s:f, s:o}", "round", (json_int_t)r->position.round,
                                              "step", (json_int_t)r->position.step, "rows", (json_int_t)r->position.rows, "train_loss", r->train_loss,
                                              "learning_rate", r->learning_rate, "validation", validation));
    }
    return list;
}

static json_t *manifest_of(const worker_train *t, const worker_written *c)
{
    const worker_position *p = &c->position;
    return json_pack("{s:s, s:s, s:s, s:s, s:[I, I], s:{s:I, s:I, s:I, s:I}, s:[I, I], s:f, s:b, s:I, s:I, s:o}", "program", "flywheel " FW_VERSION, "learner",
                     t->kind->name, "project", t->project_digest, "dataset", fw_dataset_digest(t->task->dataset), "fold",
                     (json_int_t)t->task->fold, (json_int_t)t->task->folds, "position", "round", (json_int_t)p->round, "step_in_round", (json_int_t)p->step_in_round, "step", (json_int_t)p->step, "rows", (json_int_t)p->rows,
                     "loss", (json_int_t)c->loss.high, (json_int_t)c->loss.low, "learning_rate", c->last_rate, "best", (int)c->has_best, "best_round",
                     (json_int_t)c->best_round, "best_step", (json_int_t)c->best_step, "history", history_to_json(c->history, c->n_history));
}

/* The copies are still what the ranks agreed on. */
static fw_status check_copies(const worker_train *t, const worker_written *c, fw_error *err)
{
    if (c->sealed && !worker_snapshot_holds(t->snapshot, &c->seal))
        return fw_fail(err, FW_ERR_LOST,
                       "silent corruption: the copy of the state from which checkpoint %s was to be written changed in the memory of rank 0 (host %s); it "
                       "was not written, the one before it stands; start the same command again, and have that memory tested",
                       t->checkpoint, worker_group_host(t->task->group));
    return c->has_best ? worker_best_check(t, c->best, c->best_digest, err) : FW_OK;
}

static fw_status write_copy(void *train, fw_error *err)
{
    const worker_train *t = train;
    const worker_written *c = &t->written;
    fw_array arrays[2 * WORKER_MAX_ARRAYS];
    char names[WORKER_MAX_ARRAYS][64];
    size_t n = 0;
    FW_TRY(check_copies(t, c, err));
    const fw_array *copies = worker_snapshot_arrays(t->snapshot, &n);
    memcpy(arrays, copies, n * sizeof *arrays);
    for (size_t i = 0; c->has_best && i < t->kind->n_model; i++) {
        snprintf(names[i], sizeof names[i], "best_%s", arrays[i].name);
        arrays[n++] = (fw_array){names[i], arrays[i].type, arrays[i].n, t->best[c->best][i]};
    }
    json_t *manifest = manifest_of(t, c);
    if (manifest == NULL) return fw_fail(err, FW_ERR_NOMEM, "checkpoint %s: its manifest; the one before it stands", t->checkpoint);
    const fw_status s = fw_checkpoint_write(t->checkpoint, t->previous_checkpoint, manifest, arrays, n, err);
    json_decref(manifest);
    if (s == FW_OK) worker_group_note_checkpoint(t->task->group, t->checkpoint);      /* this node's watchers may speak of it before the next step */
    return s;
}

/* ---- seals ------------------------------------------------------------------------------------------------------------------------------ */

fw_status worker_train_seal(worker_train *t, bool copy, fw_error *err)
{
    worker_group *g = t->task->group;
    const fw_reduce *reduce = worker_group_reduce(g);
    fw_array arrays[WORKER_MAX_ARRAYS];
    worker_seal now = t->seal;
    /* A copy alone is quicker: of a state that is sealed already, to which the thread holds it, or that is the only one there is. */
    const bool hash = !copy || !(t->sealed || worker_group_nodes(g) == 1);
    t->kind->arrays(t->learner, arrays);
    worker_snapshot_take(t->snapshot, arrays, hash, copy, &now);
    const bool same = !t->sealed || (fw_digest_equal(now.share, t->seal.share) && fw_digest_equal(now.own, t->seal.own));
    const fw_status s = same ? FW_OK
                             : fw_fail(err, FW_ERR_LOST,
                                       "silent corruption: after step %llu the state that rank %d (host %s) looks after changed though no step was made; start "
                                       "the same command again: it goes on from the last checkpoint, and have the memory of that host tested",
                                       (unsigned long long)t->position.step, worker_group_rank(g), worker_group_host(g));
    FW_TRY(reduce->agree(reduce->context, s, err));
    FW_TRY(worker_vote(g, &now, worker_snapshot_leader(t->snapshot), err));
    t->seal = now;
    t->sealed = t->sealed || hash;
    return FW_OK;
}

fw_digest worker_best_digest(const worker_train *t, size_t which)
{
    size_t n = 0;
    const fw_array *shapes = worker_snapshot_arrays(t->snapshot, &n);
    fw_digest sum = {0};
    for (size_t i = 0; i < t->kind->n_model; i++) {
        fw_array best = shapes[i];
        best.data = t->best[which][i];
        sum = fw_digest_add(sum, worker_array_digest(&best, i));
    }
    return sum;
}

fw_status worker_best_check(const worker_train *t, size_t which, fw_digest marked, fw_error *err)
{
    if (fw_digest_equal(worker_best_digest(t, which), marked)) return FW_OK;
    return fw_fail(err, FW_ERR_LOST,
                   "silent corruption: the best weights, kept since they were marked, changed in the memory of rank 0 (host %s); start the same command "
                   "again: it goes on from the last checkpoint, and have that memory tested",
                   worker_group_host(t->task->group));
}

void worker_array_flip(const char *point, const fw_array *a)
{
    if (a->n > 0 && fw_fault(point, NULL) != FW_OK) ((unsigned char *)a->data)[a->n / 2 * (worker_array_bytes(a) / a->n) + 2] ^= 0x40;
}

void worker_train_flip(worker_train *t, const char *point)
{
    fw_array arrays[WORKER_MAX_ARRAYS];
    t->kind->arrays(t->learner, arrays);
    worker_array_flip(point, &arrays[0]);
}

/* ---- when ------------------------------------------------------------------------------------------------------------------------------- */

/* What the checkpoint belongs to: the part of the project file that shapes the model. */
static fw_status digest_project(worker_train *t, fw_error *err)
{
    FW_FREE char *part = NULL;
    FW_TRY(fw_project_model_part(&part, t->task->project, err));
    fw_digest_text(t->project_digest, fw_hash128(part, strlen(part), 0));
    return FW_OK;
}

fw_status worker_train_prepare_checkpoints(worker_train *t, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(t->task->group);
    fw_array arrays[WORKER_MAX_ARRAYS];
    const size_t n = t->kind->arrays(t->learner, arrays);
    FW_TRY(worker_snapshot_create(&t->snapshot, t->task->group, arrays, n, t->checkpoint != NULL, err));
    fw_status s = FW_OK;
    if (worker_group_rank(t->task->group) == 0) {
        s = digest_project(t, err);
        if (s == FW_OK && t->checkpoint != NULL) s = worker_checkpoint_writer_create(&t->writer, write_copy, t, err);
    }
    return reduce->agree(reduce->context, s, err);
}

static bool is_due(const worker_train *t)
{
    return t->checkpoint_due || (t->checkpoint_every_s > 0.0 && fw_mono_seconds(t->last_checkpoint, fw_mono_now()) >= t->checkpoint_every_s);
}

bool worker_train_wants_checkpoint(const worker_train *t)
{
    if (t->writer == NULL) return false;
    const worker_write_state state = worker_checkpoint_writer_state(t->writer);
    return state == WORKER_WRITE_NONE ? is_due(t) : state != WORKER_WRITE_RUNS;
}

/* Rank 0: everything but the state itself. */
static fw_status write_down(worker_train *t, fw_error *err)
{
    worker_written *c = &t->written;
    if (c->n_history > t->n_history) c->n_history = 0;
    FW_TRY(fw_grow((void **)&c->history, &c->history_capacity, t->n_history + 1, sizeof *c->history, "the checkpoint's history", err));
    memcpy(c->history + c->n_history, t->history + c->n_history, (t->n_history - c->n_history) * sizeof *c->history);
    c->n_history = t->n_history;
    c->position = t->position;
    c->loss = t->loss;
    c->last_rate = t->last_rate;
    c->has_best = t->has_best;
    c->best = t->best_now;
    c->best_digest = t->best_digest;
    c->best_round = t->best_round;
    c->best_step = t->best_step;
    return FW_OK;
}

static fw_status begin(worker_train *t, fw_error *err)
{
    worker_group *g = t->task->group;
    const fw_reduce *reduce = worker_group_reduce(g);
    FW_TRY(worker_loss_merge(&t->loss, reduce, err));
    if (worker_group_rank(g) != 0) t->loss = (worker_loss_sum){0};
    FW_TRY(reduce->agree(reduce->context, t->writer != NULL ? write_down(t, err) : FW_OK, err));
    FW_TRY(worker_train_seal(t, true, err));
    if (t->writer != NULL) {
        size_t n = 0;
        worker_array_flip("weights.flip_copy", worker_snapshot_arrays(t->snapshot, &n));
        t->written.seal = t->seal;
        t->written.sealed = t->sealed;
        worker_checkpoint_writer_begin(t->writer);
    }
    t->writing = true;
    t->checkpoint_due = false;
    return FW_OK;
}

static void say_durable(const worker_train *t)
{
    if (t->say != NULL && t->writer != NULL) t->say(t->say_context, "checkpoint", t->checkpoint, &t->written.position, 0.0, 0.0, 0.0);
}

/* It is on the disk: everybody may rely on it. */
static fw_status tell(worker_train *t, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(t->task->group);
    t->writing = false;
    if (t->writer == NULL) worker_group_note_checkpoint(t->task->group, t->checkpoint);
    say_durable(t);
    return reduce->agree(reduce->context, fw_fault("train.after_checkpoint", err), err);
}

enum { ENDED, BEGINS, N_SAID };

/* What rank 0 knows alone. */
static fw_status look_at_writer(worker_train *t, int64_t said[static N_SAID], fw_error *err)
{
    if (t->writer == NULL) return FW_OK;
    const worker_write_state state = worker_checkpoint_writer_state(t->writer);
    if (state == WORKER_WRITE_RUNS) return FW_OK;
    if (state != WORKER_WRITE_NONE) {
        FW_TRY(worker_checkpoint_writer_take(t->writer, err));
        t->last_checkpoint = fw_mono_now();
        said[ENDED] = 1;
    }
    said[BEGINS] = is_due(t);
    return FW_OK;
}

static fw_status meet(worker_train *t, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(t->task->group);
    int64_t said[N_SAID] = {0};
    FW_TRY(reduce->agree(reduce->context, look_at_writer(t, said, err), err));
    FW_TRY(reduce->sum_i64(reduce->context, said, N_SAID, err));
    if (said[ENDED]) FW_TRY(tell(t, err));
    return said[BEGINS] ? begin(t, err) : FW_OK;
}

fw_status worker_train_meet_checkpoint(worker_train *t, fw_error *err)
{
    const fw_status s = meet(t, err);
    if (s < 0) t->writing = t->checkpoint_due = false;      /* the training ends here: nothing more is to be waited for or begun */
    return s;
}

/* The write has a deadline of its own. */
static void wait_for_writer(const worker_train *t)
{
    while (t->writer != NULL && worker_checkpoint_writer_state(t->writer) == WORKER_WRITE_RUNS) {
        worker_tick();
        worker_checkpoint_writer_wait(t->writer, LOOK_EVERY_S);
    }
}

fw_status worker_train_settle(worker_train *t, fw_error *err)
{
    while (t->writing || t->checkpoint_due) {
        worker_group_note(t->task->group, "checkpoint", t->position.round + 1, t->position.step);
        wait_for_writer(t);
        FW_TRY(worker_train_meet_checkpoint(t, err));
    }
    return FW_OK;
}

fw_status worker_train_checkpoint(worker_train *t, fw_error *err)
{
    if (t->checkpoint == NULL) return fw_fail(err, FW_ERR_ARG, "a checkpoint was ordered of a training that was created without a path for it");
    t->checkpoint_due = true;
    return worker_train_settle(t, err);
}

void worker_train_end_writing(worker_train *t)
{
    wait_for_writer(t);
    if (t->writing && t->writer != NULL && worker_checkpoint_writer_take(t->writer, NULL) == FW_OK) say_durable(t);
    t->writing = t->checkpoint_due = false;
}
