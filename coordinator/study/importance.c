#include "coordinator/study/importance.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/random.h"
#include "common/core/size.h"

#define LEAF      3          /* trials that a leaf has at least */
#define DEPTH     24
#define INACTIVE  -1.0       /* stands below every place on the unit interval */
#define PERMUTE_PLACE 0x40000000u

typedef struct node { int32_t left, right; uint32_t parameter; double threshold, mean; } node;      /* left < 0: a leaf */

typedef struct forest {
    const double *u;         /* (n, d) without NaN */
    const double *y;         /* (n) ranks */
    size_t n, d;
    uint32_t tree;
    node *nodes; size_t n_nodes, capacity;
    size_t *bag;             /* (n) rows that the tree learns from; parted as it grows */
    bool *in_bag;            /* (n) */
    struct { double x; size_t row; } *sorted;      /* (n) scratch */
} forest;

static double draw(const forest *f, uint64_t i, uint32_t place) { return fw_random_unit(fw_random(0, FW_RANDOM_IMPORTANCE, f->tree, i, place)); }

static int by_x(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double value_at(const forest *f, size_t row, size_t parameter) { return f->u[row * f->d + parameter]; }

typedef struct cut { double gain, threshold; size_t parameter; } cut;

/* The cut along one parameter after which the squares around the two means are least. */
static void try_parameter(const forest *f, size_t from, size_t to, size_t parameter, cut *best)
{
    const size_t n = to - from;
    double all = 0, left = 0;
    for (size_t i = 0; i < n; i++) {
        f->sorted[i].x = value_at(f, f->bag[from + i], parameter);
        f->sorted[i].row = f->bag[from + i];
        all += f->y[f->bag[from + i]];
    }
    qsort(f->sorted, n, sizeof *f->sorted, by_x);
    for (size_t i = 0; i + 1 < n; i++) {
        left += f->y[f->sorted[i].row];
        if (i + 1 < LEAF || n - i - 1 < LEAF || f->sorted[i].x == f->sorted[i + 1].x) continue;
        const double right = all - left, k = (double)(i + 1);
        const double gain = left * left / k + right * right / ((double)n - k) - all * all / (double)n;
        if (gain > best->gain * (1 + 1e-12)) *best = (cut){gain, (f->sorted[i].x + f->sorted[i + 1].x) / 2, parameter};
    }
}

static size_t part(forest *f, size_t from, size_t to, const cut *c)
{
    size_t middle = from;
    for (size_t i = from; i < to; i++) {
        if (value_at(f, f->bag[i], c->parameter) > c->threshold) continue;
        const size_t row = f->bag[i];
        f->bag[i] = f->bag[middle];
        f->bag[middle++] = row;
    }
    return middle;
}

/* Rows from..to-1 of the bag become a node; half of the parameters are looked at, and all when none of those helps. */
static fw_status grow(forest *f, int32_t *out, size_t from, size_t to, int depth, fw_error *err)
{
    double sum = 0;
    FW_TRY(fw_grow((void **)&f->nodes, &f->capacity, f->n_nodes + 1, sizeof *f->nodes, "importance", err));
    const size_t at = f->n_nodes++;
    for (size_t i = from; i < to; i++) sum += f->y[f->bag[i]];
    f->nodes[at] = (node){-1, -1, 0, 0, sum / (double)(to - from)};
    *out = (int32_t)at;
    if (depth == DEPTH || to - from < 2 * LEAF) return FW_OK;
    cut best = {1e-12, 0, 0};
    const double none = best.gain;
    for (size_t p = 0; p < f->d; p++)
        if (draw(f, f->n + at, (uint32_t)p) < 0.5) try_parameter(f, from, to, p, &best);
    for (size_t p = 0; best.gain == none && p < f->d; p++) try_parameter(f, from, to, p, &best);
    if (best.gain == none) return FW_OK;
    const size_t middle = part(f, from, to, &best);
    int32_t left = -1, right = -1;
    FW_TRY(grow(f, &left, from, middle, depth + 1, err));
    FW_TRY(grow(f, &right, middle, to, depth + 1, err));
    f->nodes[at].left = left;
    f->nodes[at].right = right;
    f->nodes[at].parameter = (uint32_t)best.parameter;
    f->nodes[at].threshold = best.threshold;
    return FW_OK;
}

/* What the tree says of a row, with the value of one parameter taken from another row. */
static double predict(const forest *f, size_t row, size_t swapped, size_t from_row)
{
    size_t at = 0;
    while (f->nodes[at].left >= 0) {
        const size_t p = f->nodes[at].parameter;
        at = (size_t)(value_at(f, p == swapped ? from_row : row, p) > f->nodes[at].threshold ? f->nodes[at].right : f->nodes[at].left);
    }
    return f->nodes[at].mean;
}

/* By how much the tree's error on rows it has not seen grows for each parameter. A row of them takes the value of another one of them. */
static void judge(const forest *f, double *share, size_t *out_of_bag)
{
    size_t k = 0;
    for (size_t i = 0; i < f->n; i++)
        if (!f->in_bag[i]) out_of_bag[k++] = i;
    for (size_t p = 0; p < f->d && k > 1; p++) {
        double more = 0;
        for (size_t i = 0; i < k; i++) {
            const size_t other = out_of_bag[(size_t)(draw(f, i, PERMUTE_PLACE + (uint32_t)p) * (double)k)];
            const double e = predict(f, out_of_bag[i], f->d, 0) - f->y[out_of_bag[i]], swapped = predict(f, out_of_bag[i], p, other) - f->y[out_of_bag[i]];
            more += swapped * swapped - e * e;
        }
        share[p] += more / (double)k;
    }
}

static fw_status one_tree(forest *f, double *share, size_t *scratch, fw_error *err)
{
    int32_t root = 0;
    f->n_nodes = 0;
    memset(f->in_bag, 0, f->n * sizeof *f->in_bag);
    for (size_t i = 0; i < f->n; i++) {
        f->bag[i] = (size_t)(draw(f, i, 0) * (double)f->n);
        f->in_bag[f->bag[i]] = true;
    }
    FW_TRY(grow(f, &root, 0, f->n, 0, err));
    judge(f, share, scratch);
    return FW_OK;
}

/* Equal values get their middle rank. */
static void rank_values(const double *y, size_t n, double *rank, double *sorted)
{
    memcpy(sorted, y, n * sizeof *y);
    qsort(sorted, n, sizeof *sorted, by_x);
    for (size_t i = 0; i < n; i++) {
        size_t low = 0, high = n;
        while (low < high) {
            const size_t m = low + (high - low) / 2;
            if (sorted[m] < y[i]) low = m + 1;
            else high = m;
        }
        const size_t below = low;
        for (high = low; high < n && sorted[high] == y[i]; high++) {}
        rank[i] = ((double)below + (double)high) / (2.0 * (double)n);
    }
}

static fw_status all_trees(forest *f, double *share, fw_error *err)
{
    FW_FREE size_t *scratch = NULL;
    FW_TRY(fw_alloc_zeroed((void **)&scratch, f->n, sizeof *scratch, "importance", err));
    FW_TRY(fw_alloc_zeroed((void **)&f->bag, f->n, sizeof *f->bag, "importance", err));
    FW_TRY(fw_alloc_zeroed((void **)&f->in_bag, f->n, sizeof *f->in_bag, "importance", err));
    FW_TRY(fw_alloc_zeroed((void **)&f->sorted, f->n, sizeof *f->sorted, "importance", err));
    for (f->tree = 0; f->tree < COORD_IMPORTANCE_TREES; f->tree++) FW_TRY(one_tree(f, share, scratch, err));
    return FW_OK;
}

static void as_parts_of_one(double *share, size_t d)
{
    double sum = 0;
    for (size_t p = 0; p < d; p++) sum += share[p] = FW_MAX(share[p], 0.0);
    for (size_t p = 0; p < d; p++) share[p] = sum > 0 ? share[p] / sum : NAN;
}

fw_status coord_importance(double *share, const double *u, const double *y, size_t n, size_t d, fw_error *err)
{
    FW_FREE double *x = NULL, *rank = NULL, *sorted = NULL;
    for (size_t p = 0; p < d; p++) share[p] = n < COORD_IMPORTANCE_LEAST ? NAN : 0.0;
    if (n < COORD_IMPORTANCE_LEAST || d == 0) return FW_OK;
    const size_t skip = n > COORD_IMPORTANCE_MOST ? n - COORD_IMPORTANCE_MOST : 0;
    n -= skip;
    FW_TRY(fw_alloc_zeroed((void **)&x, n * d, sizeof *x, "importance", err));
    FW_TRY(fw_alloc_zeroed((void **)&rank, n, sizeof *rank, "importance", err));
    FW_TRY(fw_alloc_zeroed((void **)&sorted, n, sizeof *sorted, "importance", err));
    for (size_t i = 0; i < n * d; i++) x[i] = isnan(u[skip * d + i]) ? INACTIVE : u[skip * d + i];
    rank_values(y + skip, n, rank, sorted);
    forest f = {.u = x, .y = rank, .n = n, .d = d};
    fw_status s = all_trees(&f, share, err);
    free(f.nodes);
    free(f.bag);
    free(f.in_bag);
    free(f.sorted);
    as_parts_of_one(share, d);
    return s;
}
