/** Any bytes as a model file: it is refused with a reason, or it predicts its own sample rows. The input's form: h5_input.h. */
#include <stdlib.h>

#include "common/model/model.h"
#include "common/model/model_parts.h"
#include "tests/fuzz/h5_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void use(const fw_model *m)
{
    const size_t n = m->samples->n_rows, n_out = fw_model_n_out(m);
    FW_FREE float *out = calloc(n * n_out, sizeof *out);
    FW_FREE double *out64 = calloc(n, sizeof *out64);
    FW_FREE fw_apply_counts *counts = calloc(fw_pipeline_n_inputs(m->pipeline) + 1, sizeof *counts);
    fw_error err = {0};
    must(out != NULL && out64 != NULL && counts != NULL && n > 0 && n_out > 0);
    const fw_status s = fw_model_predict(m, m->samples, 0, n, out, out64, counts, &err);
    must(s == FW_OK || err.text[0] != '\0');
    for (size_t i = 0; i < fw_model_n_classes(m); i++) must(fw_model_class_name(m, i) != NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const h5_kind kind = {FW_MODEL_KIND, FW_MODEL_VERSION, false};
    memory_file f;
    FW_AUTO(fw_model) *m = NULL;
    fw_error err = {0};
    h5_input(&f, &kind, bytes, len);
    const fw_status s = fw_model_load(&m, f.path, &err);
    must((s == FW_OK) == (m != NULL) && (s == FW_OK || err.text[0] != '\0'));
    if (m != NULL) use(m);
    memory_file_close(&f);
    return 0;
}
