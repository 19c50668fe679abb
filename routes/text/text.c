#include "routes/text/text.h"

#include "routes/text/encode.h"
#include "service/base/utf8.h"

void text_add_base64(struct buffer *text, struct bytes bytes)
{
    char *room = buffer_extend(text, encode_base64_length(bytes.len));

    if (room)
        encode_base64(bytes, room);
}

void text_add_first(struct buffer *text, const char *name, struct bytes value)
{
    enum utf8_text form = utf8_classify(value);

    buffer_add_char(text, '"');
    buffer_add_string(text, name);
    buffer_add(text, form == UTF8_INVALID ? BYTES("_base64\":\"") : BYTES("\":\""));
    if (form == UTF8_PLAIN)
        buffer_add(text, value);
    else if (form == UTF8_ESCAPED)
        buffer_add_json_escaped(text, value);
    else
        text_add_base64(text, value);
    buffer_add_char(text, '"');
}

void text_add_member(struct buffer *text, const char *name, struct bytes value)
{
    buffer_add_char(text, ',');
    text_add_first(text, name, value);
}
