#include "common/data/block.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/core/size.h"

static const fw_column_type TYPES[] = {FW_NUMBER, FW_CATEGORY, FW_TEXT, FW_TIME, FW_IMAGE};

static fw_schema *five_columns(void)
{
    fw_schema *s = NULL;
    assert_int_equal(fw_schema_create(&s, 5, NULL), FW_OK);
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(fw_copy_text(&s->columns[i].name, fw_column_type_name(TYPES[i]), NULL), FW_OK);
        s->columns[i].type = TYPES[i];
    }
    s->columns[4].height = 2, s->columns[4].width = 1, s->columns[4].channels = 3;
    return s;
}

/* Row k of an endless table; every third value is missing. */
static void add_row(fw_block *b, uint64_t k)
{
    size_t i = b->n_rows;
    char text[32];
    int len = snprintf(text, (size_t)(1 + k % 31), "text of row %llu", (unsigned long long)k);
    if (len > (int)(k % 31)) len = (int)(k % 31);
    for (size_t c = 0; c < 5; c++) b->cells[c].missing[i] = 0;
    b->cells[0].number[i] = (double)k / 3;
    b->cells[1].code[i] = (int32_t)(k % 7);
    b->cells[3].time_us[i] = (int64_t)k * 1000003;
    memset(b->cells[4].pixels + i * 6, (int)(k % 251), 6);
    if (k % 3 != 2) assert_int_equal(fw_block_set_text(b, 2, i, text, (size_t)len, NULL), FW_OK);
    for (size_t c = 0; k % 3 == 2 && c < 5; c++) assert_int_equal(fw_block_set_missing(b, c, i, NULL), FW_OK);
    b->row[i] = k;
    b->n_rows++;
}

static void assert_row(const fw_block *b, size_t i, const fw_block *wanted, size_t k)
{
    assert_int_equal(b->row[i], wanted->row[k]);
    for (size_t c = 0; c < 5; c++) assert_int_equal(b->cells[c].missing[i], wanted->cells[c].missing[k]);
    assert_true(b->cells[0].number[i] == wanted->cells[0].number[k]);
    assert_int_equal(b->cells[1].code[i], wanted->cells[1].code[k]);
    assert_int_equal(b->cells[3].time_us[i], wanted->cells[3].time_us[k]);
    assert_memory_equal(b->cells[4].pixels + i * 6, wanted->cells[4].pixels + k * 6, 6);
    const fw_cells *x = &b->cells[2], *y = &wanted->cells[2];
    assert_int_equal(x->text_at[i + 1] - x->text_at[i], y->text_at[k + 1] - y->text_at[k]);
    if (x->text_at[i + 1] > x->text_at[i])
        assert_memory_equal(x->text_bytes + x->text_at[i], y->text_bytes + y->text_at[k], (size_t)(x->text_at[i + 1] - x->text_at[i]));
}

/* A block that grows row by row holds what one that was large from the start holds. */
static void growing_keeps_every_cell(void **state)
{
    (void)state;
    FW_AUTO(fw_schema) *s = five_columns();
    FW_AUTO(fw_block) *grown = NULL;
    FW_AUTO(fw_block) *large = NULL;
    assert_int_equal(fw_block_create(&grown, s, 0, NULL), FW_OK);
    assert_int_equal(fw_block_create(&large, s, 100, NULL), FW_OK);
    for (uint64_t k = 0; k < 100; k++) {
        assert_int_equal(fw_block_reserve(grown, grown->n_rows + 1, NULL), FW_OK);
        add_row(grown, k);
        add_row(large, k);
    }
    for (size_t i = 0; i < 100; i++) assert_row(grown, i, large, i);
    assert_int_equal(grown->cells[1].code[2], FW_CODE_MISSING);
    assert_int_equal(grown->cells[0].missing[2], 1);
    assert_true(grown->cells[0].number[2] == 0.0);
}

static void appending_copies_rows_in_order(void **state)
{
    (void)state;
    FW_AUTO(fw_schema) *s = five_columns();
    FW_AUTO(fw_block) *from = NULL;
    FW_AUTO(fw_block) *into = NULL;
    assert_int_equal(fw_block_create(&from, s, 50, NULL), FW_OK);
    assert_int_equal(fw_block_create(&into, s, 20, NULL), FW_OK);
    for (uint64_t k = 0; k < 50; k++) add_row(from, k);
    assert_int_equal(fw_block_append(into, from, 40, 10, NULL), FW_OK);
    assert_int_equal(fw_block_append(into, from, 7, 0, NULL), FW_OK);
    assert_int_equal(fw_block_append(into, from, 1, 10, NULL), FW_OK);
    assert_int_equal(into->n_rows, 20);
    for (size_t i = 0; i < 20; i++) assert_row(into, i, from, i < 10 ? 40 + i : i - 9);
    assert_int_equal(fw_block_append(into, from, 0, 1, NULL), FW_ERR_ARG);            /* full */
    fw_block_clear(into);
    assert_int_equal(fw_block_append(into, from, 45, 6, NULL), FW_ERR_ARG);           /* beyond the end */
    assert_int_equal(fw_block_append(into, from, 0, 20, NULL), FW_OK);
    for (size_t i = 0; i < 20; i++) assert_row(into, i, from, i);
}

static void other_columns_are_refused(void **state)
{
    (void)state;
    FW_AUTO(fw_schema) *s = five_columns();
    FW_AUTO(fw_schema) *other = five_columns();
    FW_AUTO(fw_block) *a = NULL;
    FW_AUTO(fw_block) *b = NULL;
    other->columns[4].width = 2;
    assert_int_equal(fw_block_create(&a, s, 2, NULL), FW_OK);
    assert_int_equal(fw_block_create(&b, other, 2, NULL), FW_OK);
    add_row(a, 0);
    assert_int_equal(fw_block_append(b, a, 0, 1, NULL), FW_ERR_ARG);
    assert_int_equal(b->n_rows, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(growing_keeps_every_cell),
        cmocka_unit_test(appending_copies_rows_in_order),
        cmocka_unit_test(other_columns_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
