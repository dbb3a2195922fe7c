/** Fields become cells: missing texts, numbers, categories, times, texts, pictures. Private to common/data. */
#ifndef FW_DATA_CELLS_H
#define FW_DATA_CELLS_H

#include "common/data/source.h"

/** The texts that mean "no value", with a quick no. */
typedef struct fw_missing_texts {
    const char *const *text;       /* not owned */
    size_t n;
    bool first[256];               /* some text begins with this byte */
    bool empty;                    /* "" is one of them */
    bool like_number;              /* some text begins as a number does */
} fw_missing_texts;
void fw_missing_texts_init(fw_missing_texts *m, const char *const *text, size_t n);
bool fw_is_missing(const fw_missing_texts *m, fw_field f);

/** nan, inf, infinity in any case, with or without a sign. */
bool fw_is_not_finite(fw_field f);

/** A field for an error text: quoted, cut, without control characters. */
#define FW_FIELD_SHOWN 64
void fw_show_field(char out[static FW_FIELD_SHOWN], fw_field f);

/** Appends one record to the block, which grows. FW_ERR_DATA: the reason without the place; the block and the dictionaries are unchanged. */
typedef struct fw_cell_rules {
    const fw_table_reading *how;
    fw_block *block;
    fw_missing_texts missing;
} fw_cell_rules;
/** FW_ERR_ARG, FW_ERR_DATA if reading, block and table do not fit together. Makes the dictionaries that FW_TABLE_GROW will fill. */
fw_status fw_cell_rules_init(fw_cell_rules *rules, const fw_table *t, const fw_table_reading *how, fw_block *block, fw_error *err);
fw_status fw_cells_append(fw_cell_rules *rules, const fw_field *fields, uint64_t record, fw_error *err);
/** n records of n_fields fields, column by column. FW_ERR_DATA: one of them is bad, and no dictionary has grown; the text is not to be shown. */
fw_status fw_cells_append_rows(fw_cell_rules *rules, const fw_field *fields, size_t n_fields, uint64_t first_record, size_t n, fw_error *err);

#endif
