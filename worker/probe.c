#include "worker/probe.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/core/size.h"
#include "worker/group_probe.h"

#define PATH_DEADLINE_S 10.0

void worker_facts_value(worker_facts *f, const char *name, double value)
{
    if (!isfinite(value)) return;
    assert(f->n_values < WORKER_FACTS);
    f->values[f->n_values++] = (fw_value){(char *)name, value};
}

void worker_facts_word(worker_facts *f, const char *name, const char *text)
{
    if (text == NULL || text[0] == '\0') return;
    assert(f->n_words < WORKER_FACT_WORDS);
    char *copy = f->text[f->n_words];
    snprintf(copy, WORKER_FACT_TEXT, "%s", text);
    f->words[f->n_words++] = (fw_word){(char *)name, copy};
}

static void add_mpi(worker_facts *f, const worker_mpi_figures *m)
{
    worker_facts_value(f, "node", m->leader);
    worker_facts_value(f, "mpi.thread_level", m->thread_level);
    if (m->yields >= 0) worker_facts_value(f, "mpi.yields", m->yields);
    worker_facts_value(f, "mpi.latency_s", m->latency_s);
    worker_facts_value(f, "mpi.bytes_per_s", m->bandwidth);
    worker_facts_value(f, "mpi.hidden", m->hidden);
    worker_facts_value(f, "mpi.barrier_s", m->barrier_s);
    worker_facts_value(f, "mpi.meet_s", m->meet_s);
    worker_facts_value(f, "mpi.window_sum_s", m->window_sum_s);
    worker_facts_value(f, "clock.ahead_s", m->clock_ahead_s);
    worker_facts_value(f, "clock.bound_s", m->clock_bound_s);
    worker_facts_word(f, "mpi.library", m->library);
    worker_facts_word(f, "mpi.pml", m->pml);
    worker_facts_word(f, "mpi.btl", m->btl);
    worker_facts_word(f, "mpi.mtl", m->mtl);
}

/* Rank 0: hands out each rank's bytes. */
static fw_status hand_out(worker_group *g, const char *all, const size_t *offset, worker_probe_take take, void *context, fw_error *err)
{
    for (int r = 0; r < worker_group_size(g); r++) FW_TRY(take(context, all + offset[r], offset[r + 1] - offset[r], err));
    return FW_OK;
}

fw_status worker_probe(worker_group *g, const worker_probe_opts *opts, worker_probe_take take, void *context, fw_error *err)
{
    const fw_reduce *reduce = worker_group_reduce(g);
    worker_mpi_figures mpi;
    worker_facts facts = {0};
    FW_FREE void *bytes = NULL;
    FW_FREE char *all = NULL;
    FW_FREE size_t *offset = NULL;
    size_t len = 0;
    FW_TRY(worker_group_probe(g, &mpi, err));
    worker_facts_value(&facts, "rank", worker_group_rank(g));
    worker_facts_word(&facts, "host", worker_group_host(g));
    add_mpi(&facts, &mpi);
    worker_probe_process(&facts);
    if (worker_group_node_rank(g) == 0) {
        worker_probe_host(&facts);
        if (opts->path[0] != '\0') worker_probe_path(&facts, opts->path, opts->deadline_s > 0.0 ? opts->deadline_s : PATH_DEADLINE_S);
    }
    const fw_answer a = {.number = opts->number, .kind = (char *)"rank", .values = facts.values, .n_values = facts.n_values, .words = facts.words,
                         .n_words = facts.n_words};
    fw_status s = fw_answer_pack(&bytes, &len, &a, err);
    if (s == FW_OK) s = fw_alloc_zeroed((void **)&offset, (size_t)worker_group_size(g) + 1, sizeof *offset, "probe", err);
    FW_TRY(reduce->agree(reduce->context, s, err));
    FW_TRY(worker_group_gather(g, bytes, len, &all, offset, err));
    s = all != NULL ? hand_out(g, all, offset, take, context, err) : FW_OK;
    return reduce->agree(reduce->context, s, err);
}
