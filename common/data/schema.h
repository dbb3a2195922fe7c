/** What the columns of a dataset are: name, type, dictionary. The order of columns is the order in the file. */
#ifndef FW_DATA_SCHEMA_H
#define FW_DATA_SCHEMA_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/core/dict.h"
#include "common/core/status.h"

typedef enum fw_column_type { FW_NUMBER, FW_CATEGORY, FW_TEXT, FW_TIME, FW_IMAGE } fw_column_type;

typedef struct fw_column {
    char *name;
    fw_column_type type;
    bool inferred;                     /* the type was not declared but found */
    fw_dict *dict;                     /* FW_CATEGORY: code -> text, bytewise ascending; else NULL */
    uint32_t height, width, channels;  /* FW_IMAGE: unsigned bytes, row-major, channels last */
} fw_column;

typedef struct fw_schema {
    fw_column *columns;
    size_t n_columns;
    int target;                        /* index, or -1 (a table to score without truth) */
} fw_schema;

fw_status fw_schema_create(fw_schema **out, size_t n_columns, fw_error *err);     /* zeroed columns, target -1 */
void      fw_schema_destroy(fw_schema **s);
fw_status fw_schema_copy(fw_schema **out, const fw_schema *s, fw_error *err);
int       fw_schema_find(const fw_schema *s, const char *name);                   /* -1: no such column */
size_t    fw_column_cell_bytes(const fw_column *c);        /* number, time 8; category 4; image h*w*c; text 0 (it varies) */

const char *fw_column_type_name(fw_column_type t);                                /* "number", ... */
bool        fw_column_type_parse(fw_column_type *out, const char *name);

/** Exact round trip. On error nothing is written. */
fw_status fw_schema_to_json(json_t **out, const fw_schema *s, fw_error *err);
fw_status fw_schema_from_json(fw_schema **out, const json_t *j, fw_error *err);   /* validates: FW_ERR_FORMAT */

#endif
