/** Spaces built by hand, for tests and benches of samplers: add the parameters in turn, each condition behind its parameter. */
#ifndef TESTS_UNIT_STUDY_SPACE_H
#define TESTS_UNIT_STUDY_SPACE_H

#include <stdint.h>
#include <string.h>

#include "coordinator/study/space.h"

#define STUDY_SPACE_CHOICES 64

typedef struct study_space {
    coord_space space;             /* points into this struct: not to be copied */
    coord_param param[COORD_MAX_PARAMS];
    coord_condition condition[COORD_MAX_PARAMS];
    bool  allowed[COORD_MAX_PARAMS][STUDY_SPACE_CHOICES];
    char  name[COORD_MAX_PARAMS][8];
    char  index[STUDY_SPACE_CHOICES][8];
    char *choice[STUDY_SPACE_CHOICES];
} study_space;

static inline coord_param *study_space_add(study_space *s, coord_param p)
{
    const size_t i = s->space.n++;
    s->space.param = s->param;
    p.name = s->name[i];
    s->name[i][0] = 'x';
    s->name[i][1] = (char)('0' + i / 10);
    s->name[i][2] = (char)('0' + i % 10);
    s->param[i] = p;
    return &s->param[i];
}

static inline void study_space_float(study_space *s, double low, double high, bool log)
{
    (void)study_space_add(s, (coord_param){.kind = COORD_PARAM_FLOAT, .low = low, .high = high, .log = log});
}

static inline void study_space_step(study_space *s, double low, double high, double step)
{
    (void)study_space_add(s, (coord_param){.kind = COORD_PARAM_FLOAT, .low = low, .high = high, .step = step});
}

static inline void study_space_int(study_space *s, double low, double high, bool log)
{
    (void)study_space_add(s, (coord_param){.kind = COORD_PARAM_INT, .low = low, .high = high, .step = 1, .log = log});
}

/** n choices, named 0, 1, ... */
static inline void study_space_choices(study_space *s, size_t n)
{
    for (size_t c = 0; c < n; c++) {
        s->index[c][0] = (char)('0' + c / 10);
        s->index[c][1] = (char)('0' + c % 10);
        s->choice[c] = s->index[c];
    }
    (void)study_space_add(s, (coord_param){.kind = COORD_PARAM_CATEGORICAL, .choice = s->choice, .n_choices = n});
}

/** The last parameter is active when `parent` has one of the choices in the bits of `choices`. */
static inline void study_space_when(study_space *s, size_t parent, uint64_t choices)
{
    const size_t i = s->space.n - 1;
    for (size_t c = 0; c < s->param[parent].n_choices; c++) s->allowed[i][c] = choices >> c & 1u;
    s->condition[i] = (coord_condition){.parent = parent, .choice = s->allowed[i]};
    s->param[i].condition = &s->condition[i];
    s->param[i].n_conditions = 1;
}

#endif
