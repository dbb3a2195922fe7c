#include <stddef.h>
#include <string.h>

#include "worker/learners/learner.h"

/* The table of learners. */
static const worker_learner_kind *const kinds[] = {&worker_learner_linear, &worker_learner_mlp};

const worker_learner_kind *worker_learner_find(const char *name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i]->name, name) == 0) return kinds[i];
    return NULL;
}
