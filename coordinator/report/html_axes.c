/** What all charts share: the drawing area, round scales, axes and ticks. */
#include <inttypes.h>
#include <math.h>

#include "common/core/size.h"
#include "coordinator/report/html_parts.h"

coord_scale coord_scale_round(double low, double high, double ticks)
{
    if (!(high > low)) {
        double pad = FW_MAX(fabs(low) * 0.1, 1e-9);
        low -= pad;
        high += pad;
    }
    double raw = (high - low) / ticks, power = pow(10, floor(log10(raw))), lead = raw / power;
    double step = (lead <= 1 ? 1 : lead <= 2 ? 2 : lead <= 5 ? 5 : 10) * power;
    return (coord_scale){floor(low / step + 1e-9) * step, ceil(high / step - 1e-9) * step, step};
}

double coord_across(const coord_scale *s, double x)
{
    return COORD_CHART_LEFT + (x - s->low) / (s->high - s->low) * (COORD_CHART_WIDTH - COORD_CHART_LEFT - COORD_CHART_RIGHT);
}

double coord_up(const coord_scale *s, double y)
{
    return COORD_CHART_HEIGHT - COORD_CHART_BOTTOM - (y - s->low) / (s->high - s->low) * (COORD_CHART_HEIGHT - COORD_CHART_TOP - COORD_CHART_BOTTOM);
}

static void tick_text(char out[static COORD_FIGURE_TEXT], double v, double step)
{
    if (fabs(v) < step * 1e-6) v = 0;
    double size = FW_MAX(fabs(v), step);
    if (size >= 1e6 || size < 1e-4) snprintf(out, COORD_FIGURE_TEXT, "%.3g", v);
    else snprintf(out, COORD_FIGURE_TEXT, "%.*f", step >= 1 ? 0 : FW_MIN((int)ceil(-log10(step) - 1e-9), 8), v);
}

static size_t n_ticks(const coord_scale *s)
{
    return (size_t)llround((s->high - s->low) / s->step) + 1;
}

void coord_chart_axes(fw_text *out, const coord_scale *x, const coord_scale *y, const char *x_name)
{
    char label[COORD_FIGURE_TEXT];
    for (size_t i = 0; i < n_ticks(y); i++) {
        double v = y->low + (double)i * y->step;
        tick_text(label, v, y->step);
        fw_text_format(out, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/><text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%s</text>", COORD_CHART_LEFT,
                       COORD_CHART_WIDTH - COORD_CHART_RIGHT, coord_up(y, v), coord_up(y, v), COORD_CHART_LEFT - 7, coord_up(y, v) + 4, label);
    }
    for (size_t i = 0; x != NULL && i < n_ticks(x); i++) {
        double v = x->low + (double)i * x->step;
        tick_text(label, v, x->step);
        fw_text_format(out, "<text x=\"%.1f\" y=\"%d\" text-anchor=\"middle\">%s</text>", coord_across(x, v), COORD_CHART_HEIGHT - COORD_CHART_BOTTOM + 17, label);
    }
    fw_text_format(out, "<line class=\"axis\" x1=\"%d\" x2=\"%d\" y1=\"%d\" y2=\"%d\"/>", COORD_CHART_LEFT, COORD_CHART_WIDTH - COORD_CHART_RIGHT, COORD_CHART_HEIGHT - COORD_CHART_BOTTOM, COORD_CHART_HEIGHT - COORD_CHART_BOTTOM);
    fw_text_format(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", (COORD_CHART_LEFT + COORD_CHART_WIDTH - COORD_CHART_RIGHT) / 2, COORD_CHART_HEIGHT - 6);
    coord_html_escape(out, x_name);
    fw_text_add(out, "</text>");
}

void coord_open_figure(fw_text *out, const char *title)
{
    fw_text_add(out, "<figure><figcaption>");
    coord_html_escape(out, title);
    fw_text_add(out, "</figcaption>");
}

void coord_open_svg(fw_text *out, const char *title)
{
    fw_text_format(out, "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"", COORD_CHART_WIDTH, COORD_CHART_HEIGHT);
    coord_html_escape(out, title);
    fw_text_add(out, "\">");
}
