#include "common/stats/interval.h"

#include <math.h>

#include "common/core/size.h"

fw_interval fw_interval_normal(double value, double deviation, double low, double high)
{
    const double half = FW_INTERVAL_Z * deviation;
    return (fw_interval){value, fmax(value - half, low), fmin(value + half, high)};
}

static fw_interval wilson(double share, double n)
{
    const double zz = FW_INTERVAL_Z * FW_INTERVAL_Z, scale = 1 / (1 + zz / n), middle = scale * (share + zz / (2 * n));
    const double half = scale * FW_INTERVAL_Z * sqrt(share * (1 - share) / n + zz / (4 * n * n));
    return (fw_interval){share, fmax(middle - half, 0), fmin(middle + half, 1)};
}

fw_interval fw_interval_share(uint64_t hits, uint64_t n)
{
    return n > 0 ? wilson((double)hits / (double)n, (double)n) : FW_INTERVAL_NONE;
}

static double f1_of_overlap(double j) { return 2 * j / (1 + j); }

fw_interval fw_interval_f1(uint64_t hits, uint64_t misses)
{
    if (hits + misses == 0) return (fw_interval){0, NAN, NAN};
    const fw_interval j = fw_interval_share(hits, hits + misses);
    return (fw_interval){f1_of_overlap(j.value), f1_of_overlap(j.low), f1_of_overlap(j.high)};
}

/* A row of truth t and prediction q adds to the linear part of F1 of class k, with d = support + predicted: (2 - 2 F) / d when t = q = k, -F / d when one of
 * them is k; the parts of all rows add up to 0. */
fw_interval fw_interval_macro_f1(const uint64_t *correct, const uint64_t *support, const uint64_t *predicted, size_t n)
{
    double sum = 0, square = 0;
    size_t classes = 0;
    for (size_t k = 0; k < n; k++) {
        const double d = (double)support[k] + (double)predicted[k], c = (double)correct[k];
        if (support[k] + predicted[k] == 0) continue;
        const double f = 2 * c / d, right = (2 - 2 * f) / d, wrong = f / d;
        sum += f;
        square += c * right * right + 2 * (d - 2 * c) * wrong * wrong;
        classes++;
    }
    if (classes == 0) return FW_INTERVAL_NONE;
    return fw_interval_normal(sum / (double)classes, sqrt(square) / (double)classes, 0, 1);
}

fw_interval fw_interval_mean(double mean, double square, uint64_t n)
{
    if (n == 0) return FW_INTERVAL_NONE;
    if (n == 1) return (fw_interval){mean, NAN, NAN};
    const double variance = fmax(square - mean * mean, 0) * ((double)n / (double)(n - 1));
    return fw_interval_normal(mean, sqrt(variance / (double)n), -INFINITY, INFINITY);
}

fw_interval fw_interval_root(double mean, double square, uint64_t n)
{
    const fw_interval m = fw_interval_mean(mean, square, n);
    return (fw_interval){sqrt(m.value), isnan(m.low) ? NAN : sqrt(fmax(m.low, 0)), sqrt(m.high)};
}

static double squared(double x) { return x * x; }

fw_interval fw_interval_auc(const uint64_t *positive, const uint64_t *negative, size_t n)
{
    double p = 0, q = 0, area = 0, below = 0;
    for (size_t i = 0; i < n; i++) {
        p += (double)positive[i];
        q += (double)negative[i];
    }
    if (!(p > 0) || !(q > 0)) return FW_INTERVAL_NONE;
    for (size_t i = 0; i < n; below += (double)negative[i++]) area += (double)positive[i] * (below + 0.5 * (double)negative[i]);
    const double auc = area / (p * q);
    if (p < 2 || q < 2) return (fw_interval){auc, NAN, NAN};
    double spread_p = 0, spread_q = 0, above = p;      /* of each row's share of the other side that it beats, or is beaten by */
    below = 0;
    for (size_t i = 0; i < n; i++) {
        const double a = (double)positive[i], b = (double)negative[i];
        above -= a;
        spread_p += a * squared((below + 0.5 * b) / q - auc);
        spread_q += b * squared((above + 0.5 * a) / p - auc);
        below += b;
    }
    const double variance = spread_p / ((p - 1) * p) + spread_q / ((q - 1) * q);
    return variance > 0 ? fw_interval_normal(auc, sqrt(variance), 0, 1) : wilson(auc, FW_MIN(p, q));
}
