/** Messages of a gang: what is packed comes out the same; what is cut, changed, too long or made up is refused. */
#include "proto/gang.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/core/random.h"
#include "common/core/size.h"

static const fw_gang_message messages[] = {
    {.kind = FW_GANG_HELLO, .token = {1, 2, 0, 255}, .generation = 3, .size = 64, .host = "n0"},
    {.kind = FW_GANG_HEARTBEAT, .token = {9}, .generation = UINT64_MAX, .rank = FW_GANG_MAX_RANKS - 1, .pid = INT32_MAX, .started = 123456789,
     .round = 3, .step = UINT64_MAX, .made = 1ull << 40, .host = "n1.example", .phase = "0123456789abcdef"},
    {.kind = FW_GANG_HEARTBEAT, .generation = 1, .pid = 7},
    {.kind = FW_GANG_LEASE, .generation = 1},
    {.kind = FW_GANG_LEASE, .generation = 1, .stop = true},
};
#define N (sizeof messages / sizeof *messages)

static void *packed(size_t *len, const fw_gang_message *m)
{
    void *bytes = NULL;
    assert_int_equal(fw_gang_pack(&bytes, len, m, NULL), FW_OK);
    return bytes;
}

static void what_is_packed_comes_out(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++) {
        size_t len = 0;
        fw_gang_message got;
        FW_FREE void *bytes = packed(&len, &messages[i]);
        assert_int_equal(fw_gang_unpack(&got, bytes, len, NULL), FW_OK);
        assert_memory_equal(&got, &messages[i], sizeof got);
    }
}

/* One wrong thing a row; the message is otherwise a good heartbeat. */
static void what_breaks_a_limit_is_refused(void **state)
{
    (void)state;
    const fw_gang_message bad[] = {
        {.kind = FW_GANG_HEARTBEAT, .rank = FW_GANG_MAX_RANKS, .pid = 1},
        {.kind = FW_GANG_HEARTBEAT, .pid = 0x80000000u},
        {.kind = FW_GANG_HEARTBEAT, .pid = 1, .host = "\xff\xfe"},
        {.kind = FW_GANG_HELLO, .size = 0},
        {.kind = FW_GANG_HELLO, .size = FW_GANG_MAX_RANKS + 1},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t len = 0;
        fw_error err = {0};
        fw_gang_message got = {.generation = 77};
        FW_FREE void *bytes = packed(&len, &bad[i]);
        assert_int_equal(fw_gang_unpack(&got, bytes, len, &err), FW_ERR_FORMAT);
        assert_true(err.text[0] != '\0');
        assert_int_equal(got.generation, 77);
    }
    char long_one[FW_GANG_MAX_BYTES + 1] = {0};
    fw_gang_message got;
    assert_int_equal(fw_gang_unpack(&got, long_one, sizeof long_one, NULL), FW_ERR_FORMAT);
    assert_int_equal(fw_gang_unpack(&got, "", 0, NULL), FW_ERR_FORMAT);
    const uint8_t short_token[] = {0x0a, 2, 1, 2, 0x62, 0};       /* a lease with a token of two bytes */
    assert_int_equal(fw_gang_unpack(&got, short_token, sizeof short_token, NULL), FW_ERR_FORMAT);
}

static void cut_or_changed_bytes_are_refused_or_harmless(void **state)
{
    (void)state;
    for (size_t i = 0; i < N; i++) {
        size_t len = 0;
        FW_FREE uint8_t *bytes = packed(&len, &messages[i]);
        for (size_t cut = 0; cut < len; cut++) {
            fw_gang_message got;
            FW_FREE uint8_t *part = malloc(cut + 1);
            memcpy(part, bytes, cut);
            const fw_status s = fw_gang_unpack(&got, part, cut, NULL);
            assert_true(s == FW_OK || s == FW_ERR_FORMAT);
        }
        for (uint32_t k = 0; k < 2000; k++) {
            const fw_philox draw = fw_random(1, FW_RANDOM_TEST, 0, i, k);
            fw_gang_message got;
            FW_FREE uint8_t *changed = malloc(len);
            memcpy(changed, bytes, len);
            changed[draw.word[0] % len] = (uint8_t)draw.word[1];
            const fw_status s = fw_gang_unpack(&got, changed, len, NULL);
            assert_true(s == FW_OK || s == FW_ERR_FORMAT);
            if (s == FW_OK) assert_true(got.rank < FW_GANG_MAX_RANKS && memchr(got.host, 0, sizeof got.host) != NULL);
        }
    }
}

static void a_token_differs_by_one_bit(void **state)
{
    (void)state;
    uint8_t a[FW_GANG_TOKEN] = {1}, b[FW_GANG_TOKEN] = {1};
    assert_true(fw_gang_same_token(a, b));
    for (int i = 0; i < FW_GANG_TOKEN; i++) {
        b[i] ^= 0x80;
        assert_false(fw_gang_same_token(a, b));
        b[i] ^= 0x80;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_out),
        cmocka_unit_test(what_breaks_a_limit_is_refused),
        cmocka_unit_test(cut_or_changed_bytes_are_refused_or_harmless),
        cmocka_unit_test(a_token_differs_by_one_bit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
