/* The first line of a journal: what shapes the decisions, in clear; and what shapes the models, as text. */
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "coordinator/study/study_parts.h"

#define MAX_NAMED 12               /* differences that are told */

/* ---- from JSON ------------------------------------------------------------------------------------------------------------------------------ */

static fw_status wrong(const char *key, fw_error *err) { return fw_fail(err, FW_ERR_FORMAT, "the settings: \"%s\" is missing, or is not what it should be", key); }

/* A dot leads into an object. */
static const json_t *value_at(const json_t *json, const char *key)
{
    const char *dot = strchr(key, '.');
    if (dot == NULL) return json_object_get(json, key);
    char section[32];
    const size_t len = FW_MIN((size_t)(dot - key), sizeof section - 1);
    memcpy(section, key, len);
    section[len] = '\0';
    return json_object_get(json_object_get(json, section), dot + 1);
}

static fw_status text_at(char **out, const json_t *json, const char *key, fw_error *err)
{
    const char *text = json_string_value(value_at(json, key));
    return text != NULL ? fw_copy_text(out, text, err) : wrong(key, err);
}

static fw_status whole_at(uint64_t *out, const json_t *json, const char *key, fw_error *err)
{
    const json_t *v = value_at(json, key);
    *out = (uint64_t)json_integer_value(v);
    return json_is_integer(v) ? FW_OK : wrong(key, err);
}

static fw_status count_at(uint64_t *out, const json_t *json, const char *key, uint64_t least, uint64_t most, fw_error *err)
{
    FW_TRY(whole_at(out, json, key, err));
    return *out >= least && *out <= most ? FW_OK : wrong(key, err);
}

static fw_status double_at(double *out, const json_t *json, const char *key, fw_error *err)
{
    const json_t *v = value_at(json, key);
    *out = json_number_value(v);
    return json_is_number(v) ? FW_OK : wrong(key, err);
}

static fw_status bool_at(bool *out, const json_t *json, const char *key, fw_error *err)
{
    const json_t *v = value_at(json, key);
    *out = json_is_true(v);
    return json_is_boolean(v) ? FW_OK : wrong(key, err);
}

static fw_status parse_sampler(coord_settings *out, const json_t *json, fw_error *err)
{
    coord_sampler_opts *o = &out->sampler;
    FW_TRY(text_at(&out->sampler_name, json, "sampler.name", err));
    FW_TRY(count_at(&o->startup_trials, json, "sampler.startup_trials", 0, COORD_MAX_TRIALS, err));
    FW_TRY(bool_at(&o->univariate, json, "sampler.univariate", err));
    FW_TRY(whole_at(&o->seed, json, "seed", err));
    o->trials = out->trials;
    o->parallel = out->slots;
    o->rounds = out->max_rounds;
    o->pruned = !fw_text_equal(out->pruner_name, "none");
    return FW_OK;
}

static fw_status parse_pruner(coord_settings *out, const json_t *json, fw_error *err)
{
    coord_pruner_opts *o = &out->pruner;
    FW_TRY(text_at(&out->pruner_name, json, "pruner.name", err));
    FW_TRY(count_at(&o->min_rounds, json, "pruner.min_rounds", 1, COORD_MAX_ROUNDS, err));
    FW_TRY(double_at(&o->reduction_factor, json, "pruner.reduction_factor", err));
    FW_TRY(count_at(&o->startup_trials, json, "pruner.startup_trials", 0, COORD_MAX_TRIALS, err));
    FW_TRY(double_at(&o->percentile, json, "pruner.percentile", err));
    FW_TRY(count_at(&o->keep, json, "pruner.keep", 0, COORD_MAX_TRIALS, err));
    o->trials = out->trials;
    o->max_rounds = out->max_rounds;
    return FW_OK;
}

fw_status coord_settings_parse(coord_settings *out, const json_t *json, fw_error *err)
{
    uint64_t format, slots;
    FW_TRY(count_at(&format, json, "format", 1, INT64_MAX, err));
    if (format != COORD_STUDY_FORMAT) return fw_fail(err, FW_ERR_FORMAT, "the study is of format %llu, this program reads %d", (unsigned long long)format, COORD_STUDY_FORMAT);
    FW_TRY(bool_at(&out->lockstep, json, "lockstep", err));
    FW_TRY(count_at(&slots, json, "slots", 1, out->lockstep ? COORD_MAX_LOCKSTEP : COORD_MAX_SLOTS, err));
    out->slots = (uint32_t)slots;
    FW_TRY(count_at(&out->trials, json, "trials", 1, COORD_MAX_TRIALS, err));
    FW_TRY(count_at(&out->max_failed, json, "max_failed_trials", 0, INT64_MAX, err));
    FW_TRY(count_at(&out->max_rounds, json, "max_rounds", 1, COORD_MAX_ROUNDS, err));
    FW_TRY(text_at(&out->metric, json, "objective.metric", err));
    const char *direction = json_string_value(value_at(json, "objective.direction"));
    out->maximize = fw_text_equal(direction, "maximize");
    if (!out->maximize && !fw_text_equal(direction, "minimize")) return wrong("objective.direction", err);
    FW_TRY(coord_space_parse(&out->space, json_object_get(json, "space"), err));
    FW_TRY(parse_pruner(out, json, err));
    return parse_sampler(out, json, err);
}

void coord_settings_clear(coord_settings *s)
{
    coord_space_destroy(&s->space);
    free(s->metric);
    free(s->sampler_name);
    free(s->pruner_name);
    *s = (coord_settings){0};
}

/* ---- what differs -------------------------------------------------------------------------------------------------------------------------- */

typedef struct differences { fw_text text; size_t n; } differences;

static void differ(differences *d, const char *key, const char *was, const char *is)
{
    if (++d->n > MAX_NAMED) return;
    fw_text_format(&d->text, "\n  %s: %.100s in the study, %.100s now", key, was, is);
}

static void differ_json(differences *d, const char *key, const json_t *was, const json_t *is)
{
    FW_FREE char *a = was != NULL ? json_dumps(was, JSON_COMPACT | JSON_ENCODE_ANY) : NULL, *b = is != NULL ? json_dumps(is, JSON_COMPACT | JSON_ENCODE_ANY) : NULL;
    differ(d, key, a != NULL ? a : "nothing", b != NULL ? b : "nothing");
}

/* ---- the text of the project: lines "key: value", two blanks for each level ---- */

typedef struct yaml_line { const char *at; size_t len; } yaml_line;      /* at NULL: the end */

static yaml_line line_at(const char *text)
{
    return text == NULL || *text == '\0' ? (yaml_line){0} : (yaml_line){text, strcspn(text, "\n")};
}

static yaml_line next_line(yaml_line l) { return line_at(l.at[l.len] == '\n' ? l.at + l.len + 1 : NULL); }

/* Brings the path of the section to the line's depth and puts its key behind it. Returns the value. */
static const char *enter_line(fw_text *path, yaml_line l, size_t *len)
{
    const size_t indent = strspn(l.at, " ");
    const char *colon = memchr(l.at, ':', l.len);
    const size_t key_end = colon != NULL ? (size_t)(colon - l.at) : l.len;
    size_t keep = 0;
    for (size_t depth = indent / 2; depth > 0 && keep < path->len; keep++)
        if (path->data[keep] == '\n') depth--;
    path->len = keep;
    if (key_end > indent) fw_text_add_bytes(path, l.at + indent, key_end - indent);
    fw_text_add(path, "\n");
    const size_t from = FW_MIN(key_end + 2, l.len);
    *len = l.len - from;
    return l.at + from;
}

/* One key a line is "a.b.c=value", in the order of the text. */
static json_t *flat(const char *yaml)
{
    FW_AUTO(fw_text) path = {0};
    json_t *all = json_object();
    for (yaml_line l = line_at(yaml); l.at != NULL; l = next_line(l)) {
        size_t len;
        const char *value = enter_line(&path, l, &len);
        if (len == 0 || path.failed) continue;
        FW_FREE char *key = strndup(path.data, path.len - 1);
        for (char *c = key; c != NULL && *c != '\0'; c++)
            if (*c == '\n') *c = '.';
        if (key != NULL) json_object_set_new(all, key, json_stringn(value, len));
    }
    return all;
}

static void compare_texts(differences *d, const char *was, const char *is)
{
    if (fw_text_equal(was, is)) return;
    json_t *a = flat(was), *b = flat(is), *v;
    const char *key;
    const size_t before = d->n;
    json_object_foreach(a, key, v) {
        const json_t *now = json_object_get(b, key);
        if (!json_equal(v, now)) differ(d, key, json_string_value(v), now != NULL ? json_string_value(now) : "nothing");
    }
    json_object_foreach(b, key, v)
        if (json_object_get(a, key) == NULL) differ(d, key, "nothing", json_string_value(v));
    if (d->n == before) differ(d, "the project", "one text", "another");
    json_decref(a);
    json_decref(b);
}

/* ---- the objects ---- */

static bool may_differ(const json_t *journal, const json_t *now, const char *key)
{
    static const char *const free_keys[] = {"time", "event", "version", "max_failed_trials"};
    for (size_t i = 0; i < sizeof free_keys / sizeof *free_keys; i++)
        if (strcmp(key, free_keys[i]) == 0) return true;
    if (strcmp(key, "slots") == 0) return !json_is_true(json_object_get(journal, "lockstep"));
    return strcmp(key, "trials") == 0 && json_integer_value(json_object_get(now, key)) >= json_integer_value(json_object_get(journal, key));
}

static void compare_objects(differences *d, const char *path, const json_t *was, const json_t *is);

static void compare_values(differences *d, const char *path, const char *key, const json_t *was, const json_t *is)
{
    FW_AUTO(fw_text) whole = {0};
    fw_text_format(&whole, "%s%s%s", path, path[0] != '\0' ? "." : "", key);
    if (whole.failed || json_equal(was, is)) return;
    if (json_is_object(was) && json_is_object(is)) compare_objects(d, whole.data, was, is);
    else if (strcmp(whole.data, "model") == 0) compare_texts(d, json_string_value(was), json_string_value(is));
    else differ_json(d, whole.data, was, is);
}

static void compare_objects(differences *d, const char *path, const json_t *was, const json_t *is)
{
    const char *key;
    json_t *v;
    json_object_foreach((json_t *)(uintptr_t)was, key, v)
        if (path[0] != '\0' || !may_differ(was, is, key)) compare_values(d, path, key, v, json_object_get(is, key));
    json_object_foreach((json_t *)(uintptr_t)is, key, v)
        if (json_object_get(was, key) == NULL && (path[0] != '\0' || !may_differ(was, is, key))) compare_values(d, path, key, NULL, v);
}

/* Parameters by their names. */
static json_t *by_name(const json_t *settings)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)settings), *space = json_object(), *param;
    size_t i;
    json_array_foreach(json_object_get(settings, "space"), i, param) {
        const char *name = json_string_value(json_object_get(param, "name"));
        if (name != NULL) json_object_set(space, name, param);
    }
    json_object_set_new(copy, "space", space);
    return copy;
}

fw_status coord_settings_same(const json_t *journal, const json_t *now, const char *dir, fw_error *err)
{
    differences d = {0};
    json_t *a = by_name(journal), *b = by_name(now);
    d.text.failed = a == NULL || b == NULL;
    compare_objects(&d, "", a, b);
    if (d.n == 0 && !json_equal(json_object_get(journal, "space"), json_object_get(now, "space"))) differ(&d, "space", "one order of the parameters", "another one");
    json_decref(a);
    json_decref(b);
    FW_AUTO(fw_text) text = d.text;
    if (d.n == 0) return fw_text_check(&text, err);
    if (d.n > MAX_NAMED) fw_text_format(&text, "\n  and %zu more", d.n - MAX_NAMED);
    return fw_fail(err, FW_ERR_CONFIG, "%s: the study there is of another project or of other settings; go on with those it began with, or take another folder with -o:%s", dir,
                   text.data != NULL ? text.data : "");
}
