/** Exact sums of gradients over the leaves of a step, whichever ranks compute them (law 1).
 *
 *  Parameters come in blocks of 1,024. Each block has an exponent e: while every leaf's |g| < 2^e, the leaves are added up as integers
 *  round(g * 2^(50 - log2 leaves - e)), first by each rank in memory that its node shares, then over the ranks, then over the nodes. The largest |g|
 *  of each block is agreed on exactly. Where it does not fit its exponent, all ranks redo the step with the exponent that fits; where it is
 *  not finite, that is an event. Exponents follow the gradients, up at once and down slowly, and depend on the data alone; they are part of a
 *  checkpoint. Once they have followed, a sum's unit is at most 2^(log2 leaves - 34) of the largest |g| of its block. */
#ifndef WORKER_SUMS_H
#define WORKER_SUMS_H

#include "worker/group.h"

#define WORKER_SUMS_BLOCK 1024

typedef struct worker_sums worker_sums;

/** Collective. n parameters, at most n_leaves leaves a step. */
fw_status worker_sums_create(worker_sums **out, worker_group *g, size_t n, size_t n_leaves, fw_error *err);
void      worker_sums_release(worker_sums **s);                      /* Collective */

/** Local: start of a step's sums; factor: what they are multiplied by when they are taken, the same at every rank; leaves: how many this rank will add
 *  (only whether it is one at most counts: its floats are then carried as they are, and become integers where they are added up). */
void worker_sums_begin(worker_sums *s, double factor, size_t leaves);
/** Local: adds n floats of one leaf's gradient at parameter `at`, each parameter of a leaf once at most. False when one of them is not finite: report it
 *  with worker_sums_flag. */
bool worker_sums_add(worker_sums *s, size_t at, const float *g, size_t n);

/** Where a run of floats may be made, to be added from there, as one run, without a copy: for parameter `at`; NULL when this rank adds several leaves. */
float *worker_sums_place(worker_sums *s, size_t at);

/** Bits that any rank may raise before the meeting and all ranks see after it. */
enum { WORKER_FLAG_STOP = 1, WORKER_FLAG_CHECKPOINT = 2, WORKER_FLAG_NOT_FINITE = 4 };
void worker_sums_flag(worker_sums *s, uint32_t flags);

/** Collective: all leaves are in. *redo: exponents were raised, do the step again. *flags: all ranks' flags together. */
fw_status worker_sums_meet(worker_sums *s, uint32_t *flags, bool *redo, double *waited_s, fw_error *err);

/** Local, after a meeting without redo: gradient sums times the factor of parameters [at, at + n) as floats. Valid until worker_sums_done. */
void worker_sums_take(const worker_sums *s, float *g, size_t at, size_t n);
/** Collective: everybody has taken what it needs; exponents move on. */
void worker_sums_done(worker_sums *s, double *waited_s);

/** The share of the parameters that this rank updates on its node: [*first, *first + *n), whole blocks. */
void worker_sums_share(const worker_sums *s, size_t *first, size_t *n);

/** The exponents, for checkpoints. */
size_t   worker_sums_n_blocks(const worker_sums *s);
int64_t *worker_sums_exponents(worker_sums *s);
uint64_t worker_sums_redone(const worker_sums *s);

#endif
