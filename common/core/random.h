/** Counter-based randomness: a number depends on what it is for and where it stands, never on who asks or when.
 *  Philox4x32-10 (Salmon et al., SC'11). Key = (seed, purpose); counter = (epoch, row, place). */
#ifndef FW_CORE_RANDOM_H
#define FW_CORE_RANDOM_H

#include <stdint.h>

typedef enum fw_purpose {
    FW_RANDOM_SPLIT = 1, FW_RANDOM_FILE_ORDER, FW_RANDOM_EPOCH_ORDER, FW_RANDOM_INIT, FW_RANDOM_DROPOUT,
    FW_RANDOM_EXAMPLE, FW_RANDOM_SAMPLE_ROWS, FW_RANDOM_TEST, FW_RANDOM_SAMPLER, FW_RANDOM_FOLD, FW_RANDOM_IMPORTANCE
} fw_purpose;

typedef struct fw_philox { uint32_t word[4]; } fw_philox;

/** Four 32-bit words for one counter. `place`: unit, parameter or column. Pure. */
fw_philox fw_random(uint64_t seed, fw_purpose purpose, uint32_t epoch, uint64_t row, uint32_t place);

double fw_random_unit(fw_philox r);              /* [0, 1), 53 bits, from words 0 and 1 */
double fw_random_unit2(fw_philox r);             /* a second, independent one, from words 2 and 3 */
double fw_random_normal(fw_philox r);            /* N(0, 1), Box-Muller on both; libm: not for the training path */

/** A pseudo-random permutation of 0..n-1 with random access (8-round Feistel network with cycle walking).
 *  Depends on (seed, purpose, epoch, n) alone. */
typedef struct fw_permutation { uint64_t n; uint32_t half_bits; uint32_t key[8]; } fw_permutation;

fw_permutation fw_permutation_make(uint64_t seed, fw_purpose purpose, uint32_t epoch, uint64_t n);
uint64_t       fw_permutation_at(const fw_permutation *p, uint64_t i);       /* i < n */
uint64_t       fw_permutation_inverse(const fw_permutation *p, uint64_t y);  /* y < n */

#endif
