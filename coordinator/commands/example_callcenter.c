#include "coordinator/commands/example_callcenter.h"

#include <stdlib.h>
#include <string.h>

#include "common/core/clock.h"
#include "common/core/random.h"
#include "common/core/size.h"

/* ---- the model ------------------------------------------------------------------------------------------------------------------------- */

enum { TOPICS = 8, DEVICES = 3, CATEGORIES = 8, HOURS = 24, REASONS = 13, CLASSES = 10 };
enum { EXCLUDED = -1 };
#define WRONG_LABELS 0.035
#define DAYS_MISSING 0.08
#define CATEGORY_MISSING 0.05
#define MEMBER_MISSING 0.01

static const char *const topic_names[TOPICS] = {"account", "device", "content", "delivery", "payment", "returns", "prime", "gift"};
static const char *const device_names[DEVICES] = {"echo", "kindle", "fire_tv"};
static const char *const category_names[CATEGORIES] = {"books", "electronics", "home", "fashion", "grocery", "toys", "digital", "collectibles"};

/** Profiles of the last order's category; collectibles are rare. */
static const double categories[][CATEGORIES] = {
    {0.180, 0.180, 0.170, 0.160, 0.140, 0.100, 0.069, 0.001},      /* anything */
    {0.440, 0.090, 0.090, 0.090, 0.080, 0.050, 0.159, 0.001},      /* readers */
    {0.090, 0.420, 0.120, 0.090, 0.080, 0.060, 0.139, 0.001},      /* devices */
    {0.080, 0.140, 0.170, 0.380, 0.070, 0.120, 0.037, 0.003},      /* things sent back */
};
enum { ANYTHING, READERS, GADGETS, SENT_BACK };

/** One way to talk about a reason. lambda: mean count of each topic in the call. */
typedef struct mode {
    double share;                      /* of the calls for this reason */
    double lambda[TOPICS];
    double owns[DEVICES], member;
    double days;                       /* mean days since the last order */
    int category, hour;                /* profile; the hour when most of them call */
} mode;

typedef struct reason { const char *label; int class; double share; mode modes[2]; } reason;

/*                        account device content delivery payment returns prime gift      echo kindle fire     member days */
static const reason reasons[REASONS] = {
    {"kindle_account", 0, 0.06, {
        {0.6, {2.8, 0.5, 0.6, 0.05, 0.2, 0.05, 0.1, 0.05}, {0.25, 0.97, 0.20}, 0.55, 40, READERS, 19},
        {0.4, {0.9, 2.0, 0.5, 0.05, 0.1, 0.05, 0.1, 0.05}, {0.25, 0.97, 0.20}, 0.55, 40, READERS, 19}}},
    {"kindle_device", 0, 0.07, {
        {0.7, {0.2, 4.0, 0.3, 0.1, 0.1, 0.2, 0.1, 0.05}, {0.20, 0.97, 0.15}, 0.50, 55, READERS, 20},
        {0.3, {0.2, 2.2, 2.0, 0.05, 0.1, 0.05, 0.1, 0.05}, {0.20, 0.97, 0.15}, 0.50, 55, READERS, 20}}},
    {"kindle_content", 0, 0.06, {
        {0.7, {0.2, 0.3, 4.0, 0.05, 0.3, 0.1, 0.1, 0.05}, {0.20, 0.97, 0.20}, 0.60, 15, READERS, 21},
        {0.3, {0.2, 0.3, 2.2, 0.05, 1.8, 0.1, 0.1, 0.05}, {0.20, 0.97, 0.20}, 0.60, 15, READERS, 21}}},
    {"echo_setup", 1, 0.09, {
        {0.7, {0.6, 3.7, 0.3, 0.1, 0.1, 0.1, 0.1, 0.05}, {0.97, 0.12, 0.30}, 0.70, 12, GADGETS, 18},
        {0.3, {2.5, 1.6, 0.4, 0.05, 0.1, 0.05, 0.2, 0.05}, {0.97, 0.12, 0.30}, 0.70, 12, GADGETS, 18}}},
    {"fire_tv", 2, 0.09, {
        {0.6, {0.2, 3.4, 1.7, 0.05, 0.1, 0.1, 0.2, 0.05}, {0.15, 0.10, 0.97}, 0.75, 25, GADGETS, 21},
        {0.4, {0.2, 0.7, 3.4, 0.05, 0.2, 0.05, 0.4, 0.05}, {0.15, 0.10, 0.97}, 0.80, 25, GADGETS, 21}}},
    {"prime_membership", 3, 0.10, {
        {0.6, {0.6, 0.05, 0.2, 0.3, 0.4, 0.05, 4.5, 0.05}, {0.30, 0.20, 0.30}, 0.95, 10, ANYTHING, 12},
        {0.4, {0.3, 0.05, 0.2, 0.2, 3.0, 0.05, 2.8, 0.05}, {0.15, 0.15, 0.15}, 0.15, 60, ANYTHING, 12}}},
    {"delivery", 4, 0.14, {
        {0.7, {0.1, 0.1, 0.1, 4.7, 0.1, 0.3, 0.3, 0.1}, {0.25, 0.20, 0.25}, 0.65, 4, ANYTHING, 11},
        {0.3, {0.1, 0.2, 0.1, 3.2, 0.1, 0.1, 2.8, 0.1}, {0.25, 0.20, 0.25}, 0.97, 3, ANYTHING, 11}}},
    {"returns", 5, 0.12, {
        {0.6, {0.1, 0.2, 0.1, 0.2, 0.2, 4.7, 0.1, 0.1}, {0.25, 0.20, 0.25}, 0.50, 14, SENT_BACK, 15},
        {0.4, {0.1, 0.2, 0.1, 2.5, 1.5, 2.8, 0.1, 0.1}, {0.25, 0.20, 0.25}, 0.50, 12, SENT_BACK, 15}}},
    {"payment", 6, 0.10, {
        {0.6, {0.4, 0.05, 0.1, 0.2, 4.7, 0.2, 0.1, 0.2}, {0.20, 0.18, 0.20}, 0.45, 6, ANYTHING, 9},
        {0.4, {2.0, 0.05, 0.1, 0.2, 3.2, 0.1, 0.1, 0.1}, {0.20, 0.18, 0.20}, 0.45, 30, ANYTHING, 9}}},
    {"account_access", 7, 0.08, {
        {0.8, {5.2, 0.1, 0.1, 0.05, 0.2, 0.05, 0.1, 0.05}, {0.12, 0.08, 0.12}, 0.35, 90, ANYTHING, 8},
        {0.2, {3.4, 1.5, 0.1, 0.05, 0.1, 0.05, 0.1, 0.05}, {0.10, 0.04, 0.10}, 0.35, 120, ANYTHING, 8}}},
    {"digital_video", 8, 0.04, {
        {0.6, {0.1, 0.2, 4.5, 0.05, 0.2, 0.05, 1.5, 0.05}, {0.25, 0.10, 0.15}, 0.95, 20, ANYTHING, 22},
        {0.4, {0.1, 0.1, 3.2, 0.05, 2.5, 0.05, 0.2, 0.05}, {0.20, 0.08, 0.10}, 0.30, 35, ANYTHING, 22}}},
    {"gift_cards", 9, 0.025, {
        {0.7, {0.3, 0.05, 0.1, 0.1, 0.4, 0.1, 0.1, 5.2}, {0.15, 0.15, 0.15}, 0.40, 50, ANYTHING, 16},
        {0.3, {0.2, 0.05, 0.1, 1.0, 0.8, 0.1, 0.1, 3.4}, {0.15, 0.15, 0.15}, 0.40, 50, ANYTHING, 16}}},
    {"wrong_number", EXCLUDED, 0.025, {
        {0.8, {0.1, 0.05, 0.05, 0.1, 0.1, 0.05, 0.05, 0.02}, {0.10, 0.08, 0.10}, 0.30, 200, ANYTHING, 14},
        {0.2, {0.4, 0.2, 0.2, 0.3, 0.3, 0.2, 0.2, 0.1}, {0.10, 0.08, 0.10}, 0.30, 200, ANYTHING, 14}}},
};

/** A call as drawn; -1 where a value is left out. */
typedef struct call { int reason, label, topic[TOPICS], owns[DEVICES], member, days, category, hour; } call;

/* ---- probabilities: drawing and judging use the same ones ------------------------------------------------------------------------------- */

/** e^-x for 0 <= x < 8 by its series at x / 1024 and ten squarings: the same bits on every machine. */
static double exp_minus(double x)
{
    double h = x / 1024, term = 1, sum = 1;
    for (int k = 1; k <= 8; k++) sum += term *= -h / k;
    for (int i = 0; i < 10; i++) sum *= sum;
    return sum;
}

static double poisson(double zero, double lambda, int k)
{
    double p = zero;
    for (int i = 1; i <= k; i++) p *= lambda / i;
    return p;
}

static double geometric(double mean, int k)
{
    double stay = mean / (mean + 1), p = 1 / (mean + 1);
    for (; k > 0; k--) p *= stay;
    return p;
}

/** Calls come around a mode's hour: weights fall off in steps, and a few come at any time. */
static double hour_share(int peak, int hour)
{
    static const double fall[] = {10, 8, 5, 3, 1.5};
    int d = abs(hour - peak);
    if (d > HOURS / 2) d = HOURS - d;
    double total = HOURS * 0.4 + fall[0];
    for (int i = 1; i < 5; i++) total += 2 * fall[i];
    return (0.4 + (d < 5 ? fall[d] : 0)) / total;
}

/* ---- drawing ------------------------------------------------------------------------------------------------------------------------------ */

enum { AT_REASON, AT_MODE, AT_WRONG, AT_DAYS, AT_CATEGORY, AT_HOUR, AT_MEMBER, AT_TIME, AT_NAME, AT_PHONE, AT_GAPS, AT_TOPIC = 32, AT_DEVICE = 64 };

static fw_philox dice(uint64_t seed, uint64_t row, uint32_t place)
{
    return fw_random(seed, FW_RANDOM_EXAMPLE, 0, row, place);
}

static double unit(uint64_t seed, uint64_t row, uint32_t place)
{
    return fw_random_unit(dice(seed, row, place));
}

static int draw_poisson(double u, double lambda)
{
    double p = exp_minus(lambda);
    int k = 0;
    for (; u >= p && k < 40; k++) {
        u -= p;
        p *= lambda / (k + 1);
    }
    return k;
}

static int draw_geometric(double u, double mean)
{
    double p = 1 / (mean + 1), stay = mean / (mean + 1);
    int k = 0;
    for (; u >= p && k < 3000; k++) {
        u -= p;
        p *= stay;
    }
    return k;
}

static int draw_hour(double u, int peak)
{
    int hour = 0;
    for (double p; hour < HOURS - 1 && u >= (p = hour_share(peak, hour)); hour++) u -= p;
    return hour;
}

static int draw_category(double u, const double *share)
{
    int c = 0;
    for (; c < CATEGORIES - 1 && u >= share[c]; c++) u -= share[c];
    return c;
}

static int draw_reason(double u)
{
    int r = 0;
    for (; r < REASONS - 1 && u >= reasons[r].share; r++) u -= reasons[r].share;
    return r;
}

static void draw_label(call *c, uint64_t seed, uint64_t row)
{
    fw_philox r = dice(seed, row, AT_WRONG);
    c->label = c->reason;
    if (fw_random_unit(r) < WRONG_LABELS) {
        int other = (int)(fw_random_unit2(r) * (REASONS - 1));
        c->label = other < c->reason ? other : other + 1;
    }
}

static void leave_out(call *c, uint64_t seed, uint64_t row)
{
    if (unit(seed, row, AT_GAPS) < DAYS_MISSING) c->days = -1;
    if (unit(seed, row, AT_GAPS + 1) < CATEGORY_MISSING) c->category = -1;
    if (unit(seed, row, AT_GAPS + 2) < MEMBER_MISSING) c->member = -1;
}

static call draw_call(uint64_t seed, uint64_t row)
{
    call c = {.reason = draw_reason(unit(seed, row, AT_REASON))};
    const reason *r = &reasons[c.reason];
    const mode *m = &r->modes[unit(seed, row, AT_MODE) < r->modes[0].share ? 0 : 1];
    for (uint32_t t = 0; t < TOPICS; t++) c.topic[t] = draw_poisson(unit(seed, row, AT_TOPIC + t), m->lambda[t]);
    for (uint32_t d = 0; d < DEVICES; d++) c.owns[d] = unit(seed, row, AT_DEVICE + d) < m->owns[d];
    c.member = unit(seed, row, AT_MEMBER) < m->member;
    c.days = draw_geometric(unit(seed, row, AT_DAYS), m->days);
    c.category = draw_category(unit(seed, row, AT_CATEGORY), categories[m->category]);
    c.hour = draw_hour(unit(seed, row, AT_HOUR), m->hour);
    draw_label(&c, seed, row);
    leave_out(&c, seed, row);
    return c;
}

/* ---- the classifier that knows the model -------------------------------------------------------------------------------------------------- */

/** e^-lambda of each mode and topic. */
typedef struct zeros { double of[REASONS][2][TOPICS]; } zeros;

static zeros all_zeros(void)
{
    zeros z;
    for (int r = 0; r < REASONS; r++)
        for (int m = 0; m < 2; m++)
            for (int t = 0; t < TOPICS; t++) z.of[r][m][t] = exp_minus(reasons[r].modes[m].lambda[t]);
    return z;
}

/** p(columns of c | mode): values left out at random say nothing. */
static double likelihood(const call *c, const mode *m, const double *zero)
{
    double p = hour_share(m->hour, c->hour);
    for (int t = 0; t < TOPICS; t++) p *= poisson(zero[t], m->lambda[t], c->topic[t]);
    for (int d = 0; d < DEVICES; d++) p *= c->owns[d] ? m->owns[d] : 1 - m->owns[d];
    if (c->member >= 0) p *= c->member ? m->member : 1 - m->member;
    if (c->days >= 0) p *= geometric(m->days, c->days);
    if (c->category >= 0) p *= categories[m->category][c->category];
    return p;
}

/** The class with the largest p(label kept and of this class | columns), wrong labels included. */
static int best_class(const call *c, const zeros *z)
{
    double joint[REASONS], total = 0, of_class[CLASSES] = {0};
    for (int r = 0; r < REASONS; r++) {
        joint[r] = 0;
        for (int m = 0; m < 2; m++) joint[r] += reasons[r].share * reasons[r].modes[m].share * likelihood(c, &reasons[r].modes[m], z->of[r][m]);
        total += joint[r];
    }
    for (int label = 0; label < REASONS; label++)
        if (reasons[label].class != EXCLUDED)
            of_class[reasons[label].class] += (1 - WRONG_LABELS) * joint[label] + WRONG_LABELS / (REASONS - 1) * (total - joint[label]);
    int best = 0;
    for (int k = 1; k < CLASSES; k++)
        if (of_class[k] > of_class[best]) best = k;
    return best;
}

typedef struct tally { uint64_t truth[CLASSES], predicted[CLASSES], correct[CLASSES], wrong_labels; } tally;

static void judge(tally *t, const call *c, const zeros *z)
{
    int truth = reasons[c->label].class;
    t->wrong_labels += c->label != c->reason;
    if (truth == EXCLUDED) return;
    int predicted = best_class(c, z);
    t->truth[truth]++;
    t->predicted[predicted]++;
    t->correct[truth] += truth == predicted;
}

static coord_callcenter_facts facts_of(const tally *t, uint64_t rows, uint64_t seed)
{
    coord_callcenter_facts f = {.rows = rows, .seed = seed, .wrong_labels = t->wrong_labels};
    uint64_t correct = 0;
    for (int k = 0; k < CLASSES; k++) {
        f.kept += t->truth[k];
        correct += t->correct[k];
        uint64_t both = t->truth[k] + t->predicted[k];
        if (both > 0) f.bayes_macro_f1 += 2.0 * (double)t->correct[k] / (double)both / CLASSES;
    }
    if (f.kept > 0) f.bayes_accuracy = (double)correct / (double)f.kept;
    return f;
}

/* ---- calls.csv ------------------------------------------------------------------------------------------------------------------------------ */

#define FIRST_CALL_US INT64_C(1767225600000000)      /* 2026-01-01 */
#define DAY_US        INT64_C(86400000000)

static void print_header(FILE *out)
{
    fprintf(out, "call_id,call_time,customer_name,phone,hour");
    for (int t = 0; t < TOPICS; t++) fprintf(out, ",topic_%s", topic_names[t]);
    for (int d = 0; d < DEVICES; d++) fprintf(out, ",owns_%s", device_names[d]);
    fprintf(out, ",prime_member,days_since_last_order,last_order_category,skill\n");
}

static void print_person(FILE *out, uint64_t row, uint64_t rows, uint64_t seed, int hour)
{
    static const char *const first[] = {"Ada", "Ben", "Chen", "Dina", "Emil", "Fatima", "George", "Hana", "Ivan", "Joana", "Kofi", "Lena", "Maria", "Noor", "Olga", "Pablo"};
    static const char *const last[] = {"Adams", "Brown", "Costa", "Diaz", "Eriksen", "Fischer", "Garcia", "Haddad", "Ito", "Jansen", "Khan", "Lopez", "Meyer", "Novak", "O'Neil", "Park"};
    fw_philox name = dice(seed, row, AT_NAME), time = dice(seed, row, AT_TIME);
    int64_t day = (int64_t)(row * 90 / rows);
    char when[FW_UTC_LEN];
    fw_utc_format(when, FIRST_CALL_US + day * DAY_US + ((int64_t)hour * 3600 + (int64_t)(time.word[0] % 3600)) * 1000000);
    fprintf(out, "%llu,%.19sZ,\"%s, %s\",555-%03u-%04u,%d", (unsigned long long)row + 1, when, last[name.word[0] % 16], first[name.word[1] % 16], name.word[2] % 1000,
            dice(seed, row, AT_PHONE).word[0] % 10000, hour);
}

static void print_call(FILE *out, const call *c, uint64_t row, uint64_t rows, uint64_t seed)
{
    static const char *const yes_no[] = {"no", "yes"};
    print_person(out, row, rows, seed, c->hour);
    for (int t = 0; t < TOPICS; t++) fprintf(out, ",%d", c->topic[t]);
    for (int d = 0; d < DEVICES; d++) fprintf(out, ",%s", yes_no[c->owns[d]]);
    fprintf(out, ",%s,", c->member < 0 ? "" : yes_no[c->member]);
    if (c->days >= 0) fprintf(out, "%d", c->days);
    fprintf(out, ",%s,%s\n", c->category < 0 ? "" : category_names[c->category], reasons[c->label].label);
}

fw_status coord_callcenter_calls(FILE *out, uint64_t rows, uint64_t seed, coord_callcenter_facts *facts, fw_error *err)
{
    tally t = {0};
    zeros z = all_zeros();
    print_header(out);
    for (uint64_t row = 0; row < rows; row++) {
        call c = draw_call(seed, row);
        judge(&t, &c, &z);
        print_call(out, &c, row, rows, seed);
    }
    if (ferror(out)) return fw_fail_errno(err, FW_ERR_IO, "writing the calls of the example");
    *facts = facts_of(&t, rows, seed);
    return FW_OK;
}
