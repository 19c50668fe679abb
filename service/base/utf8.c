#include "service/base/utf8.h"

#include "service/base/swar.h"

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

size_t utf8_sequence(const char *text, size_t left)
{
    const unsigned char *p = (const unsigned char *)text;

    if (left < 2 || p[0] < 0xC2 || p[0] > 0xF4 || !is_continuation(p[1]))
        return 0;
    if (p[0] < 0xE0)
        return 2;
    if (left < 3 || !is_continuation(p[2]))
        return 0;
    if (p[0] < 0xF0) {
        bool overlong = p[0] == 0xE0 && p[1] < 0xA0;
        bool surrogate = p[0] == 0xED && p[1] > 0x9F;

        return overlong || surrogate ? 0 : 3;
    }
    if (left < 4 || !is_continuation(p[3]))
        return 0;
    if ((p[0] == 0xF0 && p[1] < 0x90) || (p[0] == 0xF4 && p[1] > 0x8F))
        return 0;
    return 4;
}

size_t utf8_ill_formed(const char *text, size_t left)
{
    /* What is a beginning can be completed; what rules a sequence out stands in
     * its first two bytes. */
    for (size_t len = 3; len >= 2; len--) {
        char completed[4] = { '\x80', '\x80', '\x80', '\x80' };

        if (len > left)
            continue;
        memcpy(completed, text, len);
        if (utf8_sequence(completed, sizeof completed) > len)
            return len;
    }
    return 1;
}

static bool must_escape(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

/* Skips whole words of ASCII; `escaped` once found, escapes need no search. */
static const char *skip_ascii(const char *p, const char *end, bool escaped)
{
    while ((size_t)(end - p) >= SWAR_BYTES) {
        uint64_t word = swar_load(p);

        if (swar_non_ascii(word) != 0 || (!escaped && swar_escapable(word) != 0))
            break;
        p += SWAR_BYTES;
    }
    return p;
}

enum utf8_text utf8_classify(struct bytes text)
{
    const char *p = text.ptr, *end = text.len > 0 ? p + text.len : p;
    bool escaped = false;

    while (p < end) {
        p = skip_ascii(p, end, escaped);
        for (size_t i = 0; i < SWAR_BYTES && p < end; i++) {
            if ((unsigned char)*p < 0x80) {
                escaped |= must_escape(*p++);
                continue;
            }
            size_t len = utf8_sequence(p, (size_t)(end - p));

            if (len == 0)
                return UTF8_INVALID;
            p += len;
        }
    }
    return escaped ? UTF8_ESCAPED : UTF8_PLAIN;
}
