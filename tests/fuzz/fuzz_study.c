/** Any bytes as the journal of a study: it is read, replayed and gone on with, or refused with a sentence. A line that begins with '{' gets its checksum first, chained
 *  to the line before, so that what stands behind it is judged. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/core/fs.h"
#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/core/text.h"
#include "coordinator/study/study_parts.h"

enum { MOST_SLOTS = 64, MOST_TRIALS = 10000, MOST_BYTES = 1 << 16 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

static void must(bool holds)
{
    if (!holds) abort();
}

static void seal_lines(fw_text *out, const char *text, size_t len)
{
    uint64_t chain = 0;
    for (size_t at = 0; at < len;) {
        const char *end = memchr(text + at, '\n', len - at);
        const size_t line = end != NULL ? (size_t)(end - text) - at : len - at;
        if (text[at] == '{') {
            chain = fw_hash64(text + at, line, chain);
            fw_text_format(out, "%016llx ", (unsigned long long)chain);
        }
        fw_text_add_bytes(out, text + at, line + (end != NULL));
        at += line + (end != NULL);
    }
}

/* Sizes that are allowed, and only cost time here. */
static bool too_large(const char *text, size_t len)
{
    const char *end = memchr(text, '\n', len);
    json_t *first = json_loadb(text, end != NULL ? (size_t)(end - text) : len, 0, NULL);
    const bool large = json_integer_value(json_object_get(first, "slots")) > MOST_SLOTS || json_integer_value(json_object_get(first, "trials")) > MOST_TRIALS;
    json_decref(first);
    return large;
}

/* A folder with the journal in it, of this process; in memory where that can be had, since each journal that is gone on with waits for the disk. */
static const char *folder(void)
{
    static char dir[512];
    if (dir[0] == '\0') {
        const char *base = getenv("TMPDIR");
        snprintf(dir, sizeof dir, "%s/fuzz-study-XXXXXX", base != NULL && base[0] != '\0' ? base : access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
        must(mkdtemp(dir) != NULL);
    }
    return dir;
}

static void write_journal(const char *path, const fw_text *t)
{
    FILE *f = fopen(path, "wb");
    must(f != NULL && (t->len == 0 || fwrite(t->data, 1, t->len, f) == t->len));
    must(fclose(f) == 0);
}

static void check_whole(const coord_study *s)
{
    uint64_t n = 0;
    const coord_stretch *stretch;
    for (int state = COORD_WAITING; state <= COORD_FAIL; state++) n += coord_study_count(s, (coord_trial_state)state);
    must(n == coord_study_n_trials(s));
    for (uint64_t i = 0; i < n; i++) must(coord_space_holds(coord_study_space(s), coord_study_trial(s, i)->x));
    must(coord_study_best(s) == NULL || coord_study_best(s)->state == COORD_COMPLETE);
    for (size_t i = 0; i < coord_study_stretches(s, &stretch); i++) must(stretch[i].trial < n && stretch[i].from <= stretch[i].to);
}

/* What can be gone on with has decisions that come again, also with what is added. */
static void go_on(const char *dir, const json_t *settings)
{
    coord_study *s = NULL;
    coord_answer_kind kind;
    coord_job job;
    fw_error err = {0};
    uint64_t decisions;
    const fw_status status = coord_study_open_as(&s, dir, settings, COORD_STUDY_RESUME, &err);
    must(status == FW_OK || (status == FW_ERR_FORMAT && err.text[0] != '\0'));
    if (status != FW_OK) return;
    for (int i = 0; i < 8; i++) {
        const int64_t turn = coord_study_turn(s);
        const fw_status asked = coord_study_ask(s, turn < 0 ? 0 : (uint32_t)turn, &kind, &job, &err);
        if (asked != FW_OK || kind != COORD_JOB) break;
        must(coord_study_lost(s, &job, &err) == FW_OK);
    }
    check_whole(s);
    coord_study_close(&s);
    must(coord_study_replay(dir, &decisions, &err) == FW_OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    FW_AUTO(fw_text) sealed = {0};
    FW_FREE char *path = NULL;
    coord_study *s = NULL;
    fw_error err = {0};
    if (len > MOST_BYTES || too_large((const char *)bytes, len)) return 0;
    must(fw_path_join(&path, folder(), "journal", &err) == FW_OK);
    seal_lines(&sealed, (const char *)bytes, len);
    must(!sealed.failed);
    write_journal(path, &sealed);
    const fw_status status = coord_study_read(&s, folder(), &err);
    must(status == FW_OK || ((status == FW_ERR_FORMAT || status == FW_ERR_CONFIG) && err.text[0] != '\0'));
    if (status != FW_OK) return 0;
    check_whole(s);
    json_t *settings = json_incref(s->settings);
    coord_study_close(&s);
    go_on(folder(), settings);
    json_decref(settings);
    return 0;
}
