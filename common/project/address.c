#include "common/project/address.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/project/rules.h"

void fw_address_release(fw_address *a)
{
    free(a->element);
    free(a->name);
    free(a->path);
    *a = (fw_address){0};
}

/** A path that is nearly this one, or ends in this name; NULL: none. */
static const char *suggestion(const char *path)
{
    const char *names[256] = {0}, *found = NULL;
    size_t n = 0, hits = 0;
    for (size_t i = 0; i < fw_n_keys && n < 256; i++)
        if (fw_keys[i].form != FW_KEY_SECTION && fw_keys[i].form != FW_KEY_MAP) names[n++] = fw_keys[i].path;
    const char *near = fw_did_you_mean(path, names, n);
    for (size_t i = 0; i < fw_n_keys && near == NULL; i++)
        if (strcmp(fw_key_name(&fw_keys[i]), path) == 0) {
            found = fw_keys[i].path;
            hits++;
        }
    return near != NULL ? near : hits == 1 ? found : NULL;
}

static fw_status unknown(const char *path, fw_error *err)
{
    const char *near = suggestion(path);
    return fw_fail(err, FW_ERR_NOTFOUND, "'%.160s' is no key of the project file%s%s%s", path, near != NULL ? ", did you mean '" : "",
                   near != NULL ? near : "", near != NULL ? "'?" : "");
}

static void add_part(fw_text *path, const char *part, bool named)
{
    const bool quoted = named && strchr(part, '.') != NULL && strchr(part, '"') == NULL;
    fw_text_format(path, quoted ? "%s\"%s\"" : "%s%s", path->len > 0 ? "." : "", part);
}

static bool takes_name(const fw_key *key)
{
    return key->form == FW_KEY_GATES || key->form == FW_KEY_MERGE || key->form == FW_KEY_WEIGHTS;
}

/** Walks the parts down the table. The names are moved into *out. FW_END: there is no such key. */
static fw_status walk(fw_address *out, fw_text *path, char **parts, size_t n)
{
    size_t i = 0;
    do {
        const fw_key *below = i < n ? fw_key_below(out->key, parts[i]) : out->key->brief != NULL ? fw_key_below(out->key, out->key->brief) : NULL;
        if (below == NULL) return FW_END;
        out->key = below;
        add_part(path, fw_key_name(below), false);
        i++;
        if (below->form != FW_KEY_MAP) continue;
        if (i >= n) return FW_END;
        out->element = parts[i];
        add_part(path, parts[i], true);
        parts[i++] = NULL;
    } while (out->key->form == FW_KEY_SECTION || out->key->form == FW_KEY_MAP);
    if (i < n && takes_name(out->key)) {
        out->name = parts[i];
        add_part(path, parts[i], true);
        parts[i++] = NULL;
    }
    return i < n ? FW_END : FW_OK;
}

fw_status fw_address_find(fw_address *out, const char *path, fw_error *err)
{
    char *parts[8];
    errno = 0;
    const size_t n = fw_key_split(parts, path, ".");
    if (n == 0 && errno == ENOMEM) return fw_fail(err, FW_ERR_NOMEM, "the key %.60s", path);
    if (n == 0) return unknown(path, err);
    FW_AUTO(fw_text) canonical = {0};
    fw_address a = {0};
    fw_status s = walk(&a, &canonical, parts, n);
    for (size_t i = 0; i < n; i++) free(parts[i]);
    if (s == FW_OK) s = fw_text_check(&canonical, err);
    if (s == FW_OK) a.path = fw_text_take(&canonical);
    if (s == FW_OK) *out = a;
    else fw_address_release(&a);
    return s == FW_END ? unknown(path, err) : s;
}

/* ---- the value there ---- */

/** The struct that holds the key's field: the project, or the element; a column without an entry has what "*" says. NULL: no such element. */
static const void *base_of(const fw_project *p, const fw_address *a)
{
    if (a->element == NULL) return p;
    const fw_key *map = fw_key_find(strncmp(a->key->path, "features.", 9) == 0 ? "features" : "data.tables");
    const char *element = *(const char *const *)((const char *)p + map->at), *others = NULL;
    const size_t n = *(const size_t *)((const char *)p + map->at2);
    for (size_t i = 0; i < n; i++, element += map->element_bytes) {
        if (strcmp(fw_element_name(element), a->element) == 0) return element;
        if (strcmp(fw_element_name(element), "*") == 0) others = element;
    }
    return others;
}

/** What stands in the file: for a name below a map, and keys without a field. */
static const fw_node *node_of(const fw_project *p, const fw_address *a)
{
    const fw_node *node = a->element == NULL ? fw_given(p, a->key->path) : fw_node_child(fw_node_child(fw_given(p, "features"), a->element), fw_key_name(a->key));
    return a->name != NULL ? fw_node_child(node, a->name) : node;
}

static void add_value(fw_text *out, const fw_project *p, const fw_address *a)
{
    const void *base = base_of(p, a);
    const bool in_tree = a->name != NULL || (a->key->at == 0 && a->key->flags & FW_KEY_LATER);
    const fw_node *node = in_tree ? node_of(p, a) : NULL;
    if (in_tree && node != NULL) fw_yaml_node(out, node);
    else if (in_tree || base == NULL || !fw_key_applies(a->key, p, base, &out->failed) || !fw_key_kinds[a->key->form].write(out, a->key, base)) fw_text_add(out, "null");
}

fw_status fw_project_value(char **yaml, const fw_project *p, const char *key, fw_error *err)
{
    fw_address a = {0};
    FW_TRY(fw_address_find(&a, key, err));
    FW_AUTO(fw_text) out = {0};
    add_value(&out, p, &a);
    fw_address_release(&a);
    FW_TRY(fw_text_check(&out, err));
    *yaml = fw_text_take(&out);
    return FW_OK;
}
