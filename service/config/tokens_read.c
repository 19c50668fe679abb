/* tokens_read.c - CACHE_TOKENS_FILE into struct tokens.
 *
 * A fault says where, and what should stand there, and nothing that does.
 * Threading: the thread that makes the settings. */
#include <jansson.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "service/config/tokens_private.h"

/* One token as it is read. */
struct reading {
    struct settings_report *report;
    const char *path;
    size_t index; /* in the file's list */
    struct token *token;
    bool hash_said, names_said, scopes_said;
};

static void fault(const struct reading *reading, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fault(const struct reading *reading, const char *format, ...)
{
    char what[192];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(what, sizeof what, format, arguments);
    va_end(arguments);
    settings_report_fault(reading->report, "CACHE_TOKENS_FILE: %s: tokens[%zu]: %s", reading->path, reading->index,
                          what);
}

/* ---- Members ---- */

static void read_hash(struct reading *reading, json_t *member)
{
    size_t len = json_string_length(member), bytes = 0;
    const char *end = NULL;

    reading->hash_said = true;
    if (len != 2 * TOKEN_HASH_BYTES ||
        sodium_hex2bin(reading->token->hash, TOKEN_HASH_BYTES, json_string_value(member), len, NULL, &bytes, &end) !=
            0 ||
        bytes != TOKEN_HASH_BYTES)
        fault(reading, "sha256: not 64 hexadecimal digits");
}

static bool is_name_byte(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-';
}

static bool take_reach(struct token_reach *reach, struct bytes text)
{
    reach->is_prefix = text.len > 0 && text.ptr[text.len - 1] == '*';
    text.len -= reach->is_prefix;
    if (text.len > TOKEN_NAME_MAX || (text.len == 0 && !reach->is_prefix) || (text.len > 0 && text.ptr[0] == '.'))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!is_name_byte(text.ptr[i]))
            return false;
    memcpy(reach->text, text.ptr, text.len);
    reach->len = (unsigned char)text.len;
    return true;
}

static void read_reaches(struct reading *reading, json_t *list)
{
    struct token *token = reading->token;
    size_t i;
    json_t *item;

    token->reaches = calloc(json_array_size(list), sizeof *token->reaches);
    if (!token->reaches) {
        fault(reading, "no memory");
        return;
    }
    json_array_foreach (list, i, item) {
        struct token_reach *reach = &token->reaches[i];

        if (!json_is_string(item) ||
            !take_reach(reach, bytes_of(json_string_value(item), json_string_length(item))))
            fault(reading, "namespaces[%zu]: neither a namespace (1 to 64 of A-Z a-z 0-9 . _ -, no dot in front) nor "
                           "the beginning of one with a * behind it", i);
        else if (reach->is_prefix && reach->len == 0)
            token->everywhere = true;
    }
    token->reach_count = json_array_size(list);
}

static void read_names(struct reading *reading, json_t *member)
{
    reading->names_said = true;
    if (json_is_string(member) && strcmp(json_string_value(member), "*") == 0)
        reading->token->everywhere = true;
    else if (!json_is_array(member) || json_array_size(member) == 0)
        fault(reading, "namespaces: neither \"*\" nor a list of namespaces");
    else if (json_array_size(member) > TOKEN_NAMES_MAX)
        fault(reading, "namespaces: more than %d", TOKEN_NAMES_MAX);
    else
        read_reaches(reading, member);
}

static unsigned scope_of(const char *word)
{
    static const char *const words[] = { "read", "write", "admin" };

    for (unsigned i = 0; word && i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i]) == 0)
            return 1u << i;
    return 0;
}

static void read_scopes(struct reading *reading, json_t *member)
{
    size_t i;
    json_t *item;

    reading->scopes_said = true;
    if (!json_is_array(member) || json_array_size(member) == 0) {
        fault(reading, "scopes: not a list of read, write, admin");
        return;
    }
    json_array_foreach (member, i, item) {
        unsigned scope = scope_of(json_string_value(item));

        if (scope == 0)
            fault(reading, "scopes[%zu]: not one of read, write, admin", i);
        reading->token->scopes |= scope;
    }
}

static void read_name(struct reading *reading, json_t *member)
{
    const char *text = json_string_value(member);
    size_t len = json_string_length(member);
    bool good = text && len >= 1 && len <= TOKEN_NAME_MAX;

    for (size_t i = 0; good && i < len; i++)
        good = text[i] >= ' ' && text[i] <= '~';
    if (good)
        memcpy(reading->token->name, text, len + 1);
    else
        fault(reading, "name: not a text of 1 to %d printable characters", TOKEN_NAME_MAX);
}

static const struct member {
    const char *name;
    void (*read)(struct reading *reading, json_t *member);
} members[] = {
    { "sha256", read_hash },
    { "namespaces", read_names },
    { "scopes", read_scopes },
    { "name", read_name },
};

static void read_member(struct reading *reading, const char *name, json_t *member)
{
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if (strcmp(name, members[i].name) == 0) {
            members[i].read(reading, member);
            return;
        }
    fault(reading, "an unknown member (known are sha256, namespaces, scopes, name)");
}

/* ---- The file ---- */

static void read_token(struct reading *reading, json_t *object)
{
    const char *name;
    json_t *member;

    if (!json_is_object(object)) {
        fault(reading, "not an object");
        return;
    }
    json_object_foreach (object, name, member)
        read_member(reading, name, member);
    if (!reading->hash_said)
        fault(reading, "sha256: missing");
    if (!reading->names_said)
        fault(reading, "namespaces: missing");
    if (!reading->scopes_said)
        fault(reading, "scopes: missing");
}

/* Two rights for one token: which would hold? */
static void find_twin(const struct tokens *tokens, const struct reading *reading)
{
    for (size_t i = 0; i < reading->index; i++)
        if (memcmp(tokens->items[i].hash, reading->token->hash, TOKEN_HASH_BYTES) == 0) {
            fault(reading, "sha256: the same as that of tokens[%zu]", i);
            return;
        }
}

static size_t faults_of(const struct settings_report *report)
{
    return report->faults.count + report->faults.dropped;
}

static void read_all(struct tokens *tokens, json_t *list, const char *path, struct settings_report *report)
{
    size_t i;
    json_t *object;

    json_array_foreach (list, i, object) {
        struct reading reading = { .report = report, .path = path, .index = i, .token = &tokens->items[i] };
        size_t before = faults_of(report);

        tokens->count = i + 1;
        read_token(&reading, object);
        if (faults_of(report) == before)
            find_twin(tokens, &reading);
    }
}

/* The list of the document, or NULL. */
static json_t *list_in(json_t *document, const char *path, struct settings_report *report)
{
    json_t *list = json_object_get(document, "tokens");

    if (!json_is_array(list))
        settings_report_fault(report, "CACHE_TOKENS_FILE: %s: not a JSON object with a list \"tokens\"", path);
    else if (json_object_size(document) != 1)
        settings_report_fault(report, "CACHE_TOKENS_FILE: %s: unknown members beside \"tokens\"", path);
    else if (json_array_size(list) > TOKENS_MAX)
        settings_report_fault(report, "CACHE_TOKENS_FILE: %s: more than %d tokens", path, TOKENS_MAX);
    else
        return list;
    return NULL;
}

static struct tokens *create(size_t count)
{
    struct tokens *tokens = calloc(1, sizeof *tokens + count * sizeof tokens->items[0]);

    if (tokens)
        atomic_init(&tokens->refs, 1);
    return tokens;
}

struct tokens *tokens_parse(struct bytes text, const char *path, struct settings_report *report)
{
    size_t before = faults_of(report);
    json_error_t error;
    json_t *document = json_loadb(text.ptr, text.len, JSON_REJECT_DUPLICATES, &error), *list = NULL;
    struct tokens *tokens = NULL;

    /* The parser's own words quote the text. */
    if (!document)
        settings_report_fault(report,
                              "CACHE_TOKENS_FILE: %s: not well-formed JSON, or a name twice (line %d, column %d)", path,
                              error.line, error.column);
    else
        list = list_in(document, path, report);
    if (list) {
        tokens = create(json_array_size(list));
        if (tokens)
            read_all(tokens, list, path, report);
        else
            settings_report_fault(report, "CACHE_TOKENS_FILE: %s: no memory", path);
    }
    json_decref(document);
    if (faults_of(report) == before) {
        tokens_settle(tokens);
        return tokens;
    }
    tokens_unref(tokens);
    return NULL;
}

struct tokens *tokens_read(const char *path, struct settings_report *report)
{
    struct file_stamp stamp;
    const char *why = "";
    char *text = text_file_read_most(path, TOKENS_FILE_MAX, &stamp, &why);
    struct tokens *tokens = NULL;

    if (text) {
        tokens = tokens_parse(bytes_str(text), path, report);
        sodium_memzero(text, strlen(text));
    } else {
        settings_report_fault(report, "CACHE_TOKENS_FILE: %s: %s", path, why);
    }
    if (tokens)
        tokens->stamp = stamp;
    free(text);
    return tokens;
}
