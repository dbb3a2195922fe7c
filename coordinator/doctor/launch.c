/** The lines to start training with on this machine. */
#include <stdlib.h>

#include "common/core/size.h"
#include "coordinator/doctor/doctor.h"

static int ranks_of(const coord_host *h) { return h->cores > 0 ? h->cores : FW_MAX(h->cpus, 1); }

/* One rank a core on each node. */
static int ranks_wanted(const coord_doctor *d, int *per_node)
{
    int sum = 0;
    *per_node = 0;
    for (size_t i = 0; i < d->n_hosts; i++) {
        const int here = ranks_of(&d->host[i]);
        sum += here;
        *per_node = FW_MAX(*per_node, here);
    }
    return FW_MAX(sum, 1);
}

/* In a job the queue tells the launcher its hosts. */
static bool in_job(void) { return getenv("SLURM_JOB_ID") != NULL; }

/* "h1:2,h2:4" */
static void add_hosts(fw_text *out, const coord_doctor *d, const char *option)
{
    for (size_t i = 0; i < d->n_hosts; i++) fw_text_format(out, "%s%s:%d", i > 0 ? "," : option, d->host[i].name, ranks_of(&d->host[i]));
}

static const char *project_of(const coord_doctor *d) { return d->project_path != NULL ? d->project_path : "PROJECT.yaml"; }

static const char *root_words(const coord_doctor *d) { return coord_fact(d, 0, "uid") == 0.0 ? " --allow-run-as-root" : ""; }

void coord_launch_mpirun(fw_text *out, const coord_doctor *d)
{
    int per_node = 0;
    const int n = ranks_wanted(d, &per_node);
    fw_text_format(out, "mpirun -n %d", n);
    if (d->n_hosts > 1 && !in_job()) add_hosts(out, d, " --host ");
    if (n > 1) fw_text_add(out, " --map-by core --bind-to core");
    fw_text_format(out, "%s flywheel train %s", root_words(d), project_of(d));
}

void coord_launch_srun(fw_text *out, const coord_doctor *d)
{
    int per_node = 0;
    const int n = ranks_wanted(d, &per_node);
    fw_text_format(out, "srun --mpi=pmix -n %d --ntasks-per-node=%d --cpus-per-task=1 --cpu-bind=cores --hint=nomultithread flywheel train %s", n, per_node, project_of(d));
}

void coord_launch_supervised(fw_text *out, const coord_doctor *d)
{
    int per_node = 0;
    const int n = ranks_wanted(d, &per_node);
    if (!d->supervises) return;
    fw_text_format(out, "flywheel train %s", project_of(d));
    if (d->n_hosts > 1 && !in_job()) add_hosts(out, d, " --hosts ");
    else fw_text_format(out, " --ranks %d%s", n, in_job() ? " --launch \"srun --mpi=pmix -n {ranks}\"" : "");
}
