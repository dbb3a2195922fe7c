/** Features that are bytes / 255, as those of pictures are (common/features/image.c): a quarter of the memory, the same bits. */
#ifndef WORKER_KERNELS_BYTES_H
#define WORKER_KERNELS_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** x (n) = b / 255, rounded once: (float)((double)b / 255.0). Cost  about a copy. */
void worker_bytes_to_features(float *restrict x, const uint8_t *restrict b, size_t n);

/** The way back: b (n) from x (n). False when a feature is no byte / 255; b is then unspecified. */
bool worker_bytes_of_features(uint8_t *restrict b, const float *restrict x, size_t n);

#endif
