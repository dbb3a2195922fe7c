/** Outbox and inbox: each message once and in order whatever ends or stands still, every one accounted for; and what a peer can do wrong. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include <zmq.h>

#include "common/bus/frames.h"
#include "common/bus/inbox.h"
#include "common/bus/outbox.h"
#include "common/core/size.h"
#include "tests/unit/scratch.h"

static scratch place;
static fw_bus *bus;

static fw_mono in_seconds(double s) { return fw_mono_after(fw_mono_now(), s); }

static const char *spool_folder(void)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/spool", place.dir);
    return path;
}

static fw_outbox *outbox_on(const char *endpoint, fw_outbox_opts opts)
{
    fw_outbox *o = NULL;
    fw_error err = {0};
    fw_status status = FW_ERR_BUS;      /* the port of a publisher that has just ended may be taken for a moment */
    for (fw_mono deadline = in_seconds(10); status == FW_ERR_BUS && !fw_mono_passed(deadline); fw_sleep_ms(status == FW_ERR_BUS ? 10 : 0))
        status = fw_outbox_open(&o, bus, endpoint, &opts, &err);
    if (status != FW_OK) fail_msg("%s", err.text);
    return o;
}

static fw_inbox *inbox_on(const char *endpoint, const char *name, const char *prefix)
{
    fw_inbox *in = NULL;
    fw_error err = {0};
    if (fw_inbox_create(&in, bus, &(fw_inbox_opts){.name = name, .topic_prefix = prefix}, &err) != FW_OK) fail_msg("%s", err.text);
    if (fw_inbox_connect(in, endpoint, &err) != FW_OK) fail_msg("%s", err.text);
    return in;
}

/* message i has the number i as its payload, and `pad` bytes behind it */
static void put(fw_outbox *o, uint64_t from, uint64_t to, size_t pad)
{
    char *payload = calloc(1, sizeof(uint64_t) + pad);
    for (uint64_t i = from; i <= to; i++) {
        memcpy(payload, &i, sizeof i);
        assert_int_equal(fw_outbox_put(o, i % 2 == 0 ? "even/t" : "odd/t", payload, sizeof i + pad, NULL), FW_OK);
    }
    free(payload);
}

/** Until message `to` has come: each once, in order, from `from` on; how many were told to be lost. Acknowledges as it goes when `acknowledge`. */
static uint64_t take(fw_inbox *in, uint64_t from, uint64_t to, bool acknowledge)
{
    uint64_t expected = from, lost = 0;
    for (fw_mono deadline = in_seconds(30); expected <= to;) {
        fw_inbox_event e;
        fw_error err = {0};
        const fw_status status = fw_inbox_receive(in, &e, deadline, &err);
        if (status != FW_OK) fail_msg("message %" PRIu64 ": %s", expected, err.text);
        if (e.kind == FW_INBOX_LOST) {
            assert_int_equal(e.first, expected);
            lost += e.last - e.first + 1;
            expected = e.last + 1;
        }
        if (e.kind != FW_INBOX_MESSAGE) continue;
        uint64_t i;
        assert_true(e.len >= sizeof i);
        memcpy(&i, e.payload, sizeof i);
        assert_int_equal(e.first, expected);
        assert_int_equal(i, expected);
        assert_string_equal(e.topic, i % 2 == 0 ? "even/t" : "odd/t");
        expected++;
        if (acknowledge && i % 10 == 0) fw_inbox_acknowledge(in, NULL, 0);
    }
    if (acknowledge) fw_inbox_acknowledge(in, NULL, 0);
    return lost;
}

/** Until it has happened; what happens else is passed over. */
static fw_inbox_event await(fw_inbox *in, fw_inbox_kind kind)
{
    fw_inbox_event e;
    fw_error err = {0};
    do {
        if (fw_inbox_receive(in, &e, in_seconds(10), &err) != FW_OK) fail_msg("event %d: %s", (int)kind, err.text);
    } while (e.kind != kind);
    return e;
}

static uint64_t dropped(const fw_spool_counts *c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < FW_N_DROPS; i++) n += c->dropped[i];
    return n;
}

static void assert_adds_up(const fw_spool_counts *c) { assert_int_equal(c->produced, c->delivered + c->spooled + dropped(c)); }

static void every_message_comes_once_and_in_order_and_is_delivered_when_it_is_acknowledged(void **state)
{
    (void)state;
    char ipc[600];
    snprintf(ipc, sizeof ipc, "ipc://%s/live", place.dir);
    const char *const endpoints[] = {"tcp://127.0.0.1:*", ipc};
    for (size_t e = 0; e < 2; e++) {
        fw_outbox *o = outbox_on(endpoints[e], (fw_outbox_opts){.spool = e == 0 ? spool_folder() : NULL, .name = "test@here"});
        FW_AUTO(fw_inbox) *in = inbox_on(fw_outbox_endpoint(o), "a", NULL);
        put(o, 1, 5000, 100);
        fw_inbox_event found = await(in, FW_INBOX_FOUND);
        assert_string_equal(found.publisher->name, "test@here");
        assert_true(found.publisher->there);
        assert_int_equal(take(in, 1, 5000, true), 0);
        for (fw_mono deadline = in_seconds(10); fw_outbox_count(o).spool.spooled > 0 && !fw_mono_passed(deadline);) fw_inbox_receive(in, &found, in_seconds(0.05), NULL);
        fw_outbox_counts c = fw_outbox_count(o);
        assert_int_equal(c.spool.delivered, 5000);
        assert_adds_up(&c.spool);
        assert_int_equal(c.subscribers, 1);
        assert_int_equal(fw_outbox_close(&o, 0, &c, NULL), FW_OK);
        assert_null(o);
        assert_int_equal(c.spool.delivered, 5000);
        await(in, FW_INBOX_ENDED);
        assert_false(fw_inbox_publisher_at(in, 0)->there);
    }
}

static void a_prefix_chooses_topics_and_the_numbers_of_the_others_are_not_missed(void **state)
{
    (void)state;
    FW_AUTO(fw_outbox) *o = outbox_on("tcp://127.0.0.1:*", (fw_outbox_opts){0});
    FW_AUTO(fw_inbox) *in = inbox_on(fw_outbox_endpoint(o), "a", "even/");
    put(o, 1, 1000, 0);
    for (uint64_t i = 2; i <= 1000; i += 2) assert_int_equal(await(in, FW_INBOX_MESSAGE).first, i);
    assert_int_equal(fw_inbox_publisher_at(in, 0)->lost, 0);
}

static void a_reader_that_comes_late_gets_what_is_spooled_and_goes_on_at_its_position(void **state)
{
    (void)state;
    fw_outbox *o = outbox_on("tcp://127.0.0.1:*", (fw_outbox_opts){.spool = spool_folder()});
    const fw_stream stream = fw_outbox_stream(o);
    put(o, 1, 3000, 50);
    assert_int_equal(fw_outbox_flush(o, in_seconds(10), NULL), FW_OK);
    fw_inbox *in = inbox_on(fw_outbox_endpoint(o), NULL, NULL);
    assert_int_equal(take(in, 1, 3000, true), 0);
    fw_inbox_destroy(&in);
    assert_int_equal(fw_outbox_count(o).spool.spooled, 3000);      /* without a name it delivers nothing */
    in = inbox_on(fw_outbox_endpoint(o), "a", NULL);
    assert_int_equal(take(in, 1, 1000, true), 0);
    fw_inbox_destroy(&in);                                         /* killed in between: it had committed 800 */
    in = inbox_on(fw_outbox_endpoint(o), "b", NULL);
    assert_int_equal(fw_inbox_set_position(in, &stream, 2500, NULL), FW_OK);
    put(o, 3001, 3010, 50);
    assert_int_equal(take(in, 2501, 3010, true), 0);
    fw_inbox_destroy(&in);
    fw_outbox_counts c;
    assert_int_equal(fw_outbox_close(&o, 0, &c, NULL), FW_OK);
    assert_int_equal(c.spool.spooled, 2010);                       /* a has 1,000 */
    assert_adds_up(&c.spool);
}

static void the_next_publisher_on_a_spool_goes_on_where_the_last_one_was_killed(void **state)
{
    (void)state;
    char endpoint[256];
    fw_outbox *o = outbox_on("tcp://127.0.0.1:*", (fw_outbox_opts){.spool = spool_folder()});
    snprintf(endpoint, sizeof endpoint, "%s", fw_outbox_endpoint(o));
    FW_AUTO(fw_inbox) *in = inbox_on(endpoint, "a", NULL);
    uint64_t last = 0;
    for (int life = 0; life < 5; life++) {
        put(o, last + 1, last + 700, 200);
        assert_int_equal(fw_outbox_flush(o, in_seconds(10), NULL), FW_OK);
        if (life % 2 == 0) assert_int_equal(take(in, last + 1, last + 700, life != 2), 0);
        last += 700;
        fw_outbox_destroy(&o);                                     /* as if it was killed */
        if (life % 2 == 1) put(o = outbox_on(endpoint, (fw_outbox_opts){.spool = spool_folder()}), last + 1, last + 700, 10), last += 700;
        if (o != NULL) assert_int_equal(take(in, last - 1399, last, true), 0);
        fw_outbox_destroy(&o);
        o = outbox_on(endpoint, (fw_outbox_opts){.spool = spool_folder()});
    }
    fw_outbox_counts c;
    put(o, last + 1, last + 5, 0);
    assert_int_equal(take(in, last + 1, last + 5, true), 0);
    assert_int_equal(fw_outbox_close(&o, 0, &c, NULL), FW_OK);
    assert_int_equal(c.spool.produced, last + 5);
    assert_adds_up(&c.spool);
    assert_int_equal(fw_inbox_publisher_at(in, 0)->lost, 0);
}

static void a_reader_that_stands_still_gets_later_what_did_not_fit_its_queue(void **state)
{
    (void)state;
    FW_AUTO(fw_outbox) *o = outbox_on("tcp://127.0.0.1:*", (fw_outbox_opts){.spool = spool_folder()});
    FW_AUTO(fw_inbox) *in = inbox_on(fw_outbox_endpoint(o), "a", NULL);
    await(in, FW_INBOX_FOUND);
    for (uint64_t i = 0; i < 6; i++) {                             /* 120 MB: more than the queues and the kernel hold */
        put(o, 1000 * i + 1, 1000 * i + 1000, 20000);
        assert_int_equal(fw_outbox_flush(o, in_seconds(20), NULL), FW_OK);
    }
    assert_int_equal(take(in, 1, 6000, true), 0);
}

static void what_a_small_spool_has_dropped_is_told_as_lost(void **state)
{
    (void)state;
    fw_outbox *o = outbox_on("tcp://127.0.0.1:*", (fw_outbox_opts){.spool = spool_folder(), .cap_bytes = 64 << 10});
    put(o, 1, 2000, 500);
    assert_int_equal(fw_outbox_flush(o, in_seconds(10), NULL), FW_OK);
    FW_AUTO(fw_inbox) *in = inbox_on(fw_outbox_endpoint(o), "a", NULL);
    const fw_stream stream = fw_outbox_stream(o);
    assert_int_equal(fw_inbox_set_position(in, &stream, 10, NULL), FW_OK);
    const uint64_t lost = take(in, 11, 2000, true);
    fw_outbox_counts c;
    fw_inbox_event e;
    fw_inbox_receive(in, &e, in_seconds(0.3), NULL);
    assert_int_equal(fw_outbox_close(&o, 100, &c, NULL), FW_OK);
    assert_int_equal(c.spool.dropped[FW_DROP_FULL], lost + 10);
    assert_int_equal(c.spool.delivered, 2000 - lost - 10);
    assert_int_equal(c.spool.spooled, 0);
    assert_int_equal(fw_inbox_publisher_at(in, 0)->lost, lost);
}

static void a_full_queue_drops_and_counts_and_never_waits(void **state)
{
    (void)state;
    fw_outbox *o = outbox_on("tcp://127.0.0.1:*", (fw_outbox_opts){.queue_bytes = 1 << 20, .cap_bytes = 256 << 20});
    char *payload = calloc(1, 300 << 10);
    uint64_t no_room = 0;
    enum { TRIES = 3000 };
    for (int i = 0; i < TRIES; i++) no_room += fw_outbox_put(o, "t", payload, 300 << 10, NULL) == FW_END;
    free(payload);
    assert_true(no_room > 0);
    assert_int_equal(fw_outbox_put(o, "", "x", 1, NULL), FW_ERR_ARG);
    assert_int_equal(fw_outbox_put(o, "t", "x", FW_BUS_MAX_MESSAGE + 1, NULL), FW_ERR_ARG);
    fw_outbox_counts c;
    fw_mono start = fw_mono_now();
    assert_int_equal(fw_outbox_close(&o, 20000, &c, NULL), FW_OK);
    assert_true(fw_mono_seconds(start, fw_mono_now()) < 10.0);     /* nobody is there: it does not wait for them */
    assert_int_equal(c.spool.dropped[FW_DROP_QUEUE], no_room);
    assert_int_equal(c.spool.produced, TRIES);
    assert_int_equal(dropped(&c.spool), TRIES);                    /* in memory, and nobody took it */
}

typedef struct delay { double shortest_ms, mean_ms; } delay;

/* From a message, put when the thread has just worked, until it has its number. flush: it is asked for. */
static delay delay_of(fw_outbox *o, size_t pad, bool flush)
{
    enum { TRIES = 50 };
    delay d = {.shortest_ms = 1e9};
    for (int i = 0; i < TRIES; i++) {
        put(o, 1, 1, 0);
        assert_int_equal(fw_outbox_flush(o, in_seconds(10), NULL), FW_OK);
        fw_sleep_ms(1);                                            /* it lies down */
        const fw_mono start = fw_mono_now(), deadline = in_seconds(10);
        const uint64_t before = fw_outbox_count(o).spool.highest;
        put(o, 2, 2, pad);
        if (flush) assert_int_equal(fw_outbox_flush(o, in_seconds(10), NULL), FW_OK);
        while (fw_outbox_count(o).spool.highest == before && !fw_mono_passed(deadline)) usleep(50);
        const double ms = fw_mono_seconds(start, fw_mono_now()) * 1e3;
        d.shortest_ms = FW_MIN(d.shortest_ms, ms);
        d.mean_ms += ms / TRIES;
    }
    return d;
}

/** What comes right after other messages waits up to 5 ms for more, unless somebody waits for it or it is much. */
static void messages_in_quick_succession_are_taken_together(void **state)
{
    (void)state;
    fw_outbox *o = outbox_on("tcp://127.0.0.1:*", (fw_outbox_opts){.queue_bytes = 256u << 10});
    const delay plain = delay_of(o, 0, false), flushed = delay_of(o, 0, true), much = delay_of(o, 100u << 10, false);
    fw_outbox_destroy(&o);
    if (plain.mean_ms < 1 || flushed.shortest_ms > 2 || much.shortest_ms > 2)
        fail_msg("%.2f ms, %.2f ms when it is flushed, %.2f ms when it is much", plain.mean_ms, flushed.shortest_ms, much.shortest_ms);
}

static void the_end_waits_for_those_who_are_there(void **state)
{
    (void)state;
    fw_outbox *o = outbox_on("tcp://127.0.0.1:*", (fw_outbox_opts){.spool = spool_folder()});
    FW_AUTO(fw_inbox) *in = inbox_on(fw_outbox_endpoint(o), "a", NULL);
    await(in, FW_INBOX_FOUND);
    put(o, 1, 10, 0);
    assert_int_equal(take(in, 1, 10, false), 0);
    fw_inbox_event e;
    assert_int_equal(fw_inbox_receive(in, &e, in_seconds(0.3), NULL), FW_ERR_TIMEOUT);
    fw_outbox_counts c;
    fw_mono start = fw_mono_now();
    assert_int_equal(fw_outbox_close(&o, 600, &c, NULL), FW_OK);
    const double took = fw_mono_seconds(start, fw_mono_now());
    assert_true(took > 0.55 && took < 5);
    assert_int_equal(c.spool.spooled, 10);                         /* it has them and did not acknowledge them */
}

/* ---- wrong peers ------------------------------------------------------------------------------------------------------------------------------ */

/* A publisher of raw frames. */
typedef struct fake { void *context, *live; char endpoint[256]; fw_stream stream; } fake;

static fake fake_on(unsigned char stream)
{
    fake f = {.context = zmq_ctx_new()};
    size_t size = sizeof f.endpoint;
    int zero = 0;
    f.live = zmq_socket(f.context, ZMQ_XPUB);
    zmq_setsockopt(f.live, ZMQ_LINGER, &zero, sizeof zero);
    assert_int_equal(zmq_bind(f.live, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(f.live, ZMQ_LAST_ENDPOINT, f.endpoint, &size), 0);
    memset(f.stream.bytes, stream, sizeof f.stream.bytes);
    return f;
}

static void await_reader(fake *f)
{
    char subscription[8];
    assert_int_equal(zmq_recv(f->live, subscription, sizeof subscription, 0), 1);
}

static void end_fake(fake *f)
{
    zmq_close(f->live);
    zmq_ctx_term(f->context);
}

static void send_frames(fake *f, const char *topic, const void *header, size_t header_len, const void *payload, size_t len)
{
    zmq_send(f->live, topic, strlen(topic), ZMQ_SNDMORE);
    zmq_send(f->live, header, header_len, ZMQ_SNDMORE);
    zmq_send(f->live, payload, len, 0);
}

static void send_data(fake *f, uint64_t number)
{
    char header[FW_HEADER_BYTES];
    fw_header_encode(header, &(fw_header){.kind = FW_FRAME_DATA, .stream = f->stream, .sequence = number});
    send_frames(f, number % 2 == 0 ? "even/t" : "odd/t", header, sizeof header, &number, sizeof number);
}

static void send_status(fake *f, fw_frame_status s)
{
    char header[FW_HEADER_BYTES], bytes[FW_STATUS_BYTES];
    if (s.name[0] == '\0') snprintf(s.name, sizeof s.name, "fake");
    fw_header_encode(header, &(fw_header){.kind = FW_FRAME_STATUS, .stream = f->stream, .sequence = s.highest});
    fw_status_encode(bytes, &s);
    send_frames(f, FW_TOPIC_STATUS, header, sizeof header, bytes, sizeof bytes);
}

static fw_frame_status at(uint64_t highest) { return (fw_frame_status){.first = 1, .highest = highest, .produced = highest, .spooled = highest, .port = 1}; }

static void garbage_is_counted_and_the_good_goes_on(void **state)
{
    (void)state;
    fake f = fake_on(1);
    FW_AUTO(fw_inbox) *in = inbox_on(f.endpoint, "a", NULL);
    await_reader(&f);
    send_status(&f, at(0));
    send_data(&f, 1);
    char header[FW_HEADER_BYTES + 1] = {0}, bytes[FW_STATUS_BYTES];
    const fw_header good = {.kind = FW_FRAME_DATA, .stream = f.stream, .sequence = 2};
    zmq_send(f.live, "alone", 5, 0);
    zmq_send(f.live, "two", 3, ZMQ_SNDMORE), zmq_send(f.live, "frames", 6, 0);
    for (int i = 0; i < 3; i++) zmq_send(f.live, "four", 4, ZMQ_SNDMORE);
    zmq_send(f.live, "frames", 6, 0);
    send_frames(&f, "t", header, FW_HEADER_BYTES, "x", 1);                          /* no magic */
    fw_header_encode(header, &good);
    send_frames(&f, "t", header, FW_HEADER_BYTES + 1, "x", 1);
    send_frames(&f, "t", header, FW_HEADER_BYTES - 1, "x", 1);
    send_frames(&f, "", header, FW_HEADER_BYTES, "x", 1);                           /* no topic */
    fw_header_encode(header, &(fw_header){.kind = FW_FRAME_DATA, .stream = f.stream, .sequence = 0});
    send_frames(&f, "t", header, FW_HEADER_BYTES, "x", 1);
    fw_header_encode(header, &(fw_header){.kind = FW_FRAME_DATA, .stream = f.stream, .sequence = (UINT64_C(1) << 53) + 1});
    send_frames(&f, "t", header, FW_HEADER_BYTES, "x", 1);
    fw_header_encode(header, &(fw_header){.kind = FW_FRAME_GONE, .stream = f.stream, .sequence = 2});
    send_frames(&f, FW_TOPIC_GONE, header, FW_HEADER_BYTES, &(uint64_t){UINT64_C(1) << 50}, 8);       /* nobody asked */
    fw_header_encode(header, &(fw_header){.kind = FW_FRAME_STATUS, .stream = f.stream, .sequence = 2});
    memset(bytes, 0xff, sizeof bytes);
    send_frames(&f, FW_TOPIC_STATUS, header, FW_HEADER_BYTES, bytes, sizeof bytes);
    send_frames(&f, FW_TOPIC_STATUS, header, FW_HEADER_BYTES, bytes, 3);
    send_data(&f, 2);
    assert_int_equal(take(in, 1, 2, true), 0);
    assert_int_equal(fw_inbox_publisher_at(in, 0)->garbage, 12);
    end_fake(&f);
}

static void old_batches_that_come_again_are_left_out_and_counted(void **state)
{
    (void)state;
    fake f = fake_on(1);
    FW_AUTO(fw_inbox) *in = inbox_on(f.endpoint, "a", NULL);
    await_reader(&f);
    send_status(&f, at(0));
    for (uint64_t i = 1; i <= 10; i++) send_data(&f, i);
    for (uint64_t i = 1; i <= 10; i++) send_data(&f, i);
    send_data(&f, 11);
    assert_int_equal(take(in, 1, 11, true), 0);
    assert_int_equal(fw_inbox_publisher_at(in, 0)->duplicates, 10);
    end_fake(&f);
}

static void counts_that_do_not_add_up_are_told_once(void **state)
{
    (void)state;
    fake f = fake_on(1);
    FW_AUTO(fw_inbox) *in = inbox_on(f.endpoint, "a", NULL);
    await_reader(&f);
    fw_frame_status s = at(0);
    s.produced = UINT64_C(1) << 52;
    send_status(&f, s);
    send_status(&f, s);
    assert_non_null(strstr(await(in, FW_INBOX_REFUSED).why, "produced"));
    send_data(&f, 1);
    assert_int_equal(await(in, FW_INBOX_MESSAGE).first, 1);
    end_fake(&f);
}

static void a_spool_that_went_back_in_time_is_told(void **state)
{
    (void)state;
    FW_AUTO(fw_outbox) *o = outbox_on("tcp://127.0.0.1:*", (fw_outbox_opts){.spool = spool_folder()});
    put(o, 1, 20, 0);
    FW_AUTO(fw_inbox) *in = inbox_on(fw_outbox_endpoint(o), "a", NULL);
    const fw_stream stream = fw_outbox_stream(o);
    assert_int_equal(fw_inbox_set_position(in, &stream, 50, NULL), FW_OK);      /* it has seen numbers that are not given out here */
    assert_non_null(strstr(await(in, FW_INBOX_REFUSED).why, "behind"));
    assert_int_equal(fw_inbox_publisher_at(in, 0)->position, 50);
    assert_int_equal(fw_outbox_count(o).spool.spooled, 20);
}

static void two_publishers_of_one_stream_are_told_apart(void **state)
{
    (void)state;
    fake a = fake_on(7), b = fake_on(7);
    FW_AUTO(fw_inbox) *in = inbox_on(a.endpoint, "a", NULL);
    await_reader(&a);
    send_status(&a, at(0));
    await(in, FW_INBOX_FOUND);
    assert_int_equal(fw_inbox_connect(in, b.endpoint, NULL), FW_OK);
    await_reader(&b);
    for (int i = 0; i < 3; i++) send_data(&b, 1);
    fw_inbox_event e = await(in, FW_INBOX_REFUSED);
    assert_non_null(strstr(e.why, "another publisher"));
    assert_string_equal(e.publisher->endpoint, b.endpoint);
    send_data(&a, 1);
    assert_string_equal(await(in, FW_INBOX_MESSAGE).publisher->endpoint, a.endpoint);
    for (int i = 0; i < 10 && fw_inbox_publisher_at(in, 1)->refused < 3; i++) fw_inbox_receive(in, &e, in_seconds(0.2), NULL);
    assert_int_equal(fw_inbox_publisher_at(in, 1)->refused, 3);
    end_fake(&a);
    end_fake(&b);
}

static void a_gap_without_end_and_an_address_where_nobody_answers_hold_up_nobody_else(void **state)
{
    (void)state;
    fake f = fake_on(1);
    FW_AUTO(fw_outbox) *o = outbox_on("tcp://127.0.0.1:*", (fw_outbox_opts){0});
    FW_AUTO(fw_inbox) *in = inbox_on(fw_outbox_endpoint(o), "a", NULL);
    assert_int_equal(fw_inbox_connect(in, f.endpoint, NULL), FW_OK);
    await_reader(&f);
    fw_frame_status s = at(UINT64_C(1) << 40);
    send_status(&f, s);
    for (uint64_t i = 0; i < 5000; i++) send_data(&f, (UINT64_C(1) << 39) + i);        /* more than may wait */
    put(o, 1, 1000, 10);
    uint64_t n = 0;
    for (fw_mono deadline = in_seconds(20); n < 1000 && !fw_mono_passed(deadline);) {
        fw_inbox_event e;
        if (fw_inbox_receive(in, &e, deadline, NULL) == FW_OK && e.kind == FW_INBOX_MESSAGE) n++;
    }
    assert_int_equal(n, 1000);
    assert_int_equal(fw_inbox_publisher_at(in, 1)->lost, 0);
    end_fake(&f);
}

static void a_publisher_that_falls_silent_is_named_within_five_seconds(void **state)
{
    (void)state;
    fake f = fake_on(1);
    FW_AUTO(fw_inbox) *in = inbox_on(f.endpoint, "a", NULL);
    await_reader(&f);
    send_status(&f, at(0));
    await(in, FW_INBOX_FOUND);
    fw_mono start = fw_mono_now();
    fw_inbox_event e = await(in, FW_INBOX_SILENT);
    assert_true(fw_mono_seconds(start, fw_mono_now()) < 5.0);
    assert_string_equal(e.publisher->name, "fake");
    send_status(&f, at(0));
    await(in, FW_INBOX_FOUND);
    end_fake(&f);
}

static void more_streams_than_are_taken_are_refused(void **state)
{
    (void)state;
    FW_AUTO(fw_inbox) *in = NULL;
    assert_int_equal(fw_inbox_create(&in, bus, NULL, NULL), FW_OK);
    fw_stream stream = {{0}};
    for (unsigned i = 0; i < FW_INBOX_MAX_STREAMS; i++) {
        memcpy(stream.bytes, &i, sizeof i);
        assert_int_equal(fw_inbox_set_position(in, &stream, i, NULL), FW_OK);
    }
    memset(&stream, 0xff, sizeof stream);
    assert_int_equal(fw_inbox_set_position(in, &stream, 1, NULL), FW_ERR_ARG);
    assert_int_equal(fw_inbox_set_position(in, &stream, UINT64_MAX, NULL), FW_ERR_ARG);
    fake f = fake_on(0xfe);
    assert_int_equal(fw_inbox_connect(in, f.endpoint, NULL), FW_OK);
    await_reader(&f);
    send_data(&f, 1);
    assert_non_null(strstr(await(in, FW_INBOX_REFUSED).why, "one stream more"));
    end_fake(&f);
}

static void requests_that_can_not_be_are_counted_and_not_obeyed(void **state)
{
    (void)state;
    FW_AUTO(fw_outbox) *o = outbox_on("tcp://127.0.0.1:*", (fw_outbox_opts){.spool = spool_folder()});
    put(o, 1, 100, 0);
    assert_int_equal(fw_outbox_flush(o, in_seconds(10), NULL), FW_OK);
    FW_AUTO(fw_inbox) *in = inbox_on(fw_outbox_endpoint(o), NULL, NULL);
    await(in, FW_INBOX_FOUND);
    void *context = zmq_ctx_new(), *raw = zmq_socket(context, ZMQ_SUB), *ask = zmq_socket(context, ZMQ_DEALER);
    int zero = 0;
    zmq_setsockopt(raw, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(ask, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(raw, ZMQ_SUBSCRIBE, FW_TOPIC_STATUS, strlen(FW_TOPIC_STATUS));
    assert_int_equal(zmq_connect(raw, fw_outbox_endpoint(o)), 0);
    char bytes[FW_STATUS_BYTES], endpoint[64], request[FW_REQUEST_BYTES];
    fw_frame_status s;
    zmq_recv(raw, bytes, sizeof bytes, 0), zmq_recv(raw, bytes, sizeof bytes, 0);
    assert_int_equal(zmq_recv(raw, bytes, sizeof bytes, 0), sizeof bytes);
    assert_true(fw_status_decode(&s, bytes, sizeof bytes));
    snprintf(endpoint, sizeof endpoint, "tcp://127.0.0.1:%u", s.port);
    assert_int_equal(zmq_connect(ask, endpoint), 0);
    fw_frame_request r = {.stream = fw_outbox_stream(o), .received = 1000, .acknowledged = 1000, .name = "liar"};      /* more than there is */
    zmq_send(ask, "x", 1, 0);
    zmq_send(ask, "x", 1, ZMQ_SNDMORE), zmq_send(ask, "y", 1, 0);
    fw_request_encode(request, &r);
    zmq_send(ask, request, sizeof request, 0);
    r = (fw_frame_request){.stream = fw_outbox_stream(o), .received = 3, .acknowledged = 5, .name = "liar"};
    fw_request_encode(request, &r);
    zmq_send(ask, request, sizeof request, 0);
    for (fw_mono deadline = in_seconds(10); fw_outbox_count(o).bad_requests < 4 && !fw_mono_passed(deadline);) fw_sleep_ms(10);
    assert_int_equal(fw_outbox_count(o).bad_requests, 4);
    assert_int_equal(fw_outbox_count(o).spool.spooled, 100);
    zmq_close(raw);
    zmq_close(ask);
    zmq_ctx_term(context);
}

static void wrong_endpoints_and_names_are_refused_with_a_reason(void **state)
{
    (void)state;
    FW_AUTO(fw_outbox) *o = outbox_on("tcp://127.0.0.1:*", (fw_outbox_opts){.spool = spool_folder()});
    const struct { const char *endpoint, *name, *spool; fw_status status; const char *text; } rows[] = {
        {fw_outbox_endpoint(o), NULL, NULL, FW_ERR_BUS, "already in use"},
        {"tcp://127.0.0.1:*", NULL, spool_folder(), FW_ERR_CONFIG, "held by another publisher"},
        {"tcp://127.0.0.1:*", "a name", NULL, FW_ERR_ARG, "no name of a publisher"},
        {"tcp://127.0.0.1", NULL, NULL, FW_ERR_CONFIG, "no port number"},
        {"inproc://x", NULL, NULL, FW_ERR_CONFIG, "nobody could come"},
        {"", NULL, NULL, FW_ERR_CONFIG, "no endpoint"},
        {NULL, NULL, NULL, FW_ERR_CONFIG, "no endpoint"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        fw_error err = {0};
        fw_outbox *wrong = NULL;
        assert_int_equal(fw_outbox_open(&wrong, bus, rows[i].endpoint, &(fw_outbox_opts){.name = rows[i].name, .spool = rows[i].spool}, &err), rows[i].status);
        assert_null(wrong);
        if (strstr(err.text, rows[i].text) == NULL) fail_msg("row %zu: %s", i, err.text);
    }
    fw_inbox *in = NULL;
    assert_int_equal(fw_inbox_create(&in, bus, &(fw_inbox_opts){.name = "no name"}, NULL), FW_ERR_CONFIG);
    assert_int_equal(fw_inbox_create(&in, bus, NULL, NULL), FW_OK);
    assert_int_equal(fw_inbox_connect(in, "tcp://127.0.0.1:x", NULL), FW_ERR_CONFIG);
    fw_inbox_destroy(&in);
}

static int make_place(void **state)
{
    (void)state;
    return scratch_make(&place) && fw_bus_create(&bus, NULL) == FW_OK ? 0 : -1;
}

static int remove_place(void **state)
{
    (void)state;
    fw_bus_destroy(&bus);
    scratch_remove(&place);
    return 0;
}

#define on_a_bus(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)

int main(void)
{
    const struct CMUnitTest tests[] = {
        on_a_bus(every_message_comes_once_and_in_order_and_is_delivered_when_it_is_acknowledged),
        on_a_bus(a_prefix_chooses_topics_and_the_numbers_of_the_others_are_not_missed),
        on_a_bus(a_reader_that_comes_late_gets_what_is_spooled_and_goes_on_at_its_position),
        on_a_bus(the_next_publisher_on_a_spool_goes_on_where_the_last_one_was_killed),
        on_a_bus(a_reader_that_stands_still_gets_later_what_did_not_fit_its_queue),
        on_a_bus(what_a_small_spool_has_dropped_is_told_as_lost),
        on_a_bus(a_full_queue_drops_and_counts_and_never_waits),
        on_a_bus(messages_in_quick_succession_are_taken_together),
        on_a_bus(the_end_waits_for_those_who_are_there),
        on_a_bus(garbage_is_counted_and_the_good_goes_on),
        on_a_bus(old_batches_that_come_again_are_left_out_and_counted),
        on_a_bus(counts_that_do_not_add_up_are_told_once),
        on_a_bus(a_spool_that_went_back_in_time_is_told),
        on_a_bus(two_publishers_of_one_stream_are_told_apart),
        on_a_bus(a_gap_without_end_and_an_address_where_nobody_answers_hold_up_nobody_else),
        on_a_bus(a_publisher_that_falls_silent_is_named_within_five_seconds),
        on_a_bus(more_streams_than_are_taken_are_refused),
        on_a_bus(requests_that_can_not_be_are_counted_and_not_obeyed),
        on_a_bus(wrong_endpoints_and_names_are_refused_with_a_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
