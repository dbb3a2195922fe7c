/** The message passing library, as it runs here. */
#include <math.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/doctor/checks.h"

#define SLOW_LATENCY_S 50e-6

void coord_look_mpi(coord_finding *f, const coord_doctor *d)
{
    static const char *const levels[] = {"single", "funneled", "serialized", "multiple"};
    const size_t odd = coord_fact_odd_one(d, "mpi.library");
    const double level = coord_fact(d, 0, "mpi.thread_level");
    if (odd < d->n_ranks) {
        coord_found(f, COORD_FAIL, "%s on rank 0, %s on rank %zu (%s)", coord_fact_word(d, 0, "mpi.library"), coord_fact_word(d, odd, "mpi.library"), odd,
                    coord_fact_word(d, odd, "host"));
        coord_advise(f, "the same installation on every host");
        return;
    }
    coord_found(f, COORD_GOOD, "%s on all ranks, thread level %s (funneled is needed)", coord_fact_word(d, 0, "mpi.library"),
                level >= 0.0 && level < 4.0 ? levels[(int)level] : "unknown");
}

void coord_look_transport(coord_finding *f, const coord_doctor *d)
{
    const char *pml = coord_fact_word(d, 0, "mpi.pml"), *btl = coord_fact_word(d, 0, "mpi.btl"), *mtl = coord_fact_word(d, 0, "mpi.mtl");
    if (pml[0] == '\0') return;
    const bool cm = strstr(pml, "cm") != NULL;          /* the one that sends through an mtl; the others leave it open, unused */
    const bool fabric = cm || strstr(pml, "ucx") != NULL || strstr(btl, "openib") != NULL || strstr(btl, "ofi") != NULL || strstr(btl, "uct") != NULL;
    const bool only_tcp = d->n_hosts > 1 && !fabric;
    const char *below = cm ? mtl : strstr(pml, "ucx") != NULL ? "" : btl;
    coord_found(f, only_tcp ? COORD_NOTE : COORD_GOOD, "%s%s%s", pml, below[0] != '\0' ? " over " : "", below);
    if (only_tcp) coord_advise(f, "between hosts only TCP is open: with InfiniBand or Omni-Path, an Open MPI built with UCX or libfabric");
}

void coord_look_messages(coord_finding *f, const coord_doctor *d)
{
    const double latency = coord_fact(d, 0, "mpi.latency_s"), rate = coord_fact(d, 0, "mpi.bytes_per_s");
    char time[COORD_SAID], bytes[COORD_SAID];
    if (isnan(latency)) {
        coord_found(f, COORD_GOOD, "one rank: nothing to measure (mpirun -n 2 flywheel doctor)");
        return;
    }
    coord_say_seconds(time, latency);
    coord_say_bytes(bytes, rate);
    coord_figure_of(f, "latency_s", latency);
    coord_figure_of(f, "bytes_per_s", rate);
    coord_found(f, latency > SLOW_LATENCY_S ? COORD_NOTE : COORD_GOOD, "8 bytes to the next rank of a ring take %s, 1 MiB pieces go at %s/s each way", time, bytes);
    if (latency > SLOW_LATENCY_S) coord_advise(f, d->n_hosts > 1 ? "slow for a cluster: see transport and binding" : "ranks wait for a core or are far apart: see binding");
}

void coord_look_meeting(coord_finding *f, const coord_doctor *d)
{
    const double barrier = coord_fact(d, 0, "mpi.barrier_s"), meet = coord_fact(d, 0, "mpi.meet_s"), sum = coord_fact(d, 0, "mpi.window_sum_s");
    char all[COORD_SAID], node[COORD_SAID], window[COORD_SAID];
    if (isnan(barrier)) return;
    coord_say_seconds(all, barrier);
    coord_say_seconds(node, meet);
    coord_say_seconds(window, sum);
    coord_figure_of(f, "barrier_s", barrier);
    coord_figure_of(f, "node_barrier_s", meet);
    coord_figure_of(f, "window_sum_s", sum);
    coord_found(f, COORD_GOOD, "barrier of all %s, of a node in shared memory %s; 1 MiB of each rank of a node summed there in %s", all, node, window);
}

void coord_look_progress(coord_finding *f, const coord_doctor *d)
{
    const double hidden = coord_fact(d, 0, "mpi.hidden");
    if (isnan(hidden)) return;
    coord_figure_of(f, "hidden", hidden);
    if (hidden >= 0.5) coord_found(f, COORD_GOOD, "%.0f %% of a large message's time passes while the ranks compute", 100.0 * hidden);
    else coord_found(f, COORD_GOOD, "%.0f %% of a large message's time passes while the ranks compute: MPI works inside its calls alone, and flywheel counts on no more",
                     100.0 * hidden);
}

void coord_look_waiting(coord_finding *f, const coord_doctor *d)
{
    const double yields = coord_fact(d, 0, "mpi.yields");
    bool crowded = false;
    for (size_t i = 0; i < d->n_hosts; i++) crowded = crowded || d->host[i].ranks > d->host[i].cpus;
    if (isnan(yields)) return;
    if (crowded && yields == 0.0) {
        coord_found(f, COORD_WARN, "ranks that wait keep their core, and there are more ranks than cores");
        coord_advise(f, "mpirun --mca mpi_yield_when_idle 1 (or OMPI_MCA_mpi_yield_when_idle=1)");
    } else if (!crowded && yields > 0.0 && d->n_ranks > 1) {
        coord_found(f, COORD_NOTE, "ranks that wait give their core away (mpi_yield_when_idle), though each has one: messages take longer");
        coord_advise(f, "leave mpi_yield_when_idle at 0 when ranks do not outnumber cores");
    } else {
        coord_found(f, COORD_GOOD, yields > 0.0 ? "ranks that wait give their core away" : "ranks that wait keep their core, as is right for one rank a core");
    }
}
