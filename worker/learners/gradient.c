#include "worker/learners/gradient.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/random.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "worker/kernels/update.h"
#include "worker/learners/leaves.h"
#include "worker/learners/schedule.h"
#include "worker/sums.h"

typedef struct gradient {
    const worker_task *task;
    const char *learner;
    fw_dense net;
    size_t batch, leaf_rows, n_leaves;       /* leaves a global batch; from the batch size alone */
    size_t leaf_first, leaf_last;            /* this rank's: [first, last) */
    uint64_t steps_per_round;
    worker_shared *memory;                   /* parameters, then m, then v: one copy a node */
    float *params, *m, *v;
    worker_sums *sums;
    worker_leaves *leaves;
    uint64_t *row;                           /* (leaf_rows) scratch */
    float *g;                                /* (WORKER_SUMS_BLOCK) scratch */
    double rate_override;
} gradient;

/* Leaves of 64 to 256 rows, as long as there are 16 of them: long enough for the products, many enough for the ranks. */
static size_t leaf_rows_of(const fw_project *p)
{
    size_t batch = (size_t)p->train.global_batch_size;
    if (p->train.leaf_rows > 0) return FW_MIN((size_t)p->train.leaf_rows, batch);
    size_t rows = 64;
    while (rows < 256 && rows * 32 <= batch) rows *= 2;
    return FW_MIN(rows, batch);
}

static void plan_leaves(gradient *s)
{
    const worker_task *t = s->task;
    const size_t rank = (size_t)worker_group_rank(t->group), size = (size_t)worker_group_size(t->group);
    s->batch = FW_MIN((size_t)t->project->train.global_batch_size, (size_t)t->train.n);
    s->leaf_rows = FW_MIN(leaf_rows_of(t->project), s->batch);
    s->n_leaves = (s->batch + s->leaf_rows - 1) / s->leaf_rows;
    s->leaf_first = (s->n_leaves * rank + size - 1) / size;             /* rank 0 has always one: its loss is shown while it runs */
    s->leaf_last = (s->n_leaves * (rank + 1) + size - 1) / size;
    s->steps_per_round = (t->train.n + s->batch - 1) / s->batch;
}

static void initialise(gradient *s, worker_init_bound bound)
{
    for (size_t i = 0; i < s->net.n_layers; i++) {
        const fw_dense_layer *layer = &s->net.layers[i];
        const double b = bound(layer);
        for (size_t j = 0; j < layer->in * layer->out; j++) {
            fw_philox r = fw_random(s->task->project->train.seed, FW_RANDOM_INIT, 0, layer->w_at + j, 0);
            s->params[layer->w_at + j] = (float)((2.0 * fw_random_unit(r) - 1.0) * b);
        }
    }
}

fw_status worker_gradient_create(void **state, const worker_task *task, const char *learner, const fw_dense *net, worker_init_bound bound, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(task->group);
    gradient *s = calloc(1, sizeof *s);
    fw_status status = reduce->agree(reduce->context, s == NULL ? fw_fail(err, FW_ERR_NOMEM, "learner") : FW_OK, err);
    if (status != FW_OK) {
        free(s);
        return status;
    }
    s->task = task;
    s->learner = learner;
    s->net = *net;
    plan_leaves(s);
    const size_t slab = (net->n_params + 15) / 16 * 16, size = (size_t)worker_group_size(task->group);
    status = worker_leaves_create(&s->leaves, task, &s->net, s->leaf_rows, (s->n_leaves + size - 1) / size, err);
    if (status == FW_OK) status = fw_alloc_zeroed((void **)&s->row, s->leaf_rows, sizeof *s->row, "row numbers", err);
    if (status == FW_OK) status = fw_alloc_zeroed((void **)&s->g, WORKER_SUMS_BLOCK, sizeof *s->g, "gradients", err);
    status = reduce->agree(reduce->context, status, err);
    if (status == FW_OK) status = worker_shared_create(&s->memory, task->group, 3 * slab * sizeof(float), "parameters", err);
    if (status == FW_OK) status = worker_sums_create(&s->sums, task->group, net->n_params, s->n_leaves, err);
    if (status != FW_OK) {
        void *partial = s;
        worker_gradient_release(&partial);
        return status;
    }
    s->params = worker_shared_base(s->memory);
    s->m = s->params + slab;
    s->v = s->m + slab;
    if (worker_group_node_rank(task->group) == 0) initialise(s, bound);
    worker_group_meet(task->group, NULL);
    *state = s;
    return FW_OK;
}

void worker_gradient_release(void **state)
{
    gradient *s = *state;
    if (s == NULL) return;
    worker_sums_release(&s->sums);
    worker_shared_release(&s->memory);
    worker_leaves_release(&s->leaves);
    free(s->row);
    free(s->g);
    free(s);
    *state = NULL;
}

uint64_t worker_gradient_steps(const void *state) { return ((const gradient *)state)->steps_per_round; }

void worker_gradient_set_rate(void *state, double rate) { ((gradient *)state)->rate_override = rate; }

/* ---- a step --------------------------------------------------------------------------------------------------------------------- */

/* Where a step is cut from: the epoch's order, which depends on seed and epoch alone. */
typedef struct place { uint64_t round, step, rows; size_t leaf_end; fw_permutation order; } place;

/* leaf_end: behind the last of this rank's leaves that holds rows. */
static place place_of(const gradient *s, uint64_t round, uint64_t step, uint64_t rows)
{
    const size_t filled = (size_t)((rows + s->leaf_rows - 1) / s->leaf_rows);
    return (place){.round = round, .step = step, .rows = rows, .leaf_end = FW_MAX(FW_MIN(s->leaf_last, filled), s->leaf_first),
                   .order = fw_permutation_make(s->task->project->train.seed, FW_RANDOM_EPOCH_ORDER, (uint32_t)round, s->task->train.n)};
}

/* Leaves [from, to) into the slots from 0 on. */
static void load_leaves(gradient *s, const place *p, size_t from, size_t to, worker_step *out)
{
    const fw_mono start = fw_mono_now();
    for (size_t leaf = from; leaf < to; leaf++) {
        const uint64_t first = (uint64_t)leaf * s->leaf_rows;
        const size_t count = (size_t)FW_MIN((uint64_t)s->leaf_rows, p->rows - first);
        for (size_t i = 0; i < count; i++) s->row[i] = fw_permutation_at(&p->order, p->step * s->batch + first + i);
        worker_leaves_load(s->leaves, leaf - from, s->row, count);
    }
    out->seconds.load += fw_mono_seconds(start, fw_mono_now());
}

/* Leaf by leaf from the rows to the sums. */
static void stream_leaves(gradient *s, const place *p, worker_leaves_result *r, worker_step *out)
{
    *r = (worker_leaves_result){.bad_layer = -1};
    for (size_t leaf = s->leaf_first; leaf < p->leaf_end; leaf++) {
        worker_leaves_result one;
        load_leaves(s, p, leaf, leaf + 1, out);
        worker_leaves_run(s->leaves, s->params, 1, (uint32_t)p->round, &one, &out->seconds);
        worker_leaves_gradient(s->leaves, s->sums, &one, &out->seconds);
        r->loss_fixed += one.loss_fixed;
        r->bad_loss = r->bad_loss || one.bad_loss;
        if (r->bad_layer < 0) r->bad_layer = one.bad_layer;
    }
}

/* All leaves at once, layer by layer. */
static void run_leaves(gradient *s, const place *p, worker_leaves_result *r, worker_step *out)
{
    load_leaves(s, p, s->leaf_first, p->leaf_end, out);
    worker_leaves_run(s->leaves, s->params, p->leaf_end - s->leaf_first, (uint32_t)p->round, r, &out->seconds);
    if (worker_leaves_shared_work(s->leaves)) worker_group_meet(s->task->group, &out->seconds.wait);
}

static double power(double base, uint64_t n)
{
    double result = 1.0;
    for (; n > 0; n >>= 1, base *= base)
        if (n & 1) result *= base;
    return result;
}

static worker_update update_of(const gradient *s, double rate, uint64_t count)
{
    const fw_project *p = s->task->project;
    worker_update u = {.rate = (float)rate, .momentum = (float)p->train.momentum, .beta1 = (float)p->train.beta1, .beta2 = (float)p->train.beta2,
                       .epsilon = (float)p->train.epsilon, .l1 = (float)p->train.l1, .l2 = (float)p->train.l2};
    u.correction1 = (float)(1.0 / (1.0 - power(p->train.beta1, count)));
    u.correction2 = (float)(1.0 / sqrt(1.0 - power(p->train.beta2, count)));
    if (p->train.optimizer == FW_ADAMW) u.decay = (float)p->train.weight_decay;
    else u.l2 += (float)p->train.weight_decay;
    return u;
}

static void update_run(gradient *s, size_t at, size_t n, const worker_update *u)
{
    if (s->task->project->train.optimizer == FW_SGD)
        worker_update_sgd(s->params + at, s->g, s->m + at, n, u);
    else
        worker_update_adam(s->params + at, s->g, s->m + at, s->v + at, n, u);
}

/* The part of [at, at + n) inside [from, from + len). */
static size_t overlap(size_t *start, size_t at, size_t n, size_t from, size_t len)
{
    size_t lo = FW_MAX(at, from), hi = FW_MIN(at + n, from + len);
    *start = lo;
    return hi > lo ? hi - lo : 0;
}

/* This rank's share of the parameters, block by block; biases are not regularised. */
static void update_share(gradient *s, double rate, uint64_t count)
{
    worker_update u = update_of(s, rate, count), plain = u;
    plain.l1 = plain.l2 = plain.decay = 0.0f;
    size_t first = 0, share = 0;
    worker_sums_share(s->sums, &first, &share);
    for (size_t at = first; at < first + share; at += WORKER_SUMS_BLOCK) {
        size_t n = FW_MIN((size_t)WORKER_SUMS_BLOCK, first + share - at);
        for (size_t i = 0; i < s->net.n_layers; i++) {
            const fw_dense_layer *layer = &s->net.layers[i];
            size_t start = 0, run = overlap(&start, at, n, layer->w_at, layer->in * layer->out);
            if (run > 0) {
                worker_sums_take(s->sums, s->g, start, run);
                update_run(s, start, run, &u);
            }
            run = overlap(&start, at, n, layer->b_at, layer->out);
            if (run > 0) {
                worker_sums_take(s->sums, s->g, start, run);
                update_run(s, start, run, &plain);
            }
        }
    }
}

/* Every rank tells what it saw; the lowest that saw something is named. Collective. */
static fw_status not_finite(gradient *s, uint64_t round, uint64_t step, double rate, const worker_leaves_result *r, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(s->task->group);
    fw_status mine = FW_OK;
    if (r->bad_loss || r->bad_layer >= 0)
        mine = fw_fail(err, FW_ERR_NUMERIC,
                       "training diverged: the %s is not finite in round %llu, step %llu, rank %d (host %s), layer %d of %zu, at learning rate %g; "
                       "lower train.learning_rate (`flywheel train --find-learning-rate` suggests one), or scale the features",
                       r->bad_loss ? "loss" : "gradient", (unsigned long long)round + 1, (unsigned long long)step + 1, worker_group_rank(s->task->group),
                       worker_group_host(s->task->group), r->bad_layer + 1, s->net.n_layers, rate);
    fw_status worst = reduce->agree(reduce->context, mine, err);
    return worst < 0 ? worst : fw_fail(err, FW_ERR_NUMERIC, "training diverged in round %llu, step %llu", (unsigned long long)round + 1,
                                       (unsigned long long)step + 1);
}

fw_status worker_gradient_step(void *state, uint64_t round, uint64_t step, worker_step *out, fw_error *err)
{
    gradient *s = state;
    worker_group *g = s->task->group;
    const uint64_t rows = FW_MIN((uint64_t)s->batch, s->task->train.n - step * s->batch), before = round * s->steps_per_round + step;
    const double rate = s->rate_override > 0.0 ? s->rate_override : worker_schedule_rate(s->task->project, before, s->steps_per_round);
    const place p = place_of(s, round, step, rows);
    const size_t own = p.leaf_end - s->leaf_first;
    const bool stream = worker_leaves_slots(s->leaves) < s->leaf_last - s->leaf_first;
    worker_leaves_result r;
    if (!stream) run_leaves(s, &p, &r, out);
    for (bool redo = true; redo;) {
        worker_sums_begin(s->sums, 1.0 / (double)rows, stream ? own : worker_leaves_to_add(s->leaves));
        if (stream) stream_leaves(s, &p, &r, out);
        else worker_leaves_gradient(s->leaves, s->sums, &r, &out->seconds);
        worker_sums_flag(s->sums, out->flags_raised | (r.bad_loss || r.bad_layer >= 0 ? (uint32_t)WORKER_FLAG_NOT_FINITE : 0u));
        FW_TRY(worker_sums_meet(s->sums, &out->flags, &redo, &out->seconds.wait, err));
    }
    if (out->flags & WORKER_FLAG_NOT_FINITE) return not_finite(s, round, step, rate, &r, err);
    fw_mono t1 = fw_mono_now();
    update_share(s, rate, before + 1);
    out->seconds.optimizer += fw_mono_seconds(t1, fw_mono_now());
    worker_sums_done(s->sums, &out->seconds.wait);
    worker_group_note(g, NULL, round + 1, before + 1);
    out->loss_fixed = r.loss_fixed;
    out->rows = rows;
    out->own_rows = own > 0 ? FW_MIN((uint64_t)p.leaf_end * s->leaf_rows, rows) - (uint64_t)s->leaf_first * s->leaf_rows : 0;
    out->learning_rate = rate;
    return FW_OK;
}

/* ---- state ---------------------------------------------------------------------------------------------------------------------- */

size_t worker_gradient_arrays(void *state, fw_array out[static WORKER_MAX_ARRAYS])
{
    gradient *s = state;
    size_t k = 0;
    out[k++] = (fw_array){"parameters", FW_F32, s->net.n_params, s->params};
    out[k++] = (fw_array){"optimizer_m", FW_F32, s->net.n_params, s->m};
    if (s->task->project->train.optimizer != FW_SGD) out[k++] = (fw_array){"optimizer_v", FW_F32, s->net.n_params, s->v};
    out[k++] = (fw_array){"sum_exponents", FW_I64, worker_sums_n_blocks(s->sums), worker_sums_exponents(s->sums)};
    return k;
}

fw_status worker_gradient_predict(const void *state, const float *x, size_t ld, size_t n, float *out, fw_error *err)
{
    const gradient *s = state;
    FW_FREE float *scratch = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&scratch, fw_dense_scratch(&s->net, n), sizeof *scratch, "prediction", err));
    fw_dense_predict(&s->net, s->params, x, ld, n, out, scratch);
    return FW_OK;
}

fw_status worker_gradient_export(const void *state, const void *const *model_arrays, fw_model *m, fw_error *err)
{
    const gradient *s = state;
    FW_TRY(fw_copy_text(&m->learner, s->learner, err));
    m->net = s->net;
    FW_TRY(fw_alloc_zeroed((void **)&m->params, s->net.n_params, sizeof(float), "parameters", err));
    memcpy(m->params, model_arrays[0], s->net.n_params * sizeof(float));
    return FW_OK;
}
