/** What `flywheel doctor` looks at and what it found. Facts come from the ranks (the order `probe`), from a folder that is tried out, and from this
 *  process; each check in checks.c turns some of them into one finding. Judges only: it changes nothing and starts nothing. */
#ifndef COORD_DOCTOR_DOCTOR_H
#define COORD_DOCTOR_DOCTOR_H

#include <jansson.h>
#include <stdio.h>

#include "common/core/text.h"
#include "common/project/project.h"
#include "coordinator/doctor/folder.h"
#include "proto/command.h"

/** Rows of the dataset as training holds them; all 0: there is no dataset yet. */
typedef struct coord_need { uint64_t rows, features, memory_bytes, disk_bytes; } coord_need;

/** What one rank found; `before` is the rank of the same host that comes before it, or its own number. */
typedef struct coord_rank { fw_answer *facts; size_t host, before; } coord_rank;

/** A host and its ranks. Processors that they may use together: lists are equal or disjoint under every launcher's binding. */
typedef struct coord_host {
    const char *name;
    size_t first, last;                /* of its ranks */
    int ranks, cpus, cores, online;    /* cores: hyper-threads of one count once; 0: not known */
    bool shared;                       /* two ranks have the same list: these */
    size_t sharing[2];
} coord_host;

typedef struct coord_doctor {
    coord_rank *rank;                  /* n_ranks, in rank order */
    coord_host *host;                  /* n_hosts, in the order of their first ranks */
    size_t n_ranks, n_hosts, n_nodes, rank_room, host_room;      /* nodes: what shares memory; as many as hosts, but in tests */
    const char *libraries;             /* "MPI 3.1, HDF5 1.10.8, ..." */
    const char *project_path;          /* NULL: none was given */
    const fw_project *project;         /* NULL: none was given */
    coord_need need;
    const char *need_error;            /* the dataset can't be read: why; NULL: it can, or is not there */
    coord_folder folder;               /* the folder of runs, tried out */
    bool supervises;                   /* `flywheel train --ranks` is there */
} coord_doctor;

/** Takes over one rank's answer, but on failure. Ranks come in their order. FW_ERR_FORMAT: not such an answer. */
fw_status coord_doctor_add_rank(coord_doctor *d, fw_answer *a, fw_error *err);
void      coord_doctor_release(coord_doctor *d);

/** What training holds of a dataset that is there; without one *out is all zero. */
fw_status coord_need_of(coord_need *out, const fw_project *p, fw_error *err);

/* ---- facts ------------------------------------------------------------------------------------------------------------------------------ */

double      coord_fact(const coord_doctor *d, size_t rank, const char *name);            /* NaN: not known */
const char *coord_fact_word(const coord_doctor *d, size_t rank, const char *name);       /* "": not known */
/** The first rank whose word differs from rank 0's; n_ranks: none. */
size_t      coord_fact_odd_one(const coord_doctor *d, const char *name);
/** A figure that a host's first rank tells; NaN: not known. */
double      coord_host_fact(const coord_doctor *d, size_t host, const char *name);
const char *coord_host_word(const coord_doctor *d, size_t host, const char *name);

/* ---- findings --------------------------------------------------------------------------------------------------------------------------- */

typedef enum coord_verdict { COORD_GOOD, COORD_NOTE, COORD_WARN, COORD_FAIL, COORD_N_VERDICTS } coord_verdict;
const char *coord_verdict_name(coord_verdict v);       /* "ok", "note", "warn", "fail" */

/** One line: what was found, whether that is good, and what to do. An empty value: nothing to say, no line. */
typedef struct coord_finding {
    coord_verdict verdict;
    fw_text value, remedy;
    json_t *figures;                   /* an object, or NULL */
} coord_finding;

/** The verdict becomes the worse of the two; texts are joined with "; ". */
void coord_found(coord_finding *f, coord_verdict v, const char *format, ...) __attribute__((format(printf, 3, 4)));
void coord_advise(coord_finding *f, const char *format, ...) __attribute__((format(printf, 2, 3)));
void coord_figure_of(coord_finding *f, const char *name, double value);       /* not finite: left out */
void coord_finding_release(coord_finding *f);

typedef struct coord_check { const char *group, *name; void (*look)(coord_finding *f, const coord_doctor *d); } coord_check;
extern const coord_check coord_checks[];               /* checks.c; ends with a NULL name */

/** The line to start training with here; malloc'ed by the text. */
void coord_launch_mpirun(fw_text *out, const coord_doctor *d);
void coord_launch_srun(fw_text *out, const coord_doctor *d);
void coord_launch_supervised(fw_text *out, const coord_doctor *d);

/** Sizes and times for people: "1.5 GiB", "3.2 us". */
#define COORD_SAID 32
void coord_say_bytes(char out[static COORD_SAID], double bytes);
void coord_say_seconds(char out[static COORD_SAID], double seconds);

/** Everything, as text of that width or as one JSON object; *fails names the checks that fail ("locks, space"), "" when none does. */
fw_status coord_doctor_show(FILE *out, const coord_doctor *d, size_t width, bool colour, fw_text *fails, fw_error *err);
fw_status coord_doctor_json(FILE *out, const coord_doctor *d, fw_text *fails, fw_error *err);

#endif
