#include "routes/text/media_type.h"

#include "service/base/value.h"
#include "tests/support/exact.h"

Test(media_type, takes_types_with_parameters)
{
    static const struct bytes good[] = {
        B("application/json"),
        B("application/octet-stream"),
        B("text/plain"),
        B("text/plain;charset=utf-8"),
        B("text/plain; charset=utf-8"),
        B("text/plain ; charset=\"utf-8\""),
        B("TEXT/Plain;Charset=X"),
        B("image/svg+xml"),
        B("application/vnd.api+json; profile=\"a;b,c \\\" d\""),
        B("multipart/form-data; boundary=----x'y"),
        B("a/b"),
        B("a/b;"),
        B("a/b; ;"),
        B("a/b;c=\"\""),
        B("!#$%&'*+-.^_`|~09/x"),
        B("a/b;c=\"\xC3\xA9\""),
        B("*/*"),
    };

    for (size_t i = 0; i < COUNT(good); i++) {
        struct bytes value = exact_copy(good[i]);
        const char *fault = media_type_fault(value);

        cr_expect_null(fault, "%.*s: %s", SHOW(value), fault);
        exact_free(value);
    }
}

Test(media_type, says_what_is_wrong)
{
    static const struct {
        struct bytes value;
        const char *words;
    } bad[] = {
        { B(""), "empty" },
        { B("text"), "form" },
        { B("text/"), "form" },
        { B("/plain"), "form" },
        { B("text/plain/x"), "form" },
        { B("text /plain"), "form" },
        { B("text/ plain"), "form" },
        { B("text/plain charset=utf-8"), "form" },
        { B("text/plain, text/html"), "form" },
        { B("text/plain;charset"), "form" },
        { B("text/plain;charset="), "form" },
        { B("text/plain;charset =x"), "form" },
        { B("text/plain;charset= x"), "form" },
        { B("text/plain;=x"), "form" },
        { B("text/plain;a=\"b"), "form" },
        { B("text/plain;a=\"b\\\""), "form" },
        { B("text/plain;a=\"b\"c"), "form" },
        { B("text/\xC3\xA9"), "form" },
        { B("text/plain;a=\xC3\xA9"), "form" },
        { B("text/plain;a=\"\xC3\""), "UTF-8" },
        { B("text/plain;a=\"\xFF\""), "UTF-8" },
        { B("text/plain\r\nX: y"), "control" },
        { B("text/plain\n"), "control" },
        { B("text/plain\0"), "control" },
        { B("text/plain;\ta=b"), "control" },
        { B("text/plain;a=\"\x7F\""), "control" },
        { B("text/plain;a=\"\\\x01\""), "control" },
    };

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct bytes value = exact_copy(bad[i].value);
        const char *fault = media_type_fault(value);

        cr_expect_not_null(fault, "%.*s", SHOW(value));
        if (fault)
            cr_expect_not_null(strstr(fault, bad[i].words), "%.*s: %s", SHOW(value), fault);
        exact_free(value);
    }
}

Test(media_type, has_at_most_255_bytes)
{
    char text[VALUE_CONTENT_TYPE_MAX + 1];

    memset(text, 'x', sizeof text);
    text[4] = '/';
    cr_expect_null(media_type_fault(bytes_of(text, VALUE_CONTENT_TYPE_MAX)));
    cr_expect_not_null(media_type_fault(bytes_of(text, VALUE_CONTENT_TYPE_MAX + 1)));
}

Test(media_type, knows_json)
{
    static const struct bytes json[] = {
        B("application/json"),
        B("Application/JSON"),
        B("application/json;charset=utf-8"),
        B("application/json ; charset=utf-8"),
        B("application/json;"),
        B("application/+json"),
        B("application/problem+json"),
        B("application/vnd.api+JSON; ext=x"),
        B("text/x+json"),
        B("model/gltf+json"),
    };
    static const struct bytes other[] = {
        B(""),
        B(";"),
        B("/"),
        B("json"),
        B("+json"),
        B("/+json"),
        B("text/json"),
        B("text/plain"),
        B("application/jsonx"),
        B("application/json-seq"),
        B("application/xjson"),
        B("application/json+xml"),
        B("application/x-ndjson"),
        B("text/plain; a=+json"),
        B("text/plain;x=\"application/json\""),
        B("application/json, text/plain"),
    };

    for (size_t i = 0; i < COUNT(json); i++) {
        struct bytes value = exact_copy(json[i]);

        cr_expect(media_type_is_json(value), "%.*s", SHOW(value));
        exact_free(value);
    }
    for (size_t i = 0; i < COUNT(other); i++) {
        struct bytes value = exact_copy(other[i]);

        cr_expect_not(media_type_is_json(value), "%.*s", SHOW(value));
        exact_free(value);
    }
    cr_expect_not(media_type_is_json(BYTES_NONE));
}
