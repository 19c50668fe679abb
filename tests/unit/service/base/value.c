/* Tests of service/base/value.h. */
#include "service/base/value.h"

#include <criterion/criterion.h>

Test(value, holds_its_bytes_and_a_copy_of_its_type)
{
    char type[] = "text/plain";
    struct value *value = value_create(bytes_str(type), 3);

    cr_assert_not_null(value);
    type[0] = 'X';
    memcpy(value_writable(value), "a\0b", 3);
    cr_expect(bytes_equal(value_bytes(value), BYTES("a\0b")));
    cr_expect(bytes_equal(value_content_type(value), BYTES("text/plain")));
    cr_expect_eq(value->form, VALUE_FORM_UNKNOWN);
    value_unref(value);
}

Test(value, may_be_empty_and_without_type)
{
    struct value *value = value_create(BYTES_NONE, 0);

    cr_assert_not_null(value);
    cr_expect_eq(value_bytes(value).len, 0);
    cr_expect_not_null(value_bytes(value).ptr);
    cr_expect_eq(value_content_type(value).len, 0);
    value_unref(value);
}

Test(value, keeps_types_up_to_the_bound_and_no_longer)
{
    char type[VALUE_CONTENT_TYPE_MAX + 1];
    struct value *value;

    memset(type, 't', sizeof type);
    value = value_create(bytes_of(type, VALUE_CONTENT_TYPE_MAX), 0);
    cr_assert_not_null(value);
    cr_expect_eq(value_content_type(value).len, VALUE_CONTENT_TYPE_MAX);
    value_unref(value);
    cr_expect_null(value_create(bytes_of(type, sizeof type), 0));
    cr_expect_null(value_create(BYTES_NONE, SIZE_MAX));
}

Test(value, resize_keeps_type_and_the_bytes_that_fit)
{
    struct value *value = value_create(BYTES("a/b"), 4);
    struct value *resized;

    memcpy(value_writable(value), "abcd", 4);
    resized = value_resize(value, 4096);
    cr_assert_not_null(resized);
    cr_expect_eq(resized->len, 4096);
    cr_expect_eq(memcmp(resized->data, "abcd", 4), 0);
    value = value_resize(resized, 2);
    cr_assert_not_null(value);
    cr_expect(bytes_equal(value_bytes(value), BYTES("ab")));
    cr_expect(bytes_equal(value_content_type(value), BYTES("a/b")));
    cr_expect_null(value_resize(value, SIZE_MAX));
    cr_expect(bytes_equal(value_bytes(value), BYTES("ab")), "unchanged by the failure");
    value_unref(value);
}

static void count_release(void *owner)
{
    ++*(int *)owner;
}

Test(value, adopted_bytes_are_released_once_with_the_last_reference)
{
    int released = 0;
    struct value *value = value_adopt(BYTES("a/b"), BYTES("bytes"), count_release, &released);

    cr_assert_not_null(value);
    cr_expect(bytes_equal(value_bytes(value), BYTES("bytes")));
    cr_expect_eq(value_ref(value), value);
    value_unref(value);
    cr_expect_eq(released, 0);
    value_unref(value);
    cr_expect_eq(released, 1);
}

Test(value, unref_of_nothing_is_allowed)
{
    value_unref(NULL);
}

Test(value, footprint_covers_header_and_bytes)
{
    int released = 0;
    struct value *inlined = value_create(BYTES("a/b"), 10000);
    struct value *adopted = value_adopt(BYTES_NONE, bytes_of("x", 1), count_release, &released);

    cr_expect_geq(value_footprint(inlined), sizeof *inlined + 10003);
    cr_expect_lt(value_footprint(inlined), 2 * 10003);
    cr_expect_geq(value_footprint(adopted), sizeof *adopted + 1);
    value_unref(inlined);
    value_unref(adopted);
}
