/** What surrounds a training: clocks, sockets, the queue, the program itself. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/bus/bus.h"
#include "common/core/size.h"
#include "coordinator/doctor/checks.h"

#define CLOCK_OFF_S    1.0
#define CLOCK_NOTED_S  0.1
#define BUS_DEADLINE_S 5.0
#define SHORT_JOB_S    300.0

void coord_look_clocks(coord_finding *f, const coord_doctor *d)
{
    double most = 0.0, bound = 0.0;
    const char *where = "";
    for (size_t r = 0; r < d->n_ranks; r++) {                 /* the first of each node knows */
        const double ahead = coord_fact(d, r, "clock.ahead_s"), within = coord_fact(d, r, "clock.bound_s");
        if (isnan(ahead) || r == 0 || fabs(ahead) + within <= fabs(most) + bound) continue;
        most = ahead;
        bound = within;
        where = coord_fact_word(d, r, "host");
    }
    if (d->n_nodes < 2) {
        coord_found(f, COORD_GOOD, "one host, one clock");
        return;
    }
    const bool wrong = fabs(most) > CLOCK_NOTED_S + bound;
    char off[COORD_SAID], known[COORD_SAID];
    coord_say_seconds(off, fabs(most));
    coord_say_seconds(known, bound);
    coord_figure_of(f, "ahead_s", most);
    coord_figure_of(f, "bound_s", bound);
    coord_found(f, fabs(most) > CLOCK_OFF_S + bound ? COORD_WARN : wrong ? COORD_NOTE : COORD_GOOD, "%s is %s %s %s, the furthest of all (known to %s)", where, off,
                most < 0.0 ? "behind" : "ahead of", d->host[0].name, known);
    if (wrong) coord_advise(f, "chrony or ntpd on every host: the times of events are compared over hosts");
}

static fw_status round_trip(double *seconds, fw_error *err)
{
    FW_AUTO(fw_bus) *bus = NULL;
    FW_AUTO(fw_line) *here = NULL, *there = NULL;
    const fw_mono deadline = fw_mono_after(fw_mono_now(), BUS_DEADLINE_S);
    const void *bytes = NULL;
    size_t len = 0;
    FW_TRY(fw_bus_create(&bus, err));
    FW_TRY(fw_line_bind(&here, bus, "tcp://127.0.0.1:*", err));
    FW_TRY(fw_line_connect(&there, bus, fw_line_endpoint(here), err));
    for (int i = 0; i < 2; i++) {                          /* the first opens the connection */
        const fw_mono start = fw_mono_now();
        FW_TRY(fw_line_send(there, "ping", 4, deadline, err));
        FW_TRY(fw_line_receive(here, &bytes, &len, deadline, err));
        FW_TRY(fw_line_send(here, "pong", 4, deadline, err));
        FW_TRY(fw_line_receive(there, &bytes, &len, deadline, err));
        *seconds = fw_mono_seconds(start, fw_mono_now());
    }
    return FW_OK;
}

void coord_look_zeromq(coord_finding *f, const coord_doctor *d)
{
    double seconds = 0.0;
    char time[COORD_SAID];
    fw_error why = {0};
    (void)d;
    if (round_trip(&seconds, &why) < 0) {
        coord_found(f, COORD_FAIL, "no message over the loopback: %s", why.text);
        coord_advise(f, "ip link set lo up; look for a firewall on 127.0.0.1");
        return;
    }
    const bool curve = fw_bus_can("curve");
    coord_say_seconds(time, seconds);
    coord_figure_of(f, "round_trip_s", seconds);
    coord_found(f, curve ? COORD_GOOD : COORD_NOTE, "loopback there and back in %s, encryption (CURVE) %s", time, curve ? "available" : "not built in");
    if (!curve) coord_advise(f, "a libzmq built with libsodium: without it telemetry can't be protected by keys");
}

/* Seconds until the job is ended; NaN: not told. */
static double job_left(void)
{
    const char *end = getenv("SLURM_JOB_END_TIME");
    int64_t at = 0;
    return end != NULL && fw_parse_int64(&at, end, strlen(end)) ? (double)at - (double)time(NULL) : NAN;
}

void coord_look_job(coord_finding *f, const coord_doctor *d)
{
    const char *job = getenv("SLURM_JOB_ID"), *nodes = getenv("SLURM_JOB_NUM_NODES"), *tasks = getenv("SLURM_NTASKS");
    (void)d;
    if (job == NULL) {
        const char *other = getenv("PBS_JOBID") != NULL ? "PBS" : getenv("LSB_JOBID") != NULL ? "LSF" : NULL;
        if (other != NULL) coord_found(f, COORD_GOOD, "in a %s job", other);
        else coord_found(f, COORD_GOOD, "not in a job of a queue");
        return;
    }
    const double left = job_left();
    coord_found(f, COORD_GOOD, "Slurm job %s: %s node%s, %s tasks", job, nodes != NULL ? nodes : "?", nodes != NULL && strcmp(nodes, "1") == 0 ? "" : "s",
                tasks != NULL ? tasks : "?");
    if (!isnan(left)) coord_found(f, left < SHORT_JOB_S ? COORD_NOTE : COORD_GOOD, "%.0f minutes left", left / 60.0);
    else coord_advise(f, "squeue -j %s -o %%L tells the time that is left", job);
    coord_advise(f, "sbatch --signal=B:USR1@120 --requeue: a checkpoint before the time is up, and exit 75 (whether it is set can't be seen from here)");
    coord_figure_of(f, "left_s", left);
}

void coord_look_program(coord_finding *f, const coord_doctor *d)
{
    coord_found(f, COORD_GOOD, "flywheel %s with %s; Linux %s", FW_VERSION, d->libraries, coord_fact_word(d, 0, "host.kernel"));
}
