#include "routes/text/percent.h"

#include "tests/support/exact.h"

Test(percent, reports_the_fault_that_comes_first)
{
    static const struct {
        struct bytes text;
        enum percent_outcome outcome;
    } cases[] = {
        { B(""), PERCENT_OK },
        { B("abcd"), PERCENT_OK },
        { B("%61%62%63%64"), PERCENT_OK },
        { B("abcde"), PERCENT_TOO_LONG },
        { B("abcd%65"), PERCENT_TOO_LONG },
        { B("abcd%"), PERCENT_BAD_ESCAPE },
        { B("abcd%zz"), PERCENT_BAD_ESCAPE },
        { B("abcde%zz"), PERCENT_TOO_LONG },
        { B("%zzabcde"), PERCENT_BAD_ESCAPE },
        { B("ab%6"), PERCENT_BAD_ESCAPE },
        { B("abc%6\xFF"), PERCENT_BAD_ESCAPE },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct bytes text = exact_copy(cases[i].text), room = exact_copy(BYTES("...."));
        size_t len = 77;

        cr_expect_eq(percent_decode(text, (char *)(uintptr_t)room.ptr, room.len, &len), cases[i].outcome, "%.*s",
                     SHOW(text));
        cr_expect_eq(len == 77, cases[i].outcome != PERCENT_OK, "%.*s", SHOW(text));
        exact_free(text);
        exact_free(room);
    }
}

Test(percent, needs_no_room_for_nothing)
{
    size_t len = 77;

    cr_expect_eq(percent_decode(BYTES_NONE, NULL, 0, &len), PERCENT_OK);
    cr_expect_eq(len, 0);
    cr_expect_eq(percent_decode(BYTES("a"), NULL, 0, &len), PERCENT_TOO_LONG);
    cr_expect_eq(percent_decode(BYTES("%61"), NULL, 0, &len), PERCENT_TOO_LONG);
}

Test(percent, sees_escapes)
{
    cr_expect_not(percent_escaped(BYTES_NONE));
    cr_expect_not(percent_escaped(BYTES("a+b\0c")));
    cr_expect(percent_escaped(BYTES("a\0%")));
}
