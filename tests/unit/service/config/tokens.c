#include "service/config/tokens.h"

#include <sodium.h>
#include <unistd.h>

#include "service/base/buffer.h"
#include "service/config/policies.h"
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
    tokens_unref(tokens);
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
    tokens_unref(tokens);
}

/* The hash of "token <number>" in hexadecimal. */
static void hash_of(unsigned number, char hex[2 * TOKEN_HASH_BYTES + 1])
{
    unsigned char hash[TOKEN_HASH_BYTES];
    char text[32];
    int len = snprintf(text, sizeof text, "token %u", number);

    crypto_hash_sha256(hash, (const unsigned char *)text, (unsigned long long)len);
    sodium_bin2hex(hex, 2 * TOKEN_HASH_BYTES + 1, hash, sizeof hash);
}

static const struct token *find_number(const struct tokens *tokens, unsigned number)
{
    char text[32];

    snprintf(text, sizeof text, "token %u", number);
    return tokens_find(tokens, bytes_str(text));
}

Test(tokens, each_of_the_most_is_found_and_nothing_else)
{
    struct buffer text;
    struct tokens *tokens;
    char hex[2 * TOKEN_HASH_BYTES + 1], *file;

    buffer_init(&text, TOKENS_FILE_MAX);
    for (unsigned i = 0; i < TOKENS_MAX; i++) {
        hash_of(i, hex);
        buffer_add_format(&text, "%s{\"sha256\":\"%s\",\"namespaces\":\"*\",\"scopes\":[\"read\"],\"name\":\"%u\"}",
                          i > 0 ? "," : "{\"tokens\":[", hex, i);
    }
    buffer_add_string(&text, "]}");
    file = buffer_take_string(&text);
    tokens = parse_good(file);
    for (unsigned i = 0; i < TOKENS_MAX; i++) {
        const struct token *found = find_number(tokens, i);

        cr_assert_not_null(found, "%u", i);
        cr_expect_eq(strtoul(found->name, NULL, 10), i);
        cr_expect_null(find_number(tokens, TOKENS_MAX + i));
    }
    tokens_unref(tokens);
    free(file);
}

/* Its hash belongs to the last place of the table. */
static unsigned number_of_the_last_place(void)
{
    char hex[2 * TOKEN_HASH_BYTES + 1];

    for (unsigned i = 0;; i++) {
        hash_of(i, hex);
        if (strchr("7f", hex[1]) && hex[2] == 'f' && hex[3] == 'f')
            return i;
    }
}

Test(tokens, are_found_behind_others_of_the_same_place_and_around_the_end_of_the_table)
{
    char text[1024], hex[2 * TOKEN_HASH_BYTES + 1];
    unsigned number = number_of_the_last_place();
    struct tokens *tokens;

    hash_of(number, hex);
    snprintf(text, sizeof text,
             FILE_OF(TOKEN("07ff%060d", "\"*\"", READ) AND TOKEN("07ff%060d", "\"*\"", READ)
                     AND TOKEN("0000%060d", "\"*\"", READ) AND TOKEN("%s", "[\"users\"]", READ)), 1, 2, 3, hex);
    tokens = parse_good(text);
    cr_assert_not_null(find_number(tokens, number));
    cr_expect(token_covers(find_number(tokens, number), BYTES("users")));
    cr_expect_not(token_covers(find_number(tokens, number), BYTES("others")));
    cr_expect_null(tokens_find(tokens, BYTES("alpha")));
    tokens_unref(tokens);
}

Test(tokens, hashes_are_taken_in_both_cases)
{
    struct tokens *tokens =
        parse_good(FILE_OF(TOKEN("8ED3F6AD685B959EAD7022518E1AF76CD816F8E8EC7CCDDA1ED4018E8F2223F8", "\"*\"", READ)));

    cr_expect_not_null(tokens_find(tokens, BYTES("alpha")));
    tokens_unref(tokens);
}

Test(tokens, an_empty_list_holds_none)
{
    struct tokens *tokens = parse_good(FILE_OF(""));

    cr_expect_eq(tokens_count(tokens), 0);
    cr_expect_null(tokens_find(tokens, BYTES("alpha")));
    tokens_unref(tokens);
    cr_expect_eq(tokens_count(NULL), 0);
    tokens_unref(NULL);
}

static void expect_cover(const char *namespaces, const char *ns, bool expected)
{
    char text[256];
    struct tokens *tokens;

    snprintf(text, sizeof text, FILE_OF(TOKEN(ALPHA, "%s", READ)), namespaces);
    tokens = parse_good(text);
    cr_expect_eq(token_covers(tokens_find(tokens, BYTES("alpha")), bytes_str(ns)), expected, "%s %s", namespaces, ns);
    tokens_unref(tokens);
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
    tokens_unref(tokens);
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
    tokens_unref(tokens);
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
    const struct settings *again = settings_reload(o.settings, NULL, &report);
    cr_assert_not_null(again);
    cr_expect_neq(again->tokens, o.settings->tokens);
    cr_expect_eq(tokens_count(again->tokens), 1);
    settings_unref(again);
    settings_report_release(&report);
    end(&o);
    unlink(path);
}

/* Writes `text` to the file at `path`. */
static void put(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    cr_assert(file && fputs(text, file) >= 0);
    fclose(file);
}

Test(tokens, and_policies_are_read_again_each_on_its_own)
{
    char tokens_path[] = "/tmp/tokens-XXXXXX", policies_path[] = "/tmp/policies-XXXXXX", variables[2][64];
    const struct policies_abilities abilities = { .engine = "some" };
    struct settings_report report;
    const struct settings *old, *again;

    close(mkstemp(tokens_path));
    close(mkstemp(policies_path));
    put(tokens_path, FILE_OF(TOKEN(ALPHA, "\"*\"", READ)));
    put(policies_path, "{\"a\":{\"max_ttl\":5}}");
    snprintf(variables[0], sizeof variables[0], "CACHE_TOKENS_FILE=%s", tokens_path);
    snprintf(variables[1], sizeof variables[1], "CACHE_NAMESPACES_FILE=%s", policies_path);
    struct outcome o = load_good(VARIABLES(variables[0], variables[1]));
    old = o.settings;
    settings_report_init(&report);

    put(policies_path, "{");
    put(tokens_path, FILE_OF(TOKEN(BETA, "\"*\"", READ)));
    again = settings_reload(old, &abilities, &report);
    cr_assert_not_null(again);
    cr_expect_eq(again->policies, old->policies, "at fault: the old ones stay");
    cr_expect_not_null(tokens_find(again->tokens, BYTES("beta")), "not at fault: counts");
    cr_expect_eq(report.faults.count, 1);
    cr_expect(texts_have(&report.faults, policies_path) && texts_have(&report.faults, "line 1"));
    settings_unref(again);

    put(policies_path, "{\"a\":{\"max_ttl\":6,\"max_entries\":5}}");
    again = settings_reload(old, &abilities, &report);
    cr_expect_eq(again->policies, old->policies, "beyond what the engine can");
    cr_expect_not_null(tokens_find(again->tokens, BYTES("beta")));
    cr_expect(texts_have(&report.faults, "cannot bound"));
    settings_unref(again);

    put(policies_path, "{\"a\":{\"max_ttl\":6}}");
    put(tokens_path, "{\n\nx");
    again = settings_reload(old, &abilities, &report);
    cr_expect_eq(policies_find(again->policies, BYTES("a"))->max_ttl_ms, 6000);
    cr_expect_eq(again->tokens, old->tokens);
    cr_expect(texts_have(&report.faults, tokens_path) && texts_have(&report.faults, "line 3"));
    settings_unref(old);
    o.settings = again;
    cr_expect_not_null(tokens_find(again->tokens, BYTES("alpha")), "they outlive the settings that they came with");
    settings_report_release(&report);
    end(&o);
    unlink(tokens_path);
    unlink(policies_path);
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
