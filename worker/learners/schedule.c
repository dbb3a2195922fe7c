#include "worker/learners/schedule.h"

/* cos(pi t), 0 <= t <= 1, by its Taylor series around the nearer of 0 and pi/2; error below 1e-15. */
static double cos_pi(double t)
{
    const double pi = 3.14159265358979323846;
    if (t > 0.5) return -cos_pi(1.0 - t);
    double x = pi * t, term = 1.0, sum = 1.0;
    for (int k = 1; k <= 14; k++) {
        term = -term * x * x / (double)((2 * k - 1) * (2 * k));
        sum += term;
    }
    return sum;
}

double worker_schedule_rate(const fw_project *p, uint64_t step, uint64_t steps_per_round)
{
    const double rate = p->train.learning_rate, per_round = (double)steps_per_round, at = (double)step;
    const double warmup = p->train.schedule.warmup_epochs * per_round, end = (double)p->train.epochs * per_round;
    if (at < warmup) return rate * (at + 1.0) / warmup;
    switch (p->train.schedule.kind) {
    case FW_SCHEDULE_CONSTANT:
        return rate;
    case FW_SCHEDULE_STEP: {
        double r = rate;
        uint64_t every = p->train.schedule.step_epochs > 0 ? p->train.schedule.step_epochs : 1;
        for (uint64_t k = step / steps_per_round / every; k > 0; k--) r *= p->train.schedule.step_factor;
        return r;
    }
    case FW_SCHEDULE_COSINE: {
        double low = rate * p->train.schedule.final_factor, span = end - warmup;
        double t = span > 0.0 ? (at - warmup) / span : 1.0;
        return low + (rate - low) * 0.5 * (1.0 + cos_pi(t < 1.0 ? t : 1.0));
    }
    }
    return rate;
}
