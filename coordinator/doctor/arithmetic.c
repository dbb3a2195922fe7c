/** What the ranks compute with. */
#include <string.h>

#include "coordinator/doctor/checks.h"

/* FW_KERNELS is for tests: a rank that has it in its environment is slower than it has to be. */
static bool asked_for(coord_finding *f, const coord_doctor *d)
{
    for (size_t r = 0; r < d->n_ranks; r++) {
        const char *asked = coord_fact_word(d, r, "kernels.asked");
        if (asked[0] == '\0') continue;
        coord_found(f, COORD_NOTE, "FW_KERNELS=%s is set on rank %zu: the same bits, but maybe not the fastest kernels of its CPU", asked, r);
        coord_advise(f, "unset FW_KERNELS");
        return true;
    }
    return false;
}

/* The bits do not depend on them (law 1), so ranks that differ are no failure. */
void coord_look_kernels(coord_finding *f, const coord_doctor *d)
{
    const size_t odd = coord_fact_odd_one(d, "kernels");
    const char *first = coord_fact_word(d, 0, "kernels");
    if (odd < d->n_ranks)
        coord_found(f, COORD_NOTE, "%s on rank 0 (%s), %s on rank %zu (%s): the same bits, but all wait for the slower", first, coord_fact_word(d, 0, "host"),
                    coord_fact_word(d, odd, "kernels"), odd, coord_fact_word(d, odd, "host"));
    if (!asked_for(f, d) && odd == d->n_ranks)
        coord_found(f, strcmp(first, "portable") == 0 ? COORD_NOTE : COORD_GOOD, "%s on all ranks; any others give the same bits", first);
}
