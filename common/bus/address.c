#include "common/bus/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/core/size.h"

#define ONE_TRY_S 2.0

fw_status fw_own_addresses(char (*out)[FW_ADDRESS_TEXT], size_t room, size_t *n, fw_error *err)
{
    struct ifaddrs *all = NULL;
    size_t found = 0;
    if (getifaddrs(&all) != 0) return fw_fail_errno(err, FW_ERR_BUS, "the addresses of this host can't be listed");
    for (const struct ifaddrs *i = all; i != NULL && found + 1 < room; i = i->ifa_next) {
        if (i->ifa_addr == NULL || i->ifa_addr->sa_family != AF_INET || (i->ifa_flags & IFF_LOOPBACK) != 0 || (i->ifa_flags & IFF_UP) == 0) continue;
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)i->ifa_addr;
        if (inet_ntop(AF_INET, &in->sin_addr, out[found], FW_ADDRESS_TEXT) != NULL) found++;
    }
    freeifaddrs(all);
    if (found < room && gethostname(out[found], FW_ADDRESS_TEXT) == 0) {
        out[found][FW_ADDRESS_TEXT - 1] = '\0';
        found++;
    }
    *n = found;
    return FW_OK;
}

/* A connection that is begun and looked after for a while. */
static bool takes_connection(const struct addrinfo *a, fw_mono deadline)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), failed = 1;
    socklen_t len = sizeof failed;
    if (fd < 0) return false;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    bool good = connect(fd, a->ai_addr, a->ai_addrlen) == 0;
    if (!good && errno == EINPROGRESS && poll(&p, 1, fw_mono_left_ms(deadline)) == 1)
        good = getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) == 0 && failed == 0;
    close(fd);
    return good;
}

static bool reachable(const char *address, uint16_t port, fw_mono deadline)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    if (getaddrinfo(address, service, &hints, &found) != 0) return false;
    const bool good = takes_connection(found, deadline);
    freeaddrinfo(found);
    return good;
}

fw_status fw_reach(size_t *which, const char (*address)[FW_ADDRESS_TEXT], size_t n, uint16_t port, fw_mono deadline, fw_error *err)
{
    do {
        for (size_t i = 0; i < n; i++) {
            const fw_mono soon = fw_mono_after(fw_mono_now(), ONE_TRY_S);
            if (!reachable(address[i], port, soon.ns < deadline.ns ? soon : deadline)) continue;
            *which = i;
            return FW_OK;
        }
        fw_sleep_ms(50);
    } while (!fw_mono_passed(deadline));
    return fw_fail(err, FW_ERR_BUS, "port %u is reached at none of %zu addresses (%s%s); is a firewall between the hosts?", (unsigned)port, n,
                   n > 0 ? address[0] : "", n > 1 ? ", ..." : "");
}

#define TCP "tcp://"

/* Between "tcp://" and the port, without brackets; an empty text when it is too long for an address. */
static void host_of(char out[static INET6_ADDRSTRLEN + 1], const char *endpoint)
{
    const char *host = endpoint + strlen(TCP), *colon = strrchr(host, ':');
    size_t len = colon != NULL ? (size_t)(colon - host) : strlen(host);
    if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len > INET6_ADDRSTRLEN) len = 0;
    memcpy(out, host, len);
    out[len] = '\0';
}

bool fw_endpoint_is_ipv6(const char *endpoint)
{
    const struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    if (strncmp(endpoint, TCP, strlen(TCP)) != 0) return false;
    const char *name = endpoint + strlen(TCP), *colon = strrchr(name, ':');
    if (*name == '[' || *name == '*') return true;
    FW_FREE char *host = strndup(name, colon != NULL ? (size_t)(colon - name) : strlen(name));
    if (host == NULL || getaddrinfo(host, NULL, &hints, &found) != 0) return true;
    freeaddrinfo(found);
    return false;
}

static bool is_near_ipv4(struct in_addr a, bool binds)
{
    const uint32_t n = ntohl(a.s_addr);
    return n >> 24 == 127 || (n == INADDR_ANY && !binds);
}

static bool is_near_ipv6(const struct in6_addr *a, bool binds)
{
    struct in_addr mapped;
    memcpy(&mapped, a->s6_addr + 12, sizeof mapped);
    if (IN6_IS_ADDR_V4MAPPED(a)) return is_near_ipv4(mapped, binds);
    return IN6_IS_ADDR_LOOPBACK(a) || (IN6_IS_ADDR_UNSPECIFIED(a) && !binds);
}

bool fw_endpoint_is_near(const char *endpoint, bool binds)
{
    char host[INET6_ADDRSTRLEN + 1];
    struct in_addr four;
    struct in6_addr six;
    if (strncmp(endpoint, TCP, strlen(TCP)) != 0) return true;       /* ipc, inproc */
    host_of(host, endpoint);
    if (strcmp(host, "localhost") == 0) return true;
    if (inet_pton(AF_INET, host, &four) == 1) return is_near_ipv4(four, binds);
    return inet_pton(AF_INET6, host, &six) == 1 && is_near_ipv6(&six, binds);
}
