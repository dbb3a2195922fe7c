/** A search as the product makes it (the study, its journal, sampler and pruner) for programs that hold the learning curves themselves. Slots are virtual and
 *  in lockstep, each round takes one second. bench_curves --serve: lines on the standard input, answers on the output.
 *    study SAMPLER PRUNER SEED TRIALS ROUNDS SLOTS MIN_ROUNDS REDUCTION EPOCHS     at most so many rounds in all
 *    float|int LOW HIGH LOG (0 or 1)             a line each parameter, and "go"
 *    -> point NUMBER VALUES...                   to be answered by the losses after each of the ROUNDS, in one line
 *    -> done SPENT TRIALS COMPLETE LOSS SEEN     rounds, trials, the best loss of a complete one (nan: none), the lowest that was reported at all
 *  Without arguments it searches a bowl whose curves it makes itself, and fails when the kept trial is far from the bottom. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/size.h"
#include "coordinator/study/study_parts.h"
#include "tests/unit/scratch.h"

enum { MAX_SLOTS = 64 };

typedef struct curves {
    char sampler[32], pruner[32];
    unsigned long long seed, trials, rounds, slots, min_rounds, epochs;
    double reduction;
    json_t *space;
    scratch s;
    coord_study *study;
    double **curve; size_t n, capacity;            /* by trial, (rounds) */
    coord_job job[MAX_SLOTS]; bool busy[MAX_SLOTS];
    unsigned long long spent;
    double seen;
    bool self;
    fw_error err;
} curves;

static void must(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "bench_curves: %s\n", what);
    exit(2);
}

static void done(const curves *c, fw_status s) { must(s == FW_OK, c->err.text); }

/* ---- the objective ----------------------------------------------------------------------------------------------------------------------------- */

static void ask_outside(const curves *c, const coord_job *job, double *curve)
{
    printf("point %llu", (unsigned long long)job->trial);
    for (size_t i = 0; i < coord_study_space(c->study)->n; i++) printf(" %.17g", job->x[i]);
    printf("\n");
    fflush(stdout);
    for (size_t r = 0; r < c->rounds; r++) must(scanf("%lf", &curve[r]) == 1, "a curve was to come");
}

/* Falls to its end at a speed of its own: early losses mislead a little. */
static void bowl(const curves *c, const coord_job *job, double *curve)
{
    const double *x = job->x, end = (x[0] - 0.3) * (x[0] - 0.3) + (x[1] - 0.8) * (x[1] - 0.8);
    for (size_t r = 0; r < c->rounds; r++) curve[r] = end + 1 / (double)(r + 1) * (1 + 0.2 * x[0]);
}

static const double *curve_of(curves *c, const coord_job *job)
{
    if (job->trial < c->n) return c->curve[job->trial];
    done(c, fw_grow((void **)&c->curve, &c->capacity, job->trial + 1, sizeof *c->curve, "curves", &c->err));
    done(c, fw_alloc_zeroed((void **)&c->curve[c->n++], c->rounds, sizeof(double), "curves", &c->err));
    (c->self ? bowl : ask_outside)(c, job, c->curve[job->trial]);
    return c->curve[job->trial];
}

/* ---- the search -------------------------------------------------------------------------------------------------------------------------------- */

static void open_study(curves *c)
{
    json_t *settings = json_pack("{s:s, s:i, s:s, s:s, s:s, s:I, s:b, s:I, s:I, s:I, s:i, s:{s:s, s:s, s:i, s:i}, s:{s:s, s:i, s:b}, s:{s:s, s:I, s:f, s:i, s:f, s:i}, s:o, s:s}", "event", "study",
                                 "format", COORD_STUDY_FORMAT, "version", "0", "project", "bench", "dataset", "none", "slots", (json_int_t)c->slots, "lockstep", 1, "trials",
                                 (json_int_t)c->trials, "seed", (json_int_t)c->seed, "max_rounds", (json_int_t)c->rounds, "max_failed_trials", 0, "objective", "metric", "log_loss",
                                 "direction", "minimize", "folds", 1, "seeds", 1, "sampler", "name", c->sampler, "startup_trials", 0, "univariate", 0, "pruner", "name", c->pruner,
                                 "min_rounds", (json_int_t)c->min_rounds, "reduction_factor", c->reduction, "startup_trials", 5, "percentile", 25.0, "keep", 0, "space", c->space, "model", "");
    must(settings != NULL && c->slots >= 1 && c->slots <= MAX_SLOTS && scratch_make(&c->s), "wrong settings, or no place for the journal");
    done(c, coord_study_open_as(&c->study, scratch_path(&c->s, "study"), settings, COORD_STUDY_NEW, &c->err));
    json_decref(settings);
    c->seen = INFINITY;
}

static bool spend(curves *c, coord_job *job, uint64_t round, coord_verdict_on *verdict)
{
    const double loss = curve_of(c, job)[round - 1];
    if (c->spent == c->epochs) return false;
    c->spent++;
    c->seen = fmin(c->seen, loss);
    done(c, coord_study_report(c->study, job, round, loss, NAN, verdict, &c->err));
    return true;
}

/* Up to the round that is judged; that one waits for its turn. */
static bool run_ahead(curves *c, uint32_t slot)
{
    coord_job *job = &c->job[slot];
    coord_verdict_on verdict = COORD_GO_ON;
    for (uint64_t r = coord_study_trial(c->study, job->trial)->rounds + 1; r < job->to; r++)
        if (!spend(c, job, r, &verdict)) return false;
    return true;
}

static bool judge(curves *c, uint32_t slot)
{
    coord_job *job = &c->job[slot];
    coord_verdict_on verdict = COORD_GO_ON;
    if (!spend(c, job, job->to, &verdict)) return false;
    if (verdict == COORD_GO_ON && coord_study_trial(c->study, job->trial)->rounds < c->rounds) return run_ahead(c, slot);
    if (verdict == COORD_GO_ON) done(c, coord_study_complete(c->study, job, curve_of(c, job)[c->rounds - 1], NAN, c->rounds, &c->err));
    c->busy[slot] = false;
    return true;
}

/* False: the budget is spent, or the study is over. */
static bool turn(curves *c)
{
    const int64_t next = coord_study_turn(c->study);
    coord_answer_kind kind;
    if (next < 0) return false;
    const uint32_t slot = (uint32_t)next;
    if (c->busy[slot]) return judge(c, slot);
    done(c, coord_study_ask(c->study, slot, &kind, &c->job[slot], &c->err));
    if (kind != COORD_JOB) return true;
    c->busy[slot] = true;
    return run_ahead(c, slot);
}

static double search(curves *c)
{
    open_study(c);
    while (turn(c)) continue;
    const coord_trial *best = coord_study_best(c->study);
    const double loss = best != NULL ? best->value : (double)NAN;
    printf(c->self ? "{\"bench\": \"curves\", \"rounds\": %llu, \"trials\": %zu, \"complete\": %llu, \"loss\": %.4g, \"seen\": %.4g}\n" : "done %llu %zu %llu %.17g %.17g\n", c->spent,
           coord_study_n_trials(c->study), (unsigned long long)coord_study_count(c->study, COORD_COMPLETE), loss, c->seen);
    coord_study_close(&c->study);
    scratch_remove(&c->s);
    for (size_t i = 0; i < c->n; i++) free(c->curve[i]);
    free(c->curve);
    return loss;
}

static void add_parameter(curves *c, const char *kind, double low, double high, bool log)
{
    char name[16];
    const bool whole = strcmp(kind, "int") == 0;
    snprintf(name, sizeof name, "x%zu", json_array_size(c->space));
    json_t *p = json_pack("{s:s, s:s, s:f, s:f, s:f, s:b}", "name", name, "kind", kind, "low", low, "high", high, "step", whole ? 1.0 : 0.0, "log", (int)log);
    must(p != NULL && json_array_append_new(c->space, p) == 0, "wrong parameter");
}

static int serve(curves *c)
{
    char line[1024], word[32];
    double low = 0, high = 0;
    int log = 0;
    must(fgets(line, sizeof line, stdin) != NULL && sscanf(line, "study %31s %31s %llu %llu %llu %llu %llu %lf %llu", c->sampler, c->pruner, &c->seed, &c->trials, &c->rounds, &c->slots,
                                                           &c->min_rounds, &c->reduction, &c->epochs) == 9, "the first line is to be a study");
    while (fgets(line, sizeof line, stdin) != NULL && strcmp(line, "go\n") != 0) {
        must(sscanf(line, "%31s %lf %lf %d", word, &low, &high, &log) == 4, line);
        add_parameter(c, word, low, high, log != 0);
    }
    (void)search(c);
    return 0;
}

static int self(curves *c)
{
    *c = (curves){.sampler = "auto", .pruner = "asha", .seed = 1, .trials = 60, .rounds = 27, .slots = 4, .min_rounds = 1, .reduction = 3, .epochs = 300, .space = c->space, .self = true};
    for (int i = 0; i < 2; i++) add_parameter(c, "float", 0, 1, false);
    return search(c) < 0.05 + 1.0 / 27 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static curves c;
    c.space = json_array();
    return argc > 1 && strcmp(argv[1], "--serve") == 0 ? serve(&c) : self(&c);
}
