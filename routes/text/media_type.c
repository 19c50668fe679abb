#include "routes/text/media_type.h"

#include "routes/text/field.h"
#include "service/base/utf8.h"
#include "service/base/value.h"

_Static_assert(VALUE_CONTENT_TYPE_MAX == 255, "the text of media_type_fault() names the limit");

static bool has_control(struct bytes value)
{
    for (size_t i = 0; i < value.len; i++)
        if ((unsigned char)value.ptr[i] < 0x20 || value.ptr[i] == 0x7F)
            return true;
    return false;
}

static bool is_well_formed(struct bytes value)
{
    struct field_media_type media;
    struct field_parameter parameter;
    enum field_step step;

    if (!field_take_media_type(&value, &media))
        return false;
    do
        step = field_take_parameter(&value, &parameter);
    while (step == FIELD_PARAMETER);
    return step == FIELD_END && value.len == 0;
}

/* What nearly every client sends. */
static bool is_common(struct bytes value)
{
    return bytes_equal(value, BYTES("application/json")) || bytes_equal(value, BYTES("application/octet-stream")) ||
           bytes_equal(value, BYTES("text/plain"));
}

const char *media_type_fault(struct bytes value)
{
    if (is_common(value))
        return NULL;
    if (value.len == 0)
        return "the content type is empty";
    if (value.len > VALUE_CONTENT_TYPE_MAX)
        return "the content type is longer than 255 bytes";
    if (has_control(value))
        return "the content type has a control character in it";
    if (!is_well_formed(value))
        return "the content type is not of the form type/subtype; name=value";
    if (!utf8_valid(value))
        return "the content type is not UTF-8";
    return NULL;
}

bool media_type_is_json(struct bytes value)
{
    const struct bytes suffix = BYTES("+json");
    struct bytes rest = value, name = bytes_trim(bytes_cut(&rest, ';'));
    struct bytes type;

    if (bytes_equal_nocase(name, BYTES("application/json")))
        return true;
    type = bytes_cut(&name, '/');
    /* Cut at the slash: name.ptr is NULL when there was none. */
    return type.len > 0 && name.len >= suffix.len &&
           bytes_equal_nocase(bytes_of(name.ptr + name.len - suffix.len, suffix.len), suffix);
}
