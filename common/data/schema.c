#include "common/data/schema.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/core/text.h"

#define MAX_COLUMNS 1000000u            /* a limit for files that come from elsewhere */
#define MAX_IMAGE_BYTES (1u << 28)

static const char *const TYPE_NAMES[] = {[FW_NUMBER] = "number", [FW_CATEGORY] = "category", [FW_TEXT] = "text",
                                         [FW_TIME] = "time",     [FW_IMAGE] = "image"};
enum { N_TYPES = sizeof TYPE_NAMES / sizeof *TYPE_NAMES };

fw_status fw_schema_create(fw_schema **out, size_t n_columns, fw_error *err)
{
    FW_AUTO(fw_schema) *s = calloc(1, sizeof *s);
    if (s == NULL || (s->columns = calloc(n_columns ? n_columns : 1, sizeof *s->columns)) == NULL)
        return fw_fail(err, FW_ERR_NOMEM, "schema: no memory for %zu columns", n_columns);
    s->n_columns = n_columns;
    s->target = -1;
    *out = s;
    s = NULL;
    return FW_OK;
}

void fw_schema_destroy(fw_schema **s)
{
    if (*s == NULL) return;
    for (size_t i = 0; (*s)->columns != NULL && i < (*s)->n_columns; i++) {
        free((*s)->columns[i].name);
        fw_dict_destroy(&(*s)->columns[i].dict);
    }
    free((*s)->columns);
    free(*s);
    *s = NULL;
}

fw_status fw_schema_copy(fw_schema **out, const fw_schema *s, fw_error *err)
{
    FW_AUTO(fw_schema) *copy = NULL;
    FW_TRY(fw_schema_create(&copy, s->n_columns, err));
    copy->target = s->target;
    for (size_t i = 0; i < s->n_columns; i++) {
        const fw_column *from = &s->columns[i];
        fw_column *to = &copy->columns[i];
        *to = (fw_column){.type = from->type, .inferred = from->inferred, .height = from->height, .width = from->width, .channels = from->channels};
        if (from->name != NULL) FW_TRY(fw_copy_text(&to->name, from->name, err));
        if (from->dict != NULL) FW_TRY(fw_dict_copy(&to->dict, from->dict, err));
    }
    *out = copy;
    copy = NULL;
    return FW_OK;
}

int fw_schema_find(const fw_schema *s, const char *name)
{
    for (size_t i = 0; i < s->n_columns; i++)
        if (fw_text_equal(s->columns[i].name, name)) return (int)i;
    return -1;
}

size_t fw_column_cell_bytes(const fw_column *c)
{
    switch (c->type) {
    case FW_NUMBER: return sizeof(double);
    case FW_TIME: return sizeof(int64_t);
    case FW_CATEGORY: return sizeof(int32_t);
    case FW_IMAGE: return (size_t)c->height * c->width * c->channels;
    case FW_TEXT: break;
    }
    return 0;
}

const char *fw_column_type_name(fw_column_type t)
{
    return (size_t)t < N_TYPES ? TYPE_NAMES[t] : "unknown";
}

bool fw_column_type_parse(fw_column_type *out, const char *name)
{
    for (size_t i = 0; i < N_TYPES; i++)
        if (fw_text_equal(TYPE_NAMES[i], name)) {
            *out = (fw_column_type)i;
            return true;
        }
    return false;
}

/* ---- JSON: {"target": 2, "columns": [{"name": "age", "type": "number", "inferred": true}, {..., "categories": ["a", "b"]},
 *             {..., "height": 28, "width": 28, "channels": 1}]} ---- */

static json_t *categories_to_json(const fw_dict *dict)
{
    json_t *list = json_array();
    for (size_t i = 0; list != NULL && i < fw_dict_size(dict); i++) {
        size_t len;
        const char *text = fw_dict_text(dict, (int32_t)i, &len);
        if (json_array_append_new(list, json_stringn(text, len)) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

static json_t *column_to_json(const fw_column *c)
{
    json_t *o = json_pack("{s:s, s:s, s:b}", "name", c->name ? c->name : "", "type", fw_column_type_name(c->type), "inferred", c->inferred);
    int wrong = o == NULL;
    if (!wrong && c->dict != NULL) wrong = json_object_set_new(o, "categories", categories_to_json(c->dict));
    if (!wrong && c->type == FW_IMAGE) {
        wrong = json_object_set_new(o, "height", json_integer(c->height)) | json_object_set_new(o, "width", json_integer(c->width))
              | json_object_set_new(o, "channels", json_integer(c->channels));
    }
    if (!wrong) return o;
    json_decref(o);
    return NULL;
}

/* What jansson refuses though there is memory. */
static bool is_utf8(const fw_column *c)
{
    size_t len = c->name != NULL ? strlen(c->name) : 0;
    bool good = c->name == NULL || fw_utf8_valid(c->name, len) == len;
    for (size_t i = 0; good && c->dict != NULL && i < fw_dict_size(c->dict); i++) {
        const char *text = fw_dict_text(c->dict, (int32_t)i, &len);
        good = fw_utf8_valid(text, len) == len;
    }
    return good;
}

static fw_status not_written(const fw_column *c, fw_error *err)
{
    const char *name = c->name != NULL ? c->name : "without a name";
    if (is_utf8(c)) return fw_fail(err, FW_ERR_NOMEM, "schema: no memory for the JSON of column %s", name);
    return fw_fail(err, FW_ERR_FORMAT, "schema: column %s can't be written as JSON: its name or a category is not UTF-8", name);
}

fw_status fw_schema_to_json(json_t **out, const fw_schema *s, fw_error *err)
{
    json_t *list = json_array();
    for (size_t i = 0; i < s->n_columns; i++)
        if (json_array_append_new(list, column_to_json(&s->columns[i])) != 0) {
            json_decref(list);
            return not_written(&s->columns[i], err);
        }
    json_t *o = json_pack("{s:i, s:o}", "target", s->target, "columns", list);
    if (o == NULL) return fw_fail(err, FW_ERR_NOMEM, "schema: no memory for its JSON");
    *out = o;
    return FW_OK;
}

static fw_status read_categories(fw_column *c, const json_t *list, fw_error *err)
{
    if (!json_is_array(list)) return fw_fail(err, FW_ERR_FORMAT, "schema: column %s: categories must be a list", c->name);
    FW_TRY(fw_dict_create(&c->dict, err));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *text = json_array_get(list, i);
        if (!json_is_string(text)) return fw_fail(err, FW_ERR_FORMAT, "schema: column %s: category %zu is not a text", c->name, i);
        int32_t code;
        FW_TRY(fw_dict_add(&code, c->dict, json_string_value(text), json_string_length(text), err));
        if ((size_t)code != i) return fw_fail(err, FW_ERR_FORMAT, "schema: column %s: category \"%s\" stands twice", c->name, json_string_value(text));
    }
    return FW_OK;
}

static fw_status read_extent(uint32_t *out, const fw_column *c, const json_t *o, const char *key, fw_error *err)
{
    const json_t *v = json_object_get(o, key);
    if (!json_is_integer(v) || json_integer_value(v) < 1 || json_integer_value(v) > (json_int_t)MAX_IMAGE_BYTES)
        return fw_fail(err, FW_ERR_FORMAT, "schema: column %s: %s must be an integer from 1 to %u", c->name, key, MAX_IMAGE_BYTES);
    *out = (uint32_t)json_integer_value(v);
    return FW_OK;
}

static fw_status read_shape(fw_column *c, const json_t *o, fw_error *err)
{
    FW_TRY(read_extent(&c->height, c, o, "height", err));
    FW_TRY(read_extent(&c->width, c, o, "width", err));
    FW_TRY(read_extent(&c->channels, c, o, "channels", err));
    if ((uint64_t)c->height * c->width > MAX_IMAGE_BYTES || (uint64_t)c->height * c->width * c->channels > MAX_IMAGE_BYTES)
        return fw_fail(err, FW_ERR_FORMAT, "schema: column %s: pictures of %u x %u x %u are above %u bytes", c->name, c->height, c->width, c->channels,
                       MAX_IMAGE_BYTES);
    return FW_OK;
}

static fw_status read_column(fw_schema *s, size_t i, const json_t *o, fw_error *err)
{
    fw_column *c = &s->columns[i];
    const json_t *name = json_object_get(o, "name"), *categories = json_object_get(o, "categories");
    const char *type = json_string_value(json_object_get(o, "type"));
    if (!json_is_string(name) || json_string_length(name) == 0 || strlen(json_string_value(name)) != json_string_length(name))
        return fw_fail(err, FW_ERR_FORMAT, "schema: column %zu has no name", i);
    FW_TRY(fw_copy_text(&c->name, json_string_value(name), err));
    if (type == NULL || !fw_column_type_parse(&c->type, type))
        return fw_fail(err, FW_ERR_FORMAT, "schema: column %s: type \"%s\" is unknown", c->name, type ? type : "");
    if (!json_is_boolean(json_object_get(o, "inferred"))) return fw_fail(err, FW_ERR_FORMAT, "schema: column %s: inferred must be true or false", c->name);
    c->inferred = json_is_true(json_object_get(o, "inferred"));
    if (categories != NULL && c->type != FW_CATEGORY) return fw_fail(err, FW_ERR_FORMAT, "schema: column %s: only a category has categories", c->name);
    if (c->type == FW_CATEGORY) FW_TRY(read_categories(c, categories, err));
    return c->type == FW_IMAGE ? read_shape(c, o, err) : FW_OK;
}

/** Names once each: through a dictionary, since n_columns comes from outside. */
static fw_status check_names(const fw_schema *s, fw_error *err)
{
    FW_AUTO(fw_dict) *names = NULL;
    FW_TRY(fw_dict_create(&names, err));
    for (size_t i = 0; i < s->n_columns; i++) {
        int32_t code;
        FW_TRY(fw_dict_add(&code, names, s->columns[i].name, strlen(s->columns[i].name), err));
        if ((size_t)code != i) return fw_fail(err, FW_ERR_FORMAT, "schema: column %s stands twice", s->columns[i].name);
    }
    return FW_OK;
}

fw_status fw_schema_from_json(fw_schema **out, const json_t *j, fw_error *err)
{
    const json_t *list = json_object_get(j, "columns"), *target = json_object_get(j, "target");
    size_t n = json_array_size(list);
    if (!json_is_array(list) || n > MAX_COLUMNS) return fw_fail(err, FW_ERR_FORMAT, "schema: columns must be a list of at most %u", MAX_COLUMNS);
    if (!json_is_integer(target) || json_integer_value(target) < -1 || json_integer_value(target) >= (json_int_t)n)
        return fw_fail(err, FW_ERR_FORMAT, "schema: target must be -1 or the index of one of %zu columns", n);
    FW_AUTO(fw_schema) *s = NULL;
    FW_TRY(fw_schema_create(&s, n, err));
    s->target = (int)json_integer_value(target);
    for (size_t i = 0; i < n; i++) FW_TRY(read_column(s, i, json_array_get(list, i), err));
    FW_TRY(check_names(s, err));
    *out = s;
    s = NULL;
    return FW_OK;
}
