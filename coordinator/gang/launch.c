#include "coordinator/gang/launch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/core/size.h"
#include "common/core/text.h"
#include "proto/gang.h"

static const char plain[] = "mpirun -n {ranks}", on_hosts[] = "mpirun -n {ranks} --host {hosts}";

/* ---- hosts ---- */

static fw_status parse_host(coord_host *out, const char *text, size_t len, fw_error *err)
{
    const char *colon = memchr(text, ':', len);
    const size_t name_len = colon != NULL ? (size_t)(colon - text) : len;
    uint64_t slots = 1;
    if (name_len == 0 || name_len >= FW_GANG_HOST_TEXT || memchr(text, ' ', len) != NULL ||
        (colon != NULL && (!fw_parse_uint64(&slots, colon + 1, len - name_len - 1) || slots < 1 || slots > FW_GANG_MAX_RANKS)))
        return fw_fail(err, FW_ERR_CONFIG, "--hosts: \"%.*s\" should read NAME or NAME:SLOTS", (int)len, text);
    out->slots = (uint32_t)slots;
    out->name = strndup(text, name_len);
    return out->name != NULL ? FW_OK : fw_fail(err, FW_ERR_NOMEM, "--hosts");
}

fw_status coord_hosts_parse(coord_hosts **out, const char *text, fw_error *err)
{
    FW_AUTO(coord_hosts) *h = NULL;
    *out = NULL;
    if (text == NULL) return FW_OK;
    h = calloc(1, sizeof *h);
    if (h == NULL || (h->host = calloc(strlen(text) + 1, sizeof *h->host)) == NULL) return fw_fail(err, FW_ERR_NOMEM, "--hosts");
    for (const char *at = text;; at++) {
        const size_t len = strcspn(at, ",");
        FW_TRY(parse_host(&h->host[h->n], at, len, err));
        for (size_t i = 0; i < h->n; i++)
            if (strcmp(h->host[i].name, h->host[h->n].name) == 0) {
                h->n++;
                return fw_fail(err, FW_ERR_CONFIG, "--hosts: %s is named twice", h->host[i].name);
            }
        h->n++;
        at += len;
        if (*at == '\0') break;
    }
    *out = h;
    h = NULL;
    return FW_OK;
}

void coord_hosts_destroy(coord_hosts **h)
{
    if (*h == NULL) return;
    for (size_t i = 0; (*h)->host != NULL && i < (*h)->n; i++) free((*h)->host[i].name);
    free((*h)->host);
    free(*h);
    *h = NULL;
}

static bool is_used(const coord_host *h, uint64_t generation) { return generation >= h->out_until; }

uint32_t coord_hosts_slots(const coord_hosts *h, uint64_t generation)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < h->n; i++)
        if (is_used(&h->host[i], generation)) sum += h->host[i].slots;
    return (uint32_t)FW_MIN(sum, (uint64_t)FW_GANG_MAX_RANKS);
}

coord_host *coord_hosts_find(const coord_hosts *h, const char *name)
{
    const size_t len = strcspn(name, ".");
    for (size_t i = 0; i < h->n; i++) {
        const char *own = h->host[i].name;
        if (strcmp(own, name) == 0 || (strcspn(own, ".") == len && strncmp(own, name, len) == 0)) return &h->host[i];
    }
    return NULL;
}

/* ---- the command ---- */

fw_status coord_launch_check(const char *template, const coord_hosts *h, fw_error *err)
{
    if (template == NULL) return FW_OK;
    if (strstr(template, "{ranks}") == NULL)
        return fw_fail(err, FW_ERR_CONFIG, "--launch \"%s\": it has no {ranks} where the number of ranks goes, as in \"mpirun -n {ranks}\"", template);
    if (h == NULL && strstr(template, "{hosts}") != NULL) return fw_fail(err, FW_ERR_CONFIG, "--launch \"%s\": it wants {hosts}; name them with --hosts", template);
    if (h != NULL && strstr(template, "{hosts}") == NULL)
        return fw_fail(err, FW_ERR_CONFIG, "--launch \"%s\": it has no {hosts} where the hosts go, as in \"mpirun -n {ranks} --host {hosts}\"", template);
    return FW_OK;
}

static void add_hosts(fw_text *t, const coord_hosts *h, uint64_t generation)
{
    bool first = true;
    for (size_t i = 0; h != NULL && i < h->n; i++) {
        if (!is_used(&h->host[i], generation)) continue;
        fw_text_format(t, "%s%s:%u", first ? "" : ",", h->host[i].name, h->host[i].slots);
        first = false;
    }
}

typedef struct words { char **word; size_t n, capacity; } words;

static fw_status add_word(words *w, char *word, fw_error *err)
{
    fw_status s = word != NULL ? fw_grow((void **)&w->word, &w->capacity, w->n + 2, sizeof *w->word, "words", err) : fw_fail(err, FW_ERR_NOMEM, "--launch");
    if (s != FW_OK) {
        free(word);
        return s;
    }
    w->word[w->n++] = word;
    w->word[w->n] = NULL;
    return FW_OK;
}

/* One word from *at on; *at ends behind it. */
static fw_status next_word(words *w, const char **at, uint32_t ranks, const coord_hosts *h, uint64_t generation, fw_error *err)
{
    FW_AUTO(fw_text) t = {0};
    char quote = '\0';
    const char *p = *at;
    fw_text_add(&t, "");
    for (; *p != '\0' && (quote != '\0' || (*p != ' ' && *p != '\t')); p++) {
        if (quote == '\0' && (*p == '\'' || *p == '"')) quote = *p;
        else if (*p == quote) quote = '\0';
        else if (strncmp(p, "{ranks}", 7) == 0) {
            fw_text_format(&t, "%u", ranks);
            p += 6;
        } else if (strncmp(p, "{hosts}", 7) == 0) {
            add_hosts(&t, h, generation);
            p += 6;
        } else fw_text_add_bytes(&t, p, 1);
    }
    *at = p;
    if (quote != '\0') return fw_fail(err, FW_ERR_CONFIG, "--launch: a quotation mark %c is not closed", quote);
    FW_TRY(fw_text_check(&t, err));
    return add_word(w, fw_text_take(&t), err);
}

fw_status coord_launch_words(char ***out, const char *template, uint32_t ranks, const coord_hosts *h, uint64_t generation, const char *const *more, fw_error *err)
{
    words w = {0};
    fw_status s = FW_OK;
    const char *at = template != NULL ? template : h != NULL ? on_hosts : plain;
    for (at += strspn(at, " \t"); s == FW_OK && *at != '\0'; at += strspn(at, " \t")) s = next_word(&w, &at, ranks, h, generation, err);
    for (; s == FW_OK && *more != NULL; more++) s = add_word(&w, strdup(*more), err);
    if (s != FW_OK) {
        coord_launch_free(w.word);
        return s;
    }
    *out = w.word;
    return FW_OK;
}

void coord_launch_free(char **list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++) free(list[i]);
    free(list);
}

/* ---- its environment ---- */

/* A job whose rank died ends in 15 ms instead of a second; a host that was cut off is noticed after 7 s instead of never; and ranks are started by a
 * thread that stays, since they die with the one that started them. */
static const char *const open_mpi[][2] = {
    {"OMPI_MCA_odls_base_sigkill_timeout", "0"}, {"OMPI_MCA_oob_tcp_keepalive_time", "3"},   {"OMPI_MCA_oob_tcp_keepalive_intvl", "1"},
    {"OMPI_MCA_oob_tcp_keepalive_probes", "3"},  {"OMPI_MCA_odls_base_cutoff", "1000000"},
};

static const char binding[] = "OMPI_MCA_hwloc_base_binding_policy", sessions[] = "OMPI_MCA_orte_tmpdir_base";

static fw_status add_variable(words *w, const char *name, const char *value, fw_error *err)
{
    FW_AUTO(fw_text) t = {0};
    fw_text_format(&t, "%s=%s", name, value);
    FW_TRY(fw_text_check(&t, err));
    return add_word(w, fw_text_take(&t), err);
}

fw_status coord_launch_environment(char ***out, const char *name, const char *value, const char *session, bool neighbours, fw_error *err)
{
    words w = {0};
    fw_status s = FW_OK;
    const size_t len = strlen(name);
    for (char **e = environ; s == FW_OK && *e != NULL; e++)
        if (strncmp(*e, name, len) != 0 || (*e)[len] != '=') s = add_word(&w, strdup(*e), err);
    for (size_t i = 0; s == FW_OK && i < sizeof open_mpi / sizeof *open_mpi; i++)
        if (getenv(open_mpi[i][0]) == NULL) s = add_variable(&w, open_mpi[i][0], open_mpi[i][1], err);
    if (s == FW_OK && neighbours && getenv(binding) == NULL) s = add_variable(&w, binding, "none", err);
    if (s == FW_OK && session != NULL && getenv(sessions) == NULL) s = add_variable(&w, sessions, session, err);
    if (s == FW_OK) s = add_variable(&w, name, value, err);
    if (s != FW_OK) {
        coord_launch_free(w.word);
        return s;
    }
    *out = w.word;
    return FW_OK;
}

bool coord_launch_is_local(const char *template, const coord_hosts *h)
{
    static const char *const elsewhere[] = {"SLURM_JOB_ID", "PBS_NODEFILE", "LSB_HOSTS", "PE_HOSTFILE", "OMPI_MCA_orte_default_hostfile"};
    for (size_t i = 0; i < sizeof elsewhere / sizeof *elsewhere; i++)
        if (getenv(elsewhere[i]) != NULL) return false;
    return template == NULL && h == NULL;
}
