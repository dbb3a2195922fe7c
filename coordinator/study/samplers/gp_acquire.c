#include "coordinator/study/samplers/gp_acquire.h"

#include <math.h>
#include <string.h>

#include "common/core/size.h"
#include "common/stats/dmath.h"
#include "common/core/random.h"
#include "coordinator/study/samplers/draws.h"
#include "coordinator/study/samplers/lbfgs.h"

#define CANDIDATES 512             /* of the first screening */
#define CLIMBS     4               /* of which so many are climbed from */
#define STEPS      24              /* evaluations of a climb */

/** Of h = phi + z Phi:  h' = Phi.  Below 0 with Mills' ratio M = Phi(z)/phi(z), t = -z:  h = phi (1 - t M), where for large t
 *  1 - t M = 1/t^2 - 3/t^4 + 15/t^6 - 105/t^8 + ... does not cancel. */
double coord_log_improvement(double z, double *slope)
{
    static const double half_log_2pi = 0.91893853320467274178;
    if (z >= 0) {
        double below = fw_normal_below(z), h = fw_exp_double(-0.5 * z * z - half_log_2pi) + z * below;
        *slope = below / h;
        return fw_log_double(h);
    }
    double t = -z, mills = 1.25331413731550025121 * fw_erfcx_double(t * 0.70710678118654752440), rest = 1 - t * mills;
    if (t > 25) {
        double q = 1 / (t * t);
        rest = q * (1 - 3 * q * (1 - 5 * q * (1 - 7 * q * (1 - 9 * q * (1 - 11 * q)))));
    }
    *slope = mills / rest;
    return -0.5 * z * z - half_log_2pi + fw_log_double(rest);
}

void coord_gp_encode(const coord_space *s, const double *x, double *code)
{
    for (size_t i = 0; i < s->n; i++) {
        bool choice = s->param[i].kind == COORD_PARAM_CATEGORICAL;
        if (isnan(x[i])) code[i] = choice ? -1 : 0.5;
        else code[i] = choice ? x[i] : coord_param_to_unit(&s->param[i], x[i]);
    }
}

void coord_gp_decode(const coord_space *s, double *code, double *x)
{
    for (size_t i = 0; i < s->n; i++) {
        const coord_param *p = &s->param[i];
        if (!coord_space_active(s, x, i)) x[i] = NAN;
        else if (p->kind == COORD_PARAM_CATEGORICAL) x[i] = code[i] < 0 ? 0 : fmin(code[i], (double)(p->n_choices - 1));
        else x[i] = coord_param_from_unit(p, code[i]);
    }
    coord_gp_encode(s, x, code);
}

static double draw(const coord_gp_search *s, uint32_t candidate, uint32_t place)
{
    return fw_random_unit(fw_random(s->seed, FW_RANDOM_SAMPLER, COORD_DRAWS_GP, s->number, candidate * 256 + place));
}

static double any_choice(const coord_param *p, double u)
{
    return floor(u * (double)p->n_choices);
}

/** Candidate c: every second one anywhere, the others near a start, some coordinates moved by a length that varies over decades. */
static void candidate(const coord_gp_search *s, uint32_t c, double *code)
{
    size_t d = s->space->n;
    bool near = s->n_starts > 0 && c % 2 == 1;
    const double *from = near ? s->start + (c / 2) % s->n_starts * d : NULL;
    double share = near ? fmin(1, fw_exp_double(3 * draw(s, c, 250)) / (double)d) : 1, reach = near ? fw_exp_double(-7 * draw(s, c, 251)) : 1;
    for (size_t i = 0; i < d; i++) {
        const coord_param *p = &s->space->param[i];
        bool choice = p->kind == COORD_PARAM_CATEGORICAL, moved = !near || draw(s, c, (uint32_t)(100 + i)) < share;
        double u = draw(s, c, (uint32_t)i);
        if (s->forced != NULL && *s->forced == i) code[i] = s->choice;
        else if (!moved) code[i] = from[i];
        else if (choice) code[i] = any_choice(p, u);
        else code[i] = near ? fmin(fmax(from[i] + (u - 0.5) * reach, 0), 1) : u;
    }
}

typedef struct climb { const coord_gp_search *s; } climb;

/** -log EI at a code and its gradient, where g is not NULL. */
static double loss_at(const coord_gp_search *s, const double *code, double *g)
{
    size_t n = s->space->n;
    double at[COORD_GP_MAX_DIMENSIONS], dmean[COORD_GP_MAX_DIMENSIONS], dsd[COORD_GP_MAX_DIMENSIONS], slope = 0;
    memcpy(at, code, n * sizeof *at);
    memcpy(at + n, s->fixed, (s->gp->d - n) * sizeof *at);
    coord_gp_at p = coord_gp_predict(s->gp, at, g != NULL ? dmean : NULL, dsd);
    double z = (s->best - p.mean) / p.sd, value = fw_log_double(p.sd) + coord_log_improvement(z, &slope);
    for (size_t i = 0; g != NULL && i < n; i++) g[i] = (slope * dmean[i] - (1 - z * slope) * dsd[i]) / p.sd;
    return -value;
}

static double loss_of(void *context, const double *code, double *g)
{
    return loss_at(((const climb *)context)->s, code, g);
}

static bool is_taken(const coord_gp_search *s, const double *code)
{
    size_t bytes = s->space->n * sizeof *code;
    for (size_t i = 0; i < s->n_taken; i++)
        if (memcmp(s->taken + i * s->space->n, code, bytes) == 0) return true;
    return false;
}

/** What was found so far: the best point that is not taken. */
typedef struct found { bool any; double loss, code[COORD_GP_MAX_DIMENSIONS]; } found;

static void offer(const coord_gp_search *s, found *f, const double *code, double loss)
{
    if ((f->any && loss >= f->loss) || !isfinite(loss) || is_taken(s, code)) return;
    *f = (found){.any = true, .loss = loss};
    memcpy(f->code, code, s->space->n * sizeof *code);
}

#define MOST_MOVES 12

/** Coordinate i of a code moved: to the next value up or down, or to another choice (of many: some). false: there is none. */
static bool move(const coord_gp_search *s, const double *x, double *code, size_t i, uint32_t way)
{
    const coord_param *p = &s->space->param[i];
    if (isnan(x[i]) || (s->forced != NULL && *s->forced == i)) return false;
    if (p->kind == COORD_PARAM_CATEGORICAL) {
        code[i] = p->n_choices <= MOST_MOVES ? (double)way : any_choice(p, draw(s, CANDIDATES + way, (uint32_t)i));
        return code[i] < (double)p->n_choices && code[i] != x[i];
    }
    double next = x[i] + (way == 0 ? p->step : -p->step);
    if (way > 1 || next > p->high + 0.5 * p->step || next < p->low - 0.5 * p->step) return false;
    code[i] = coord_param_to_unit(p, next);
    return true;
}

/** Each coordinate that has steps or choices moved alone; `code` follows what is better. Whether anything was. */
static bool step_all(const coord_gp_search *s, found *f, double *code, double *loss)
{
    bool better = false;
    double x[COORD_MAX_PARAMS], trial[COORD_GP_MAX_DIMENSIONS];
    for (size_t i = 0; i < s->space->n; i++) {
        if (coord_param_values(&s->space->param[i]) == 0) continue;
        for (uint32_t way = 0; way < MOST_MOVES; way++) {
            memcpy(trial, code, s->space->n * sizeof *code);
            coord_gp_decode(s->space, trial, x);
            if (!move(s, x, trial, i, way)) continue;
            coord_gp_decode(s->space, trial, x);
            double there = loss_at(s, trial, NULL);
            offer(s, f, trial, there);
            if (there >= *loss) continue;
            memcpy(code, trial, s->space->n * sizeof *code);
            *loss = there;
            better = true;
        }
    }
    return better;
}

/** From a code to a local best: continuous coordinates by gradient, then steps and choices one at a time, and once more. */
static void climb_from(const coord_gp_search *s, found *f, double *code, bool stepped)
{
    double low[COORD_GP_MAX_DIMENSIONS], high[COORD_GP_MAX_DIMENSIONS], x[COORD_MAX_PARAMS];
    for (int pass = 0; pass < (stepped ? 2 : 1); pass++) {
        for (size_t i = 0; i < s->space->n; i++) {
            bool choice = s->space->param[i].kind == COORD_PARAM_CATEGORICAL;
            low[i] = choice ? code[i] : 0;
            high[i] = choice ? code[i] : 1;
        }
        climb c = {s};
        coord_lbfgs(code, loss_of, &c, &(coord_lbfgs_opts){.n = s->space->n, .low = low, .high = high, .max_evaluations = STEPS, .tolerance = 1e-6});
        coord_gp_decode(s->space, code, x);
        double loss = loss_at(s, code, NULL);
        offer(s, f, code, loss);
        if (!stepped || !step_all(s, f, code, &loss)) break;
    }
}

static bool has_steps(const coord_space *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (coord_param_values(&s->param[i]) > 1) return true;
    return false;
}

/** The losses of all candidates: codes (n + more, CANDIDATES) coordinate by coordinate. */
static void screen(const coord_gp_search *s, double *codes, double *loss, double *scratch)
{
    size_t n = s->space->n, d = s->gp->d;
    double code[COORD_GP_MAX_DIMENSIONS], x[COORD_MAX_PARAMS], slope = 0, *sd = scratch;
    for (uint32_t c = 0; c < CANDIDATES; c++) {
        candidate(s, c, code);
        coord_gp_decode(s->space, code, x);
        for (size_t i = 0; i < d; i++) codes[i * CANDIDATES + c] = i < n ? code[i] : s->fixed[i - n];
    }
    coord_gp_predict_many(s->gp, codes, CANDIDATES, loss, sd, scratch + CANDIDATES);
    for (size_t c = 0; c < CANDIDATES; c++) loss[c] = -fw_log_double(sd[c]) - coord_log_improvement((s->best - loss[c]) / sd[c], &slope);
}

fw_status coord_gp_search_run(const coord_gp_search *s, double *x, fw_error *err)
{
    size_t n = s->space->n;
    FW_FREE double *codes = NULL, *loss = NULL, *scratch = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&codes, s->gp->d * CANDIDATES, sizeof *codes, "candidates", err));
    FW_TRY(fw_alloc_zeroed((void **)&loss, CANDIDATES, sizeof *loss, "candidates", err));
    FW_TRY(fw_alloc_zeroed((void **)&scratch, (s->gp->n + 3) * CANDIDATES, sizeof *scratch, "candidates", err));
    screen(s, codes, loss, scratch);
    found best = {.any = false};
    double code[COORD_GP_MAX_DIMENSIONS];
    bool stepped = has_steps(s->space);
    for (size_t c = 0; c < CANDIDATES; c++) {
        for (size_t i = 0; i < n; i++) code[i] = codes[i * CANDIDATES + c];
        offer(s, &best, code, loss[c]);
    }
    for (int k = 0; k < CLIMBS; k++) {
        size_t top = 0;
        for (size_t c = 1; c < CANDIDATES; c++)
            if (loss[c] < loss[top]) top = c;
        if (!isfinite(loss[top])) break;
        for (size_t i = 0; i < n; i++) code[i] = codes[i * CANDIDATES + top];
        loss[top] = INFINITY;
        climb_from(s, &best, code, stepped);
    }
    for (size_t k = 0; k < FW_MIN(s->n_starts, 2) && s->forced == NULL; k++) {
        memcpy(code, s->start + k * n, n * sizeof *code);
        climb_from(s, &best, code, stepped);
    }
    if (!best.any) return FW_END;
    coord_gp_decode(s->space, best.code, x);
    return FW_OK;
}
