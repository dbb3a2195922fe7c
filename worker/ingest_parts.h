/** What the steps of an ingest share; for worker/ingest*.c alone. The steps in order, each Collective and ending in one agreed status:
 *  plan        which columns are read and kept, of which type
 *  parse       each rank's chunks -> its store of rows (a piece a chunk, local category codes) and spool of keys; statistics
 *  merge       dictionaries, counts and statistics of all ranks; row numbers
 *  split       a split for each row, its ordinal within it
 *  distribute  store -> buckets by block of the file, at the rank that writes the block
 *  write       buckets -> cells in the file; content digest, duplicates, distinct values, second moments
 *  describe    the manifest
 *  finish      manifest -> file, which is sealed and takes its name
 *  Rows wait in a fixed amount of memory, and in temporary files where that is too little. */
#ifndef WORKER_INGEST_PARTS_H
#define WORKER_INGEST_PARTS_H

#include "common/core/fs.h"
#include "common/data/dataset_manifest.h"
#include "common/data/split.h"
#include "common/data/table.h"
#include "common/stats/exact_sum.h"
#include "worker/group.h"
#include "worker/ingest.h"
#include "worker/ingest_buckets.h"
#include "worker/ingest_distinct.h"
#include "worker/ingest_packed.h"
#include "worker/ingest_spool.h"
#include "worker/ingest_store.h"

/** What a row's split depends on: by time its instant; else the class code, or the hash of the group, or the row's record in its chunk. */
typedef union ingest_key { double instant; uint64_t value, record; } ingest_key;

#define INGEST_HASH_MEMORY ((size_t)16 << 20)      /* for the rows' hashes, at most */

typedef struct ingest_chunk { size_t table; uint64_t index; uint64_t n_rows; } ingest_chunk;  /* index: over all tables; n_rows kept */

/** A bad row to be listed. number: its line in the file; or, when the reader took it and only then was it found to lack what it needs, its record
 *  within chunk (index over all tables), which becomes the record in the table once all chunks are counted. */
typedef struct ingest_bad { size_t table; bool in_chunk; uint64_t chunk, number; char text[512]; } ingest_bad;

/** Gathered while parsing; merged over the ranks in place by `merge`. */
typedef struct ingest_stats {
    uint64_t missing, present;
    double min, max;
    fw_exact_sum sum, squares;         /* squares: of (x - mean) scaled by 2^-exponent */
    int exponent;                      /* 2^exponent > every |x| */
    double scaled_mean;
    uint64_t text_bytes;               /* of a text column; after distribute */
    size_t text_slot;                  /* which of the text columns it is */
    bool integral, equals_target;
    worker_distinct distinct;
    int64_t *count;                    /* category: rows of each local code */
    size_t n_counts;
    int32_t *code;                     /* category: local code -> code in the file (-1: in no row) */
} ingest_stats;

typedef struct ingest {
    const fw_project *project;
    const fw_reduce *reduce;
    const char *output;
    void (*say)(void *context, const char *line);
    void *say_context;

    fw_table **tables;
    size_t n_tables;
    bool *test_table;                  /* n_tables; split by given */
    uint64_t *first_chunk;             /* (n_tables + 1) index of a table's first chunk over all tables */
    int **column_of;                   /* n_tables x schema->n_columns */

    fw_schema *schema;                 /* columns read; [0, n_stored) are written, one more may be read for the split alone */
    size_t n_stored;
    int target, id, key;               /* key: column of time or group; id, key: -1 if there is none */
    fw_split_rule rule;

    ingest_chunk *chunks;              /* this rank's, in file order */
    size_t n_chunks, chunk_capacity;
    int64_t *records;                  /* per chunk of all tables: records; after merge the number of its first row */
    int64_t *table_rows;               /* records of each table */
    ingest_stats *stats;               /* schema->n_columns */
    int64_t *excluded, *merged;        /* rows of each excluded label; rows of each merged one, in the project's order */
    uint64_t n_excluded, n_bad, n_kept;
    int64_t text_total;                /* bytes of text in this rank's rows */
    ingest_bad *bad;                   /* some bad rows of this rank: of each table at least the first ones */
    size_t n_bad_listed, bad_capacity;

    fw_atomic_file *file;              /* rank 0 */
    char *temp;                        /* its temporary name, on all ranks: other temporary files are named after it */
    worker_memory *memory;             /* for rows and blocks */
    worker_store *rows;
    worker_spool *keys, *splits;
    worker_buckets *blocks;            /* this rank's */

    int64_t *before;                   /* (chunks of all tables, FW_N_SPLITS) rows of a split before a chunk */
    fw_layout layout;
    int64_t *class_rows;               /* (classes, FW_N_SPLITS) */
    size_t n_texts;
    int64_t *text_bytes;               /* (n_texts, blocks) bytes of a text column's block; after distribute: where they start */
    uint64_t duplicates;
    char digest[FW_DIGEST_TEXT];
    fw_manifest *manifest;
    char *manifest_text;
} ingest;

fw_status ingest_list_bad(ingest *g, const ingest_bad *bad, fw_error *err);
/** Collective: says the first bad rows of all ranks. */
fw_status ingest_say_bad(const ingest *g, fw_error *err);
/** One line of talk, on rank 0. warn: a warning, kept in the manifest too. */
void      ingest_say(const ingest *g, const char *format, ...) __attribute__((format(printf, 2, 3)));
fw_status ingest_warn(ingest *g, fw_error *err, const char *format, ...) __attribute__((format(printf, 3, 4)));
fw_status ingest_agree(const ingest *g, fw_status mine, fw_error *err);
uint64_t  ingest_n_all_chunks(const ingest *g);
size_t    ingest_n_classes(const ingest *g);       /* 0: regression; after merge */
/** "<temporary name>.<what>.<rank>"; malloc'ed. */
fw_status ingest_temp_name(char **out, const ingest *g, const char *what, int rank, fw_error *err);

fw_status ingest_plan(ingest *g, fw_error *err);
fw_status ingest_parse(ingest *g, fw_error *err);
fw_status ingest_merge(ingest *g, fw_error *err);
fw_status ingest_split(ingest *g, fw_error *err);
fw_status ingest_distribute(ingest *g, fw_error *err);
fw_status ingest_write(ingest *g, fw_error *err);
fw_status ingest_describe(ingest *g, fw_error *err);        /* the manifest, and what is to be said about the data */
fw_status ingest_finish(ingest *g, fw_error *err);

/** The mean of the values present, correctly rounded sum over count. */
double    ingest_mean(const ingest_stats *s);

/* ---- statistics of a chunk ---- */

/** Memory for the values of one column; zero-initialise. */
typedef struct ingest_scratch { double *value; size_t capacity; } ingest_scratch;
fw_status ingest_scratch_reserve(ingest_scratch *s, size_t rows, fw_error *err);
void      ingest_scratch_clear(ingest_scratch *s);

/** The rows of a block that are kept (0 or 1 each) into g->stats. */
fw_status ingest_gather_stats(ingest *g, const fw_block *block, const uint8_t *keep, ingest_scratch *scratch, fw_error *err);
/** Second moments, once mean and exponent are known. numbers: doubles at any address; missing NULL: none is. */
fw_status ingest_add_squares(ingest_stats *s, const void *numbers, const uint8_t *missing, size_t n, ingest_scratch *scratch, fw_error *err);

#endif
