#include "worker/worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/kernels.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "proto/command.h"
#include "worker/evaluate.h"
#include "worker/ingest.h"
#include "worker/probe.h"
#include "worker/score.h"
#include "worker/train.h"

#define SEND_DEADLINE_S 60.0
#define MAX_VALUES      24

typedef struct worker {
    worker_group *group;
    fw_line *line;                 /* rank 0 */
    fw_project *project;           /* of the task */
    worker_task *task;
    worker_train *train;
    fw_model *model;
    uint64_t number;               /* of the order at hand */
    fw_value values[MAX_VALUES];   /* figures of the answer; names are literals */
    size_t n_values;
    worker_round last;             /* the last round advanced; */
    fw_round_result *rounds;       /* of the answer: their names and times by rank stand in `last` or in the history */
    size_t n_rounds;
    char digest[FW_DIGEST_TEXT];
} worker;

static const fw_reduce *reduce_of(const worker *w) { return worker_group_reduce(w->group); }

/* ---- answers (rank 0) ---------------------------------------------------------------------------------------------------------------- */

static fw_status send_answer(worker *w, const fw_answer *a, fw_error *err)
{
    if (w->line == NULL) return FW_OK;
    FW_FREE void *bytes = NULL;
    size_t len = 0;
    FW_TRY(fw_answer_pack(&bytes, &len, a, err));
    return fw_line_send(w->line, bytes, len, fw_mono_after(fw_mono_now(), SEND_DEADLINE_S), err);
}

static void say_line(void *context, const char *text)
{
    worker *w = context;
    fw_answer a = {.number = w->number, .kind = (char *)"note", .text = (char *)text};
    send_answer(w, &a, NULL);
}

/* Several lines of text, one note each. */
static void say_lines(worker *w, char *text)
{
    for (char *rest = NULL, *line = text != NULL ? strtok_r(text, "\n", &rest) : NULL; line != NULL; line = strtok_r(NULL, "\n", &rest))
        say_line(w, line);
}

static void say_train(void *context, const char *kind, const char *text, const worker_position *at, double fraction, double loss, double rows_per_s)
{
    worker *w = context;
    fw_answer a = {.number = w->number, .kind = (char *)kind, .text = (char *)text, .position = {at->round, at->step, at->rows}, .fraction = fraction,
                   .train_loss = loss, .rows_per_s = rows_per_s};
    send_answer(w, &a, NULL);
}

static void figure(worker *w, const char *name, double value)
{
    if (w->n_values < MAX_VALUES) w->values[w->n_values++] = (fw_value){(char *)name, value};
}

static fw_status take_part(void *context, const worker_part *part, fw_error *err)
{
    worker *w = context;
    const bool regression = w->model->task == FW_TASK_REGRESSION;
    const size_t n_out = fw_model_n_out(w->model);
    struct { const char *kind; const void *bytes; size_t len; } pieces[] = {
        {"predictions", regression ? (const void *)part->value : (const void *)part->p, part->n * (regression ? sizeof(double) : n_out * sizeof(float))},
        {"truth", regression ? (const void *)part->truth : (const void *)part->label, part->n * (regression ? sizeof(double) : sizeof(int32_t))},
    };
    for (size_t i = 0; i < 2; i++) {
        fw_answer a = {.number = w->number, .kind = (char *)pieces[i].kind, .payload = (void *)pieces[i].bytes, .payload_len = pieces[i].len};
        FW_TRY(send_answer(w, &a, err));
    }
    return FW_OK;
}

/* ---- orders: Collective, one function each -------------------------------------------------------------------------------------------- */

static fw_status read_project(fw_project **out, const fw_order *o, fw_error *err)
{
    static const char name[] = "the project in an order";
    if (o->n_overrides == 0) return fw_project_parse(out, o->project, name, o->directory, err);
    FW_AUTO(fw_project) *given = NULL;
    FW_TRY(fw_project_parse(&given, o->project, name, o->directory, err));
    return fw_project_with(out, given, (const char *const *)o->overrides, o->n_overrides, err);
}

static fw_status parse_project(fw_project **out, const worker *w, const fw_order *o, fw_error *err)
{
    fw_project_destroy(out);
    fw_status s = read_project(out, o, err);
    return reduce_of(w)->agree(reduce_of(w)->context, s, err);
}

static fw_status do_ingest(worker *w, const fw_order *o, fw_error *err)
{
    FW_AUTO(fw_project) *project = NULL;
    worker_ingest_result r;
    FW_TRY(parse_project(&project, w, o, err));
    FW_TRY(worker_ingest(project, o->output, reduce_of(w), say_line, w, &r, err));
    memcpy(w->digest, r.digest, sizeof w->digest);
    figure(w, "rows", (double)r.rows);
    figure(w, "train", (double)r.rows_by_split[FW_TRAIN]);
    figure(w, "validation", (double)r.rows_by_split[FW_VALIDATION]);
    figure(w, "test", (double)r.rows_by_split[FW_TEST]);
    figure(w, "bad", (double)r.bad);
    figure(w, "excluded", (double)r.excluded);
    figure(w, "duplicates", (double)r.duplicates);
    figure(w, "seconds", r.seconds);
    return FW_OK;
}

/* What was trained is over; rows that the new task has too stay in memory. */
static fw_status replace_task(worker *w, fw_project **project, const worker_task_opts *opts, bool *kept, char **notes, fw_error *err)
{
    fw_status s = w->task != NULL ? worker_task_renew(w->task, *project, opts, kept, err) : FW_OK;
    if (s != FW_OK || !*kept) worker_task_close(&w->task);
    fw_project_destroy(&w->project);
    w->project = *project;
    *project = NULL;
    return s != FW_OK || *kept ? s : worker_task_open(&w->task, w->group, w->project, opts, notes, err);
}

static fw_status do_open(worker *w, const fw_order *o, fw_error *err)
{
    FW_FREE char *notes = NULL;
    FW_AUTO(fw_project) *project = NULL;
    bool kept = false;
    const worker_task_opts opts = {.dataset = o->dataset, .folds = o->folds, .fold = o->fold, .shared = o->shared};
    worker_train_release(&w->train);                   /* it reads the task, which reads the project */
    fw_status s = parse_project(&project, w, o, err);
    if (s == FW_OK) s = replace_task(w, &project, &opts, &kept, &notes, err);
    if (s != FW_OK) {
        worker_task_close(&w->task);
        return s;
    }
    say_lines(w, notes);
    snprintf(w->digest, sizeof w->digest, "%s", fw_dataset_digest(w->task->dataset));
    figure(w, "train", (double)w->task->train.n);
    figure(w, "validation", (double)w->task->validation.n);
    figure(w, "test", (double)fw_dataset_rows(w->task->dataset, FW_TEST));
    figure(w, "features", (double)w->task->width);
    figure(w, "classes", (double)w->task->n_classes);
    figure(w, "missing", (double)w->task->train.missing);
    figure(w, "unseen_validation", (double)w->task->validation.unseen);
    figure(w, "kept", kept);
    figure(w, "shared", w->task->file != NULL);
    return FW_OK;
}

static fw_status fill_round(fw_round_result *out, const worker_round *r, int n_ranks, fw_error *err)
{
    *out = (fw_round_result){.position = {r->position.round, r->position.step, r->position.rows}, .train_loss = r->train_loss, .rows_per_s = r->rows_per_s,
                             .learning_rate = r->learning_rate, .slowest_rank = (uint32_t)r->slowest_rank};
    memcpy(&out->seconds, &r->seconds, sizeof out->seconds);
    FW_TRY(fw_alloc_zeroed((void **)&out->validation, r->n_validation + 1, sizeof *out->validation, "metrics", err));
    out->n_validation = r->n_validation;
    for (size_t i = 0; i < r->n_validation; i++) out->validation[i] = (fw_value){(char *)r->validation_name[i], r->validation[i]};
    if (r->by_rank != NULL) {
        out->by_rank = (fw_part_seconds *)r->by_rank;          /* the same six doubles; borrowed */
        out->n_by_rank = (size_t)n_ranks;
    }
    return FW_OK;
}
_Static_assert(sizeof(fw_part_seconds) == sizeof(worker_seconds), "six doubles each");

static fw_status answer_rounds(worker *w, const worker_round *rounds, size_t n, fw_error *err)
{
    FW_TRY(fw_alloc_zeroed((void **)&w->rounds, n + 1, sizeof *w->rounds, "rounds", err));
    for (size_t i = 0; i < n; i++) {
        FW_TRY(fill_round(&w->rounds[i], &rounds[i], worker_group_size(w->group), err));
        w->n_rounds = i + 1;
    }
    return FW_OK;
}

static fw_status do_create(worker *w, const fw_order *o, fw_error *err)
{
    if (w->task == NULL) return fw_fail(err, FW_ERR_ARG, "order: create before open");
    worker_train_opts opts = {.checkpoint = o->path[0] != '\0' ? o->path : NULL, .checkpoint_every_s = o->checkpoint_every_s,
                              .checkpoint_every_rounds = o->checkpoint_every_rounds};
    worker_train_release(&w->train);
    FW_TRY(worker_train_create(&w->train, w->task, &opts, err));
    worker_train_listen(w->train, say_train, w);
    worker_signals_install();
    return FW_OK;
}

static fw_status do_restore(worker *w, const fw_order *o, fw_error *err)
{
    FW_TRY(do_create(w, o, err));
    FW_TRY(worker_train_restore(w->train, o->dataset, err));
    size_t n = 0;
    const worker_round *history = worker_train_history(w->train, &n);
    return answer_rounds(w, history, n, err);
}

static fw_status do_advance(worker *w, const fw_order *o, fw_error *err)
{
    if (w->train == NULL) return fw_fail(err, FW_ERR_ARG, "order: advance before create");
    for (uint64_t i = 0; i < FW_MAX(o->rounds, (uint64_t)1); i++) FW_TRY(worker_train_advance(w->train, o->mark_best && i == 0, &w->last, err));
    return answer_rounds(w, &w->last, 1, err);
}

static fw_status do_checkpoint(worker *w, fw_error *err)
{
    if (w->train == NULL) return fw_fail(err, FW_ERR_ARG, "order: checkpoint before create");
    return worker_train_checkpoint(w->train, err);
}

static fw_status do_save(worker *w, const fw_order *o, fw_error *err)
{
    if (w->train == NULL) return fw_fail(err, FW_ERR_ARG, "order: save before create");
    FW_FREE fw_named_value *metrics = NULL;
    fw_status s = fw_alloc_zeroed((void **)&metrics, o->n_values + 1, sizeof *metrics, "metrics", err);
    FW_TRY(reduce_of(w)->agree(reduce_of(w)->context, s, err));
    for (size_t i = 0; i < o->n_values; i++) metrics[i] = (fw_named_value){o->values[i].name, o->values[i].value};
    return worker_train_save(w->train, o->path, o->best, metrics, o->n_values, w->digest, err);
}

static fw_status do_load_model(worker *w, const fw_order *o, fw_error *err)
{
    fw_model_destroy(&w->model);
    fw_status s = reduce_of(w)->agree(reduce_of(w)->context, fw_model_load(&w->model, o->path, err), err);
    if (s == FW_OK) snprintf(w->digest, sizeof w->digest, "%s", w->model->digest);
    return s;
}

static fw_status do_evaluate(worker *w, const fw_order *o, fw_error *err)
{
    fw_split split;
    fw_apply_counts total = {0};
    if (w->model == NULL) return fw_fail(err, FW_ERR_ARG, "order: evaluate before a model is loaded");
    if (!fw_split_parse(&split, o->split)) return fw_fail(err, FW_ERR_ARG, "order: no split \"%s\"", o->split);
    FW_TRY(worker_evaluate(w->group, w->model, o->dataset, split, take_part, w, &total, err));
    figure(w, "missing", (double)total.missing);
    figure(w, "unseen", (double)total.unseen);
    return FW_OK;
}

static fw_status do_score(worker *w, const fw_order *o, fw_error *err)
{
    FW_AUTO(fw_project) *project = NULL;
    worker_score_result r = {0};
    if (w->model == NULL) return fw_fail(err, FW_ERR_ARG, "order: score before a model is loaded");
    FW_TRY(parse_project(&project, w, o, err));
    worker_score_opts opts = {.project = project, .dataset = o->dataset[0] != '\0' ? o->dataset : NULL, .split = o->split, .output = o->output,
                              .format = o->format, .bus = o->bus, .identity = {.keys = o->keys, .insecure = o->insecure}, .record = o->record, .spool = o->spool, .wait_readers = o->wait_readers, .wait_s = o->wait_s, .skip_bad_rows = o->skip_bad_rows,
                              .piece_rows = (size_t)o->piece_rows, .model_digest = w->model->digest};
    FW_TRY(worker_score(w->group, w->model, &opts, say_line, w, &r, err));
    figure(w, "rows", (double)r.rows);
    figure(w, "bad", (double)r.bad);
    figure(w, "missing", (double)r.missing);
    figure(w, "unseen", (double)r.unseen);
    figure(w, "published", (double)r.published);
    figure(w, "messages", (double)r.messages);
    figure(w, "delivered", (double)r.delivered);
    figure(w, "spooled", (double)r.spooled);
    figure(w, "dropped", (double)r.dropped);
    figure(w, "recorded", (double)r.recorded);
    figure(w, "ending", r.ending_s);
    figure(w, "parts", (double)r.parts);
    figure(w, "part_p50", r.part.p50_s);
    figure(w, "part_p99", r.part.p99_s);
    figure(w, "bare_p50", r.bare.p50_s);
    figure(w, "bare_p99", r.bare.p99_s);
    figure(w, "in_parts", r.parts_s);
    figure(w, "telemetry", r.telemetry_s);
    figure(w, "seconds", r.seconds);
    return FW_OK;
}

#define FIND_RATE_STEPS_MAX 1000
static fw_status do_find_rate(worker *w, const fw_order *o, fw_error *err)
{
    double rate[FIND_RATE_STEPS_MAX], loss[FIND_RATE_STEPS_MAX];
    size_t n = FW_MIN((size_t)o->steps, (size_t)FIND_RATE_STEPS_MAX), done = 0;
    if (w->train == NULL) return fw_fail(err, FW_ERR_ARG, "order: find_learning_rate before create");
    FW_TRY(worker_train_find_rate(w->train, o->low, o->high, n, rate, loss, &done, err));
    FW_TRY(fw_alloc_zeroed((void **)&w->rounds, done + 1, sizeof *w->rounds, "rounds", err));
    for (size_t i = 0; i < done; i++) w->rounds[i] = (fw_round_result){.learning_rate = rate[i], .train_loss = loss[i]};
    w->n_rounds = done;
    return FW_OK;
}

static fw_status send_bytes(void *context, const void *bytes, size_t len, fw_error *err)
{
    worker *w = context;
    return fw_line_send(w->line, bytes, len, fw_mono_after(fw_mono_now(), SEND_DEADLINE_S), err);
}

static fw_status do_probe(worker *w, const fw_order *o, fw_error *err)
{
    const worker_probe_opts opts = {.number = w->number, .path = o->path, .deadline_s = o->deadline_s};
    return worker_probe(w->group, &opts, send_bytes, w, err);
}

/* What the watcher and the heartbeats say of an order. Without one: "advance" tells its own, and nobody has to be told of "close". */
static const char *const phase_of[] = {
    [FW_ORDER_INGEST] = "ingest",       [FW_ORDER_OPEN] = "open",         [FW_ORDER_CREATE] = "create", [FW_ORDER_RESTORE] = "restore",
    [FW_ORDER_SAVE] = "save",           [FW_ORDER_LOAD_MODEL] = "load",   [FW_ORDER_EVALUATE] = "evaluate", [FW_ORDER_SCORE] = "score",
    [FW_ORDER_FIND_RATE] = "find rate", [FW_ORDER_PROBE] = "probe",       [FW_ORDER_CHECKPOINT] = "checkpoint",
    [FW_ORDER_CLOSE] = NULL,
};

static void note(worker *w, const char *phase)
{
    const worker_position at = w->train != NULL ? worker_train_position(w->train) : (worker_position){0};
    worker_group_note(w->group, phase, at.round, at.step);
}

static fw_status obey(worker *w, const fw_order *o, fw_error *err)
{
    if (w->train != NULL && o->kind != FW_ORDER_ADVANCE) FW_TRY(worker_train_settle(w->train, err));      /* a thread of rank 0 may be using HDF5 */
    if (phase_of[o->kind] != NULL) note(w, phase_of[o->kind]);
    switch (o->kind) {
    case FW_ORDER_INGEST: return do_ingest(w, o, err);
    case FW_ORDER_OPEN: return do_open(w, o, err);
    case FW_ORDER_CREATE: return do_create(w, o, err);
    case FW_ORDER_RESTORE: return do_restore(w, o, err);
    case FW_ORDER_ADVANCE: return do_advance(w, o, err);
    case FW_ORDER_SAVE: return do_save(w, o, err);
    case FW_ORDER_LOAD_MODEL: return do_load_model(w, o, err);
    case FW_ORDER_EVALUATE: return do_evaluate(w, o, err);
    case FW_ORDER_SCORE: return do_score(w, o, err);
    case FW_ORDER_FIND_RATE: return do_find_rate(w, o, err);
    case FW_ORDER_PROBE: return do_probe(w, o, err);
    case FW_ORDER_CHECKPOINT: return do_checkpoint(w, err);
    case FW_ORDER_CLOSE: return FW_OK;
    }
    return fw_fail(err, FW_ERR_FORMAT, "order of no known kind");
}

/* ---- serving ---------------------------------------------------------------------------------------------------------------------------- */

/* The next order's bytes at every rank; malloc'ed. The coordinator may take its time, so waiting has no end of its own: the process ends with it. */
static fw_status next_order(worker *w, void **bytes, size_t *len, fw_error *err)
{
    const void *received = NULL;
    fw_status s = FW_OK;
    *bytes = NULL;
    *len = 0;
    if (w->line != NULL) {
        do s = fw_line_receive(w->line, &received, len, fw_mono_after(fw_mono_now(), 1.0), err);
        while (s == FW_ERR_TIMEOUT);
        if (s == FW_OK && (*bytes = malloc(*len + 1)) == NULL) s = fw_fail(err, FW_ERR_NOMEM, "an order");
        if (s == FW_OK) memcpy(*bytes, received, *len);
    }
    FW_TRY(worker_group_await_leader(w->group, err));
    FW_TRY(reduce_of(w)->agree(reduce_of(w)->context, s, err));
    return worker_group_broadcast(w->group, bytes, len, err);
}

static fw_status answer_order(worker *w, fw_status s, const fw_error *error, fw_error *err)
{
    fw_answer a = {.number = w->number, .status = s, .text = s < 0 ? (char *)error->text : NULL, .last = true, .digest = w->digest, .rounds = w->rounds,
                   .n_rounds = w->n_rounds, .values = w->values, .n_values = w->n_values, .ranks = (uint32_t)worker_group_size(w->group)};
    if (w->train != NULL) {
        worker_position p = worker_train_position(w->train);
        a.position = (fw_position){p.round, p.step, p.rows};
        a.has_best = worker_train_has_best(w->train);
    }
    return send_answer(w, &a, err);
}

static void clear_answer(worker *w)
{
    for (size_t i = 0; i < w->n_rounds; i++) free(w->rounds[i].validation);
    free(w->rounds);
    w->rounds = NULL;
    w->n_rounds = w->n_values = 0;
    w->digest[0] = '\0';
}

static fw_status serve_one(worker *w, bool *closed, worker_end *end, fw_error *err)
{
    FW_FREE void *bytes = NULL;
    FW_AUTO(fw_order) *o = NULL;
    fw_error failure = {0};
    size_t len = 0;
    FW_TRY(next_order(w, &bytes, &len, err));
    fw_status s = fw_order_unpack(&o, bytes, len, err);
    FW_TRY(reduce_of(w)->agree(reduce_of(w)->context, s, err));
    w->number = o->number;
    s = obey(w, o, &failure);
    s = reduce_of(w)->agree(reduce_of(w)->context, s, &failure);
    if (o->kind == FW_ORDER_CLOSE) {
        *closed = true;
        *end = (worker_end){o->exit_code, o->leave};
        return FW_OK;
    }
    note(w, "idle");
    s = answer_order(w, s, &failure, err);
    clear_answer(w);
    return reduce_of(w)->agree(reduce_of(w)->context, s, err);
}

fw_status worker_choose_kernels(worker_group *g, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(g);
    fw_status s = fw_kernels_choose(err);
    if (s != FW_OK) s = fw_wrap(err, s, "rank %d (%s)", worker_group_rank(g), worker_group_host(g));
    return reduce->agree(reduce->context, s, err);
}

fw_status worker_serve(worker_group *g, fw_line *line, worker_end *end, fw_error *err)
{
    worker w = {.group = g, .line = line};
    bool closed = false;
    fw_status s = FW_OK;
    while (s == FW_OK && !closed) s = serve_one(&w, &closed, end, err);
    worker_train_release(&w.train);
    worker_task_close(&w.task);
    fw_model_destroy(&w.model);
    fw_project_destroy(&w.project);
    return s;
}
