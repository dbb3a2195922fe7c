#include "common/stats/wager.h"

#include <math.h>
#include <string.h>

#include "common/core/size.h"
#include "common/stats/dmath.h"
#include "common/stats/stake.h"

#define RICHEST 1e15
#define POOREST 1e-290                 /* what is below counts as nothing: subnormal numbers are slow */
#define RISEN   20.085536923187668      /* e^3 */
#define CLIP    4.0

/* Of a bet that is off by a factor of sqrt(2) the growth is still 0.91 of the best one's: neighbours are a factor of 2 apart. */
static const double LOSS_SIZES[FW_WAGER_BETS] = {1.0 / 256, 1.0 / 128, 1.0 / 64, 1.0 / 32, 1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2};
static const double NORMAL_SIZES[FW_WAGER_BETS] = {1.0 / 16, 1.0 / 8, 1.0 / 4, 1.0 / 2, 3.0 / 4, 1, 1.5, 2};

static void step(fw_wager *w, size_t i, double payoff)
{
    if (w->starts[i] < 1 || (w->ready[i] > 0 && w->rise[i] >= RISEN)) {
        w->capital[i] += fw_stake_of_start(++w->starts[i]);
        w->ready[i] = 0;
    }
    const double now = FW_MIN(w->capital[i] * payoff, RICHEST);
    w->capital[i] = now < POOREST ? 0 : now;
    w->rise[i] = FW_MIN(FW_MAX(w->rise[i], 1.0) * payoff, RICHEST);
    if (w->rise[i] < 1) w->ready[i] = 1;
}

void fw_wager_loss(fw_wager *w, double y)
{
    for (size_t i = 0; i < FW_WAGER_BETS; i++) step(w, i, 1 + LOSS_SIZES[i] * (y - 1));
}

void fw_wager_normal(fw_wager *w, double z)
{
    const double at = FW_MIN(z, CLIP);
    for (size_t i = 0; i < FW_WAGER_BETS; i++) step(w, i, fw_exp_double(NORMAL_SIZES[i] * at - 0.5 * NORMAL_SIZES[i] * NORMAL_SIZES[i]));
}

double fw_wager_log(const fw_wager *w)
{
    double sum = 0;
    for (size_t i = 0; i < FW_WAGER_BETS; i++) sum += w->capital[i];
    return fw_log_double(fw_stake_of_life(w->restarts) * sum / FW_WAGER_BETS);
}

void fw_wager_restart(fw_wager *w) { *w = (fw_wager){.restarts = w->restarts + 1}; }

void fw_wager_save(const fw_wager *w, double *out)
{
    memcpy(out, w->capital, sizeof w->capital);
    memcpy(out + FW_WAGER_BETS, w->rise, sizeof w->rise);
    memcpy(out + 2 * FW_WAGER_BETS, w->starts, sizeof w->starts);
    memcpy(out + 3 * FW_WAGER_BETS, w->ready, sizeof w->ready);
    out[4 * FW_WAGER_BETS] = w->restarts;
}

static bool whole(double v, double most) { return v >= 0 && v <= most && v == floor(v); }

bool fw_wager_restore(fw_wager *w, const double *in)
{
    const double *rise = in + FW_WAGER_BETS, *starts = rise + FW_WAGER_BETS, *ready = starts + FW_WAGER_BETS;
    for (size_t i = 0; i < FW_WAGER_BETS; i++)
        if (!(in[i] >= 0 && in[i] <= RICHEST && rise[i] >= 0 && rise[i] <= RICHEST && whole(starts[i], 0x1p53) && whole(ready[i], 1))) return false;
    if (!whole(ready[FW_WAGER_BETS], 0x1p53)) return false;
    memcpy(w->capital, in, sizeof w->capital);
    memcpy(w->rise, rise, sizeof w->rise);
    memcpy(w->starts, starts, sizeof w->starts);
    memcpy(w->ready, ready, sizeof w->ready);
    w->restarts = ready[FW_WAGER_BETS];
    return true;
}
