/** What a kind of table is: the table of operations that csv.c and idx.c fill, and the inside of fw_table. Private to common/data. */
#ifndef FW_DATA_SOURCE_H
#define FW_DATA_SOURCE_H

#include "common/data/input.h"
#include "common/data/table.h"

/** One value as it stands in the source, unquoted and trimmed; for pictures the pixels. Not NUL-terminated. */
typedef struct fw_field { const char *s; size_t len; } fw_field;
#define FW_FIELD_READABLE 16      /* bytes before and behind a field of take_rows that may be read */

/** Where a source puts its records. */
typedef struct fw_sink {
    void *context;
    /** One record, fields (n_columns). FW_ERR_DATA: a bad row, and err says why but not where; FW_END: enough; other errors end it. */
    fw_status (*take)(void *context, const fw_field *fields, uint64_t record, fw_error *err);
    /** May be NULL. n records at once, fields (n, n_columns), as good as n calls of take; FW_ERR_DATA: one of them may be bad, nothing was taken,
     *  and they will come one by one. */
    fw_status (*take_rows)(void *context, const fw_field *fields, uint64_t first_record, size_t n, fw_error *err);
    bool skip_bad;
    bool list_bad;                 /* count bad rows in the table and list the first ones */
} fw_sink;

typedef struct fw_source_ops {
    const char *kind;
    bool (*takes)(const fw_table_spec *spec);
    /** Collective. Fills source, inputs, names, n_columns, n_chunks (and image_*) of the table; on error fw_table_destroy frees what is there. */
    fw_status (*open)(fw_table *t, const fw_table_spec *spec, const char *base_dir, fw_error *err);
    void (*close)(void *source);
    /** Local. Gives the records of one chunk in file order; *n_records counts the bad ones too. */
    fw_status (*read)(fw_table *t, uint64_t chunk, const fw_sink *sink, uint64_t *n_records, fw_error *err);
} fw_source_ops;

extern const fw_source_ops fw_csv_source, fw_idx_source;

struct fw_table {
    const fw_source_ops *ops;
    void *source;
    fw_reduce reduce;
    char *name, *path;             /* as written in the project file, and as opened */
    fw_input *inputs[2];           /* the files, for the digest */
    size_t n_inputs;
    char **names;                  /* n_columns */
    size_t n_columns;
    int image_column;              /* -1: no pictures */
    uint32_t image_shape[3];       /* height, width, channels */
    uint64_t n_chunks, next_chunk; /* next_chunk: this rank's */
    uint64_t n_bad;
    fw_bad_row bad[FW_BAD_ROWS_LISTED];
    size_t n_listed;
};

/** FW_TABLE_CHUNK_BYTES, or what a test has set. */
size_t fw_table_chunk_bytes(void);

/** Opens the next input of the table. */
fw_status fw_table_add_input(fw_table *t, const char *base_dir, const char *name, fw_error *err);

/** Gives the table its column names: not empty, UTF-8, none twice. names are copied. `where` stands in front of the text. */
fw_status fw_table_set_names(fw_table *t, const fw_field *names, size_t n, const char *where, fw_error *err);

/** The rule for bad rows. wants_place: whether `where` will be shown, since finding it may cost. */
bool      fw_table_wants_place(const fw_table *t, const fw_sink *sink);
fw_status fw_table_bad_row(fw_table *t, const fw_sink *sink, const char *where, fw_error *why);   /* FW_OK: skipped, go on */

#endif
