#include "coordinator/doctor/doctor.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

/* ---- ranks ------------------------------------------------------------------------------------------------------------------------------ */

static size_t find_host(const coord_doctor *d, const char *name)
{
    size_t h = 0;
    while (h < d->n_hosts && strcmp(d->host[h].name, name) != 0) h++;
    return h;
}

static fw_status make_room(coord_doctor *d, fw_error *err)
{
    FW_TRY(fw_grow((void **)&d->rank, &d->rank_room, d->n_ranks + 1, sizeof *d->rank, "doctor: ranks", err));
    return fw_grow((void **)&d->host, &d->host_room, d->n_hosts + 1, sizeof *d->host, "doctor: hosts", err);
}

/* Counts the processors of a rank that no earlier rank of the host has. */
static void add_to_host(coord_doctor *d, size_t rank, coord_host *h)
{
    bool new_list = true;
    for (size_t r = rank; d->rank[r].before != r && new_list;) {
        r = d->rank[r].before;
        if (strcmp(coord_fact_word(d, r, "cpus"), coord_fact_word(d, rank, "cpus")) != 0) continue;
        new_list = false;
        if (h->shared) continue;
        h->shared = true;
        h->sharing[0] = r;
        h->sharing[1] = rank;
    }
    h->ranks++;
    h->last = rank;
    if (!new_list) return;
    h->cpus += (int)fmax(coord_fact(d, rank, "cpus.n"), 0.0);
    h->cores += (int)fmax(coord_fact(d, rank, "cpus.cores"), 0.0);
    if (h->online > 0 && h->cpus > h->online) h->cpus = h->online;
    if (h->cores > h->cpus) h->cores = h->cpus;
}

fw_status coord_doctor_add_rank(coord_doctor *d, fw_answer *a, fw_error *err)
{
    const size_t n = d->n_ranks;
    if (!fw_text_equal(a->kind, "rank") || fw_answer_value(a, "rank", -1.0) != (double)n)
        return fw_fail(err, FW_ERR_FORMAT, "doctor: an answer that is not rank %zu's", n);
    FW_TRY(make_room(d, err));
    const size_t at = find_host(d, fw_answer_word(a, "host"));
    coord_host *h = &d->host[at];
    d->rank[n] = (coord_rank){a, at, at < d->n_hosts ? h->last : n};
    d->n_ranks++;
    if (at == d->n_hosts) {
        *h = (coord_host){.name = fw_answer_word(a, "host"), .first = n, .online = (int)fw_answer_value(a, "host.cpus", 0.0)};
        d->n_hosts++;
    }
    d->n_nodes += fw_answer_value(a, "node", -1.0) == (double)n;
    add_to_host(d, n, h);
    return FW_OK;
}

void coord_doctor_release(coord_doctor *d)
{
    for (size_t r = 0; r < d->n_ranks; r++) fw_answer_destroy(&d->rank[r].facts);
    free(d->rank);
    free(d->host);
    coord_folder_leave(&d->folder);
    *d = (coord_doctor){0};
}

/* ---- facts ------------------------------------------------------------------------------------------------------------------------------ */

double coord_fact(const coord_doctor *d, size_t rank, const char *name) { return fw_answer_value(d->rank[rank].facts, name, NAN); }

const char *coord_fact_word(const coord_doctor *d, size_t rank, const char *name) { return fw_answer_word(d->rank[rank].facts, name); }

size_t coord_fact_odd_one(const coord_doctor *d, const char *name)
{
    size_t r = 1;
    while (r < d->n_ranks && strcmp(coord_fact_word(d, r, name), coord_fact_word(d, 0, name)) == 0) r++;
    return r;
}

double coord_host_fact(const coord_doctor *d, size_t host, const char *name) { return coord_fact(d, d->host[host].first, name); }

const char *coord_host_word(const coord_doctor *d, size_t host, const char *name) { return coord_fact_word(d, d->host[host].first, name); }

/* ---- findings --------------------------------------------------------------------------------------------------------------------------- */

const char *coord_verdict_name(coord_verdict v)
{
    static const char *const names[COORD_N_VERDICTS] = {"ok", "note", "warn", "fail"};
    return names[v];
}

static void add_joined(fw_text *t, const char *format, va_list args)
{
    char line[1024];
    vsnprintf(line, sizeof line, format, args);
    if (t->len > 0) fw_text_add(t, "; ");
    fw_text_add(t, line);
}

void coord_found(coord_finding *f, coord_verdict v, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_joined(&f->value, format, args);
    va_end(args);
    f->verdict = FW_MAX(f->verdict, v);
}

void coord_advise(coord_finding *f, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    add_joined(&f->remedy, format, args);
    va_end(args);
}

void coord_figure_of(coord_finding *f, const char *name, double value)
{
    if (!isfinite(value)) return;
    if (f->figures == NULL) f->figures = json_object();
    json_object_set_new(f->figures, name, value == rint(value) && fabs(value) < 1e15 ? json_integer((json_int_t)value) : json_real(value));
}

void coord_finding_release(coord_finding *f)
{
    fw_text_destroy(&f->value);
    fw_text_destroy(&f->remedy);
    json_decref(f->figures);
    *f = (coord_finding){0};
}

/* ---- for people ------------------------------------------------------------------------------------------------------------------------- */

void coord_say_bytes(char out[static COORD_SAID], double bytes)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB"};
    size_t u = 0;
    for (; bytes >= 1024.0 && u + 1 < sizeof units / sizeof *units; u++) bytes /= 1024.0;
    snprintf(out, COORD_SAID, "%.*f %s", u > 0 && bytes < 10.0 ? 1 : 0, bytes, units[u]);
}

void coord_say_seconds(char out[static COORD_SAID], double seconds)
{
    const struct { double from, factor; const char *unit; } *u, units[] = {{1.0, 1.0, "s"}, {1e-3, 1e3, "ms"}, {1e-6, 1e6, "us"}, {0.0, 1e9, "ns"}};
    for (u = units; fabs(seconds) < u->from; u++) {}
    const double v = seconds * u->factor;
    snprintf(out, COORD_SAID, "%.*f %s", fabs(v) < 10.0 && u->factor < 1e9 ? 1 : 0, v, u->unit);
}
