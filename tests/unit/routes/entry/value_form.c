#include "routes/entry/value_form.h"

#include "tests/support/exact.h"

static enum value_form form_of(struct bytes type, struct bytes data)
{
    struct value *value = value_create(type, data.len);
    enum value_form form;

    cr_assert_not_null(value);
    if (data.len > 0)
        memcpy(value_writable(value), data.ptr, data.len);
    form = value_form_of(value);
    cr_expect_eq(atomic_load(&value->form), form, "not remembered");
    cr_expect_eq(value_form_of(value), form);
    value_unref(value);
    return form;
}

Test(value_form, follows_type_and_bytes)
{
    static const struct {
        struct bytes type, data;
        enum value_form form;
    } cases[] = {
        { B("application/json"), B("{\"a\":1}"), VALUE_FORM_JSON },
        { B("application/json; charset=utf-8"), B(" 1e400 "), VALUE_FORM_JSON },
        { B("application/vnd.api+json"), B("\"\\u0000\""), VALUE_FORM_JSON },
        { B("application/json"), B("{\"a\":}"), VALUE_FORM_TEXT },
        { B("application/json"), B("{a:1}"), VALUE_FORM_TEXT_PLAIN },
        { B("application/json"), B(""), VALUE_FORM_TEXT_PLAIN },
        { B("application/json"), B("\"\xFF\""), VALUE_FORM_BINARY },
        { B("text/plain"), B("{\"a\":1}"), VALUE_FORM_TEXT },
        { B("text/plain"), B("hello"), VALUE_FORM_TEXT_PLAIN },
        { B("text/plain"), B("hello\n"), VALUE_FORM_TEXT },
        { B("text/plain"), B("gr\xC3\xBC\xC3\x9F"), VALUE_FORM_TEXT_PLAIN },
        { B("text/plain; charset=latin1"), B("gr\xFC\xDF"), VALUE_FORM_BINARY },
        { B("application/octet-stream"), B("abc"), VALUE_FORM_TEXT_PLAIN },
        { B("application/octet-stream"), B("\0"), VALUE_FORM_TEXT },
        { B(""), B("1"), VALUE_FORM_TEXT_PLAIN },
        { B(""), B(""), VALUE_FORM_TEXT_PLAIN },
        { B("image/png"), B("\x89PNG\r\n"), VALUE_FORM_BINARY },
    };

    for (size_t i = 0; i < COUNT(cases); i++)
        cr_expect_eq(form_of(cases[i].type, cases[i].data), cases[i].form, "%zu: %.*s", i, SHOW(cases[i].data));
}

Test(value_form, is_found_once)
{
    struct value *value = value_create(BYTES("text/plain"), 1);

    cr_assert_not_null(value);
    value_writable(value)[0] = 'x';
    atomic_store(&value->form, VALUE_FORM_BINARY);
    cr_expect_eq(value_form_of(value), VALUE_FORM_BINARY);
    value_unref(value);
}
