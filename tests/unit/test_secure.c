/** A bus with keys: the right one hears everything, a wrong one nothing and is counted; and without keys nothing leaves this host. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <zmq.h>

#include "common/bus/address.h"
#include "common/bus/socket.h"
#include "common/core/fs.h"
#include "common/core/log.h"
#include "tests/unit/scratch.h"

#define HERE    "tcp://127.0.0.1:*"
#define SILENCE 0.7                  /* seconds in which one who is let in would have heard many messages */

static fw_mono in_seconds(double s) { return fw_mono_after(fw_mono_now(), s); }

/** A folder with a publisher and a reader, which is not let in yet. */
typedef struct place { scratch s; fw_bus_keys publisher, reader; char allowed[600]; } place;

static int open_place(void **state)
{
    static place p;
    *state = &p;
    if (!scratch_make(&p.s) || fw_keys_create(&p.publisher, p.s.dir, FW_KEYS_PUBLISHER, NULL) < 0) return -1;
    if (fw_keys_create(&p.reader, p.s.dir, FW_KEYS_READER, NULL) < 0) return -1;
    snprintf(p.allowed, sizeof p.allowed, "%s/%s", p.s.dir, FW_ALLOWED_FILE);
    return 0;
}

static int close_place(void **state)
{
    scratch_remove(&((place *)*state)->s);
    return 0;
}

static void allow(const place *p, const char *key, fw_role role, const char *name)
{
    fw_allowed_key k = {.role = role};
    fw_role before;
    snprintf(k.key, sizeof k.key, "%s", key);
    snprintf(k.name, sizeof k.name, "%s", name);
    assert_int_equal(fw_allowed_add(p->allowed, &k, &before, NULL), FW_OK);
}

static fw_bus *bus_with(const char *keys)
{
    fw_bus *b = NULL;
    fw_error err = {0};
    assert_int_equal(fw_bus_create(&b, NULL), FW_OK);
    if (keys != NULL && fw_bus_secure(b, &(fw_bus_identity){.keys = keys}, &err) != FW_OK) fail_msg("%s", err.text);
    return b;
}

static fw_publisher *publisher_of(fw_bus *b, const char *endpoint)
{
    fw_publisher *p = NULL;
    fw_error err = {0};
    if (fw_publisher_create(&p, b, endpoint, NULL, &err) != FW_OK) fail_msg("%s", err.text);
    return p;
}

static fw_subscriber *subscriber_of(fw_bus *b, const fw_publisher *p)
{
    fw_subscriber *s = NULL;
    fw_error err = {0};
    if (fw_subscriber_create(&s, b, fw_publisher_endpoint(p), NULL, &err) != FW_OK) fail_msg("%s", err.text);
    return s;
}

/** Publishes until the reader hears one, or the time is over. */
static bool hears(fw_publisher *p, fw_subscriber *s, double seconds)
{
    const fw_mono deadline = in_seconds(seconds);
    while (!fw_mono_passed(deadline)) {
        const char *topic;
        const void *bytes;
        size_t len;
        assert_int_equal(fw_publisher_send(p, "t/", "hello", 5, NULL), FW_OK);
        if (fw_subscriber_receive(s, &topic, &bytes, &len, in_seconds(0.02), NULL) != FW_OK) continue;
        assert_int_equal(len, 5);
        assert_memory_equal(bytes, "hello", 5);
        return true;
    }
    return false;
}

/** What the reader is told within the time; NULL: nothing. */
static const char *told(fw_publisher *p, fw_subscriber *s, double seconds)
{
    const fw_mono deadline = in_seconds(seconds);
    const char *trouble = NULL;
    do {
        hears(p, s, 0.05);
        trouble = fw_subscriber_trouble(s);
    } while (trouble == NULL && !fw_mono_passed(deadline));
    return trouble;
}

static void assert_told(fw_publisher *p, fw_subscriber *s, const char *text)
{
    const char *trouble = told(p, s, 20);
    if (trouble == NULL) fail_msg("nothing was told; expected: %s", text);
    if (strstr(trouble, text) == NULL || strstr(trouble, fw_publisher_endpoint(p)) != trouble) fail_msg("%s", trouble);
}

static uint64_t refused(fw_bus *b, fw_refused why, const char *address)
{
    fw_refusal all[FW_REFUSED_ADDRESSES + 4];
    const size_t n = fw_bus_refusals(b, all, sizeof all / sizeof *all);
    for (size_t i = 0; i < n; i++)
        if (all[i].why == why && strcmp(all[i].address, address) == 0) return all[i].count;
    return 0;
}

/** Publishes until the reader was refused so often, and for SILENCE at the least: all the while it hears nothing. */
static void assert_refused(fw_publisher *p, fw_subscriber *s, fw_bus *b, fw_refused why, uint64_t times)
{
    const fw_mono deadline = in_seconds(20);
    do assert_false(hears(p, s, SILENCE));
    while (refused(b, why, "127.0.0.1") < times && !fw_mono_passed(deadline));
    assert_in_range(refused(b, why, "127.0.0.1"), times, UINT32_MAX);
}

static bool has_ipv6(void)
{
    const struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
    const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool bound = fd >= 0 && bind(fd, (const struct sockaddr *)&loopback, sizeof loopback) == 0;
    if (fd >= 0) close(fd);
    return bound;
}

static void the_right_key_hears(void **state)
{
    place *p = *state;
    char ipc[600];
    snprintf(ipc, sizeof ipc, "ipc://%s/socket", p->s.dir);
    const char *const endpoints[] = {HERE, "tcp://[::1]:*", ipc, "inproc://here"};
    allow(p, p->reader.public_key, FW_ROLE_READ, "reader");
    for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
        if (strchr(endpoints[i], '[') != NULL && !has_ipv6()) continue;
        FW_AUTO(fw_bus) *bus = bus_with(p->s.dir);
        FW_AUTO(fw_publisher) *publisher = publisher_of(bus, endpoints[i]);
        FW_AUTO(fw_subscriber) *subscriber = subscriber_of(bus, publisher);
        if (!hears(publisher, subscriber, 20)) fail_msg("%s: nothing", endpoints[i]);
        fw_refusal all[1];
        assert_int_equal(fw_bus_refusals(bus, all, 1), 0);
        assert_int_equal(fw_publisher_close(&publisher, 1000, NULL), FW_OK);
    }
}

static void a_key_that_is_not_allowed_hears_nothing_and_is_counted_until_it_is(void **state)
{
    place *p = *state;
    FW_AUTO(fw_bus) *bus = bus_with(p->s.dir);
    FW_AUTO(fw_publisher) *publisher = publisher_of(bus, HERE);
    FW_AUTO(fw_subscriber) *subscriber = subscriber_of(bus, publisher);
    assert_refused(publisher, subscriber, bus, FW_REFUSED_UNKNOWN, 1);
    assert_told(publisher, subscriber, "does not let this key in");
    assert_null(told(publisher, subscriber, 2.5));        /* it is asked again, and says the same */
    assert_refused(publisher, subscriber, bus, FW_REFUSED_UNKNOWN, 3);
    allow(p, p->reader.public_key, FW_ROLE_READ, "reader");
    assert_true(hears(publisher, subscriber, 20));
    assert_int_equal(refused(bus, FW_REFUSED_ROLE, "127.0.0.1"), 0);
}

static void a_list_that_became_wrong_lets_nobody_in_until_it_is_mended(void **state)
{
    place *p = *state;
    allow(p, p->reader.public_key, FW_ROLE_READ, "reader");
    FW_AUTO(fw_bus) *bus = bus_with(p->s.dir);
    FW_AUTO(fw_publisher) *publisher = publisher_of(bus, HERE);
    FILE *f = fopen(p->allowed, "a");
    fputs("nonsense\n", f);
    fclose(f);
    FW_AUTO(fw_subscriber) *subscriber = subscriber_of(bus, publisher);
    assert_refused(publisher, subscriber, bus, FW_REFUSED_LIST, 1);
    assert_int_equal(unlink(p->allowed), 0);
    allow(p, p->reader.public_key, FW_ROLE_READ, "reader");
    assert_true(hears(publisher, subscriber, 20));
}

static void a_reader_that_was_removed_does_not_come_again(void **state)
{
    place *p = *state;
    size_t removed = 0;
    allow(p, p->reader.public_key, FW_ROLE_STORE, "reader");
    FW_AUTO(fw_bus) *bus = bus_with(p->s.dir);
    FW_AUTO(fw_publisher) *publisher = publisher_of(bus, HERE);
    FW_AUTO(fw_subscriber) *first = subscriber_of(bus, publisher);
    assert_true(hears(publisher, first, 20));
    assert_int_equal(fw_allowed_remove(p->allowed, "reader", &removed, NULL), FW_OK);
    FW_AUTO(fw_subscriber) *second = subscriber_of(bus, publisher);
    assert_refused(publisher, second, bus, FW_REFUSED_UNKNOWN, 1);
    assert_true(hears(publisher, first, 20));             /* who is connected stays */
}

/** A reader's folder of its own, with the public key of somebody for the publisher's. */
static void make_reader_folder(scratch *s, fw_bus_keys *k, const char *publisher)
{
    char text[128];
    assert_true(scratch_make(s));
    assert_int_equal(fw_keys_create(k, s->dir, FW_KEYS_READER, NULL), FW_OK);
    snprintf(text, sizeof text, "public-key = \"%s\"\n", publisher);
    assert_int_equal(fw_write_file(scratch_path(s, "publisher.public"), text, strlen(text), NULL), FW_OK);
    assert_int_equal(chmod(scratch_path(s, "publisher.public"), 0644), 0);
}

static void a_reader_hears_the_holder_of_the_pinned_key_alone(void **state)
{
    place *p = *state;
    scratch right, wrong;
    fw_bus_keys good, bad;
    make_reader_folder(&right, &good, p->publisher.public_key);
    make_reader_folder(&wrong, &bad, good.public_key);
    allow(p, good.public_key, FW_ROLE_READ, "good");
    allow(p, bad.public_key, FW_ROLE_READ, "bad");
    FW_AUTO(fw_bus) *bus = bus_with(p->s.dir), *right_bus = bus_with(right.dir), *wrong_bus = bus_with(wrong.dir);
    FW_AUTO(fw_publisher) *publisher = publisher_of(bus, HERE);
    FW_AUTO(fw_subscriber) *liar = subscriber_of(wrong_bus, publisher), *friend = subscriber_of(right_bus, publisher);
    assert_false(hears(publisher, liar, SILENCE));
    assert_told(publisher, liar, "its key is not the one known here");
    assert_true(hears(publisher, friend, 20));
    scratch_remove(&right);
    scratch_remove(&wrong);
}

static void plain_text_is_not_spoken_on_either_side(void **state)
{
    place *p = *state;
    allow(p, p->reader.public_key, FW_ROLE_READ, "reader");
    FW_AUTO(fw_bus) *plain = bus_with(NULL), *secure = bus_with(p->s.dir);
    FW_AUTO(fw_publisher) *with_keys = publisher_of(secure, HERE), *without = publisher_of(plain, HERE);
    FW_AUTO(fw_subscriber) *naked = subscriber_of(plain, with_keys), *careful = subscriber_of(secure, without);
    assert_false(hears(with_keys, naked, SILENCE));
    assert_false(hears(without, careful, SILENCE));
    assert_told(with_keys, naked, "uses keys (give --keys");
    assert_told(without, careful, "uses no keys");
}

/* The port is another's: it is asked again, and when a publisher stands there it is heard. */
static void what_is_no_publisher_is_told_and_a_publisher_in_its_place_heard(void **state)
{
    place *p = *state;
    allow(p, p->reader.public_key, FW_ROLE_READ, "reader");
    FW_AUTO(fw_bus) *bus = bus_with(p->s.dir), *plain = bus_with(NULL);
    FW_AUTO(fw_publisher) *first = publisher_of(plain, HERE);
    char endpoint[FW_ENDPOINT_TEXT];
    snprintf(endpoint, sizeof endpoint, "%s", fw_publisher_endpoint(first));
    FW_AUTO(fw_subscriber) *subscriber = subscriber_of(bus, first);
    assert_told(first, subscriber, "uses no keys");
    fw_publisher_destroy(&first);
    FW_AUTO(fw_publisher) *second = publisher_of(bus, endpoint);
    assert_true(hears(second, subscriber, 20));
    while (fw_subscriber_trouble(subscriber) != NULL) {}  /* of before */
    fw_publisher_destroy(&second);
    first = publisher_of(plain, endpoint);
    assert_told(first, subscriber, "uses no keys");       /* it went well in between: it is news again */
}

/* ---- the replay socket: roles ---- */

static void open_socket(fw_socket *s, fw_bus *b, int type, fw_side side, const char *endpoint)
{
    fw_error err = {0};
    const fw_socket_opts opts = {.type = type, .high_water = 10, .max_message = 10000, .side = side};
    if (fw_socket_open(s, b, &opts, endpoint, &err) != FW_OK) fail_msg("%s", err.text);
}

static void only_the_role_store_may_fetch_and_its_name_is_known(void **state)
{
    place *p = *state;
    fw_socket router = {0}, dealer = {0};
    zmq_msg_t m;
    FW_AUTO(fw_bus) *bus = bus_with(p->s.dir);
    allow(p, p->reader.public_key, FW_ROLE_READ, "reader");
    FW_AUTO(fw_publisher) *publisher = publisher_of(bus, HERE);
    FW_AUTO(fw_subscriber) *subscriber = subscriber_of(bus, publisher);
    assert_true(hears(publisher, subscriber, 20));
    open_socket(&router, bus, ZMQ_ROUTER, FW_SIDE_REPLAY, HERE);
    assert_int_equal(fw_socket_bind(&router, HERE, NULL), FW_OK);
    open_socket(&dealer, bus, ZMQ_DEALER, FW_SIDE_READER, router.endpoint);
    assert_int_equal(fw_socket_connect(&dealer, router.endpoint, NULL), FW_OK);
    assert_int_equal(zmq_send(dealer.zmq, "fetch", 5, ZMQ_DONTWAIT), 5);
    const fw_mono deadline = in_seconds(20);
    do assert_int_equal(fw_socket_wait(&router, ZMQ_POLLIN, in_seconds(SILENCE), NULL), FW_ERR_TIMEOUT);
    while (refused(bus, FW_REFUSED_ROLE, "127.0.0.1") == 0 && !fw_mono_passed(deadline));
    assert_true(refused(bus, FW_REFUSED_ROLE, "127.0.0.1") > 0);
    allow(p, p->reader.public_key, FW_ROLE_STORE, "monitor");
    char trouble[FW_CONTACT_TEXT] = "";
    assert_true(fw_socket_tend(&dealer, trouble));
    assert_int_equal(zmq_send(dealer.zmq, "fetch", 5, ZMQ_DONTWAIT), 5);
    assert_int_equal(fw_socket_wait(&router, ZMQ_POLLIN, in_seconds(20), NULL), FW_OK);
    zmq_msg_init(&m);
    assert_true(zmq_msg_recv(&m, router.zmq, ZMQ_DONTWAIT) > 0);      /* the routing id */
    assert_int_equal(zmq_msg_recv(&m, router.zmq, ZMQ_DONTWAIT), 5);
    assert_string_equal(zmq_msg_gets(&m, "User-Id"), "monitor");
    zmq_msg_close(&m);
    fw_socket_close(&dealer, 0);
    fw_socket_close(&router, 0);
}

static void the_gate_judges_by_key_domain_and_role(void **state)
{
    place *p = *state;
    FW_AUTO(fw_gate) *g = NULL;
    uint8_t key[2][32];
    fw_bus_keys store;
    assert_int_equal(fw_bus_make_keys(&store, NULL), FW_OK);
    allow(p, p->reader.public_key, FW_ROLE_READ, "reader");
    allow(p, store.public_key, FW_ROLE_STORE, "store");
    assert_non_null(zmq_z85_decode(key[0], p->reader.public_key));
    assert_non_null(zmq_z85_decode(key[1], store.public_key));
    assert_int_equal(fw_gate_create(&g, p->allowed, NULL), FW_OK);
    const struct { const char *domain; int key; fw_refused expected; } rows[] = {
        {FW_DOMAIN_READ, 0, FW_REFUSED_NOT}, {FW_DOMAIN_READ, 1, FW_REFUSED_NOT},    {FW_DOMAIN_STORE, 0, FW_REFUSED_ROLE}, {FW_DOMAIN_STORE, 1, FW_REFUSED_NOT},
        {FW_DOMAIN_DESK, 0, FW_REFUSED_NOT}, {"", 1, FW_REFUSED_FORM},              {"reading", 1, FW_REFUSED_FORM},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[FW_KEYS_NAME + 1];
        if (fw_gate_ask(g, rows[i].domain, "192.0.2.1", key[rows[i].key], name) != rows[i].expected) fail_msg("row %zu", i);
    }
}

static void addresses_beyond_the_limit_count_together(void **state)
{
    place *p = *state;
    FW_AUTO(fw_gate) *g = NULL;
    fw_refusal all[FW_REFUSED_ADDRESSES + 4];
    uint64_t sum = 0, other = 0;
    const uint8_t key[32] = {0};
    char name[FW_KEYS_NAME + 1], address[32];
    assert_int_equal(fw_gate_create(&g, p->allowed, NULL), FW_OK);
    for (int i = 0; i < 1000; i++) {
        snprintf(address, sizeof address, "10.0.%d.%d", i / 250, i % 250);
        fw_gate_ask(g, i % 2 == 0 ? FW_DOMAIN_READ : "?", address, key, name);
    }
    const size_t n = fw_gate_counts(g, all, sizeof all / sizeof *all);
    assert_int_equal(n, FW_REFUSED_ADDRESSES + 2);        /* the rest of two reasons */
    for (size_t i = 0; i < n; i++) {
        sum += all[i].count;
        if (strcmp(all[i].address, "other") == 0) other += all[i].count;
    }
    assert_int_equal(sum, 1000);
    assert_int_equal(other, 1000 - FW_REFUSED_ADDRESSES);
}

/* Whoever is in the process could write to the handler: what is no question is refused, and does not end it. */
static void the_handler_refuses_what_is_no_question(void **state)
{
    place *p = *state;
    FW_AUTO(fw_bus) *bus = bus_with(p->s.dir);
    fw_socket router = {0};
    open_socket(&router, bus, ZMQ_ROUTER, FW_SIDE_REPLAY, HERE);
    void *raw = zmq_socket(bus->context, ZMQ_REQ);
    assert_int_equal(zmq_connect(raw, "inproc://zeromq.zap.01"), 0);
    static const char key[33] = "01234567890123456789012345678901", long_text[300] = {[0 ... 298] = 'x'};
    const char *const rows[][8] = {
        {"", NULL},
        {"1.0", NULL},
        {"2.0", "1", "read", "1.2.3.4", "", "CURVE", key, NULL},
        {"1.0", "1", "read", "1.2.3.4", "", "NULL", NULL},
        {"1.0", "1", "read", "1.2.3.4", "", "PLAIN", key, NULL},
        {"1.0", "1", "read", "1.2.3.4", "", "CURVE", "short", NULL},
        {"1.0", "1", "read", "1.2.3.4", "", "CURVE", long_text, NULL},
        {"1.0", long_text, "read", long_text, "", "CURVE", key, NULL},
        {"1.0", "1", long_text, "1.2.3.4", "", "CURVE", key, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t j = 0; rows[i][j] != NULL; j++) zmq_send(raw, rows[i][j], strlen(rows[i][j]), rows[i][j + 1] != NULL ? ZMQ_SNDMORE : 0);
        char frame[400] = "", code[4] = "";
        int more = 1;
        for (int j = 0; more != 0; j++) {
            size_t size = sizeof more;
            const int n = zmq_recv(raw, frame, sizeof frame, 0);
            assert_true(n >= 0);
            if (j == 2 && n == 3) memcpy(code, frame, 3);
            zmq_getsockopt(raw, ZMQ_RCVMORE, &more, &size);
        }
        assert_string_equal(code, "400");
    }
    const int none = 0;
    zmq_setsockopt(raw, ZMQ_LINGER, &none, sizeof none);
    zmq_close(raw);
    fw_socket_close(&router, 0);
}

/* ---- what is asked for before anything opens ---- */

static void without_keys_nothing_leaves_this_host(void **state)
{
    place *p = *state;
    const struct { const char *endpoint; bool binds, near; } rows[] = {
        {"tcp://127.0.0.1:5555", true, true},     {"tcp://127.8.8.8:*", true, true},         {"tcp://[::1]:5555", true, true},
        {"ipc:///tmp/x", true, true},             {"inproc://x", true, true},                {"tcp://localhost:5555", false, true},
        {"tcp://*:5555", true, false},            {"tcp://0.0.0.0:5555", true, false},       {"tcp://[::]:5555", true, false},
        {"tcp://10.0.0.1:5555", true, false},     {"tcp://[fe80::1]:5555", true, false},     {"tcp://[::ffff:10.0.0.1]:1", true, false},
        {"tcp://eth0:5555", true, false},         {"tcp://127.0.0.1.evil.com:1", false, false}, {"tcp://10.0.0.1;127.0.0.1:1", false, false},
        {"tcp://0.0.0.0:5555", false, true},      {"tcp://[::]:5555", false, true},          {"tcp://[::ffff:127.0.0.1]:5555", false, true},
        {"tcp://node7:5555", false, false},       {"tcp://127:5555", false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fw_error err = {0};
        assert_int_equal(fw_endpoint_is_near(rows[i].endpoint, rows[i].binds), rows[i].near);
        const fw_status s = fw_bus_check(rows[i].endpoint, &(fw_bus_identity){0}, rows[i].binds, &err);
        if (s != (rows[i].near ? FW_OK : FW_ERR_CONFIG)) fail_msg("%s: %s", rows[i].endpoint, err.text);
        if (!rows[i].near && (strstr(err.text, rows[i].endpoint) == NULL || strstr(err.text, "--insecure") == NULL)) fail_msg("%s", err.text);
        assert_int_equal(fw_bus_check(rows[i].endpoint, &(fw_bus_identity){.insecure = true}, rows[i].binds, NULL), FW_OK);
        assert_int_equal(fw_bus_check(rows[i].endpoint, &(fw_bus_identity){.keys = p->s.dir}, rows[i].binds, NULL), FW_OK);
    }
    FW_AUTO(fw_bus) *bus = bus_with(NULL);
    fw_publisher *publisher = NULL;
    fw_subscriber *subscriber = NULL;
    fw_line *line = NULL;
    assert_int_equal(fw_publisher_create(&publisher, bus, "tcp://*:*", NULL, NULL), FW_ERR_CONFIG);
    assert_int_equal(fw_subscriber_create(&subscriber, bus, "tcp://192.0.2.1:5", NULL, NULL), FW_ERR_CONFIG);
    FW_AUTO(fw_publisher) *near = publisher_of(bus, HERE);
    FW_AUTO(fw_subscriber) *here = subscriber_of(bus, near);
    assert_int_equal(fw_subscriber_connect(here, "tcp://192.0.2.1:5", NULL), FW_ERR_CONFIG);
    FW_AUTO(fw_bus) *secure = bus_with(p->s.dir);
    assert_int_equal(fw_line_bind(&line, secure, "tcp://*:*", NULL), FW_ERR_CONFIG);      /* a line has no keys, whatever the bus has */
}

static void insecure_is_open_to_all(void **state)
{
    (void)state;
    FW_AUTO(fw_bus) *open = bus_with(NULL), *other = bus_with(NULL);
    assert_int_equal(fw_bus_secure(open, &(fw_bus_identity){.insecure = true}, NULL), FW_OK);
    FW_AUTO(fw_publisher) *publisher = publisher_of(open, "tcp://*:*");
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "tcp://localhost%s", strrchr(fw_publisher_endpoint(publisher), ':'));
    FW_AUTO(fw_subscriber) *subscriber = NULL;
    assert_int_equal(fw_subscriber_create(&subscriber, other, endpoint, NULL, NULL), FW_OK);
    assert_true(hears(publisher, subscriber, 20));
}

/* "localhost" has an address of each family. */
static void a_name_finds_a_publisher_on_ipv4(void **state)
{
    (void)state;
    char endpoint[64];
    FW_AUTO(fw_bus) *bus = bus_with(NULL);
    FW_AUTO(fw_publisher) *publisher = publisher_of(bus, HERE);
    snprintf(endpoint, sizeof endpoint, "tcp://localhost%s", strrchr(fw_publisher_endpoint(publisher), ':'));
    FW_AUTO(fw_subscriber) *subscriber = NULL;
    assert_int_equal(fw_subscriber_create(&subscriber, bus, endpoint, NULL, NULL), FW_OK);
    assert_true(hears(publisher, subscriber, 20));
}

static void what_is_missing_or_wrong_is_told_before_anything_opens(void **state)
{
    place *p = *state;
    char path[600];
    fw_error err = {0};
    const fw_bus_identity keys = {.keys = p->s.dir};
    assert_int_equal(fw_bus_check(HERE, &(fw_bus_identity){.keys = p->s.dir, .insecure = true}, true, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "exclude each other"));
    assert_int_equal(fw_bus_check(HERE, &(fw_bus_identity){.keys = scratch_path(&p->s, "none")}, true, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "flywheel keys new publisher -o"));
    snprintf(path, sizeof path, "%s/allowed", p->s.dir);
    assert_int_equal(fw_write_file(path, "nonsense\n", 9, NULL), FW_OK);
    assert_int_equal(fw_bus_check(HERE, &keys, true, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "allowed:1"));
    assert_int_equal(fw_bus_check(HERE, &keys, false, NULL), FW_OK);      /* none of a reader's business */
    FW_AUTO(fw_bus) *bus = bus_with(p->s.dir);
    fw_publisher *publisher = NULL;
    assert_int_equal(fw_publisher_create(&publisher, bus, HERE, NULL, NULL), FW_ERR_CONFIG);
    const struct { const char *file; bool publishes; const char *says; } rows[] = {
        {"publisher.secret", true, "flywheel keys new publisher"}, {"reader.secret", false, "flywheel keys new reader"}, {"publisher.public", false, "copy it"}};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", p->s.dir, rows[i].file);
        assert_int_equal(chmod(path, 0666), 0);
        assert_int_equal(fw_bus_check(HERE, &keys, rows[i].publishes, &err), FW_ERR_CONFIG);
        if (strstr(err.text, "chmod") == NULL) fail_msg("%s", err.text);
        assert_int_equal(unlink(path), 0);
        assert_int_equal(fw_bus_check(HERE, &keys, rows[i].publishes, &err), FW_ERR_CONFIG);
        if (strstr(err.text, rows[i].says) == NULL || strstr(err.text, rows[i].file) == NULL) fail_msg("%s", err.text);
    }
}

static void it_is_made_secure_once_and_first(void **state)
{
    place *p = *state;
    const fw_bus_identity keys = {.keys = p->s.dir};
    FW_AUTO(fw_bus) *bus = bus_with(p->s.dir), *late = bus_with(NULL);
    assert_int_equal(fw_bus_secure(bus, &keys, NULL), FW_ERR_ARG);
    FW_AUTO(fw_publisher) *in_process = publisher_of(late, "inproc://late");
    assert_int_equal(fw_bus_secure(late, &keys, NULL), FW_ERR_ARG);
}

/* Its callers come with keys of the moment; their first message proves them. */
static void a_desk_on_a_secure_bus_hears_every_key(void **state)
{
    place *p = *state;
    FW_AUTO(fw_bus) *bus = bus_with(p->s.dir);
    FW_AUTO(fw_publisher) *in_process = publisher_of(bus, "inproc://x");
    fw_socket router = {0};
    fw_bus_keys keys;
    open_socket(&router, bus, ZMQ_ROUTER, FW_SIDE_REPLAY, HERE);          /* so there is a handler in this context */
    assert_int_equal(fw_bus_make_keys(&keys, NULL), FW_OK);
    FW_AUTO(fw_desk) *desk = NULL;
    FW_AUTO(fw_line) *line = NULL;
    assert_int_equal(fw_desk_bind(&desk, bus, "tcp://*:*", &keys, NULL), FW_OK);
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1%s", strrchr(fw_desk_endpoint(desk), ':'));
    assert_int_equal(fw_line_to_desk(&line, bus, endpoint, keys.public_key, NULL, NULL), FW_OK);
    assert_int_equal(fw_line_send(line, "x", 1, in_seconds(20), NULL), FW_OK);
    assert_int_equal(fw_desk_wait(desk, NULL, in_seconds(20), NULL), FW_OK);
    fw_socket_close(&router, 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_place, close_place)
    const struct CMUnitTest tests[] = {
        TEST(the_right_key_hears),
        TEST(a_key_that_is_not_allowed_hears_nothing_and_is_counted_until_it_is),
        TEST(a_list_that_became_wrong_lets_nobody_in_until_it_is_mended),
        TEST(a_reader_that_was_removed_does_not_come_again),
        TEST(a_reader_hears_the_holder_of_the_pinned_key_alone),
        TEST(plain_text_is_not_spoken_on_either_side),
        TEST(what_is_no_publisher_is_told_and_a_publisher_in_its_place_heard),
        TEST(only_the_role_store_may_fetch_and_its_name_is_known),
        TEST(the_gate_judges_by_key_domain_and_role),
        TEST(addresses_beyond_the_limit_count_together),
        TEST(the_handler_refuses_what_is_no_question),
        TEST(without_keys_nothing_leaves_this_host),
        TEST(insecure_is_open_to_all),
        TEST(a_name_finds_a_publisher_on_ipv4),
        TEST(what_is_missing_or_wrong_is_told_before_anything_opens),
        TEST(it_is_made_secure_once_and_first),
        TEST(a_desk_on_a_secure_bus_hears_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
