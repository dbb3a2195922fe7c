/** Memory of each host against what training needs. */
#include <math.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/doctor/checks.h"

#define LITTLE_MEMORY 1073741824.0      /* below this a training of any size is at risk */
#define LITTLE_SHARED 67108864.0
#define FEW_FILES     1024.0

/* What a process of the node may still take: the kernel's figure, or what its control group leaves. */
static double available_on(const coord_doctor *d, size_t host)
{
    const double free = coord_host_fact(d, host, "memory.available"), limit = coord_host_fact(d, host, "memory.limit");
    return isnan(limit) ? free : fmin(free, fmax(0.0, limit - coord_host_fact(d, host, "memory.limit_used")));
}

void coord_look_memory(coord_finding *f, const coord_doctor *d)
{
    double least = NAN;
    size_t where = 0;
    for (size_t i = 0; i < d->n_hosts; i++) {
        const double v = available_on(d, i);
        if (isnan(v) || v >= least) continue;
        least = v;
        where = i;
    }
    char free[COORD_SAID], total[COORD_SAID], limit[COORD_SAID], need[COORD_SAID];
    if (isnan(least)) return;
    coord_say_bytes(free, least);
    coord_say_bytes(total, coord_host_fact(d, where, "memory.total"));
    coord_say_bytes(limit, coord_host_fact(d, where, "memory.limit"));
    coord_say_bytes(need, (double)d->need.memory_bytes);
    coord_figure_of(f, "available", least);
    coord_figure_of(f, "need", d->need.memory_bytes > 0 ? (double)d->need.memory_bytes : NAN);
    const bool limited = !isnan(coord_host_fact(d, where, "memory.limit"));
    const bool lacks = (double)d->need.memory_bytes > least;
    coord_found(f, lacks ? COORD_FAIL : least < LITTLE_MEMORY ? COORD_WARN : COORD_GOOD, "%s free of %s on %s%s%s%s", free, total, d->host[where].name,
                limited ? ", its control group allows " : "", limited ? limit : "", d->n_hosts > 1 ? " (the least of all)" : "");
    if (lacks) coord_advise(f, "the dataset needs about %s a host: more hosts do not help, every host holds all rows; take one with more memory, or fewer rows", need);
    else if (least < LITTLE_MEMORY) coord_advise(f, "end what else runs there, or ask for more (srun --mem)");
}

void coord_look_shared_memory(coord_finding *f, const coord_doctor *d)
{
    double least = NAN;
    size_t where = 0;
    for (size_t i = 0; i < d->n_hosts; i++) {
        const double v = coord_host_fact(d, i, "shm.free");
        if (isnan(v) || v >= least) continue;
        least = v;
        where = i;
    }
    char free[COORD_SAID], need[COORD_SAID];
    if (isnan(least)) return;
    const double want = fmax((double)d->need.memory_bytes, d->host[where].ranks > 1 ? LITTLE_SHARED : 0.0);
    coord_say_bytes(free, least);
    coord_say_bytes(need, want);
    coord_figure_of(f, "free", least);
    coord_found(f, least < want ? COORD_FAIL : COORD_GOOD, "%s free in %s on %s, where the ranks of a node keep the rows once", free, coord_host_word(d, where, "shm.path"),
                d->host[where].name);
    if (least < want) coord_advise(f, "about %s is needed: enlarge it (mount -o remount,size=..., docker --shm-size), or one rank a host", need);
}

void coord_look_dataset(coord_finding *f, const coord_doctor *d)
{
    char memory[COORD_SAID];
    if (d->need_error != NULL) {
        coord_found(f, COORD_FAIL, "%s", d->need_error);
        coord_advise(f, "flywheel ingest %s", d->project_path);
    } else if (d->project != NULL && d->need.rows == 0) {
        coord_found(f, COORD_NOTE, "there is no dataset yet: its need is not known");
        coord_advise(f, "flywheel ingest %s, then again; flywheel check %s guesses from the tables", d->project_path, d->project_path);
    } else if (d->project != NULL) {
        coord_say_bytes(memory, (double)d->need.memory_bytes);
        coord_figure_of(f, "rows", (double)d->need.rows);
        coord_figure_of(f, "memory", (double)d->need.memory_bytes);
        coord_found(f, COORD_GOOD, "%llu rows to train and validate, at most %llu features: at most %s on each host", (unsigned long long)d->need.rows,
                    (unsigned long long)d->need.features, memory);
    }
}

void coord_look_swap(coord_finding *f, const coord_doctor *d)
{
    double used = 0.0, total = 0.0;
    size_t where = 0;
    for (size_t i = 0; i < d->n_hosts; i++) {
        const double all = coord_host_fact(d, i, "swap.total"), here = all - coord_host_fact(d, i, "swap.free");
        total = fmax(total, all);
        if (!(here > used)) continue;
        used = here;
        where = i;
    }
    char text[COORD_SAID];
    coord_say_bytes(text, used > 0.0 ? used : total);
    coord_figure_of(f, "used", used);
    if (used > 0.01 * total) {
        coord_found(f, COORD_NOTE, "%s in use on %s: a rank that is swapped out stops all", text, d->host[where].name);
        coord_advise(f, "end what else runs there");
    } else {
        coord_found(f, COORD_GOOD, total > 0.0 ? "%s, unused" : "none", text);
    }
}

void coord_look_huge_pages(coord_finding *f, const coord_doctor *d)
{
    const char *chosen = coord_fact_word(d, 0, "memory.huge_pages");
    if (chosen[0] == '\0') return;
    const bool never = strcmp(chosen, "never") == 0;
    coord_found(f, never ? COORD_NOTE : COORD_GOOD, "transparent huge pages: %s", chosen);
    if (never) coord_advise(f, "madvise or always in /sys/kernel/mm/transparent_hugepage/enabled: large tables are then read with fewer misses");
}

static void say_limit(char out[static COORD_SAID], double limit)
{
    if (isnan(limit)) snprintf(out, COORD_SAID, "not known");
    else if (limit < 0.0) snprintf(out, COORD_SAID, "no limit");
    else coord_say_bytes(out, limit);
}

void coord_look_limits(coord_finding *f, const coord_doctor *d)
{
    double files = INFINITY, file = -1.0, memory = -1.0;
    if (isnan(coord_fact(d, 0, "limit.files"))) return;
    for (size_t r = 0; r < d->n_ranks; r++) {
        const double n = coord_fact(d, r, "limit.files");
        if (n >= 0.0) files = fmin(files, n);
        file = fmax(file, coord_fact(d, r, "limit.file"));
        memory = fmax(memory, coord_fact(d, r, "limit.memory"));
    }
    char stack[COORD_SAID], locked[COORD_SAID], text[COORD_SAID];
    say_limit(stack, coord_fact(d, 0, "limit.stack"));
    say_limit(locked, coord_fact(d, 0, "limit.locked"));
    coord_figure_of(f, "files", files);
    if (isinf(files)) coord_found(f, COORD_GOOD, "any number of open files, stack %s, locked memory %s", stack, locked);
    else coord_found(f, files < FEW_FILES ? COORD_WARN : COORD_GOOD, "%.0f open files, stack %s, locked memory %s", files, stack, locked);
    if (files < FEW_FILES) coord_advise(f, "ulimit -n 4096");
    if (file >= 0.0) {
        coord_say_bytes(text, file);
        coord_found(f, COORD_WARN, "files of at most %s", text);
        coord_advise(f, "ulimit -f unlimited");
    }
    if (memory >= 0.0) {
        coord_say_bytes(text, memory);
        coord_found(f, COORD_WARN, "address space of at most %s", text);
        coord_advise(f, "ulimit -v unlimited: shared windows are mapped, not used at once");
    }
}
