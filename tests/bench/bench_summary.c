/** What it costs to count a row of 28 numbers into a summary, and of 28 whole numbers, each of which is a cut: ns a row, with each kernel that the CPU has;
 *  the best of five passes. One core. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/core/clock.h"
#include "common/core/kernels.h"
#include "common/core/random.h"
#include "common/stats/summary.h"

enum { COLUMNS = 28, ROWS = 1024, REPEATS = 1000, PASSES = 5 };

static double value[COLUMNS][ROWS];
static uint8_t missing[ROWS];

static fw_status make_summary(fw_summary **out, bool whole, fw_error *err)
{
    fw_bins bins[COLUMNS] = {{0}};
    double cut[FW_BINS_CUTS], centre[FW_BINS_CUTS + 1] = {0};
    for (size_t i = 0; i < FW_BINS_CUTS; i++) cut[i] = (double)(i + 1);      /* of equal shares, as a reference's are */
    fw_status s = FW_OK;
    for (size_t c = 0; c < COLUMNS && s == FW_OK; c++) {
        for (uint32_t i = 0; i < ROWS; i++) {
            const double v = (FW_BINS_CUTS + 1) * fw_random_unit(fw_random(1, FW_RANDOM_TEST, (uint32_t)c, i, 0));
            value[c][i] = whole ? ceil(v) : v;
        }
        s = fw_bins_of_cuts(&bins[c], "x", FW_BINS_NUMBER, cut, FW_BINS_CUTS, centre, err);
    }
    if (s == FW_OK) s = fw_summary_create(out, bins, COLUMNS, err);
    for (size_t c = 0; c < COLUMNS; c++) fw_bins_destroy(&bins[c]);
    return s;
}

static double ns_a_row(fw_summary *s)
{
    double best = INFINITY;
    for (int pass = 0; pass < PASSES; pass++) {
        const fw_mono start = fw_mono_now();
        for (int r = 0; r < REPEATS; r++)
            for (size_t c = 0; c < COLUMNS; c++) fw_summary_add_numbers(s, c, value[c], missing, ROWS);
        best = fmin(best, fw_mono_seconds(start, fw_mono_now()) * 1e9 / REPEATS / ROWS);
    }
    return best;
}

static int measure(bool whole)
{
    FW_AUTO(fw_summary) *s = NULL;
    fw_error err = {0};
    if (make_summary(&s, whole, &err) != FW_OK) {
        fprintf(stderr, "%s\n", err.text);
        return 1;
    }
    for (fw_kernels k = FW_KERNELS_PORTABLE, here; k < FW_N_KERNELS; k++) {
        if (!fw_kernels_find(&here, fw_kernels_name(k))) continue;
        setenv("FW_KERNELS", fw_kernels_name(k), 1);
        if (fw_kernels_choose(&err) != FW_OK) return 1;
        fw_summary_reset(s);
        const double ns = ns_a_row(s);
        printf("summary %-8s %d %snumbers: %.1f ns a row\n", fw_kernels_name(k), COLUMNS, whole ? "whole " : "", ns);
        for (size_t c = 0; c < COLUMNS; c++)
            if (fw_summary_rows(s, c) != (uint64_t)PASSES * REPEATS * ROWS) return 1;
    }
    return 0;
}

int main(void) { return measure(false) != 0 || measure(true) != 0; }
