/* Fuzzes routes/text/utf8.h against a decoder that goes byte by byte. */
#include "service/base/utf8.h"

#include "tests/fuzz/fuzz.h"

/* Bytes of the character that starts at `p`; 0: not well-formed. By value:
 * decodes the bits and asks whether the result needed that many bytes. */
static size_t step(const uint8_t *p, size_t left)
{
    static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
    size_t len = p[0] < 0x80 ? 1 : p[0] >> 5 == 6 ? 2 : p[0] >> 4 == 14 ? 3 : p[0] >> 3 == 30 ? 4 : 0;
    uint32_t code;

    if (len <= 1)
        return len;
    if (len > left)
        return 0;
    code = p[0] & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (p[i] >> 6 != 2)
            return 0;
        code = code << 6 | (p[i] & 0x3Fu);
    }
    return code < least[len] || code > 0x10FFFF || code >> 11 == 0x1B ? 0 : len;
}

static enum utf8_text classify_slowly(const uint8_t *data, size_t size)
{
    enum utf8_text text = UTF8_PLAIN;

    for (size_t at = 0, len; at < size; at += len) {
        len = step(data + at, size - at);
        if (len == 0)
            return UTF8_INVALID;
        if (data[at] < 0x20 || data[at] == '"' || data[at] == '\\')
            text = UTF8_ESCAPED;
    }
    return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    REQUIRE(utf8_classify(fuzz_bytes(data, size)) == classify_slowly(data, size));
    return 0;
}
