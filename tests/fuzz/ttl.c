/* Fuzzes service/base/ttl.h; a TTL that was read comes back from what is written. */
#include "service/base/ttl.h"

#include "tests/fuzz/fuzz.h"

#define UNTOUCHED INT64_C(-77)

static void check(const char *fault, int64_t ms)
{
    char text[TTL_TEXT_SIZE];
    int64_t again = UNTOUCHED;
    size_t len;

    if (fault) {
        REQUIRE(ms == UNTOUCHED);
        return;
    }
    REQUIRE(ms == TTL_NONE || (ms > 0 && ms <= TTL_MAX_MS));
    len = ttl_format_field(ms, text);
    REQUIRE(len == strlen(text));
    REQUIRE(ttl_parse(bytes_of(text, len), &again) == NULL && again == ms);
    REQUIRE(ttl_format_json(ms, text) == strlen(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes input = fuzz_bytes(data, size);
    char text[TTL_TEXT_SIZE];
    int64_t ms = UNTOUCHED;
    double seconds;
    uint64_t bits;
    const char *fault = ttl_parse(input, &ms);

    check(fault, ms);
    bits = fuzz_take_number(&input, sizeof bits);
    memcpy(&seconds, &bits, sizeof seconds);
    ms = UNTOUCHED;
    fault = ttl_from_seconds(seconds, &ms);
    check(fault, ms);
    memcpy(&ms, &bits, sizeof ms);
    REQUIRE(ttl_format_json(ms, text) < TTL_TEXT_SIZE);
    return 0;
}
