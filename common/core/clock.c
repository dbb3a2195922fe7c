#include "common/core/clock.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <time.h>

#define NS_PER_S  1000000000
#define NS_PER_MS 1000000

fw_mono fw_mono_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (fw_mono){(int64_t)t.tv_sec * NS_PER_S + t.tv_nsec};
}

/* Saturates: a deadline of "1e300 seconds" is one that never passes. */
fw_mono fw_mono_after(fw_mono t, double seconds)
{
    double ns = seconds * 1e9;
    if (!(ns < 9.0e18)) return (fw_mono){INT64_MAX};
    if (ns < -9.0e18) return (fw_mono){INT64_MIN};
    int64_t sum;
    if (__builtin_add_overflow(t.ns, (int64_t)ns, &sum)) sum = ns > 0 ? INT64_MAX : INT64_MIN;
    return (fw_mono){sum};
}

double fw_mono_seconds(fw_mono from, fw_mono to)
{
    return (double)(to.ns - from.ns) * 1e-9;
}

bool fw_mono_passed(fw_mono deadline)
{
    return fw_mono_now().ns >= deadline.ns;
}

/* Rounded up, so that a poll with the result does not wake before the deadline and spin. */
int fw_mono_left_ms(fw_mono deadline)
{
    int64_t now = fw_mono_now().ns;
    if (now >= deadline.ns) return 0;
    int64_t ns;
    if (__builtin_sub_overflow(deadline.ns, now, &ns)) return INT_MAX;
    int64_t ms = ns / NS_PER_MS + (ns % NS_PER_MS != 0);
    return ms > INT_MAX ? INT_MAX : (int)ms;
}

void fw_sleep_ms(int ms)
{
    if (ms <= 0) return;
    fw_mono until = fw_mono_after(fw_mono_now(), ms * 1e-3);
    struct timespec t = {.tv_sec = until.ns / NS_PER_S, .tv_nsec = until.ns % NS_PER_S};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR) {}
}

void fw_utc_now(char out[static FW_UTC_LEN])
{
    fw_utc_format(out, fw_utc_now_us());
}

void fw_utc_format(char out[static FW_UTC_LEN], int64_t unix_us)
{
    int64_t seconds = unix_us / 1000000, us = unix_us % 1000000;
    if (us < 0) {
        us += 1000000;
        seconds--;
    }
    time_t    t = (time_t)seconds;
    struct tm tm;
    gmtime_r(&t, &tm);      /* cannot fail: the year of any 64-bit count of microseconds fits an int */
    snprintf(out, FW_UTC_LEN, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour,
             tm.tm_min, tm.tm_sec, (int)(us / 1000));
}

int64_t fw_utc_now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

uint64_t fw_utc_window(int64_t unix_us, int64_t length_us) { return (uint64_t)(unix_us / length_us); }
