/** What the ranks compute with. */
#include <math.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/doctor/checks.h"

void coord_look_blas(coord_finding *f, const coord_doctor *d)
{
    const size_t odd = coord_fact_odd_one(d, "blas.core");
    const char *library = coord_fact_word(d, 0, "blas.library");
    double threads = 1.0;
    for (size_t r = 0; r < d->n_ranks; r++) threads = fmax(threads, coord_fact(d, r, "blas.threads"));
    const int version = (int)strcspn(library, " ") + 1 + (int)strcspn(library + strcspn(library, " ") + 1, " ");      /* "OpenBLAS 0.3.21" of a long list */
    if (odd < d->n_ranks) {
        coord_found(f, COORD_FAIL, "OpenBLAS runs as %s on rank 0 (%s) and as %s on rank %zu (%s): other bits, training refuses", coord_fact_word(d, 0, "blas.core"),
                    coord_fact_word(d, 0, "host"), coord_fact_word(d, odd, "blas.core"), odd, coord_fact_word(d, odd, "host"));
        coord_advise(f, "set OPENBLAS_CORETYPE to the lesser of the two everywhere: mpirun -x OPENBLAS_CORETYPE=Haswell ...");
        return;
    }
    coord_found(f, threads > 1.0 ? COORD_WARN : COORD_GOOD, "%.*s as %s on all ranks, %.0f thread%s each", version, library, coord_fact_word(d, 0, "blas.core"), threads,
                threads > 1.0 ? "s" : "");
    if (threads > 1.0) coord_advise(f, "OPENBLAS_NUM_THREADS=1: the ranks are the parallelism");
}

/* OpenBLAS' types by what they use: 3 AVX-512, 2 AVX2 with FMA, 1 less. Types that are not listed count as what the CPU has. */
static int class_of(const char *core, int otherwise)
{
    static const struct { const char *name; int class; } types[] = {
        {"SkylakeX", 3}, {"Cooperlake", 3}, {"Sapphirerapids", 3}, {"Haswell", 2}, {"Zen", 2}, {"Excavator", 1}, {"Steamroller", 1}, {"Piledriver", 1},
        {"Bulldozer", 1}, {"Sandybridge", 1}, {"Nehalem", 1}, {"Prescott", 1}, {"Penryn", 1}, {"Core2", 1}, {"Barcelona", 1}, {"Atom", 1}, {"Katmai", 1}};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        if (strcasecmp(core, types[i].name) == 0) return types[i].class;
    return otherwise;
}

static int class_of_cpu(const char *kernels) { return strcmp(kernels, "avx512") == 0 ? 3 : strcmp(kernels, "avx2") == 0 ? 2 : 1; }

void coord_look_core_type(coord_finding *f, const coord_doctor *d)
{
    for (size_t r = 0; r < d->n_ranks && f->value.len == 0; r++) {
        const char *asked = coord_fact_word(d, r, "blas.asked_core"), *core = coord_fact_word(d, r, "blas.core"), *cpu = coord_fact_word(d, r, "kernels");
        const int can = class_of_cpu(cpu);
        const bool slower = class_of(core, can) < can;
        if (asked[0] == '\0' && !slower) continue;
        if (asked[0] != '\0')
            coord_found(f, slower ? COORD_WARN : COORD_NOTE, "OPENBLAS_CORETYPE=%s asks for it%s%s", asked, slower ? ", and the CPU can do more: " : "", slower ? cpu : "");
        else coord_found(f, COORD_NOTE, "OpenBLAS chose %s on a CPU that can do %s", core, cpu);
        if (slower && asked[0] != '\0') coord_advise(f, "unset OPENBLAS_CORETYPE, unless other hosts or an older model need these bits");
        if (slower && asked[0] == '\0') coord_advise(f, "a newer OpenBLAS, or OPENBLAS_CORETYPE=SkylakeX on every rank: other bits, from the start of a training");
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
