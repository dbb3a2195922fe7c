/** The bus: what is sent arrives once and in order, nothing waits past its deadline, and every loss is counted. */
#include <inttypes.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <zmq.h>

#include "common/bus/bus.h"

static fw_mono in_seconds(double s) { return fw_mono_after(fw_mono_now(), s); }

static fw_publisher *publisher_on(fw_bus *bus, const char *endpoint, int high_water)
{
    fw_publisher *p = NULL;
    fw_error err = {0};
    fw_status status = fw_publisher_create(&p, bus, endpoint, &(fw_publisher_opts){.high_water = high_water}, &err);
    if (status != FW_OK) fail_msg("%s", err.text);
    return p;
}

static fw_subscriber *subscriber_on(fw_bus *bus, const char *endpoint, const char *topic)
{
    fw_subscriber *s = NULL;
    fw_error err = {0};
    if (fw_subscriber_create(&s, bus, endpoint, topic, &err) != FW_OK) fail_msg("%s", err.text);
    return s;
}

static void assert_counts_add_up(fw_publisher *p)
{
    fw_publisher_counts c = fw_publisher_count(p);
    assert_int_equal(c.produced, c.delivered + c.unheard + c.dropped);
}

/* one transport a row; the folder of an ipc endpoint is put in */
static const char *const transports[] = {"tcp://127.0.0.1:*", "ipc://%s/bus", "inproc://stream", "tcp://[::1]:*"};

static void every_message_arrives_once_and_in_order(void **state)
{
    const char *folder = *state;
    for (size_t t = 0; t < sizeof transports / sizeof *transports; t++) {
        char endpoint[256];
        snprintf(endpoint, sizeof endpoint, "%s", transports[t]);
        if (strncmp(endpoint, "ipc://", 6) == 0) snprintf(endpoint, sizeof endpoint, "ipc://%s/bus", folder);
        if (strchr(endpoint, '[') != NULL && access("/proc/net/if_inet6", R_OK) != 0) continue;      /* a host without IPv6 */
        FW_AUTO(fw_bus) *bus = NULL;
        assert_int_equal(fw_bus_create(&bus, NULL), FW_OK);
        FW_AUTO(fw_publisher) *p = publisher_on(bus, endpoint, 0);
        FW_AUTO(fw_subscriber) *all = subscriber_on(bus, fw_publisher_endpoint(p), NULL);
        FW_AUTO(fw_subscriber) *some = subscriber_on(bus, fw_publisher_endpoint(p), "even/");
        assert_int_equal(fw_publisher_wait(p, 2, in_seconds(10), NULL), FW_OK);

        enum { N = 5000 };
        for (uint32_t i = 0; i < N; i++) assert_int_equal(fw_publisher_send(p, i % 2 == 0 ? "even/a" : "odd/a", &i, sizeof i, NULL), FW_OK);
        for (uint32_t i = 0; i < N; i++) {
            const char *topic;
            const void *bytes;
            size_t len;
            fw_subscriber *from[] = {all, some};
            for (int s = 0; s < (i % 2 == 0 ? 2 : 1); s++) {
                assert_int_equal(fw_subscriber_receive(from[s], &topic, &bytes, &len, in_seconds(10), NULL), FW_OK);
                assert_string_equal(topic, i % 2 == 0 ? "even/a" : "odd/a");
                assert_int_equal(len, sizeof i);
                assert_memory_equal(bytes, &i, sizeof i);
            }
        }
        fw_publisher_counts c = fw_publisher_count(p);
        assert_int_equal(c.produced, N);
        assert_int_equal(c.delivered, N);
        assert_int_equal(c.readers, 2);
    }
}

static void without_readers_nothing_is_called_delivered(void **state)
{
    (void)state;
    FW_AUTO(fw_bus) *bus = NULL;
    assert_int_equal(fw_bus_create(&bus, NULL), FW_OK);
    FW_AUTO(fw_publisher) *p = publisher_on(bus, "tcp://127.0.0.1:*", 0);
    fw_error err = {0};
    assert_int_equal(fw_publisher_wait(p, 1, in_seconds(0.05), &err), FW_ERR_TIMEOUT);
    assert_non_null(strstr(err.text, "0 of 1 readers"));
    assert_int_equal(fw_publisher_send(p, "a/", "x", 1, NULL), FW_OK);
    FW_AUTO(fw_subscriber) *s = subscriber_on(bus, fw_publisher_endpoint(p), "b/");
    assert_non_null(s);
    assert_int_equal(fw_publisher_wait(p, 1, in_seconds(10), NULL), FW_OK);
    assert_int_equal(fw_publisher_send(p, "a/", "x", 1, NULL), FW_OK);      /* a reader, but of another topic */
    assert_int_equal(fw_publisher_send(p, "b/", "x", 1, NULL), FW_OK);
    fw_publisher_counts c = fw_publisher_count(p);
    assert_int_equal(c.unheard, 2);
    assert_int_equal(c.delivered, 1);
    assert_counts_add_up(p);
}

static void readers_are_counted_when_they_come_and_go(void **state)
{
    (void)state;
    FW_AUTO(fw_bus) *bus = NULL;
    assert_int_equal(fw_bus_create(&bus, NULL), FW_OK);
    FW_AUTO(fw_publisher) *p = publisher_on(bus, "tcp://127.0.0.1:*", 0);
    FW_AUTO(fw_subscriber) *a = subscriber_on(bus, fw_publisher_endpoint(p), "t/");
    FW_AUTO(fw_subscriber) *b = subscriber_on(bus, fw_publisher_endpoint(p), "t/");
    assert_int_equal(fw_publisher_wait(p, 2, in_seconds(10), NULL), FW_OK);
    fw_subscriber_destroy(&a);
    fw_mono deadline = in_seconds(10);
    while (fw_publisher_count(p).readers != 1 && !fw_mono_passed(deadline)) fw_sleep_ms(5);
    assert_int_equal(fw_publisher_count(p).readers, 1);
    assert_int_equal(fw_publisher_send(p, "t/", "x", 1, NULL), FW_OK);
    assert_int_equal(fw_publisher_count(p).delivered, 1);
    fw_subscriber_destroy(&b);
    while (fw_publisher_count(p).readers != 0 && !fw_mono_passed(deadline)) fw_sleep_ms(5);
    assert_int_equal(fw_publisher_send(p, "t/", "x", 1, NULL), FW_OK);
    assert_int_equal(fw_publisher_count(p).unheard, 1);
}

/* A raw SUB that connects and never reads: its own queue, the kernel's and the publisher's fill up. What the publisher may keep, 80 MiB,
 * is more than the buffers of a TCP connection take (Linux: 4 MiB and 6 to 32 MiB), so that some of it cannot leave. */
static void a_reader_that_does_not_read_is_counted_and_never_waited_for(void **state)
{
    (void)state;
    FW_AUTO(fw_bus) *bus = NULL;
    assert_int_equal(fw_bus_create(&bus, NULL), FW_OK);
    FW_AUTO(fw_publisher) *p = publisher_on(bus, "tcp://127.0.0.1:*", 80);
    void *context = zmq_ctx_new(), *stuck = zmq_socket(context, ZMQ_SUB);
    int one = 1, zero = 0;
    zmq_setsockopt(stuck, ZMQ_RCVHWM, &one, sizeof one);
    zmq_setsockopt(stuck, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(stuck, ZMQ_SUBSCRIBE, "", 0);
    assert_int_equal(zmq_connect(stuck, fw_publisher_endpoint(p)), 0);
    assert_int_equal(fw_publisher_wait(p, 1, in_seconds(10), NULL), FW_OK);

    size_t len = 1 << 20;
    char *payload = calloc(1, len);
    assert_non_null(payload);
    double worst = 0;
    for (int i = 0; i < 200; i++) {
        fw_mono start = fw_mono_now();
        assert_int_equal(fw_publisher_send(p, "t/", payload, len, NULL), FW_OK);
        double took = fw_mono_seconds(start, fw_mono_now());
        if (took > worst) worst = took;
    }
    free(payload);
    assert_true(fw_publisher_count(p).dropped > 0);
    assert_counts_add_up(p);
    assert_true(worst < 1.0);

    fw_error err = {0};
    fw_mono start = fw_mono_now();
    assert_int_equal(fw_publisher_close(&p, 200, &err), FW_ERR_TIMEOUT);      /* the queue can't leave: said, not waited for */
    assert_true(fw_mono_seconds(start, fw_mono_now()) < 2.0);
    assert_null(p);
    zmq_close(stuck);
    zmq_ctx_term(context);
}

static void close_waits_for_what_is_queued(void **state)
{
    (void)state;
    FW_AUTO(fw_bus) *bus = NULL;
    assert_int_equal(fw_bus_create(&bus, NULL), FW_OK);
    FW_AUTO(fw_publisher) *p = publisher_on(bus, "tcp://127.0.0.1:*", 0);
    FW_AUTO(fw_subscriber) *s = subscriber_on(bus, fw_publisher_endpoint(p), NULL);
    assert_int_equal(fw_publisher_wait(p, 1, in_seconds(10), NULL), FW_OK);
    enum { N = 500 };
    static char payload[64 << 10];
    for (int i = 0; i < N; i++) assert_int_equal(fw_publisher_send(p, "t/", payload, sizeof payload, NULL), FW_OK);
    assert_int_equal(fw_publisher_close(&p, 20000, NULL), FW_OK);
    const char *topic;
    const void *bytes;
    size_t len;
    for (int i = 0; i < N; i++) assert_int_equal(fw_subscriber_receive(s, &topic, &bytes, &len, in_seconds(10), NULL), FW_OK);
    assert_int_equal(fw_subscriber_receive(s, &topic, &bytes, &len, in_seconds(0.05), NULL), FW_ERR_TIMEOUT);
}

static void wrong_endpoints_are_refused_with_a_reason(void **state)
{
    const char *folder = *state;
    FW_AUTO(fw_bus) *bus = NULL;
    assert_int_equal(fw_bus_create(&bus, NULL), FW_OK);
    assert_int_equal(fw_bus_secure(bus, &(fw_bus_identity){.insecure = true}, NULL), FW_OK);      /* else keys are asked for first */
    FW_AUTO(fw_publisher) *tcp = publisher_on(bus, "tcp://127.0.0.1:*", 0);
    char ipc[256];
    snprintf(ipc, sizeof ipc, "ipc://%s/taken", folder);
    FW_AUTO(fw_publisher) *local = publisher_on(bus, ipc, 0);
    assert_non_null(local);
    const struct { const char *endpoint; fw_status status; const char *text; } rows[] = {
        {fw_publisher_endpoint(tcp), FW_ERR_BUS, "already in use"},
        {ipc, FW_ERR_BUS, "already in use"},
        {"tcp://192.0.2.1:5555", FW_ERR_BUS, "no address of this host"},
        {"tcp://127.0.0.1", FW_ERR_CONFIG, "no port number"},
        {"tcp://127.0.0.1:99999", FW_ERR_CONFIG, "no port number"},
        {"tcp://no address:5555", FW_ERR_BUS, "no address of this host"},
        {"http://127.0.0.1:80", FW_ERR_CONFIG, "tcp://HOST:PORT"},
        {"", FW_ERR_CONFIG, "no endpoint"},
        {NULL, FW_ERR_CONFIG, "no endpoint"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fw_error err = {0};
        fw_publisher *p = NULL;
        assert_int_equal(fw_publisher_create(&p, bus, rows[i].endpoint, NULL, &err), rows[i].status);
        assert_null(p);
        if (strstr(err.text, rows[i].text) == NULL) fail_msg("row %zu: %s", i, err.text);
    }
    fw_subscriber *s = NULL;
    assert_int_equal(fw_subscriber_create(&s, bus, "tcp://127.0.0.1:x", NULL, NULL), FW_ERR_CONFIG);
    assert_null(s);
}

static void messages_of_a_wrong_shape_are_skipped_and_counted(void **state)
{
    (void)state;
    void *context = zmq_ctx_new(), *raw = zmq_socket(context, ZMQ_XPUB);
    char endpoint[64];
    size_t size = sizeof endpoint;
    assert_int_equal(zmq_bind(raw, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(raw, ZMQ_LAST_ENDPOINT, endpoint, &size), 0);
    FW_AUTO(fw_bus) *bus = NULL;
    assert_int_equal(fw_bus_create(&bus, NULL), FW_OK);
    FW_AUTO(fw_subscriber) *s = subscriber_on(bus, endpoint, NULL);
    char subscription[8];
    assert_int_equal(zmq_recv(raw, subscription, sizeof subscription, 0), 1);

    static char long_topic[FW_BUS_MAX_TOPIC + 1];
    memset(long_topic, 't', sizeof long_topic);
    zmq_send(raw, "alone", 5, 0);
    zmq_send(raw, "a", 1, ZMQ_SNDMORE), zmq_send(raw, "b", 1, ZMQ_SNDMORE), zmq_send(raw, "c", 1, 0);
    zmq_send(raw, "nul\0in", 6, ZMQ_SNDMORE), zmq_send(raw, "x", 1, 0);
    zmq_send(raw, long_topic, sizeof long_topic, ZMQ_SNDMORE), zmq_send(raw, "x", 1, 0);
    zmq_send(raw, "good/", 5, ZMQ_SNDMORE), zmq_send(raw, "", 0, 0);
    const char *topic;
    const void *bytes;
    size_t len;
    assert_int_equal(fw_subscriber_receive(s, &topic, &bytes, &len, in_seconds(10), NULL), FW_OK);
    assert_string_equal(topic, "good/");
    assert_int_equal(len, 0);
    assert_int_equal(fw_subscriber_skipped(s), 4);
    zmq_close(raw);
    zmq_ctx_term(context);
}

static void too_large_a_message_is_refused_before_it_is_sent(void **state)
{
    (void)state;
    FW_AUTO(fw_bus) *bus = NULL;
    assert_int_equal(fw_bus_create(&bus, NULL), FW_OK);
    FW_AUTO(fw_publisher) *p = publisher_on(bus, "inproc://large", 0);
    char *large = calloc(1, FW_BUS_MAX_MESSAGE + 1);
    assert_non_null(large);
    assert_int_equal(fw_publisher_send(p, "t/", large, FW_BUS_MAX_MESSAGE + 1, NULL), FW_ERR_ARG);
    free(large);
    assert_int_equal(fw_publisher_count(p).produced, 0);
}

/* Answers each order with the same bytes, until an empty one. */
static void *echo(void *line_pointer)
{
    fw_line *line = line_pointer;
    for (;;) {
        const void *bytes;
        size_t len;
        if (fw_line_receive(line, &bytes, &len, in_seconds(20), NULL) != FW_OK || len == 0) break;
        if (fw_line_send(line, bytes, len, in_seconds(20), NULL) != FW_OK) break;
    }
    fw_line_destroy(&line);
    return NULL;
}

static void ignore_alarm(int number) { (void)number; }

static void a_line_carries_orders_and_answers_between_threads(void **state)
{
    const char *folder = *state;
    char ipc[256];
    snprintf(ipc, sizeof ipc, "ipc://%s/line", folder);
    const char *const endpoints[] = {"inproc://orders", "tcp://127.0.0.1:*", ipc};
    struct sigaction action = {.sa_handler = ignore_alarm};      /* interrupted waits must go on */
    sigaction(SIGALRM, &action, NULL);
    for (size_t e = 0; e < 3; e++) {
        FW_AUTO(fw_bus) *bus = NULL;
        assert_int_equal(fw_bus_create(&bus, NULL), FW_OK);
        FW_AUTO(fw_line) *mine = NULL;
        fw_line *other = NULL;
        assert_int_equal(fw_line_bind(&mine, bus, endpoints[e], NULL), FW_OK);
        assert_int_equal(fw_line_connect(&other, bus, fw_line_endpoint(mine), NULL), FW_OK);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, echo, other), 0);
        ualarm(2000, 2000);
        for (uint32_t i = 1; i <= 2000; i++) {
            const void *bytes;
            size_t len;
            assert_int_equal(fw_line_send(mine, &i, sizeof i, in_seconds(20), NULL), FW_OK);
            assert_int_equal(fw_line_receive(mine, &bytes, &len, in_seconds(20), NULL), FW_OK);
            assert_int_equal(len, sizeof i);
            assert_memory_equal(bytes, &i, sizeof i);
        }
        ualarm(0, 0);
        assert_int_equal(fw_line_send(mine, "", 0, in_seconds(20), NULL), FW_OK);
        pthread_join(thread, NULL);
    }
}

static void a_line_keeps_its_deadlines(void **state)
{
    (void)state;
    FW_AUTO(fw_bus) *bus = NULL;
    assert_int_equal(fw_bus_create(&bus, NULL), FW_OK);
    FW_AUTO(fw_line) *line = NULL;
    assert_int_equal(fw_line_bind(&line, bus, "tcp://127.0.0.1:*", NULL), FW_OK);
    const void *bytes;
    size_t len;
    struct sigaction action = {.sa_handler = ignore_alarm};
    sigaction(SIGALRM, &action, NULL);
    ualarm(2000, 2000);
    fw_mono start = fw_mono_now();
    assert_int_equal(fw_line_receive(line, &bytes, &len, in_seconds(0.2), NULL), FW_ERR_TIMEOUT);
    assert_int_equal(fw_line_send(line, "x", 1, in_seconds(0.2), NULL), FW_ERR_TIMEOUT);      /* nobody at the other end */
    double took = fw_mono_seconds(start, fw_mono_now());
    ualarm(0, 0);
    assert_true(took >= 0.39 && took < 3.0);
}

static void the_last_message_of_a_line_arrives_after_its_sender_left(void **state)
{
    (void)state;
    FW_AUTO(fw_bus) *mine = NULL;
    FW_AUTO(fw_bus) *theirs = NULL;
    assert_int_equal(fw_bus_create(&mine, NULL), FW_OK);
    assert_int_equal(fw_bus_create(&theirs, NULL), FW_OK);
    FW_AUTO(fw_line) *listening = NULL;
    assert_int_equal(fw_line_bind(&listening, mine, "tcp://127.0.0.1:*", NULL), FW_OK);
    fw_line *leaving = NULL;
    assert_int_equal(fw_line_connect(&leaving, theirs, fw_line_endpoint(listening), NULL), FW_OK);
    assert_int_equal(fw_line_send(leaving, "close", 5, in_seconds(10), NULL), FW_OK);
    fw_line_destroy(&leaving);
    fw_bus_destroy(&theirs);
    const void *bytes;
    size_t len;
    assert_int_equal(fw_line_receive(listening, &bytes, &len, in_seconds(10), NULL), FW_OK);
    assert_int_equal(len, 5);
    assert_memory_equal(bytes, "close", 5);
}

static void the_order_of_destruction_does_not_matter(void **state)
{
    (void)state;
    fw_bus *bus = NULL;
    fw_line *a = NULL, *b = NULL;
    fw_publisher *p = NULL;
    assert_int_equal(fw_bus_create(&bus, NULL), FW_OK);
    assert_int_equal(fw_line_bind(&a, bus, "inproc://x", NULL), FW_OK);
    assert_int_equal(fw_line_connect(&b, bus, "inproc://x", NULL), FW_OK);
    p = publisher_on(bus, "tcp://127.0.0.1:*", 0);
    fw_bus_destroy(&bus);
    assert_null(bus);
    const void *bytes;
    size_t len;
    assert_int_equal(fw_line_send(a, "x", 1, in_seconds(5), NULL), FW_OK);
    assert_int_equal(fw_line_receive(b, &bytes, &len, in_seconds(5), NULL), FW_OK);
    fw_line_destroy(&a);
    fw_publisher_destroy(&p);
    fw_line_destroy(&b);
    fw_publisher_destroy(&p);
    fw_bus_destroy(&bus);
    fw_bus_destroy(NULL);
}

static int make_folder(void **state)
{
    const char *base = getenv("TMPDIR");
    char *folder = NULL;
    if (asprintf(&folder, "%s/fw-bus-XXXXXX", base != NULL && strlen(base) < 60 ? base : "/tmp") < 0 || mkdtemp(folder) == NULL) return -1;
    *state = folder;
    return 0;
}

static int remove_folder(void **state)
{
    static const char *const names[] = {"bus", "taken", "line"};
    for (size_t i = 0; i < 3; i++) {
        char path[256];
        snprintf(path, sizeof path, "%s/%s", (char *)*state, names[i]);
        unlink(path);
    }
    rmdir(*state);
    free(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_arrives_once_and_in_order),
        cmocka_unit_test(without_readers_nothing_is_called_delivered),
        cmocka_unit_test(readers_are_counted_when_they_come_and_go),
        cmocka_unit_test(a_reader_that_does_not_read_is_counted_and_never_waited_for),
        cmocka_unit_test(close_waits_for_what_is_queued),
        cmocka_unit_test(wrong_endpoints_are_refused_with_a_reason),
        cmocka_unit_test(messages_of_a_wrong_shape_are_skipped_and_counted),
        cmocka_unit_test(too_large_a_message_is_refused_before_it_is_sent),
        cmocka_unit_test(a_line_carries_orders_and_answers_between_threads),
        cmocka_unit_test(a_line_keeps_its_deadlines),
        cmocka_unit_test(the_last_message_of_a_line_arrives_after_its_sender_left),
        cmocka_unit_test(the_order_of_destruction_does_not_matter),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
