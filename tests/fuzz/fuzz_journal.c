/** Any bytes as the journal of a gang: good lines are given out, others passed over and counted, a torn end is taken off, and it goes on. A line that
 *  begins with '{' gets its checksum first, so that what stands behind it is judged. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "coordinator/journal/journal.h"
#include "tests/fuzz/memory_file.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds) abort();
}

static void seal_lines(fw_text *out, const char *text, size_t len)
{
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        const size_t line = end != NULL ? (size_t)(end - text) - at : len - at;
        if (text[at] == '{') fw_text_format(out, "%016llx ", (unsigned long long)fw_hash64(text + at, line, 0));
        fw_text_add_bytes(out, text + at, line + (end != NULL));
        at += line + (end != NULL);
    }
}

static fw_status count(void *context, const coord_journal_line *line, fw_error *err)
{
    (void)err;
    must(json_is_object(line->entry) && line->json[0] == '{');
    ++*(size_t *)context;
    return FW_OK;
}

static size_t entries(coord_journal **j, const char *path)
{
    size_t n = 0;
    fw_error err = {0};
    must(coord_journal_open(j, path, NULL, count, &n, &err) == FW_OK);
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    FW_AUTO(fw_text) sealed = {0};
    coord_journal *j = NULL;
    memory_file f;
    seal_lines(&sealed, (const char *)bytes, len);
    must(!sealed.failed);
    memory_file_make(&f, sealed.data != NULL ? sealed.data : "", sealed.len);
    const size_t before = entries(&j, f.path), damaged = coord_journal_damaged(j);
    must(coord_journal_add(j, "lost", json_pack("{s:i}", "n", 1), NULL) == FW_OK);
    coord_journal_close(&j);
    must(j == NULL && entries(&j, f.path) == before + 1 && coord_journal_damaged(j) <= damaged);
    coord_journal_close(&j);
    memory_file_close(&f);
    return 0;
}
