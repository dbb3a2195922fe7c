/** The page's files, embedded when the program is built: page.html, page.css and page.js as they stand, and the chart library that was found (an empty file without one). Nothing is read
 *  from a disk when it runs, so no path leads anywhere else. */
#include "monitor/web/route.h"

#define EMBED(name, path)                                                                                                                   \
    __asm__(".pushsection .rodata\n.balign 16\n.type monitor_file_" #name ", @object\nmonitor_file_" #name ":\n.incbin \"" path              \
            "\"\nmonitor_file_" #name "_end:\n.byte 0\n.size monitor_file_" #name ", . - monitor_file_" #name "\n.popsection\n");           \
    extern const char monitor_file_##name[] __attribute__((visibility("hidden"))), monitor_file_##name##_end[] __attribute__((visibility("hidden")))

EMBED(html, FW_PAGE_FOLDER "/page.html");
EMBED(css, FW_PAGE_FOLDER "/page.css");
EMBED(js, FW_PAGE_FOLDER "/page.js");
EMBED(chart, FW_CHART_FILE);

static fw_status give(monitor_answer *out, const char *begin, const char *end, const char *type)
{
    out->type = type;
    out->file = begin;
    out->file_bytes = (size_t)(end - begin);
    return FW_OK;
}

MONITOR_ANSWER(page)
{
    (void)ask, (void)err;
    return give(out, monitor_file_html, monitor_file_html_end, "text/html; charset=utf-8");
}

MONITOR_ANSWER(style)
{
    (void)ask, (void)err;
    return give(out, monitor_file_css, monitor_file_css_end, "text/css; charset=utf-8");
}

MONITOR_ANSWER(script)
{
    (void)ask, (void)err;
    return give(out, monitor_file_js, monitor_file_js_end, "text/javascript; charset=utf-8");
}

MONITOR_ANSWER(chart)
{
    (void)ask, (void)err;
    return give(out, monitor_file_chart, monitor_file_chart_end, "text/javascript; charset=utf-8");
}

MONITOR_ANSWER(events)
{
    (void)ask, (void)err;
    out->type = "text/event-stream";
    out->stream = true;
    return FW_OK;
}
