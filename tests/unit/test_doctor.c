/** The checks of doctor over made-up machines; a folder tried out; ELF headers, whole and damaged. */
#include "coordinator/doctor/doctor.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <fcntl.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/core/fs.h"
#include "common/core/size.h"
#include "coordinator/doctor/elf.h"
#include "tests/unit/scratch.h"

/* ---- made-up machines ------------------------------------------------------------------------------------------------------------------- */

/** "name=value" facts of a rank, blanks between; a value that is no number is a word. */
static fw_answer *answer_of(size_t rank, const char *facts)
{
    fw_value values[40];
    fw_word words[40];
    char text[2048], number[32];
    size_t n_values = 0, n_words = 0;
    snprintf(text, sizeof text, "%s", facts);
    snprintf(number, sizeof number, "%zu", rank);
    values[n_values++] = (fw_value){(char *)"rank", (double)rank};
    for (char *rest = NULL, *fact = strtok_r(text, " ", &rest); fact != NULL; fact = strtok_r(NULL, " ", &rest)) {
        char *value = strchr(fact, '='), *end = NULL;
        assert_non_null(value);
        *value++ = '\0';
        const double v = strtod(value, &end);
        if (*end == '\0' && *value != '\0' && strcmp(fact, "cpus") != 0) values[n_values++] = (fw_value){fact, v};
        else words[n_words++] = (fw_word){fact, value};
    }
    const fw_answer a = {.kind = (char *)"rank", .values = values, .n_values = n_values, .words = words, .n_words = n_words};
    FW_FREE void *bytes = NULL;
    size_t len = 0;
    fw_answer *out = NULL;
    assert_int_equal(fw_answer_pack(&bytes, &len, &a, NULL), FW_OK);
    assert_int_equal(fw_answer_unpack(&out, bytes, len, NULL), FW_OK);
    return out;
}

/** One rank a line. */
static void machine(coord_doctor *d, const char *ranks)
{
    char text[4096];
    *d = (coord_doctor){0};
    snprintf(text, sizeof text, "%s", ranks);
    for (char *rest = NULL, *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        assert_int_equal(coord_doctor_add_rank(d, answer_of(d->n_ranks, line), NULL), FW_OK);
}

static coord_finding look(const coord_doctor *d, const char *check)
{
    coord_finding f = {0};
    for (const coord_check *c = coord_checks; c->name != NULL; c++)
        if (strcmp(c->name, check) == 0) {
            c->look(&f, d);
            return f;
        }
    fail_msg("there is no check \"%s\"", check);
    return f;
}

#define GB4 "memory.available=4294967296 memory.total=8589934592 "
#define TWO_HOSTS(facts_a, facts_b) "host=a node=0 " facts_a "\nhost=b node=1 " facts_b

/* What each check says of a machine: verdict, a part of the value, a part of the remedy. */
static const struct { const char *check, *ranks; coord_verdict verdict; const char *value, *remedy; } cases[] = {
    {"cores", "host=a node=0 cpus=0-3 cpus.n=4 host.cpus=8", COORD_GOOD, "a: 1 rank, 4 of 8 processors", ""},
    {"cores", TWO_HOSTS("cpus=0-3 cpus.n=4 host.cpus=4", "cpus=0-1 cpus.n=2 host.cpus=4"), COORD_GOOD, "b: 1 rank, 2 of 4", ""},
    {"binding", "host=a node=0 cpus=0 cpus.n=1 host.cpus=2\nhost=a node=0 cpus=1 cpus.n=1", COORD_GOOD, "cores of its own", ""},
    {"binding", "host=a node=0 cpus=0-3 cpus.n=4 host.cpus=4\nhost=a node=0 cpus=0-3 cpus.n=4", COORD_NOTE, "not bound: 2 ranks", "--bind-to core"},
    {"binding", "host=a node=0 cpus=0 cpus.n=1 host.cpus=4\nhost=a node=0 cpus=0 cpus.n=1\nhost=a node=0 cpus=1-3 cpus.n=3", COORD_WARN,
     "ranks 0 and 1 share core 0", "--bind-to core"},
    {"binding", "host=a node=0 cpus=0 cpus.n=1 host.cpus=4\nhost=a node=0 cpus=0 cpus.n=1", COORD_WARN, "oversubscribed: 2 ranks share 1 core of a", "at most 1 rank "},
    {"binding", TWO_HOSTS("cpus=0 cpus.n=1 host.cpus=1", "cpus=0 cpus.n=1 host.cpus=1"), COORD_GOOD, "cores of its own", ""},
    {"binding", "host=a node=0 cpus=0-3 cpus.n=4 host.cpus=4\nhost=a node=0 cpus=0-3 cpus.n=4\nhost=b node=2 cpus=0 cpus.n=1 host.cpus=1\nhost=b node=2 cpus=0 cpus.n=1",
     COORD_WARN, "oversubscribed: 2 ranks share 1 core of b, and a rank that waits takes the core from one that works; alike on 1 more host", "at most 1 rank"},
    {"threads", "host=a node=0 cpus=0-3 cpus.n=4 cpus.cores=2 host.cpus=4", COORD_NOTE, "4 processors are 2 cores", "2 ranks"},
    {"threads", "host=a node=0 cpus=0-3 cpus.n=4 cpus.cores=4 host.cpus=4", COORD_GOOD, "no two", ""},
    {"NUMA", "host=a node=0 cpus.numa_nodes=2\nhost=a node=0 cpus.numa_nodes=1", COORD_NOTE, "2 memory nodes", "--bind-to"},
    {"frequency", "host=a node=0 host.governor=powersave", COORD_NOTE, "powersave on a", "performance"},
    {"frequency", "host=a node=0 host.governor=performance", COORD_GOOD, "performance", ""},
    {"load", TWO_HOSTS("host.load=0.1 host.cpus=4", "host.load=3.5 host.cpus=4"), COORD_NOTE, "3.5 processes computed on the 4 processors of b", "top"},
    {"kernels", TWO_HOSTS("kernels=avx512", "kernels=avx2"), COORD_NOTE, "avx512 on rank 0 (a), avx2 on rank 1 (b): the same bits", ""},
    {"kernels", TWO_HOSTS("kernels=avx2", "kernels=avx2"), COORD_GOOD, "avx2 on all ranks", ""},
    {"kernels", TWO_HOSTS("kernels=avx2", "kernels=avx2 kernels.asked=avx2"), COORD_NOTE, "FW_KERNELS=avx2 is set on rank 1", "unset FW_KERNELS"},
    {"kernels", "host=a node=0 kernels=portable", COORD_NOTE, "portable on all ranks", ""},
    {"library", TWO_HOSTS("mpi.library=4.1.4", "mpi.library=4.1.5"), COORD_FAIL, "4.1.5", "same installation"},
    {"transport", TWO_HOSTS("mpi.pml=ob1 mpi.btl=tcp mpi.mtl=psm2", "mpi.pml=ob1"), COORD_NOTE, "ob1 over tcp", "UCX"},
    {"transport", TWO_HOSTS("mpi.pml=cm mpi.btl=tcp mpi.mtl=psm2", "mpi.pml=cm"), COORD_GOOD, "cm over psm2", ""},
    {"messages", "host=a node=0 mpi.latency_s=0.0002 mpi.bytes_per_s=1e9", COORD_NOTE, "200 us", "binding"},
    {"messages", "host=a node=0", COORD_GOOD, "one rank", ""},
    {"waiting", "host=a node=0 mpi.yields=0 cpus=0 cpus.n=1 host.cpus=1\nhost=a node=0 cpus=0 cpus.n=1", COORD_WARN, "more ranks than cores", "mpi_yield_when_idle 1"},
    {"waiting", "host=a node=0 mpi.yields=1 cpus=0 cpus.n=1 host.cpus=2\nhost=a node=0 cpus=1 cpus.n=1", COORD_NOTE, "give their core away", "at 0"},
    {"memory", TWO_HOSTS(GB4, "memory.available=1073741823 memory.total=8589934592"), COORD_WARN, "on b (the least of all)", "srun --mem"},
    {"memory", "host=a node=0 " GB4 "memory.limit=2147483648 memory.limit_used=2147483000", COORD_WARN, "its control group allows 2.0 GiB", "srun --mem"},
    {"memory", "host=a node=0 " GB4, COORD_GOOD, "4.0 GiB free of 8.0 GiB on a", ""},
    {"shared", "host=a node=0 shm.free=1000000 shm.path=/dev/shm\nhost=a node=0", COORD_FAIL, "/dev/shm on a", "64 MiB is needed"},
    {"shared", "host=a node=0 shm.free=1000000 shm.path=/dev/shm", COORD_GOOD, "977 KiB free", ""},
    {"swap", "host=a node=0 swap.total=1000000 swap.free=500000", COORD_NOTE, "in use on a", "end what else"},
    {"swap", "host=a node=0 swap.total=0 swap.free=0", COORD_GOOD, "none", ""},
    {"huge pages", "host=a node=0 memory.huge_pages=never", COORD_NOTE, "never", "madvise"},
    {"limits", "host=a node=0 limit.files=256 limit.stack=8388608 limit.locked=-1 limit.file=-1 limit.memory=-1", COORD_WARN, "256 open files, stack 8.0 MiB, locked memory no limit",
     "ulimit -n"},
    {"limits", "host=a node=0 limit.files=4096 limit.file=1048576 limit.memory=-1", COORD_WARN, "files of at most 1.0 MiB", "ulimit -f"},
    {"clocks", TWO_HOSTS("clock.ahead_s=0 clock.bound_s=0", "clock.ahead_s=-2.5 clock.bound_s=0.001"), COORD_WARN, "b is 2.5 s behind a", "chrony"},
    {"clocks", TWO_HOSTS("clock.ahead_s=0 clock.bound_s=0", "clock.ahead_s=0.2 clock.bound_s=0.001"), COORD_NOTE, "200 ms ahead of a", "chrony"},
    {"clocks", TWO_HOSTS("clock.ahead_s=0 clock.bound_s=0", "clock.ahead_s=0.2 clock.bound_s=0.15"), COORD_GOOD, "known to 150 ms", ""},
    {"clocks", "host=a node=0 clock.ahead_s=0 clock.bound_s=0", COORD_GOOD, "one host, one clock", ""},
    {"user", "host=a node=0 uid=0", COORD_NOTE, "root", "plain user"},
    {"user", "host=a node=0 uid=1000", COORD_GOOD, "uid 1000", ""},
    {"core files", "host=a node=0 limit.core=-1 core_pattern=core", COORD_NOTE, "on: ", "ulimit -c 0"},
    {"core files", "host=a node=0 limit.core=0 core_pattern=core", COORD_GOOD, "off", ""},
    {"core files", "host=a node=0 limit.core=0 core_pattern=|/usr/lib/systemd-coredump", COORD_NOTE, "the system collects them", "coredumpctl"},
    {"memory errors", TWO_HOSTS("memory.edac=1", "memory.edac=0"), COORD_NOTE, "not known", "checksums"},
    {"memory errors", "host=a node=0 memory.edac=1", COORD_GOOD, "EDAC", ""},
};

static void each_check_judges_made_up_machines(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        coord_doctor d;
        machine(&d, cases[i].ranks);
        coord_finding f = look(&d, cases[i].check);
        const char *value = f.value.len > 0 ? f.value.data : "", *remedy = f.remedy.len > 0 ? f.remedy.data : "";
        if (f.verdict != cases[i].verdict || strstr(value, cases[i].value) == NULL || (*cases[i].remedy == '\0' ? *remedy != '\0' : strstr(remedy, cases[i].remedy) == NULL))
            fail_msg("case %zu, %s: %s \"%s\" -> \"%s\"", i, cases[i].check, coord_verdict_name(f.verdict), value, remedy);
        coord_finding_release(&f);
        coord_doctor_release(&d);
    }
}

static void no_check_stumbles_over_facts_that_are_not_known(void **state)
{
    (void)state;
    coord_doctor d;
    machine(&d, "host=a node=0\nhost=b node=1\nhost=b node=1");
    for (const coord_check *c = coord_checks; c->name != NULL; c++) {
        coord_finding f = look(&d, c->name);
        if (f.value.len > 0 && strstr(f.value.data, "nan") != NULL) fail_msg("%s: %s", c->name, f.value.data);
        coord_finding_release(&f);
    }
    coord_doctor_release(&d);
}

static void what_training_needs_is_compared(void **state)
{
    (void)state;
    coord_doctor d;
    machine(&d, "host=a node=0 " GB4 "shm.free=4294967296 shm.path=/dev/shm");
    d.need = (coord_need){.rows = 10, .memory_bytes = UINT64_C(5) << 30};
    coord_finding f = look(&d, "memory"), g = look(&d, "shared");
    assert_int_equal(f.verdict, COORD_FAIL);
    assert_int_equal(g.verdict, COORD_FAIL);
    assert_non_null(strstr(f.remedy.data, "about 5.0 GiB"));
    coord_finding_release(&f);
    coord_finding_release(&g);
    coord_doctor_release(&d);
}

static void ranks_come_in_their_order(void **state)
{
    (void)state;
    coord_doctor d = {0};
    fw_answer *second = answer_of(1, "host=a node=0");
    assert_int_equal(coord_doctor_add_rank(&d, second, NULL), FW_ERR_FORMAT);
    fw_answer_destroy(&second);
    coord_doctor_release(&d);
}

static void the_lines_to_start_with_count_cores(void **state)
{
    (void)state;
    unsetenv("SLURM_JOB_ID");
    static const struct { const char *ranks, *mpirun, *srun, *supervised; } rows[] = {
        {"host=a node=0 uid=1000 cpus=0-7 cpus.n=8 cpus.cores=4 host.cpus=8", "mpirun -n 4 --map-by core --bind-to core flywheel train p.yaml", "-n 4 --ntasks-per-node=4", "flywheel train p.yaml --ranks 4"},
        {TWO_HOSTS("uid=0 cpus=0-1 cpus.n=2 cpus.cores=2 host.cpus=2", "cpus=0-3 cpus.n=4 cpus.cores=4 host.cpus=4"),
         "mpirun -n 6 --host a:2,b:4 --map-by core --bind-to core --allow-run-as-root flywheel train p.yaml", "-n 6", "flywheel train p.yaml --hosts a:2,b:4"},
        {"host=a node=0 uid=1000 cpus=0 cpus.n=1 host.cpus=1", "mpirun -n 1 flywheel train p.yaml", "-n 1", "flywheel train p.yaml --ranks 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        coord_doctor d;
        FW_AUTO(fw_text) mpirun = {0};
        FW_AUTO(fw_text) srun = {0};
        FW_AUTO(fw_text) supervised = {0};
        machine(&d, rows[i].ranks);
        d.supervises = true;
        d.project_path = "p.yaml";
        coord_launch_mpirun(&mpirun, &d);
        coord_launch_srun(&srun, &d);
        coord_launch_supervised(&supervised, &d);
        assert_string_equal(supervised.data, rows[i].supervised);
        assert_string_equal(mpirun.data, rows[i].mpirun);
        assert_non_null(strstr(srun.data, rows[i].srun));
        coord_doctor_release(&d);
    }
}

/* ---- where hosts do not see the same ---------------------------------------------------------------------------------------------------- */

/* As if the folder had worked on this host. */
static void folder_worked(coord_doctor *d) { d->folder = (coord_folder){.done = COORD_FOLDER_STEPS, .answered = true, .mode = 040700}; }

static void hosts_that_do_not_see_the_folder_are_named(void **state)
{
    (void)state;
    static const struct { const char *check, *facts; coord_verdict verdict; const char *value; } rows[] = {
        {"all hosts", "path.answered=1 path.error=0 path.same=1 path.seen_s=0.5", COORD_GOOD, "within 500 ms"},
        {"all hosts", "path.answered=0", COORD_FAIL, "no answer on b"},
        {"all hosts", "path.answered=1 path.error=2 path.same=0", COORD_FAIL, "not seen on b after 10 s: No such file"},
        {"all hosts", "path.answered=1 path.error=0 path.same=0", COORD_FAIL, "it holds something else"},
        {"locks", "path.answered=1 path.error=0 path.lock_refused=0", COORD_WARN, "a lock held on a does not keep rank 1 on b out"},
        {"locks", "path.answered=1 path.error=0 path.lock_refused=1", COORD_GOOD, "on every host"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        coord_doctor d;
        char ranks[512];
        snprintf(ranks, sizeof ranks, "host=a node=0 path.answered=1 path.error=0 path.same=1 path.lock_refused=1 path.seen_s=0.001\nhost=b node=1 %s", rows[i].facts);
        machine(&d, ranks);
        folder_worked(&d);
        coord_finding f = look(&d, rows[i].check);
        if (f.verdict != rows[i].verdict || f.value.len == 0 || strstr(f.value.data, rows[i].value) == NULL)
            fail_msg("case %zu: %s \"%s\"", i, coord_verdict_name(f.verdict), f.value.len > 0 ? f.value.data : "");
        coord_finding_release(&f);
        coord_doctor_release(&d);
    }
}

/* ---- a folder tried out ----------------------------------------------------------------------------------------------------------------- */

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

static void a_folder_works_and_is_left_as_it_was(void **state)
{
    (void)state;
    coord_folder f;
    struct stat st;
    char path[sizeof f.probe];
    assert_int_equal(coord_folder_try(&f, here.dir, 10.0, NULL), FW_OK);
    assert_true(f.answered && coord_folder_works(&f) && f.done == COORD_FOLDER_STEPS && f.free_bytes > 0);
    snprintf(path, sizeof path, "%s", f.probe);
    assert_int_equal(stat(path, &st), 0);                         /* others may look at it now, */
    const int fd = open(path, O_RDWR);
    assert_true(fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == -1 && errno == EWOULDBLOCK);      /* and are kept out */
    close(fd);
    coord_folder_leave(&f);
    assert_int_equal(stat(path, &st), -1);
    assert_int_equal(rmdir(here.dir), 0);                         /* nothing else is in it */
    assert_int_equal(mkdir(here.dir, 0700), 0);
}

static void what_a_folder_refuses_is_told_with_its_step(void **state)
{
    (void)state;
    coord_folder f;
    FW_FREE char *file = strdup(scratch_path(&here, "file"));
    FW_FREE char *none = strdup(scratch_path(&here, "none"));
    assert_int_equal(fw_write_file(file, "x", 1, NULL), FW_OK);
    assert_int_equal(coord_folder_try(&f, none, 10.0, NULL), FW_OK);
    assert_true(f.answered && !coord_folder_works(&f) && f.error[COORD_FOLDER_OPEN] == ENOENT && f.child == NULL);
    assert_int_equal(coord_folder_try(&f, file, 10.0, NULL), FW_OK);
    assert_true(f.error[COORD_FOLDER_OPEN] == ENOTDIR);
    assert_int_equal(coord_folder_try(&f, "/proc", 10.0, NULL), FW_OK);
    assert_true(f.answered && f.done == COORD_FOLDER_CREATE + 1 && f.error[COORD_FOLDER_CREATE] != 0);
}

static void a_folder_without_an_answer_is_told_so(void **state)
{
    (void)state;
    coord_folder f;
    coord_doctor d;
    assert_int_equal(coord_folder_try(&f, here.dir, 0.0, NULL), FW_OK);      /* no time at all */
    assert_false(f.answered);
    machine(&d, "host=a node=0");
    d.folder = f;
    coord_finding finding = look(&d, "folder");
    assert_int_equal(finding.verdict, COORD_FAIL);
    assert_non_null(strstr(finding.value.data, "no answer after 10 s"));
    coord_finding_release(&finding);
    coord_doctor_release(&d);
}

/* ---- ELF -------------------------------------------------------------------------------------------------------------------------------- */

static void this_program_says_how_it_is_protected(void **state)
{
    (void)state;
    FW_FREE char *bytes = NULL;
    size_t len = 0;
    coord_elf e = {0};
    assert_int_equal(fw_read_file(&bytes, &len, "/proc/self/exe", (size_t)512 << 20, NULL), FW_OK);
    assert_true(coord_elf_read(&e, bytes, len));
    assert_true(e.position_independent && e.no_writable_code);
    bytes[16] = 2;                                                /* e_type: ET_EXEC */
    assert_true(coord_elf_read(&e, bytes, len));
    assert_false(e.position_independent);
}

static void damaged_headers_do_no_harm(void **state)
{
    (void)state;
    FW_FREE char *bytes = NULL;
    size_t len = 0;
    coord_elf e = {0};
    assert_int_equal(fw_read_file(&bytes, &len, "/proc/self/exe", (size_t)512 << 20, NULL), FW_OK);
    for (size_t cut = 0; cut < 2048; cut++) {
        FW_FREE char *copy = malloc(cut > 0 ? cut : 1);
        memcpy(copy, bytes, cut);
        const bool read = coord_elf_read(&e, copy, cut);
        assert_true(cut >= 64 || !read);
    }
    for (size_t at = 0; at < 1024; at++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[at] = (char)(bytes[at] ^ (1 << bit));
            coord_elf_read(&e, bytes, len);
            bytes[at] = (char)(bytes[at] ^ (1 << bit));
        }
    assert_false(coord_elf_read(&e, "MZ", 2));
}

/* ---- words for people ------------------------------------------------------------------------------------------------------------------- */

static void sizes_and_times_are_said_short(void **state)
{
    (void)state;
    static const struct { double v; const char *bytes, *seconds; } rows[] = {
        {0.0, "0 bytes", "0 ns"}, {512.0, "512 bytes", "512 s"}, {1536.0, "1.5 KiB", "1536 s"}, {20e9, "19 GiB", NULL}, {2.5e-6, NULL, "2.5 us"}, {0.04, NULL, "40 ms"},
        {75e-9, NULL, "75 ns"}, {1e18, "888 PiB", NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char said[COORD_SAID];
        coord_say_bytes(said, rows[i].v);
        if (rows[i].bytes != NULL) assert_string_equal(said, rows[i].bytes);
        coord_say_seconds(said, rows[i].v);
        if (rows[i].seconds != NULL) assert_string_equal(said, rows[i].seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_check_judges_made_up_machines),
        cmocka_unit_test(no_check_stumbles_over_facts_that_are_not_known),
        cmocka_unit_test(what_training_needs_is_compared),
        cmocka_unit_test(ranks_come_in_their_order),
        cmocka_unit_test(the_lines_to_start_with_count_cores),
        cmocka_unit_test(hosts_that_do_not_see_the_folder_are_named),
        cmocka_unit_test_setup_teardown(a_folder_works_and_is_left_as_it_was, begin, end),
        cmocka_unit_test_setup_teardown(what_a_folder_refuses_is_told_with_its_step, begin, end),
        cmocka_unit_test_setup_teardown(a_folder_without_an_answer_is_told_so, begin, end),
        cmocka_unit_test(this_program_says_how_it_is_protected),
        cmocka_unit_test(damaged_headers_do_no_harm),
        cmocka_unit_test(sizes_and_times_are_said_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
