/* Checkpoints: exact round trip, two generations, every cut and every flipped bit found, and at any moment of death or on a full disk a good
 * one is left. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/core/envelope.h"
#include "common/core/fault.h"
#include "common/core/fs.h"
#include "common/data/h5.h"
#include "common/model/checkpoint.h"
#include "tests/unit/scratch.h"

typedef struct fixture { scratch folder; char path[512], previous[512]; } fixture;

static int setup(void **context)
{
    fixture *f = calloc(1, sizeof *f);
    if (!scratch_make(&f->folder)) return -1;
    snprintf(f->path, sizeof f->path, "%s/checkpoint.h5", f->folder.dir);
    snprintf(f->previous, sizeof f->previous, "%s/checkpoint.previous.h5", f->folder.dir);
    *context = f;
    return 0;
}

static int teardown(void **context)
{
    fixture *f = *context;
    scratch_remove(&f->folder);
    free(f);
    return 0;
}

/* Generation g of a small training state: its arrays and manifest say g. */
#define N 100
typedef struct state { float w[N]; double m[3]; int64_t count[2]; fw_array arrays[4]; json_t *manifest; } state;

static void state_make(state *s, int64_t g)
{
    for (size_t i = 0; i < N; i++) s->w[i] = (float)i * 0.37f + (float)g;
    for (size_t i = 0; i < 3; i++) s->m[i] = 1.0 / 3.0 + (double)i + (double)g;
    s->count[0] = g;
    s->count[1] = INT64_MIN;
    s->arrays[0] = (fw_array){"weights", FW_F32, N, s->w};
    s->arrays[1] = (fw_array){"moments.1", FW_F64, 3, s->m};
    s->arrays[2] = (fw_array){"counts", FW_I64, 2, s->count};
    s->arrays[3] = (fw_array){"none", FW_F32, 0, NULL};
    s->manifest = json_pack("{s:I, s:f, s:s}", "round", (json_int_t)g, "loss", 0.1 + (double)g, "learner", "mlp");
}

static fw_status write_generation(const fixture *f, int64_t g, fw_error *err)
{
    state s;
    state_make(&s, g);
    fw_status status = fw_checkpoint_write(f->path, f->previous, s.manifest, s.arrays, 4, err);
    json_decref(s.manifest);
    return status;
}

/* The generation of a whole checkpoint, all arrays compared; -1: it does not open. */
static int64_t generation_at(const char *path)
{
    FW_AUTO(fw_checkpoint) *c = NULL;
    if (fw_checkpoint_open(&c, path, NULL) != FW_OK) return -1;
    const int64_t g = json_integer_value(json_object_get(fw_checkpoint_manifest(c), "round"));
    state s;
    state_make(&s, g);
    assert_true(json_equal(s.manifest, fw_checkpoint_manifest(c)));
    json_decref(s.manifest);
    assert_int_equal(fw_checkpoint_n_arrays(c), 4);
    static const size_t bytes[] = {N * sizeof(float), 3 * sizeof(double), 2 * sizeof(int64_t), 0};
    for (size_t i = 0; i < 4; i++) {
        const void *data = NULL;
        assert_int_equal(fw_checkpoint_array(&data, c, s.arrays[i].name, s.arrays[i].type, s.arrays[i].n, NULL), FW_OK);
        if (bytes[i] > 0) assert_memory_equal(data, s.arrays[i].data, bytes[i]);
    }
    return g;
}

static void round_trip_is_exact_and_two_generations_are_kept(void **context)
{
    const fixture *f = *context;
    for (int64_t g = 1; g <= 4; g++) {
        fw_error err;
        assert_int_equal(write_generation(f, g, &err), FW_OK);
        assert_int_equal(generation_at(f->path), g);
        if (g > 1) assert_int_equal(generation_at(f->previous), g - 1);
        else assert_false(fw_path_exists(f->previous));
    }
}

static void a_wrong_name_type_or_length_is_refused(void **context)
{
    const fixture *f = *context;
    assert_int_equal(write_generation(f, 1, NULL), FW_OK);
    FW_AUTO(fw_checkpoint) *c = NULL;
    assert_int_equal(fw_checkpoint_open(&c, f->path, NULL), FW_OK);
    const void *data = NULL;
    static const struct { const char *name; fw_array_type type; size_t n; } wrong[] = {
        {"weights", FW_F64, N}, {"weights", FW_F32, N - 1}, {"weight", FW_F32, N}, {"", FW_F32, N},
    };
    for (size_t i = 0; i < 4; i++) {
        fw_error err = {0};
        assert_int_equal(fw_checkpoint_array(&data, c, wrong[i].name, wrong[i].type, wrong[i].n, &err), FW_ERR_FORMAT);
        assert_true(strlen(err.text) > 10);
    }
    assert_null(data);
}

static void impossible_arguments_are_refused(void **context)
{
    const fixture *f = *context;
    float x = 1;
    json_t *manifest = json_object(), *list = json_array();
    const fw_array bad[][2] = {{{"a/b", FW_F32, 1, &x}, {"c", FW_F32, 1, &x}}, {{"", FW_F32, 1, &x}, {"c", FW_F32, 1, &x}},
                               {{"a", FW_F32, 1, &x}, {"a", FW_F32, 1, &x}},   {{".", FW_F32, 1, &x}, {"c", FW_F32, 1, &x}}};
    for (size_t i = 0; i < 4; i++) assert_int_equal(fw_checkpoint_write(f->path, NULL, manifest, bad[i], 2, NULL), FW_ERR_ARG);
    assert_int_equal(fw_checkpoint_write(f->path, NULL, list, bad[0], 0, NULL), FW_ERR_ARG);
    assert_int_equal(fw_checkpoint_write("/nonexistent/folder/c.h5", NULL, manifest, bad[0], 0, NULL), FW_ERR_IO);
    json_decref(manifest);
    json_decref(list);
    assert_false(fw_path_exists(f->path));
}

static void put_file(const char *path, const void *bytes, size_t len)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static void every_cut_is_found(void **context)
{
    const fixture *f = *context;
    assert_int_equal(write_generation(f, 1, NULL), FW_OK);
    char *bytes = NULL;
    size_t len = 0;
    assert_int_equal(fw_read_file(&bytes, &len, f->path, 1 << 20, NULL), FW_OK);
    for (size_t cut = 0; cut < len; cut += 3) {
        put_file(f->path, bytes, cut);
        FW_AUTO(fw_checkpoint) *c = NULL;
        assert_int_equal(fw_checkpoint_open(&c, f->path, NULL), FW_ERR_FORMAT);
    }
    free(bytes);
}

static void every_flipped_bit_is_found(void **context)
{
    const fixture *f = *context;
    assert_int_equal(write_generation(f, 1, NULL), FW_OK);
    char *bytes = NULL;
    size_t len = 0;
    assert_int_equal(fw_read_file(&bytes, &len, f->path, 1 << 20, NULL), FW_OK);
    FILE *file = fopen(f->path, "r+");
    assert_non_null(file);
    const size_t first = 8 * (len < 4096 ? len : 4096);
    uint64_t random = 5;
    for (size_t i = 0; i < first + 2000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        const size_t bit = i < first ? i : (size_t)((random >> 20) % (8 * len));
        const char flipped = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(pwrite(fileno(file), &flipped, 1, (off_t)(bit / 8)), 1);
        FW_AUTO(fw_checkpoint) *c = NULL;
        if (fw_checkpoint_open(&c, f->path, NULL) != FW_ERR_FORMAT) fail_msg("bit %zu flipped and not found", bit);
        assert_int_equal(pwrite(fileno(file), &bytes[bit / 8], 1, (off_t)(bit / 8)), 1);
    }
    fclose(file);
    assert_int_equal(generation_at(f->path), 1);
    free(bytes);
}

static void other_formats_and_another_kind_are_named(void **context)
{
    const fixture *f = *context;
    fw_error err = {0};
    FW_AUTO(fw_checkpoint) *c = NULL;
    assert_int_equal(write_generation(f, 1, NULL), FW_OK);
    assert_int_equal(fw_envelope_seal(f->path, "checkpt", FW_CHECKPOINT_VERSION + 1, NULL, NULL), FW_OK);
    assert_int_equal(fw_checkpoint_open(&c, f->path, &err), FW_ERR_VERSION);
    assert_non_null(strstr(err.text, "newer"));
    assert_int_equal(fw_envelope_seal(f->path, "checkpt", FW_CHECKPOINT_VERSION - 1, NULL, NULL), FW_OK);
    assert_int_equal(fw_checkpoint_open(&c, f->path, &err), FW_ERR_VERSION);
    assert_non_null(strstr(err.text, "start a new run"));
    assert_int_equal(fw_envelope_seal(f->path, "model", 1, NULL, NULL), FW_OK);
    assert_int_equal(fw_checkpoint_open(&c, f->path, &err), FW_ERR_FORMAT);
    assert_int_equal(fw_checkpoint_open(&c, "/nonexistent", &err), FW_ERR_IO);
}

/* A sealed file whose manifest lies about what is in it. */
static void lies_of_a_sealed_file_are_refused(void **context)
{
    const fixture *f = *context;
    static const char *const manifests[] = {
        "", "{", "[]", "{\"arrays\": []}", "{\"arrays\": {}, \"state\": {}}", "{\"arrays\": [1], \"state\": {}}",
        "{\"arrays\": [{\"name\": \"a\", \"type\": \"f32\", \"n\": 2}], \"state\": {}}",
        "{\"arrays\": [{\"name\": \"a\", \"type\": \"f32\", \"n\": -1}], \"state\": {}}",
        "{\"arrays\": [{\"name\": \"a\", \"type\": \"f32\", \"n\": 1000000000000000000}], \"state\": {}}",
        "{\"arrays\": [{\"name\": \"a\", \"type\": \"f64\", \"n\": 3}], \"state\": {}}",
        "{\"arrays\": [{\"name\": \"a\", \"type\": \"u8\", \"n\": 3}], \"state\": {}}",
        "{\"arrays\": [{\"name\": \"../a\", \"type\": \"f32\", \"n\": 3}], \"state\": {}}",
        "{\"arrays\": [{\"name\": \"b\", \"type\": \"f32\", \"n\": 3}], \"state\": {}}",
        "{\"arrays\": [{\"name\": \"a\", \"type\": \"f32\", \"n\": 3}], \"state\": 5}",
        "{\"arrays\": [{\"name\": \"a\", \"type\": \"f32\", \"n\": 3}], \"state\": {}}",      /* the last one is true */
    };
    const size_t n = sizeof manifests / sizeof manifests[0];
    for (size_t i = 0; i < n; i++) {
        const float values[3] = {1, 2, 3};
        const hsize_t three = 3;
        hid_t file = -1;
        assert_int_equal(fw_h5_create(&file, f->path, MPI_COMM_NULL, NULL), FW_OK);
        assert_int_equal(fw_h5_write_text(file, "manifest", manifests[i], NULL), FW_OK);
        assert_int_equal(fw_h5_group(file, "arrays", NULL), FW_OK);
        assert_int_equal(fw_h5_write_all(file, "arrays/a", H5T_NATIVE_FLOAT, 1, &three, values, NULL), FW_OK);
        assert_int_equal(fw_h5_close(&file, NULL), FW_OK);
        assert_int_equal(fw_envelope_seal(f->path, "checkpt", FW_CHECKPOINT_VERSION, NULL, NULL), FW_OK);
        FW_AUTO(fw_checkpoint) *c = NULL;
        fw_error err = {0};
        const fw_status status = fw_checkpoint_open(&c, f->path, &err);
        if (status != (i + 1 < n ? FW_ERR_FORMAT : FW_OK)) fail_msg("manifest %zu: %s %s", i, fw_status_name(status), err.text);
    }
}

static const char *const points[] = {"checkpoint.before_write", "checkpoint.before_seal", "checkpoint.before_verify", "checkpoint.before_rename",
                                     "fs.before_fsync",         "fs.before_rename",       "fs.after_rename",          "checkpoint.after_rename"};
#define N_POINTS (sizeof points / sizeof points[0])

/* In a process of its own; its exit code, or -signal. */
static int in_child(int (*body)(const fixture *f, const char *argument), const fixture *f, const char *argument)
{
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) exit(body(f, argument));
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

static int write_under_fault(const fixture *f, const char *schedule)
{
    setenv("FW_FAULTS", schedule, 1);
    if (fw_fault_init(0, NULL) != FW_OK) return 90;
    return write_generation(f, 3, NULL) == FW_OK ? 0 : 1;
}

static void death_at_any_point_leaves_a_good_one(void **context)
{
    const fixture *f = *context;
    for (size_t i = 0; i < N_POINTS; i++) {
        char schedule[100];
        assert_int_equal(write_generation(f, 1, NULL), FW_OK);
        assert_int_equal(write_generation(f, 2, NULL), FW_OK);
        snprintf(schedule, sizeof schedule, "%s@kill", points[i]);
        assert_int_equal(in_child(write_under_fault, f, schedule), -SIGKILL);
        const int64_t now = generation_at(f->path), before = generation_at(f->previous);
        const int renamed = strstr(points[i], "after_rename") != NULL;
        assert_int_equal(now, renamed ? 3 : 2);
        assert_int_equal(before, renamed ? 2 : 1);
        assert_int_equal(write_generation(f, 4, NULL), FW_OK);                 /* and the next one goes on from there */
        assert_int_equal(generation_at(f->path), 4);
    }
}

static void failure_at_any_point_is_reported_and_leaves_a_good_one(void **context)
{
    const fixture *f = *context;
    for (size_t i = 0; i < N_POINTS; i++) {
        char schedule[100];
        assert_int_equal(write_generation(f, 1, NULL), FW_OK);
        assert_int_equal(write_generation(f, 2, NULL), FW_OK);
        snprintf(schedule, sizeof schedule, "%s@fail", points[i]);
        assert_int_equal(in_child(write_under_fault, f, schedule), 1);
        assert_true(generation_at(f->path) >= 2);
    }
}

static void a_damaged_file_does_not_push_out_the_older_good_one(void **context)
{
    const fixture *f = *context;
    assert_int_equal(write_generation(f, 1, NULL), FW_OK);
    assert_int_equal(write_generation(f, 2, NULL), FW_OK);
    put_file(f->path, "torn", 4);
    assert_int_equal(write_generation(f, 3, NULL), FW_OK);
    assert_int_equal(generation_at(f->path), 3);
    assert_int_equal(generation_at(f->previous), 1);
}

/* No file may grow beyond `limit` bytes: what a full disk looks like to the one who writes. */
static int write_with_file_limit(const fixture *f, const char *limit)
{
    signal(SIGXFSZ, SIG_IGN);
    const struct rlimit r = {(rlim_t)strtoul(limit, NULL, 10), RLIM_INFINITY};
    if (setrlimit(RLIMIT_FSIZE, &r) != 0) return 90;
    fw_error err = {0};
    const fw_status status = write_generation(f, 3, &err);
    return status == FW_OK ? 0 : strlen(err.text) > 20 ? 1 : 91;
}

static void a_full_disk_leaves_the_last_good_one(void **context)
{
    const fixture *f = *context;
    assert_int_equal(write_generation(f, 1, NULL), FW_OK);
    assert_int_equal(write_generation(f, 2, NULL), FW_OK);
    uint64_t whole = 0;
    assert_int_equal(fw_file_size(&whole, f->path, NULL), FW_OK);
    for (uint64_t limit = 0; limit < whole; limit += 97) {
        char text[32];
        snprintf(text, sizeof text, "%llu", (unsigned long long)limit);
        assert_int_equal(in_child(write_with_file_limit, f, text), 1);
        assert_int_equal(generation_at(f->path), 2);
        assert_int_equal(generation_at(f->previous), 1);
    }
}

/* A real one, where this process may mount: arrays of 200 kB on 256 kB. Room again: the next one is written by the same process. */
static void a_really_full_disk_leaves_the_last_good_one(void **context)
{
    fixture *f = *context;
    if (mount("none", f->folder.dir, "tmpfs", 0, "size=512k") != 0) skip();
    enum { LARGE = 50000 };
    float *w = calloc(LARGE, sizeof *w);
    const fw_array array = {"w", FW_F32, LARGE, w};
    json_t *manifest = json_object();
    char filler[600];
    snprintf(filler, sizeof filler, "%s/filler", f->folder.dir);
    const int first = fw_checkpoint_write(f->path, f->previous, manifest, &array, 1, NULL) == FW_OK;
    char *junk = calloc(1, 150000);
    put_file(filler, junk, 150000);
    fw_error err = {0};
    const int full = fw_checkpoint_write(f->path, f->previous, manifest, &array, 1, &err) == FW_ERR_IO;
    FW_AUTO(fw_checkpoint) *c = NULL;
    const int stands = fw_checkpoint_open(&c, f->path, NULL) == FW_OK;
    unlink(filler);
    const int again = fw_checkpoint_write(f->path, f->previous, manifest, &array, 1, NULL) == FW_OK;
    free(w);
    free(junk);
    json_decref(manifest);
    assert_int_equal(umount(f->folder.dir), 0);
    print_message("%s\n", err.text);
    assert_true(first && full && stands && again);
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(round_trip_is_exact_and_two_generations_are_kept), EACH(a_wrong_name_type_or_length_is_refused),
        EACH(impossible_arguments_are_refused),                 EACH(every_cut_is_found),
        EACH(every_flipped_bit_is_found),                       EACH(other_formats_and_another_kind_are_named),
        EACH(lies_of_a_sealed_file_are_refused),                EACH(death_at_any_point_leaves_a_good_one),
        EACH(failure_at_any_point_is_reported_and_leaves_a_good_one), EACH(a_damaged_file_does_not_push_out_the_older_good_one),
        EACH(a_full_disk_leaves_the_last_good_one),             EACH(a_really_full_disk_leaves_the_last_good_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
