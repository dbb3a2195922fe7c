/** The inputs of the targets that read HDF5 files. Random bytes would not get past the digest in a file's head, so that it is made right again:
 *
 *    FLYWHEEL...   a whole file; its head is written anew, with the digest of what stands behind it
 *    J...          a manifest: it replaces the one of the first seed (FW_FUZZ_BASE), and the head is written
 *    others        a file as it is */
#ifndef FW_FUZZ_H5_INPUT_H
#define FW_FUZZ_H5_INPUT_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/envelope.h"
#include "common/core/fs.h"
#include "common/core/size.h"
#include "common/data/h5.h"
#include "common/model/h5_image.h"
#include "tests/fuzz/memory_file.h"

typedef struct h5_kind { const char *name; uint32_t version; bool digest_of_manifest; } h5_kind;      /* see envelope.h */

static inline void must(bool holds)
{
    if (!holds) abort();
}

static inline void h5_seal(const memory_file *f, const h5_kind *kind)
{
    hid_t file = -1;
    FW_FREE char *text = NULL;
    fw_digest digest;
    const bool readable = kind->digest_of_manifest && fw_h5_open(&file, f->path, NULL) == FW_OK &&
                          fw_h5_read_text(&text, file, "manifest", (size_t)1 << 24, NULL) == FW_OK;
    if (readable) digest = fw_hash128(text, strlen(text), 0);
    fw_h5_close(&file, NULL);
    (void)fw_envelope_seal(f->path, kind->name, kind->version, readable ? &digest : NULL, NULL);      /* too short for a head: stays as it is */
}

static inline herr_t h5_copy_but_manifest(hid_t from, const char *name, const H5L_info_t *info, void *context)
{
    (void)info;
    if (strcmp(name, "manifest") != 0) must(H5Ocopy(from, name, *(hid_t *)context, name, H5P_DEFAULT, H5P_DEFAULT) >= 0);
    return 0;
}

/** The base with another manifest. */
static inline void h5_with_manifest(memory_file *f, const char *manifest)
{
    hid_t base = -1, to;
    FW_AUTO(fw_h5_image) *image = NULL;
    char *bytes = NULL;
    size_t len = 0;
    must(fw_h5_open(&base, FW_FUZZ_BASE, NULL) == FW_OK && fw_h5_image_create(&image, NULL) == FW_OK);
    to = fw_h5_image_file(image);
    must(H5Literate(base, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, h5_copy_but_manifest, &to) >= 0);
    must(fw_h5_write_text(to, "manifest", manifest, NULL) == FW_OK);
    FILE *stream = open_memstream(&bytes, &len);
    must(stream != NULL && fw_h5_image_write(image, stream, NULL) == FW_OK && fclose(stream) == 0);
    memory_file_make_named(f, bytes, len);
    free(bytes);
    fw_h5_close(&base, NULL);
}

static inline void h5_input(memory_file *f, const h5_kind *kind, const uint8_t *bytes, size_t len)
{
    if (len > 0 && bytes[0] == 'J') {
        FW_FREE char *text = strndup((const char *)bytes + 1, len - 1);
        must(text != NULL);
        h5_with_manifest(f, text);
        h5_seal(f, kind);
        return;
    }
    memory_file_make_named(f, bytes, len);
    if (len >= 8 && memcmp(bytes, "FLYWHEEL", 8) == 0) h5_seal(f, kind);
}

#endif
