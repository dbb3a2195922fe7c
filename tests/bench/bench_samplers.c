/** How good the points are that samplers propose, and what a proposal costs. No trial is trained: the objective is a function.
 *    bench_samplers [functions] [samplers] [seeds] [counts]   regret (best so far minus the minimum), quartiles over the seeds, a JSON line each; lists by comma
 *    bench_samplers --slots N [--ahead] [functions] ...        the same with trials that run side by side for different times; --ahead: each is thought of when
 *                                                              the one before it begins, as the runner does, and not when a slot is free
 *    bench_samplers --cost [samplers]                          microseconds of a tell and a suggestion at 100, 1,000 and 10,000 known trials, d = 8
 *    bench_samplers --serve FUNCTION                           says its space, then reads points and writes values, a line each: for other programs
 *  Without arguments a short run, which fails unless tpe is better than random. The sampler tpe_univariate is tpe with that option. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/random.h"
#include "common/core/size.h"
#include "coordinator/study/sampler.h"
#include "tests/bench/objectives.h"

enum { MAX_LIST = 16, MAX_SEEDS = 1000, MAX_SLOTS = 64 };

static size_t slots = 1;
static bool ahead;

typedef struct list { const char *item[MAX_LIST]; size_t n; } list;

static list split(char *text)
{
    list l = {.n = 0};
    for (char *rest = NULL, *item = strtok_r(text, ",", &rest); item != NULL && l.n < MAX_LIST; item = strtok_r(NULL, ",", &rest)) l.item[l.n++] = item;
    return l;
}

static void must(fw_status status, const fw_error *err)
{
    if (status >= 0) return;
    fprintf(stderr, "bench_samplers: %s\n", err->text);
    exit(1);
}

static const coord_sampler_kind *sampler_of(const char *name, coord_sampler_opts *opts)
{
    opts->univariate = strcmp(name, "tpe_univariate") == 0;
    const coord_sampler_kind *k = coord_sampler_find(opts->univariate ? "tpe" : name);
    if (k == NULL) {
        fprintf(stderr, "bench_samplers: no sampler '%s'\n", name);
        exit(2);
    }
    return k;
}

/* ---- a search: slots whose trials last as long as a log-normal number says ---------------------------------------------------------------------- */

typedef struct slot { bool busy; size_t trial; double x[COORD_MAX_PARAMS], loss, until; } slot;

typedef struct searched {
    const coord_sampler_kind *kind;
    void *state;
    const bench_objective *objective;
    slot slot[MAX_SLOTS];
    double next[COORD_MAX_PARAMS]; fw_status thought;     /* ahead: of the trial that begins next */
} searched;

static slot *free_first(searched *s)
{
    slot *first = &s->slot[0];
    for (size_t i = 1; i < slots; i++)
        if (s->slot[i].until < first->until) first = &s->slot[i];
    return first;
}

static void tell_end(searched *s, slot *of)
{
    fw_error err;
    if (of->busy) must(s->kind->tell(s->state, &(coord_seen){.number = of->trial, .x = of->x, .loss = of->loss, .rounds = 1, .state = COORD_COMPLETE}, &err), &err);
    of->busy = false;
}

/* False: there was no point. */
static bool begin(searched *s, slot *on, uint64_t seed, size_t trial)
{
    fw_error err;
    if (ahead && trial > 0) memcpy(on->x, s->next, sizeof on->x);
    const fw_status status = ahead && trial > 0 ? s->thought : s->kind->suggest(s->state, trial, on->x, &err);
    must(status, &err);
    if (status == FW_END) return false;
    must(s->kind->tell(s->state, &(coord_seen){.number = trial, .x = on->x, .loss = NAN, .state = COORD_RUNNING}, &err), &err);
    on->busy = true;
    on->trial = trial;
    on->loss = s->objective->value(on->x);
    on->until += exp(fw_random_normal(fw_random(seed, FW_RANDOM_TEST, 1, trial, 0)));
    if (ahead) must(s->thought = s->kind->suggest(s->state, trial + 1, s->next, &err), &err);
    return true;
}

/* best (trials): regret of the trials so far, those that run too. */
static void search(const bench_objective *o, const char *sampler, uint64_t seed, size_t trials, double *best)
{
    static study_space space;
    static searched s;
    fw_error err;
    coord_sampler_opts opts = {.seed = seed, .trials = trials, .parallel = (uint32_t)slots, .rounds = 1};
    s = (searched){.kind = sampler_of(sampler, &opts), .objective = o};
    space = (study_space){.space.n = 0};
    o->space(&space);
    must(s.kind->create(&s.state, &space.space, &opts, &err), &err);
    for (size_t t = 0; t < trials; t++) {
        slot *on = free_first(&s);
        tell_end(&s, on);
        const double loss = begin(&s, on, seed, t) ? on->loss : INFINITY;
        best[t] = t == 0 || loss - o->minimum < best[t - 1] ? loss - o->minimum : best[t - 1];
    }
    s.kind->destroy(&s.state);
}

/* ---- quality ---------------------------------------------------------------------------------------------------------------------------------- */

static int ascending(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Linear between the values in order, as numpy.percentile. */
static double quantile(const double *sorted, size_t n, double share)
{
    const double place = share * (double)(n - 1);
    const size_t i = (size_t)place;
    return i + 1 < n ? sorted[i] + (place - (double)i) * (sorted[i + 1] - sorted[i]) : sorted[n - 1];
}

/* Prints a line for each count; the median at the last one. */
static double measure(const char *function, const char *sampler, size_t seeds, const list *counts)
{
    const bench_objective *o = bench_objective_find(function);
    size_t trials = 0;
    if (o == NULL || seeds == 0 || seeds > MAX_SEEDS) {
        fprintf(stderr, "bench_samplers: no function '%s', or not 1 to %d seeds\n", function, MAX_SEEDS);
        exit(2);
    }
    for (size_t c = 0; c < counts->n; c++) trials = FW_MAX(trials, strtoul(counts->item[c], NULL, 10));
    double *best = calloc(seeds * trials + 1, sizeof *best), at[MAX_SEEDS], median = NAN;
    if (best == NULL || trials == 0) exit(1);
    for (size_t s = 0; s < seeds; s++) search(o, sampler, s, trials, best + s * trials);
    for (size_t c = 0; c < counts->n; c++) {
        const size_t count = FW_MAX(strtoul(counts->item[c], NULL, 10), 1u);
        for (size_t s = 0; s < seeds; s++) at[s] = best[s * trials + count - 1];
        qsort(at, seeds, sizeof *at, ascending);
        median = quantile(at, seeds, 0.5);
        printf("{\"bench\": \"hpo_quality\", \"function\": \"%s\", \"sampler\": \"%s\", \"slots\": %zu, \"ahead\": %s, \"trials\": %zu, \"seeds\": %zu, "
               "\"regret\": {\"q25\": %.5g, \"median\": %.5g, \"q75\": %.5g}}\n", function, sampler, slots, ahead ? "true" : "false", count, seeds, quantile(at, seeds, 0.25), median,
               quantile(at, seeds, 0.75));
    }
    fflush(stdout);
    free(best);
    return median;
}

/* ---- cost ------------------------------------------------------------------------------------------------------------------------------------- */

static void cost(const char *sampler)
{
    static study_space s;
    static const size_t at[3] = {100, 1000, 10000};
    enum { CALLS = 200 };
    const bench_objective *o = bench_objective_find("levy8");
    coord_sampler_opts opts = {.seed = 1, .parallel = 1, .rounds = 1};
    const coord_sampler_kind *k = sampler_of(sampler, &opts);
    void *state = NULL;
    fw_error err;
    double x[COORD_MAX_PARAMS];
    s = (study_space){.space.n = 0};
    o->space(&s);
    must(k->create(&state, &s.space, &opts, &err), &err);
    for (size_t i = 0, t = 0; i < 3; i++) {
        for (; t < at[i]; t++) {
            for (size_t j = 0; j < 8; j++) x[j] = coord_param_from_unit(&s.param[j], fw_random_unit(fw_random(1, FW_RANDOM_TEST, 0, t, (uint32_t)j)));
            must(k->tell(state, &(coord_seen){.number = t, .x = x, .loss = o->value(x), .rounds = 1, .state = COORD_COMPLETE}, &err), &err);
        }
        double us[CALLS];
        for (size_t c = 0; c < CALLS; c++) {
            must(k->tell(state, &(coord_seen){.number = t - 1, .x = x, .loss = o->value(x), .rounds = 1, .state = COORD_COMPLETE}, &err), &err);
            const fw_mono begin = fw_mono_now();
            double y[COORD_MAX_PARAMS];
            must(k->suggest(state, t + c, y, &err), &err);
            us[c] = 1e6 * fw_mono_seconds(begin, fw_mono_now());
        }
        qsort(us, CALLS, sizeof *us, ascending);
        printf("{\"bench\": \"hpo_cost\", \"sampler\": \"%s\", \"known\": %zu, \"parameters\": 8, \"us\": {\"q25\": %.3g, \"median\": %.3g, \"q75\": %.3g}}\n", sampler, at[i],
               quantile(us, CALLS, 0.25), quantile(us, CALLS, 0.5), quantile(us, CALLS, 0.75));
    }
    k->destroy(&state);
}

/* ---- for other programs ----------------------------------------------------------------------------------------------------------------------- */

static void say_space(const study_space *s, double minimum)
{
    printf("{\"minimum\": %.17g, \"params\": [", minimum);
    for (size_t i = 0; i < s->space.n; i++) {
        const coord_param *p = &s->param[i];
        printf("%s{\"name\": \"%s\", \"kind\": %d, \"low\": %.17g, \"high\": %.17g, \"step\": %.17g, \"log\": %s, \"choices\": %zu", i ? ", " : "", p->name, (int)p->kind,
               p->low, p->high, p->step, p->log ? "true" : "false", p->n_choices);
        if (p->n_conditions > 0) {
            printf(", \"parent\": %zu, \"when\": [", p->condition[0].parent);
            for (size_t c = 0, any = 0; c < s->param[p->condition[0].parent].n_choices; c++)
                if (p->condition[0].choice[c]) printf("%s%zu", any++ ? ", " : "", c);
            printf("]");
        }
        printf("}");
    }
    printf("]}\n");
    fflush(stdout);
}

/* A point is its values with blanks between, "nan" where not active. */
static int serve(const char *function)
{
    static study_space s;
    const bench_objective *o = bench_objective_find(function);
    char line[65536];
    if (o == NULL) return 2;
    o->space(&s);
    say_space(&s, o->minimum);
    while (fgets(line, sizeof line, stdin) != NULL) {
        double x[COORD_MAX_PARAMS];
        char *at = line;
        for (size_t i = 0; i < s.space.n; i++) x[i] = strtod(at, &at);
        printf("%.17g\n", o->value(x));
        fflush(stdout);
    }
    return 0;
}

static char *argument(int argc, char **argv, int i, const char *otherwise)
{
    char *text = strdup(i < argc ? argv[i] : otherwise);
    if (text == NULL) exit(1);
    return text;
}

int main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--serve") == 0) return serve(argv[2]);
    if (argc > 1 && strcmp(argv[1], "--cost") == 0) {
        char *text = argument(argc, argv, 2, "random,sobol,tpe,tpe_univariate");
        const list samplers = split(text);
        for (size_t i = 0; i < samplers.n; i++) cost(samplers.item[i]);
        free(text);
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "--slots") == 0) {
        slots = FW_MIN(FW_MAX(strtoul(argv[2], NULL, 10), 1u), (size_t)MAX_SLOTS);
        argc -= 2;
        argv += 2;
    }
    if (argc > 1 && strcmp(argv[1], "--ahead") == 0) {
        ahead = true;
        argc--;
        argv++;
    }
    char *text[3] = {argument(argc, argv, 1, "hartmann6,network"), argument(argc, argv, 2, "random,tpe"), argument(argc, argv, 4, "100")};
    const list functions = split(text[0]), samplers = split(text[1]), counts = split(text[2]);
    const size_t seeds = argc > 3 ? strtoul(argv[3], NULL, 10) : 20;
    bool worse = false;
    for (size_t f = 0; f < functions.n; f++)
        for (size_t k = 0; k < samplers.n; k++) {
            static double first;
            const double median = measure(functions.item[f], samplers.item[k], seeds, &counts);
            if (k == 0) first = median;
            else worse |= argc == 1 && !(median < first);
        }
    for (size_t i = 0; i < 3; i++) free(text[i]);
    if (worse) fprintf(stderr, "bench_samplers: tpe is not better than random\n");
    return worse ? 1 : 0;
}
