#include "coordinator/commands/learning_rate.h"

#include <stdio.h>

#include "common/core/size.h"

/* Mean loss of `width` steps from `first` on: one batch alone is noise. */
static double mean_loss(const fw_answer *a, size_t first, size_t width)
{
    double sum = 0.0;
    for (size_t i = first; i < first + width; i++) sum += a->rounds[i].train_loss;
    return sum / (double)width;
}

/* The middle of the two neighbouring tenths of the test between which the mean loss falls most, none behind the lowest loss. */
static size_t steepest_step(const fw_answer *a, size_t lowest)
{
    const size_t width = a->n_rounds / 10;
    size_t steepest = 0;
    double slope = 0.0;
    for (size_t i = width; i <= lowest && i + width <= a->n_rounds; i++) {
        const double d = mean_loss(a, i, width) - mean_loss(a, i - width, width);
        if (d >= slope) continue;
        slope = d;
        steepest = i;
    }
    return steepest;
}

static void print_rates(const fw_answer *a)
{
    const size_t n = a->n_rounds, step = FW_MAX(n / 20, (size_t)1);
    size_t lowest = n / 10;                 /* the first steps are one batch each, easy or hard */
    printf("%12s  %10s\n", "rate", "loss");
    for (size_t i = 0; i < n; i++) {
        const fw_round_result *r = a->rounds;
        if (i % step == 0 || i + 1 == n) printf("%12.3e  %10.5f\n", r[i].learning_rate, r[i].train_loss);
        if (i > lowest && r[i].train_loss < r[lowest].train_loss) lowest = i;
    }
    if (n < 20) {
        printf("suggestion: none, it diverged after %zu steps; start lower\n", n);
        return;
    }
    const size_t steepest = steepest_step(a, lowest);
    if (steepest == 0) {
        printf("suggestion: none, the loss does not fall at any rate\n");
        return;
    }
    double suggestion = FW_MIN(a->rounds[steepest].learning_rate, a->rounds[lowest].learning_rate / 3.0);
    printf("suggestion: train.learning_rate: %.1e   (the loss falls fastest near %.1e and is lowest at %.1e)\n", suggestion,
           a->rounds[steepest].learning_rate, a->rounds[lowest].learning_rate);
}

fw_status coord_find_rate(coord_training *t, fw_error *err)
{
    FW_AUTO(fw_answer) *a = NULL;
    fw_order find = {.kind = FW_ORDER_FIND_RATE, .low = 1e-6, .high = 10.0, .steps = 200};
    FW_TRY(coord_training_create_learner(t, err));
    FW_TRY(coord_group_order(t->group, &find, coord_print_notes, NULL, &a, err));
    print_rates(a);
    return FW_OK;
}
