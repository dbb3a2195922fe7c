/** Where the ranks run. */
#include <math.h>
#include <string.h>

#include "coordinator/doctor/checks.h"

#define HOSTS_NAMED 4

void coord_look_cores(coord_finding *f, const coord_doctor *d)
{
    for (size_t i = 0; i < d->n_hosts && i < HOSTS_NAMED; i++) {
        const coord_host *h = &d->host[i];
        coord_found(f, COORD_GOOD, "%s: %d rank%s, %d of %d processors usable", h->name, h->ranks, h->ranks == 1 ? "" : "s", h->cpus, h->online);
    }
    if (d->n_hosts > HOSTS_NAMED) coord_found(f, COORD_GOOD, "%zu hosts in all", d->n_hosts);
    coord_figure_of(f, "hosts", (double)d->n_hosts);
    coord_figure_of(f, "usable", d->host[0].cpus);
    coord_figure_of(f, "online", d->host[0].online);
}

static void look_at_binding(coord_finding *f, const coord_doctor *d, const coord_host *h)
{
    const size_t a = h->sharing[0], b = h->sharing[1];
    if (h->ranks > h->cpus) {
        coord_found(f, COORD_WARN, "oversubscribed: %d ranks share %d core%s of %s, and a rank that waits takes the core from one that works", h->ranks, h->cpus,
                    h->cpus == 1 ? "" : "s", h->name);
        coord_advise(f, "at most %d rank%s on this host, or --mca mpi_yield_when_idle 1 where more are wanted", h->cpus, h->cpus == 1 ? "" : "s");
    } else if (h->shared && coord_fact(d, a, "cpus.n") < h->ranks) {
        coord_found(f, COORD_WARN, "ranks %zu and %zu share core %s of %s", a, b, coord_fact_word(d, a, "cpus"), h->name);
        coord_advise(f, "mpirun --map-by core --bind-to core, or srun --cpu-bind=cores");
    } else if (h->shared) {
        coord_found(f, COORD_NOTE, "not bound: %d ranks may move over cores %s of %s", h->ranks, coord_fact_word(d, a, "cpus"), h->name);
        coord_advise(f, "mpirun --bind-to core, or srun --cpu-bind=cores");
    }
}

void coord_look_binding(coord_finding *f, const coord_doctor *d)
{
    size_t others = 0;
    for (size_t i = 0; i < d->n_hosts; i++) {                 /* the worst host speaks */
        coord_finding one = {0};
        look_at_binding(&one, d, &d->host[i]);
        others += one.value.len > 0 && f->value.len > 0;
        if (one.verdict > f->verdict) {
            coord_finding_release(f);
            *f = one;
        } else {
            coord_finding_release(&one);
        }
    }
    if (others > 0) coord_found(f, f->verdict, "alike on %zu more host%s", others, others == 1 ? "" : "s");
    if (f->value.len > 0) return;
    if (d->n_ranks == 1) coord_found(f, COORD_GOOD, "one rank on cores %s", coord_fact_word(d, 0, "cpus"));
    else coord_found(f, COORD_GOOD, "each rank has cores of its own (rank 0: %s)", coord_fact_word(d, 0, "cpus"));
}

void coord_look_threads(coord_finding *f, const coord_doctor *d)
{
    for (size_t i = 0; i < d->n_hosts && f->value.len == 0; i++) {
        const coord_host *h = &d->host[i];
        if (h->cores == 0 || h->cpus <= h->cores) continue;
        coord_found(f, h->ranks > h->cores ? COORD_WARN : COORD_NOTE, "hyper-threads are on: %d processors are %d cores on %s", h->cpus, h->cores, h->name);
        coord_advise(f, "one rank a core: %d ranks, --map-by core --bind-to core, or srun --hint=nomultithread", h->cores);
    }
    if (f->value.len == 0) coord_found(f, COORD_GOOD, "no two processors are hyper-threads of one core");
}

void coord_look_numa(coord_finding *f, const coord_doctor *d)
{
    double most = 0.0;
    for (size_t r = 0; r < d->n_ranks; r++) most = fmax(most, coord_fact(d, r, "cpus.numa_nodes"));
    if (most == 0.0) return;
    coord_figure_of(f, "nodes_of_a_rank", most);
    if (most <= 1.0) {
        coord_found(f, COORD_GOOD, "each rank stays within one memory node");
        return;
    }
    coord_found(f, d->n_ranks == 1 ? COORD_GOOD : COORD_NOTE, "a rank may move over %.0f memory nodes, away from its data", most);
    if (d->n_ranks > 1) coord_advise(f, "mpirun --bind-to core, or srun --cpu-bind=cores");
}

void coord_look_governor(coord_finding *f, const coord_doctor *d)
{
    for (size_t i = 0; i < d->n_hosts; i++) {
        const char *governor = coord_host_word(d, i, "host.governor");
        if (governor[0] == '\0' || strcmp(governor, "performance") == 0 || f->value.len > 0) continue;
        coord_found(f, COORD_NOTE, "governor %s on %s: speed follows the load with a delay", governor, d->host[i].name);
        coord_advise(f, "for measurements: cpupower frequency-set -g performance, or srun --cpu-freq=performance");
    }
    if (f->value.len == 0 && coord_fact_word(d, 0, "host.governor")[0] != '\0') coord_found(f, COORD_GOOD, "governor performance");
    if (f->value.len == 0) coord_found(f, COORD_GOOD, "not told (often so on virtual machines)");
}

void coord_look_load(coord_finding *f, const coord_doctor *d)
{
    double most = 0.0;
    for (size_t i = 0; i < d->n_hosts; i++) {
        const double load = coord_host_fact(d, i, "host.load"), cpus = coord_host_fact(d, i, "host.cpus");
        most = fmax(most, load);
        if (!(load > 0.5 * cpus) || f->value.len > 0) continue;
        coord_found(f, COORD_NOTE, "%.1f processes computed on the %.0f processors of %s in the last minute", load, cpus, d->host[i].name);
        coord_advise(f, "look who they are (top); ranks wait for the slowest");
    }
    coord_figure_of(f, "load", most);
    if (f->value.len == 0) coord_found(f, COORD_GOOD, "%.1f processes at most in the last minute", most);
}
