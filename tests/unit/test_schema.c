#include "common/data/schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/core/size.h"
#include "common/core/text.h"

static fw_schema *example(void)
{
    static const char *const names[] = {"age", "job", "note \"q\" \xc3\xa9", "when", "photo"};
    fw_schema *s = NULL;
    int32_t code;
    assert_int_equal(fw_schema_create(&s, 5, NULL), FW_OK);
    assert_int_equal(s->target, -1);
    for (size_t i = 0; i < 5; i++) assert_int_equal(fw_copy_text(&s->columns[i].name, names[i], NULL), FW_OK);
    s->columns[0].inferred = true;
    s->columns[1].type = FW_CATEGORY;
    assert_int_equal(fw_dict_create(&s->columns[1].dict, NULL), FW_OK);
    assert_int_equal(fw_dict_add(&code, s->columns[1].dict, "", 0, NULL), FW_OK);
    assert_int_equal(fw_dict_add(&code, s->columns[1].dict, "cook", 4, NULL), FW_OK);
    s->columns[2].type = FW_TEXT;
    s->columns[3].type = FW_TIME;
    s->columns[4] = (fw_column){.name = s->columns[4].name, .type = FW_IMAGE, .height = 28, .width = 30, .channels = 3};
    s->target = 1;
    return s;
}

static void assert_same(const fw_schema *a, const fw_schema *b)
{
    assert_int_equal(a->n_columns, b->n_columns);
    assert_int_equal(a->target, b->target);
    for (size_t i = 0; i < a->n_columns; i++) {
        const fw_column *x = &a->columns[i], *y = &b->columns[i];
        assert_string_equal(x->name, y->name);
        assert_true(x->type == y->type && x->inferred == y->inferred && x->height == y->height && x->width == y->width && x->channels == y->channels);
        assert_true((x->dict == NULL) == (y->dict == NULL));
        for (size_t k = 0; x->dict != NULL && k < fw_dict_size(x->dict); k++)
            assert_string_equal(fw_dict_text(x->dict, (int32_t)k, NULL), fw_dict_text(y->dict, (int32_t)k, NULL));
        if (x->dict != NULL) assert_int_equal(fw_dict_size(x->dict), fw_dict_size(y->dict));
    }
}

static void comes_back_from_json_and_from_a_copy(void **state)
{
    (void)state;
    FW_AUTO(fw_schema) *s = example();
    FW_AUTO(fw_schema) *read = NULL;
    FW_AUTO(fw_schema) *copy = NULL;
    json_t *j = NULL;
    assert_int_equal(fw_schema_to_json(&j, s, NULL), FW_OK);
    char *text = json_dumps(j, JSON_COMPACT);
    json_t *again = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(fw_schema_from_json(&read, again, NULL), FW_OK);
    assert_same(s, read);
    assert_int_equal(fw_schema_copy(&copy, s, NULL), FW_OK);
    assert_same(s, copy);
    assert_ptr_not_equal(copy->columns[1].dict, s->columns[1].dict);
    json_decref(j);
    json_decref(again);
    free(text);
}

static void finds_columns_and_knows_their_cells(void **state)
{
    (void)state;
    static const size_t bytes[] = {8, 4, 0, 8, 28 * 30 * 3};
    FW_AUTO(fw_schema) *s = example();
    assert_int_equal(fw_schema_find(s, "when"), 3);
    assert_int_equal(fw_schema_find(s, "When"), -1);
    assert_int_equal(fw_schema_find(s, NULL), -1);
    for (size_t i = 0; i < 5; i++) assert_int_equal(fw_column_cell_bytes(&s->columns[i]), bytes[i]);
    for (int t = FW_NUMBER; t <= FW_IMAGE; t++) {
        fw_column_type back;
        assert_true(fw_column_type_parse(&back, fw_column_type_name((fw_column_type)t)));
        assert_int_equal(back, t);
    }
    fw_column_type unused;
    assert_false(fw_column_type_parse(&unused, "numeric"));
}

static void wrong_json_is_refused(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "[]",
        "{}",
        "{\"target\": -1, \"columns\": {}}",
        "{\"target\": 1, \"columns\": [{\"name\": \"a\", \"type\": \"number\", \"inferred\": false}]}",
        "{\"target\": -2, \"columns\": []}",
        "{\"target\": 0.5, \"columns\": []}",
        "{\"target\": -1, \"columns\": [3]}",
        "{\"target\": -1, \"columns\": [{\"name\": \"\", \"type\": \"number\", \"inferred\": false}]}",
        "{\"target\": -1, \"columns\": [{\"name\": \"a\\u0000b\", \"type\": \"number\", \"inferred\": false}]}",
        "{\"target\": -1, \"columns\": [{\"name\": \"a\", \"type\": \"real\", \"inferred\": false}]}",
        "{\"target\": -1, \"columns\": [{\"name\": \"a\", \"type\": \"number\"}]}",
        "{\"target\": -1, \"columns\": [{\"name\": \"a\", \"type\": \"number\", \"inferred\": false, \"categories\": []}]}",
        "{\"target\": -1, \"columns\": [{\"name\": \"a\", \"type\": \"category\", \"inferred\": false, \"categories\": {}}]}",
        "{\"target\": -1, \"columns\": [{\"name\": \"a\", \"type\": \"category\", \"inferred\": false}]}",
        "{\"target\": -1, \"columns\": [{\"name\": \"a\", \"type\": \"category\", \"inferred\": false, \"categories\": [1]}]}",
        "{\"target\": -1, \"columns\": [{\"name\": \"a\", \"type\": \"category\", \"inferred\": false, \"categories\": [\"x\", \"x\"]}]}",
        "{\"target\": -1, \"columns\": [{\"name\": \"a\", \"type\": \"image\", \"inferred\": false, \"height\": 2, \"width\": 2}]}",
        "{\"target\": -1, \"columns\": [{\"name\": \"a\", \"type\": \"image\", \"inferred\": false, \"height\": 0, \"width\": 2, \"channels\": 1}]}",
        "{\"target\": -1, \"columns\": [{\"name\": \"a\", \"type\": \"image\", \"inferred\": false, \"height\": 99999, \"width\": 99999, \"channels\": 1}]}",
        "{\"target\": -1, \"columns\": [{\"name\": \"a\", \"type\": \"time\", \"inferred\": false}, {\"name\": \"a\", \"type\": \"text\", \"inferred\": false}]}",
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *j = json_loads(cases[i], JSON_ALLOW_NUL, NULL);
        assert_non_null(j);
        fw_schema *s = NULL;
        fw_error err = {0};
        if (fw_schema_from_json(&s, j, &err) != FW_ERR_FORMAT) fail_msg("taken: %s", cases[i]);
        assert_null(s);
        assert_true(err.text[0] != '\0');
        json_decref(j);
    }
    assert_int_equal(fw_schema_from_json(&(fw_schema *){NULL}, NULL, NULL), FW_ERR_FORMAT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(comes_back_from_json_and_from_a_copy),
        cmocka_unit_test(finds_columns_and_knows_their_cells),
        cmocka_unit_test(wrong_json_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
