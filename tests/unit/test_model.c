/* The model file: exact round trip and equal bytes for equal models; every cut, flipped bit and lie found; one path for a row. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/core/envelope.h"
#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/data/h5.h"
#include "tests/unit/model_fixture.h"
#include "tests/unit/scratch.h"

#define ROWS 700u

typedef struct fixture { scratch folder; char path[512]; } fixture;

static int setup(void **context)
{
    fixture *f = calloc(1, sizeof *f);
    if (!scratch_make(&f->folder)) return -1;
    snprintf(f->path, sizeof f->path, "%s/model.h5", f->folder.dir);
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

static void save(fw_model *m, const char *path)
{
    fw_error err = {0};
    if (fw_model_save(m, path, &err) != FW_OK) fail_msg("%s", err.text);
}

static void assert_files_equal(const char *a, const char *b, bool equal)
{
    char *x = NULL, *y = NULL;
    size_t nx = 0, ny = 0;
    assert_int_equal(fw_read_file(&x, &nx, a, 1 << 24, NULL), FW_OK);
    assert_int_equal(fw_read_file(&y, &ny, b, 1 << 24, NULL), FW_OK);
    assert_int_equal(nx == ny && memcmp(x, y, nx) == 0, equal);
    free(x);
    free(y);
}

/* ---- round trip ---- */

static void round_trip_is_exact(void **context)
{
    fixture *f = *context;
    for (size_t k = 0; k < N_KINDS; k++) {
        FW_AUTO(fw_model) *m = make_model(k, 1), *back = NULL;
        fw_error err = {0};
        save(m, f->path);
        if (fw_model_load(&back, f->path, &err) != FW_OK) fail_msg("%s", err.text);
        assert_string_equal(back->name, m->name);
        assert_string_equal(back->project_yaml, m->project_yaml);
        assert_string_equal(back->digest, m->digest);
        assert_int_equal(strlen(back->digest), 32);
        assert_true(back->seed == m->seed && back->rounds == 3 && back->steps == 300 && back->train_rows == 1ull << 40);
        assert_true(back->target_mean == m->target_mean && back->target_scale == m->target_scale);
        assert_true(back->n_metrics == 2 && back->metrics[0].value == 0.1 + 0.2 && back->metrics[1].value == 1.0);
        assert_memory_equal(back->params, m->params, m->net.n_params * sizeof *m->params);
        assert_memory_equal(back->samples->row, m->samples->row, FW_MODEL_SAMPLES * sizeof(uint64_t));
        assert_memory_equal(back->samples->cells[NOTE].text_at, m->samples->cells[NOTE].text_at, (FW_MODEL_SAMPLES + 1) * sizeof(uint64_t));
        assert_memory_equal(back->samples->cells[AGE].missing, m->samples->cells[AGE].missing, FW_MODEL_SAMPLES);
        assert_int_equal(fw_model_n_classes(back), k == 0 ? 2 : k == 1 ? 3 : 0);
        assert_int_equal(fw_model_n_out(back), k == 0 ? 2 : k == 1 ? 3 : 1);
        if (k == 0) assert_string_equal(fw_model_class_name(back, 1), "yes");
    }
}

static void equal_models_are_equal_files(void **context)
{
    fixture *f = *context;
    char other[600];
    snprintf(other, sizeof other, "%s/other-name.h5", f->folder.dir);
    FW_AUTO(fw_model) *a = make_model(0, 1), *b = make_model(0, 1), *c = make_model(0, 2), *back = NULL;
    save(a, f->path);
    save(b, other);
    assert_files_equal(f->path, other, true);
    assert_int_equal(fw_model_load(&back, f->path, NULL), FW_OK);
    save(back, other);                                                /* what was loaded saves to the same bytes again */
    assert_files_equal(f->path, other, true);
    save(c, other);
    assert_files_equal(f->path, other, false);
    assert_string_not_equal(a->digest, c->digest);
}

/* ---- one path for a row ---- */

static void a_rows_prediction_does_not_depend_on_its_batch(void **context)
{
    (void)context;
    for (size_t k = 0; k < N_KINDS; k++) {
        FW_AUTO(fw_model) *m = make_model(k, 1);
        FW_AUTO(fw_block) *rows = make_rows(m->schema, ROWS);
        const size_t n_out = fw_model_n_out(m);
        float all[ROWS * 3], some[ROWS * 3];
        double all64[ROWS], some64[ROWS];
        assert_int_equal(fw_model_predict(m, rows, 0, ROWS, all, all64, NULL, NULL), FW_OK);
        static const size_t steps[] = {1, 3, 100, 255, 257};
        for (size_t s = 0; s < sizeof steps / sizeof steps[0]; s++) {
            for (size_t at = 0; at < ROWS; at += steps[s])
                assert_int_equal(fw_model_predict(m, rows, at, FW_MIN(steps[s], ROWS - at), some + at * n_out, some64 + at, NULL, NULL), FW_OK);
            assert_memory_equal(all, some, ROWS * n_out * sizeof *all);
            if (m->task == FW_TASK_REGRESSION) assert_memory_equal(all64, some64, sizeof all64);
        }
        const size_t width = fw_pipeline_width(m->pipeline);
        float *x = calloc(ROWS * width, sizeof *x);
        assert_int_equal(fw_pipeline_apply(m->pipeline, rows, 0, ROWS, x, width, NULL, NULL), FW_OK);
        assert_int_equal(fw_model_predict_features(m, x, width, ROWS, some, some64, NULL), FW_OK);
        assert_memory_equal(all, some, ROWS * n_out * sizeof *all);
        free(x);
    }
}

static void probabilities_and_units_are_what_they_should_be(void **context)
{
    (void)context;
    for (size_t k = 0; k < N_KINDS; k++) {
        FW_AUTO(fw_model) *m = make_model(k, 1);
        const size_t n_out = fw_model_n_out(m);
        float out[FW_MODEL_SAMPLES * 3];
        double value[FW_MODEL_SAMPLES];
        assert_int_equal(fw_model_predict(m, m->samples, 0, FW_MODEL_SAMPLES, out, value, NULL, NULL), FW_OK);
        for (size_t i = 0; i < FW_MODEL_SAMPLES; i++) {
            double sum = 0;
            for (size_t j = 0; j < n_out; j++) sum += (double)out[i * n_out + j];
            if (m->task == FW_TASK_CLASSIFICATION) assert_true(fabs(sum - 1) < 1e-6);
            else assert_true(value[i] == m->target_mean + m->target_scale * (double)out[i]);
        }
    }
}

static void unseen_and_missing_are_counted_and_bad_rows_refused(void **context)
{
    (void)context;
    FW_AUTO(fw_model) *m = make_model(0, 1);
    fw_apply_counts counts[3] = {0};
    float out[2 * FW_MODEL_SAMPLES];
    m->samples->cells[COLOUR].code[0] = FW_CODE_UNSEEN;
    assert_int_equal(fw_model_predict(m, m->samples, 0, FW_MODEL_SAMPLES, out, NULL, counts, NULL), FW_OK);
    assert_int_equal(counts[0].missing, 2);          /* rows 3 and 10 */
    assert_int_equal(counts[1].missing, 1);          /* row 5 */
    assert_true(counts[1].unseen >= 1);
    assert_int_equal(fw_model_predict(m, m->samples, 10, FW_MODEL_SAMPLES, out, NULL, NULL, NULL), FW_ERR_ARG);
    m->params[m->net.n_params - 1] = INFINITY;
    fw_error err = {0};
    assert_int_equal(fw_model_predict(m, m->samples, 0, 1, out, NULL, NULL, &err), FW_OK);      /* sigmoid of infinity is 1 */
    m->params[m->net.n_params - 1] = NAN;
    assert_int_equal(fw_model_predict(m, m->samples, 0, 1, out, NULL, NULL, &err), FW_ERR_NUMERIC);
    assert_non_null(strstr(err.text, "row 0"));
}

/* ---- what is not a model ---- */

static void put_file(const char *path, const void *bytes, size_t len)
{
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, len, out), len);
    assert_int_equal(fclose(out), 0);
}

static void every_cut_is_found(void **context)
{
    fixture *f = *context;
    FW_AUTO(fw_model) *m = make_model(0, 1);
    save(m, f->path);
    char *bytes = NULL;
    size_t len = 0;
    assert_int_equal(fw_read_file(&bytes, &len, f->path, 1 << 24, NULL), FW_OK);
    for (size_t cut = 0; cut < len; cut += cut < 1024 ? 1 : 61) {
        put_file(f->path, bytes, cut);
        FW_AUTO(fw_model) *back = NULL;
        fw_error err = {0};
        assert_int_equal(fw_model_load(&back, f->path, &err), FW_ERR_FORMAT);
        assert_non_null(strstr(err.text, "model.h5"));
    }
    free(bytes);
}

static void every_flipped_bit_is_found(void **context)
{
    fixture *f = *context;
    FW_AUTO(fw_model) *m = make_model(0, 1);
    save(m, f->path);
    char *bytes = NULL;
    size_t len = 0;
    assert_int_equal(fw_read_file(&bytes, &len, f->path, 1 << 24, NULL), FW_OK);
    assert_true(len > 4096);
    FILE *file = fopen(f->path, "r+");
    assert_non_null(file);
    uint64_t random = 11;
    for (size_t i = 0; i < 8 * 4096 + 2000; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        const size_t bit = i < 8 * 4096 ? i : (size_t)((random >> 20) % (8 * len));
        const char flipped = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(pwrite(fileno(file), &flipped, 1, (off_t)(bit / 8)), 1);
        FW_AUTO(fw_model) *back = NULL;
        if (fw_model_load(&back, f->path, NULL) != FW_ERR_FORMAT) fail_msg("bit %zu flipped and not found", bit);
        assert_int_equal(pwrite(fileno(file), &bytes[bit / 8], 1, (off_t)(bit / 8)), 1);
    }
    fclose(file);
    free(bytes);
}

static void a_newer_format_says_what_reads_it(void **context)
{
    fixture *f = *context;
    fw_error err = {0};
    FW_AUTO(fw_model) *m = make_model(0, 1), *back = NULL;
    save(m, f->path);
    assert_int_equal(fw_envelope_seal(f->path, "model", FW_MODEL_VERSION + 1, NULL, NULL), FW_OK);
    assert_int_equal(fw_model_load(&back, f->path, &err), FW_ERR_VERSION);
    assert_non_null(strstr(err.text, "newer flywheel"));
    assert_int_equal(fw_model_load(&back, "/nonexistent/model.h5", &err), FW_ERR_IO);
    put_file(f->path, "age,y\n1,2\n", 10);
    assert_int_equal(fw_model_load(&back, f->path, &err), FW_ERR_FORMAT);
    assert_null(back);
}

/* Version 1 differs by a name in its lineage alone. */
static void the_format_before_is_read(void **context)
{
    fixture *f = *context;
    FW_AUTO(fw_model) *m = make_model(0, 1), *back = NULL;
    save(m, f->path);
    assert_int_equal(fw_envelope_seal(f->path, "model", 1, NULL, NULL), FW_OK);
    assert_int_equal(fw_model_load(&back, f->path, NULL), FW_OK);
    assert_string_equal(back->program_version, m->program_version);
}

/* Sealed anew after a change of one thing, so that only the checks behind the envelope can find it. */
static fw_status load_after(const char *path, const char *dataset, hid_t type, hsize_t row, const void *value, fw_error *err)
{
    hid_t file = H5Fopen(path, H5F_ACC_RDWR, H5P_DEFAULT), set = H5Dopen2(file, dataset, H5P_DEFAULT), space = H5Dget_space(set);
    hsize_t start[2] = {row, 0}, count[2] = {1, 1};
    const hid_t one = H5Screate_simple(1, count, NULL);
    assert_true(H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0);
    assert_true(H5Dwrite(set, type, one, space, H5P_DEFAULT, value) >= 0);
    H5Sclose(one), H5Sclose(space), H5Dclose(set), H5Fclose(file);
    assert_int_equal(fw_envelope_seal(path, "model", FW_MODEL_VERSION, NULL, NULL), FW_OK);
    FW_AUTO(fw_model) *back = NULL;
    return fw_model_load(&back, path, err);
}

static void lies_of_a_sealed_file_are_refused(void **context)
{
    fixture *f = *context;
    const float off = 0.125f, nan = NAN;
    const double infinite = INFINITY;
    const int32_t code = 3;
    const uint8_t two = 2, brace = '[';
    const uint64_t far = 1ull << 60;
    const struct { const char *dataset; hid_t type; hsize_t row; const void *value; const char *says; } cases[] = {
        {"samples/expected", H5T_NATIVE_FLOAT, 2, &off, "gives other bits on this machine"},
        {"weights/0/W", H5T_NATIVE_FLOAT, 1, &off, "gives other bits on this machine"},
        {"weights/1/b", H5T_NATIVE_FLOAT, 0, &nan, "not finite"},
        {"samples/0/values", H5T_NATIVE_DOUBLE, 4, &infinite, "impossible value in column age"},
        {"samples/1/values", H5T_NATIVE_INT32, 4, &code, "impossible value in column colour"},
        {"samples/4/missing", H5T_NATIVE_UINT8, 4, &two, "impossible value in column picture"},
        {"samples/2/offsets", H5T_NATIVE_UINT64, 4, &far, "offsets"},
        {"manifest", H5T_NATIVE_UINT8, 0, &brace, "JSON"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        FW_AUTO(fw_model) *m = make_model(0, 1);
        fw_error err = {0};
        save(m, f->path);
        assert_int_equal(load_after(f->path, cases[i].dataset, cases[i].type, cases[i].row, cases[i].value, &err), FW_ERR_FORMAT);
        if (strstr(err.text, cases[i].says) == NULL) fail_msg("%s: \"%s\" does not say \"%s\"", cases[i].dataset, err.text, cases[i].says);
    }
}

static void links_out_of_the_file_are_refused(void **context)
{
    fixture *f = *context;
    static const char *const places[] = {"weights", "weights/0", "samples", "samples/1", "manifest"};
    char other[600];
    snprintf(other, sizeof other, "%s/other.h5", f->folder.dir);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        FW_AUTO(fw_model) *m = make_model(0, 1), *back = NULL;
        fw_error err = {0};
        save(m, f->path);
        save(m, other);
        const hid_t file = H5Fopen(f->path, H5F_ACC_RDWR, H5P_DEFAULT);
        assert_true(H5Ldelete(file, places[i], H5P_DEFAULT) >= 0);
        assert_true(H5Lcreate_external(other, places[i], file, places[i], H5P_DEFAULT, H5P_DEFAULT) >= 0);
        H5Fclose(file);
        assert_int_equal(fw_envelope_seal(f->path, "model", FW_MODEL_VERSION, NULL, NULL), FW_OK);
        assert_int_equal(fw_model_load(&back, f->path, &err), FW_ERR_FORMAT);
        assert_non_null(strstr(err.text, "link"));
    }
}

static void an_impossible_model_is_not_saved(void **context)
{
    fixture *f = *context;
    fw_error err = {0};
    for (int i = 0; i < 5; i++) {
        FW_AUTO(fw_model) *m = make_model(1, 1);
        if (i == 0) m->params[3] = NAN;
        if (i == 1) m->net.link = FW_LINK_SIGMOID;
        if (i == 2) m->task = FW_TASK_REGRESSION;
        if (i == 3) m->metrics[0].value = NAN;
        if (i == 4) m->net.layers[0].in--;
        const fw_status status = fw_model_save(m, f->path, &err);
        assert_true(status == FW_ERR_ARG || status == FW_ERR_NUMERIC);
        assert_false(fw_path_exists(f->path));
    }
    FW_AUTO(fw_model) *m = make_model(1, 1);
    assert_int_equal(fw_model_save(m, "/nonexistent/folder/model.h5", &err), FW_ERR_IO);
    assert_int_equal(m->digest[0], '\0');
}

#define EACH(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(round_trip_is_exact),
        EACH(equal_models_are_equal_files),
        EACH(a_rows_prediction_does_not_depend_on_its_batch),
        EACH(probabilities_and_units_are_what_they_should_be),
        EACH(unseen_and_missing_are_counted_and_bad_rows_refused),
        EACH(every_cut_is_found),
        EACH(every_flipped_bit_is_found),
        EACH(a_newer_format_says_what_reads_it), EACH(the_format_before_is_read),
        EACH(lies_of_a_sealed_file_are_refused),
        EACH(links_out_of_the_file_are_refused),
        EACH(an_impossible_model_is_not_saved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
