/** ADWIN: a window of the last values that grows while they are alike, and loses its oldest part as soon as any cut of it shows two different means. Kept as
 *  buckets of 1, 2, 4, ... values, at most 5 of a size. delta 0.002; cuts are tried every 32 values, with at least 5 values on each side, in windows longer than 10.
 *  Source  A. Bifet, R. Gavalda, Learning from time-changing data with adaptive windowing, SDM 2007; River's ADWIN, which begins anew after a drift. */
#include <math.h>
#include <stdint.h>
#include <string.h>

#include "common/stats/dmath.h"
#include "monitor/detectors/stream.h"

#define LEVELS   48                        /* sizes of buckets: 2^48 values and more are never reached */
#define BUCKETS  5
#define DELTA    0.002
#define CLOCK    32
#define SHORTEST 5.0
#define FIRST    10

/* USED + level: buckets of 2^level values; each has a sum and a sum of squared deviations, the oldest first. */
enum { WIDTH, SUM, SQUARES, TICK, DRIFTED, USED, SUMS = USED + LEVELS, DEVIATIONS = SUMS + LEVELS * (BUCKETS + 1), NUMBERS = DEVIATIONS + LEVELS * (BUCKETS + 1) };

static double *bucket_sum(double *s, size_t level, size_t i) { return &s[SUMS + level * (BUCKETS + 1) + i]; }
static double *bucket_squares(double *s, size_t level, size_t i) { return &s[DEVIATIONS + level * (BUCKETS + 1) + i]; }
static size_t used(const double *s, size_t level) { return (size_t)s[USED + level]; }
static double size_of(size_t level) { return (double)(UINT64_C(1) << level); }

static void start(double *s) { memset(s, 0, NUMBERS * sizeof *s); }

static void append(double *s, size_t level, double sum, double squares)
{
    *bucket_sum(s, level, used(s, level)) = sum;
    *bucket_squares(s, level, used(s, level)) = squares;
    s[USED + level]++;
}

static void drop_oldest(double *s, size_t level, size_t n)
{
    size_t rest = used(s, level) - n;
    memmove(bucket_sum(s, level, 0), bucket_sum(s, level, n), rest * sizeof *s);
    memmove(bucket_squares(s, level, 0), bucket_squares(s, level, n), rest * sizeof *s);
    s[USED + level] = (double)rest;
}

/** Two buckets of n values become one of the next size: squares add up, and n/2 (difference of the means)^2. */
static void merge_full_levels(double *s)
{
    for (size_t level = 0; level + 1 < LEVELS && used(s, level) > BUCKETS; level++) {
        double n = size_of(level), a = *bucket_sum(s, level, 0), b = *bucket_sum(s, level, 1), off = a / n - b / n;
        append(s, level + 1, a + b, *bucket_squares(s, level, 0) + *bucket_squares(s, level, 1) + 0.5 * n * off * off);
        drop_oldest(s, level, 2);
    }
}

static void insert(double *s, double x)
{
    if (s[WIDTH] > 0) {
        double off = x - s[SUM] / s[WIDTH];
        s[SQUARES] += s[WIDTH] * off * off / (s[WIDTH] + 1);
    }
    s[WIDTH]++;
    s[SUM] += x;
    append(s, 0, x, 0);
    merge_full_levels(s);
}

static size_t highest_level(const double *s)
{
    size_t level = LEVELS - 1;
    while (level > 0 && used(s, level) == 0) level--;
    return level;
}

static void forget_oldest_bucket(double *s)
{
    size_t level = highest_level(s);
    double n = size_of(level), mean = *bucket_sum(s, level, 0) / n, squares = *bucket_squares(s, level, 0);
    s[WIDTH] -= n;
    s[SUM] -= mean * n;
    double off = mean - s[SUM] / s[WIDTH];
    s[SQUARES] -= squares + n * s[WIDTH] * off * off / (n + s[WIDTH]);
    drop_oldest(s, level, 1);
}

/** Bernstein's bound with delta' = ln(2 ln(width) / delta). */
static bool differ(const double *s, double n0, double n1, double off)
{
    double d = fw_log_double(2 * fw_log_double(s[WIDTH]) / DELTA), m = 1 / (n0 - SHORTEST + 1) + 1 / (n1 - SHORTEST + 1);
    double variance = s[SQUARES] > 0 ? s[SQUARES] / s[WIDTH] : 0;
    return fabs(off) > sqrt(2 * m * variance * d) + 2.0 / 3 * d * m;
}

/** From the oldest bucket on; true when some cut shows two means. */
static bool has_cut(double *s)
{
    double n0 = 0, sum0 = 0;
    for (size_t level = highest_level(s) + 1; level-- > 0;)
        for (size_t i = 0; i < used(s, level); i++) {
            n0 += size_of(level);
            sum0 += *bucket_sum(s, level, i);
            double n1 = s[WIDTH] - n0, sum1 = s[SUM] - sum0;
            if (n1 < SHORTEST) return false;
            if (n0 >= SHORTEST && differ(s, n0, n1, sum0 / n0 - sum1 / n1)) return true;
        }
    return false;
}

static monitor_signal add(double *s, double x)
{
    if (s[DRIFTED] > 0) start(s);
    insert(s, x);
    s[TICK] = s[TICK] + 1 < CLOCK ? s[TICK] + 1 : 0;
    if (s[TICK] > 0 || s[WIDTH] <= FIRST) return MONITOR_QUIET;
    while (has_cut(s)) {
        forget_oldest_bucket(s);
        s[DRIFTED] = 1;
    }
    return s[DRIFTED] > 0 ? MONITOR_DRIFT : MONITOR_QUIET;
}

static bool valid(const double *s)
{
    double rows = 0;
    for (size_t level = 0; level < LEVELS; level++) {
        double n = s[USED + level];
        if (!(n >= 0 && n <= BUCKETS && n == floor(n))) return false;
        rows += n * size_of(level);
    }
    return rows == s[WIDTH] && s[TICK] >= 0 && s[TICK] < CLOCK && s[TICK] == floor(s[TICK]) && (s[DRIFTED] == 0 || s[DRIFTED] == 1);
}

const monitor_stream monitor_stream_adwin = {
    .name = "adwin", .help = "the mean of the older part of a window differs from that of the newer one", .numbers = NUMBERS, .start = start, .add = add, .valid = valid,
};
