#include "routes/text/field.h"

#include "service/base/tchar.h"

static void skip(struct bytes *rest, size_t len)
{
    *rest = bytes_of(rest->ptr + len, rest->len - len);
}

void field_skip_blanks(struct bytes *rest)
{
    while (rest->len > 0 && (rest->ptr[0] == ' ' || rest->ptr[0] == '\t'))
        skip(rest, 1);
}

bool field_take_char(struct bytes *rest, char c)
{
    if (rest->len == 0 || rest->ptr[0] != c)
        return false;
    skip(rest, 1);
    return true;
}

struct bytes field_take_token(struct bytes *rest)
{
    struct bytes token = bytes_of(rest->ptr, 0);

    while (token.len < rest->len && is_tchar(rest->ptr[token.len]))
        token.len++;
    if (token.len > 0)
        skip(rest, token.len);
    return token;
}

/* What may stand in a quoted string, escaped or not (section 5.6.4). */
static bool is_quotable(char c)
{
    unsigned char byte = (unsigned char)c;

    return byte == '\t' || (byte >= 0x20 && byte != 0x7F);
}

bool field_take_quoted(struct bytes *rest, struct bytes *inside)
{
    struct bytes s = *rest;
    size_t len = 0;

    if (!field_take_char(&s, '"'))
        return false;
    while (len < s.len && s.ptr[len] != '"') {
        if (s.ptr[len] == '\\')
            len++;
        if (len == s.len || !is_quotable(s.ptr[len]))
            return false;
        len++;
    }
    if (len == s.len)
        return false;
    *inside = bytes_of(s.ptr, len);
    skip(&s, len + 1);
    *rest = s;
    return true;
}

enum field_step field_take_parameter(struct bytes *rest, struct field_parameter *parameter)
{
    for (;;) {
        field_skip_blanks(rest);
        if (!field_take_char(rest, ';'))
            return FIELD_END;
        field_skip_blanks(rest);
        parameter->name = field_take_token(rest);
        if (parameter->name.len > 0)
            break;
    }
    if (!field_take_char(rest, '='))
        return FIELD_MALFORMED;
    if (rest->len > 0 && rest->ptr[0] == '"')
        return field_take_quoted(rest, &parameter->value) ? FIELD_PARAMETER : FIELD_MALFORMED;
    parameter->value = field_take_token(rest);
    return parameter->value.len > 0 ? FIELD_PARAMETER : FIELD_MALFORMED;
}

bool field_take_media_type(struct bytes *rest, struct field_media_type *media)
{
    media->type = field_take_token(rest);
    if (media->type.len == 0 || !field_take_char(rest, '/'))
        return false;
    media->subtype = field_take_token(rest);
    return media->subtype.len > 0;
}
