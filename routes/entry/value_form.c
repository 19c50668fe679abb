#include "routes/entry/value_form.h"

#include "routes/text/json_text.h"
#include "routes/text/media_type.h"
#include "service/base/utf8.h"

static enum value_form find_form(const struct value *value)
{
    struct bytes bytes = value_bytes(value);

    if (media_type_is_json(value_content_type(value)) && json_text_valid(bytes, NULL))
        return VALUE_FORM_JSON;
    switch (utf8_classify(bytes)) {
    case UTF8_PLAIN:
        return VALUE_FORM_TEXT_PLAIN;
    case UTF8_ESCAPED:
        return VALUE_FORM_TEXT;
    case UTF8_INVALID:
        break;
    }
    return VALUE_FORM_BINARY;
}

enum value_form value_form_of(struct value *value)
{
    enum value_form form = atomic_load_explicit(&value->form, memory_order_relaxed);

    if (form == VALUE_FORM_UNKNOWN) {
        form = find_form(value);
        atomic_store_explicit(&value->form, (uint8_t)form, memory_order_relaxed);
    }
    return form;
}
