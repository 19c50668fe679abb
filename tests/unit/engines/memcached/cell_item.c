/* How counters, limits and locks are stored: what is written is read, and
 * damage, another kind and another name are noticed. */
#include "engines/memcached/cell_item.h"

#include <criterion/criterion.h>

#define NS BYTES("users")
#define KEY BYTES("a\0b")

static struct cell example(void)
{
    struct cell cell = { .len = 33, .expires_ms = UINT64_C(1700000000123) };

    for (size_t i = 0; i < cell.len; i++)
        cell.bytes[i] = (unsigned char)(200 + i);
    return cell;
}

static bool parses(const char *stored, size_t len)
{
    struct cell out;

    return cell_item_parse(bytes_of(stored, len), CELL_LOCK, NS, KEY, &out);
}

Test(cell_item, what_is_written_is_read)
{
    char stored[CELL_ITEM_MAX];
    struct cell in = example(), out;
    size_t len = cell_item_write(&in, CELL_LOCK, NS, KEY, stored);

    cr_assert(cell_item_parse(bytes_of(stored, len), CELL_LOCK, NS, KEY, &out));
    cr_assert_eq(out.len, in.len);
    cr_assert_eq(out.expires_ms, in.expires_ms);
    cr_assert_eq(memcmp(out.bytes, in.bytes, in.len), 0);
}

Test(cell_item, the_longest_fits)
{
    static char stored[CELL_ITEM_MAX], ns[ITEM_NAMESPACE_MAX], key[ITEM_KEY_MAX];
    struct cell in = { .len = CELL_BYTES_MAX }, out;
    struct bytes long_ns = bytes_of(ns, sizeof ns), long_key = bytes_of(key, sizeof key);

    memset(key, 0xff, sizeof key);
    cr_assert_eq(cell_item_write(&in, CELL_LIMIT, long_ns, long_key, stored), CELL_ITEM_MAX);
    cr_assert(cell_item_parse(bytes_of(stored, CELL_ITEM_MAX), CELL_LIMIT, long_ns, long_key, &out));
    cr_assert_eq(out.len, CELL_BYTES_MAX);
    cr_assert_eq(out.expires_ms, 0);
}

Test(cell_item, where_the_name_tells_no_names_are_repeated)
{
    char stored[CELL_ITEM_MAX];
    struct cell in = example(), out;
    size_t len = cell_item_write(&in, CELL_COUNTER, BYTES_NONE, BYTES_NONE, stored);

    cr_assert_eq(len, CELL_HEADER_BYTES + in.len);
    cr_assert(cell_item_parse(bytes_of(stored, len), CELL_COUNTER, BYTES_NONE, BYTES_NONE, &out));
    cr_assert_eq(memcmp(out.bytes, in.bytes, in.len), 0);
    cr_assert_not(cell_item_parse(bytes_of(stored, len), CELL_COUNTER, NS, KEY, &out));
}

Test(cell_item, another_kind_or_name_is_refused)
{
    char stored[CELL_ITEM_MAX];
    struct cell in = example(), out;
    struct bytes all = bytes_of(stored, cell_item_write(&in, CELL_LOCK, NS, KEY, stored));

    cr_assert_not(cell_item_parse(all, CELL_COUNTER, NS, KEY, &out));
    cr_assert_not(cell_item_parse(all, CELL_LIMIT, NS, KEY, &out));
    cr_assert_not(cell_item_parse(all, CELL_LOCK, BYTES("usera"), KEY, &out));
    cr_assert_not(cell_item_parse(all, CELL_LOCK, NS, BYTES("a\0c"), &out));
    cr_assert_not(cell_item_parse(all, CELL_LOCK, BYTES("usersa"), BYTES("\0b"), &out), "cut elsewhere");
}

Test(cell_item, damage_is_noticed)
{
    char stored[CELL_ITEM_MAX + 1];
    struct cell in = example();
    size_t len = cell_item_write(&in, CELL_LOCK, NS, KEY, stored);

    cr_assert(parses(stored, len));
    for (size_t cut = 0; cut < len; cut++)
        cr_assert_not(parses(stored, cut), "cut to %zu bytes", cut);
    stored[len] = 'x';
    cr_assert_not(parses(stored, len + 1), "one byte more");
    for (size_t at = 0; at < CELL_HEADER_BYTES + NS.len + KEY.len; at++) {
        char was = stored[at];
        if (at >= 8 && at < 16)
            continue; /* any expiry can be */
        stored[at] = (char)(was ^ 0x80);
        cr_assert_not(parses(stored, len), "byte %zu", at);
        stored[at] = was;
    }
    in.len = 0;
    cr_assert_not(parses(stored, cell_item_write(&in, CELL_LOCK, NS, KEY, stored)), "nothing in it");
}
