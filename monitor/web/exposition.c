#include "monitor/web/exposition.h"

#include <math.h>

void monitor_exposition_family(fw_text *out, const char *name, const char *kind, const char *help)
{
    fw_text_format(out, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, kind);
}

static void add_value(fw_text *out, const char *value)
{
    for (; *value != '\0'; value++) {
        if (*value == '\n') fw_text_add(out, "\\n");
        else {
            if (*value == '"' || *value == '\\') fw_text_add(out, "\\");
            fw_text_add_bytes(out, value, 1);
        }
    }
}

void monitor_exposition_sample(fw_text *out, const char *name, const monitor_exposition_label *labels, size_t n, double v)
{
    char number[FW_NUMBER_TEXT];
    fw_text_add(out, name);
    for (size_t i = 0; i < n; i++) {
        fw_text_format(out, "%s%s=\"", i == 0 ? "{" : ",", labels[i].name);
        add_value(out, labels[i].value);
        fw_text_add(out, i + 1 == n ? "\"}" : "\"");
    }
    if (isfinite(v)) fw_format_double(number, v);
    fw_text_format(out, " %s\n", isnan(v) ? "NaN" : isinf(v) ? (v > 0 ? "+Inf" : "-Inf") : number);
}
