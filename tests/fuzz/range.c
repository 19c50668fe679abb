/* Fuzzes routes/text/range.h: eight bytes of total, then the field. */
#include "routes/text/range.h"

#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes field = fuzz_bytes(data, size), again;
    size_t total = (size_t)fuzz_take_number(&field, sizeof(uint64_t));
    struct range_span span = { 0, 0 }, same = { 0, 0 };
    char text[RANGE_TEXT_SIZE];
    size_t len;

    /* Most totals of eight random bytes are too large to be near a position. */
    if (size % 2 == 0)
        total %= 1024;
    REQUIRE(range_format_unsatisfied(total, text) == strlen(text));
    if (range_resolve(field, total, &span) != RANGE_PART)
        return 0;
    REQUIRE(span.len >= 1 && span.offset < total && span.len <= total - span.offset);
    len = range_format(span, total, text);
    REQUIRE(len == strlen(text) && len < RANGE_TEXT_SIZE);
    text[5] = '='; /* from Content-Range to the Range that asks for it */
    again = bytes_of(text, len);
    again = bytes_cut(&again, '/');
    REQUIRE(range_resolve(again, total, &same) == RANGE_PART);
    REQUIRE(same.offset == span.offset && same.len == span.len);
    return 0;
}
