#include "worker/fold.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/random.h"
#include "common/core/size.h"
#include "worker/group.h"

#define READ_ROWS 4096

/* A row as it is put in order. */
typedef struct card { uint64_t hash, place; int32_t class_code; } card;

/* The rows [first, last) of the split. */
static fw_status read_cards(card *out, fw_dataset *d, const fw_project *p, uint64_t first, uint64_t last, fw_error *err)
{
    const fw_schema *schema = fw_dataset_schema(d);
    const bool by_class = p->problem.task == FW_TASK_CLASSIFICATION;
    FW_FREE bool *wanted = NULL;
    FW_AUTO(fw_block) *block = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&wanted, schema->n_columns, sizeof *wanted, "columns", err));
    FW_TRY(fw_block_create(&block, schema, READ_ROWS, err));
    wanted[schema->target] = by_class;
    for (uint64_t at = first; at < last; at += READ_ROWS) {
        const size_t n = (size_t)FW_MIN(last - at, (uint64_t)READ_ROWS);
        worker_tick();
        FW_TRY(fw_dataset_read(d, FW_TRAIN, at, n, wanted, block, err));
        for (size_t i = 0; i < n; i++) {
            const fw_philox drawn = fw_random(p->data.split.seed, FW_RANDOM_FOLD, 0, block->row[i], 0);
            *out++ = (card){(uint64_t)drawn.word[0] << 32 | drawn.word[1], at + i, by_class ? block->cells[schema->target].code[i] : 0};
        }
    }
    return FW_OK;
}

static int in_order(const void *left, const void *right)
{
    const card *a = left, *b = right;
    if (a->class_code != b->class_code) return a->class_code < b->class_code ? -1 : 1;
    if (a->hash != b->hash) return a->hash < b->hash ? -1 : 1;
    return a->place < b->place ? -1 : a->place > b->place;
}

/* All rows' cards at every rank. */
static fw_status gather_cards(card **all, fw_dataset *d, const fw_project *p, const fw_reduce *reduce, fw_error *err)
{
    const uint64_t n = fw_dataset_rows(d, FW_TRAIN), rank = (uint64_t)reduce->rank, size = (uint64_t)reduce->size;
    const uint64_t first = n * rank / size, last = n * (rank + 1) / size;
    FW_FREE card *mine = NULL;
    FW_FREE size_t *offset = NULL;
    fw_status s = fw_alloc_zeroed((void **)&mine, (size_t)(last - first) + 1, sizeof *mine, "folds", err);
    if (s == FW_OK) s = fw_alloc_zeroed((void **)&offset, (size_t)reduce->size + 1, sizeof *offset, "folds", err);
    if (s == FW_OK) s = read_cards(mine, d, p, first, last, err);
    FW_TRY(reduce->agree(reduce->context, s, err));
    return reduce->gather_all(reduce->context, mine, (size_t)(last - first) * sizeof *mine, (char **)all, offset, err);
}

static fw_status deal(worker_fold *f, card *cards, uint64_t n, uint32_t folds, uint32_t fold, fw_error *err)
{
    FW_FREE bool *held_out = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&held_out, (size_t)n + 1, sizeof *held_out, "folds", err));
    qsort(cards, (size_t)n, sizeof *cards, in_order);
    for (uint64_t i = fold; i < n; i += folds) held_out[cards[i].place] = true;
    const uint64_t n_validation = n > fold ? (n - fold + folds - 1) / folds : 0;
    FW_TRY(fw_alloc_zeroed((void **)&f->validation, (size_t)n_validation + 1, sizeof *f->validation, "folds", err));
    FW_TRY(fw_alloc_zeroed((void **)&f->train, (size_t)(n - n_validation) + 1, sizeof *f->train, "folds", err));
    for (uint64_t i = 0; i < n; i++) {
        if (held_out[i]) f->validation[f->n_validation++] = i;
        else f->train[f->n_train++] = i;
    }
    if (f->n_train > 0 && f->n_validation > 0) return FW_OK;
    return fw_fail(err, FW_ERR_DATA, "fold %u of %u: the training split has %llu rows, too few to cut", fold, folds, (unsigned long long)n);
}

fw_status worker_fold_create(worker_fold **out, fw_dataset *d, const fw_project *p, uint32_t folds, uint32_t fold, const fw_reduce *reduce, fw_error *err)
{
    FW_FREE card *cards = NULL;
    FW_TRY(gather_cards(&cards, d, p, reduce, err));
    worker_fold *f = calloc(1, sizeof *f);
    fw_status s = f == NULL ? fw_fail(err, FW_ERR_NOMEM, "folds") : deal(f, cards, fw_dataset_rows(d, FW_TRAIN), folds, fold, err);
    s = reduce->agree(reduce->context, s, err);
    if (s != FW_OK) {
        worker_fold_destroy(&f);
        return s;
    }
    *out = f;
    return FW_OK;
}

void worker_fold_destroy(worker_fold **fold)
{
    worker_fold *f = *fold;
    if (f == NULL) return;
    free(f->train);
    free(f->validation);
    free(f);
    *fold = NULL;
}
