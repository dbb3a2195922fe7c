#include "coordinator/commands/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "coordinator/commands/announcer.h"
#include "coordinator/commands/status_line.h"

struct coord_progress_line {
    const char *run_dir;
    uint64_t rounds;
    uint32_t ranks;
    coord_status_line line;
    fw_mono started;
    double first;                      /* rounds done when this process began */
    char result[160], slowest[32];     /* of the last round, for the line */
    coord_announcer *announcer;        /* NULL: nothing is published */
};

fw_status coord_progress_open(coord_progress_line **out, const fw_project *p, const fw_bus_identity *identity, const char *run_dir, uint32_t ranks, uint64_t rounds,
                              fw_error *err)
{
    coord_progress_line *l = calloc(1, sizeof *l);
    if (l == NULL) return fw_fail(err, FW_ERR_NOMEM, "progress");
    *l = (coord_progress_line){.run_dir = run_dir, .rounds = rounds, .ranks = ranks, .started = fw_mono_now()};
    coord_status_begin(&l->line);
    l->announcer = coord_announcer_open(p->monitor.bus, identity, p->project);
    *out = l;
    return FW_OK;
}

void coord_progress_close(coord_progress_line **line)
{
    coord_progress_line *l = *line;
    if (l == NULL) return;
    coord_progress_end(l);
    coord_announcer_close(&l->announcer);
    free(l);
    *line = NULL;
}

/* From the share done since this process started. */
static void time_left(char *out, size_t len, const coord_progress_line *l, double rounds_done)
{
    const double done = rounds_done - l->first, all = (double)l->rounds - l->first;
    coord_status_time_left(out, len, done > 0.0 ? fw_mono_seconds(l->started, fw_mono_now()) * (all - done) / done : 0.0);
}

void coord_progress_from(coord_progress_line *l, double rounds_done)
{
    l->first = rounds_done;
    l->started = fw_mono_now();
}

/* "950 rows/s", "12.3 k rows/s", "379 k rows/s": the line has no room for more digits. */
static void rate(char *out, size_t len, double rows_per_s)
{
    if (rows_per_s >= 999500.0) snprintf(out, len, "%.1f M rows/s", rows_per_s / 1e6);
    else if (rows_per_s >= 99950.0) snprintf(out, len, "%.0f k rows/s", rows_per_s / 1e3);
    else if (rows_per_s >= 999.5) snprintf(out, len, "%.1f k rows/s", rows_per_s / 1e3);
    else snprintf(out, len, "%.0f rows/s", rows_per_s);
}

void coord_progress_step(coord_progress_line *l, const fw_answer *a)
{
    char text[400], left[64], speed[64];
    if (!coord_status_due(&l->line)) return;
    time_left(left, sizeof left, l, (double)a->position.round + a->fraction);
    rate(speed, sizeof speed, a->rows_per_s);
    snprintf(text, sizeof text, "round %llu/%llu %3.0f %%  loss %.4f  %s%s  %s%s", (unsigned long long)a->position.round + 1,
             (unsigned long long)l->rounds, 100.0 * a->fraction, a->train_loss, l->result, speed, left, l->slowest);
    coord_status_show(&l->line, text);
}

void coord_progress_round(coord_progress_line *l, const fw_round_result *r, const char *metric)
{
    char text[400], left[64], speed[64];
    l->result[0] = '\0';
    for (size_t i = 0; i < r->n_validation; i++)
        if (fw_text_equal(r->validation[i].name, metric)) snprintf(l->result, sizeof l->result, "validation %s %.4f  ", metric, r->validation[i].value);
    if (l->ranks > 1) snprintf(l->slowest, sizeof l->slowest, "  slowest rank %u", r->slowest_rank);
    if (!coord_status_due(&l->line) && r->position.round != l->rounds) return;
    time_left(left, sizeof left, l, (double)r->position.round);
    rate(speed, sizeof speed, r->rows_per_s);
    snprintf(text, sizeof text, "round %llu/%llu done  loss %.4f  %s%s  %s%s", (unsigned long long)r->position.round,
             (unsigned long long)l->rounds, r->train_loss, l->result, speed, left, l->slowest);
    coord_status_show(&l->line, text);
}

void coord_progress_end(coord_progress_line *l)
{
    if (l != NULL) coord_status_end(&l->line);
}

void coord_progress_publish(coord_progress_line *l, const char *event, const fw_position *at, const fw_round_result *r)
{
    fw_named_number numbers[16];
    if (l == NULL) return;
    fw_progress p = {.run = l->run_dir, .event = event, .round = at->round, .step = at->step, .rows = at->rows, .ranks = l->ranks, .validation = numbers};
    if (r != NULL) {
        p.rows_per_s = r->rows_per_s;
        p.train_loss = r->train_loss;
        p.n_validation = FW_MIN(r->n_validation, sizeof numbers / sizeof *numbers);
        for (size_t i = 0; i < p.n_validation; i++) numbers[i] = (fw_named_number){r->validation[i].name, r->validation[i].value};
    }
    coord_announce(l->announcer, p, strcmp(event, "done") == 0 || strcmp(event, "stop") == 0);
}
