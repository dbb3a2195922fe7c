/** Any bytes as a project file and as words of the command line that override it: they are refused with FW_ERR_CONFIG and a reason, or the
 *  project resolves to a text that gives the same project again. The words stand behind the file, a byte 0x1e before each. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/project/project.h"
#include "tests/fuzz/memory_file.h"

#define SEPARATOR '\x1e'
#define MAX_WORDS 8

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds) abort();
}

/** Cuts the words off the end of a text. */
static size_t take_words(const char *words[static MAX_WORDS], char *text)
{
    size_t n = 0;
    for (char *at = strchr(text, SEPARATOR); at != NULL && n < MAX_WORDS; at = strchr(at, SEPARATOR)) {
        *at++ = '\0';
        words[n++] = at;
    }
    return n;
}

static void check_refusal(fw_status s, const fw_error *err)
{
    must(s == FW_OK || ((s == FW_ERR_CONFIG || s == FW_ERR_ARG || s == FW_ERR_NOMEM) && err->text[0] != '\0'));
}

static void check_parts(const fw_project *p)
{
    fw_error err = {0};
    FW_FREE char *data = NULL;
    FW_FREE char *model = NULL;
    FW_FREE char *unused = NULL;
    FW_FREE char *dataset = NULL;
    FW_AUTO(fw_project) *again = NULL;
    check_refusal(fw_project_available(p, &err), &err);
    check_refusal(fw_project_data_part(&data, p, &err), &err);
    must(fw_project_dataset_path(&dataset, p, NULL) == FW_OK && dataset != NULL);
    unused = fw_project_unused_sections(p);
    const fw_status s = fw_project_model_part(&model, p, &err);
    check_refusal(s, &err);
    if (s == FW_OK) check_refusal(fw_project_parse_model_part(&again, model, "{t: t.csv}", "part", ".", &err), &err);
}

static void check_project(const fw_project *p)
{
    FW_FREE char *first = NULL;
    FW_FREE char *second = NULL;
    FW_AUTO(fw_project) *again = NULL;
    fw_error err = {0};
    must(p->project != NULL && p->data.n_tables > 0);
    must(fw_project_resolved(&first, p, &err) == FW_OK);
    must(fw_project_parse(&again, first, "resolved.yaml", ".", &err) == FW_OK);
    must(fw_project_resolved(&second, again, &err) == FW_OK && strcmp(first, second) == 0);
    check_parts(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    const char *words[MAX_WORDS];
    FW_FREE char *text = malloc(len + 1);
    must(text != NULL);
    if (len > 0) memcpy(text, bytes, len);
    text[len] = '\0';
    const char *end = memchr(text, SEPARATOR, len);
    const size_t file_len = end != NULL ? (size_t)(end - text) : len;      /* a file may have NUL bytes in it, a word can't */
    memory_file f;
    memory_file_make(&f, text, file_len);
    const size_t n = take_words(words, text + file_len);
    FW_AUTO(fw_project) *p = NULL;
    fw_error err = {0};
    const fw_status s = fw_project_load(&p, f.path, words, n, &err);
    memory_file_close(&f);
    check_refusal(s, &err);
    must((s == FW_OK) == (p != NULL));
    if (p != NULL) check_project(p);
    return 0;
}
