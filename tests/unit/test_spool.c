/** The spool: what was written is there again, whatever happens to the process, the files or the disk, and each message is in one account. */
#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/bus/spool.h"
#include "common/core/clock.h"
#include "common/core/fault.h"
#include "tests/unit/scratch.h"

static scratch place;
static char said[8192];

static void hear(void *context, const char *text)
{
    (void)context;
    snprintf(said + strlen(said), sizeof said - strlen(said), "%s\n", text);
}

static const char *folder(void)
{
    static char path[600];
    snprintf(path, sizeof path, "%s/spool", place.dir);
    return path;
}

static fw_spool *open_with(fw_spool_opts o)
{
    fw_spool *s = NULL;
    fw_error err = {0};
    said[0] = '\0';
    o.say = hear;
    if (fw_spool_open(&s, &o, &err) != FW_OK) fail_msg("%s", err.text);
    return s;
}

static fw_spool *open_here(void) { return open_with((fw_spool_opts){.folder = folder()}); }

/* message i: topic "t/i", payload of i bytes and more, all computed from i */
static size_t message(char out[static 512], uint64_t i)
{
    const size_t len = (size_t)(i * 37 % 300);
    for (size_t k = 0; k < len; k++) out[k] = (char)(i + k * 7);
    return len;
}

static void put(fw_spool *s, uint64_t from, uint64_t to)
{
    for (uint64_t i = from; i <= to; i++) {
        char payload[512], topic[32];
        uint64_t number = 0;
        const size_t len = message(payload, i);
        snprintf(topic, sizeof topic, "t/%llu", (unsigned long long)i);
        assert_int_equal(fw_spool_append(s, &number, topic, strlen(topic), payload, len, NULL), FW_OK);
        assert_int_equal(number, i);
    }
    assert_int_equal(fw_spool_write(s, NULL), FW_OK);
}

static void assert_is_message(const fw_record *r)
{
    char payload[512], topic[32];
    const size_t len = message(payload, r->sequence);
    snprintf(topic, sizeof topic, "t/%llu", (unsigned long long)r->sequence);
    assert_int_equal(r->topic_len, strlen(topic));
    assert_memory_equal(r->topic, topic, r->topic_len);
    assert_int_equal(r->len, len);
    if (len > 0) assert_memory_equal(r->payload, payload, len);
}

/** Reads all from `from` on; how many, and the bits of the numbers up to 63. */
static uint64_t read_all(fw_spool *s, uint64_t from, uint64_t *bits)
{
    uint64_t n = 0, last = 0;
    fw_record r;
    fw_status status;
    fw_error err = {0};
    *bits = 0;
    while ((status = fw_spool_next(s, &r, from, &err)) == FW_OK) {
        assert_true(r.sequence >= from && r.sequence > last);
        assert_is_message(&r);
        if (r.sequence < 64) *bits |= UINT64_C(1) << r.sequence;
        last = r.sequence;
        from = last + 1;
        n++;
    }
    if (status != FW_END) fail_msg("%s", err.text);
    return n;
}

static uint64_t dropped(const fw_spool_counts *c)
{
    uint64_t n = 0;
    for (size_t i = 0; i < FW_N_DROPS; i++) n += c->dropped[i];
    return n;
}

static fw_spool_counts counts_that_add_up(const fw_spool *s)
{
    const fw_spool_counts c = fw_spool_count(s);
    assert_int_equal(c.produced, c.delivered + c.spooled + dropped(&c));
    return c;
}

static void what_was_written_is_there_after_the_process_ended(void **state)
{
    (void)state;
    uint64_t bits;
    fw_spool *s = open_here();
    const fw_stream stream = fw_spool_stream(s);
    put(s, 1, 10);
    fw_spool_destroy(&s);
    s = open_here();
    const fw_stream again = fw_spool_stream(s);
    assert_memory_equal(&stream, &again, sizeof stream);
    assert_int_equal(read_all(s, 1, &bits), 10);
    put(s, 11, 40);
    assert_int_equal(read_all(s, 7, &bits), 34);
    assert_int_equal(fw_spool_close(&s, NULL), FW_OK);
    s = open_here();
    assert_int_equal(read_all(s, 0, &bits), 40);
    assert_int_equal(counts_that_add_up(s).spooled, 40);
    assert_string_equal(said, "");
    fw_spool_destroy(&s);
}

static void what_all_readers_acknowledged_leaves_and_its_numbers_do_not_come_back(void **state)
{
    (void)state;
    uint64_t bits;
    fw_spool *s = open_with((fw_spool_opts){.folder = folder(), .segment_bytes = 4096});
    put(s, 1, 100);
    const size_t before = fw_spool_count(s).segments;
    assert_int_equal(fw_spool_acknowledge(s, "a", 60, NULL), FW_OK);
    assert_int_equal(fw_spool_acknowledge(s, "b", 0, NULL), FW_OK);           /* comes late: what is there is kept for it from now on */
    assert_int_equal(fw_spool_acknowledge(s, "a", 100, NULL), FW_OK);
    fw_spool_counts c = counts_that_add_up(s);
    assert_int_equal(c.delivered, 60);
    assert_int_equal(c.spooled, 40);
    assert_true(c.segments < before);
    assert_int_equal(fw_spool_acknowledge(s, "b", 101, NULL), FW_ERR_ARG);
    assert_int_equal(fw_spool_acknowledge(s, "no name", 1, NULL), FW_ERR_ARG);
    fw_spool_destroy(&s);
    s = open_here();
    assert_int_equal(read_all(s, 1, &bits), 40);
    assert_int_equal(fw_spool_acknowledge(s, "b", 100, NULL), FW_OK);
    c = counts_that_add_up(s);
    assert_int_equal(c.delivered, 100);
    assert_int_equal(c.first, 101);
    assert_int_equal(fw_spool_close(&s, NULL), FW_OK);
    s = open_here();                                                          /* no segment was left */
    put(s, 101, 103);
    assert_int_equal(counts_that_add_up(s).spooled, 3);
    fw_spool_destroy(&s);
    s = open_here();
    assert_int_equal(counts_that_add_up(s).delivered, 100);
    for (int i = 0; i < FW_SPOOL_MAX_READERS - 2; i++) {
        char name[16];
        snprintf(name, sizeof name, "r%d", i);
        assert_int_equal(fw_spool_acknowledge(s, name, 0, NULL), FW_OK);
    }
    assert_int_equal(fw_spool_acknowledge(s, "one-too-many", 0, NULL), FW_END);
    fw_spool_destroy(&s);
}

static void over_the_cap_the_oldest_segment_goes_and_is_counted(void **state)
{
    (void)state;
    const char *const where[] = {folder(), NULL};
    for (size_t w = 0; w < 2; w++) {
        uint64_t bits;
        fw_spool *s = open_with((fw_spool_opts){.folder = where[w], .cap_bytes = 64 << 10});
        put(s, 1, 5000);
        fw_spool_counts c = counts_that_add_up(s);
        assert_true(c.bytes <= 64 << 10 && c.spooled > 100);
        assert_int_equal(c.dropped[FW_DROP_FULL], 5000 - c.spooled);
        assert_int_equal(c.first, c.dropped[FW_DROP_FULL] + 1);
        assert_int_equal(read_all(s, 1, &bits), c.spooled);
        assert_int_equal(fw_spool_acknowledge(s, "a", 5000, NULL), FW_OK);
        assert_int_equal(counts_that_add_up(s).delivered, c.spooled);
        char *large = calloc(1, FW_BUS_MAX_MESSAGE + 1);
        uint64_t number;
        assert_int_equal(fw_spool_append(s, &number, "t", 1, large, FW_BUS_MAX_MESSAGE + 1, NULL), FW_ERR_ARG);
        assert_int_equal(fw_spool_append(s, &number, "t", 1, large, 200 << 10, NULL), FW_OK);       /* larger than the cap: alone in it */
        put(s, 5002, 5010);
        c = counts_that_add_up(s);
        assert_true(c.bytes <= (64 << 10));
        free(large);
        if (w == 0) {
            fw_spool_destroy(&s);
            s = open_here();
            fw_spool_counts after = counts_that_add_up(s);
            assert_memory_equal(after.dropped, c.dropped, sizeof c.dropped);
            assert_int_equal(after.delivered, c.delivered);
        }
        fw_spool_destroy(&s);
    }
}

static void a_second_owner_is_refused(void **state)
{
    (void)state;
    fw_spool *s = open_here(), *second = NULL;
    fw_error err = {0};
    assert_int_equal(fw_spool_open(&second, &(fw_spool_opts){.folder = folder()}, &err), FW_ERR_CONFIG);
    assert_null(second);
    char who[64];
    snprintf(who, sizeof who, "held by another publisher (process %d on ", (int)getpid());
    assert_non_null(strstr(err.text, who));
    struct stat st;
    assert_int_equal(stat(folder(), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    fw_spool_destroy(&s);
    s = open_here();
    fw_spool_destroy(&s);
}

/* ---- damage ----------------------------------------------------------------------------------------------------------------------------------- */

enum { N = 6 };

static char *read_file(const char *path, size_t *len)
{
    static char bytes[64 << 10];
    const int fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    const ssize_t n = read(fd, bytes, sizeof bytes);
    assert_true(n >= 0);
    close(fd);
    *len = (size_t)n;
    char *copy = malloc(*len + 1);
    memcpy(copy, bytes, *len);
    return copy;
}

static void write_file(const char *path, const char *bytes, size_t len)
{
    const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, len), (ssize_t)len);
    close(fd);
}

static void path_in(char out[static 900], const char *name) { snprintf(out, 900, "%s/%s", folder(), name); }

/* The folder as one process left it: a segment and a ledger. */
typedef struct original { char segment_path[900], ledger_path[900], *segment, *ledger; size_t segment_len, ledger_len; size_t end[N + 1]; } original;

static void make_original(original *o)
{
    path_in(o->segment_path, "00000000000000000001.seg");
    path_in(o->ledger_path, "ledger");
    fw_spool *s = open_here();
    o->end[0] = FW_SEGMENT_HEAD;
    for (uint64_t i = 1; i <= N; i++) {
        struct stat st;
        put(s, i, i);
        assert_int_equal(stat(o->segment_path, &st), 0);
        o->end[i] = (size_t)st.st_size;
    }
    fw_spool_destroy(&s);
    o->segment = read_file(o->segment_path, &o->segment_len);
    o->ledger = read_file(o->ledger_path, &o->ledger_len);
    assert_int_equal(o->end[N], o->segment_len);
}

static void restore(const original *o)
{
    DIR *dir = opendir(folder());
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char path[900];
        path_in(path, e->d_name);
        if (e->d_name[0] != '.') unlink(path);
    }
    closedir(dir);
    write_file(o->segment_path, o->segment, o->segment_len);
    write_file(o->ledger_path, o->ledger, o->ledger_len);
}

static void end_original(original *o)
{
    free(o->segment);
    free(o->ledger);
}

static void every_truncation_leaves_the_messages_before_it(void **state)
{
    (void)state;
    original o;
    make_original(&o);
    for (size_t len = 0; len <= o.segment_len; len++) {
        restore(&o);
        assert_int_equal(truncate(o.segment_path, (off_t)len), 0);
        uint64_t whole = 0, bits;
        while (whole < N && o.end[whole + 1] <= len) whole++;
        for (int again = 0; again < 2; again++) {
            fw_spool *s = open_here();
            assert_int_equal(read_all(s, 1, &bits), whole);
            counts_that_add_up(s);
            assert_string_equal(said, "");                     /* a torn end is what a killed writer leaves: no damage */
            fw_spool_destroy(&s);
        }
        fw_spool *s = open_here();
        put(s, whole + 1, whole + 3);                          /* what was cut had not been given out */
        assert_int_equal(read_all(s, 1, &bits), whole + 3);
        fw_spool_destroy(&s);
        s = open_here();
        assert_int_equal(read_all(s, 1, &bits), whole + 3);
        fw_spool_destroy(&s);
    }
    end_original(&o);
}

static void every_flipped_bit_is_found_named_passed_over_and_counted(void **state)
{
    (void)state;
    original o;
    make_original(&o);
    for (size_t bit = 0; bit < 8 * o.segment_len; bit++) {
        restore(&o);
        o.segment[bit / 8] ^= (char)(1 << bit % 8);
        write_file(o.segment_path, o.segment, o.segment_len);
        o.segment[bit / 8] ^= (char)(1 << bit % 8);
        size_t hit = 0;                                        /* the message that is damaged; 0: the segment's head */
        while (o.end[hit] <= bit / 8) hit++;
        uint64_t bits, all = 0;
        for (uint64_t i = 1; i <= N; i++)
            if (i != hit) all |= UINT64_C(1) << i;
        fw_spool *s = open_here();
        assert_non_null(strstr(said, "00000000000000000001.seg: "));
        read_all(s, 1, &bits);
        if (bits != all) fail_msg("bit %zu: read %llx, not %llx", bit, (unsigned long long)bits, (unsigned long long)all);
        const fw_spool_counts c = counts_that_add_up(s);
        if (hit > 0 && hit < N) assert_int_equal(c.dropped[FW_DROP_LOST], 1);
        if (hit == 0) assert_int_equal(dropped(&c), 0);
        assert_true(c.highest >= N);                           /* the number of a damaged last one is not given again */
        uint64_t number;
        assert_int_equal(fw_spool_append(s, &number, "t", 1, "x", 1, NULL), FW_OK);
        assert_int_equal(number, c.highest + 1);
        assert_int_equal(fw_spool_close(&s, NULL), FW_OK);
        s = open_here();
        const fw_spool_counts again = counts_that_add_up(s);
        assert_int_equal(again.spooled, c.spooled + 1);
        assert_int_equal(again.dropped[FW_DROP_LOST], c.dropped[FW_DROP_LOST]);
        fw_spool_destroy(&s);
    }
    end_original(&o);
}

static void a_damaged_ledger_costs_no_message_and_no_number_is_given_twice(void **state)
{
    (void)state;
    original o;
    make_original(&o);
    for (size_t byte = 0; byte < o.ledger_len; byte += 3) {
        restore(&o);
        o.ledger[byte] ^= 0x10;
        write_file(o.ledger_path, o.ledger, o.ledger_len);
        o.ledger[byte] ^= 0x10;
        uint64_t bits;
        fw_spool *s = open_here();
        assert_int_equal(read_all(s, 1, &bits), N);
        assert_true(counts_that_add_up(s).highest >= N);
        fw_spool_destroy(&s);
    }
    restore(&o);
    write_file(o.ledger_path, "nonsense", 8);
    uint64_t bits;
    fw_spool *s = open_here();
    assert_non_null(strstr(said, "ledger is damaged"));
    assert_int_equal(read_all(s, 1, &bits), N);
    assert_true(counts_that_add_up(s).highest > N);
    fw_spool_destroy(&s);
    end_original(&o);
}

static void damage_while_it_is_open_is_found_when_it_is_read(void **state)
{
    (void)state;
    original o;
    make_original(&o);
    restore(&o);
    fw_spool *s = open_here();
    o.segment[o.end[2] + 40] ^= 1;                             /* in the third message */
    write_file(o.segment_path, o.segment, o.segment_len);
    uint64_t bits;
    assert_int_equal(read_all(s, 1, &bits), N - 1);
    assert_non_null(strstr(said, "00000000000000000001.seg: damaged between bytes"));
    assert_int_equal(bits, 0x7e & ~(1u << 3));
    assert_int_equal(counts_that_add_up(s).dropped[FW_DROP_LOST], 1);
    read_all(s, 1, &bits);
    assert_int_equal(counts_that_add_up(s).dropped[FW_DROP_LOST], 1);
    assert_int_equal(fw_spool_acknowledge(s, "a", N, NULL), FW_OK);
    assert_int_equal(counts_that_add_up(s).delivered, N - 1);
    fw_spool_destroy(&s);
    end_original(&o);
}

static void a_segment_of_another_spool_is_refused(void **state)
{
    (void)state;
    original o;
    make_original(&o);
    unlink(o.ledger_path);
    unlink(o.segment_path);
    fw_spool *s = open_here();                                 /* a new stream */
    put(s, 1, 3);
    fw_spool_destroy(&s);
    write_file(o.segment_path, o.segment, o.segment_len);
    fw_error err = {0};
    assert_int_equal(fw_spool_open(&s, &(fw_spool_opts){.folder = folder()}, &err), FW_ERR_FORMAT);
    assert_non_null(strstr(err.text, "belongs to the spool of another publisher"));
    end_original(&o);
}

/* ---- the disk --------------------------------------------------------------------------------------------------------------------------------- */

static void faults(const char *schedule)
{
    setenv("FW_FAULTS", schedule, 1);
    assert_int_equal(fw_fault_init(0, NULL), FW_OK);
}

static void a_failing_disk_is_told_and_what_came_meanwhile_moves_there_later(void **state)
{
    (void)state;
    const char *const points[] = {"spool.before_write@fail", "spool.before_sync@fail"};
    for (size_t p = 0; p < 2; p++) {
        uint64_t bits;
        fw_spool *s = open_here();
        const uint64_t before = fw_spool_count(s).highest;
        put(s, before + 1, before + 10);
        faults(points[p]);
        put(s, before + 11, before + 20);
        assert_int_equal(fw_spool_sync(s, NULL), FW_OK);
        put(s, before + 21, before + 30);
        assert_true(counts_that_add_up(s).failing);
        assert_non_null(strstr(said, "goes on in memory"));
        assert_non_null(strstr(said, points[p][13] == 'w' ? "spool.before_write" : "spool.before_sync"));
        assert_int_equal(read_all(s, before + 1, &bits), 30);
        faults("");
        for (fw_mono deadline = fw_mono_after(fw_mono_now(), 10); fw_spool_count(s).failing && !fw_mono_passed(deadline); fw_sleep_ms(50)) fw_spool_sync(s, NULL);
        assert_non_null(strstr(said, "works again"));
        put(s, before + 31, before + 40);
        fw_spool_destroy(&s);
        s = open_here();
        assert_int_equal(read_all(s, before + 1, &bits), 40);
        assert_int_equal(fw_spool_close(&s, NULL), FW_OK);
    }
}

static void in_place_of_a_failing_disk_memory_is_bounded_and_what_goes_is_counted(void **state)
{
    (void)state;
    uint64_t bits;
    fw_spool *s = open_with((fw_spool_opts){.folder = folder(), .memory_bytes = 64 << 10});
    put(s, 1, 100);
    faults("spool.before_write@fail");
    for (uint64_t i = 101; i < 3000; i += 10) put(s, i, i + 9);
    fw_spool_counts c = counts_that_add_up(s);
    assert_true(c.dropped[FW_DROP_DISK] > 1000);
    assert_int_equal(c.dropped[FW_DROP_DISK] + c.spooled, 3000);
    assert_int_equal(read_all(s, 1, &bits), c.spooled);
    assert_int_equal(bits, ~UINT64_C(1));                      /* what was on the disk before is there */
    assert_int_equal(fw_spool_acknowledge(s, "a", 3000, NULL), FW_OK);
    assert_int_equal(counts_that_add_up(s).delivered, c.spooled);
    faults("");
    put(s, 3001, 3005);
    faults("spool.before_write@fail");
    fw_error err = {0};
    assert_int_equal(fw_spool_close(&s, &err), FW_ERR_IO);
    assert_non_null(strstr(err.text, "the disk fails still"));
    faults("");
    s = open_here();                                           /* the numbers that were in memory alone are not given again */
    c = counts_that_add_up(s);
    assert_true(c.highest >= 3005);
    assert_true(c.dropped[FW_DROP_LOST] >= 5);
    fw_spool_destroy(&s);
}

static int make_place(void **state)
{
    (void)state;
    setenv("FW_FAULTS", "", 1);
    fw_fault_init(0, NULL);
    return scratch_make(&place) ? 0 : -1;
}

static int remove_place(void **state)
{
    (void)state;
    scratch_remove(&place);
    return 0;
}

#define in_a_folder(name) cmocka_unit_test_setup_teardown(name, make_place, remove_place)

int main(void)
{
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);      /* some ten thousand spools: a disk would take a minute */
    const struct CMUnitTest tests[] = {
        in_a_folder(what_was_written_is_there_after_the_process_ended),
        in_a_folder(what_all_readers_acknowledged_leaves_and_its_numbers_do_not_come_back),
        in_a_folder(over_the_cap_the_oldest_segment_goes_and_is_counted),
        in_a_folder(a_second_owner_is_refused),
        in_a_folder(every_truncation_leaves_the_messages_before_it),
        in_a_folder(every_flipped_bit_is_found_named_passed_over_and_counted),
        in_a_folder(a_damaged_ledger_costs_no_message_and_no_number_is_given_twice),
        in_a_folder(damage_while_it_is_open_is_found_when_it_is_read),
        in_a_folder(a_segment_of_another_spool_is_refused),
        in_a_folder(a_failing_disk_is_told_and_what_came_meanwhile_moves_there_later),
        in_a_folder(in_place_of_a_failing_disk_memory_is_bounded_and_what_goes_is_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
