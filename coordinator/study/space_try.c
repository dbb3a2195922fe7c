#include "coordinator/study/space_try.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"

#define ROOM_BYTES 1500        /* of what an fw_error holds */

typedef struct trying {
    const coord_space *s;
    const fw_project *p;
    const size_t *order;
    char *data_part;           /* of the project as it is */
    double first[COORD_MAX_PARAMS];    /* a point, not masked */
    size_t tries, more;
    fw_text told;
} trying;

/* ---- a point at which parameter i is active ---- */

/** Takes away from allowed (parameters, COORD_MAX_CHOICES) what i and its ancestors exclude. */
static void restrict_to(const coord_space *s, bool (*allowed)[COORD_MAX_CHOICES], size_t i)
{
    bool needed[COORD_MAX_PARAMS] = {false};
    needed[i] = true;
    for (size_t at = i + 1; at-- > 0;) {                       /* parents stand before their children */
        for (size_t k = 0; needed[at] && k < s->param[at].n_conditions; k++) {
            const coord_condition *c = &s->param[at].condition[k];
            for (size_t j = 0; j < s->param[c->parent].n_choices; j++) allowed[c->parent][j] = allowed[c->parent][j] && c->choice[j];
            needed[c->parent] = true;
        }
    }
}

/** false: there is none. */
static bool activate(const coord_space *s, bool (*allowed)[COORD_MAX_CHOICES], size_t i, double *x)
{
    memset(allowed, true, s->n * sizeof *allowed);
    restrict_to(s, allowed, i);
    for (size_t j = 0; j < i; j++) {
        size_t k = 0;
        while (k < s->param[j].n_choices && !allowed[j][k]) k++;
        if (s->param[j].kind == COORD_PARAM_CATEGORICAL && k == s->param[j].n_choices) return false;
        if (s->param[j].kind == COORD_PARAM_CATEGORICAL && !allowed[j][(size_t)x[j]]) x[j] = (double)k;
    }
    return true;
}

/* ---- one try ---- */

static void tell(trying *t, size_t i, const char *text)
{
    const fw_space_param *param = &t->p->tune.space.v[t->order[i]];
    if (t->told.len > ROOM_BYTES) t->more++;
    else fw_text_format(&t->told, "%s%s: tune.space.%s: %s", t->told.len > 0 ? "\n" : "", param->place, param->key, text);
}

static fw_status overrides(char **list, const coord_space *s, const double *x, size_t *n, fw_error *err)
{
    for (size_t i = 0; i < s->n; i++) {
        if (isnan(x[i])) continue;
        FW_AUTO(fw_text) text = {0};
        FW_TRY(coord_param_override(&text, &s->param[i], x[i], err));
        if ((list[*n] = fw_text_take(&text)) == NULL) return fw_fail(err, FW_ERR_NOMEM, "space: a point");
        (*n)++;
    }
    return FW_OK;
}

static fw_status read_with(const trying *t, char *const *list, size_t n, fw_error *err)
{
    FW_AUTO(fw_project) *with = NULL;
    FW_FREE char *data_part = NULL;
    FW_TRY(fw_project_with(&with, t->p, (const char *const *)list, n, err));
    FW_TRY(fw_project_data_part(&data_part, with, err));
    if (strcmp(data_part, t->data_part) != 0) return fw_fail(err, FW_ERR_CONFIG, "it needs another dataset than this project has: a search goes over what is done with one");
    return FW_OK;
}

/** The parameter that the reason is about ("trial: train.momentum: has no effect ..."), and what is said of it; else i itself. */
static size_t owner(const coord_space *s, size_t i, const char **reason)
{
    static const char head[] = "trial: ";
    if (strncmp(*reason, head, sizeof head - 1) != 0) return i;
    const char *key = *reason + sizeof head - 1;
    for (size_t j = 0; j < s->n; j++) {
        const size_t len = strlen(s->param[j].name);
        if (strncmp(key, s->param[j].name, len) != 0 || strncmp(key + len, ": ", 2) != 0) continue;
        *reason = key + len + 2;
        return j;
    }
    return i;
}

/** The same of the same parameter; or the same line of another place, which many points run into. */
static bool was_told(const trying *t, size_t i, const char *line, const char *text)
{
    FW_AUTO(fw_text) whole = {0};
    fw_text_format(&whole, "tune.space.%s: %s", t->s->param[i].name, text);
    return t->told.data != NULL && ((line != NULL && strstr(t->told.data, line) != NULL) || (whole.data != NULL && strstr(t->told.data, whole.data) != NULL));
}

/** One reason is told once, however many points it spoils. */
static void tell_reason(trying *t, size_t i, double value, const char *line)
{
    FW_AUTO(fw_text) text = {0};
    const char *reason = line;
    const size_t of = owner(t->s, i, &reason);
    if (of == i && reason == line) {
        (void)coord_param_text(&text, &t->s->param[i], value, NULL);
        fw_text_add(&text, " can't be trained: ");
    }
    fw_text_format(&text, "%s%s", reason, strstr(reason, "has no effect") != NULL ? ". In a search: give the key that depends on the other a `when`" : "");
    if (text.data != NULL && !was_told(t, of, reason == line ? line : NULL, text.data)) tell(t, of, text.data);
}

/** why: the errors of a project, a line each. */
static void tell_failure(trying *t, size_t i, double value, char *why)
{
    char *rest = why;
    for (char *line = strtok_r(why, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (strncmp(line, "...", 3) != 0) tell_reason(t, i, value, line);
}

/** Parameter i at a value. x: a point at which it is active, not masked. */
static fw_status try_point(trying *t, size_t i, const double *x, double value, fw_error *err)
{
    if (++t->tries > COORD_MAX_TRIES) return FW_OK;
    double point[COORD_MAX_PARAMS];
    char *list[COORD_MAX_PARAMS];
    size_t n = 0;
    fw_error why = {0};
    memcpy(point, x, t->s->n * sizeof *point);
    point[i] = value;
    coord_space_mask(t->s, point);
    fw_status s = overrides(list, t->s, point, &n, &why);
    if (s >= 0) s = read_with(t, list, n, &why);
    while (n > 0) free(list[--n]);
    if (s == FW_ERR_NOMEM) return fw_fail(err, s, "%s", why.text);
    if (s < 0) tell_failure(t, i, value, why.text);
    return FW_OK;
}

static fw_status try_param(trying *t, size_t i, bool (*allowed)[COORD_MAX_CHOICES], fw_error *err)
{
    const coord_param *p = &t->s->param[i];
    double x[COORD_MAX_PARAMS];
    memcpy(x, t->first, t->s->n * sizeof *x);
    if (!activate(t->s, allowed, i, x)) {
        tell(t, i, "when: its conditions exclude each other: it would never be searched");
        return FW_OK;
    }
    if (p->kind != COORD_PARAM_CATEGORICAL) {
        const size_t before = t->told.len + t->more;
        FW_TRY(try_point(t, i, x, p->low, err));
        return p->high > p->low && t->told.len + t->more == before ? try_point(t, i, x, p->high, err) : FW_OK;
    }
    for (size_t k = 0; k < p->n_choices; k++) FW_TRY(try_point(t, i, x, (double)k, err));
    return FW_OK;
}

static fw_status try_all(trying *t, fw_error *err)
{
    FW_FREE bool *allowed = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&allowed, t->s->n, COORD_MAX_CHOICES * sizeof *allowed, "space: choices", err));
    for (size_t i = 0; i < t->s->n; i++) t->first[i] = t->s->param[i].kind == COORD_PARAM_CATEGORICAL ? 0 : t->s->param[i].low;
    for (size_t i = 0; i < t->s->n; i++) FW_TRY(try_param(t, i, (bool (*)[COORD_MAX_CHOICES])allowed, err));
    if (t->more > 0) fw_text_format(&t->told, "\n... and %zu more errors", t->more);
    FW_TRY(fw_text_check(&t->told, err));
    return t->told.len > 0 ? fw_fail(err, FW_ERR_CONFIG, "%s", t->told.data) : FW_OK;
}

fw_status coord_space_try(const coord_space *s, const fw_project *p, const size_t *order, fw_error *err)
{
    trying t = {.s = s, .p = p, .order = order};
    FW_TRY(fw_project_data_part(&t.data_part, p, err));
    const fw_status status = try_all(&t, err);
    free(t.data_part);
    fw_text_destroy(&t.told);
    return status;
}
