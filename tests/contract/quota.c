/* The most entries and bytes of a namespace. */
#include <criterion/criterion.h>

#include <stdlib.h>

#include "tests/contract/contract.h"

#define NS BYTES("bounded")
#define OTHER BYTES("other")

TestSuite(quota, .init = contract_open, .fini = contract_close, .timeout = 60);

/* Each ends later than the one before, and is used later: it goes last by either order. */
static struct engine_op put_bounded(int number, size_t bytes, const struct engine_put *with)
{
    static char data[4096];
    char text[32];
    struct engine_op op = op_for(ENGINE_PUT, NS, numbered(text, "k", number));

    cr_assert_leq(bytes, sizeof data);
    op.put = with;
    op.ttl_ms = 600000 + number * 1000;
    return run_put(op, bytes_of(data, bytes));
}

/* How many of k0 to k<count - 1> stand, and their bytes. */
static unsigned standing(int count, size_t *bytes)
{
    unsigned stand = 0;
    char text[32];

    *bytes = 0;
    for (int i = 0; i < count; i++) {
        struct engine_op op = get(NS, numbered(text, "k", i));
        stand += op.status == ENGINE_OK;
        *bytes += op.status == ENGINE_OK ? op.entry.bytes : 0;
    }
    return stand;
}

Test(quota, entries_beyond_it_push_out_others_of_the_namespace)
{
    struct engine_put with = { .max_entries = 10 };
    size_t bytes;
    char text[32];

    if (!can(ENGINE_CAN_QUOTA))
        return;
    put(OTHER, BYTES("k"), BYTES("x"));
    for (int i = 0; i < 10; i++)
        expect_status(put_bounded(i, 5, &with), ENGINE_CREATED, "within");
    cr_assert_eq(standing(10, &bytes), 10, "nothing has to go yet");
    for (int i = 10; i < 30; i++) {
        expect_status(put_bounded(i, 5, &with), ENGINE_CREATED, "beyond");
        expect_status(get(NS, numbered(text, "k", i)), ENGINE_OK, "what was just written");
    }
    cr_assert_eq(standing(30, &bytes), 10);
    expect_status(get(NS, BYTES("k29")), ENGINE_OK, "the last");
    expect_status(get(NS, BYTES("k0")), ENGINE_MISS, "the first");
    expect_value(OTHER, BYTES("k"), BYTES("x"), "of another namespace");
}

Test(quota, the_first_in_order_go_first)
{
    struct engine_put with = { .max_entries = 10 };
    char text[32];

    if (!can(ENGINE_CAN_QUOTA))
        return;
    for (int i = 0; i < 25; i++)
        put_bounded(i, 5, &with);
    for (int i = 0; i < 25; i++)
        expect_status(get(NS, numbered(text, "k", i)), i < 15 ? ENGINE_MISS : ENGINE_OK, "in order");
}

Test(quota, bytes_beyond_it_push_out_others_of_the_namespace)
{
    struct engine_put with = { .max_bytes = 10000 };
    size_t bytes;

    if (!can(ENGINE_CAN_QUOTA))
        return;
    for (int i = 0; i < 30; i++)
        expect_status(put_bounded(i, 1000, &with), ENGINE_CREATED, "put");
    cr_assert_geq(standing(30, &bytes), 5);
    cr_assert_leq(bytes, 10000);
    expect_status(put_bounded(30, 4000, &with), ENGINE_CREATED, "larger");
    cr_assert_geq(standing(31, &bytes), 2);
    cr_assert_leq(bytes, 10000);
    expect_status(get(NS, BYTES("k30")), ENGINE_OK, "what was just written");
}

Test(quota, a_large_value_pushes_out_however_many_must_go)
{
    struct engine_put with = { .max_bytes = 2000 };
    size_t bytes;

    if (!can(ENGINE_CAN_QUOTA))
        return;
    for (int i = 0; i < 1000; i++)
        expect_status(put_bounded(i, 2, &with), ENGINE_CREATED, "within");
    cr_assert_eq(standing(1000, &bytes), 1000);
    expect_status(put_bounded(1000, 1900, &with), ENGINE_CREATED, "large");
    cr_assert_eq(standing(1001, &bytes), 51);
    cr_assert_eq(bytes, 2000);
    expect_status(get(NS, BYTES("k1000")), ENGINE_OK, "what was just written");
}

Test(quota, a_replacement_needs_no_more_room)
{
    struct engine_put with = { .max_entries = 5 };
    size_t bytes;

    if (!can(ENGINE_CAN_QUOTA))
        return;
    for (int i = 0; i < 5; i++)
        put_bounded(i, 5, &with);
    for (int i = 0; i < 5; i++)
        expect_status(put_bounded(i, 7, &with), ENGINE_OK, "replaced");
    cr_assert_eq(standing(5, &bytes), 5);
    cr_assert_eq(bytes, 35);
}

Test(quota, what_is_gone_takes_no_room)
{
    struct engine_put with = { .max_entries = 5 };
    size_t bytes;
    char text[32];

    if (!can(ENGINE_CAN_QUOTA | ENGINE_CAN_FLUSH))
        return;
    for (int i = 0; i < 5; i++)
        put_bounded(i, 5, &with);
    for (int i = 0; i < 3; i++)
        delete_if(NS, numbered(text, "k", i), NULL);
    for (int i = 5; i < 8; i++)
        put_bounded(i, 5, &with);
    cr_assert_eq(standing(8, &bytes), 5, "deleted ones made room");
    flush(NS);
    for (int i = 0; i < 5; i++)
        expect_status(put_bounded(i, 5, &with), ENGINE_CREATED, "after a flush");
    cr_assert_eq(standing(8, &bytes), 5, "flushed ones made room");
}

Test(quota, a_lower_one_takes_hold_with_the_next_write)
{
    struct engine_put with = { .max_entries = 20 };
    size_t bytes;

    if (!can(ENGINE_CAN_QUOTA))
        return;
    for (int i = 0; i < 20; i++)
        put_bounded(i, 5, &with);
    with.max_entries = 4;
    /* One write may push out a bounded number; a few must do. */
    for (int i = 20; i < 28; i++)
        expect_status(put_bounded(i, 5, &with), ENGINE_CREATED, "put");
    cr_assert_eq(standing(28, &bytes), 4);
}

/* ---- Races ---- */

static void race_to_put(struct racer *racer)
{
    struct engine_put with = { .max_entries = 20 };
    char text[32];

    for (int i = 0; i < 50; i++) {
        struct engine_op op = op_for(ENGINE_PUT, NS, numbered(text, "k", (int)racer->index * 50 + i));
        op.put = &with;
        op.ttl_ms = 600000;
        op.value = value_for(BYTES("x"), BYTES(""));
        client_run(&racer->client, &op);
        value_unref(op.value);
        racer->failed += op.status != ENGINE_CREATED;
    }
}

Test(quota, holds_for_racing_writers)
{
    size_t bytes;
    unsigned stand;

    if (!can(ENGINE_CAN_QUOTA))
        return;
    race(4, race_to_put);
    stand = standing(200, &bytes);
    cr_assert(stand >= 10 && stand <= 20, "%u stand", stand);
}
