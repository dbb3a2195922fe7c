#include "common/core/fault.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/text.h"

#define MAX_RULES 32
#define MAX_POINT 64

typedef enum action { ACT_NONE, ACT_KILL, ACT_STOP, ACT_FAIL, ACT_DELAY } action;

typedef struct rule {
    char           point[MAX_POINT];
    uint64_t       hit;      /* acts on this hit alone, counted from 1; 0: on each */
    int            delay_ms;
    action         act;
    atomic_uint_fast64_t hits;
} rule;

static struct { size_t n; rule rules[MAX_RULES]; } schedule;      /* written by fw_fault_init alone, before threads start */

static bool is(const char *s, size_t len, const char *word)
{
    return len == strlen(word) && memcmp(s, word, len) == 0;
}

/* The number behind "key=", or false. */
static bool value_of(uint64_t *out, const char *s, size_t len, const char *key)
{
    size_t key_len = strlen(key);
    return len > key_len && memcmp(s, key, key_len) == 0 && fw_parse_uint64(out, s + key_len, len - key_len);
}

static fw_status parse_setting(rule *r, bool *ours, int rank, const char *s, size_t len, fw_error *err)
{
    uint64_t number;
    if (is(s, len, "kill")) r->act = ACT_KILL;
    else if (is(s, len, "stop")) r->act = ACT_STOP;
    else if (is(s, len, "fail")) r->act = ACT_FAIL;
    else if (value_of(&number, s, len, "delay=") && number <= 3600000) {
        r->act = ACT_DELAY;
        r->delay_ms = (int)number;
    } else if (value_of(&number, s, len, "rank=")) *ours = rank >= 0 && number == (uint64_t)rank;
    else if (value_of(&number, s, len, "hit=") && number > 0) r->hit = number;
    else
        return fw_fail(err, FW_ERR_CONFIG, "FW_FAULTS: \"%.*s\" is not one of rank=N, hit=N (from 1), kill, stop, fail, delay=MS (up to 3600000)",
                       (int)len, s);
    return FW_OK;
}

/* One rule: point@setting,setting,...   It enters the schedule when it is for this rank. */
static fw_status parse_rule(int rank, const char *s, size_t len, fw_error *err)
{
    const char *at = memchr(s, '@', len), *end = s + len;
    size_t      point_len = at == NULL ? 0 : (size_t)(at - s);
    if (point_len == 0 || point_len >= MAX_POINT)
        return fw_fail(err, FW_ERR_CONFIG, "FW_FAULTS: \"%.*s\" should read POINT@[rank=N,][hit=N,]ACTION", (int)len, s);
    if (schedule.n == MAX_RULES) return fw_fail(err, FW_ERR_CONFIG, "FW_FAULTS: more than %d rules", MAX_RULES);

    rule *r = &schedule.rules[schedule.n];
    memset(r, 0, sizeof *r);
    memcpy(r->point, s, point_len);
    bool ours = true;
    for (const char *part = at + 1; part <= end;) {
        const char *comma = memchr(part, ',', (size_t)(end - part));
        const char *stop = comma == NULL ? end : comma;
        FW_TRY(parse_setting(r, &ours, rank, part, (size_t)(stop - part), err));
        part = stop + 1;
    }
    if (r->act == ACT_NONE) return fw_fail(err, FW_ERR_CONFIG, "FW_FAULTS: \"%.*s\" names no action (kill, stop, fail, delay=MS)", (int)len, s);
    if (ours) schedule.n++;
    return FW_OK;
}

fw_status fw_fault_init(int rank, fw_error *err)
{
    schedule.n = 0;
    const char *s = getenv("FW_FAULTS");
    while (s != NULL && *s != '\0') {
        size_t    len = strcspn(s, ";");
        fw_status status = len > 0 ? parse_rule(rank, s, len, err) : FW_OK;
        if (status < 0) {
            schedule.n = 0;
            return status;
        }
        s += len + (s[len] == ';');
    }
    return FW_OK;
}

static fw_status act(const rule *r, uint64_t hit, fw_error *err)
{
    switch (r->act) {
    case ACT_KILL: raise(SIGKILL); break;
    case ACT_STOP: raise(SIGSTOP); break;
    case ACT_DELAY: fw_sleep_ms(r->delay_ms); break;
    case ACT_FAIL:
        errno = EIO;
        return fw_fail(err, FW_ERR_IO, "%s: made to fail by FW_FAULTS (hit %llu)", r->point, (unsigned long long)hit);
    case ACT_NONE: break;
    }
    return FW_OK;
}

fw_status fw_fault(const char *point, fw_error *err)
{
    if (schedule.n == 0) return FW_OK;
    for (size_t i = 0; i < schedule.n; i++) {
        rule *r = &schedule.rules[i];
        if (strcmp(r->point, point) != 0) continue;
        uint64_t hit = atomic_fetch_add(&r->hits, 1) + 1;
        if (r->hit == 0 || r->hit == hit) FW_TRY(act(r, hit, err));
    }
    return FW_OK;
}
