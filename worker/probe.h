/** What each rank finds of itself and its machine, and what the ranks measure together: figures and words by name, for `flywheel doctor`, which
 *  judges them. */
#ifndef WORKER_PROBE_H
#define WORKER_PROBE_H

#include "proto/command.h"
#include "worker/group.h"

typedef struct worker_probe_opts {
    uint64_t number;           /* of the order: the answers carry it */
    const char *path;          /* a file that each node should see, its name ends with the 16 bytes that it begins with; "": none */
    double deadline_s;         /* for that file; 0: 10 s */
} worker_probe_opts;

/** At rank 0, for each rank in rank order: the bytes of an answer of kind "rank". */
typedef fw_status (*worker_probe_take)(void *context, const void *bytes, size_t len, fw_error *err);

/** Collective. Names of figures and words: probe_host.c, probe_path.c, and probe.c for those of MPI. Facts of a host come from its node's first rank. */
fw_status worker_probe(worker_group *g, const worker_probe_opts *opts, worker_probe_take take, void *context, fw_error *err);

/* ---- private to probe*.c -------------------------------------------------------------------------------------------------------------- */

#define WORKER_FACTS      48
#define WORKER_FACT_WORDS 24
#define WORKER_FACT_TEXT  256

/** What was found; names are literals. More than there is room for is a mistake of ours. */
typedef struct worker_facts {
    fw_value values[WORKER_FACTS];
    size_t n_values;
    fw_word words[WORKER_FACT_WORDS];
    char text[WORKER_FACT_WORDS][WORKER_FACT_TEXT];
    size_t n_words;
} worker_facts;

void worker_facts_value(worker_facts *f, const char *name, double value);                /* not finite: left out */
void worker_facts_word(worker_facts *f, const char *name, const char *text);             /* cut to its room; "": left out */

void worker_probe_process(worker_facts *f);        /* Local: of this rank */
void worker_probe_host(worker_facts *f);           /* Local: of its host */
/** Local: whether this host sees the file, and respects the lock that its writer holds. Ends at the deadline, whatever the file system does. */
void worker_probe_path(worker_facts *f, const char *path, double deadline_s);

#endif
