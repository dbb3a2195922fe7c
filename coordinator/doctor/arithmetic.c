/** What the ranks compute with. */
#include <math.h>
#include <string.h>

#include "coordinator/doctor/checks.h"

/* Of the first two words: "OpenBLAS 0.3.21 NO_AFFINITY ..." -> "OpenBLAS 0.3.21". */
static int two_words(const char *s)
{
    size_t len = strcspn(s, " ");
    if (s[len] == ' ') len += 1 + strcspn(s + len + 1, " ");
    return (int)len;
}

void coord_look_blas(coord_finding *f, const coord_doctor *d)
{
    const size_t odd = coord_fact_odd_one(d, "blas.core");
    const char *library = coord_fact_word(d, 0, "blas.library");
    double threads = 1.0;
    for (size_t r = 0; r < d->n_ranks; r++) threads = fmax(threads, coord_fact(d, r, "blas.threads"));
    if (odd < d->n_ranks) {
        coord_found(f, COORD_FAIL, "OpenBLAS runs as %s on rank 0 (%s) and as %s on rank %zu (%s): other bits, training refuses", coord_fact_word(d, 0, "blas.core"),
                    coord_fact_word(d, 0, "host"), coord_fact_word(d, odd, "blas.core"), odd, coord_fact_word(d, odd, "host"));
        coord_advise(f, "set OPENBLAS_CORETYPE to the lesser of the two everywhere: mpirun -x OPENBLAS_CORETYPE=Haswell ...");
        return;
    }
    coord_found(f, threads > 1.0 ? COORD_WARN : COORD_GOOD, "%.*s as %s on all ranks, %.0f thread%s each", two_words(library), library, coord_fact_word(d, 0, "blas.core"), threads,
                threads > 1.0 ? "s" : "");
    if (threads > 1.0) coord_advise(f, "OPENBLAS_NUM_THREADS=1: the ranks are the parallelism");
}

/* The products of training are flywheel's own kernels: a core type costs no speed, but stands in checkpoints and must stay the same. */
void coord_look_core_type(coord_finding *f, const coord_doctor *d)
{
    for (size_t r = 0; r < d->n_ranks && f->value.len == 0; r++) {
        const char *asked = coord_fact_word(d, r, "blas.asked_core");
        if (asked[0] == '\0') continue;
        coord_found(f, COORD_NOTE, "OPENBLAS_CORETYPE=%s is set%s: it stands in each checkpoint, and costs no speed (the products are own kernels, %s)", asked,
                    d->n_ranks > 1 && r > 0 ? " on some ranks" : "", coord_fact_word(d, r, "kernels"));
        coord_advise(f, "unset it, unless hosts differ or a training goes on that began with it");
    }
    if (f->value.len == 0) coord_found(f, COORD_GOOD, "%s, chosen by OpenBLAS for this CPU", coord_fact_word(d, 0, "blas.core"));
}

void coord_look_kernels(coord_finding *f, const coord_doctor *d)
{
    const size_t odd = coord_fact_odd_one(d, "kernels");
    const char *first = coord_fact_word(d, 0, "kernels");
    if (odd < d->n_ranks)
        coord_found(f, COORD_NOTE, "%s on rank 0, %s on rank %zu: the same bits, but all wait for the slower", first, coord_fact_word(d, odd, "kernels"), odd);
    else coord_found(f, strcmp(first, "portable") == 0 ? COORD_NOTE : COORD_GOOD, "%s on all ranks", first);
}
