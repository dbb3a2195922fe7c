/** The pieces of a study's page. Private to coordinator/report. */
#ifndef COORD_REPORT_STUDY_PARTS_H
#define COORD_REPORT_STUDY_PARTS_H

#include "coordinator/report/html_parts.h"
#include "coordinator/report/study.h"

/** Where the value stands between the worst (0) and the best (1) of those drawn; values beyond the middle half by more than three times its width count
 *  as its ends, so that one that diverged does not flatten the rest. */
typedef struct coord_study_shade { double worst, best; } coord_study_shade;
coord_study_shade coord_study_shade_of(const coord_study_page *r);
double            coord_study_shade_at(const coord_study_shade *s, double value);

void coord_study_chart_course(fw_text *out, const coord_study_page *r);        /* values as trials ended, and the best so far */
void coord_study_chart_parallel(fw_text *out, const coord_study_page *r);      /* a line a trial through all parameters */
void coord_study_chart_slice(fw_text *out, const coord_study_page *r, size_t axis);      /* value over one parameter */
void coord_study_chart_importance(fw_text *out, const coord_study_page *r);
void coord_study_chart_rounds(fw_text *out, const coord_study_page *r);        /* how many trials came how far */
void coord_study_chart_slots(fw_text *out, const coord_study_page *r);         /* who worked on what, when */

#endif
