/* Fuzzes routes/text/path.h; an answer must survive being escaped again. */
#include "routes/text/path.h"

#include "routes/text/percent.h"
#include "tests/fuzz/fuzz.h"

/* Appends each byte of `text` as %XX. */
static size_t escape_all(struct bytes text, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < text.len; i++) {
        *out++ = '%';
        *out++ = digits[(unsigned char)text.ptr[i] >> 4];
        *out++ = digits[(unsigned char)text.ptr[i] & 15];
    }
    return 3 * text.len;
}

static void check_escaped_again(const struct path_entry *entry)
{
    static char text[3 * (PATH_NAMESPACE_MAX + PATH_KEY_MAX) + 1];
    struct path_scratch scratch;
    struct path_entry again;
    size_t len = escape_all(entry->ns, text);

    text[len++] = '/';
    len += escape_all(entry->key, text + len);
    REQUIRE(path_parse_entry(bytes_of(text, len), &scratch, &again) == PATH_OK);
    REQUIRE(bytes_equal(again.ns, entry->ns) && bytes_equal(again.key, entry->key));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes rest = fuzz_bytes(data, size);
    struct path_scratch scratch;
    struct path_entry entry;
    enum path_outcome outcome = path_parse_entry(rest, &scratch, &entry);

    REQUIRE((outcome == PATH_OK) == (entry.key.ptr != NULL));
    REQUIRE((outcome == PATH_OK) == (path_outcome_detail(outcome) == NULL));
    REQUIRE(!entry.ns.ptr || path_namespace_valid(entry.ns));
    if (outcome != PATH_OK)
        return 0;
    REQUIRE(entry.key.len >= 1 && entry.key.len <= PATH_KEY_MAX);
    REQUIRE(entry.ns.len + 1 + entry.key.len <= size);
    if (!percent_escaped(rest))
        REQUIRE(entry.ns.len + 1 + entry.key.len == size);
    check_escaped_again(&entry);
    return 0;
}
