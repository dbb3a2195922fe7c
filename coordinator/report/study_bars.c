/** Bars of a search: importance, how far trials came, and the time of the slots. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/report/study_parts.h"

#define MOST_PARAMETERS 20
#define MOST_STEPS      12         /* bars of the chart of rounds */
#define MOST_SLOTS      64
#define MOST_BARS       20000

enum { WIDE = 960, NAME = 210, ROW = 22 };

/* ---- importance ---- */

typedef struct ranked { size_t axis; double importance; } ranked;

static int most_important_first(const void *a, const void *b)
{
    const ranked *x = a, *y = b;
    return x->importance != y->importance ? (x->importance < y->importance) - (x->importance > y->importance) : (x->axis > y->axis) - (x->axis < y->axis);
}

void coord_study_chart_importance(fw_text *out, const coord_study_page *r)
{
    ranked order[128];
    size_t n = 0;
    for (size_t i = 0; i < r->n_axes && n < sizeof order / sizeof *order; i++)
        if (isfinite(r->axis[i].importance)) order[n++] = (ranked){i, r->axis[i].importance};
    if (n == 0) return;
    qsort(order, n, sizeof *order, most_important_first);
    fw_text_add(out, "<table class=\"full\"><tr><th>parameter</th><th>importance</th><th class=\"left\"></th></tr>");
    for (size_t i = 0; i < FW_MIN(n, (size_t)MOST_PARAMETERS); i++) {
        char share[COORD_FIGURE_TEXT];
        coord_percent(share, order[i].importance);
        fw_text_add(out, "<tr><td><code>");
        coord_html_escape(out, r->axis[order[i].axis].name);
        fw_text_format(out, "</code></td><td>%s</td><td class=\"left bar\"><i style=\"width:%.1f%%\"></i></td></tr>", share, 100 * order[i].importance);
    }
    fw_text_add(out, "</table>");
}

/* ---- how far the trials came ---- */

static uint64_t came_to(const coord_study_page *r, uint64_t rounds)
{
    uint64_t n = 0;
    for (size_t i = 0; i < r->n_rows; i++) n += r->row[i].rounds >= rounds;
    return n;
}

/* Numbers of rounds at which trials ended, without repeats, highest last; at most MOST_STEPS of them. */
static size_t steps_of(const coord_study_page *r, uint64_t step[static MOST_STEPS])
{
    size_t n = 0;
    uint64_t from = 0;
    while (n < MOST_STEPS) {
        uint64_t next = UINT64_MAX;
        for (size_t i = 0; i < r->n_rows; i++)
            if (r->row[i].rounds > from && r->row[i].rounds < next) next = r->row[i].rounds;
        if (next == UINT64_MAX) break;
        step[n++] = from = next;
    }
    if (n == MOST_STEPS && r->max_rounds > step[n - 1]) step[n - 1] = r->max_rounds;
    return n;
}

void coord_study_chart_rounds(fw_text *out, const coord_study_page *r)
{
    uint64_t step[MOST_STEPS];
    const size_t n = steps_of(r, step);
    if (n == 0) return;
    fw_text_add(out, "<table class=\"full\"><tr><th>rounds</th><th>trials that came so far</th><th class=\"left\"></th></tr>");
    for (size_t i = 0; i < n; i++) {
        const uint64_t trials = came_to(r, step[i]);
        fw_text_format(out, "<tr><td>%" PRIu64 "</td><td>%" PRIu64 "</td><td class=\"left bar\"><i style=\"width:%.1f%%\"></i></td></tr>", step[i], trials,
                       100.0 * (double)trials / (double)FW_MAX(r->n_rows, (size_t)1));
    }
    fw_text_add(out, "</table>");
}

/* ---- the time of the slots ---- */

static double time_x(double s, double all) { return NAME / 2.0 + s / all * (WIDE - NAME / 2.0 - 20); }

void coord_study_chart_slots(fw_text *out, const coord_study_page *r)
{
    static const char *const css[] = {"open", "complete", "pruned", "fail"};
    const uint32_t slots = FW_MIN(r->slots, (uint32_t)MOST_SLOTS);
    const int height = (int)slots * ROW + 40;
    if (r->n_bars == 0 || !(r->seconds > 0)) return;
    const coord_scale x = coord_scale_round(0, r->seconds, 8);
    fw_text_format(out, "<figure class=\"broad\"><figcaption>What each group worked on</figcaption><div class=\"key\"><span>a bar a stretch of a trial, in seconds since the start</span>%s</div>"
                        "<div class=\"wide\"><svg class=\"broad\" viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"timeline of the groups\">",
                   r->slots > slots ? "<span>only the first groups are drawn</span>" : "", WIDE, height);
    for (double t = x.low; t <= x.high + x.step / 2 && x.high > 0; t += x.step)
        fw_text_format(out, "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"4\" y2=\"%d\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%.6g</text>", time_x(t, x.high),
                       time_x(t, x.high), height - 26, time_x(t, x.high), height - 10, t);
    for (uint32_t s = 0; s < slots; s++) fw_text_format(out, "<text x=\"%d\" y=\"%u\" text-anchor=\"end\">group %u</text>", NAME / 2 - 8, s * ROW + 18u, s);
    for (size_t i = 0; i < FW_MIN(r->n_bars, (size_t)MOST_BARS); i++) {
        const coord_study_bar *b = &r->bar[i];
        if (b->slot >= slots) continue;
        fw_text_format(out, "<rect class=\"stretch %s\" x=\"%.1f\" y=\"%u\" width=\"%.1f\" height=\"%d\" rx=\"2\"><title>trial %" PRIu64 ", %.1f to %.1f s</title></rect>", css[b->end],
                       time_x(b->begin_s, x.high), b->slot * ROW + 5u, FW_MAX((b->end_s - b->begin_s) / x.high * (WIDE - NAME / 2.0 - 20) - 0.6, 0.6), ROW - 5, b->trial,
                       b->begin_s, b->end_s);
    }
    fw_text_add(out, "</svg></div></figure>");
}
