/** One parameter: its values, its place in the unit interval, its text. */
#include <math.h>

#include "common/core/text.h"
#include "common/project/tree.h"
#include "common/stats/dmath.h"
#include "coordinator/study/space.h"

static double clamp(double v, double low, double high)
{
    return v < low ? low : v > high ? high : v;
}

double coord_param_values(const coord_param *p)
{
    if (p->kind == COORD_PARAM_CATEGORICAL) return (double)p->n_choices;
    if (p->low == p->high) return 1;
    return p->step > 0 ? round((p->high - p->low) / p->step) + 1 : 0;
}

/** The k-th of n values. */
static double value_at(const coord_param *p, double k, double n)
{
    if (p->kind == COORD_PARAM_CATEGORICAL) return k;
    if (k >= n - 1) return p->high;
    return p->kind == COORD_PARAM_INT ? p->low + k * p->step : fw_space_grid(p->low, p->step, k);
}

bool coord_param_holds(const coord_param *p, double v)
{
    if (p->kind == COORD_PARAM_CATEGORICAL) return v >= 0 && v < (double)p->n_choices && v == floor(v);
    if (!(v >= p->low && v <= p->high)) return false;
    return p->step == 0 || v == value_at(p, round((v - p->low) / p->step), coord_param_values(p));
}

/** Ends of a logarithmic scale. Whole numbers reach half a step to both sides, so that the first and the last have cells like the others. */
static void log_ends(const coord_param *p, double *a, double *b)
{
    const double half = p->kind == COORD_PARAM_INT ? 0.5 : 0;
    *a = fw_log_double(p->low - half);
    *b = fw_log_double(p->high + half);
}

double coord_param_to_unit(const coord_param *p, double value)
{
    if (isnan(value)) return NAN;
    const double n = coord_param_values(p);
    if (n == 1) return 0.5;
    if (p->kind == COORD_PARAM_CATEGORICAL) return clamp((value + 0.5) / n, 0, 1);
    value = clamp(value, p->low, p->high);
    if (p->log) {
        double a, b;
        log_ends(p, &a, &b);
        return clamp((fw_log_double(value) - a) / (b - a), 0, 1);
    }
    return n > 0 ? (round((value - p->low) / p->step) + 0.5) / n : (value - p->low) / (p->high - p->low);
}

static double from_log(const coord_param *p, double u)
{
    double a, b;
    log_ends(p, &a, &b);
    const double v = fw_exp_double(a + u * (b - a));
    return clamp(p->kind == COORD_PARAM_INT ? round(v) : v, p->low, p->high);
}

double coord_param_from_unit(const coord_param *p, double u)
{
    if (isnan(u)) return NAN;
    u = clamp(u, 0, 1);
    const double n = coord_param_values(p);
    if (n == 1) return value_at(p, 0, 1);
    if (p->log) return u == 0 ? p->low : u == 1 ? p->high : from_log(p, u);
    if (n > 0) return value_at(p, fmin(floor(u * n), n - 1), n);
    return clamp(p->low + u * (p->high - p->low), p->low, p->high);
}

fw_status coord_param_text(fw_text *out, const coord_param *p, double value, fw_error *err)
{
    const bool choice = p->kind == COORD_PARAM_CATEGORICAL;
    if (!isfinite(value) || (choice && !(value >= 0 && value < (double)p->n_choices))) return fw_fail(err, FW_ERR_ARG, "%s: %g is no value of it", p->name, value);
    if (choice) fw_text_add(out, p->choice[(size_t)value]);
    else if (p->kind == COORD_PARAM_INT) fw_text_format(out, "%.0f", value);
    else fw_yaml_number(out, value);
    return fw_text_check(out, err);
}

fw_status coord_param_override(fw_text *out, const coord_param *p, double value, fw_error *err)
{
    fw_text_format(out, "%s=", p->name);
    return coord_param_text(out, p, value, err);
}
