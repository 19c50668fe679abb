/* Tests of service/http/trace_context.h. */
#include "service/http/trace_context.h"

#include "tests/support/exact.h"

#define TRACE "0af7651916cd43dd8448eb211c80319c"
#define PARENT "b7ad6b7169203331"

Test(trace_context, a_valid_one_is_read)
{
    static const char *const rows[] = { "00-" TRACE "-" PARENT "-01", "00-" TRACE "-" PARENT "-00",
                                        "00-" TRACE "-" PARENT "-ff", "01-" TRACE "-" PARENT "-01",
                                        "cc-" TRACE "-" PARENT "-01-what-will-come", "fe-" TRACE "-" PARENT "-01-" };

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes text = exact_copy(bytes_str(rows[i]));
        struct trace_context context;
        cr_assert(trace_context_read(text, &context), "%s", rows[i]);
        cr_expect(bytes_equal(context.trace_id, BYTES(TRACE)));
        cr_expect(bytes_equal(context.parent_id, BYTES(PARENT)));
        exact_free(text);
    }
}

Test(trace_context, others_are_not)
{
    static const char *const rows[] = {
        "",
        "00",
        "00-" TRACE "-" PARENT,
        "00-" TRACE "-" PARENT "-0",
        "00-" TRACE "-" PARENT "-01-",
        "00-" TRACE "-" PARENT "-01-more",
        "01-" TRACE "-" PARENT "-01more",
        "ff-" TRACE "-" PARENT "-01",
        "0g-" TRACE "-" PARENT "-01",
        "00-0AF7651916CD43DD8448EB211C80319C-" PARENT "-01",
        "00-" TRACE "-B7AD6B7169203331-01",
        "00-00000000000000000000000000000000-" PARENT "-01",
        "00-" TRACE "-0000000000000000-01",
        "00_" TRACE "-" PARENT "-01",
        "00-" TRACE "_" PARENT "-01",
        "00-" TRACE "-" PARENT "_01",
        "00-" TRACE "-" PARENT "-0x",
        "00-" TRACE "-" PARENT "-01, 00-" TRACE "-" PARENT "-01",
        "01-" TRACE "-" PARENT "-01, 01-" TRACE "-" PARENT "-01",
    };
    struct trace_context context;

    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct bytes text = exact_copy(bytes_str(rows[i]));
        cr_expect_not(trace_context_read(text, &context), "%s", rows[i]);
        exact_free(text);
    }
    cr_expect_not(trace_context_read(BYTES_NONE, &context));
}
