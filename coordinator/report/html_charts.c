/** Charts as inline SVG and HTML: no script, colours from the style sheet, so that they follow light and dark. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/report/html_parts.h"

static void key(fw_text *out, const coord_line *lines, size_t n)
{
    fw_text_add(out, "<div class=\"key\">");
    for (size_t i = 0; i < n; i++) {
        fw_text_format(out, "<span><svg viewBox=\"0 0 26 10\" aria-hidden=\"true\"><line class=\"%s\" x1=\"0\" x2=\"26\" y1=\"5\" y2=\"5\"/></svg>", lines[i].css);
        coord_html_escape(out, lines[i].name);
        fw_text_add(out, "</span>");
    }
    fw_text_add(out, "</div>");
}

static void draw_line(fw_text *out, const coord_line *l, const coord_scale *x, const coord_scale *y)
{
    bool pen = false;
    fw_text_format(out, "<path class=\"%s\" d=\"", l->css);
    for (size_t i = 0; i < l->n; i++) {
        if (isfinite(l->y[i])) fw_text_format(out, "%s%.1f %.1f", pen ? "L" : "M", coord_across(x, l->x[i]), coord_up(y, l->y[i]));
        pen = isfinite(l->y[i]);
    }
    fw_text_add(out, "\"/>");
    if (l->n > 60) return;
    for (size_t i = 0; i < l->n; i++) {
        char value[COORD_FIGURE_TEXT];
        coord_figure(value, l->y[i]);
        if (!isfinite(l->y[i])) continue;
        fw_text_format(out, "<circle class=\"dot %s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%s\"><title>round %.0f: ", l->css, coord_across(x, l->x[i]), coord_up(y, l->y[i]), l->n > 25 ? "2" : "3", l->x[i]);
        coord_html_escape(out, l->name);
        fw_text_format(out, " %s</title></circle>", value);
    }
}

static void draw_mark(fw_text *out, const coord_scale *x, double at, const char *words)
{
    double px = coord_across(x, at);
    bool right = px > (COORD_CHART_LEFT + COORD_CHART_WIDTH - COORD_CHART_RIGHT) / 2.0;
    fw_text_format(out, "<line class=\"mark\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%d\" y2=\"%d\"/><text x=\"%.1f\" y=\"%d\" text-anchor=\"%s\">", px, px, COORD_CHART_TOP, COORD_CHART_HEIGHT - COORD_CHART_BOTTOM,
                   right ? px - 5 : px + 5, COORD_CHART_TOP + 10, right ? "end" : "start");
    coord_html_escape(out, words);
    fw_text_add(out, "</text>");
}

void coord_chart_lines(fw_text *out, const char *title, const char *x_name, const coord_line *lines, size_t n_lines, double mark_x, const char *mark_words)
{
    double low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
    for (size_t k = 0; k < n_lines; k++)
        for (size_t i = 0; i < lines[k].n; i++) {
            if (!isfinite(lines[k].y[i])) continue;
            low[0] = FW_MIN(low[0], lines[k].x[i]);
            high[0] = FW_MAX(high[0], lines[k].x[i]);
            low[1] = FW_MIN(low[1], lines[k].y[i]);
            high[1] = FW_MAX(high[1], lines[k].y[i]);
        }
    if (!isfinite(low[0])) return;
    coord_scale x = coord_scale_round(low[0], high[0], 8), y = coord_scale_round(low[1], high[1], 5);
    x.step = FW_MAX(x.step, 1);                    /* rounds are whole */
    x.low = floor(low[0] / x.step) * x.step;
    x.high = FW_MAX(ceil(high[0] / x.step) * x.step, x.low + x.step);
    coord_open_figure(out, title);
    key(out, lines, n_lines);
    coord_open_svg(out, title);
    coord_chart_axes(out, &x, &y, x_name);
    if (mark_words != NULL) draw_mark(out, &x, mark_x, mark_words);
    for (size_t k = 0; k < n_lines; k++) draw_line(out, &lines[k], &x, &y);
    fw_text_add(out, "</svg></figure>");
}

void coord_chart_reliability(fw_text *out, const fw_metrics *m)
{
    static const char title[] = "Accuracy in each range of confidence";
    const coord_scale x = {0, 1, 0.2}, y = {0, 1, 0.2};
    uint64_t most = 1;
    for (size_t b = 0; b < FW_CALIBRATION_BINS; b++) most = FW_MAX(most, m->reliability[b].count);
    coord_open_figure(out, title);
    fw_text_add(out, "<div class=\"key\"><span>area: number of rows</span><span>dashed: confidence that can be taken at its word</span></div>");
    coord_open_svg(out, title);
    coord_chart_axes(out, &x, &y, "confidence in the predicted class");
    fw_text_format(out, "<line class=\"ideal\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", coord_across(&x, 0), coord_up(&y, 0), coord_across(&x, 1), coord_up(&y, 1));
    for (size_t b = 0; b < FW_CALIBRATION_BINS; b++) {
        const fw_reliability_bin *k = &m->reliability[b];
        if (k->count == 0) continue;
        char count[COORD_FIGURE_TEXT];
        coord_count(count, k->count);
        fw_text_format(out, "<circle class=\"bubble\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"><title>confidence %.1f %%, accuracy %.1f %%, %s rows</title></circle>",
                       coord_across(&x, k->confidence), coord_up(&y, k->accuracy), FW_MAX(3.0, 13 * sqrt((double)k->count / (double)most)), 100 * k->confidence, 100 * k->accuracy, count);
    }
    fw_text_add(out, "</svg></figure>");
}

static void confusion_cell(fw_text *out, const coord_report *r, size_t truth, size_t predicted)
{
    const fw_metrics *m = r->metrics;
    uint64_t count = m->confusion[truth * m->n_classes + predicted], support = m->per_class[truth].support;
    char text[COORD_FIGURE_TEXT];
    coord_count(text, count);
    double share = support > 0 ? (double)count / (double)support : 0;
    if (count == 0) {
        fw_text_add(out, "<td class=\"zero\">\u00b7</td>");
        return;
    }
    fw_text_format(out, "<td class=\"%s%s\" style=\"background:rgba(%s,%.2f)\" title=\"%.1f %% of ", truth == predicted ? "hit" : "miss", share > 0.55 ? " strong" : "",
                   truth == predicted ? "31,111,208" : "194,86,12", 0.12 + 0.88 * share, 100 * share);
    coord_html_escape(out, coord_class_name(r, truth));
    fw_text_add(out, truth == predicted ? " found" : " taken for ");
    if (truth != predicted) coord_html_escape(out, coord_class_name(r, predicted));
    fw_text_format(out, "\">%s</td>", text);
}

void coord_chart_confusion(fw_text *out, const coord_report *r)
{
    size_t n = r->metrics->n_classes;
    fw_text_add(out, "<div class=\"wide\"><table class=\"confusion\"><tr><th class=\"row\">truth \u2193 &nbsp; predicted \u2192</th>");
    for (size_t c = 0; c < n; c++) {
        fw_text_add(out, n > 4 ? "<th class=\"col\"><span>" : "<th><span>");
        coord_html_escape(out, coord_class_name(r, c));
        fw_text_add(out, "</span></th>");
    }
    fw_text_add(out, "</tr>");
    for (size_t truth = 0; truth < n; truth++) {
        fw_text_add(out, "<tr><th class=\"row\">");
        coord_html_escape(out, coord_class_name(r, truth));
        fw_text_add(out, "</th>");
        for (size_t c = 0; c < n; c++) confusion_cell(out, r, truth, c);
        fw_text_add(out, "</tr>");
    }
    fw_text_add(out, "</table></div>");
}
