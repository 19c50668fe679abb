#include "routes/json_members.h"

#include <stdio.h>

#include "service/base/ttl.h"
#include "tests/support/exact.h"

#define UNSET INT64_C(-77)

static struct read {
    int64_t number, any, pause, ttl, word, flag;
    char text[64], list[64]; /* NUL-terminated; as "unset" where they are not given */
    struct json_members_fault fault;
} r;

/* `number` is needed where `needed` is. */
static bool read_members(struct bytes text, bool needed)
{
    static const char *const words[] = { "red", "green", NULL };
    struct bytes found = BYTES("unset"), list = BYTES("unset");
    const struct json_member members[] = {
        { "number", JSON_MEMBER_INTEGER, needed, -5, 10, "must be -5 to 10", NULL, &r.number },
        { "any", JSON_MEMBER_INTEGER, false, INT64_MIN, INT64_MAX, NULL, NULL, &r.any },
        { "pause", JSON_MEMBER_DURATION, false, 0, 30000, "must be 0 to 30 seconds", NULL, &r.pause },
        { .name = "ttl", JSON_MEMBER_TTL, .value = &r.ttl },
        { .name = "word", JSON_MEMBER_WORD, .words = words, .value = &r.word },
        { .name = "flag", JSON_MEMBER_FLAG, .value = &r.flag },
        { .name = "text", JSON_MEMBER_TEXT, .text = &found },
        { .name = "list", JSON_MEMBER_LIST, .text = &list },
    };
    struct bytes copy = exact_copy(text);
    bool good;

    r = (struct read){ UNSET, UNSET, UNSET, UNSET, UNSET, UNSET, .text = "unset" };
    good = json_members_parse(copy, members, COUNT(members), &r.fault);
    if (good) {
        snprintf(r.text, sizeof r.text, "%.*s", SHOW(found));
        snprintf(r.list, sizeof r.list, "%.*s", SHOW(list));
    }
    exact_free(copy);
    return good;
}

Test(json_members, leaves_alone_what_is_not_given)
{
    static const struct bytes cases[] = { B(""), B("{}"), B(" {\n} ") };

    for (size_t i = 0; i < COUNT(cases); i++) {
        cr_expect(read_members(cases[i], false), "%zu", i);
        cr_expect(r.number == UNSET && r.any == UNSET && r.pause == UNSET && r.ttl == UNSET && r.word == UNSET &&
                  r.flag == UNSET);
        cr_expect_str_eq(r.text, "unset");
        cr_expect_str_eq(r.list, "unset");
    }
}

Test(json_members, reads_each_kind)
{
    static const struct {
        struct bytes text;
        const int64_t *value;
        int64_t expected;
    } cases[] = {
        { B("{\"number\":-5}"), &r.number, -5 },
        { B("{\"number\":10}"), &r.number, 10 },
        { B("{\"any\":9223372036854775807}"), &r.any, INT64_MAX },
        { B("{\"any\":-9223372036854775808}"), &r.any, INT64_MIN },
        { B("{\"any\":-0}"), &r.any, 0 },
        { B("{\"pause\":0}"), &r.pause, 0 },
        { B("{\"pause\":0.0}"), &r.pause, 0 },
        { B("{\"pause\":\"0\"}"), &r.pause, 0 },
        { B("{\"pause\":\"00ms\"}"), &r.pause, 0 },
        { B("{\"pause\":1.5}"), &r.pause, 1500 },
        { B("{\"pause\":\"250ms\"}"), &r.pause, 250 },
        { B("{\"pause\":0.00001}"), &r.pause, 1 },
        { B("{\"pause\":30}"), &r.pause, 30000 },
        { B("{\"ttl\":60}"), &r.ttl, 60000 },
        { B("{\"ttl\":\"2m\"}"), &r.ttl, 120000 },
        { B("{\"ttl\":null}"), &r.ttl, TTL_NONE },
        { B("{\"ttl\":\"none\"}"), &r.ttl, TTL_NONE },
        { B("{\"word\":\"red\"}"), &r.word, 0 },
        { B("{\"word\":\"green\"}"), &r.word, 1 },
        { B("{\"flag\":true}"), &r.flag, 1 },
        { B("{\"flag\":false}"), &r.flag, 0 },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        cr_expect(read_members(cases[i].text, false), "%.*s: %s", SHOW(cases[i].text), r.fault.reason);
        cr_expect_eq(*cases[i].value, cases[i].expected, "%.*s", SHOW(cases[i].text));
    }
}

Test(json_members, reads_texts_and_lists)
{
    cr_expect(read_members(BYTES(" { \"list\" : [ 1, {\"a\":[]} ] , \"te\\u0078t\":\"a\\u0041b\" } "), false), "%s",
              r.fault.reason);
    cr_expect_str_eq(r.text, "aAb");
    cr_expect_str_eq(r.list, "[ 1, {\"a\":[]} ]");
    cr_expect(read_members(BYTES("{\"list\":[],\"text\":\"\"}"), false));
    cr_expect_str_eq(r.text, "");
    cr_expect_str_eq(r.list, "[]");
}

Test(json_members, names_the_member_that_is_wrong)
{
    static const struct {
        struct bytes text, name;
        const char *reason;
    } cases[] = {
        { B("{\"number\":-6}"), B("number"), "must be -5 to 10" },
        { B("{\"number\":11}"), B("number"), "must be -5 to 10" },
        { B("{\"number\":1.5}"), B("number"), "not written as a whole number" },
        { B("{\"number\":1e1}"), B("number"), "not written as a whole number" },
        { B("{\"number\":1e30}"), B("number"), "not an integer of 64 bits" },
        { B("{\"number\":\"1\"}"), B("number"), "not an integer of 64 bits" },
        { B("{\"number\":null}"), B("number"), "not an integer of 64 bits" },
        { B("{\"number\":true}"), B("number"), "not an integer of 64 bits" },
        { B("{\"any\":9223372036854775808}"), B("any"), "not an integer of 64 bits" },
        { B("{\"number\":1,\"any\":-9223372036854775809}"), B("any"), "not an integer of 64 bits" },
        { B("{\"what\":9223372036854775808}"), B("what"), "unknown member" },
        { B("{\"Number\":1}"), B("Number"), "unknown member" },
        { B("{\"\":1}"), B(""), "unknown member" },
        { B("{\"pause\":-1}"), B("pause"), NULL },
        { B("{\"pause\":30.001}"), B("pause"), "must be 0 to 30 seconds" },
        { B("{\"pause\":\"31s\"}"), B("pause"), "must be 0 to 30 seconds" },
        { B("{\"pause\":\"none\"}"), B("pause"), "must be 0 to 30 seconds" },
        { B("{\"pause\":\"ms\"}"), B("pause"), NULL },
        { B("{\"pause\":\"\"}"), B("pause"), NULL },
        { B("{\"pause\":\"0x\"}"), B("pause"), NULL },
        { B("{\"pause\":null}"), B("pause"), NULL },
        { B("{\"ttl\":0}"), B("ttl"), NULL },
        { B("{\"ttl\":\"0\"}"), B("ttl"), NULL },
        { B("{\"ttl\":-1}"), B("ttl"), NULL },
        { B("{\"ttl\":true}"), B("ttl"), NULL },
        { B("{\"ttl\":[]}"), B("ttl"), NULL },
        { B("{\"word\":\"Red\"}"), B("word"), "not one of the words known here" },
        { B("{\"word\":\"\"}"), B("word"), "not one of the words known here" },
        { B("{\"word\":0}"), B("word"), "not one of the words known here" },
        { B("{\"text\":1}"), B("text"), "not a string" },
        { B("{\"text\":\"\\udc00\"}"), B("text"), NULL },
        { B("{\"list\":{}}"), B("list"), "not a list" },
        { B("{\"any\":1e400}"), B("any"), "not an integer of 64 bits" },
        { B("{\"any\":1,\"any\":1}"), B("any"), "there twice" },
        { B("{\"flag\":1}"), B("flag"), "neither true nor false" },
        { B("{\"flag\":null}"), B("flag"), "neither true nor false" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        cr_expect_not(read_members(cases[i].text, false), "%.*s", SHOW(cases[i].text));
        cr_expect(r.fault.named, "%.*s", SHOW(cases[i].text));
        cr_expect(bytes_equal(bytes_of(r.fault.name, r.fault.name_len), cases[i].name), "%.*s",
                  SHOW(cases[i].text));
        if (cases[i].reason)
            cr_expect_str_eq(r.fault.reason, cases[i].reason, "%.*s", SHOW(cases[i].text));
        else
            cr_expect_neq(r.fault.reason[0], '\0');
    }
}

Test(json_members, says_what_is_missing)
{
    static const struct bytes cases[] = { B(""), B("{}"), B("{\"any\":1}") };

    for (size_t i = 0; i < COUNT(cases); i++) {
        cr_expect_not(read_members(cases[i], true));
        cr_expect(r.fault.named && bytes_equal(bytes_of(r.fault.name, r.fault.name_len), BYTES("number")));
        cr_expect_str_eq(r.fault.reason, "missing");
    }
    cr_expect(read_members(BYTES("{\"number\":1}"), true));
}

Test(json_members, takes_nothing_but_an_object)
{
    static const struct bytes cases[] = { B("[]"),  B("5"),          B("null"),
                                          B(" "),   B("{"),          B("{\"any\":1}x"),
                                          B("\0"),  B("{'any':1}"),  B("{\"any\":NaN}"),
                                          B("\xff"), B("{\"any\":01}"),  B("{\"list\":[1,]}") };

    for (size_t i = 0; i < COUNT(cases); i++) {
        cr_expect_not(read_members(cases[i], false), "%zu", i);
        cr_expect_not(r.fault.named, "%zu", i);
        cr_expect_neq(r.fault.reason[0], '\0');
    }
}

Test(json_members, cuts_a_long_name)
{
    char text[200] = "{\"";

    memset(text + 2, 'x', 150);
    memcpy(text + 152, "\":1}", 4);
    cr_expect_not(read_members(bytes_of(text, 156), false));
    cr_expect_eq(r.fault.name_len, JSON_MEMBERS_NAME_MAX);
}
