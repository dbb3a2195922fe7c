#include "common/features/transforms.h"

#include <string.h>

/* The transforms. One line each. */
static const fw_transform *const TRANSFORMS[] = {
    &fw_transform_number,
    &fw_transform_category,
    &fw_transform_image,
};

enum { N_TRANSFORMS = sizeof TRANSFORMS / sizeof *TRANSFORMS };

const fw_transform *fw_transform_for(fw_column_type type)
{
    for (size_t i = 0; i < N_TRANSFORMS; i++)
        if (TRANSFORMS[i]->reads == type) return TRANSFORMS[i];
    return NULL;
}

const fw_transform *fw_transform_find(const char *name)
{
    for (size_t i = 0; i < N_TRANSFORMS; i++)
        if (strcmp(TRANSFORMS[i]->name, name) == 0) return TRANSFORMS[i];
    return NULL;
}

int fw_word_index(const char *word, const char *const *words)
{
    for (int i = 0; words[i] != NULL; i++)
        if (strcmp(word, words[i]) == 0) return i;
    return -1;
}
