/* Fuzzes routes/entry/tags.h: ?tags= and Cache-Groups. */
#include "routes/entry/tags.h"

#include "tests/fuzz/fuzz.h"

static void check(const struct tag_list *list)
{
    REQUIRE(list->count <= ENGINE_TAGS_MAX && list->used <= sizeof list->text);
    for (size_t i = 0; i < list->count; i++) {
        REQUIRE(list->items[i].len >= 1 && list->items[i].len <= ENGINE_TAG_BYTES_MAX);
        for (size_t j = 0; j < i; j++)
            REQUIRE(!bytes_equal(list->items[i], list->items[j]));
    }
}

/* The tags as Strings; false where one cannot be. */
static bool write_groups(const struct tag_list *list, char *out, size_t *len)
{
    *len = 0;
    for (size_t i = 0; i < list->count; i++) {
        if (i > 0)
            out[(*len)++] = ',';
        out[(*len)++] = '"';
        for (size_t j = 0; j < list->items[i].len; j++) {
            char c = list->items[i].ptr[j];

            if (c < ' ' || c > '~')
                return false;
            if (c == '"' || c == '\\')
                out[(*len)++] = '\\';
            out[(*len)++] = c;
        }
        out[(*len)++] = '"';
    }
    return true;
}

/* What was read, written and read again, is the same. */
static void check_again(const struct tag_list *list)
{
    static char text[ENGINE_TAGS_MAX * (2 * ENGINE_TAG_BYTES_MAX + 3)];
    static struct tag_list again;
    size_t len;

    if (!write_groups(list, text, &len))
        return;
    tag_list_init(&again);
    REQUIRE(tag_list_read_groups(&again, bytes_of(text, len)) == NULL);
    REQUIRE(tag_list_equal(list, &again) && tag_list_equal(&again, list));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t nothing[1];
    static struct tag_list list;
    struct bytes text = fuzz_bytes(data ? data : nothing, size);

    tag_list_init(&list);
    if (!tag_list_read_query(&list, text))
        check_again(&list);
    check(&list);
    tag_list_init(&list);
    if (!tag_list_read_groups(&list, text))
        check_again(&list);
    check(&list);
    return 0;
}
