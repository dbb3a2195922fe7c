#include "monitor/web/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/core/size.h"
#include "common/core/text.h"

typedef union any_address { struct sockaddr any; struct sockaddr_in v4; struct sockaddr_in6 v6; } any_address;

static bool read_host(any_address *out, const char *host)
{
    if (host[0] == '[') {
        char inner[INET6_ADDRSTRLEN];
        const size_t n = strlen(host);
        if (n < 3 || n - 2 >= sizeof inner || host[n - 1] != ']') return false;
        memcpy(inner, host + 1, n - 2);
        inner[n - 2] = '\0';
        out->v6.sin6_family = AF_INET6;
        return inet_pton(AF_INET6, inner, &out->v6.sin6_addr) == 1;
    }
    out->v4.sin_family = AF_INET;
    if (*host == '\0' || strcmp(host, "*") == 0) host = "0.0.0.0";
    if (strcmp(host, "localhost") == 0) host = "127.0.0.1";
    return inet_pton(AF_INET, host, &out->v4.sin_addr) == 1;
}

static fw_status parse(any_address *out, const char *address, fw_error *err)
{
    char host[MONITOR_ADDRESS_TEXT];
    uint64_t port = 0;
    const char *colon = strrchr(address, ':');
    const size_t n = colon != NULL ? (size_t)(colon - address) : 0;
    memset(out, 0, sizeof *out);
    if (colon == NULL || n >= sizeof host || !fw_parse_uint64(&port, colon + 1, strlen(colon + 1)) || port > UINT16_MAX)
        return fw_fail(err, FW_ERR_CONFIG, "dashboard '%.80s': write an address and a port, e.g. 127.0.0.1:8090", address);
    memcpy(host, address, n);
    host[n] = '\0';
    if (!read_host(out, host)) return fw_fail(err, FW_ERR_CONFIG, "dashboard '%.80s': write the address in numbers, e.g. 127.0.0.1:8090 or [::1]:8090", address);
    if (out->any.sa_family == AF_INET6) out->v6.sin6_port = htons((uint16_t)port);
    else out->v4.sin_port = htons((uint16_t)port);
    return FW_OK;
}

fw_status monitor_address_check(bool *loopback, const char *address, fw_error *err)
{
    any_address a;
    FW_TRY(parse(&a, address, err));
    *loopback = a.any.sa_family == AF_INET6 ? IN6_IS_ADDR_LOOPBACK(&a.v6.sin6_addr) != 0 : ntohl(a.v4.sin_addr.s_addr) >> 24 == 127;
    return FW_OK;
}

static void write_bound(char bound[static MONITOR_ADDRESS_TEXT], const any_address *a)
{
    char host[INET6_ADDRSTRLEN] = "";
    if (a->any.sa_family == AF_INET6) {
        inet_ntop(AF_INET6, &a->v6.sin6_addr, host, sizeof host);
        snprintf(bound, MONITOR_ADDRESS_TEXT, "[%s]:%u", host, ntohs(a->v6.sin6_port));
    } else {
        inet_ntop(AF_INET, &a->v4.sin_addr, host, sizeof host);
        snprintf(bound, MONITOR_ADDRESS_TEXT, "%s:%u", host, ntohs(a->v4.sin_port));
    }
}

fw_status monitor_address_listen(int *fd, char bound[static MONITOR_ADDRESS_TEXT], const char *address, int backlog, fw_error *err)
{
    any_address a;
    const int one = 1;
    FW_TRY(parse(&a, address, err));
    socklen_t len = a.any.sa_family == AF_INET6 ? sizeof a.v6 : sizeof a.v4;
    const int s = socket(a.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0) return fw_fail_errno(err, FW_ERR_IO, "dashboard %s: no socket", address);
    if (setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 || bind(s, &a.any, len) != 0 || listen(s, backlog) != 0 ||
        getsockname(s, &a.any, &len) != 0) {
        const fw_status status = fw_fail_errno(err, FW_ERR_CONFIG, "dashboard %s: it can't listen there; choose another with --dashboard ADDRESS:PORT", address);
        close(s);
        return status;
    }
    write_bound(bound, &a);
    *fd = s;
    return FW_OK;
}

const char *monitor_code_words(int code)
{
    static const struct { int code; const char *words; } table[] = {
        {200, "OK"}, {202, "Accepted"}, {304, "Not Modified"}, {400, "Bad Request"}, {401, "Unauthorized"}, {403, "Forbidden"}, {404, "Not Found"}, {405, "Method Not Allowed"},
        {408, "Request Timeout"}, {409, "Conflict"}, {411, "Length Required"}, {413, "Content Too Large"}, {414, "URI Too Long"}, {415, "Unsupported Media Type"}, {417, "Expectation Failed"}, {421, "Misdirected Request"},
        {431, "Request Header Fields Too Large"}, {500, "Internal Server Error"}, {501, "Not Implemented"}, {503, "Service Unavailable"},
        {505, "HTTP Version Not Supported"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (table[i].code == code) return table[i].words;
    return "Error";
}
