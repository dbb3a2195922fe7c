#include "worker/train.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/fault.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "common/stats/metrics.h"
#include "worker/sums.h"
#include "worker/train_state.h"

#define SAY_EVERY_S  0.2
#define PREDICT_ROWS 1024

static const fw_reduce *reduce_of(const worker_train *t) { return worker_group_reduce(t->task->group); }

static bool is_leader(const worker_train *t) { return worker_group_rank(t->task->group) == 0; }

static fw_status checkpoint_paths(worker_train *t, const char *path, fw_error *err)
{
    fw_text previous = {0};
    if (path == NULL) return FW_OK;
    fw_text_format(&previous, "%s.previous", path);
    t->previous_checkpoint = fw_text_take(&previous);
    return t->previous_checkpoint != NULL ? fw_copy_text(&t->checkpoint, path, err) : fw_fail(err, FW_ERR_NOMEM, "training");
}

fw_status worker_train_create(worker_train **out, worker_task *task, const worker_train_opts *opts, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(task->group);
    worker_train *t = calloc(1, sizeof *t);
    fw_status s = reduce->agree(reduce->context, t == NULL ? fw_fail(err, FW_ERR_NOMEM, "training") : FW_OK, err);
    if (s != FW_OK) {
        free(t);
        return s;
    }
    t->task = task;
    t->checkpoint_every_s = opts->checkpoint_every_s;
    t->checkpoint_every_rounds = opts->checkpoint_every_rounds;
    t->last_checkpoint = fw_mono_now();                      /* and the first step is said at once: start-up ends with it */
    t->kind = worker_learner_find(task->project->model.learner);
    if (t->kind == NULL) s = fw_fail(err, FW_ERR_CONFIG, "model.learner: \"%s\" is not in this version", task->project->model.learner);
    if (s == FW_OK) s = checkpoint_paths(t, opts->checkpoint, err);
    if (s == FW_OK) s = fw_alloc_zeroed((void **)&t->by_rank, (size_t)worker_group_size(task->group), sizeof *t->by_rank, "timings", err);
    s = reduce->agree(reduce->context, s, err);
    if (s == FW_OK) s = t->kind->create(&t->learner, task, err);
    if (s == FW_OK) s = worker_train_prepare_checkpoints(t, err);
    if (s != FW_OK) {
        worker_train_release(&t);
        return s;
    }
    *out = t;
    return FW_OK;
}

void worker_train_release(worker_train **train)
{
    worker_train *t = *train;
    if (t == NULL) return;
    worker_checkpoint_writer_destroy(&t->writer);      /* it reads what is released below */
    worker_snapshot_release(&t->snapshot);
    if (t->learner != NULL) t->kind->release(&t->learner);
    for (size_t i = 0; i < WORKER_MAX_ARRAYS; i++) {
        free(t->best[0][i]);
        free(t->best[1][i]);
    }
    free(t->checkpoint);
    free(t->previous_checkpoint);
    free(t->by_rank);
    free(t->history);
    free(t->written.history);
    free(t);
    *train = NULL;
}

void worker_train_listen(worker_train *t, worker_train_say say, void *context)
{
    t->say = say;
    t->say_context = context;
}

fw_status worker_train_add_history(worker_train *t, const worker_round *round, fw_error *err)
{
    FW_TRY(fw_grow((void **)&t->history, &t->history_capacity, t->n_history + 1, sizeof *t->history, "history", err));
    t->history[t->n_history++] = *round;
    return FW_OK;
}

worker_position worker_train_position(const worker_train *t) { return t->position; }
bool worker_train_has_best(const worker_train *t) { return t->has_best; }

const worker_round *worker_train_history(const worker_train *t, size_t *n)
{
    *n = t->n_history;
    return t->history;
}

/* ---- losses ----------------------------------------------------------------------------------------------------------------------- */

void worker_loss_add(worker_loss_sum *sum, int64_t fixed)
{
    sum->high += (fixed >> 32) + (sum->low >> 32);
    sum->low = (sum->low & 0xffffffff) + (fixed & 0xffffffff);
    sum->high += sum->low >> 32;
    sum->low &= 0xffffffff;
}

double worker_loss_value(const worker_loss_sum *sum) { return (double)sum->high * (0x1p32 * WORKER_LOSS_UNIT) + (double)sum->low * WORKER_LOSS_UNIT; }

fw_status worker_loss_merge(worker_loss_sum *sum, const fw_reduce *reduce, fw_error *err)
{
    int64_t parts[2] = {sum->high, sum->low};
    FW_TRY(reduce->sum_i64(reduce->context, parts, 2, err));
    *sum = (worker_loss_sum){parts[0], parts[1]};
    worker_loss_add(sum, 0);
    return FW_OK;
}

/* ---- validation ------------------------------------------------------------------------------------------------------------------- */

/* This rank's share of the validation rows through the learner: what fw_model_predict gives, by the same kernels (law 3). */
static fw_status predict_share(worker_train *t, float **out, size_t *n_floats, fw_error *err)
{
    FW_FREE float *scratch = NULL;
    const worker_task *task = t->task;
    const worker_rows *rows = &task->validation;
    const uint64_t rank = (uint64_t)worker_group_rank(task->group), size = (uint64_t)worker_group_size(task->group);
    const uint64_t first = rows->n * rank / size, last = rows->n * (rank + 1) / size;
    FW_TRY(fw_alloc_zeroed((void **)out, (size_t)(last - first) * task->n_out + 1, sizeof(float), "predictions", err));
    if (rows->x == NULL) FW_TRY(fw_alloc_zeroed((void **)&scratch, PREDICT_ROWS * rows->ld, sizeof *scratch, "rows to predict", err));
    for (uint64_t at = first; at < last; at += PREDICT_ROWS) {
        const size_t n = (size_t)FW_MIN((uint64_t)PREDICT_ROWS, last - at);
        FW_TRY(t->kind->predict(t->learner, worker_rows_features(rows, at, n, scratch), rows->ld, n, *out + (at - first) * task->n_out, err));
    }
    *n_floats = (size_t)(last - first) * task->n_out;
    return FW_OK;
}

/* Binary: one probability becomes two. */
static float *both_classes(const float *p, size_t n)
{
    float *two = malloc((2 * n + 1) * sizeof *two);
    for (size_t i = 0; two != NULL && i < n; i++) {
        two[2 * i] = 1.0f - p[i];
        two[2 * i + 1] = p[i];
    }
    return two;
}

static fw_status add_metric(worker_round *r, const fw_predictions *p, const char *name, fw_error *err)
{
    for (size_t i = 0; i < r->n_validation; i++)
        if (strcmp(r->validation_name[i], name) == 0) return FW_OK;
    double v = 0.0;
    fw_status s = fw_metrics_compute_one(&v, p, name, err);
    if (s == FW_ERR_NOTFOUND || s == FW_ERR_DATA) return FW_OK;       /* e.g. auc of one class alone: no figure */
    FW_TRY(s);
    snprintf(r->validation_name[r->n_validation], sizeof r->validation_name[0], "%s", name);
    r->validation[r->n_validation++] = v;
    return FW_OK;
}

/* problem.positive names the class with code 0. */
static bool positive_first(const worker_task *task)
{
    const fw_schema *schema = fw_dataset_schema(task->dataset);
    return task->n_classes == 2 && fw_text_equal(task->project->problem.positive, fw_dict_text(schema->columns[schema->target].dict, 0, NULL));
}

static fw_status measure(const worker_train *t, const float *all, worker_round *r, fw_error *err)
{
    const worker_task *task = t->task;
    const size_t n = (size_t)task->validation.n;
    const char *wanted = task->project->train.early_stopping.metric, *objective = task->project->tune.objective.metric;
    FW_FREE float *two = NULL;
    FW_FREE double *value = NULL;
    fw_predictions p = {.task = task->task, .n = n, .n_classes = task->n_classes, .label = task->validation.label, .p = all,
                        .positive_first = positive_first(task)};
    if (task->task == FW_TASK_REGRESSION) {
        FW_TRY(fw_alloc_zeroed((void **)&value, n, sizeof *value, "predictions", err));
        for (size_t i = 0; i < n; i++) value[i] = task->target_mean + task->target_scale * (double)all[i];
        p.value = value;
        p.truth = task->validation.truth;
        FW_TRY(add_metric(r, &p, "rmse", err));
        FW_TRY(add_metric(r, &p, "r2", err));
    } else {
        if (task->n_out == 1) {
            two = both_classes(all, n);
            if (two == NULL) return fw_fail(err, FW_ERR_NOMEM, "predictions");
            p.p = two;
        }
        FW_TRY(add_metric(r, &p, "log_loss", err));
        FW_TRY(add_metric(r, &p, "accuracy", err));
    }
    if (wanted != NULL) FW_TRY(add_metric(r, &p, wanted, err));
    return objective != NULL ? add_metric(r, &p, objective, err) : FW_OK;
}

static fw_status validate(worker_train *t, worker_round *r, fw_error *err)
{
    if (t->task->validation.n == 0) return FW_OK;
    FW_FREE float *mine = NULL;
    FW_FREE char *all = NULL;
    FW_FREE size_t *offset = NULL;
    size_t n = 0;
    fw_status s = predict_share(t, &mine, &n, err);
    if (s == FW_OK) s = fw_alloc_zeroed((void **)&offset, (size_t)worker_group_size(t->task->group) + 1, sizeof *offset, "offsets", err);
    FW_TRY(reduce_of(t)->agree(reduce_of(t)->context, s, err));
    FW_TRY(worker_group_gather(t->task->group, mine, n * sizeof *mine, &all, offset, err));
    if (is_leader(t)) s = measure(t, (const float *)(const void *)all, r, err);
    return reduce_of(t)->agree(reduce_of(t)->context, s, err);
}

/* ---- rounds ----------------------------------------------------------------------------------------------------------------------- */

/* Beside the best so far, when a checkpoint with it is being written. */
static fw_status mark_best(worker_train *t, fw_error *err)
{
    if (t->writing && t->written.has_best && t->written.best == t->best_now) t->best_now = 1 - t->best_now;
    t->has_best = true;
    t->best_round = t->position.round;
    t->best_step = t->position.step;
    if (!is_leader(t)) return FW_OK;
    void **best = t->best[t->best_now];
    fw_array arrays[WORKER_MAX_ARRAYS];
    t->kind->arrays(t->learner, arrays);
    for (size_t i = 0; i < t->kind->n_model; i++) {
        const size_t bytes = worker_array_bytes(&arrays[i]);
        if (best[i] == NULL) FW_TRY(fw_alloc_zeroed(&best[i], bytes, 1, "the best weights", err));
        memcpy(best[i], arrays[i].data, bytes);
    }
    t->best_digest = worker_best_digest(t, t->best_now);
    worker_array_flip("weights.flip_best", &(fw_array){.type = arrays[0].type, .n = arrays[0].n, .data = best[0]});
    return FW_OK;
}

static void say_step(worker_train *t, uint64_t steps)
{
    if (t->say == NULL || !is_leader(t) || fw_mono_seconds(t->last_said, fw_mono_now()) < SAY_EVERY_S) return;
    t->last_said = fw_mono_now();
    t->say(t->say_context, "step", "", &t->position, (double)t->position.step_in_round / (double)steps,
           t->own_rows > 0 ? t->own_loss / (double)t->own_rows : 0.0, t->clock_s > 0.0 ? (double)t->clock_rows / t->clock_s : 0.0);
}

static uint32_t wishes(const worker_train *t)
{
    uint32_t flags = 0;
    if (worker_signal_pending() != 0) flags |= WORKER_FLAG_STOP;
    if (worker_train_wants_checkpoint(t)) flags |= WORKER_FLAG_CHECKPOINT;
    return flags;
}

/* One step, and what was agreed with it. */
static fw_status one_step(worker_train *t, uint64_t steps, fw_error *err)
{
    worker_step s = {.flags_raised = wishes(t), .seconds = t->seconds};
    fw_mono start = fw_mono_now();
    t->sealed = false;
    FW_TRY(t->kind->step(t->learner, t->position.round, t->position.step_in_round, &s, err));
    t->seconds = s.seconds;
    t->clock_s += fw_mono_seconds(start, fw_mono_now());
    t->clock_rows += s.rows;
    t->own_rows += s.own_rows;
    t->own_loss += (double)s.loss_fixed * WORKER_LOSS_UNIT;
    worker_loss_add(&t->loss, s.loss_fixed);
    t->last_rate = s.learning_rate;
    t->position.step_in_round++;
    t->position.step++;
    t->position.rows += s.rows;
    worker_group_note(t->task->group, NULL, t->position.round + 1, t->position.step);
    worker_train_flip(t, "weights.flip");
    (void)fw_fault("train.step", NULL);                        /* to be killed, stopped or held up at; the ranks agree on no failure here */
    if (s.flags & WORKER_FLAG_STOP) {
        t->checkpoint_due = t->checkpoint != NULL;
        FW_TRY(worker_train_settle(t, err));
        return fw_fail(err, FW_ERR_STOPPED, "stopped by a signal after step %llu", (unsigned long long)t->position.step);
    }
    if (s.flags & WORKER_FLAG_CHECKPOINT) FW_TRY(worker_train_meet_checkpoint(t, err));
    say_step(t, steps);
    return FW_OK;
}

static double own_work(const worker_seconds *s) { return s->load + s->forward + s->backward + s->sum + s->optimizer; }

/* All ranks' times at rank 0: the maxima, and who was slowest. */
static fw_status collect_seconds(worker_train *t, worker_round *r, fw_error *err)
{
    FW_FREE char *all = NULL;
    FW_FREE size_t *offset = NULL;
    const size_t size = (size_t)worker_group_size(t->task->group);
    FW_TRY(reduce_of(t)->agree(reduce_of(t)->context, fw_alloc_zeroed((void **)&offset, size + 1, sizeof *offset, "offsets", err), err));
    FW_TRY(worker_group_gather(t->task->group, &t->seconds, sizeof t->seconds, &all, offset, err));
    if (!is_leader(t)) return FW_OK;
    memcpy(t->by_rank, all, size * sizeof *t->by_rank);
    for (size_t i = 0; i < size; i++) {
        const worker_seconds *s = &t->by_rank[i];
        r->seconds.load = FW_MAX(r->seconds.load, s->load);
        r->seconds.forward = FW_MAX(r->seconds.forward, s->forward);
        r->seconds.backward = FW_MAX(r->seconds.backward, s->backward);
        r->seconds.sum = FW_MAX(r->seconds.sum, s->sum);
        r->seconds.optimizer = FW_MAX(r->seconds.optimizer, s->optimizer);
        r->seconds.wait = FW_MAX(r->seconds.wait, s->wait);
        if (own_work(s) > own_work(&t->by_rank[r->slowest_rank])) r->slowest_rank = (int)i;
    }
    r->by_rank = t->by_rank;
    return FW_OK;
}

static fw_status finish_round(worker_train *t, worker_round *r, fw_error *err)
{
    const uint64_t rows = t->position.rows - t->position.round * t->task->train.n;
    FW_TRY(worker_train_seal(t, false, err));
    worker_train_flip(t, "weights.flip_at_rest");
    FW_TRY(worker_loss_merge(&t->loss, reduce_of(t), err));
    t->position.round++;
    t->position.step_in_round = 0;
    *r = (worker_round){.position = t->position, .learning_rate = t->last_rate, .train_loss = worker_loss_value(&t->loss) / (double)rows,
                        .rows_per_s = t->clock_s > 0.0 ? (double)t->clock_rows / t->clock_s : 0.0};
    t->loss = (worker_loss_sum){0};
    t->own_loss = 0.0;
    t->own_rows = 0;
    FW_TRY(collect_seconds(t, r, err));
    worker_group_note(t->task->group, "validate", t->position.round, t->position.step);
    FW_TRY(validate(t, r, err));
    t->clock_rows = 0;
    t->clock_s = 0.0;
    t->seconds = (worker_seconds){0};
    FW_TRY(worker_train_add_history(t, r, err));
    if (t->checkpoint == NULL || t->checkpoint_every_rounds == 0 || t->position.round % t->checkpoint_every_rounds != 0) return FW_OK;
    t->checkpoint_due = true;
    return worker_train_meet_checkpoint(t, err);
}

static fw_status one_round(worker_train *t, bool best, worker_round *out, fw_error *err)
{
    const uint64_t steps = t->kind->steps(t->learner);
    const bool at_start = t->position.step_in_round == 0;      /* resumed within a round: what was best then is in the checkpoint */
    worker_group_note(t->task->group, "train", t->position.round + 1, t->position.step);
    FW_TRY(worker_train_seal(t, false, err));
    if (best && at_start) FW_TRY(reduce_of(t)->agree(reduce_of(t)->context, mark_best(t, err), err));
    while (t->position.step_in_round < steps) FW_TRY(one_step(t, steps, err));
    worker_round r;
    FW_TRY(finish_round(t, &r, err));
    *out = r;
    return FW_OK;
}

fw_status worker_train_advance(worker_train *t, bool best, worker_round *out, fw_error *err)
{
    const fw_status s = one_round(t, best, out, err);
    if (s < 0) worker_train_end_writing(t);
    return s;
}

/* ---- learning-rate range test (Smith 2017) ------------------------------------------------------------------------------------------- */

fw_status worker_train_find_rate(worker_train *t, double low, double high, size_t steps, double *rate, double *loss, size_t *done, fw_error *err)
{
    const uint64_t per_round = t->kind->steps(t->learner);
    double smooth = 0.0, weight = 0.0, smallest = INFINITY;
    *done = 0;
    t->sealed = false;
    for (size_t i = 0; i < steps; i++) {
        rate[i] = low * pow(high / low, steps > 1 ? (double)i / (double)(steps - 1) : 0.0);
        t->kind->set_rate(t->learner, rate[i]);
        worker_step s = {.flags_raised = worker_signal_pending() != 0 ? WORKER_FLAG_STOP : 0};
        fw_status status = t->kind->step(t->learner, i / per_round, i % per_round, &s, err);
        if (status == FW_ERR_NUMERIC) return FW_OK;                       /* that is what the test looks for */
        FW_TRY(status);
        if (s.flags & WORKER_FLAG_STOP) return fw_fail(err, FW_ERR_STOPPED, "stopped by a signal after step %zu of the range test", i + 1);
        int64_t total = s.loss_fixed;
        FW_TRY(reduce_of(t)->sum_i64(reduce_of(t)->context, &total, 1, err));
        smooth = 0.9 * smooth + 0.1 * (double)total * WORKER_LOSS_UNIT / (double)s.rows;
        weight = 0.9 * weight + 0.1;
        loss[i] = smooth / weight;
        *done = i + 1;
        smallest = FW_MIN(smallest, loss[i]);
        if (i > 10 && loss[i] > 4.0 * smallest) return FW_OK;
    }
    return FW_OK;
}
