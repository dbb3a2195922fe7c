/** Losses in order: heaps, and a set that is kept cut into its k best and the rest. No scans: O(log n) for each that is added. */
#ifndef COORD_STUDY_PRUNERS_RANKING_H
#define COORD_STUDY_PRUNERS_RANKING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/status.h"

/** A trial with its loss; NaN was made +inf. Ties go to the lower number. */
typedef struct coord_ranked { double loss; uint64_t trial; } coord_ranked;

bool coord_ranked_before(coord_ranked a, coord_ranked b);      /* a is better */

/** Binary heap with the best on top, or the worst. Zero-initialise but for `worst`; the owner frees v. */
typedef struct coord_heap { coord_ranked *v; size_t n, capacity; bool worst; } coord_heap;

fw_status    coord_heap_push(coord_heap *h, coord_ranked r, fw_error *err);
coord_ranked coord_heap_pop(coord_heap *h);                    /* n > 0 */

/** Cut into the `best.n` best, the worst of them on top, and the rest, the best of them on top. */
typedef struct coord_cut { coord_heap best, rest; } coord_cut;

void      coord_cut_init(coord_cut *c);
void      coord_cut_release(coord_cut *c);
/** Adds one, after which k are the best; k never falls, and grows by one at most. On error unchanged. */
fw_status coord_cut_add(coord_cut *c, coord_ranked r, size_t k, fw_error *err);
size_t    coord_cut_size(const coord_cut *c);
bool      coord_cut_has_best(const coord_cut *c, coord_ranked r);      /* of one that was added: is it among the k best? */

#endif
