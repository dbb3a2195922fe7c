/** The head of an HTTP request, judged before the HTTP library sees a byte of it: RFC 9112 to the letter, and no body but that of a POST, of a length told before.
 *  What the library takes wrongly (two lengths, a length beside chunks, bare line feeds, folded lines, NUL, no host, ...) is refused here. Pure: bytes in, a verdict out. */
#ifndef MONITOR_WEB_HEAD_H
#define MONITOR_WEB_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#define MONITOR_HEAD_BYTES   16384u      /* with the empty line at its end */
#define MONITOR_HEAD_TARGET  2048u
#define MONITOR_HEAD_FIELDS  64u
#define MONITOR_HEAD_BODY    (16u << 20)   /* of a POST */

typedef struct monitor_head_text { const char *at; size_t len; } monitor_head_text;

/** Points into the bytes that were given. */
typedef struct monitor_head {
    monitor_head_text method, target, host;      /* host: of HTTP/1.0 it may be absent, then at is NULL */
    size_t len;                                  /* of the whole head */
    size_t body;                                 /* bytes that follow: of a POST alone */
    bool old;                                    /* HTTP/1.0 */
} monitor_head;

#define MONITOR_HEAD_MORE 0
#define MONITOR_HEAD_FINE 200

/** MONITOR_HEAD_MORE: good so far, not whole yet. MONITOR_HEAD_FINE: *out is filled. Else the status code to refuse it with, and *why, a sentence.
 *  A fault is seen as soon as its bytes are there. Cost: one pass over the bytes. */
int monitor_head_check(monitor_head *out, const char **why, const char *bytes, size_t len);

/** Whether the host (with or without a port) is "localhost" or an address in numbers: names that nobody else's DNS can lead here. */
bool monitor_head_host_is_own(const char *host, size_t len);

#endif
