#include "monitor/print.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/text.h"

#define DIGEST_SHOWN  8
#define CLASSES_SHOWN 6

static void print_name(FILE *out, const char *s, int width)
{
    int columns = 0;
    for (const unsigned char *c = (const unsigned char *)s; *c != '\0'; c++) {
        putc(*c < 0x20 || *c == 0x7f ? '?' : *c, out);
        if ((*c & 0xc0) != 0x80) columns++;
    }
    for (; columns < width; columns++) putc(' ', out);
}

static size_t most_frequent(const monitor_summary *s, size_t *order)
{
    size_t n = 0;
    for (size_t i = 0; i < s->n_classes; i++) {
        if (s->counts[i] == 0) continue;
        size_t at = n < CLASSES_SHOWN ? n++ : CLASSES_SHOWN;
        while (at > 0 && s->counts[order[at - 1]] < s->counts[i]) {
            if (at < CLASSES_SHOWN) order[at] = order[at - 1];
            at--;
        }
        if (at < CLASSES_SHOWN) order[at] = i;
    }
    return n;
}

static void print_shares(FILE *out, const monitor_model *m, const monitor_summary *s)
{
    size_t order[CLASSES_SHOWN], n = most_frequent(s, order), seen = 0;
    for (size_t i = 0; i < s->n_classes; i++) seen += s->counts[i] > 0;
    for (size_t i = 0; i < n; i++) {
        fputs("  ", out);
        print_name(out, m->classes[order[i]], 0);
        fprintf(out, " %.1f%%", 100.0 * (double)s->counts[order[i]] / (double)s->predictions);
    }
    if (seen > n) fprintf(out, "  and %zu more", seen - n);
}

static void print_window(monitor_printer *p, const monitor_model *m, const monitor_summary *s)
{
    if (!p->headed) fprintf(p->out, "%-7s %-16s %-8s %6s %11s %12s %10s %5s %6s  %s\n", "", "model", "digest", "number", "predictions", "rate/s",
                            m->n_classes > 0 ? "confidence" : "mean value", "gaps", "closed", m->n_classes > 0 ? "classes" : "");
    p->headed = true;
    fputs("window  ", p->out);
    print_name(p->out, m->name, 16);
    fprintf(p->out, " %-*.*s %6" PRIu64 " %11" PRIu64 " ", DIGEST_SHOWN, DIGEST_SHOWN, m->digest, s->number, s->predictions);
    if (s->rate > 0) fprintf(p->out, s->rate < 1000 ? "%12.1f " : "%12.0f ", s->rate);
    else fprintf(p->out, "%12s ", "-");
    fprintf(p->out, "%10.4f %5" PRIu64 " %6s", m->n_classes > 0 ? s->confidence : s->value, s->gaps, monitor_reason_text(s->reason));
    print_shares(p->out, m, s);
    putc('\n', p->out);
}

static void print_total(monitor_printer *p, const monitor_model *m)
{
    fputs("total ", p->out);
    print_name(p->out, m->name, 0);
    fprintf(p->out, " %" PRIu64 " predictions, %" PRIu64 " gaps", m->predictions, m->gaps);
    if (*m->digest != '\0') fprintf(p->out, " (digest %.*s)", DIGEST_SHOWN, m->digest);
    putc('\n', p->out);
}

/** Prints and releases; NULL: building it failed. */
static void print_object(monitor_printer *p, json_t *object)
{
    if (object == NULL || json_dumpf(object, p->out, JSON_COMPACT | JSON_REAL_PRECISION(9)) != 0) p->failed = true;
    putc('\n', p->out);
    json_decref(object);
}

static json_t *counts_object(const monitor_model *m, const monitor_summary *s)
{
    json_t *classes = json_object();
    for (size_t i = 0; i < s->n_classes; i++)
        if (s->counts[i] > 0) json_object_set_new(classes, m->classes[i], json_real((double)s->counts[i] / (double)s->predictions));
    return classes;
}

static void print_window_object(monitor_printer *p, const monitor_model *m, const monitor_summary *s)
{
    char time[FW_UTC_LEN];
    fw_utc_now(time);
    json_t *o = json_pack("{ss ss ss ss sI sI sf so sI ss}", "time", time, "event", "window", "model", m->name, "digest", m->digest, "window",
                          (json_int_t)s->number, "predictions", (json_int_t)s->predictions, "seconds", s->seconds, "rate",
                          s->rate > 0 ? json_real(s->rate) : json_null(), "gaps", (json_int_t)s->gaps, "closed",
                          monitor_reason_text(s->reason));
    if (o != NULL && m->n_classes > 0) {
        json_object_set_new(o, "confidence", json_real(s->confidence));
        json_object_set_new(o, "classes", counts_object(m, s));
    } else if (o != NULL) {
        json_object_set_new(o, "value", json_real(s->value));
    }
    print_object(p, o);
}

static void print_total_object(monitor_printer *p, const monitor_model *m)
{
    char time[FW_UTC_LEN];
    fw_utc_now(time);
    print_object(p, json_pack("{ss ss ss ss sI sI}", "time", time, "event", "total", "model", m->name, "digest", m->digest, "predictions",
                              (json_int_t)m->predictions, "gaps", (json_int_t)m->gaps));
}

static void on_window(void *context, const monitor_model *m, const monitor_summary *s)
{
    monitor_printer *p = context;
    if (p->jsonl) print_window_object(p, m, s);
    else print_window(p, m, s);
}

static void on_total(void *context, const monitor_model *m)
{
    monitor_printer *p = context;
    if (p->jsonl) print_total_object(p, m);
    else print_total(p, m);
}

monitor_sink monitor_print_sink(monitor_printer *p) { return (monitor_sink){.context = p, .window = on_window, .total = on_total}; }

static uint64_t all_dropped(const fw_inbox_publisher *p)
{
    uint64_t n = 0;
    for (size_t i = 0; i < FW_N_DROPS; i++) n += p->dropped[i];
    return n;
}

static void print_publisher_object(monitor_printer *p, const fw_inbox_publisher *b)
{
    char time[FW_UTC_LEN];
    fw_utc_now(time);
    json_t *dropped = json_object();
    for (size_t i = 0; i < FW_N_DROPS; i++) json_object_set_new(dropped, fw_drop_text((fw_drop)i), json_integer((json_int_t)b->dropped[i]));
    print_object(p, json_pack("{ss ss ss ss sb sI sI sI so sI sI sI sI sI sb}", "time", time, "event", "publisher", "publisher", b->name, "endpoint", b->endpoint,
                              "there", b->there, "produced", (json_int_t)b->produced, "delivered", (json_int_t)b->delivered, "spooled",
                              (json_int_t)b->spooled, "dropped", dropped, "received_to", (json_int_t)b->position, "before", (json_int_t)b->before, "lost",
                              (json_int_t)b->lost, "repeated", (json_int_t)b->duplicates, "malformed", (json_int_t)(b->garbage + b->refused), "adds_up", b->adds_up));
}

void monitor_print_publisher(monitor_printer *p, const fw_inbox_publisher *b)
{
    if (p->jsonl) {
        print_publisher_object(p, b);
        return;
    }
    fputs("publisher ", p->out);
    print_name(p->out, b->name, 0);
    fprintf(p->out, " (%s): %" PRIu64 " messages produced, %" PRIu64 " delivered, %" PRIu64 " spooled, %" PRIu64 " dropped", b->endpoint, b->produced,
            b->delivered, b->spooled, all_dropped(b));
    for (size_t i = 0; i < FW_N_DROPS; i++)
        if (b->dropped[i] > 0) fprintf(p->out, " (%s %" PRIu64 ")", fw_drop_text((fw_drop)i), b->dropped[i]);
    fprintf(p->out, "; here up to %" PRIu64 ", %" PRIu64 " lost, %" PRIu64 " repeated", b->position, b->lost, b->duplicates);
    if (b->before > 0) fprintf(p->out, ", joined after %" PRIu64, b->before);
    if (!b->adds_up) fputs(", its counts don't add up", p->out);
    putc('\n', p->out);
}

static json_t *time_of(int64_t us)
{
    char text[FW_UTC_LEN];
    if (us <= 0) return json_null();
    fw_utc_format(text, us);
    return json_string(text);
}

static void print_alert_object(monitor_printer *p, const fw_alert *a)
{
    char time[FW_UTC_LEN];
    fw_utc_now(time);
    json_t *features = json_array();
    for (size_t i = 0; i < a->n_features; i++) json_array_append_new(features, json_string(a->features[i]));
    print_object(p, json_pack("{ss ss sI ss ss ss? ss? ss? so so sf sf sf so ss? ss?}", "time", time, "event", "alert", "alert", (json_int_t)a->number, "what", a->event,
                              "kind", a->kind, "model", a->model, "digest", a->digest, "subject", a->subject, "since", time_of(a->since_us), "raised",
                              time_of(a->raised_us), "level", a->level, "threshold", a->threshold, "certainty", a->certainty, "features", features, "text", a->text,
                              "advice", a->advice));
}

void monitor_print_alert(void *context, const fw_alert *a)
{
    monitor_printer *p = context;
    if (p->jsonl) {
        print_alert_object(p, a);
        return;
    }
    fprintf(p->out, "alert %" PRIu64 " %s %s: ", a->number, a->kind, a->event);
    print_name(p->out, a->text != NULL ? a->text : "", 0);
    putc('\n', p->out);
}

void monitor_print_rest(monitor_printer *p, const monitor_counts *c, uint64_t garbage)
{
    uint64_t malformed = c->malformed + garbage;
    if (malformed == 0 && c->refused == 0 && c->gaps == 0) return;
    if (p->jsonl)
        print_object(p, json_pack("{ss sI sI sI}", "event", "rest", "malformed", (json_int_t)malformed, "refused", (json_int_t)c->refused, "gaps",
                                  (json_int_t)c->gaps));
    else
        fprintf(p->out, "other messages: %" PRIu64 " malformed, %" PRIu64 " refused, %" PRIu64 " lost of publishers without predictions\n", malformed, c->refused,
                c->gaps);
}
