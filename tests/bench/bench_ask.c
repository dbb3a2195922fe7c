/** A sampler for programs that hold the objective themselves. bench_ask --serve: orders on the standard input, answers on the output, a line each.
 *    space SAMPLER SEED TRIALS ROUNDS PRUNED      then one line a parameter: float|int LOW HIGH LOG (0 or 1), and "go"
 *    ask NUMBER                                   -> the point's values
 *    tell NUMBER LOSS ROUNDS running|complete|pruned     of a point that was asked for
 *  Without arguments it asks and tells itself, with a bowl, and fails when gp does not find its bottom. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/study/sampler.h"
#include "tests/unit/study_space.h"

enum { MAX_TRIALS = 100000 };

typedef struct asked {
    study_space s;
    coord_sampler_opts opts;
    const coord_sampler_kind *kind;
    void *state;
    double *x;                     /* (MAX_TRIALS, n) */
} asked;

static void must(bool ok, const char *what)
{
    if (ok) return;
    fprintf(stderr, "bench_ask: %s\n", what);
    exit(2);
}

static void begin(asked *a)
{
    fw_error err = {.text = ""};
    must(a->kind->create(&a->state, &a->s.space, &a->opts, &err) == FW_OK, err.text);
    must((a->x = calloc(MAX_TRIALS * (a->s.space.n + 1), sizeof *a->x)) != NULL, "out of memory");
}

static const double *ask(asked *a, size_t number)
{
    must(number < MAX_TRIALS, "too many trials");
    double *x = a->x + number * a->s.space.n;
    fw_error err = {.text = ""};
    must(a->kind->suggest(a->state, number, x, &err) == FW_OK, "no further point");
    must(a->kind->tell(a->state, &(coord_seen){.number = number, .x = x, .loss = NAN, .state = COORD_RUNNING}, &err) == FW_OK, err.text);
    return x;
}

static void tell(asked *a, size_t number, double loss, uint64_t rounds, coord_trial_state state)
{
    fw_error err = {.text = ""};
    must(number < MAX_TRIALS, "no such trial");
    must(a->kind->tell(a->state, &(coord_seen){.number = number, .x = a->x + number * a->s.space.n, .loss = loss, .rounds = rounds, .state = state}, &err) == FW_OK, err.text);
}

static void finish(asked *a)
{
    if (a->state != NULL) a->kind->destroy(&a->state);
    free(a->x);
}

static void add_parameter(study_space *s, const char *kind, double low, double high, int log)
{
    must(s->space.n < COORD_MAX_PARAMS && low <= high && (!log || low > 0), "wrong parameter");
    if (strcmp(kind, "int") == 0) study_space_int(s, low, high, log != 0);
    else study_space_float(s, low, high, log != 0);
}

static int serve(asked *a)
{
    char line[1024], word[32], state[32];
    unsigned long long number = 0, rounds = 0, trials = 0, seed = 0;
    double low = 0, high = 0;
    int flag = 0;
    while (fgets(line, sizeof line, stdin) != NULL) {
        if (sscanf(line, "space %31s %llu %llu %llu %d", word, &seed, &trials, &rounds, &flag) == 5) {
            must((a->kind = coord_sampler_find(word)) != NULL, "no such sampler");
            a->opts = (coord_sampler_opts){.seed = seed, .trials = trials, .parallel = 1, .rounds = rounds, .pruned = flag != 0};
        } else if (a->state == NULL && sscanf(line, "%31s %lf %lf %d", word, &low, &high, &flag) == 4) {
            add_parameter(&a->s, word, low, high, flag);
        } else if (strcmp(line, "go\n") == 0) {
            must(a->kind != NULL && a->state == NULL, "go before space, or twice");
            begin(a);
        } else if (a->state != NULL && sscanf(line, "ask %llu", &number) == 1) {
            const double *x = ask(a, number);
            for (size_t i = 0; i < a->s.space.n; i++) printf("%s%.17g", i ? " " : "", x[i]);
            printf("\n");
            fflush(stdout);
        } else if (a->state != NULL && sscanf(line, "tell %llu %lf %llu %31s", &number, &low, &rounds, state) == 4) {
            tell(a, number, low, rounds, strcmp(state, "running") == 0 ? COORD_RUNNING : strcmp(state, "pruned") == 0 ? COORD_PRUNED : COORD_COMPLETE);
        } else {
            must(false, line);
        }
    }
    return 0;
}

static int self(asked *a)
{
    double best = INFINITY;
    a->kind = &coord_sampler_gp;
    a->opts = (coord_sampler_opts){.seed = 1, .trials = 30, .parallel = 1, .rounds = 1};
    for (int i = 0; i < 2; i++) add_parameter(&a->s, "float", 0, 1, 0);
    begin(a);
    for (size_t t = 0; t < 30; t++) {
        const double *x = ask(a, t), loss = (x[0] - 0.3) * (x[0] - 0.3) + (x[1] - 0.8) * (x[1] - 0.8);
        best = fmin(best, loss);
        tell(a, t, loss, 1, COORD_COMPLETE);
    }
    printf("{\"bench\": \"ask\", \"regret\": %.3g}\n", best);
    return best < 1e-3 ? 0 : 1;
}

int main(int argc, char **argv)
{
    static asked a;
    int code = argc > 1 && strcmp(argv[1], "--serve") == 0 ? serve(&a) : self(&a);
    finish(&a);
    return code;
}
