/* Fuzzes routes/entry/etag.h, lists and single tags. */
#include "routes/entry/etag.h"

#include "tests/fuzz/fuzz.h"

static void check_single(struct bytes text)
{
    engine_version version = etag_parse(text);
    char again[ETAG_TEXT_SIZE];

    REQUIRE(version == 0 || etag_if_range_holds(text, version));
    if (version == 0)
        return;
    etag_format(version, again);
    REQUIRE(bytes_equal(bytes_of(again, ETAG_LEN), text));
}

/* A list of nothing but the tags that were found finds them again. */
static void check_again(const struct engine_tags *tags)
{
    char text[ETAG_LIST_MAX * (ETAG_LEN + 1) + 1];
    engine_version versions[ETAG_LIST_MAX];
    struct engine_tags again;
    size_t len = 0;

    for (size_t i = 0; i < tags->count; i++) {
        etag_format(tags->versions[i], text + len);
        len += ETAG_LEN;
        text[len++] = ',';
    }
    REQUIRE(etag_parse_list(bytes_of(text, len), ETAG_STRONG, versions, &again) == NULL);
    REQUIRE(again.given && !again.any && again.count == tags->count);
    REQUIRE(memcmp(versions, tags->versions, tags->count * sizeof *versions) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t nothing[1];
    struct bytes field = fuzz_bytes(data ? data : nothing, size);
    engine_version strong[ETAG_LIST_MAX], weak[ETAG_LIST_MAX];
    struct engine_tags by_strong, by_weak;
    const char *fault = etag_parse_list(field, ETAG_STRONG, strong, &by_strong);

    REQUIRE(etag_parse_list(field, ETAG_WEAK, weak, &by_weak) == fault);
    REQUIRE(by_strong.given == !fault && by_weak.given == !fault);
    REQUIRE(by_strong.any == by_weak.any && !(by_strong.any && by_strong.count > 0));
    REQUIRE(by_strong.count <= by_weak.count && by_weak.count <= ETAG_LIST_MAX);
    for (size_t i = 0; i < by_weak.count; i++)
        REQUIRE(weak[i] != 0);
    if (!fault && !by_weak.any)
        check_again(&by_weak);
    check_single(field);
    return 0;
}
