#include "monitor/proof.h"

#include <math.h>
#include <string.h>

#include "common/core/hash.h"
#include "common/core/size.h"
#include "common/stats/dmath.h"

#define MAGIC UINT64_C(0x31464f4f52505746)      /* "FWPROOF1" */
#define STILL 0.8                                /* of a threshold: below it an alarm may end */
#define CALM  3                                  /* looks in a row below, that end it */

monitor_sure monitor_proof_sure(const monitor_proof *p)
{
    double log_e = fw_wager_log(&p->wager[0]);
    if (p->n == 2) log_e = fw_log_double(0.5 * (fw_exp_double(log_e) + fw_exp_double(fw_wager_log(&p->wager[1]))));
    return (monitor_sure){.evident = log_e >= p->least, .log_e = log_e};
}

void monitor_proof_judge(monitor_proof *p, double level, double threshold)
{
    if (!p->alarm) {
        if (!(level >= threshold) || !monitor_proof_sure(p).evident) return;
        p->alarm = p->changed = true;
        p->calm = 0;
        return;
    }
    p->changed = true;
    p->calm = level < STILL * threshold ? p->calm + 1 : 0;
    if (p->calm < CALM) return;
    for (size_t i = 0; i < p->n; i++) fw_wager_restart(&p->wager[i]);
    p->alarm = false;
    p->calm = 0;
}

/* ---- bytes: magic, digest, alarm + 2 plain, calm, the wagers' numbers, the block | a hash of it all ---------------------------------------- */

fw_status monitor_proof_save(monitor_proof *p, const monitor_realised *block, fw_text *out, fw_error *err)
{
    const uint64_t head[] = {MAGIC, p->digest, (uint64_t)p->alarm | (uint64_t)p->plain << 1, p->calm};
    const size_t begin = out->len;
    if (!p->changed) return FW_OK;
    for (size_t i = 0; i < sizeof head / sizeof *head; i++) monitor_put_word(out, head[i]);
    for (size_t k = 0; k < p->n; k++) {
        double numbers[FW_WAGER_NUMBERS];
        uint64_t words[FW_WAGER_NUMBERS];
        fw_wager_save(&p->wager[k], numbers);
        memcpy(words, numbers, sizeof words);
        for (size_t i = 0; i < FW_WAGER_NUMBERS; i++) monitor_put_word(out, words[i]);
    }
    if (block != NULL) monitor_realised_save(block, out);
    FW_TRY(fw_text_check(out, err));
    monitor_put_word(out, fw_hash64(out->data + begin, out->len - begin, MAGIC));
    p->changed = false;
    return fw_text_check(out, err);
}

static void begin_anew(monitor_proof *p, monitor_realised *block)
{
    *p = (monitor_proof){.n = p->n, .least = p->least, .digest = p->digest};
    if (block != NULL) monitor_realised_reset(block);
}

static bool take_wager(fw_wager *w, monitor_words *in)
{
    double numbers[FW_WAGER_NUMBERS];
    uint64_t words[FW_WAGER_NUMBERS];
    for (size_t i = 0; i < FW_WAGER_NUMBERS; i++)
        if (!monitor_take_word(in, &words[i])) return false;
    memcpy(numbers, words, sizeof numbers);
    return fw_wager_restore(w, numbers);
}

static bool take_all(monitor_proof *p, monitor_realised *block, monitor_words *in)
{
    uint64_t flags = 0;
    if (!monitor_take_word(in, &flags) || flags > 3 || !monitor_take_word(in, &p->calm) || p->calm >= CALM) return false;
    p->alarm = flags & 1;
    p->plain = flags >> 1;
    for (size_t k = 0; k < p->n; k++)
        if (!take_wager(&p->wager[k], in)) return false;
    return (block == NULL || monitor_realised_restore(block, in, NULL) >= 0) && in->left == 0;
}

fw_status monitor_proof_restore(monitor_proof *p, monitor_realised *block, const void *bytes, size_t len, fw_error *err)
{
    monitor_words in = {bytes, len}, end = {(const unsigned char *)bytes + (len >= 8 ? len - 8 : 0), FW_MIN(len, 8)};
    uint64_t magic = 0, digest = 0, hash = 0;
    begin_anew(p, block);
    if (len < 24 || !monitor_take_word(&end, &hash) || hash != fw_hash64(bytes, len - 8, MAGIC) || !monitor_take_word(&in, &magic) || magic != MAGIC)
        return fw_fail(err, FW_ERR_DATA, "%zu bytes are no saved evidence, or damaged; it begins anew", len);
    if (!monitor_take_word(&in, &digest) || digest != p->digest)
        return fw_fail(err, FW_ERR_DATA, "the saved evidence was held against other figures (metric, drop, reference, baseline); it begins anew");
    in.left -= 8;
    if (take_all(p, block, &in)) return FW_OK;
    begin_anew(p, block);
    return fw_fail(err, FW_ERR_DATA, "the saved evidence can't be; it begins anew");
}
