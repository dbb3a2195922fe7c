/** The report of a search: one self-contained page. Everything shown comes in; what is computed from trials (importance) is the caller's. */
#ifndef COORD_REPORT_STUDY_H
#define COORD_REPORT_STUDY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "common/core/status.h"

/** A parameter as an axis: its values lie on 0 to 1. */
typedef struct coord_study_axis {
    const char *name;
    const double *tick_at; const char *const *tick; size_t n_ticks;
    double importance;                   /* share of 1; NaN: not known */
} coord_study_axis;

typedef enum coord_study_end { COORD_STUDY_OPEN, COORD_STUDY_COMPLETE, COORD_STUDY_PRUNED, COORD_STUDY_FAIL } coord_study_end;

typedef struct coord_study_row {
    uint64_t number;
    coord_study_end end;
    double value;                        /* NaN: none */
    uint64_t rounds;
    const double *u;                     /* (axes) where its parameters lie; NaN: not active */
    const char *const *text;             /* (axes) their values in words */
} coord_study_row;

typedef struct coord_study_bar { uint32_t slot; uint64_t trial; double begin_s, end_s; coord_study_end end; } coord_study_bar;

typedef struct coord_study_page {
    const char *name, *metric;
    bool maximize;
    const char *sampler, *pruner;        /* in words */
    const char *importance_method;       /* one sentence */
    const char *program;                 /* version */
    uint64_t budget, max_rounds;
    const coord_study_axis *axis; size_t n_axes;
    const coord_study_row *row; size_t n_rows;        /* by number */
    const uint64_t *finished; size_t n_finished;      /* rows in the order in which they ended */
    int64_t best;                        /* row, or -1 */
    const coord_study_bar *bar; size_t n_bars;
    uint32_t slots;
    double seconds, busy;                /* of the study so far; share of the slots' time with a trial on them */
} coord_study_page;

/** FW_ERR_IO. */
fw_status coord_study_html(FILE *out, const coord_study_page *r, fw_error *err);

#endif
