#include "monitor/web/web.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/core/size.h"
#include "monitor/web/address.h"
#include "monitor/web/server.h"

#define TOKEN_MIN 16u
#define TOKEN_MAX 512u

struct monitor_web { monitor_server *server; };

/** The text of a file that nobody else may read. */
static fw_status read_private(char *out, size_t room, size_t *len, const char *path, fw_error *err)
{
    struct stat about;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return fw_fail_errno(err, FW_ERR_CONFIG, "token file %s", path);
    const bool known = fstat(fd, &about) == 0;
    const ssize_t n = known ? read(fd, out, room) : -1;
    close(fd);
    if (n < 0) return fw_fail_errno(err, FW_ERR_CONFIG, "token file %s", path);
    if (!S_ISREG(about.st_mode)) return fw_fail(err, FW_ERR_CONFIG, "token file %s: it is not a plain file", path);
    if ((about.st_mode & (S_IRWXG | S_IRWXO)) != 0) return fw_fail(err, FW_ERR_CONFIG, "token file %s: others may read it; chmod 600 %s", path, path);
    *len = (size_t)n;
    return FW_OK;
}

fw_status monitor_token_read(char **out, const char *path, fw_error *err)
{
    char text[TOKEN_MAX + 3];
    size_t n = 0;
    FW_TRY(read_private(text, sizeof text - 1, &n, path, err));
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == '\r')) n--;
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~' || text[i] == ':')
            return fw_fail(err, FW_ERR_CONFIG, "token file %s: a token is one line of letters and digits; openssl rand -hex 32 makes one", path);
    if (n < TOKEN_MIN || n > TOKEN_MAX)
        return fw_fail(err, FW_ERR_CONFIG, "token file %s: a token has %u to %u characters, this has %zu; openssl rand -hex 32 makes one", path, TOKEN_MIN, TOKEN_MAX, n);
    text[n] = '\0';
    return fw_copy_text(out, text, err);
}

fw_status monitor_web_start(monitor_web **out, const monitor_web_opts *opts, fw_error *err)
{
    FW_FREE char *token = NULL;
    bool loopback = false;
    FW_TRY(monitor_address_check(&loopback, opts->address, err));
    if (opts->token_file != NULL) FW_TRY(monitor_token_read(&token, opts->token_file, err));
    if (!loopback && token == NULL && !opts->insecure)
        return fw_fail(err, FW_ERR_CONFIG, "dashboard %s: others can reach this address; give a token file (monitor.token: FILE), or --insecure to show everything to all",
                       opts->address);
    FW_AUTO(monitor_web) *w = calloc(1, sizeof *w);
    if (w == NULL) return fw_fail(err, FW_ERR_NOMEM, "dashboard");
    const monitor_server_opts server = {.address = opts->address, .store = opts->store, .token = token, .own_hosts_only = loopback && token == NULL};
    FW_TRY(monitor_server_start(&w->server, &server, err));
    *out = w;
    w = NULL;
    return FW_OK;
}

void monitor_web_destroy(monitor_web **w)
{
    if (w == NULL || *w == NULL) return;
    monitor_server_destroy(&(*w)->server);
    free(*w);
    *w = NULL;
}

const char *monitor_web_address(const monitor_web *w) { return monitor_server_address(w->server); }
