#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/size.h"
#include "common/project/keys.h"

#define MAX_PROBLEMS 200
#define ORDER_OUTSIDE ((size_t)1 << 60)      /* behind everything in the file */

static size_t place(fw_text *out, const char *file, const fw_node *node, bool at_key)
{
    if (node == NULL) {
        fw_text_format(out, "%s: ", file);
        return ORDER_OUTSIDE - 1;
    }
    size_t line = at_key ? node->key_line : node->line, column = at_key ? node->key_column : node->column;
    switch (node->origin) {
    case FW_FROM_ENVIRONMENT: fw_text_add(out, "environment: "); return ORDER_OUTSIDE + 1;
    case FW_FROM_COMMAND_LINE: fw_text_add(out, "command line: "); return ORDER_OUTSIDE + 2;
    case FW_FROM_DATA: fw_text_add(out, "found in the data: "); return ORDER_OUTSIDE + 3;
    case FW_FROM_TRIAL: fw_text_add(out, "trial: "); return ORDER_OUTSIDE + 4;
    case FW_FROM_DEFAULT: fw_text_add(out, "default: "); return ORDER_OUTSIDE + 5;
    case FW_FROM_FILE: break;
    }
    if (line == 0) line = column = 1;
    fw_text_format(out, "%s:%zu:%zu: ", file, line, column);
    return line * 10000 + FW_MIN(column, (size_t)9999);
}

void fw_problem(fw_problems *all, const fw_node *node, bool at_key, const char *path, const char *format, ...)
{
    FW_AUTO(fw_text) text = {0};
    size_t order = place(&text, all->file, node, at_key);
    if (path != NULL && path[0] != '\0') fw_text_format(&text, "%s: ", path);
    char *why = NULL;
    va_list args;
    va_start(args, format);
    int n = vasprintf(&why, format, args);
    va_end(args);
    if (n >= 0) fw_text_add(&text, why);
    if (n >= 0) free(why);
    void *array = all->v;
    if (all->n >= MAX_PROBLEMS || fw_grow(&array, &all->capacity, all->n + 1, sizeof *all->v, "errors", NULL) < 0) {
        all->dropped++;
        return;
    }
    all->v = array;
    all->v[all->n].order = order;
    all->v[all->n].text = fw_text_take(&text);
    if (all->v[all->n].text == NULL) all->dropped++;
    else all->n++;
}

fw_status fw_problems_status(const fw_problems *all, fw_error *err)
{
    if (all->n + all->dropped == 0) return FW_OK;
    for (size_t i = 1; i < all->n; i++)             /* few, nearly in order: insertion keeps equal places as they came */
        for (size_t j = i; j > 0 && all->v[j - 1].order > all->v[j].order; j--) {
            typeof(*all->v) swap = all->v[j];
            all->v[j] = all->v[j - 1];
            all->v[j - 1] = swap;
        }
    FW_AUTO(fw_text) list = {0};
    size_t shown = 0;
    size_t room = err != NULL ? sizeof err->text - 64 : 0;
    for (; shown < all->n && (shown == 0 || list.len + strlen(all->v[shown].text) < room); shown++)
        fw_text_format(&list, "%s%s", shown == 0 ? "" : "\n", all->v[shown].text);
    if (shown < all->n + all->dropped) fw_text_format(&list, "\n... and %zu more errors", all->n + all->dropped - shown);
    FW_TRY(fw_text_check(&list, err));
    return fw_fail(err, FW_ERR_CONFIG, "%s", list.data != NULL ? list.data : "out of memory");
}

void fw_problems_release(fw_problems *all)
{
    for (size_t i = 0; i < all->n; i++) free(all->v[i].text);
    free(all->v);
    *all = (fw_problems){0};
}
