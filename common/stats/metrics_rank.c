/** Area under the ROC curve and average precision, exact with ties, by a radix sort of the scores. */
#include <string.h>

#include "common/core/size.h"
#include "common/stats/exact_sum.h"
#include "common/stats/metrics_parts.h"

/* A row as one word: the score's bits in ascending order << 1 | is of the class. */
#define DIGIT_BITS 11
#define DIGITS     3          /* 3 * 11 bits hold the 32 bits of a score */
#define BUCKETS    (1u << DIGIT_BITS)

static uint64_t row_word(float score, bool of_class)
{
    float plain = score + 0.0f;                    /* -0 and 0 are the same score */
    uint32_t bits = 0;
    memcpy(&bits, &plain, sizeof bits);
    bits ^= bits >> 31 ? UINT32_MAX : UINT32_C(0x80000000);
    return (uint64_t)bits << 1 | of_class;
}

/** Ascending by score; stable. The result ends up in a; b is scratch of the same size. */
static void sort_words(uint64_t **a, uint64_t **b, size_t n)
{
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        unsigned shift = 1 + digit * DIGIT_BITS;
        size_t start[BUCKETS] = {0}, at = 0;
        for (size_t i = 0; i < n; i++) start[(*a)[i] >> shift & (BUCKETS - 1)]++;
        for (size_t k = 0; k < BUCKETS; k++) {
            size_t count = start[k];
            start[k] = at;
            at += count;
        }
        for (size_t i = 0; i < n; i++) (*b)[start[(*a)[i] >> shift & (BUCKETS - 1)]++] = (*a)[i];
        uint64_t *swap = *a;
        *a = *b;
        *b = swap;
    }
}

/** From the highest score down, one group of equal scores at a time. With P of the class and N others:
 *  auc = (pairs in the right order + pairs with equal scores / 2) / (P N), counted twice over so that it stays an integer.
 *  average precision = sum over groups of (share of P in the group) * precision at its end. */
static fw_status rank_class(fw_class_metrics *k, const uint64_t *words, size_t n, uint64_t of_class, fw_error *err)
{
    uint64_t others = n - of_class, seen = 0, seen_others = 0;
    unsigned __int128 twice = 0;
    fw_exact_sum precision = {0};
    for (size_t end = n; end > 0;) {
        uint64_t score = words[end - 1] >> 1, in_group = 0, others_in_group = 0;
        for (; end > 0 && words[end - 1] >> 1 == score; end--) {
            in_group += words[end - 1] & 1;
            others_in_group += !(words[end - 1] & 1);
        }
        seen += in_group;
        seen_others += others_in_group;
        twice += (unsigned __int128)in_group * (2 * (others - seen_others) + others_in_group);
        if (in_group > 0) FW_TRY(fw_exact_sum_add(&precision, (double)in_group * (double)seen / (double)(seen + seen_others), err));
    }
    k->has_auc = of_class > 0 && others > 0;
    k->auc = k->has_auc ? (double)twice / (double)((unsigned __int128)2 * of_class * others) : 0;
    k->average_precision = of_class > 0 ? fw_exact_sum_value(&precision) / (double)of_class : 0;
    return FW_OK;
}

static void mean_over_classes(fw_metrics *m)
{
    size_t having = 0;
    double auc = 0, average_precision = 0;
    for (size_t c = 0; c < m->n_classes; c++) {
        if (!m->per_class[c].has_auc) continue;
        having++;
        auc += m->per_class[c].auc;
        average_precision += m->per_class[c].average_precision;
    }
    m->has_auc = having > 0;
    m->auc = having > 0 ? auc / (double)having : 0;
    m->average_precision = having > 0 ? average_precision / (double)having : 0;
}

fw_status fw_metrics_rank(fw_metrics *m, const fw_predictions *p, bool positive_only, fw_error *err)
{
    FW_FREE uint64_t *a = NULL;
    FW_FREE uint64_t *b = NULL;
    bool binary = p->n_classes == 2;
    FW_TRY(fw_alloc_zeroed((void **)&a, p->n, sizeof *a, "scores to rank", err));
    FW_TRY(fw_alloc_zeroed((void **)&b, p->n, sizeof *b, "scores to rank", err));
    for (size_t c = 0; c < p->n_classes; c++) {
        if (binary && positive_only && c != m->positive) continue;
        uint64_t of_class = 0;
        for (size_t i = 0; i < p->n; i++) {
            bool is = (size_t)p->label[i] == c;
            of_class += is;
            a[i] = row_word(p->p[i * p->n_classes + c], is);
        }
        sort_words(&a, &b, p->n);
        FW_TRY(rank_class(&m->per_class[c], a, p->n, of_class, err));
    }
    mean_over_classes(m);
    if (binary) {
        m->auc = m->per_class[m->positive].auc;
        m->average_precision = m->per_class[m->positive].average_precision;
    }
    return FW_OK;
}
