/* Tests of service/config/cli.h. */
#include "service/config/cli.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static char said[512];

static enum cli_action parse(char *const *arguments)
{
    FILE *err = fmemopen(said, sizeof said, "w");
    enum cli_action action;
    int count = 0;

    while (arguments[count])
        count++;
    said[0] = '\0';
    action = cli_parse(count, arguments, err);
    fclose(err);
    return action;
}

/* Literals are const, arguments are not; nothing writes to them. */
#define ARGUMENTS(...) ((char *const *)(uintptr_t)(const char *const[]){ __VA_ARGS__, NULL })

Test(cli, words_choose_what_is_done)
{
    cr_expect_eq(parse(ARGUMENTS("cubby")), CLI_SERVE);
    cr_expect_eq(parse(ARGUMENTS("cubby", "--check")), CLI_CHECK);
    cr_expect_eq(parse(ARGUMENTS("cubby", "--help")), CLI_HELP);
    cr_expect_eq(parse(ARGUMENTS("cubby", "-h")), CLI_HELP);
    cr_expect_eq(parse(ARGUMENTS("cubby", "--help-markdown")), CLI_HELP_MARKDOWN);
    cr_expect_eq(parse(ARGUMENTS("cubby", "--version")), CLI_VERSION);
    cr_expect_eq(parse(ARGUMENTS("cubby", "--check", "--help")), CLI_HELP);
    cr_expect_eq(parse(ARGUMENTS("cubby", "--version", "--check")), CLI_VERSION);
    cr_expect_str_eq(said, "");
}

Test(cli, a_probe_may_have_a_target)
{
    cr_expect_eq(parse(ARGUMENTS("cubby", "--probe")), CLI_PROBE);
    cr_expect_eq(parse(ARGUMENTS("cubby", "--probe", "/healthz")), CLI_PROBE);
    cr_expect_eq(parse(ARGUMENTS("cubby", "--probe", "--help")), CLI_HELP);
    cr_expect_eq(parse(ARGUMENTS("cubby", "--check", "--probe", "/healthz")), CLI_PROBE);
    cr_expect_eq(parse(ARGUMENTS("cubby", "--probe", "/healthz", "/readyz")), CLI_WRONG);
    cr_expect_eq(parse(ARGUMENTS("cubby", "/healthz", "--probe")), CLI_WRONG);
    cr_expect_str_eq(cli_probe_target(3, ARGUMENTS("cubby", "--probe", "/healthz")), "/healthz");
    cr_expect_null(cli_probe_target(2, ARGUMENTS("cubby", "--probe")));
    cr_expect_null(cli_probe_target(3, ARGUMENTS("cubby", "--probe", "--check")));
    cr_expect_null(cli_probe_target(1, ARGUMENTS("cubby")));
}

Test(cli, an_unknown_word_is_named)
{
    cr_expect_eq(parse(ARGUMENTS("cubby", "--help", "--frobnicate")), CLI_WRONG);
    cr_expect_not_null(strstr(said, "--frobnicate"));
    cr_expect_not_null(strstr(said, "usage: cubby"));
    cr_expect_eq(parse(ARGUMENTS("cubby", "serve")), CLI_WRONG);
    cr_expect_eq(parse(ARGUMENTS("cubby", "")), CLI_WRONG);
}

Test(cli, help_and_version_are_written)
{
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    cli_write_version(out);
    cli_write_help(out);
    fclose(out);
    cr_expect_eq(strncmp(text, "cubby " CUBBY_VERSION "\nusage: cubby", 20), 0);
    cr_expect_not_null(strstr(text, "--check"));
    cr_expect_not_null(strstr(text, "HTTP_PORT=8080"));
    free(text);
}
