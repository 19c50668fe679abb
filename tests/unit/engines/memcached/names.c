/* Names of items: printable, within 250 bytes, and never the same for two
 * entries. */
#include "engines/memcached/names.h"

#include <criterion/criterion.h>

#include <string.h>

#define PREFIX BYTES("cubby")

static struct item_name name_of(struct bytes ns, struct bytes key)
{
    struct item_name name;

    cr_assert(names_item(PREFIX, NAME_ENTRY, ns, key, &name));
    cr_assert_leq(name.len, NAMES_MAX);
    for (size_t i = 0; i < name.len; i++)
        cr_assert(name.text[i] > ' ' && name.text[i] < 127, "byte %zu is %d", i, name.text[i]);
    return name;
}

static bool same(const struct item_name *a, const struct item_name *b)
{
    return bytes_equal(bytes_of(a->text, a->len), bytes_of(b->text, b->len));
}

Test(names, a_short_printable_key_is_readable)
{
    struct item_name name = name_of(BYTES("users"), BYTES("a:b/42"));

    cr_assert_not(name.digested);
    cr_assert(bytes_equal(bytes_of(name.text, name.len), BYTES("cubby:e:users:a:b/42")));
}

Test(names, any_other_byte_makes_it_a_digest)
{
    for (int byte = 0; byte < 256; byte++) {
        char key[3] = { 'a', (char)byte, 'b' };
        struct item_name name = name_of(BYTES("n"), bytes_of(key, 3));
        cr_assert_eq(name.digested, byte <= ' ' || byte >= 127, "byte %d", byte);
    }
}

Test(names, each_length_up_to_1024_fits)
{
    static char key[1025];
    struct item_name name;

    memset(key, 'k', sizeof key);
    for (size_t len = 1; len <= 1024; len++)
        cr_assert_eq(name_of(BYTES("n"), bytes_of(key, len)).digested, 5 + 3 + 1 + 1 + len > NAMES_MAX);
    cr_assert_not(names_item(PREFIX, NAME_ENTRY, BYTES("n"), bytes_of(key, 1025), &name));
    cr_assert_not(names_item(PREFIX, NAME_ENTRY, BYTES("n"), BYTES_NONE, &name));
    cr_assert_not(names_item(PREFIX, NAME_ENTRY, BYTES_NONE, BYTES("k"), &name));
}

Test(names, two_entries_never_share_a_name)
{
    static const struct { struct bytes ns, key; } pairs[] = {
        { { "a", 1 }, { "b\n", 2 } }, { { "ab", 2 }, { "\n", 1 } }, { { "a", 1 }, { "b:\n", 3 } },
        { { "a", 1 }, { "b", 1 } },   { { "a", 1 }, { "b\0", 2 } }, { { "a", 1 }, { "b\0\0", 3 } },
        { { "a", 1 }, { "b ", 2 } },  { { "a", 1 }, { " b", 2 } },  { { "a.b", 3 }, { "c", 1 } },
        { { "a", 1 }, { ".b:c", 4 } }, { { "a", 1 }, { "b:c", 3 } },
    };
    enum { COUNT = sizeof pairs / sizeof pairs[0] };

    for (size_t i = 0; i < COUNT; i++)
        for (size_t j = 0; j < i; j++) {
            struct item_name one = name_of(pairs[i].ns, pairs[i].key), two = name_of(pairs[j].ns, pairs[j].key);
            cr_assert_not(same(&one, &two), "%zu and %zu", i, j);
        }
}

Test(names, a_generation_is_no_entry)
{
    struct item_name all, users, entry = name_of(BYTES("g"), BYTES("users"));

    cr_assert(names_generation(PREFIX, BYTES_NONE, &all));
    cr_assert(names_generation(PREFIX, BYTES("users"), &users));
    cr_assert(bytes_equal(bytes_of(users.text, users.len), BYTES("cubby:g:users")));
    cr_assert_not(same(&all, &users));
    cr_assert_not(same(&users, &entry));
}

Test(names, each_kind_has_names_of_its_own)
{
    static const struct { enum name_kind kind; const char *plain, *digest; } kinds[] = {
        { NAME_ENTRY, "cubby:e:n:a", "cubby:h:" },   { NAME_TAG, "cubby:t:n:a", "cubby:th:" },
        { NAME_COUNTER, "cubby:c:n:a", "cubby:ch:" }, { NAME_LIMIT, "cubby:l:n:a", "cubby:lh:" },
        { NAME_LOCK, "cubby:k:n:a", "cubby:kh:" },
    };
    struct item_name name;

    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        cr_assert(names_item(PREFIX, kinds[i].kind, BYTES("n"), BYTES("a"), &name));
        cr_assert_not(name.digested);
        cr_assert(bytes_equal(bytes_of(name.text, name.len), bytes_str(kinds[i].plain)));
        cr_assert(names_item(PREFIX, kinds[i].kind, BYTES("n"), BYTES("\0\xff"), &name));
        cr_assert(name.digested);
        cr_assert(bytes_starts_with(bytes_of(name.text, name.len), bytes_str(kinds[i].digest)));
        cr_assert_eq(name.len, strlen(kinds[i].digest) + 64);
    }
}

/* A namespace may be called as another kind's mark: no colon of a key reaches
 * the mark's place. */
Test(names, a_key_cannot_pose_as_another_kind)
{
    struct item_name counter, entry = name_of(BYTES("c"), BYTES("n:a"));

    cr_assert(names_item(PREFIX, NAME_COUNTER, BYTES("n"), BYTES("a"), &counter));
    cr_assert_not(same(&counter, &entry));
    cr_assert(name_of(BYTES("c:n"), BYTES("a")).digested);
}

Test(names, prefixes)
{
    cr_assert(names_prefix_is_good(BYTES("cubby")));
    cr_assert(names_prefix_is_good(BYTES("12345678901234567890123456789012")));
    cr_assert_not(names_prefix_is_good(BYTES("123456789012345678901234567890123")));
    cr_assert_not(names_prefix_is_good(BYTES_NONE));
    cr_assert_not(names_prefix_is_good(BYTES("a:b")));
    cr_assert_not(names_prefix_is_good(BYTES("a b")));
    cr_assert_not(names_prefix_is_good(BYTES("a\n")));
}
