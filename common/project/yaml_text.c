#include <stdlib.h>
#include <string.h>

#include "common/project/tree.h"

/** One code point from valid UTF-8; *s moves behind it. */
static unsigned long code_point(const unsigned char **s)
{
    unsigned long c = *(*s)++;
    if (c < 0x80) return c;
    int more = c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : 1;
    c &= (unsigned long)(0x3f >> more);
    while (more-- > 0 && **s != 0) c = (c << 6) | (*(*s)++ & 0x3fu);
    return c;
}

/** What libyaml would refuse, fold or take for a line's end when it stood there as it is. */
static bool needs_escape(unsigned long c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x2028 || c == 0x2029 || c == 0xfeff || (c >= 0xfffe && c <= 0xffff);
}

static void quoted(fw_text *out, const char *s)
{
    fw_text_add(out, "\"");
    const unsigned char *at = (const unsigned char *)s;
    while (*at != 0) {
        const unsigned char *start = at;
        unsigned long c = code_point(&at);
        if (c == '"' || c == '\\') fw_text_format(out, "\\%c", (char)c);
        else if (c == '\n') fw_text_add(out, "\\n");
        else if (c == '\t') fw_text_add(out, "\\t");
        else if (needs_escape(c)) fw_text_format(out, c > 0xff ? "\\u%04lx" : "\\x%02lx", c);
        else fw_text_add_bytes(out, (const char *)start, (size_t)(at - start));
    }
    fw_text_add(out, "\"");
}

/** Plain texts are letters, digits and _ . / - + with single words that no YAML reader takes for something else. */
static bool is_plain(const char *s)
{
    static const char *const taken[] = {"null", "true", "false", "yes", "no", "on", "off", "y", "n", ".nan", ".inf"};
    if (!((s[0] >= 'a' && s[0] <= 'z') || (s[0] >= 'A' && s[0] <= 'Z') || s[0] == '_' || s[0] == '/' || (s[0] == '.' && s[1] == '/'))) return false;
    for (size_t i = 0; i < sizeof taken / sizeof taken[0]; i++)
        if (strcasecmp(s, taken[i]) == 0) return false;
    for (const char *c = s; *c != 0; c++)
        if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("_./-+", *c) != NULL)) return false;
    return true;
}

void fw_yaml_text(fw_text *out, const char *s)
{
    if (is_plain(s)) fw_text_add(out, s);
    else quoted(out, s);
}

void fw_yaml_number(fw_text *out, double v)
{
    char text[FW_NUMBER_TEXT];
    fw_format_double(text, v);
    size_t digits = strcspn(text, "e");
    bool bare = text[digits] != '\0' && memchr(text, '.', digits) == NULL;
    fw_text_add_bytes(out, text, digits);
    if (bare) fw_text_add(out, ".0");
    fw_text_add(out, text + digits);
}

/** A scalar that was plain and reads as a number or truth value stays plain. */
static void scalar(fw_text *out, const fw_node *node)
{
    double number;
    if (node->plain && (fw_parse_double(&number, node->text, strlen(node->text)) || strcmp(node->text, "true") == 0 ||
                        strcmp(node->text, "false") == 0 || strcmp(node->text, "null") == 0))
        fw_text_add(out, node->text);
    else
        fw_yaml_text(out, node->text);
}

void fw_yaml_node(fw_text *out, const fw_node *node)
{
    if (node->kind == FW_TREE_SCALAR) {
        scalar(out, node);
        return;
    }
    fw_text_add(out, node->kind == FW_TREE_LIST ? "[" : "{");
    for (size_t i = 0; i < node->n; i++) {
        if (i > 0) fw_text_add(out, ", ");
        if (node->kind == FW_TREE_MAP) {
            fw_yaml_text(out, node->child[i]->key);
            fw_text_add(out, ": ");
        }
        fw_yaml_node(out, node->child[i]);
    }
    fw_text_add(out, node->kind == FW_TREE_LIST ? "]" : "}");
}
