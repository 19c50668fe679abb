/* Dropping a namespace, or everything, at once. */
#include <criterion/criterion.h>

#include "tests/contract/contract.h"

#define NS BYTES("flushed")
#define OTHER BYTES("other")
#define KEY BYTES("key")

TestSuite(flush, .init = contract_open, .fini = contract_close, .timeout = 60);

Test(flush, a_namespace_goes_and_the_others_stay)
{
    char text[32];

    if (!can(ENGINE_CAN_FLUSH))
        return;
    for (int i = 0; i < 100; i++) {
        put(NS, numbered(text, "k", i), BYTES("x"));
        put(OTHER, numbered(text, "k", i), BYTES("y"));
    }
    expect_status(flush(NS), ENGINE_OK, "flush");
    for (int i = 0; i < 100; i++) {
        expect_status(get(NS, numbered(text, "k", i)), ENGINE_MISS, "flushed");
        expect_value(OTHER, numbered(text, "k", i), BYTES("y"), "of another namespace");
    }
}

Test(flush, namespaces_with_a_common_beginning_are_different_ones)
{
    if (!can(ENGINE_CAN_FLUSH))
        return;
    put(BYTES("user"), KEY, BYTES("1"));
    put(BYTES("users"), KEY, BYTES("2"));
    put(BYTES("use"), KEY, BYTES("3"));
    flush(BYTES("user"));
    expect_status(get(BYTES("user"), KEY), ENGINE_MISS, "flushed");
    expect_value(BYTES("users"), KEY, BYTES("2"), "longer");
    expect_value(BYTES("use"), KEY, BYTES("3"), "shorter");
}

Test(flush, without_a_namespace_everything_goes)
{
    char text[32], key[32];

    if (!can(ENGINE_CAN_FLUSH))
        return;
    for (int i = 0; i < 50; i++)
        put(numbered(text, "ns", i), numbered(key, "k", i), BYTES("x"));
    expect_status(flush(BYTES_NONE), ENGINE_OK, "flush");
    for (int i = 0; i < 50; i++)
        expect_status(get(numbered(text, "ns", i), numbered(key, "k", i)), ENGINE_MISS, "flushed");
}

Test(flush, what_is_not_there_can_be_flushed)
{
    if (!can(ENGINE_CAN_FLUSH))
        return;
    expect_status(flush(NS), ENGINE_OK, "empty namespace");
    expect_status(flush(BYTES_NONE), ENGINE_OK, "empty engine");
    expect_status(flush(NS), ENGINE_OK, "again");
}

Test(flush, what_is_written_afterwards_stands_under_a_new_version)
{
    static const struct engine_condition if_any = { .if_match = { .given = true, .any = true } };
    engine_version before, after;

    if (!can(ENGINE_CAN_FLUSH))
        return;
    for (int i = 0; i < 5; i++) {
        before = put(NS, KEY, BYTES("old")).entry.version;
        flush(i % 2 ? NS : BYTES_NONE);
        if (engine->capabilities & ENGINE_CAN_CONDITIONS)
            expect_status(put_if(NS, KEY, BYTES("no"), &if_any), ENGINE_MISMATCH, "nothing stands");
        after = put(NS, KEY, BYTES("new")).entry.version;
        cr_assert_neq(after, before);
        expect_value(NS, KEY, BYTES("new"), "after the flush");
        expect_status(delete_if(NS, KEY, NULL), ENGINE_OK, "delete");
    }
}

Test(flush, a_flushed_key_is_created_not_replaced)
{
    if (!can(ENGINE_CAN_FLUSH))
        return;
    put(NS, KEY, BYTES("old"));
    flush(NS);
    expect_status(touch_for(NS, KEY, 1000, NULL), ENGINE_MISS, "touch");
    expect_status(delete_if(NS, KEY, NULL), ENGINE_MISS, "delete");
    expect_status(put(NS, KEY, BYTES("new")), ENGINE_CREATED, "put");
}

Test(flush, many_namespaces_come_and_go)
{
    char text[32];

    if (!can(ENGINE_CAN_FLUSH))
        return;
    for (int i = 0; i < 500; i++)
        put(numbered(text, "ns", i), KEY, numbered(text, "ns", i));
    for (int i = 0; i < 500; i += 2)
        expect_status(flush(numbered(text, "ns", i)), ENGINE_OK, "flush");
    for (int i = 0; i < 500; i++)
        expect_status(get(numbered(text, "ns", i), KEY), i % 2 ? ENGINE_OK : ENGINE_MISS, "after");
}

Test(flush, other_sessions_see_it_at_once)
{
    struct client other;
    char text[32];

    if (!can(ENGINE_CAN_FLUSH))
        return;
    client_open(&other);
    for (int i = 0; i < 100; i++) {
        struct engine_op op;
        put(NS, numbered(text, "k", i), BYTES("x"));
        expect_status(flush(i % 2 ? NS : BYTES_NONE), ENGINE_OK, "flush");
        op = op_for(ENGINE_GET, NS, numbered(text, "k", i));
        op.without_value = true;
        client_run(&other, &op);
        expect_status(op, ENGINE_MISS, "in the other session");
    }
    client_close(&other);
}
