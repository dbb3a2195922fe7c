/** TARGETS for the kernels of this folder: common/core/targets.h. */
#ifndef WORKER_KERNELS_TARGETS_H
#define WORKER_KERNELS_TARGETS_H

#include "common/core/targets.h"

#define TARGETS FW_TARGETS

#endif
