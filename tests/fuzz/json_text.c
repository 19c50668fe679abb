/* Fuzzes routes/text/json_text.h against jansson: what it accepts must be accepted,
 * and what it alone refuses must be for the reasons that json_text.h names. */
#include "routes/text/json_text.h"

#include <jansson.h>

#include "tests/fuzz/fuzz.h"

/* How deep the brackets of a well-formed text go. */
static size_t depth_of(struct bytes text)
{
    size_t depth = 0, deepest = 0;
    bool quoted = false;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (quoted && c == '\\')
            i++;
        else if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == '[' || c == '{') && ++depth > deepest)
            deepest = depth;
        else if (!quoted && (c == ']' || c == '}'))
            depth--;
    }
    return deepest;
}

/* Whether it is the meaning that jansson cannot keep, and not the grammar. */
static bool refuses_the_meaning(const json_error_t *error)
{
    static const char *const words[] = { "too big", "too large", "too small",      "overflow",
                                         "\\u0000", "NUL byte",  "invalid Unicode" };

    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strstr(error->text, words[i]))
            return true;
    return false;
}

static bool valid_between(const char *before, struct bytes text, const char *after)
{
    size_t head = strlen(before), tail = strlen(after);
    char *whole = malloc(head + text.len + tail);
    bool valid;

    REQUIRE(whole != NULL);
    memcpy(whole, before, head);
    if (text.len > 0)
        memcpy(whole + head, text.ptr, text.len);
    memcpy(whole + head + text.len, after, tail);
    valid = json_text_valid(bytes_of(whole, head + text.len + tail), NULL);
    free(whole);
    return valid;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes text = fuzz_bytes(data, size);
    struct json_text_fault fault = { 0, NULL };
    json_error_t error;
    json_t *tree = json_loadb(size > 0 ? text.ptr : "", size, JSON_DECODE_ANY, &error);
    bool valid = json_text_valid(text, &fault);

    REQUIRE(valid == (fault.reason == NULL) && fault.offset <= size);
    if (size > 0 && memchr(data, '\0', size))
        REQUIRE(!valid); /* jansson takes a NUL after the value for the end of its input */
    else if (tree)
        REQUIRE(valid || depth_of(text) > JSON_TEXT_DEPTH_MAX);
    else if (valid)
        REQUIRE(refuses_the_meaning(&error));
    json_decref(tree);
    /* The JSON view embeds the text: it must stand where a value does. */
    if (valid && depth_of(text) < JSON_TEXT_DEPTH_MAX)
        REQUIRE(valid_between("{\"value\":", text, "}"));
    return 0;
}
