/* Names, values, and the four verbs on one entry. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "tests/contract/contract.h"

#define NS BYTES("entries")
#define KEY BYTES("key")

TestSuite(entries, .init = contract_open, .fini = contract_close, .timeout = 60);

Test(entries, what_was_never_put_is_a_miss)
{
    struct engine_op op = get_value(NS, KEY);

    expect_status(op, ENGINE_MISS, "get");
    cr_assert_null(op.entry.value);
    expect_status(delete_if(NS, KEY, NULL), ENGINE_MISS, "delete");
    expect_status(touch_for(NS, KEY, 1000, NULL), ENGINE_MISS, "touch");
    expect_status(get(NS, KEY), ENGINE_MISS, "touch creates nothing");
}

Test(entries, a_put_creates_then_replaces_and_every_write_has_a_version_of_its_own)
{
    struct engine_op first = put(NS, KEY, BYTES("one"));
    struct engine_op second = put(NS, KEY, BYTES("three"));
    struct engine_op third = put(NS, KEY, BYTES("three"));

    expect_status(first, ENGINE_CREATED, "first");
    expect_status(second, ENGINE_OK, "second");
    expect_status(third, ENGINE_OK, "third");
    cr_assert_eq(first.entry.bytes, 3);
    cr_assert_eq(second.entry.bytes, 5);
    cr_assert_neq(first.entry.version, 0);
    cr_assert_neq(second.entry.version, first.entry.version);
    cr_assert_neq(third.entry.version, second.entry.version);
    cr_assert_neq(third.entry.version, first.entry.version);
    cr_assert_eq(get(NS, KEY).entry.version, third.entry.version);
    cr_assert_eq(get(NS, KEY).entry.bytes, 5);
    expect_value(NS, KEY, BYTES("three"), "after");
}

Test(entries, a_deleted_key_is_created_anew_under_a_new_version)
{
    engine_version before = put(NS, KEY, BYTES("one")).entry.version;
    struct engine_op again;

    expect_status(delete_if(NS, KEY, NULL), ENGINE_OK, "delete");
    expect_status(get(NS, KEY), ENGINE_MISS, "after delete");
    expect_status(delete_if(NS, KEY, NULL), ENGINE_MISS, "second delete");
    again = put(NS, KEY, BYTES("one"));
    expect_status(again, ENGINE_CREATED, "put again");
    cr_assert_neq(again.entry.version, before);
}

Test(entries, reading_changes_neither_version_nor_value)
{
    engine_version version = put(NS, KEY, BYTES("one")).entry.version;

    for (int i = 0; i < 10; i++)
        cr_assert_eq(get(NS, KEY).entry.version, version);
    expect_value(NS, KEY, BYTES("one"), "after reads");
}

Test(entries, an_empty_value_is_a_value)
{
    expect_status(put(NS, KEY, BYTES("")), ENGINE_CREATED, "put");
    expect_value(NS, KEY, BYTES(""), "empty");
    expect_status(put(NS, KEY, BYTES("x")), ENGINE_OK, "replaced");
    expect_status(put(NS, KEY, BYTES("")), ENGINE_OK, "empty again");
    expect_value(NS, KEY, BYTES(""), "empty again");
    expect_status(delete_if(NS, KEY, NULL), ENGINE_OK, "delete");
}

static void expect_binary_value(size_t len)
{
    char *data = malloc(len);

    for (size_t i = 0; i < len; i++)
        data[i] = (char)(i * 31 + i / 256);
    expect_status(put(NS, KEY, bytes_of(data, len)), ENGINE_CREATED, "binary");
    expect_value(NS, KEY, bytes_of(data, len), "binary");
    free(data);
}

Test(entries, a_value_may_hold_every_byte)
{
    expect_binary_value(70000);
}

Test(entries, a_mebibyte_is_stored_or_refused_with_the_limit_named)
{
    size_t limit = engine->max_value_bytes, len = 1 << 20;
    char *data;
    struct engine_op op;

    if (limit == 0 || limit >= len) {
        expect_binary_value(len);
        return;
    }
    expect_binary_value(limit);
    data = calloc(1, len);
    op = put(NS, KEY, bytes_of(data, len));
    free(data);
    expect_status(op, ENGINE_TOO_LARGE, "over the engine's limit");
    cr_assert_eq(op.limit, limit);
    cr_assert_eq(get(NS, KEY).entry.bytes, limit, "the old entry stands");
}

static void expect_content_type(struct bytes type)
{
    struct engine_op op = op_for(ENGINE_PUT, NS, KEY);

    op.value = value_for(BYTES("[1]"), type);
    client_run(&client, &op);
    value_unref(op.value);
    cr_assert(op.status == ENGINE_CREATED || op.status == ENGINE_OK);
    op = get_value(NS, KEY);
    expect_status(op, ENGINE_OK, "content type");
    cr_assert(bytes_equal(value_content_type(op.entry.value), type));
    cr_assert(bytes_equal(value_bytes(op.entry.value), BYTES("[1]")));
    value_unref(op.entry.value);
}

Test(entries, the_content_type_comes_back_byte_for_byte)
{
    static char longest[VALUE_CONTENT_TYPE_MAX];

    memset(longest, 'x', sizeof longest);
    expect_content_type(BYTES("application/json"));
    expect_content_type(BYTES("text/html; charset=\"utf-8\""));
    expect_content_type(BYTES(""));
    expect_content_type(bytes_of(longest, sizeof longest));
}

/* ---- Names ---- */

Test(entries, every_byte_may_stand_in_a_key)
{
    char keys[256][3];

    for (int i = 0; i < 256; i++) {
        memcpy(keys[i], (char[]){ 'k', (char)i, 'k' }, 3);
        expect_status(put(NS, bytes_of(keys[i], 3), bytes_of(keys[i], 3)), ENGINE_CREATED, "put");
        expect_status(put(NS, bytes_of(keys[i] + 1, 1), bytes_of(keys[i], 2)), ENGINE_CREATED, "put of one byte");
    }
    for (int i = 0; i < 256; i++) {
        expect_value(NS, bytes_of(keys[i], 3), bytes_of(keys[i], 3), "three bytes");
        expect_value(NS, bytes_of(keys[i] + 1, 1), bytes_of(keys[i], 2), "one byte");
    }
}

Test(entries, keys_differ_by_length_and_by_their_last_byte)
{
    static char text[1024];

    for (size_t len = 1020; len <= 1024; len++)
        expect_status(put(NS, bytes_of(text, len), bytes_of((char *)&len, sizeof len)), ENGINE_CREATED, "zeros");
    for (size_t len = 1020; len <= 1024; len++)
        expect_value(NS, bytes_of(text, len), bytes_of((char *)&len, sizeof len), "zeros");
    memset(text, 'k', sizeof text);
    expect_status(put(NS, bytes_of(text, 1024), BYTES("k")), ENGINE_CREATED, "last byte k");
    text[1023] = 'l';
    expect_status(put(NS, bytes_of(text, 1024), BYTES("l")), ENGINE_CREATED, "last byte l");
    expect_value(NS, bytes_of(text, 1024), BYTES("l"), "last byte l");
    text[1023] = 'k';
    expect_value(NS, bytes_of(text, 1024), BYTES("k"), "last byte k");
}

Test(entries, two_names_never_share_an_entry)
{
    static const struct {
        struct bytes ns, key;
    } names[] = {
        { { "a", 1 }, { "bc", 2 } },        { { "ab", 2 }, { "c", 1 } },  { { "a", 1 }, { "b/c", 3 } },
        { { "a", 1 }, { "/b/c", 4 } },      { { "a", 1 }, { "b:c", 3 } }, { { "a", 1 }, { ":bc", 3 } },
        { { "a.b", 3 }, { "c", 1 } },       { { "a", 1 }, { "b.c", 3 } }, { { "a", 1 }, { "b\0c", 3 } },
        { { "a", 1 }, { "b", 1 } },         { { "A", 1 }, { "b", 1 } },   { { "a", 1 }, { "B", 1 } },
        { { "a", 1 }, { "b ", 2 } },        { { "a", 1 }, { " b", 2 } },  { { "a", 1 }, { "b\r\n", 3 } },
        { { "a", 1 }, { "b%2Fc", 5 } },     { { "a", 1 }, { "..", 2 } },  { { "a", 1 }, { "../a/b", 6 } },
        { { "a-b", 3 }, { "c", 1 } },       { { "a", 1 }, { "-bc", 3 } }, { { "a", 1 }, { "*", 1 } },
        { { "a", 1 }, { "{b}c", 4 } },      { { "a_b", 3 }, { "c", 1 } }, { { "a", 1 }, { "\xc3\xa9", 2 } },
        { { "a", 1 }, { "e\xcc\x81", 3 } }, { { "a1", 2 }, { "1b", 2 } }, { { "a", 1 }, { "11b", 3 } },
    };
    enum { COUNT = sizeof names / sizeof *names };
    static const char digits[] = "0123456789abcdefghijklmnopqrstuvwxyz";

    for (size_t i = 0; i < COUNT; i++)
        expect_status(put(names[i].ns, names[i].key, bytes_of(digits + i, 1)), ENGINE_CREATED, "put");
    for (size_t i = 0; i < COUNT; i++)
        expect_value(names[i].ns, names[i].key, bytes_of(digits + i, 1), "get");
    for (size_t i = 0; i < COUNT; i += 2)
        expect_status(delete_if(names[i].ns, names[i].key, NULL), ENGINE_OK, "delete");
    for (size_t i = 0; i < COUNT; i++)
        expect_status(get(names[i].ns, names[i].key), i % 2 ? ENGINE_OK : ENGINE_MISS, "after deletes");
}

Test(entries, the_longest_namespace_is_one_of_its_own)
{
    char ns[64];

    memset(ns, 'n', sizeof ns);
    put(bytes_of(ns, 64), KEY, BYTES("64"));
    put(bytes_of(ns, 63), KEY, BYTES("63"));
    expect_value(bytes_of(ns, 64), KEY, BYTES("64"), "64 bytes");
    expect_value(bytes_of(ns, 63), KEY, BYTES("63"), "63 bytes");
}

/* ---- Sharing ---- */

Test(entries, a_value_read_stays_whole_whatever_happens_to_its_entry)
{
    struct engine_op op;

    put(NS, KEY, BYTES("first"));
    op = get_value(NS, KEY);
    expect_status(op, ENGINE_OK, "get");
    put(NS, KEY, BYTES("second"));
    delete_if(NS, KEY, NULL);
    cr_assert(bytes_equal(value_bytes(op.entry.value), BYTES("first")));
    value_unref(op.entry.value);
}

Test(entries, all_sessions_see_the_same_entries)
{
    struct client other;
    struct engine_op op;

    client_open(&other);
    put(NS, KEY, BYTES("one"));
    op = op_for(ENGINE_GET, NS, KEY);
    op.without_value = true;
    client_run(&other, &op);
    expect_status(op, ENGINE_OK, "seen by the other session");
    op = op_for(ENGINE_DELETE, NS, KEY);
    client_run(&other, &op);
    expect_status(get(NS, KEY), ENGINE_MISS, "deleted by the other session");
    client_close(&other);
}
