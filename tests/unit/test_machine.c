/** What the kernel's text files say of the machine, from a made-up root and made-up texts. */
#include "worker/machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/types.h>

#include <cmocka.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "tests/unit/scratch.h"
#include "worker/group_probe.h"

static scratch here;

static int begin(void **state)
{
    (void)state;
    return scratch_make(&here) ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    scratch_remove(&here);
    return 0;
}

/* A file below the made-up root, with its folders. */
static void put(const char *name, const char *text)
{
    FW_FREE char *path = strdup(scratch_path(&here, name));
    FW_FREE char *dir = NULL;
    assert_int_equal(fw_path_dir(&dir, path, NULL), FW_OK);
    assert_int_equal(fw_make_dirs(dir, NULL), FW_OK);
    assert_int_equal(fw_write_file(path, text, strlen(text), NULL), FW_OK);
}

static void a_figure_is_found_by_its_key_and_in_bytes(void **state)
{
    (void)state;
    static const char text[] = "MemTotal:       24684084 kB\nMemAvailable:   100 kB\nHugePages_Total:       3\nBad: x kB\nHuge: 99999999999999999999 kB\nLast:\t7 kB";
    static const struct { const char *key; bool there; uint64_t bytes; } rows[] = {
        {"MemTotal", true, UINT64_C(24684084) * 1024}, {"MemAvailable", true, 102400}, {"HugePages_Total", true, 3}, {"Last", true, 7168},
        {"Mem", false, 0}, {"emTotal", false, 0}, {"Bad", false, 0}, {"Huge", false, 0}, {"SwapTotal", false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        uint64_t bytes = 0;
        assert_int_equal(machine_field(&bytes, text, rows[i].key), rows[i].there);
        if (rows[i].there) assert_true(bytes == rows[i].bytes);
    }
}

static void lists_of_processors_come_out_the_same(void **state)
{
    (void)state;
    static const char *const good[] = {"0", "0-1", "0-3,8", "1,3,5-7,1023"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        cpu_set_t cpus;
        char text[MACHINE_TEXT];
        assert_true(machine_cpus_parse(&cpus, good[i]));
        machine_cpus_text(text, sizeof text, &cpus);
        assert_string_equal(text, good[i]);
    }
    static const char *const bad[] = {"", "x", "1-", "-1", "3-1", "1024", "0-1024", "0;1", "0 1", "99999999999999999999"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        cpu_set_t cpus;
        if (machine_cpus_parse(&cpus, bad[i])) fail_msg("\"%s\" was believed", bad[i]);
    }
    cpu_set_t odd;
    char narrow[16];
    CPU_ZERO(&odd);
    for (size_t c = 1; c < CPU_SETSIZE; c += 2) CPU_SET(c, &odd);
    machine_cpus_text(narrow, sizeof narrow, &odd);
    assert_string_equal(narrow, "1,3,5,7,9,11...");
}

static void threads_of_one_core_count_once(void **state)
{
    (void)state;
    cpu_set_t cpus;
    put("sys/devices/system/cpu/cpu0/topology/thread_siblings_list", "0,2\n");
    put("sys/devices/system/cpu/cpu1/topology/thread_siblings_list", "1,3\n");
    put("sys/devices/system/cpu/cpu2/topology/thread_siblings_list", "0,2\n");
    put("sys/devices/system/cpu/cpu3/topology/thread_siblings_list", "1,3\n");
    put("sys/devices/system/node/online", "0-2\n");
    put("sys/devices/system/node/node0/cpulist", "0,2\n");
    put("sys/devices/system/node/node1/cpulist", "1,3\n");
    put("sys/devices/system/node/node2/cpulist", "\n");
    static const struct { const char *cpus; int cores, nodes; } rows[] = {{"0-3", 2, 2}, {"0,2", 1, 1}, {"0-1", 2, 2}, {"3", 1, 1}, {"0-4", 0, 2}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_true(machine_cpus_parse(&cpus, rows[i].cpus));
        assert_int_equal(machine_cores(here.dir, &cpus), rows[i].cores);
        assert_int_equal(machine_numa_nodes(here.dir, &cpus), rows[i].nodes);
    }
}

static void a_control_group_is_found_in_both_versions(void **state)
{
    (void)state;
    static const char text[] = "9:name=systemd:/\n4:cpu,memory:/job/7\n3:cpuset:/\n0::/user:odd\n";
    char path[MACHINE_TEXT];
    assert_true(machine_cgroup_path(path, text, "memory"));
    assert_string_equal(path, "/job/7");
    assert_true(machine_cgroup_path(path, text, ""));
    assert_string_equal(path, "/user:odd");
    assert_false(machine_cgroup_path(path, text, "mem"));
    assert_false(machine_cgroup_path(path, "", "memory"));
    assert_false(machine_cgroup_path(path, "nonsense\n:\n", "memory"));
}

static void the_tightest_memory_limit_on_the_way_up_counts(void **state)
{
    (void)state;
    uint64_t limit = 0, used = 0;
    assert_false(machine_memory_limit(&limit, &used, here.dir));
    put("proc/self/cgroup", "0::/a/b\n");
    put("sys/fs/cgroup/a/b/memory.max", "max\n");
    assert_false(machine_memory_limit(&limit, &used, here.dir));
    put("sys/fs/cgroup/a/memory.max", "1000\n");
    put("sys/fs/cgroup/a/memory.current", "400\n");
    assert_true(machine_memory_limit(&limit, &used, here.dir));
    assert_true(limit == 1000 && used == 400);
    put("sys/fs/cgroup/a/b/memory.max", "2000\n");
    assert_true(machine_memory_limit(&limit, &used, here.dir));
    assert_true(limit == 1000);
    put("proc/self/cgroup", "4:memory:/j\n0::/\n");
    put("sys/fs/cgroup/memory/j/memory.limit_in_bytes", "9223372036854771712\n");
    assert_false(machine_memory_limit(&limit, &used, here.dir));
    put("sys/fs/cgroup/memory/memory.limit_in_bytes", "500\n");
    assert_true(machine_memory_limit(&limit, &used, here.dir));
    assert_true(limit == 500 && used == 0);
}

static void there_is_room_for_what_host_and_control_group_allow(void **state)
{
    (void)state;
    assert_true(machine_memory_room(here.dir) == UINT64_MAX);
    put("proc/meminfo", "MemTotal:       16000000 kB\nMemFree:          100000 kB\nMemAvailable:    2000000 kB\n");
    assert_true(machine_memory_room(here.dir) == 2000000ull * 1024);
    put("proc/self/cgroup", "0::/a\n");
    put("sys/fs/cgroup/a/memory.max", "1000000\n");
    put("sys/fs/cgroup/a/memory.current", "999999\n");
    assert_true(machine_memory_room(here.dir) == 1000000);
}

static void the_chosen_word_stands_in_brackets(void **state)
{
    (void)state;
    static const struct { const char *text, *word; } rows[] = {
        {"always [madvise] never", "madvise"}, {"[always]", "always"}, {"none", ""}, {"[", ""}, {"[]", ""}, {"] [", ""}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char word[MACHINE_TEXT];
        machine_chosen(word, rows[i].text);
        assert_string_equal(word, rows[i].word);
    }
}

/* One clock, a second ahead or behind; a round trip of 4 ms, the time told 1 or 3 ms after the question: within half of the trip. */
static void a_clock_is_known_within_half_a_round_trip(void **state)
{
    (void)state;
    static const int64_t start = INT64_C(1800000000000000000);
    for (int64_t ahead = -1000; ahead <= 1000; ahead += 1000)
        for (int64_t told_ms = 0; told_ms <= 4; told_ms++) {
            const double found = worker_clock_ahead(start + ahead * 1000000, 0.004, start + told_ms * 1000000);
            assert_true(found >= 1e-3 * (double)ahead - 0.002 - 1e-12 && found <= 1e-3 * (double)ahead + 0.002 + 1e-12);
            if (told_ms == 2) assert_true(found > 1e-3 * (double)ahead - 1e-9 && found < 1e-3 * (double)ahead + 1e-9);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_figure_is_found_by_its_key_and_in_bytes),
        cmocka_unit_test(lists_of_processors_come_out_the_same),
        cmocka_unit_test_setup_teardown(threads_of_one_core_count_once, begin, end),
        cmocka_unit_test(a_control_group_is_found_in_both_versions),
        cmocka_unit_test_setup_teardown(the_tightest_memory_limit_on_the_way_up_counts, begin, end),
        cmocka_unit_test_setup_teardown(there_is_room_for_what_host_and_control_group_allow, begin, end),
        cmocka_unit_test(the_chosen_word_stands_in_brackets),
        cmocka_unit_test(a_clock_is_known_within_half_a_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
