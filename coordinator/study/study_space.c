/* The space as it stands in the first line of a journal, so that a study can be read without its project. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/study/study_parts.h"

static const char *const kinds[] = {"float", "int", "categorical"};

/* ---- to JSON -------------------------------------------------------------------------------------------------------------------------------- */

static json_t *conditions_json(const coord_space *s, const coord_param *p)
{
    json_t *all = json_array();
    for (size_t c = 0; c < p->n_conditions; c++) {
        const coord_condition *when = &p->condition[c];
        json_t *choices = json_array();
        for (size_t i = 0; i < s->param[when->parent].n_choices; i++)
            if (when->choice[i]) json_array_append_new(choices, json_integer((json_int_t)i));
        json_array_append_new(all, json_pack("{s:I, s:o}", "parent", (json_int_t)when->parent, "choices", choices));
    }
    return all;
}

static json_t *param_json(const coord_space *s, const coord_param *p)
{
    json_t *j = json_pack("{s:s, s:s}", "name", p->name, "kind", kinds[p->kind]);
    if (p->kind == COORD_PARAM_CATEGORICAL) {
        json_t *choices = json_array();
        for (size_t i = 0; i < p->n_choices; i++) json_array_append_new(choices, json_string(p->choice[i]));
        json_object_set_new(j, "choices", choices);
    } else {
        json_object_set_new(j, "low", json_real(p->low));
        json_object_set_new(j, "high", json_real(p->high));
        json_object_set_new(j, "step", json_real(p->step));
        json_object_set_new(j, "log", json_boolean(p->log));
    }
    if (p->n_conditions > 0) json_object_set_new(j, "when", conditions_json(s, p));
    return j;
}

json_t *coord_space_json(const coord_space *s)
{
    json_t *all = json_array();
    for (size_t i = 0; i < s->n; i++) json_array_append_new(all, param_json(s, &s->param[i]));
    return json_array_size(all) == s->n ? all : (json_decref(all), NULL);
}

/* ---- from JSON ------------------------------------------------------------------------------------------------------------------------------ */

static fw_status wrong(const char *what, fw_error *err) { return fw_fail(err, FW_ERR_FORMAT, "the space: %s", what); }

static fw_status parse_choices(coord_param *p, const json_t *json, fw_error *err)
{
    const size_t n = json_array_size(json);
    if (n == 0 || n > COORD_MAX_CHOICES) return wrong("a number of choices", err);
    FW_TRY(fw_alloc_zeroed((void **)&p->choice, n, sizeof *p->choice, "choices", err));
    for (; p->n_choices < n; p->n_choices++) {
        const char *text = json_string_value(json_array_get(json, p->n_choices));
        if (text == NULL) return wrong("a choice that is no text", err);
        FW_TRY(fw_copy_text(&p->choice[p->n_choices], text, err));
    }
    return FW_OK;
}

static fw_status parse_condition(const coord_space *s, size_t of, coord_condition *when, const json_t *json, fw_error *err)
{
    const json_t *parent = json_object_get(json, "parent"), *choices = json_object_get(json, "choices"), *choice;
    size_t i;
    if (!json_is_integer(parent) || (size_t)json_integer_value(parent) >= of) return wrong("a parent that does not stand before", err);
    when->parent = (size_t)json_integer_value(parent);
    if (s->param[when->parent].kind != COORD_PARAM_CATEGORICAL || !json_is_array(choices)) return wrong("a condition on what has no choices", err);
    const size_t n = s->param[when->parent].n_choices;
    FW_TRY(fw_alloc_zeroed((void **)&when->choice, n, sizeof *when->choice, "a condition", err));
    json_array_foreach((json_t *)(uintptr_t)choices, i, choice) {
        if (!json_is_integer(choice) || (size_t)json_integer_value(choice) >= n) return wrong("a condition on a choice that is not there", err);
        when->choice[json_integer_value(choice)] = true;
    }
    return FW_OK;
}

static fw_status parse_conditions(const coord_space *s, size_t of, const json_t *json, fw_error *err)
{
    coord_param *p = &s->param[of];
    const size_t n = json_array_size(json);
    if (n > COORD_MAX_PARAMS) return wrong("a number of conditions", err);
    FW_TRY(fw_alloc_zeroed((void **)&p->condition, n, sizeof *p->condition, "conditions", err));
    for (; p->n_conditions < n; p->n_conditions++) {
        coord_condition *when = &p->condition[p->n_conditions];
        const fw_status status = parse_condition(s, of, when, json_array_get(json, p->n_conditions), err);
        if (status == FW_OK) continue;
        free(when->choice);
        return status;
    }
    return FW_OK;
}

static fw_status parse_range(coord_param *p, const json_t *json, fw_error *err)
{
    const json_t *low = json_object_get(json, "low"), *high = json_object_get(json, "high"), *step = json_object_get(json, "step");
    p->low = json_number_value(low);
    p->high = json_number_value(high);
    p->step = json_number_value(step);
    p->log = json_is_true(json_object_get(json, "log"));
    const bool good = json_is_number(low) && json_is_number(high) && json_is_number(step) && p->low <= p->high && p->step >= 0 && (!p->log || p->low > 0);
    return good ? FW_OK : wrong("a range", err);
}

static fw_status parse_param(const coord_space *s, size_t i, const json_t *json, fw_error *err)
{
    coord_param *p = &s->param[i];
    const char *name = json_string_value(json_object_get(json, "name")), *kind = json_string_value(json_object_get(json, "kind"));
    size_t k = 0;
    while (k < 3 && !fw_text_equal(kind, kinds[k])) k++;
    if (name == NULL || k == 3) return wrong("a parameter without name or kind", err);
    p->kind = (coord_param_kind)k;
    FW_TRY(fw_copy_text(&p->name, name, err));
    FW_TRY(p->kind == COORD_PARAM_CATEGORICAL ? parse_choices(p, json_object_get(json, "choices"), err) : parse_range(p, json, err));
    return parse_conditions(s, i, json_object_get(json, "when"), err);
}

fw_status coord_space_parse(coord_space **out, const json_t *json, fw_error *err)
{
    coord_space *s = NULL;
    const size_t n = json_array_size(json);
    if (n == 0 || n > COORD_MAX_PARAMS) return wrong("a number of parameters", err);
    FW_TRY(fw_alloc_zeroed((void **)&s, 1, sizeof *s, "space", err));
    fw_status status = fw_alloc_zeroed((void **)&s->param, n, sizeof *s->param, "space", err);
    for (; status == FW_OK && s->n < n; s->n++) {
        status = parse_param(s, s->n, json_array_get(json, s->n), err);
        if (status != FW_OK) s->n++;           /* what is there of it goes with the rest */
        if (status != FW_OK) break;
    }
    if (status == FW_OK) *out = s;
    else coord_space_destroy(&s);
    return status;
}
