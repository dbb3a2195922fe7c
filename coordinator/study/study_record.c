/* Lines of the journal, as text:   {"time":"2026-03-01T12:34:56.789Z","event":"ask","slot":0,...}
 * Written by hand, since a study makes thousands of them a second; numbers have the shortest text that reads back as the same bits. */
#include <math.h>
#include <string.h>
#include <time.h>

#include "coordinator/study/study_parts.h"

#define TIME_HEAD "{\"time\":\""
#define TIME_TEXT 24               /* "2026-03-01T12:34:56.789Z" */
#define HEAD_TEXT (sizeof TIME_HEAD - 1 + TIME_TEXT + 2)

/* ---- making one ---------------------------------------------------------------------------------------------------------------------------- */

void coord_study_begin_record(coord_study *s, const char *event)
{
    fw_text_clear(&s->record);
    fw_text_add(&s->record, "\"event\":\"");
    fw_text_add(&s->record, event);
    fw_text_add(&s->record, "\"");
}

static void put_name(fw_text *t, const char *name)
{
    if (t->len > 0 && t->data[t->len - 1] != '[') fw_text_add(t, ",");
    if (name == NULL) return;
    fw_text_add(t, "\"");
    fw_text_add(t, name);
    fw_text_add(t, "\":");
}

void coord_study_put_number(coord_study *s, const char *name, uint64_t v)
{
    put_name(&s->record, name);
    fw_text_format(&s->record, "%llu", (unsigned long long)v);
}

void coord_study_put_double(coord_study *s, const char *name, double v)
{
    char text[FW_NUMBER_TEXT];
    put_name(&s->record, name);
    if (isnan(v)) fw_text_add(&s->record, "null");
    else if (isinf(v)) fw_text_add(&s->record, v > 0 ? "\"inf\"" : "\"-inf\"");
    else {
        fw_format_double(text, v);
        fw_text_add(&s->record, text);
        if (v == 0 && signbit(v) && strpbrk(text, ".eE") == NULL) fw_text_add(&s->record, ".0");      /* an integer has no minus zero */
    }
}

void coord_study_put_text(coord_study *s, const char *name, const char *v)
{
    json_t *text = json_string(v);
    char *json = text != NULL ? json_dumps(text, JSON_ENCODE_ANY) : NULL;
    put_name(&s->record, name);
    if (json != NULL) fw_text_add(&s->record, json);
    else s->record.failed = true;
    free(json);
    json_decref(text);
}

/* ---- its time ------------------------------------------------------------------------------------------------------------------------------ */

static bool read_time(const char *text, int64_t *us)
{
    struct tm tm = {0};
    int ms, end = 0;
    if (sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d.%3dZ%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min, &tm.tm_sec, &ms, &end) != 7 || end != TIME_TEXT) return false;
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    *us = (int64_t)timegm(&tm) * 1000000 + ms * 1000;
    return true;
}

static void stamp(coord_study *s, const char *text, int64_t us)
{
    memcpy(s->now, text, TIME_TEXT);
    s->now[TIME_TEXT] = '\0';
    s->now_us = us;
    if (s->first_us == 0) s->first_us = us;
}

/* The rest of the line that is fed, behind its time. */
static fw_status fed_rest(coord_study *s, const char **rest, size_t *len, fw_error *err)
{
    char text[TIME_TEXT + 1] = "";
    int64_t us;
    const coord_journal_line *line = s->fed;
    if (line->len > HEAD_TEXT) memcpy(text, line->json + sizeof TIME_HEAD - 1, TIME_TEXT);
    if (line->len <= HEAD_TEXT || memcmp(line->json, TIME_HEAD, sizeof TIME_HEAD - 1) != 0 || memcmp(line->json + HEAD_TEXT - 2, "\",", 2) != 0 || !read_time(text, &us))
        return fw_fail(err, FW_ERR_FORMAT, "a record begins with its time");
    stamp(s, text, us);
    *rest = line->json + HEAD_TEXT;
    *len = line->len - HEAD_TEXT;
    return FW_OK;
}

fw_status coord_study_stamp_fed(coord_study *s, fw_error *err)
{
    const char *rest;
    size_t len;
    return fed_rest(s, &rest, &len, err);
}

/* ---- writing or comparing ------------------------------------------------------------------------------------------------------------------ */

static fw_status compare(coord_study *s, fw_error *err)
{
    const char *rest;
    size_t len;
    FW_TRY(fed_rest(s, &rest, &len, err));
    s->matched = true;
    s->decisions++;
    if (len == s->record.len && memcmp(rest, s->record.data, len) == 0) return FW_OK;
    return fw_fail(err, FW_ERR_FORMAT, "the decision is another one: the journal has %.*s, and this program makes %.*s", (int)(len < 300 ? len : 300), rest,
                   (int)(s->record.len < 300 ? s->record.len : 300), s->record.data);
}

static fw_status append(coord_study *s, bool urgent, fw_error *err)
{
    FW_AUTO(fw_text) line = {0};
    char now[FW_UTC_LEN];
    const int64_t us = fw_utc_now_us();
    fw_utc_format(now, us);
    stamp(s, now, us);
    fw_text_add(&line, TIME_HEAD);
    fw_text_add(&line, now);
    fw_text_add(&line, "\",");
    fw_text_add_bytes(&line, s->record.data, s->record.len);
    FW_TRY(fw_text_check(&line, err));
    FW_TRY(coord_journal_put_text(s->journal, line.data, line.len, urgent, err));
    return s->held ? FW_OK : coord_journal_write(s->journal, err);
}

fw_status coord_study_end_record(coord_study *s, bool urgent, fw_error *err)
{
    fw_text_add(&s->record, "}");
    fw_status status = fw_text_check(&s->record, err);
    if (status == FW_OK) status = s->fed != NULL ? compare(s, err) : append(s, urgent, err);
    if (status != FW_OK) s->broken = true;
    return status;
}

void coord_study_hold(coord_study *s, bool hold) { s->held = hold; }

fw_status coord_study_write(coord_study *s, fw_error *err)
{
    const fw_status status = s->journal != NULL ? coord_journal_write(s->journal, err) : FW_OK;
    if (status != FW_OK) s->broken = true;
    return status;
}

fw_status coord_study_usable(const coord_study *s, fw_error *err)
{
    if (s->fed == NULL && s->journal == NULL) return fw_fail(err, FW_ERR_ARG, "study %s: opened for reading alone", s->dir);
    if (!s->broken) return FW_OK;
    return fw_fail(err, FW_ERR_IO, "study %s: its journal could not be written, so nothing more is begun; make room, then go on with --resume", s->dir);
}
