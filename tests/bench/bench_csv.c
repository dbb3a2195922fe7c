/** How fast a CSV table of 28 number columns is read, beside what the memory gives: MB/s of a copy, of the scan for the cuts, of the whole.
 *  The file lies in memory (memfd), so no disk is measured. One process, one core; the best of three passes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/core/clock.h"
#include "common/core/random.h"
#include "common/core/text.h"
#include "common/data/table.h"

enum { COLUMNS = 28, ROWS = 200000, PASSES = 3 };

static void make_text(fw_text *t)
{
    for (int c = 0; c < COLUMNS; c++) fw_text_format(t, "%sx%d", c ? "," : "", c);
    fw_text_add(t, "\n");
    for (uint64_t i = 0; i < ROWS; i++)
        for (uint32_t c = 0; c < COLUMNS; c++) {
            fw_philox r = fw_random(1, FW_RANDOM_TEST, c, i, 0);
            fw_text_format(t, "%s%.6g", c ? "," : i ? "\n" : "", ((double)r.word[0] - 2147483648.0) / 1e9);
        }
}

static double best(double a, double b)
{
    return a == 0 || b < a ? b : a;
}

/** Seconds of opening (the scan) and of reading all rows; false when it went wrong. */
static bool pass(const char *path, double *open_s, double *read_s)
{
    FW_AUTO(fw_table) *t = NULL;
    FW_AUTO(fw_schema) *schema = NULL;
    FW_AUTO(fw_block) *block = NULL;
    fw_error err = {0};
    int column_of[COLUMNS];
    const fw_table_spec spec = {.name = (char[]){"bench"}, .path = (char *)(uintptr_t)path, .header = true, .quote = '"', .trim = true};
    uint64_t chunk, n, rows = 0;
    fw_status status = fw_schema_create(&schema, COLUMNS, &err);
    for (int c = 0; c < COLUMNS; c++) column_of[c] = c;
    const fw_table_reading how = {.schema = schema, .column_of = column_of};
    if (status == FW_OK) status = fw_block_create(&block, schema, 1, &err);
    fw_mono start = fw_mono_now();
    if (status == FW_OK) status = fw_table_open(&t, &spec, "", &fw_reduce_alone, &err);
    *open_s = best(*open_s, fw_mono_seconds(start, fw_mono_now()));
    start = fw_mono_now();
    while (status == FW_OK && (status = fw_table_read(t, &how, block, &chunk, &n, &err)) == FW_OK) rows += block->n_rows;
    *read_s = best(*read_s, fw_mono_seconds(start, fw_mono_now()));
    if (status != FW_END || rows != ROWS) fprintf(stderr, "%llu of %d rows: %s\n", (unsigned long long)rows, ROWS, err.text);
    return status == FW_END && rows == ROWS;
}

int main(void)
{
    fw_text text = {0};
    char path[64];
    make_text(&text);
    int fd = memfd_create("bench", MFD_CLOEXEC);
    if (text.failed || fd < 0) return 1;
    for (size_t done = 0; done < text.len;) {
        ssize_t n = write(fd, text.data + done, text.len - done);
        if (n <= 0) return 1;
        done += (size_t)n;
    }
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    double copy_s = 0, open_s = 0, read_s = 0, mb = (double)text.len / 1e6;
    char *copy = malloc(text.len);
    for (int k = 0; k < PASSES; k++) {
        if (copy == NULL || !pass(path, &open_s, &read_s)) return 1;
        fw_mono start = fw_mono_now();
        memcpy(copy, text.data, text.len);
        copy_s = best(copy_s, fw_mono_seconds(start, fw_mono_now()));
        if (memcmp(copy, text.data, text.len) != 0) return 1;
    }
    printf("csv: %.0f MB, %d rows x %d numbers: copy %.0f MB/s, scan %.0f MB/s, read %.0f MB/s = %.0f rows/s\n", mb, ROWS, COLUMNS, mb / copy_s, mb / open_s,
           mb / read_s, ROWS / read_s);
    free(copy);
    close(fd);
    fw_text_destroy(&text);
    return 0;
}
