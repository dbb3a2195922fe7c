/** Charts of a search over values and parameters. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/report/study_parts.h"

#define MOST_LINES 600             /* in the parallel chart: the best ones */

static const char *const end_class[] = {"open", "complete", "pruned", "fail"};

/* ---- shade: how good a value is, as a colour ---- */

static int by_value(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* All values that are finite, sorted; *n of them. NULL: none, or no memory. */
static double *sorted_values(const coord_study_page *r, size_t *n)
{
    double *v = calloc(r->n_rows + 1, sizeof *v);
    *n = 0;
    for (size_t i = 0; v != NULL && i < r->n_rows; i++)
        if (isfinite(r->row[i].value)) v[(*n)++] = r->row[i].value;
    if (*n > 0) {
        qsort(v, *n, sizeof *v, by_value);
        return v;
    }
    free(v);
    return NULL;
}

coord_study_shade coord_study_shade_of(const coord_study_page *r)
{
    size_t n = 0;
    FW_FREE double *v = sorted_values(r, &n);
    if (v == NULL) return (coord_study_shade){0, 1};
    const double q1 = v[n / 4], q3 = v[n - 1 - n / 4], reach = 3 * (q3 - q1);
    const double low = FW_MAX(v[0], q1 - reach), high = FW_MIN(v[n - 1], q3 + reach);
    return r->maximize ? (coord_study_shade){low, high} : (coord_study_shade){high, low};
}

double coord_study_shade_at(const coord_study_shade *s, double value)
{
    if (s->best == s->worst) return 1;
    return FW_MIN(FW_MAX((value - s->worst) / (s->best - s->worst), 0.0), 1.0);
}

/* A scale for values that holds what the shade holds. */
static coord_scale value_scale(const coord_study_page *r)
{
    const coord_study_shade s = coord_study_shade_of(r);
    return coord_scale_round(FW_MIN(s.worst, s.best), FW_MAX(s.worst, s.best), 5);
}

static double inside(const coord_scale *s, double v) { return FW_MIN(FW_MAX(v, s->low), s->high); }

static void title_of(fw_text *out, const coord_study_row *t)
{
    char value[COORD_FIGURE_TEXT];
    coord_figure(value, t->value);
    fw_text_format(out, "<title>trial %" PRIu64 ": %s after %" PRIu64 " round%s</title>", t->number, value, t->rounds, t->rounds == 1 ? "" : "s");
}

static void dot(fw_text *out, const coord_study_row *t, double x, double y, bool best)
{
    fw_text_format(out, "<circle class=\"trial %s%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\">", end_class[t->end], best ? " best" : "", x, y, best ? "5.5" : "3");
    title_of(out, t);
    fw_text_add(out, "</circle>");
}

static void key_of_ends(fw_text *out, const char *more)
{
    fw_text_add(out, "<div class=\"key\"><span><svg viewBox=\"0 0 12 10\" aria-hidden=\"true\" class=\"small\"><circle class=\"trial complete\" cx=\"6\" cy=\"5\" r=\"4\"/></svg>complete</span>"
                     "<span><svg viewBox=\"0 0 12 10\" aria-hidden=\"true\" class=\"small\"><circle class=\"trial pruned\" cx=\"6\" cy=\"5\" r=\"4\"/></svg>pruned, last value</span>"
                     "<span><svg viewBox=\"0 0 12 10\" aria-hidden=\"true\" class=\"small\"><circle class=\"trial complete best\" cx=\"6\" cy=\"5\" r=\"4\"/></svg>best</span>");
    if (more != NULL) fw_text_format(out, "<span>%s</span>", more);
    fw_text_add(out, "</div>");
}

/* ---- the course ---- */

static bool better(const coord_study_page *r, double a, double b) { return r->maximize ? a > b : a < b; }

static void draw_best_so_far(fw_text *out, const coord_study_page *r, const coord_scale *x, const coord_scale *y)
{
    bool any = false;
    double best = 0;
    fw_text_add(out, "<path class=\"first\" d=\"");
    for (size_t i = 0; i < r->n_finished; i++) {
        const coord_study_row *t = &r->row[r->finished[i]];
        if (t->end == COORD_STUDY_COMPLETE && isfinite(t->value) && (!any || better(r, t->value, best))) {
            if (any) fw_text_format(out, "H%.1fV%.1f", coord_across(x, (double)i + 1), coord_up(y, inside(y, t->value)));
            else fw_text_format(out, "M%.1f %.1f", coord_across(x, (double)i + 1), coord_up(y, inside(y, t->value)));
            best = t->value;
            any = true;
        }
    }
    if (any) fw_text_format(out, "H%.1f", coord_across(x, (double)r->n_finished));
    fw_text_add(out, "\"/>");
}

void coord_study_chart_course(fw_text *out, const coord_study_page *r)
{
    static const char title[] = "Value of each trial, in the order in which they ended";
    if (r->n_finished == 0) return;
    coord_scale x = coord_scale_round(0, FW_MAX((double)r->n_finished, 2.0), 8), y = value_scale(r);
    coord_open_figure(out, title);
    key_of_ends(out, "line: best complete one so far");
    coord_open_svg(out, title);
    coord_chart_axes(out, &x, &y, "trials ended");
    for (size_t i = 0; i < r->n_finished; i++) {
        const coord_study_row *t = &r->row[r->finished[i]];
        if (isfinite(t->value)) dot(out, t, coord_across(&x, (double)i + 1), coord_up(&y, inside(&y, t->value)), (int64_t)r->finished[i] == r->best);
    }
    draw_best_so_far(out, r, &x, &y);
    fw_text_add(out, "</svg></figure>");
}

/* ---- one parameter ---- */

static void parameter_axis(fw_text *out, const coord_study_axis *a, const coord_scale *x)
{
    for (size_t i = 0; i < a->n_ticks; i++) {
        fw_text_format(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">", coord_across(x, a->tick_at[i]), COORD_CHART_HEIGHT - COORD_CHART_BOTTOM + 17);
        coord_html_escape(out, a->tick[i]);
        fw_text_add(out, "</text>");
    }
}

void coord_study_chart_slice(fw_text *out, const coord_study_page *r, size_t axis)
{
    const coord_study_axis *a = &r->axis[axis];
    const coord_scale x = {0, 1, 1}, y = value_scale(r);
    coord_open_figure(out, a->name);
    coord_open_svg(out, a->name);
    coord_chart_axes(out, NULL, &y, a->name);
    parameter_axis(out, a, &x);
    for (size_t i = 0; i < r->n_rows; i++)
        if (isfinite(r->row[i].value) && isfinite(r->row[i].u[axis]) && (int64_t)i != r->best)
            dot(out, &r->row[i], coord_across(&x, r->row[i].u[axis]), coord_up(&y, inside(&y, r->row[i].value)), false);
    if (r->best >= 0 && isfinite(r->row[r->best].u[axis]) && isfinite(r->row[r->best].value))
        dot(out, &r->row[r->best], coord_across(&x, r->row[r->best].u[axis]), coord_up(&y, inside(&y, r->row[r->best].value)), true);
    fw_text_add(out, "</svg></figure>");
}

/* ---- all parameters at once ---- */

enum { WIDE = 960, TALL = 330, SIDE = 70, ROOF = 26, FLOOR = 44 };

static double axis_x(const coord_study_page *r, size_t i) { return SIDE + (double)i * (WIDE - 2 * SIDE) / (double)FW_MAX(r->n_axes, (size_t)1); }
static double axis_y(double u) { return TALL - FLOOR - u * (TALL - ROOF - FLOOR); }

static void draw_axis(fw_text *out, double x, const char *name, const double *at, const char *const *tick, size_t n, size_t place)
{
    fw_text_format(out, "<line class=\"axis\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\" class=\"name\">", x, x, ROOF,
                   TALL - FLOOR, x, place % 2 == 0 ? TALL - FLOOR + 20 : TALL - FLOOR + 36);
    coord_html_escape(out, name);
    fw_text_add(out, "</text>");
    for (size_t i = 0; i < n; i++) {
        fw_text_format(out, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">", x - 5, axis_y(at[i]) + 4);
        coord_html_escape(out, tick[i]);
        fw_text_add(out, "</text>");
    }
}

static void draw_trial(fw_text *out, const coord_study_page *r, const coord_study_shade *shade, size_t row)
{
    const coord_study_row *t = &r->row[row];
    const double good = coord_study_shade_at(shade, t->value);
    bool pen = false;
    fw_text_format(out, "<path class=\"thread%s\" style=\"stroke-opacity:%.2f\" d=\"", (int64_t)row == r->best ? " best" : good > 0.9 ? " good" : "",
                   (int64_t)row == r->best ? 1.0 : 0.08 + 0.6 * good * good * good);
    for (size_t i = 0; i < r->n_axes; i++) {
        if (isfinite(t->u[i])) fw_text_format(out, "%s%.1f %.1f", pen ? "L" : "M", axis_x(r, i), axis_y(t->u[i]));
        pen = pen || isfinite(t->u[i]);
    }
    fw_text_format(out, "%s%.1f %.1f\">", pen ? "L" : "M", axis_x(r, r->n_axes), axis_y(good));
    title_of(out, t);
    fw_text_add(out, "</path>");
}

typedef struct ranked { size_t row; double good; } ranked;

static int worst_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->good != y->good ? (x->good > y->good) - (x->good < y->good) : (x->row < y->row) - (x->row > y->row);
}

void coord_study_chart_parallel(fw_text *out, const coord_study_page *r)
{
    const coord_study_shade shade = coord_study_shade_of(r);
    FW_FREE ranked *order = calloc(r->n_rows + 1, sizeof *order);
    size_t n = 0;
    char worst[COORD_FIGURE_TEXT], best[COORD_FIGURE_TEXT];
    out->failed = out->failed || order == NULL;
    for (size_t i = 0; order != NULL && i < r->n_rows; i++)
        if (isfinite(r->row[i].value)) order[n++] = (ranked){i, coord_study_shade_at(&shade, r->row[i].value)};
    if (n == 0 || r->n_axes == 0) return;
    qsort(order, n, sizeof *order, worst_first);
    fw_text_format(out, "<figure class=\"broad\"><figcaption>All parameters of each trial</figcaption><div class=\"key\"><span>a line a trial, stronger the better it is</span>"
                        "<span>orange: the best</span>%s</div><div class=\"wide\"><svg class=\"broad\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"parallel coordinates\">",
                   n > MOST_LINES ? "<span>only the best are drawn</span>" : "", WIDE, TALL);
    for (size_t i = n > MOST_LINES ? n - MOST_LINES : 0; i < n; i++)
        if ((int64_t)order[i].row != r->best) draw_trial(out, r, &shade, order[i].row);
    if (r->best >= 0 && isfinite(r->row[r->best].value)) draw_trial(out, r, &shade, (size_t)r->best);
    for (size_t i = 0; i < r->n_axes; i++) draw_axis(out, axis_x(r, i), r->axis[i].name, r->axis[i].tick_at, r->axis[i].tick, r->axis[i].n_ticks, i);
    coord_figure(worst, shade.worst);
    coord_figure(best, shade.best);
    draw_axis(out, axis_x(r, r->n_axes), r->metric, (const double[]){0, 1}, (const char *const[]){worst, best}, 2, r->n_axes);
    fw_text_add(out, "</svg></div></figure>");
}
