/* buffer_json.c - escaping for JSON strings: buffer_add_json_*().
 * Threading: pure. */
#include "service/base/buffer.h"
#include "service/base/utf8.h"

static void add_unicode_escape(struct buffer *buffer, unsigned char c)
{
    static const char digits[] = "0123456789abcdef";
    const char escape[6] = { '\\', 'u', '0', '0', digits[c >> 4], digits[c & 15] };

    buffer_add(buffer, bytes_of(escape, sizeof escape));
}

static void add_escape(struct buffer *buffer, unsigned char c)
{
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char to[] = "\"\\bfnrt";
    const char *at = c != 0 ? strchr(from, c) : NULL;

    if (!at) {
        add_unicode_escape(buffer, c);
        return;
    }
    buffer_add_char(buffer, '\\');
    buffer_add_char(buffer, to[at - from]);
}

/* Adds the character at the start of `text`, which is not plain ASCII;
 * returns how many bytes that was. */
static size_t add_character(struct buffer *buffer, struct bytes text)
{
    const unsigned char *c = (const unsigned char *)text.ptr;
    size_t len;

    if (c[0] < 0x80) {
        add_escape(buffer, c[0]);
        return 1;
    }
    len = utf8_sequence(text.ptr, text.len);
    if (len == 0) {
        buffer_add(buffer, BYTES("\xef\xbf\xbd"));
        return utf8_ill_formed(text.ptr, text.len);
    }
    if (c[0] == 0xc2 && c[1] < 0xa0)
        add_unicode_escape(buffer, c[1]); /* C1: control characters of terminals */
    else
        buffer_add(buffer, bytes_of(text.ptr, len));
    return len;
}

static bool is_plain(char c)
{
    unsigned char u = (unsigned char)c;

    return u >= 0x20 && u < 0x7f && u != '"' && u != '\\';
}

void buffer_add_json_escaped(struct buffer *buffer, struct bytes text)
{
    size_t at = 0;

    while (at < text.len) {
        size_t plain = at;

        while (plain < text.len && is_plain(text.ptr[plain]))
            plain++;
        buffer_add(buffer, bytes_of(text.ptr + at, plain - at));
        at = plain;
        if (at < text.len)
            at += add_character(buffer, bytes_of(text.ptr + at, text.len - at));
    }
}

void buffer_add_json_string(struct buffer *buffer, struct bytes text)
{
    buffer_add_char(buffer, '"');
    buffer_add_json_escaped(buffer, text);
    buffer_add_char(buffer, '"');
}
