/** The step loop under SimGrid SMPI: group, sums, learner and kernels as they are, an mlp of 1 M parameters on rows made in memory, one leaf of 64 rows a rank.
 *
 *    simulate measure STEPS                  one rank: costs of this machine, one JSON line
 *    simulate run STEPS BATCH ARITHMETIC LEAF_S UPDATE_S TAKE_S CORE_BYTES_S NODE_BYTES_S      seconds of a step, digest of the model, one JSON line */
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/random.h"
#include "common/core/size.h"
#include "tests/bench/simulate/costs.h"
#include "worker/learners/gradient.h"

enum { WIDTH = 784, LD = 784, CLASSES = 10, LEAF_ROWS = 64 };
static const size_t hidden[] = {768, 512};

typedef struct simulation { worker_group *group; fw_project project; worker_task task; worker_shared *rows; fw_dense net; void *learner; } simulation;

static double bound(const fw_dense_layer *layer) { return 1.0 / (double)layer->in; }

/* Rows as features in the node's memory, each from its number alone. Without arithmetic nobody reads them. */
static fw_status make_rows(simulation *s, uint64_t n, fw_error *err)
{
    worker_rows *rows = &s->task.train;
    const size_t kept = simulate.arithmetic ? (size_t)n : 1;
    *rows = (worker_rows){.n = n, .ld = LD};
    FW_TRY(worker_shared_create(&s->rows, s->group, kept * (LD * sizeof(float) + sizeof(int32_t)), "rows", err));
    rows->x = worker_shared_base(s->rows);
    rows->label = (int32_t *)(void *)(rows->x + kept * LD);
    const size_t step = (size_t)worker_group_node_size(s->group);
    for (size_t i = (size_t)worker_group_node_rank(s->group); i < kept; i += step) {
        rows->label[i] = (int32_t)(fw_random(1, FW_RANDOM_TEST, 1, i, 0).word[0] % CLASSES);
        for (size_t j = 0; j < WIDTH; j += 4) {
            const fw_philox r = fw_random(1, FW_RANDOM_TEST, 0, i, (uint32_t)j);
            for (size_t k = 0; k < 4; k++) rows->x[i * LD + j + k] = (float)(r.word[k] >> 24) / 255.0f;
        }
    }
    worker_group_meet(s->group, NULL);
    return FW_OK;
}

static fw_status set_up(simulation *s, int *argc, char ***argv, uint64_t batch, fw_error *err)
{
    static float weight[CLASSES];
    for (size_t k = 0; k < CLASSES; k++) weight[k] = 1.0f;
    s->project.train.epochs = 100;
    s->project.train.global_batch_size = batch;
    s->project.train.leaf_rows = LEAF_ROWS;
    s->project.train.seed = 1;
    s->project.train.optimizer = FW_ADAM;
    s->project.train.learning_rate = 0.001;
    s->project.train.beta1 = 0.9;
    s->project.train.beta2 = 0.999;
    s->project.train.epsilon = 1e-8;
    FW_TRY(worker_group_start(&s->group, argc, argv, err));
    s->task = (worker_task){.group = s->group, .project = &s->project, .task = FW_TASK_CLASSIFICATION, .link = FW_LINK_SOFTMAX, .n_classes = CLASSES,
                            .n_out = CLASSES, .width = WIDTH, .class_weight = weight, .target_scale = 1.0};
    FW_TRY(make_rows(s, batch, err));
    FW_TRY(fw_dense_make(&s->net, WIDTH, hidden, sizeof hidden / sizeof *hidden, CLASSES, FW_RELU, FW_LINK_SOFTMAX, err));
    simulate.n_params = s->net.n_params;
    simulate.node_ranks = worker_group_node_size(s->group);
    return worker_gradient_create(&s->learner, &s->task, "mlp", &s->net, bound, err);
}

static fw_status one_step(simulation *s, uint64_t number, worker_step *out, fw_error *err)
{
    *out = (worker_step){0};
    return worker_gradient_step(s->learner, number, 0, out, err);
}

/* ---- measuring: one rank ------------------------------------------------------------------------------------------------------------------ */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *v, size_t n)
{
    qsort(v, n, sizeof *v, ascending);
    return v[n / 2];
}

/* Bytes a second that one core reads from memory. */
static double core_bandwidth(void)
{
    enum { BYTES = 1 << 28 };
    int64_t *v = malloc(BYTES), sum = 0;
    if (v == NULL) abort();
    for (size_t i = 0; i < BYTES / sizeof *v; i++) v[i] = (int64_t)i;
    const double start = simulate_real_seconds();
    for (size_t i = 0; i < BYTES / sizeof *v; i++) sum += v[i];
    const double seconds = simulate_real_seconds() - start;
    volatile int64_t used = sum;
    (void)used;
    free(v);
    return BYTES / seconds;
}

static fw_status measure(simulation *s, size_t steps, fw_error *err)
{
    enum { WARM = 3, MOST = 1000 };
    static double leaf[MOST], update[MOST], take[MOST], whole[MOST];
    if (steps > MOST || steps == 0) return fw_fail(err, FW_ERR_ARG, "1 to %d steps", MOST);
    for (size_t i = 0; i < WARM + steps; i++) {
        worker_step out;
        simulate.leaf_s = simulate.update_s = simulate.take_s = 0.0;
        const double start = simulate_real_seconds();
        FW_TRY(one_step(s, i, &out, err));
        if (i < WARM) continue;
        whole[i - WARM] = simulate_real_seconds() - start;
        leaf[i - WARM] = simulate.leaf_s;
        update[i - WARM] = simulate.update_s / (double)simulate.n_params;
        take[i - WARM] = simulate.take_s / (double)simulate.n_params;
    }
    printf("{\"step_s\": %.9g, \"leaf_s\": %.9g, \"update_s\": %.9g, \"take_s\": %.9g, \"core_bytes_s\": %.9g, \"parameters\": %zu}\n", median(whole, steps),
           median(leaf, steps), median(update, steps), median(take, steps), core_bandwidth(), simulate.n_params);
    return FW_OK;
}

/* ---- running ------------------------------------------------------------------------------------------------------------------------------- */

static fw_status digest_of(const simulation *s, char out[static FW_DIGEST_TEXT])
{
    fw_array arrays[WORKER_MAX_ARRAYS];
    worker_gradient_arrays(s->learner, arrays);
    fw_digest_text(out, fw_hash128(arrays[0].data, arrays[0].n * sizeof(float), 0));
    return FW_OK;
}

static fw_status run(simulation *s, size_t steps, fw_error *err)
{
    double start = 0.0, wait = 0.0;
    char digest[FW_DIGEST_TEXT];
    for (size_t i = 0; i <= steps; i++) {               /* the first one sets the exponents */
        worker_step out;
        if (i == 1) start = MPI_Wtime();
        FW_TRY(one_step(s, i, &out, err));
        wait += i > 0 ? out.seconds.wait : 0.0;
    }
    const double seconds = (MPI_Wtime() - start) / (double)steps;
    FW_TRY(digest_of(s, digest));
    if (worker_group_rank(s->group) != 0) return FW_OK;
    const bool nodes = worker_group_nodes(s->group) > 1;
    if (simulate_charges.leaves == 0 || simulate_charges.updates == 0 || (nodes ? simulate_charges.totals : simulate_charges.takes) == 0)
        return fw_fail(err, FW_ERR_INTERNAL, "a part of the step was not charged: costs.c wraps what the program no longer calls");
    printf("{\"ranks\": %d, \"nodes\": %d, \"step_s\": %.9g, \"wait_s\": %.9g, \"arithmetic\": %s, \"digest\": \"%s\"}\n", worker_group_size(s->group),
           worker_group_nodes(s->group), seconds, wait / (double)steps, simulate.arithmetic ? "true" : "false", digest);
    return FW_OK;
}

int main(int argc, char **argv)
{
    simulation s = {0};
    fw_error err = {0};
    const bool measuring = argc == 3 && strcmp(argv[1], "measure") == 0, running = argc == 10 && strcmp(argv[1], "run") == 0;
    if (!measuring && !running) {
        fprintf(stderr, "usage: simulate measure STEPS | run STEPS BATCH ARITHMETIC LEAF_S UPDATE_S TAKE_S CORE_BYTES_S NODE_BYTES_S\n");
        return 2;
    }
    const size_t steps = strtoull(argv[2], NULL, 10);
    if (running)
        simulate = (simulate_costs){.arithmetic = atoi(argv[4]) != 0, .leaf_s = atof(argv[5]), .update_s = atof(argv[6]), .take_s = atof(argv[7]),
                                    .core_bytes_s = atof(argv[8]), .node_bytes_s = atof(argv[9]), .node_ranks = 1};
    fw_status status = set_up(&s, &argc, &argv, running ? strtoull(argv[3], NULL, 10) : LEAF_ROWS, &err);
    if (status == FW_OK) status = measuring ? measure(&s, steps, &err) : run(&s, steps, &err);
    if (status != FW_OK) {
        fprintf(stderr, "%s\n", err.text);
        exit(1);
    }
    worker_gradient_release(&s.learner);
    worker_shared_release(&s.rows);
    worker_group_stop(&s.group, false);
    return 0;
}
