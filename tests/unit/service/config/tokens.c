#include "service/config/tokens.h"

#include <unistd.h>

#include "tests/unit/service/config/support.h"

/* printf %s alpha | sha256sum, and so on. */
#define ALPHA "8ed3f6ad685b959ead7022518e1af76cd816f8e8ec7ccdda1ed4018e8f2223f8"
#define BETA "f44e64e75f3948e9f73f8dfa94721c4ce8cbb4f265c4790c702b2d41cfbf2753"
#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

#define TOKEN(hash, namespaces, scopes) "{\"sha256\":\"" hash "\",\"namespaces\":" namespaces ",\"scopes\":" scopes "}"
#define FILE_OF(items) "{\"tokens\":[" items "]}"
#define AND ","
#define READ "[\"read\"]"

/* The tokens in `text`, or NULL with `faults` joined by "; ". */
static struct tokens *parse(const char *text, char **faults)
{
    struct settings_report report;
    struct tokens *tokens;

    settings_report_init(&report);
    tokens = tokens_parse(bytes_str(text), "f", &report);
    cr_expect_eq(tokens == NULL, settings_report_has_faults(&report));
    *faults = settings_texts_join(&report.faults, "; ");
    settings_report_release(&report);
    return tokens;
}

static struct tokens *parse_good(const char *text)
{
    char *faults;
    struct tokens *tokens = parse(text, &faults);

    cr_assert_not_null(tokens, "%s", faults);
    free(faults);
    return tokens;
}

static void expect_faults(const char *text, const char *expected)
{
    char *faults;
    struct tokens *tokens = parse(text, &faults);

    cr_expect_null(tokens);
    cr_expect(faults && strcmp(faults, expected) == 0, "%s\n  instead of %s", faults ? faults : "(no fault)", expected);
    tokens_destroy(tokens);
    free(faults);
}

Test(tokens, are_found_by_the_hash_of_what_was_sent)
{
    struct tokens *tokens = parse_good(FILE_OF(TOKEN(ALPHA, "\"*\"", READ) AND TOKEN(BETA, "\"*\"", "[\"write\",\"admin\"]")));
    const struct token *found;

    cr_expect_eq(tokens_count(tokens), 2);
    found = tokens_find(tokens, BYTES("alpha"));
    cr_assert_not_null(found);
    cr_expect_eq(found->scopes, TOKEN_READ);
    found = tokens_find(tokens, BYTES("beta"));
    cr_assert_not_null(found);
    cr_expect_eq(found->scopes, TOKEN_WRITE | TOKEN_ADMIN);
    cr_expect_null(tokens_find(tokens, BYTES("alph")));
    cr_expect_null(tokens_find(tokens, BYTES("alpha\0")));
    cr_expect_null(tokens_find(tokens, BYTES(ALPHA)));
    cr_expect_null(tokens_find(tokens, BYTES("")));
    tokens_destroy(tokens);
}

Test(tokens, hashes_are_taken_in_both_cases)
{
    struct tokens *tokens =
        parse_good(FILE_OF(TOKEN("8ED3F6AD685B959EAD7022518E1AF76CD816F8E8EC7CCDDA1ED4018E8F2223F8", "\"*\"", READ)));

    cr_expect_not_null(tokens_find(tokens, BYTES("alpha")));
    tokens_destroy(tokens);
}

Test(tokens, an_empty_list_holds_none)
{
    struct tokens *tokens = parse_good(FILE_OF(""));

    cr_expect_eq(tokens_count(tokens), 0);
    cr_expect_null(tokens_find(tokens, BYTES("alpha")));
    tokens_destroy(tokens);
    cr_expect_eq(tokens_count(NULL), 0);
    tokens_destroy(NULL);
}

static void expect_cover(const char *namespaces, const char *ns, bool expected)
{
    char text[256];
    struct tokens *tokens;

    snprintf(text, sizeof text, FILE_OF(TOKEN(ALPHA, "%s", READ)), namespaces);
    tokens = parse_good(text);
    cr_expect_eq(token_covers(tokens_find(tokens, BYTES("alpha")), bytes_str(ns)), expected, "%s %s", namespaces, ns);
    tokens_destroy(tokens);
}

Test(tokens, are_for_the_namespaces_that_they_name)
{
    expect_cover("\"*\"", "anything", true);
    expect_cover("[\"*\"]", "anything", true);
    expect_cover("[\"a\",\"*\"]", "anything", true);
    expect_cover("[\"users\"]", "users", true);
    expect_cover("[\"users\"]", "user", false);
    expect_cover("[\"users\"]", "users2", false);
    expect_cover("[\"users\"]", "Users", false);
    expect_cover("[\"x\",\"team-*\"]", "team-", true);
    expect_cover("[\"x\",\"team-*\"]", "team-7", true);
    expect_cover("[\"x\",\"team-*\"]", "team", false);
    expect_cover("[\"x\",\"team-*\"]", "xteam-7", false);
}

Test(tokens, an_everywhere_is_told_from_a_list)
{
    struct tokens *tokens = parse_good(FILE_OF(TOKEN(ALPHA, "[\"a*\",\"b*\"]", READ) AND TOKEN(BETA, "[\"*\"]", READ)));

    cr_expect_not(tokens_find(tokens, BYTES("alpha"))->everywhere);
    cr_expect(tokens_find(tokens, BYTES("beta"))->everywhere);
    tokens_destroy(tokens);
}

Test(tokens, every_fault_is_named_by_its_place_alone)
{
    expect_faults("", "CACHE_TOKENS_FILE: f: not well-formed JSON, or a name twice (line 1, column 0)");
    expect_faults("{\"tokens\":[secret]}",
                  "CACHE_TOKENS_FILE: f: not well-formed JSON, or a name twice (line 1, column 17)");
    expect_faults("[]", "CACHE_TOKENS_FILE: f: not a JSON object with a list \"tokens\"");
    expect_faults(FILE_OF("1,{}"),
                  "CACHE_TOKENS_FILE: f: tokens[0]: not an object; "
                  "CACHE_TOKENS_FILE: f: tokens[1]: sha256: missing; "
                  "CACHE_TOKENS_FILE: f: tokens[1]: namespaces: missing; "
                  "CACHE_TOKENS_FILE: f: tokens[1]: scopes: missing");
    expect_faults(FILE_OF(TOKEN("secret", "\"secret\"", "[\"secret\",\"read\"]")),
                  "CACHE_TOKENS_FILE: f: tokens[0]: sha256: not 64 hexadecimal digits; "
                  "CACHE_TOKENS_FILE: f: tokens[0]: namespaces: neither \"*\" nor a list of namespaces; "
                  "CACHE_TOKENS_FILE: f: tokens[0]: scopes[0]: not one of read, write, admin");
    expect_faults(FILE_OF(TOKEN(ALPHA, "\"*\"", READ) AND TOKEN(BETA, "\"*\"", READ) AND TOKEN(ALPHA, "\"*\"", READ)),
                  "CACHE_TOKENS_FILE: f: tokens[2]: sha256: the same as that of tokens[0]");
}

Test(tokens, the_hash_of_nothing_lets_nobody_in_without_a_token)
{
    struct tokens *tokens = parse_good(FILE_OF(TOKEN(EMPTY, "\"*\"", READ)));

    /* That an empty token is not asked for is routes/access.c's. */
    cr_expect_not_null(tokens_find(tokens, BYTES("")));
    tokens_destroy(tokens);
}

Test(tokens, do_not_go_with_access_control_off)
{
    char path[] = "/tmp/tokens-XXXXXX", variable[64];
    int fd = mkstemp(path);
    static const char text[] = FILE_OF(TOKEN(ALPHA, "\"*\"", READ));

    cr_assert(fd >= 0 && write(fd, text, sizeof text - 1) == (ssize_t)sizeof text - 1);
    close(fd);
    snprintf(variable, sizeof variable, "CACHE_TOKENS_FILE=%s", path);
    expect_fault(VARIABLES(variable, "CACHE_AUTH=off"),
                 "CACHE_AUTH: off together with CACHE_TOKENS_FILE; leave one of them out");
    struct outcome o = load_good(VARIABLES(variable));
    cr_expect_eq(tokens_count(o.settings->tokens), 1);
    struct settings_report report;
    settings_report_init(&report);
    const struct settings *again = settings_reload(o.settings, &report);
    cr_assert_not_null(again);
    cr_expect_neq(again->tokens, o.settings->tokens);
    cr_expect_eq(tokens_count(again->tokens), 1);
    settings_unref(again);
    settings_report_release(&report);
    end(&o);
    unlink(path);
}

Test(admin_port, is_there_when_it_is_set)
{
    struct outcome o = load_good(VARIABLES("HTTP_PORT=81"));
    char *line = settings_describe(o.settings);

    cr_expect_not(o.settings->has_admin_port);
    cr_expect_null(strstr(line, "ADMIN_"));
    free(line);
    end(&o);
    o = load_good(VARIABLES("ADMIN_PORT=0"));
    line = settings_describe(o.settings);
    cr_expect(o.settings->has_admin_port);
    cr_expect_str_eq(o.settings->admin_host, "127.0.0.1");
    cr_expect_not_null(strstr(line, " ADMIN_HOST=127.0.0.1 ADMIN_PORT=0 "));
    free(line);
    end(&o);
    o = load_good(VARIABLES("ADMIN_HOST=0.0.0.0"));
    cr_expect(texts_have(&o.report.notes, "ADMIN_HOST: no effect without ADMIN_PORT"));
    end(&o);
    expect_fault(VARIABLES("ADMIN_PORT=9100", "HTTP_PORT=9100"), "ADMIN_PORT: the same as HTTP_PORT, 9100");
}

Test(admin_port, names_of_other_programs_are_left_alone)
{
    struct outcome o = load_good(VARIABLES("ADMIN_PASSWORD=x", "ADMIN_EMAIL=x", "ADMIN_PORT=tcp://10.0.0.1:80"));

    cr_expect_not(o.settings->has_admin_port);
    cr_expect(texts_have(&o.report.ignored, "ADMIN_PASSWORD"));
    end(&o);
    expect_fault(VARIABLES("ADMIN_PORTS=1"), "ADMIN_PORTS: unknown setting (did you mean ADMIN_PORT?)");
}
