/** The desk: many lines come to one place and are answered each for itself; without the right key nothing comes through. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/bus/bus.h"

#define HERE "tcp://127.0.0.1:*"

static fw_mono in_seconds(double s) { return fw_mono_after(fw_mono_now(), s); }

typedef struct place { fw_bus *bus; fw_desk *desk; fw_bus_keys keys; } place;

static void open_place(place *p)
{
    fw_error err = {0};
    *p = (place){0};
    assert_int_equal(fw_bus_create(&p->bus, NULL), FW_OK);
    assert_int_equal(fw_bus_make_keys(&p->keys, NULL), FW_OK);
    if (fw_desk_bind(&p->desk, p->bus, HERE, &p->keys, &err) != FW_OK) fail_msg("%s", err.text);
}

static void close_place(place *p)
{
    fw_desk_destroy(&p->desk);
    fw_bus_destroy(&p->bus);
}

static fw_line *line_to(const place *p, const char *key, const char *name)
{
    fw_line *l = NULL;
    assert_int_equal(fw_line_to_desk(&l, p->bus, fw_desk_endpoint(p->desk), key, name, NULL), FW_OK);
    return l;
}

static uint32_t hear(fw_desk *d, fw_caller *from)
{
    const void *bytes = NULL;
    size_t len = 0;
    uint32_t number = 0;
    for (;;) {
        fw_status s = fw_desk_receive(d, from, &bytes, &len, NULL);
        if (s == FW_OK) break;
        assert_int_equal(s, FW_END);
        assert_int_equal(fw_desk_wait(d, NULL, in_seconds(10), NULL), FW_OK);
    }
    assert_int_equal(len, sizeof number);
    memcpy(&number, bytes, len);
    return number;
}

static uint32_t answer_to(fw_line *l)
{
    const void *bytes = NULL;
    size_t len = 0;
    uint32_t number = 0;
    assert_int_equal(fw_line_receive(l, &bytes, &len, in_seconds(10), NULL), FW_OK);
    assert_int_equal(len, sizeof number);
    memcpy(&number, bytes, len);                 /* the bytes of a message stand anywhere */
    return number;
}

static void each_caller_gets_its_own_answer(void **state)
{
    (void)state;
    enum { N = 5 };
    place p;
    open_place(&p);
    fw_line *line[N];
    for (uint32_t i = 0; i < N; i++) {
        char name[8];
        snprintf(name, sizeof name, "line%u", i);
        line[i] = line_to(&p, p.keys.public_key, i == 0 ? NULL : name);
        assert_int_equal(fw_line_send(line[i], &i, sizeof i, in_seconds(10), NULL), FW_OK);
    }
    for (int i = 0; i < N; i++) {
        fw_caller from;
        uint32_t number = hear(p.desk, &from);
        if (number > 0) assert_int_equal(from.name[4], '0' + number);
        number += 100;
        assert_int_equal(fw_desk_send(p.desk, &from, &number, sizeof number, NULL), FW_OK);
    }
    for (uint32_t i = 0; i < N; i++) {
        assert_int_equal(answer_to(line[i]), i + 100);
        fw_line_destroy(&line[i]);
    }
    close_place(&p);
}

static void a_wrong_key_comes_to_nobody(void **state)
{
    (void)state;
    place p;
    fw_bus_keys other;
    open_place(&p);
    assert_int_equal(fw_bus_make_keys(&other, NULL), FW_OK);
    const uint32_t number = 7;
    FW_AUTO(fw_line) *line = line_to(&p, other.public_key, NULL);
    fw_line_send(line, &number, sizeof number, in_seconds(0.1), NULL);
    fw_error err = {0};
    assert_int_equal(fw_desk_wait(p.desk, NULL, in_seconds(0.5), &err), FW_ERR_TIMEOUT);
    close_place(&p);
}

static void nobody_there_is_said_at_once(void **state)
{
    (void)state;
    place p;
    open_place(&p);
    const fw_caller nobody = {.name = "nobody", .len = 6};
    assert_int_equal(fw_desk_send(p.desk, &nobody, "x", 1, NULL), FW_END);
    close_place(&p);
}

/* A leader whose connection broke is known again by its name. */
static void a_name_comes_back_on_a_new_connection(void **state)
{
    (void)state;
    place p;
    fw_line *left_open = NULL;
    open_place(&p);
    for (uint32_t i = 1; i <= 3; i++) {
        fw_caller from;
        fw_line *line = line_to(&p, p.keys.public_key, "leader");
        assert_int_equal(fw_line_send(line, &i, sizeof i, in_seconds(10), NULL), FW_OK);
        assert_int_equal(hear(p.desk, &from), i);
        assert_int_equal(from.len, 6);
        assert_int_equal(fw_desk_send(p.desk, &from, &i, sizeof i, NULL), FW_OK);
        assert_int_equal(answer_to(line), i);
        if (i == 2) left_open = line;     /* the third comes while the second still stands */
        else fw_line_destroy(&line);
    }
    fw_line_destroy(&left_open);
    close_place(&p);
}

static void it_waits_for_the_line_beside_it_too(void **state)
{
    (void)state;
    place p;
    open_place(&p);
    FW_AUTO(fw_line) *mine = NULL;
    FW_AUTO(fw_line) *theirs = NULL;
    assert_int_equal(fw_line_bind(&mine, p.bus, "inproc://beside", NULL), FW_OK);
    assert_int_equal(fw_line_connect(&theirs, p.bus, "inproc://beside", NULL), FW_OK);
    assert_int_equal(fw_desk_wait(p.desk, mine, in_seconds(0.05), NULL), FW_ERR_TIMEOUT);
    assert_int_equal(fw_line_send(theirs, "x", 1, in_seconds(10), NULL), FW_OK);
    assert_int_equal(fw_desk_wait(p.desk, mine, in_seconds(10), NULL), FW_OK);
    fw_line_destroy(&mine);
    fw_line_destroy(&theirs);
    close_place(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_caller_gets_its_own_answer),
        cmocka_unit_test(a_wrong_key_comes_to_nobody),
        cmocka_unit_test(nobody_there_is_said_at_once),
        cmocka_unit_test(a_name_comes_back_on_a_new_connection),
        cmocka_unit_test(it_waits_for_the_line_beside_it_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
