/** Any bytes given to the decoders of orders and answers: they refuse them with FW_ERR_FORMAT, or what comes out is whole: texts are there, and it
 *  packs and unpacks to the same bytes again. The first byte chooses: even an order, odd an answer. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "proto/command.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds) abort();
}

static void check_values(const fw_value *v, size_t n)
{
    must(n == 0 || v != NULL);
    for (size_t i = 0; i < n; i++) must(v[i].name != NULL);
}

static void try_order(const uint8_t *bytes, size_t len)
{
    FW_AUTO(fw_order) *o = NULL, *again = NULL;
    FW_FREE void *first = NULL;
    FW_FREE void *second = NULL;
    size_t first_len = 0, second_len = 0;
    fw_error err = {0};
    const fw_status s = fw_order_unpack(&o, bytes, len, &err);
    must((s == FW_OK && o != NULL) || ((s == FW_ERR_FORMAT || s == FW_ERR_NOMEM) && o == NULL && err.text[0] != '\0'));
    if (o == NULL) return;
    check_values(o->values, o->n_values);
    must(fw_order_pack(&first, &first_len, o, NULL) == FW_OK);
    must(fw_order_unpack(&again, first, first_len, NULL) == FW_OK);
    must(fw_order_pack(&second, &second_len, again, NULL) == FW_OK);
    must(first_len == second_len && memcmp(first, second, first_len) == 0);
}

static void check_answer(const fw_answer *a)
{
    must(a->status <= FW_END && a->status >= FW_ERR_INTERNAL);
    must(a->text != NULL && a->kind != NULL && a->digest != NULL && (a->payload_len == 0 || a->payload != NULL));
    check_values(a->values, a->n_values);
    for (size_t i = 0; i < a->n_rounds; i++) {
        check_values(a->rounds[i].validation, a->rounds[i].n_validation);
        must(a->rounds[i].n_by_rank == 0 || a->rounds[i].by_rank != NULL);
    }
}

static void try_answer(const uint8_t *bytes, size_t len)
{
    FW_AUTO(fw_answer) *a = NULL, *again = NULL;
    FW_FREE void *first = NULL;
    FW_FREE void *second = NULL;
    size_t first_len = 0, second_len = 0;
    fw_error err = {0};
    const fw_status s = fw_answer_unpack(&a, bytes, len, &err);
    must((s == FW_OK && a != NULL) || ((s == FW_ERR_FORMAT || s == FW_ERR_NOMEM) && a == NULL && err.text[0] != '\0'));
    if (a == NULL) return;
    check_answer(a);
    must(fw_answer_pack(&first, &first_len, a, NULL) == FW_OK);
    must(fw_answer_unpack(&again, first, first_len, NULL) == FW_OK);
    must(fw_answer_pack(&second, &second_len, again, NULL) == FW_OK);
    must(first_len == second_len && memcmp(first, second, first_len) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    if (len == 0) return 0;
    if (bytes[0] % 2 == 0) try_order(bytes + 1, len - 1);
    else try_answer(bytes + 1, len - 1);
    return 0;
}
