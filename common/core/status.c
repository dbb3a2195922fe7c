#include "common/core/status.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *fw_status_name(fw_status s)
{
    switch (s) {
#define X(name, value, text) \
    case name: return #name;
        FW_STATUS_LIST(X)
#undef X
    }
    return "FW_ERR_UNKNOWN";
}

const char *fw_status_text(fw_status s)
{
    switch (s) {
#define X(name, value, text) \
    case name: return text;
        FW_STATUS_LIST(X)
#undef X
    }
    return "unknown status";
}

int fw_status_exit_code(fw_status s)
{
    switch (s) {
    case FW_OK:
    case FW_END: return 0;
    case FW_ERR_ARG:
    case FW_ERR_CONFIG: return 2;
    case FW_ERR_CHECK: return 3;
    case FW_ERR_DATA:
    case FW_ERR_FORMAT:
    case FW_ERR_VERSION: return 4;
    case FW_ERR_LOST: return 5;
    case FW_ERR_STOPPED: return 75;
    case FW_ERR_NOMEM:
    case FW_ERR_IO:
    case FW_ERR_NUMERIC:
    case FW_ERR_TIMEOUT:
    case FW_ERR_MPI:
    case FW_ERR_BUS:
    case FW_ERR_NOTFOUND:
    case FW_ERR_INTERNAL: return 1;
    }
    return 1;
}

#define TEXT_BYTES sizeof((fw_error *)NULL)->text

/* Puts ": <more>" behind the first len bytes of a sentence; what has no room is cut. */
static void append(char sentence[static TEXT_BYTES], size_t len, const char *more)
{
    const char *parts[] = {": ", more};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strnlen(parts[i], TEXT_BYTES - 1 - len);
        memcpy(sentence + len, parts[i], n);
        len += n;
    }
    sentence[len] = '\0';
}

/* The arguments may point into err->text, so the sentence is made beside it and copied at the end. */
static void fill(fw_error *err, fw_status s, const char *sentence)
{
    err->status = s;
    size_t len = strnlen(sentence, sizeof err->text - 1);
    memcpy(err->text, sentence, len);
    err->text[len] = '\0';
}

/* Who lacks memory need not say so each time. */
static void say_memory(char sentence[static TEXT_BYTES], fw_status s)
{
    const size_t len = strlen(sentence);
    if (s == FW_ERR_NOMEM && strstr(sentence, "memory") == NULL && len < TEXT_BYTES - 1) append(sentence, len, fw_status_text(s));
}

fw_status fw_fail(fw_error *err, fw_status s, const char *format, ...)
{
    if (err == NULL) return s;
    char sentence[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    say_memory(sentence, s);
    fill(err, s, sentence);
    return s;
}

fw_status fw_fail_errno(fw_error *err, fw_status s, const char *format, ...)
{
    if (err == NULL) return s;
    int  why = errno;
    char sentence[TEXT_BYTES], reason[128];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof sentence) append(sentence, (size_t)len, strerror_r(why, reason, sizeof reason));
    fill(err, s, sentence);
    errno = why;
    return s;
}

fw_status fw_wrap(fw_error *err, fw_status s, const char *format, ...)
{
    if (err == NULL) return s == FW_OK ? FW_ERR_INTERNAL : s;
    char sentence[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(sentence, sizeof sentence, format, args);
    va_end(args);
    if (len >= 0 && (size_t)len < sizeof sentence) append(sentence, (size_t)len, err->text);
    fill(err, s == FW_OK ? err->status : s, sentence);
    return err->status;
}
