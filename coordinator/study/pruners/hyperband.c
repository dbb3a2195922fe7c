/** Hyperband: brackets of asha, from early and harsh to late and mild; the last one ends nobody. A trial's bracket follows from its number.
 *  Source  Li et al., Hyperband (JMLR 18, 2018), algorithm 1: bracket s of s_max..0 gets ceil((s_max + 1) / (s + 1) eta^s) trials, first judged at
 *  max_rounds eta^-s. Here the shares are the same, and the first rungs min_rounds eta^b with b = s_max - s. */
#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/study/pruners/ladder.h"

typedef struct hyperband { coord_ladder *bracket; double *until; size_t n; } hyperband;      /* until (n): share of the trials in the brackets up to this one */

static void destroy(void **state)
{
    hyperband *h = *state;
    for (size_t i = 0; h != NULL && h->bracket != NULL && i < h->n; i++) coord_ladder_release(&h->bracket[i]);
    if (h != NULL) free(h->bracket);
    if (h != NULL) free(h->until);
    free(h);
    *state = NULL;
}

static void share_out(hyperband *h, double eta)
{
    double sum = 0, power = 1;
    for (size_t s = 0; s < h->n; s++, power *= eta) sum += h->until[h->n - 1 - s] = ceil((double)h->n / (double)(s + 1) * power);
    for (size_t b = 0; b < h->n; b++) h->until[b] = (b > 0 ? h->until[b - 1] : 0) + h->until[b] / sum;
}

static fw_status make(hyperband *h, const coord_pruner_opts *opts, fw_error *err)
{
    size_t n = 1;
    for (double r = (double)opts->min_rounds; r < (double)opts->max_rounds; r *= opts->reduction_factor) n++;
    FW_TRY(fw_alloc_zeroed((void **)&h->bracket, n, sizeof *h->bracket, "pruner hyperband", err));
    FW_TRY(fw_alloc_zeroed((void **)&h->until, n, sizeof *h->until, "pruner hyperband", err));
    double first = (double)opts->min_rounds;
    for (; h->n < n; h->n++, first *= opts->reduction_factor) FW_TRY(coord_ladder_init(&h->bracket[h->n], opts, first, err));
    share_out(h, opts->reduction_factor);
    return FW_OK;
}

static fw_status create(void **state, const coord_pruner_opts *opts, fw_error *err)
{
    void *h = NULL;
    FW_TRY(fw_alloc_zeroed(&h, 1, sizeof(hyperband), "pruner hyperband", err));
    const fw_status s = make(h, opts, err);
    if (s < 0) destroy(&h);
    else *state = h;
    return s;
}

/** Numbers are spread by their bits in reverse (van der Corput), so that any stretch of trials has nearly the shares. */
static coord_ladder *bracket_of(const hyperband *h, uint64_t trial)
{
    double u = 0, half = 0.5;
    for (; trial > 0 && half > 0; trial >>= 1, half *= 0.5) u += trial & 1 ? half : 0;
    size_t b = 0;
    while (b + 1 < h->n && u >= h->until[b]) b++;
    return &h->bracket[b];
}

static uint64_t milestone(const void *state, uint64_t trial, uint64_t rounds)
{
    return coord_ladder_milestone(bracket_of(state, trial), rounds);
}

static fw_status judge(void *state, uint64_t trial, uint64_t rounds, double loss, coord_verdict_on *out, fw_error *err)
{
    return coord_ladder_judge(bracket_of(state, trial), trial, rounds, loss, out, err);
}

static fw_status ended(void *state, uint64_t trial, uint64_t rounds, double loss, fw_error *err)
{
    (void)rounds, (void)err;
    coord_ladder *l = bracket_of(state, trial);
    l->completed = l->completed || isfinite(loss);
    return FW_OK;
}

/** The one with the most rounds, of the harshest bracket among equals. */
static bool promote(void *state, uint64_t *trial)
{
    hyperband *h = state;
    coord_rung *best = NULL;
    for (size_t b = 0; b < h->n; b++) {
        coord_rung *rung = coord_ladder_ready(&h->bracket[b]);
        if (rung != NULL && (best == NULL || rung->rounds > best->rounds)) best = rung;
    }
    if (best == NULL) return false;
    *trial = coord_heap_pop(&best->waiting).trial;
    return true;
}

static void settle(void *state)
{
    hyperband *h = state;
    coord_ladder_settle(h->bracket, h->n);
}

const coord_pruner_kind coord_pruner_hyperband = {
    .name = "hyperband", .help = "brackets of asha that begin to judge at min_rounds, min_rounds x reduction_factor, ...; the last one judges nobody",
    .create = create, .destroy = destroy, .milestone = milestone, .judge = judge, .ended = ended, .promote = promote, .settle = settle,
};
