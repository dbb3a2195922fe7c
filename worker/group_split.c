#include "worker/group_split.h"

#include <stdlib.h>

#include "common/core/size.h"
#include "worker/group_mpi.h"

#define MAX_SHARED (64u << 20)        /* bytes */

/* ---- who with whom ------------------------------------------------------------------------------------------------------------------ */

static int ranks_on(const int *node, int size, int which)
{
    int n = 0;
    for (int r = 1; r < size; r++) n += node[r] == which;
    return n;
}

/* Full groups of the first n ranks that are still free, on a node or (-1) on any. */
static void fill_groups(worker_split *s, int *group_of, const int *node, int size, int on_node, int n)
{
    int taken = 0;
    for (int r = 1; r < size && taken < n; r++) {
        if (group_of[r] >= 0 || (on_node >= 0 && node[r] != on_node)) continue;
        group_of[r] = s->groups + taken / s->each;
        taken++;
    }
    s->groups += taken / s->each;
}

void worker_split_assign(worker_split *s, int *group_of, const int *node, int size, int each)
{
    s->each = each;
    s->groups = 0;
    for (int r = 0; r < size; r++) group_of[r] = -1;
    for (int r = 1; r < size; r++)
        if (ranks_on(node, r, node[r]) == 0)           /* the first of its node */
            fill_groups(s, group_of, node, size, node[r], ranks_on(node, size, node[r]) / each * each);
    const int left = size - 1 - s->groups * each;
    fill_groups(s, group_of, node, size, -1, left / each * each);
    s->left_over = left % each;
    for (int r = 1; r < size; r++)
        if (group_of[r] < 0) group_of[r] = s->groups;
}

/* ---- the job ---------------------------------------------------------------------------------------------------------------------------- */

static fw_status too_few(const worker_split *s, fw_error *err)
{
    return fw_fail(err, FW_ERR_CONFIG, "%d ranks a trial and one that coordinates do not fit into a job of %d; start it with `mpirun -n %d` or more, or give fewer ranks to a trial",
                   s->each, s->size, s->each + 1);
}

static fw_status number_all_nodes(int *node, worker_split *s, fw_error *err)
{
    MPI_Comm near = MPI_COMM_NULL;
    FW_TRY(worker_node_comm(&near, MPI_COMM_WORLD, err));
    int lowest = s->rank, leads = 0;
    MPI_Comm_rank(near, &leads);
    leads = leads == 0;
    const bool good = MPI_Bcast(&lowest, 1, MPI_INT, 0, near) == MPI_SUCCESS && MPI_Allgather(&lowest, 1, MPI_INT, node, 1, MPI_INT, MPI_COMM_WORLD) == MPI_SUCCESS &&
                      MPI_Allreduce(&leads, &s->nodes, 1, MPI_INT, MPI_SUM, MPI_COMM_WORLD) == MPI_SUCCESS;
    MPI_Comm_free(&near);
    return good ? FW_OK : fw_fail(err, FW_ERR_MPI, "the job's nodes can't be counted");
}

fw_status worker_split_create(worker_split *out, worker_group **group, int each, fw_error *err)
{
    worker_split s = {.each = each};
    FW_FREE int *node = NULL;
    FW_FREE int *group_of = NULL;
    MPI_Comm comm = MPI_COMM_NULL;
    MPI_Comm_rank(MPI_COMM_WORLD, &s.rank);
    MPI_Comm_size(MPI_COMM_WORLD, &s.size);
    if (s.size - 1 < each) return too_few(&s, err);
    FW_TRY(fw_alloc_zeroed((void **)&node, (size_t)s.size, sizeof *node, "the job's ranks", err));
    FW_TRY(fw_alloc_zeroed((void **)&group_of, (size_t)s.size, sizeof *group_of, "the job's ranks", err));
    FW_TRY(number_all_nodes(node, &s, err));
    worker_split_assign(&s, group_of, node, s.size, each);
    s.mine = group_of[s.rank];
    if (MPI_Comm_split(MPI_COMM_WORLD, s.mine < 0 ? MPI_UNDEFINED : s.mine, s.rank, &comm) != MPI_SUCCESS)
        return fw_fail(err, FW_ERR_MPI, "the job can't be cut into groups");
    if (comm != MPI_COMM_NULL) FW_TRY(worker_group_create(group, comm, err));
    *out = s;
    return FW_OK;
}

fw_status worker_split_share(void **bytes, size_t *len, fw_error *err)
{
    int rank = 0;
    uint64_t n = *len;
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    FW_TRY(worker_bcast_asleep(&n, sizeof n, MPI_COMM_WORLD, err));
    if (n > MAX_SHARED) return fw_fail(err, FW_ERR_NOMEM, "the cards of the groups take %llu bytes", (unsigned long long)n);
    char *all = rank == 0 ? *bytes : calloc(1, (size_t)n + 1);
    if (all == NULL) return fw_fail(err, FW_ERR_NOMEM, "the cards of the groups");
    fw_status s = worker_bcast_asleep(all, (size_t)n, MPI_COMM_WORLD, err);
    if (rank == 0) return s;
    *bytes = all;
    *len = (size_t)n;
    return s;
}
