/** Flips bits of a copy of a file and cuts it, and lets the reader of its kind look at each: none may be believed, none may end this process.
 *
 *  Usage: fw_damage KIND FILE COPY SEED N   (KIND: model, checkpoint, dataset)
 *  Every bit of the first 4 KiB, N others and N lengths drawn from the seed. A dataset is read whole each time; it has bytes that nobody reads, so
 *  that a flip may go unseen when every cell is read as before. Ends 0 when all was found; says how many of each. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/fs.h"
#include "common/core/random.h"
#include "common/core/size.h"
#include "common/data/dataset.h"
#include "common/model/checkpoint.h"
#include "common/model/model.h"

#define FIRST_BYTES ((size_t)4096)
#define PIECE_ROWS  ((size_t)4096)

/* ---- readers: the content's digest ---- */

typedef fw_status reader(fw_digest *content, const char *path, fw_error *err);

static fw_status read_model(fw_digest *content, const char *path, fw_error *err)
{
    FW_AUTO(fw_model) *m = NULL;
    FW_TRY(fw_model_load(&m, path, err));
    *content = fw_hash128(m->digest, strlen(m->digest), 0);
    return FW_OK;
}

static fw_status read_checkpoint(fw_digest *content, const char *path, fw_error *err)
{
    FW_AUTO(fw_checkpoint) *c = NULL;
    FW_TRY(fw_checkpoint_open(&c, path, err));
    *content = (fw_digest){0};
    return FW_OK;
}

static void add_cells(fw_hasher *h, const fw_column *column, const fw_cells *c, size_t n)
{
    const size_t bytes = fw_column_cell_bytes(column);
    fw_hasher_add(h, c->missing, n);
    switch (column->type) {
    case FW_NUMBER: fw_hasher_add(h, c->number, n * bytes); break;
    case FW_CATEGORY: fw_hasher_add(h, c->code, n * bytes); break;
    case FW_TIME: fw_hasher_add(h, c->time_us, n * bytes); break;
    case FW_IMAGE: fw_hasher_add(h, c->pixels, n * bytes); break;
    case FW_TEXT: fw_hasher_add(h, c->text_bytes, (size_t)c->text_at[n]); break;
    }
}

static fw_status add_split(fw_hasher *h, fw_dataset *d, fw_split s, fw_block *block, fw_error *err)
{
    const fw_schema *schema = fw_dataset_schema(d);
    for (uint64_t at = 0, rows = fw_dataset_rows(d, s); at < rows; at += PIECE_ROWS) {
        const size_t n = (size_t)FW_MIN(rows - at, (uint64_t)PIECE_ROWS);
        FW_TRY(fw_dataset_read(d, s, at, n, NULL, block, err));
        for (size_t i = 0; i < schema->n_columns; i++) add_cells(h, &schema->columns[i], &block->cells[i], n);
        fw_hasher_add(h, block->row, n * sizeof *block->row);
    }
    return FW_OK;
}

static fw_status read_dataset(fw_digest *content, const char *path, fw_error *err)
{
    FW_AUTO(fw_dataset) *d = NULL;
    FW_AUTO(fw_block) *block = NULL;
    FW_AUTO(fw_hasher) *h = fw_hasher_create(0);
    if (h == NULL) return fw_fail(err, FW_ERR_NOMEM, "hasher");
    FW_TRY(fw_dataset_open(&d, path, err));
    FW_TRY(fw_dataset_verify(d, err));
    FW_TRY(fw_block_create(&block, fw_dataset_schema(d), PIECE_ROWS, err));
    for (int s = 0; s < FW_N_SPLITS; s++) FW_TRY(add_split(h, d, (fw_split)s, block, err));
    fw_hasher_add(h, fw_dataset_digest(d), strlen(fw_dataset_digest(d)));
    *content = fw_hasher_value(h);
    return FW_OK;
}

static const struct kind { const char *name; reader *read; bool may_be_unseen; } kinds[] = {
    {"model", read_model, false}, {"checkpoint", read_checkpoint, false}, {"dataset", read_dataset, true}};

/* ---- damage ---- */

typedef struct damage {
    const struct kind *kind;
    const char *path;
    int fd;
    const char *bytes;
    size_t len;
    fw_digest whole;
    size_t found, unseen, believed;
} damage;

/* Whether the reader takes it for good. */
static void look(damage *d, const char *what, size_t where)
{
    fw_digest content;
    fw_error err = {0};
    const fw_status s = d->kind->read(&content, d->path, &err);
    if (s < 0 && err.text[0] != '\0') d->found++;
    else if (s == FW_OK && d->kind->may_be_unseen && fw_digest_equal(content, d->whole)) d->unseen++;
    else {
        printf("%s: %s %zu is believed (%s)\n", d->kind->name, what, where, fw_status_name(s));
        d->believed++;
    }
}

static void put_byte(const damage *d, size_t at, char byte)
{
    if (pwrite(d->fd, &byte, 1, (off_t)at) != 1) {
        perror(d->path);
        exit(2);
    }
}

static void flip(damage *d, size_t bit)
{
    put_byte(d, bit / 8, (char)(d->bytes[bit / 8] ^ (1 << bit % 8)));
    look(d, "bit", bit);
    put_byte(d, bit / 8, d->bytes[bit / 8]);
}

static void cut(damage *d, size_t len)
{
    if (ftruncate(d->fd, (off_t)len) != 0) exit(2);
    const size_t before = d->unseen;
    look(d, "length", len);
    if (d->unseen != before) d->believed++;                    /* a file that is shorter is never whole */
    if (pwrite(d->fd, d->bytes + len, d->len - len, (off_t)len) != (ssize_t)(d->len - len)) exit(2);
}

static size_t drawn(uint64_t seed, uint32_t series, uint64_t i, size_t below)
{
    const fw_philox p = fw_random(seed, FW_RANDOM_TEST, series, i, 0);
    return (size_t)(((uint64_t)p.word[0] << 32 | p.word[1]) % below);
}

static int run(damage *d, uint64_t seed, uint64_t n)
{
    fw_error err = {0};
    if (d->kind->read(&d->whole, d->path, &err) != FW_OK) {
        fprintf(stderr, "%s is not whole to begin with: %s\n", d->path, err.text);
        return 2;
    }
    const size_t first = 8 * FW_MIN(d->len, FIRST_BYTES);
    for (size_t bit = 0; bit < first; bit++) flip(d, bit);
    for (uint64_t i = 0; i < n; i++) flip(d, drawn(seed, 1, i, 8 * d->len));
    printf("%-10s %7zu bits flipped: %zu found, %zu in bytes that nobody reads, %zu believed\n", d->kind->name, first + n, d->found, d->unseen, d->believed);
    d->found = 0;
    for (uint64_t i = 0; i < n; i++) cut(d, drawn(seed, 2, i, d->len));
    printf("%-10s %7zu lengths: %zu found\n", d->kind->name, (size_t)n, d->found);
    return d->believed == 0 && d->kind->read(&d->whole, d->path, NULL) == FW_OK ? 0 : 1;
}

int main(int argc, char **argv)
{
    damage d = {.path = argc == 6 ? argv[3] : NULL};
    FW_FREE char *bytes = NULL;
    for (size_t i = 0; argc == 6 && i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, argv[1]) == 0) d.kind = &kinds[i];
    if (d.kind == NULL) {
        fprintf(stderr, "usage: %s model|checkpoint|dataset FILE COPY SEED N\n", argv[0]);
        return 2;
    }
    if (fw_read_file(&bytes, &d.len, argv[2], (size_t)1 << 30, NULL) != FW_OK || (d.fd = open(d.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) < 0 ||
        write(d.fd, bytes, d.len) != (ssize_t)d.len) {
        fprintf(stderr, "%s can't be copied to %s\n", argv[2], d.path);
        return 2;
    }
    d.bytes = bytes;
    const int code = run(&d, strtoull(argv[4], NULL, 10), strtoull(argv[5], NULL, 10));
    close(d.fd);
    return code;
}
