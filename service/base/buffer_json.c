/* buffer_json.c - escaping for JSON strings: buffer_add_json_*().
 * Threading: pure. */
#include "service/base/buffer.h"

/* The range of the second byte is what rules out overlong forms, surrogates
 * and what lies above U+10FFFF (RFC 3629 section 4). */
struct utf8_lead {
    unsigned length;
    unsigned char second_min, second_max;
};

static struct utf8_lead lead_of(unsigned char c)
{
    if (c < 0xc2)
        return (struct utf8_lead){ 0, 0, 0 };
    if (c < 0xe0)
        return (struct utf8_lead){ 2, 0x80, 0xbf };
    if (c < 0xf0)
        return (struct utf8_lead){ 3, c == 0xe0 ? 0xa0 : 0x80, c == 0xed ? 0x9f : 0xbf };
    if (c < 0xf5)
        return (struct utf8_lead){ 4, c == 0xf0 ? 0x90 : 0x80, c == 0xf4 ? 0x8f : 0xbf };
    return (struct utf8_lead){ 0, 0, 0 };
}

/* Length of the sequence of two to four bytes that `text` begins with;
 * `*well_formed` tells whether it is one, else the length is that of the
 * ill-formed run to replace. */
static size_t sequence_length(struct bytes text, bool *well_formed)
{
    const unsigned char *c = (const unsigned char *)text.ptr;
    struct utf8_lead lead = lead_of(c[0]);
    size_t i;

    *well_formed = false;
    if (lead.length == 0 || text.len < 2 || c[1] < lead.second_min || c[1] > lead.second_max)
        return 1;
    for (i = 2; i < lead.length; i++)
        if (i >= text.len || (c[i] & 0xc0) != 0x80)
            return i;
    *well_formed = true;
    return i;
}

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
    bool well_formed;
    size_t len;

    if (c[0] < 0x80) {
        add_escape(buffer, c[0]);
        return 1;
    }
    len = sequence_length(text, &well_formed);
    if (!well_formed)
        buffer_add(buffer, BYTES("\xef\xbf\xbd"));
    else if (c[0] == 0xc2 && c[1] < 0xa0)
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
