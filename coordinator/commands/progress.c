#include "coordinator/commands/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/bus/bus.h"
#include "common/core/clock.h"
#include "common/core/log.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "proto/telemetry.h"

#define LINE_EVERY_S 10.0
#define COLUMNS      80           /* of a terminal that does not tell */
#define LINGER_MS    2000

struct coord_progress_line {
    const char *project, *run_dir;
    uint64_t rounds;
    uint32_t ranks;
    bool terminal, open_line;
    fw_mono started, last;
    double first;                      /* rounds done when this process began */
    char result[160], slowest[32];     /* of the last round, for the line */
    fw_bus *bus;
    fw_publisher *publisher;
    fw_telemetry *telemetry;
};

static void open_bus(coord_progress_line *l, const char *endpoint)
{
    fw_error err = {0};
    fw_status s = fw_bus_create(&l->bus, &err);
    if (s == FW_OK) s = fw_publisher_create(&l->publisher, l->bus, endpoint, NULL, &err);
    if (s == FW_OK) s = fw_telemetry_create(&l->telemetry, &err);
    if (s == FW_OK) return;
    fw_log_warn("progress is not published: %s", err.text);
    fw_publisher_destroy(&l->publisher);
}

fw_status coord_progress_open(coord_progress_line **out, const fw_project *p, const char *run_dir, uint32_t ranks, uint64_t rounds, fw_error *err)
{
    coord_progress_line *l = calloc(1, sizeof *l);
    if (l == NULL) return fw_fail(err, FW_ERR_NOMEM, "progress");
    *l = (coord_progress_line){.project = p->project, .run_dir = run_dir, .rounds = rounds, .ranks = ranks, .terminal = isatty(STDERR_FILENO) == 1,
                               .started = fw_mono_now(), .last = fw_mono_now()};
    if (p->monitor.bus != NULL) open_bus(l, p->monitor.bus);
    *out = l;
    return FW_OK;
}

void coord_progress_close(coord_progress_line **line)
{
    coord_progress_line *l = *line;
    if (l == NULL) return;
    coord_progress_end(l);
    if (l->publisher != NULL) fw_publisher_close(&l->publisher, LINGER_MS, NULL);
    fw_telemetry_destroy(&l->telemetry);
    fw_bus_destroy(&l->bus);
    free(l);
    *line = NULL;
}

/* A line that is broken at the edge of the terminal could not be written over. */
static int width_of_terminal(void)
{
    struct winsize size = {0};
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 1 ? size.ws_col - 1 : COLUMNS - 1;
}

static void show(coord_progress_line *l, const char *text)
{
    if (l->terminal) {
        fprintf(stderr, "\r\033[K%.*s", width_of_terminal(), text);
        fflush(stderr);
        l->open_line = true;
    } else {
        fw_log_info("%s", text);
    }
    l->last = fw_mono_now();
}

static bool due(const coord_progress_line *l) { return l->terminal || fw_mono_seconds(l->last, fw_mono_now()) >= LINE_EVERY_S; }

/* "3 min 20 s left" from the share done since this process started. */
static void time_left(char *out, size_t len, const coord_progress_line *l, double rounds_done)
{
    double done = rounds_done - l->first, all = (double)l->rounds - l->first;
    double left = done > 0.0 ? fw_mono_seconds(l->started, fw_mono_now()) * (all - done) / done : 0.0;
    if (left >= 60.0) snprintf(out, len, "%.0f min %02.0f s left", (double)((long)left / 60), (double)((long)left % 60));
    else snprintf(out, len, "%.0f s left", left);
}

void coord_progress_from(coord_progress_line *l, double rounds_done)
{
    l->first = rounds_done;
    l->started = fw_mono_now();
}

/* "950 rows/s", "12.3 k rows/s" */
static void rate(char *out, size_t len, double rows_per_s)
{
    if (rows_per_s >= 999950.0) snprintf(out, len, "%.1f M rows/s", rows_per_s / 1e6);
    else if (rows_per_s >= 999.5) snprintf(out, len, "%.1f k rows/s", rows_per_s / 1e3);
    else snprintf(out, len, "%.0f rows/s", rows_per_s);
}

void coord_progress_step(coord_progress_line *l, const fw_answer *a)
{
    char text[400], left[64], speed[64];
    if (!due(l)) return;
    time_left(left, sizeof left, l, (double)a->position.round + a->fraction);
    rate(speed, sizeof speed, a->rows_per_s);
    snprintf(text, sizeof text, "round %llu/%llu %3.0f %%  loss %.4f  %s%s  %s%s", (unsigned long long)a->position.round + 1,
             (unsigned long long)l->rounds, 100.0 * a->fraction, a->train_loss, l->result, speed, left, l->slowest);
    show(l, text);
}

void coord_progress_round(coord_progress_line *l, const fw_round_result *r, const char *metric)
{
    char text[400], left[64], speed[64];
    l->result[0] = '\0';
    for (size_t i = 0; i < r->n_validation; i++)
        if (fw_text_equal(r->validation[i].name, metric)) snprintf(l->result, sizeof l->result, "validation %s %.4f  ", metric, r->validation[i].value);
    if (l->ranks > 1) snprintf(l->slowest, sizeof l->slowest, "  slowest rank %u", r->slowest_rank);
    if (!due(l) && r->position.round != l->rounds) return;
    time_left(left, sizeof left, l, (double)r->position.round);
    rate(speed, sizeof speed, r->rows_per_s);
    snprintf(text, sizeof text, "round %llu/%llu done  loss %.4f  %s%s  %s%s", (unsigned long long)r->position.round,
             (unsigned long long)l->rounds, r->train_loss, l->result, speed, left, l->slowest);
    show(l, text);
}

void coord_progress_end(coord_progress_line *l)
{
    if (l == NULL || !l->open_line) return;
    fputc('\n', stderr);
    l->open_line = false;
}

void coord_progress_publish(coord_progress_line *l, const char *event, const fw_position *at, const fw_round_result *r)
{
    if (l == NULL || l->publisher == NULL) return;
    FW_AUTO(fw_text) topic = {0};
    FW_AUTO(fw_text) out = {0};
    fw_error err = {0};
    fw_named_number numbers[16];
    fw_progress p = {.project = l->project, .run = l->run_dir, .event = event, .round = at->round, .step = at->step, .rows = at->rows, .ranks = l->ranks,
                     .validation = numbers};
    if (r != NULL) {
        p.rows_per_s = r->rows_per_s;
        p.train_loss = r->train_loss;
        p.n_validation = FW_MIN(r->n_validation, sizeof numbers / sizeof *numbers);
        for (size_t i = 0; i < p.n_validation; i++) numbers[i] = (fw_named_number){r->validation[i].name, r->validation[i].value};
    }
    fw_text_format(&topic, FW_TOPIC_PROGRESS "%s", l->project);
    fw_status s = fw_text_check(&topic, &err);
    if (s == FW_OK) s = fw_telemetry_progress(l->telemetry, &out, topic.data, &p, &err);
    if (s == FW_OK) s = fw_publisher_send(l->publisher, topic.data, out.data, out.len, &err);
    if (s == FW_OK && (strcmp(event, "done") == 0 || strcmp(event, "stop") == 0)) {
        s = fw_telemetry_end(l->telemetry, &out, topic.data, &err);
        if (s == FW_OK) s = fw_publisher_send(l->publisher, topic.data, out.data, out.len, &err);
    }
    if (s != FW_OK) fw_log_warn("a progress event was not published: %s", err.text);
}
