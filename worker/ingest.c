#include "worker/ingest.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "worker/ingest_parts.h"

/* ---- talk, agreement, names ---- */

void ingest_say(const ingest *g, const char *format, ...)
{
    if (g->say == NULL || g->reduce->rank != 0) return;
    FW_FREE char *line = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&line, format, args);
    va_end(args);
    if (n < 0) line = NULL;
    else g->say(g->say_context, line);
}

fw_status ingest_warn(ingest *g, fw_error *err, const char *format, ...)
{
    char *line = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&line, format, args);
    va_end(args);
    if (n < 0) return fw_fail(err, FW_ERR_NOMEM, "a warning");
    fw_strings *list = &g->manifest->warnings;
    char **v = realloc(list->v, (list->n + 1) * sizeof *v);
    if (v == NULL) {
        free(line);
        return fw_fail(err, FW_ERR_NOMEM, "a warning");
    }
    list->v = v;
    list->v[list->n++] = line;
    ingest_say(g, "warning: %s", line);
    return FW_OK;
}

fw_status ingest_agree(const ingest *g, fw_status mine, fw_error *err) { return g->reduce->agree(g->reduce->context, mine, err); }

uint64_t ingest_n_all_chunks(const ingest *g) { return g->first_chunk[g->n_tables]; }

size_t ingest_n_classes(const ingest *g)
{
    const fw_column *target = &g->schema->columns[g->target];
    return target->type == FW_CATEGORY ? fw_dict_size(target->dict) : 0;
}

fw_status ingest_temp_name(char **out, const ingest *g, const char *what, int rank, fw_error *err)
{
    if (asprintf(out, "%s.%s.%d", g->temp, what, rank) >= 0) return FW_OK;
    *out = NULL;
    return fw_fail(err, FW_ERR_NOMEM, "name of a temporary file");
}

/* ---- temporary files ---- */

/* "<name>.tmp.<digits>" and what is named after it. */
static bool is_left_over(const char *entry, const char *name)
{
    size_t n = strlen(name);
    return strncmp(entry, name, n) == 0 && strncmp(entry + n, ".tmp.", 5) == 0 && isdigit((unsigned char)entry[n + 5]);
}

static fw_status remove_left_overs(const char *output, fw_error *err)
{
    FW_FREE char *dir = NULL;
    FW_TRY(fw_path_dir(&dir, output, err));
    const char *slash = strrchr(output, '/'), *name = slash != NULL ? slash + 1 : output;
    if (*name == '\0') return fw_fail(err, FW_ERR_IO, "'%s' is a folder, not a file to write", output);
    DIR *d = opendir(dir);
    if (d == NULL) return fw_fail_errno(err, FW_ERR_IO, "folder '%s' of the dataset", dir);
    for (struct dirent *e = readdir(d); e != NULL; e = readdir(d))
        if (is_left_over(e->d_name, name)) unlinkat(dirfd(d), e->d_name, 0);
    closedir(d);
    return FW_OK;
}

static fw_status open_output(ingest *g, fw_error *err)
{
    if (g->reduce->rank != 0) return FW_OK;
    FW_TRY(remove_left_overs(g->output, err));
    FW_TRY(fw_atomic_file_create(&g->file, g->output, err));
    FW_TRY(fw_atomic_file_release(g->file, err));
    return fw_copy_text(&g->temp, fw_atomic_file_temp_path(g->file), err);
}

/* Rank 0's temporary name, at every rank. */
static fw_status share_name(ingest *g, fw_error *err)
{
    FW_TRY(ingest_agree(g, open_output(g, err), err));
    FW_FREE size_t *offset = calloc((size_t)g->reduce->size + 1, sizeof *offset);
    FW_FREE char *bytes = NULL;
    FW_TRY(ingest_agree(g, offset == NULL ? fw_fail(err, FW_ERR_NOMEM, "names") : FW_OK, err));
    FW_TRY(g->reduce->gather_all(g->reduce->context, g->temp, g->temp != NULL ? strlen(g->temp) + 1 : 0, &bytes, offset, err));
    if (g->temp != NULL) return ingest_agree(g, FW_OK, err);
    return ingest_agree(g, fw_copy_text(&g->temp, bytes, err), err);
}

/* ---- the whole ---- */

static void free_columns(ingest *g)
{
    for (size_t i = 0; g->stats != NULL && i < g->schema->n_columns; i++) {
        worker_distinct_clear(&g->stats[i].distinct);
        free(g->stats[i].count);
        free(g->stats[i].code);
    }
    free(g->stats);
    fw_schema_destroy(&g->schema);
    for (size_t i = 0; g->column_of != NULL && i < g->n_tables; i++) free(g->column_of[i]);
    free(g->column_of);
}

static void ingest_clear(ingest *g)
{
    free_columns(g);
    for (size_t i = 0; g->tables != NULL && i < g->project->data.n_tables; i++) fw_table_destroy(&g->tables[i]);
    worker_store_destroy(&g->rows);
    worker_spool_destroy(&g->keys);
    worker_spool_destroy(&g->splits);
    worker_buckets_destroy(&g->blocks);
    worker_memory_destroy(&g->memory);
    fw_atomic_file_destroy(&g->file);
    fw_manifest_destroy(&g->manifest);
    free(g->bad);
    free(g->tables);
    free(g->test_table);
    free(g->first_chunk);
    free(g->chunks);
    free(g->records);
    free(g->table_rows);
    free(g->excluded);
    free(g->merged);
    free(g->temp);
    free(g->before);
    free(g->class_rows);
    free(g->text_bytes);
    free(g->manifest_text);
}

static fw_status run(ingest *g, fw_error *err)
{
    FW_TRY(ingest_agree(g, fw_manifest_create(&g->manifest, err), err));
    FW_TRY(ingest_plan(g, err));
    FW_TRY(share_name(g, err));
    FW_TRY(ingest_parse(g, err));
    FW_TRY(ingest_merge(g, err));
    FW_TRY(ingest_split(g, err));
    FW_TRY(ingest_distribute(g, err));
    FW_TRY(ingest_write(g, err));
    FW_TRY(ingest_describe(g, err));
    return ingest_finish(g, err);
}

fw_status worker_ingest(const fw_project *project, const char *output, const fw_reduce *reduce,
                        void (*say)(void *context, const char *line), void *context, worker_ingest_result *out, fw_error *err)
{
    fw_mono start = fw_mono_now();
    ingest g = {.project = project, .reduce = reduce, .output = output, .say = say, .say_context = context};
    fw_status s = run(&g, err);
    if (s == FW_OK) {
        *out = (worker_ingest_result){.rows = fw_layout_total(&g.layout), .bad = g.n_bad, .excluded = g.n_excluded, .duplicates = g.duplicates};
        memcpy(out->digest, g.digest, sizeof out->digest);
        memcpy(out->rows_by_split, g.layout.rows, sizeof out->rows_by_split);
    }
    ingest_clear(&g);
    if (s == FW_OK) out->seconds = fw_mono_seconds(start, fw_mono_now());
    return s;
}
