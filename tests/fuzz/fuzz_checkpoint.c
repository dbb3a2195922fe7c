/** Any bytes as a checkpoint: it is refused with a reason, or every array that it names is there. The input's form: h5_input.h. */
#include <stdlib.h>

#include "common/core/hash.h"
#include "common/model/checkpoint.h"
#include "tests/fuzz/h5_input.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void use(const fw_checkpoint *c)
{
    const fw_array *a = fw_checkpoint_arrays(c);
    must(json_is_object(fw_checkpoint_manifest(c)));
    for (size_t i = 0; i < fw_checkpoint_n_arrays(c); i++) {
        const void *data = NULL;
        must(fw_array_type_name(a[i].type) != NULL && fw_checkpoint_array(&data, c, a[i].name, a[i].type, a[i].n, NULL) == FW_OK);
        fw_hash64(data, a[i].n * (a[i].type == FW_F32 ? 4 : 8), 0);      /* touches every byte */
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    static const h5_kind kind = {"checkpt", FW_CHECKPOINT_VERSION, false};
    memory_file f;
    FW_AUTO(fw_checkpoint) *c = NULL;
    fw_error err = {0};
    h5_input(&f, &kind, bytes, len);
    const fw_status s = fw_checkpoint_open(&c, f.path, &err);
    must((s == FW_OK) == (c != NULL) && (s == FW_OK || err.text[0] != '\0'));
    if (c != NULL) use(c);
    memory_file_close(&f);
    return 0;
}
