/* Files through our rules: round trips, refusals, and bytes that are the same each time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/core/envelope.h"
#include "common/core/fs.h"
#include "common/data/h5.h"

static char folder[] = "/tmp/flywheel-h5-XXXXXX";
static char path[128], other[128];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL) return -1;
    snprintf(path, sizeof path, "%s/a.h5", folder);
    snprintf(other, sizeof other, "%s/b.h5", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    return rmdir(folder);
}

static void write_sample(const char *at)
{
    hid_t file = -1, rows = -1;
    fw_error err = {0};
    double v[6] = {1, 2, 3, 4, 5, 6};
    hsize_t dims[2] = {3, 2}, none = 0;
    assert_int_equal(fw_h5_create(&file, at, MPI_COMM_NULL, &err), FW_OK);
    assert_int_equal(fw_h5_group(file, "group", &err), FW_OK);
    assert_int_equal(fw_h5_write_all(file, "group/all", H5T_NATIVE_DOUBLE, 2, dims, v, &err), FW_OK);
    assert_int_equal(fw_h5_make(&rows, file, "rows", H5T_NATIVE_DOUBLE, 2, dims, &err), FW_OK);
    assert_int_equal(fw_h5_write_rows(rows, H5T_NATIVE_DOUBLE, 1, 2, v, &err), FW_OK);
    assert_int_equal(fw_h5_write_rows(rows, H5T_NATIVE_DOUBLE, 0, 1, v + 4, &err), FW_OK);
    assert_int_equal(fw_h5_write_rows(rows, H5T_NATIVE_DOUBLE, 3, 1, v, &err), FW_ERR_ARG);
    fw_h5_dataset_close(&rows);
    assert_int_equal(fw_h5_write_all(file, "nothing", H5T_NATIVE_UINT8, 1, &none, NULL, &err), FW_OK);
    assert_int_equal(fw_h5_write_text(file, "text", "gr\xc3\xbc\xc3\x9f", &err), FW_OK);
    assert_int_equal(fw_h5_write_text(file, "empty", "", &err), FW_OK);
    assert_int_equal(fw_h5_close(&file, &err), FW_OK);
    assert_true(file < 0);
}

/* The library opens a file once for all who have it open in a process. */
static void who_closes_a_file_takes_it_from_nobody_else(void **state)
{
    (void)state;
    hid_t first = -1, second = -1, rows = -1;
    fw_error err = {0};
    double v[2] = {0.0, 0.0};
    hsize_t dims[2] = {3, 2};
    write_sample(path);
    assert_int_equal(fw_h5_open(&first, path, &err), FW_OK);
    assert_int_equal(fw_h5_open(&second, path, &err), FW_OK);
    assert_int_equal(fw_h5_dataset(&rows, second, "rows", H5T_NATIVE_DOUBLE, 2, dims, &err), FW_OK);
    assert_int_equal(fw_h5_close(&first, &err), FW_OK);
    assert_int_equal(fw_h5_read_rows(rows, H5T_NATIVE_DOUBLE, 1, 1, v, &err), FW_OK);
    assert_true(v[0] == 1.0 && v[1] == 2.0);
    fw_h5_dataset_close(&rows);
    assert_int_equal(fw_h5_close(&second, &err), FW_OK);
}

static void reads_back_what_was_written(void **state)
{
    (void)state;
    hid_t file = -1, rows = -1;
    fw_error err = {0};
    write_sample(path);
    assert_int_equal(fw_h5_open(&file, path, &err), FW_OK);
    hsize_t dims[2] = {0, 2};
    double v[6];
    assert_int_equal(fw_h5_dataset(&rows, file, "rows", H5T_NATIVE_DOUBLE, 2, dims, &err), FW_OK);
    assert_int_equal(dims[0], 3);
    assert_int_equal(fw_h5_read_rows(rows, H5T_NATIVE_DOUBLE, 0, 3, v, &err), FW_OK);
    assert_memory_equal(v, ((double[]){5, 6, 1, 2, 3, 4}), sizeof v);
    assert_int_equal(fw_h5_read_rows(rows, H5T_NATIVE_DOUBLE, 2, 2, v, &err), FW_ERR_ARG);
    fw_h5_dataset_close(&rows);
    char *text = NULL;
    assert_int_equal(fw_h5_read_text(&text, file, "text", 100, &err), FW_OK);
    assert_string_equal(text, "gr\xc3\xbc\xc3\x9f");
    free(text);
    assert_int_equal(fw_h5_read_text(&text, file, "empty", 100, &err), FW_OK);
    assert_string_equal(text, "");
    free(text);
    assert_int_equal(fw_h5_read_text(&text, file, "text", 5, &err), FW_ERR_FORMAT);
    hsize_t none = 0;
    assert_int_equal(fw_h5_dataset(&rows, file, "nothing", H5T_NATIVE_UINT8, 1, &none, &err), FW_OK);
    fw_h5_dataset_close(&rows);
    assert_int_equal(fw_h5_close(&file, &err), FW_OK);
}

static void leaves_the_user_block_and_is_the_same_each_time(void **state)
{
    (void)state;
    write_sample(path);
    sleep(1);                          /* a time stamp in whole seconds would differ now */
    write_sample(other);
    char *a = NULL, *b = NULL;
    size_t na = 0, nb = 0;
    assert_int_equal(fw_read_file(&a, &na, path, 1 << 20, NULL), FW_OK);
    assert_int_equal(fw_read_file(&b, &nb, other, 1 << 20, NULL), FW_OK);
    assert_int_equal(na, nb);
    assert_memory_equal(a, b, na);
    for (size_t i = 0; i < FW_ENVELOPE_BYTES; i++) assert_int_equal(a[i], 0);
    assert_memory_equal(a + FW_ENVELOPE_BYTES, "\x89HDF\r\n\x1a\n", 8);
    free(a);
    free(b);
}

/* What a reader must not follow or believe, each made with the library itself. */
typedef struct refusal { const char *name, *dataset; hid_t (*type)(void); int rank; hsize_t dims[2]; } refusal;

static hid_t f64(void) { return H5T_NATIVE_DOUBLE; }
static hid_t f32(void) { return H5T_NATIVE_FLOAT; }
static hid_t i64(void) { return H5T_NATIVE_INT64; }

static void write_traps(void)
{
    hid_t file = -1;
    hsize_t dims[2] = {4, 2};
    double v[8] = {0};
    assert_int_equal(fw_h5_create(&file, path, MPI_COMM_NULL, NULL), FW_OK);
    assert_int_equal(fw_h5_write_all(file, "plain", H5T_NATIVE_DOUBLE, 2, dims, v, NULL), FW_OK);
    assert_true(H5Lcreate_soft("/plain", file, "soft", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    assert_true(H5Lcreate_external(other, "/plain", file, "external", H5P_DEFAULT, H5P_DEFAULT) >= 0);
    hid_t space = H5Screate_simple(2, dims, NULL), chunked = H5Pcreate(H5P_DATASET_CREATE), outside = H5Pcreate(H5P_DATASET_CREATE);
    assert_true(H5Pset_chunk(chunked, 2, dims) >= 0 && H5Pset_deflate(chunked, 1) >= 0);
    assert_true(H5Pset_external(outside, "/etc/passwd", 0, sizeof v) >= 0);
    H5Dclose(H5Dcreate2(file, "chunked", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, chunked, H5P_DEFAULT));
    H5Dclose(H5Dcreate2(file, "outside", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, outside, H5P_DEFAULT));
    H5Dclose(H5Dcreate2(file, "big_endian", H5T_IEEE_F64BE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Dclose(H5Dcreate2(file, "never_allocated", H5T_NATIVE_DOUBLE, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    H5Sclose(space);
    H5Pclose(chunked);
    H5Pclose(outside);
    assert_int_equal(fw_h5_close(&file, NULL), FW_OK);
}

static void refuses_what_is_not_plain(void **state)
{
    (void)state;
    const refusal cases[] = {
        {"not there", "absent", f64, 2, {4, 2}},       {"soft link", "soft", f64, 2, {4, 2}},       {"external link", "external", f64, 2, {4, 2}},
        {"chunks and filters", "chunked", f64, 2, {4, 2}}, {"another file", "outside", f64, 2, {4, 2}}, {"big endian", "big_endian", f64, 2, {4, 2}},
        {"no storage", "never_allocated", f64, 2, {4, 2}}, {"other size", "plain", f32, 2, {4, 2}},    {"other class", "plain", i64, 2, {4, 2}},
        {"other rank", "plain", f64, 1, {4, 0}},       {"other length", "plain", f64, 2, {5, 2}},   {"other width", "plain", f64, 2, {0, 3}},
    };
    write_traps();
    hid_t file = -1;
    assert_int_equal(fw_h5_open(&file, path, NULL), FW_OK);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        hid_t dataset = -1;
        fw_error err = {0};
        hsize_t dims[2] = {cases[i].dims[0], cases[i].dims[1]};
        if (fw_h5_dataset(&dataset, file, cases[i].dataset, cases[i].type(), cases[i].rank, dims, &err) != FW_ERR_FORMAT)
            fail_msg("not refused: %s", cases[i].name);
        assert_true(dataset < 0 && err.text[0] != '\0');
    }
    assert_int_equal(fw_h5_close(&file, NULL), FW_OK);
}

static void says_why_a_file_cannot_be_opened_or_made(void **state)
{
    (void)state;
    hid_t file = -1;
    fw_error err = {0};
    assert_int_equal(fw_h5_open(&file, "/nonexistent/x.h5", &err), FW_ERR_IO);
    assert_non_null(strstr(err.text, "/nonexistent/x.h5"));
    assert_int_equal(fw_h5_create(&file, "/nonexistent/x.h5", MPI_COMM_NULL, &err), FW_ERR_IO);
    assert_non_null(strstr(err.text, "No such file"));
    FILE *f = fopen(path, "w");
    fputs("this is no HDF5 file", f);
    fclose(f);
    assert_int_equal(fw_h5_open(&file, path, &err), FW_ERR_FORMAT);
    assert_true(file < 0);
}

/* A limit on the length of files stands for a full disk: write(2) fails half way. */
static void a_full_disk_is_an_error(void **state)
{
    (void)state;
    struct rlimit before, small = {64 << 10, RLIM_INFINITY};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    small.rlim_max = before.rlim_max;
    hid_t file = -1;
    hsize_t n = 1 << 20;
    char *bytes = calloc(1, n);
    assert_int_equal(fw_h5_create(&file, path, MPI_COMM_NULL, NULL), FW_OK);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    fw_error err = {0};
    fw_status wrote = fw_h5_write_all(file, "big", H5T_NATIVE_UINT8, 1, &n, bytes, &err), closed = fw_h5_close(&file, &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_true(wrote == FW_ERR_IO || closed == FW_ERR_IO);
    assert_true(file < 0);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_back_what_was_written),
        cmocka_unit_test(leaves_the_user_block_and_is_the_same_each_time),
        cmocka_unit_test(refuses_what_is_not_plain),
        cmocka_unit_test(says_why_a_file_cannot_be_opened_or_made),
        cmocka_unit_test(a_full_disk_is_an_error),
        cmocka_unit_test(who_closes_a_file_takes_it_from_nobody_else),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
