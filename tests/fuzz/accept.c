/* Fuzzes routes/text/accept.h and routes/text/media_type.h: a stored type, a NUL, and
 * the field Accept. */
#include "routes/text/accept.h"

#include "routes/text/media_type.h"
#include "tests/fuzz/fuzz.h"

/* `accept` with `end` after it. */
static enum view view_with(struct bytes accept, const char *end, struct bytes stored)
{
    size_t len = strlen(end);
    char *text = malloc(accept.len + len);
    enum view view;

    REQUIRE(text != NULL);
    if (accept.len > 0)
        memcpy(text, accept.ptr, accept.len);
    memcpy(text + accept.len, end, len);
    view = accept_view(bytes_of(text, accept.len + len), stored);
    free(text);
    return view;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes accept = fuzz_bytes(data, size), stored = fuzz_take_text(&accept);
    enum view view = accept_view(accept, stored);

    REQUIRE(view == VIEW_JSON || view == VIEW_RAW);
    /* A malformed member spoils the whole, an empty one nothing. */
    REQUIRE(view_with(accept, ",/", stored) == VIEW_JSON);
    REQUIRE(view_with(accept, " ,", stored) == view);
    /* Nothing outweighs JSON at its most. */
    REQUIRE(view_with(accept, ",application/json;charset=utf-8", stored) == VIEW_JSON);
    if (media_type_fault(stored) == NULL)
        REQUIRE(stored.len >= 3 && stored.len <= 255);
    (void)media_type_is_json(stored);
    return 0;
}
