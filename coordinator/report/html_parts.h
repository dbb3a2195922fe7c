/** The pieces the model card is made of. Private to coordinator/report. */
#ifndef COORD_REPORT_HTML_PARTS_H
#define COORD_REPORT_HTML_PARTS_H

#include "coordinator/report/words.h"

extern const char coord_html_style[];

/** Text for element content and quoted attributes: & < > " ' escaped, bytes that are no text replaced. NULL adds nothing. */
void coord_html_escape(fw_text *out, const char *s);

/** The drawing area in SVG units. */
enum { COORD_CHART_WIDTH = 480, COORD_CHART_HEIGHT = 270, COORD_CHART_LEFT = 58, COORD_CHART_RIGHT = 14, COORD_CHART_TOP = 14, COORD_CHART_BOTTOM = 40 };

typedef struct coord_scale { double low, high, step; } coord_scale;

/** A round step (1, 2 or 5 times a power of ten) for about `ticks` ticks, and ends that are multiples of it. */
coord_scale coord_scale_round(double low, double high, double ticks);
double coord_across(const coord_scale *s, double x);           /* to SVG units */
double coord_up(const coord_scale *s, double y);
void   coord_chart_axes(fw_text *out, const coord_scale *x, const coord_scale *y, const char *x_name);      /* x NULL: without ticks */
void   coord_open_figure(fw_text *out, const char *title);      /* until </figure> */
void   coord_open_svg(fw_text *out, const char *title);         /* of the drawing area, until </svg> */

/** One line of a chart: y over x, n points. */
typedef struct coord_line { const char *name, *css; const double *x, *y; size_t n; } coord_line;

/** Lines over rounds as inline SVG with axes, ticks and a legend; points that are not finite are left out. mark_x: a round to mark, with its words (NULL: none). */
void coord_chart_lines(fw_text *out, const char *title, const char *x_name, const coord_line *lines, size_t n_lines, double mark_x, const char *mark_words);

/** Accuracy over confidence, one point a bin, its area by the count. */
void coord_chart_reliability(fw_text *out, const fw_metrics *m);

/** Truth against predicted, as a table shaded by the share of the true class. */
void coord_chart_confusion(fw_text *out, const coord_report *r);

/* Sections of the card, in their order. */
void coord_card_gates(fw_text *out, const coord_report *r);
void coord_card_headline(fw_text *out, const coord_report *r);
void coord_card_learning(fw_text *out, const coord_report *r);
void coord_card_mistakes(fw_text *out, const coord_report *r);
void coord_card_calibration(fw_text *out, const coord_report *r);
void coord_card_classes(fw_text *out, const coord_report *r);
void coord_card_fairness(fw_text *out, const coord_report *r);
void coord_card_data(fw_text *out, const coord_report *r);
void coord_card_model(fw_text *out, const coord_report *r);
void coord_card_lineage(fw_text *out, const coord_report *r);
void coord_card_limits(fw_text *out, const coord_report *r);

#endif
