#include "common/core/time_text.h"

#define US_PER_S INT64_C(1000000)

/** A place in the text; reading past the end gives NUL. */
typedef struct cursor { const char *s, *end; } cursor;

static char peek(const cursor *c)
{
    return c->s < c->end ? *c->s : '\0';
}

static bool skip(cursor *c, char wanted)
{
    if (peek(c) != wanted) return false;
    c->s++;
    return true;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** Exactly n digits, value from lowest to highest. */
static bool digits(int *out, cursor *c, int n, int lowest, int highest)
{
    int v = 0;
    for (int i = 0; i < n; i++) {
        if (!is_digit(peek(c))) return false;
        v = v * 10 + (*c->s++ - '0');
    }
    *out = v;
    return v >= lowest && v <= highest;
}

static int days_in_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return month == 2 && leap ? 29 : days[month - 1];
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar.  Source: H. Hinnant, "chrono-compatible low-level date algorithms", days_from_civil. */
static int64_t days_since_1970(int year, int month, int day)
{
    int y = month <= 2 ? year - 1 : year;
    int era = (y >= 0 ? y : y - 399) / 400, of_era = y - era * 400;
    int of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return (int64_t)era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool date(int64_t *days, cursor *c)
{
    int year, month, day;
    if (!digits(&year, c, 4, 0, 9999) || !skip(c, '-') || !digits(&month, c, 2, 1, 12) || !skip(c, '-')) return false;
    if (!digits(&day, c, 2, 1, days_in_month(year, month))) return false;
    *days = days_since_1970(year, month, day);
    return true;
}

static bool fraction(int64_t *us, cursor *c)
{
    int n = 0;
    *us = 0;
    for (; is_digit(peek(c)); c->s++, n++) {
        if (n < 6) *us = *us * 10 + (*c->s - '0');
        else if (*c->s != '0') return false;
    }
    for (int i = n; i < 6; i++) *us *= 10;
    return n > 0;
}

static bool clock_time(int64_t *us, cursor *c)
{
    int hour, minute, second = 0;
    int64_t part = 0;
    if (!digits(&hour, c, 2, 0, 23) || !skip(c, ':') || !digits(&minute, c, 2, 0, 59)) return false;
    if (skip(c, ':')) {
        if (!digits(&second, c, 2, 0, 59)) return false;
        if (skip(c, '.') && !fraction(&part, c)) return false;
    }
    *us = ((int64_t)hour * 3600 + minute * 60 + second) * US_PER_S + part;
    return true;
}

/** What is to be taken off to be at UTC. */
static bool zone(int64_t *us, cursor *c)
{
    *us = 0;
    if (c->s == c->end || skip(c, 'Z') || skip(c, 'z')) return true;
    int sign = skip(c, '+') ? 1 : skip(c, '-') ? -1 : 0, hours, minutes = 0;
    if (sign == 0 || !digits(&hours, c, 2, 0, 23)) return false;
    bool colon = skip(c, ':');
    if ((colon || is_digit(peek(c))) && !digits(&minutes, c, 2, 0, 59)) return false;
    *us = sign * (int64_t)(hours * 60 + minutes) * 60 * US_PER_S;
    return true;
}

bool fw_parse_time(int64_t *us, const char *s, size_t len)
{
    cursor c = {s, s + len};
    int64_t days, of_day = 0, offset = 0;
    if (len < 10 || !date(&days, &c)) return false;
    if (c.s < c.end) {
        if (!skip(&c, 'T') && !skip(&c, 't') && !skip(&c, ' ')) return false;
        if (!clock_time(&of_day, &c) || !zone(&offset, &c)) return false;
    }
    if (c.s != c.end) return false;
    *us = days * 86400 * US_PER_S + of_day - offset;
    return true;
}
