/** The command line of a subcommand: good ones with what they mean, bad ones with the words they earn. */
#include "coordinator/commands/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const coord_option options[] = {
    {"output", 'o', "FILE", "where it goes"},
    {"format", 'f', "table|json", "how it looks"},
    {"profile", 'p', NULL, "show times"},
    {"limit", 0, "N", "how many"},
};
static const coord_command command = {
    .name = "bake", .arguments = "FILE [OTHER] [key=value ...]", .summary = "bakes", .description = "Bakes.\n",
    .min_positional = 1, .max_positional = 2, .options = options, .n_options = 4,
};
static const coord_command no_keys = {
    .name = "cool",
    .arguments = "A B",
    .summary = "cools",
    .description = "Cools.\n",
    .min_positional = 1,
    .max_positional = 2,
    .options = options,
    .n_options = 4,
};

typedef struct line { const char *argv[8]; } line;

static fw_status parse(coord_call *call, const coord_command *c, const line *l, fw_error *err)
{
    int argc = 0;
    char *argv[9] = {0};
    for (; argc < 8 && l->argv[argc] != NULL; argc++) argv[argc] = (char *)l->argv[argc];
    return coord_call_parse(call, c, argc, argv, err);
}

/* What is joined by ',' in the expectation is what was found, in order. */
static void same_list(const char *const *list, size_t n, const char *expected)
{
    char text[256] = "";
    for (size_t i = 0; i < n; i++) {
        strcat(text, i > 0 ? "," : "");
        strcat(text, list[i]);
    }
    assert_string_equal(text, expected);
}

static void good_lines_mean_what_they_say(void **state)
{
    (void)state;
    static const struct { line l; const char *positional, *overrides, *output, *format, *profile, *limit; } rows[] = {
        {{{"p.yaml"}}, "p.yaml", "", NULL, NULL, NULL, NULL},
        {{{"p.yaml", "q"}}, "p.yaml,q", "", NULL, NULL, NULL, NULL},
        {{{"p.yaml", "train.epochs=3", "model.hidden=[1,2]"}}, "p.yaml", "train.epochs=3,model.hidden=[1,2]", NULL, NULL, NULL, NULL},
        {{{"a.b-c_9=", "p.yaml"}}, "p.yaml", "a.b-c_9=", NULL, NULL, NULL, NULL},
        {{{"./a=b"}}, "./a=b", "", NULL, NULL, NULL, NULL},
        {{{"=b"}}, "=b", "", NULL, NULL, NULL, NULL},
        {{{"--", "a=b"}}, "a=b", "", NULL, NULL, NULL, NULL},
        {{{"p", "--", "--output"}}, "p,--output", "", NULL, NULL, NULL, NULL},
        {{{"--", "--help"}}, "--help", "", NULL, NULL, NULL, NULL},
        {{{"-"}}, "-", "", NULL, NULL, NULL, NULL},
        {{{""}}, "", "", NULL, NULL, NULL, NULL},
        {{{"-o", "x", "p"}}, "p", "", "x", NULL, NULL, NULL},
        {{{"-ox", "p"}}, "p", "", "x", NULL, NULL, NULL},
        {{{"p", "--output", "x"}}, "p", "", "x", NULL, NULL, NULL},
        {{{"p", "--output=x=y"}}, "p", "", "x=y", NULL, NULL, NULL},
        {{{"p", "--output="}}, "p", "", "", NULL, NULL, NULL},
        {{{"p", "--output", "-"}}, "p", "", "-", NULL, NULL, NULL},
        {{{"p", "--limit", "-5"}}, "p", "", NULL, NULL, NULL, "-5"},
        {{{"p", "-o", "x", "--output", "y"}}, "p", "", "y", NULL, NULL, NULL},
        {{{"-p", "p", "-f", "json"}}, "p", "", NULL, "json", "", NULL},
        {{{"--profile", "p", "k=v", "--limit", "3"}}, "p", "k=v", NULL, NULL, "", "3"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        coord_call call;
        fw_error err = {0};
        const fw_status s = parse(&call, &command, &rows[i].l, &err);
        if (s != FW_OK) fail_msg("line %zu: %s", i, err.text);
        same_list(call.positional, call.n_positional, rows[i].positional);
        same_list(call.overrides, call.n_overrides, rows[i].overrides);
        const char *const expected[] = {rows[i].output, rows[i].format, rows[i].profile, rows[i].limit};
        for (size_t k = 0; k < 4; k++) {
            const char *got = coord_option_value(&call, options[k].name);
            if (expected[k] == NULL) assert_null(got);
            else assert_string_equal(got, expected[k]);
            assert_int_equal(coord_option_set(&call, options[k].name), expected[k] != NULL);
        }
        coord_call_release(&call);
        assert_null(call.positional);
    }
}

static void bad_lines_say_what_is_wrong(void **state)
{
    (void)state;
    static const struct { line l; const char *says[3]; } rows[] = {
        {{{NULL}}, {"bake: something is missing; usage: flywheel bake FILE [OTHER] [key=value ...]"}},
        {{{"k=v"}}, {"something is missing"}},
        {{{"-p"}}, {"something is missing"}},
        {{{"a", "b", "c"}}, {"bake: what is \"c\"?", "usage: flywheel bake FILE"}},
        {{{"a", "--outptu", "x"}}, {"bake: unknown option --outptu, did you mean --output?", "`flywheel bake --help`"}},
        {{{"a", "--profil"}}, {"did you mean --profile?"}},
        {{{"a", "--hepl"}}, {"did you mean --help?"}},
        {{{"a", "--zzzzzzzzzzzz"}}, {"unknown option --zzzzzzzzzzzz; see"}},
        {{{"a", "--outp=x"}}, {"unknown option --outp=x"}},
        {{{"a", "---output"}}, {"unknown option ---output"}},
        {{{"a", "--=x"}}, {"unknown option --=x"}},
        {{{"a", "-x"}}, {"unknown option -x; see"}},
        {{{"a", "-hx"}}, {"unknown option -hx"}},
        {{{"a", "--output"}}, {"bake: --output needs FILE"}},
        {{{"a", "-o"}}, {"bake: --output needs FILE"}},
        {{{"a", "--profile=yes"}}, {"bake: --profile takes no value"}},
        {{{"a", "-pq"}}, {"bake: --profile takes no value"}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        coord_call call;
        fw_error err = {0};
        if (parse(&call, &command, &rows[i].l, &err) != FW_ERR_CONFIG) fail_msg("line %zu was accepted", i);
        for (size_t k = 0; k < 3 && rows[i].says[k] != NULL; k++)
            if (strstr(err.text, rows[i].says[k]) == NULL) fail_msg("line %zu: \"%s\" does not say \"%s\"", i, err.text, rows[i].says[k]);
        assert_int_equal(fw_status_exit_code(FW_ERR_CONFIG), 2);
        coord_call_release(&call);
    }
}

/* A key that no one would read is refused, not passed over. */
static void keys_are_refused_where_no_project_file_is_read(void **state)
{
    (void)state;
    coord_call call;
    fw_error err = {0};
    assert_int_equal(parse(&call, &no_keys, &(line){{"a", "train.epochs=3"}}, &err), FW_ERR_CONFIG);
    assert_non_null(strstr(err.text, "cool: train.epochs=3: it takes no keys"));
    coord_call_release(&call);
    assert_int_equal(parse(&call, &no_keys, &(line){{"a", "--", "b=c"}}, &err), FW_OK);
    same_list(call.positional, call.n_positional, "a,b=c");
    coord_call_release(&call);
}

static void help_ends_the_parsing(void **state)
{
    (void)state;
    static const line rows[] = {{{"--help"}}, {{"-h"}}, {{"a", "b", "--help", "c", "--nonsense"}}};
    for (size_t i = 0; i < 3; i++) {
        coord_call call;
        assert_int_equal(parse(&call, &command, &rows[i], NULL), FW_END);
        coord_call_release(&call);
    }
}

static void a_choice_is_one_of_its_words(void **state)
{
    (void)state;
    static const char *const words[] = {"table", "json", "csv"};
    static const struct {
        line l;
        int choice;
    } rows[] = {{{{"a"}}, 0},
                {{{"a", "-f", "json"}}, 1},
                {{{"a", "-fcsv"}}, 2},
                {{{"a", "-f", "JSON"}}, -1},
                {{{"a", "-f", ""}}, -1},
                {{{"a", "-f", "jso"}}, -1}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        coord_call call;
        fw_error err = {0};
        int choice = 7;
        assert_int_equal(parse(&call, &command, &rows[i].l, &err), FW_OK);
        const fw_status s = coord_option_choice(&choice, &call, "format", words, 3, &err);
        assert_int_equal(s, rows[i].choice >= 0 ? FW_OK : FW_ERR_CONFIG);
        assert_int_equal(choice, rows[i].choice >= 0 ? rows[i].choice : 7);
        if (s != FW_OK) assert_non_null(strstr(err.text, "it can be table, json, csv"));
        coord_call_release(&call);
    }
}

static void a_number_keeps_its_limits(void **state)
{
    (void)state;
    static const struct { const char *text; double value; bool good; } rows[] = {
        {NULL, 5.0, true}, {"0", 0.0, true}, {"100", 100.0, true}, {"2.5e1", 25.0, true}, {"-0.1", 0, false}, {"100.5", 0, false},
        {"nan", 0, false}, {"inf", 0, false}, {"", 0, false}, {"3x", 0, false}, {" 3", 0, false}, {"0x10", 0, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        coord_call call;
        fw_error err = {0};
        double x = -7.0;
        const line l = {{"a", rows[i].text != NULL ? "--limit" : NULL, rows[i].text}};
        assert_int_equal(parse(&call, &command, &l, &err), FW_OK);
        const fw_status s = coord_option_number(&x, &call, "limit", 5.0, 0.0, 100.0, &err);
        if (s != (rows[i].good ? FW_OK : FW_ERR_CONFIG)) fail_msg("--limit %s: %s", rows[i].text, err.text);
        assert_true(x == (rows[i].good ? rows[i].value : -7.0));
        if (!rows[i].good) assert_non_null(strstr(err.text, "from 0 to 100"));
        coord_call_release(&call);
    }
}

/* The table itself: what parsing and help take for granted. */
static void the_commands_are_well_formed(void **state)
{
    (void)state;
    for (size_t i = 0; coord_commands[i] != NULL; i++) {
        const coord_command *c = coord_commands[i];
        assert_ptr_equal(coord_command_find(c->name), c);
        assert_true(c->n_options <= 31 && c->min_positional <= c->max_positional && c->run != NULL);
        assert_true(strlen(c->summary) > 5 && strlen(c->summary) < 80 && strchr(c->summary, '\n') == NULL && c->description != NULL);
        for (size_t k = 0; k < c->n_options; k++) {
            const coord_option *o = &c->options[k];
            assert_true(strlen(o->name) > 1 && o->name[0] != '-' && strlen(o->help) > 3 && o->letter != 'h' && strcmp(o->name, "help") != 0);
            for (size_t m = 0; m < k; m++)
                if (strcmp(c->options[m].name, o->name) == 0 || (o->letter != 0 && o->letter == c->options[m].letter))
                    fail_msg("%s: --%s stands twice", c->name, o->name);
        }
    }
    assert_null(coord_command_find("tarin"));
    assert_null(coord_command_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_lines_mean_what_they_say),
        cmocka_unit_test(bad_lines_say_what_is_wrong),
        cmocka_unit_test(keys_are_refused_where_no_project_file_is_read),
        cmocka_unit_test(help_ends_the_parsing),
        cmocka_unit_test(a_choice_is_one_of_its_words),
        cmocka_unit_test(a_number_keeps_its_limits),
        cmocka_unit_test(the_commands_are_well_formed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
