/* Tags: what is dropped together. */
#include <criterion/criterion.h>

#include "tests/contract/contract.h"

#define NS BYTES("tagged")
#define OTHER BYTES("other")
#define KEY BYTES("key")

TestSuite(tags, .init = contract_open, .fini = contract_close, .timeout = 60);

static struct engine_op put_tagged(struct bytes ns, struct bytes key, const struct bytes *tags, size_t count)
{
    struct engine_put with = { .tags = tags, .tag_count = count };

    return put_with(ns, key, BYTES("x"), &with);
}

static void expect_stands(struct bytes key, const char *what)
{
    expect_value(NS, key, BYTES("x"), what);
}

static void expect_gone(struct bytes key, const char *what)
{
    expect_status(get(NS, key), ENGINE_MISS, what);
}

Test(tags, drop_what_has_them_and_nothing_else)
{
    const struct bytes red = BYTES("red"), blue = BYTES("blue"), both[] = { BYTES("blue"), BYTES("red") };

    if (!can(ENGINE_CAN_TAG))
        return;
    expect_status(put_tagged(NS, BYTES("r"), &red, 1), ENGINE_CREATED, "put");
    put_tagged(NS, BYTES("r2"), &red, 1);
    put_tagged(NS, BYTES("b"), &blue, 1);
    put_tagged(NS, BYTES("rb"), both, 2);
    put(NS, BYTES("none"), BYTES("x"));
    put_tagged(OTHER, BYTES("r"), &red, 1);
    expect_stands(BYTES("rb"), "before");
    expect_status(flush_tag(NS, red), ENGINE_OK, "flush");
    expect_gone(BYTES("r"), "red");
    expect_gone(BYTES("r2"), "red too");
    expect_gone(BYTES("rb"), "among others red");
    expect_stands(BYTES("b"), "blue");
    expect_stands(BYTES("none"), "without tags");
    expect_value(OTHER, BYTES("r"), BYTES("x"), "of another namespace");
}

Test(tags, leave_what_is_written_afterwards)
{
    const struct bytes red = BYTES("red");

    if (!can(ENGINE_CAN_TAG))
        return;
    for (int i = 0; i < 4; i++) {
        expect_status(put_tagged(NS, KEY, &red, 1), ENGINE_CREATED, "put");
        expect_stands(KEY, "after a flush before it");
        expect_status(flush_tag(NS, red), ENGINE_OK, "flush");
        expect_gone(KEY, "flushed");
    }
    expect_status(flush_tag(NS, red), ENGINE_OK, "flush of nothing");
    expect_status(flush_tag(BYTES("nowhere"), red), ENGINE_OK, "flush of nothing anywhere");
}

Test(tags, are_those_of_the_last_write)
{
    const struct bytes red = BYTES("red"), blue = BYTES("blue");

    if (!can(ENGINE_CAN_TAG))
        return;
    put_tagged(NS, KEY, &red, 1);
    expect_status(put_tagged(NS, KEY, &blue, 1), ENGINE_OK, "replaced");
    flush_tag(NS, red);
    expect_stands(KEY, "no longer red");
    expect_status(put(NS, KEY, BYTES("x")), ENGINE_OK, "replaced without");
    flush_tag(NS, blue);
    expect_stands(KEY, "no longer blue");
    put_tagged(NS, KEY, &red, 1);
    expect_status(touch_for(NS, KEY, 60000, NULL), ENGINE_OK, "touch");
    flush_tag(NS, red);
    expect_gone(KEY, "red again, and touched");
}

Test(tags, hold_any_bytes)
{
    char longest[ENGINE_TAG_BYTES_MAX] = "", almost[ENGINE_TAG_BYTES_MAX] = "";
    const struct bytes odd[] = { BYTES("a"),
                                 BYTES("a\0"),
                                 BYTES("a\0b"),
                                 BYTES("\0"),
                                 BYTES("a,b"),
                                 BYTES(" "),
                                 BYTES("\r\n"),
                                 BYTES("{x}"),
                                 BYTES("\xff\xfe"),
                                 BYTES("A"),
                                 bytes_of(longest, sizeof longest),
                                 bytes_of(almost, sizeof almost) };
    enum { COUNT = sizeof odd / sizeof odd[0] };
    char text[32];

    if (!can(ENGINE_CAN_TAG))
        return;
    memset(longest, 't', sizeof longest);
    memset(almost, 't', sizeof almost);
    almost[sizeof almost - 1] = 'u';
    for (int i = 0; i < COUNT; i++)
        put_tagged(NS, numbered(text, "k", i), &odd[i], 1);
    for (int i = 0; i < COUNT; i++) {
        expect_status(flush_tag(NS, odd[i]), ENGINE_OK, "flush");
        expect_gone(numbered(text, "k", i), "flushed");
        for (int j = i + 1; j < COUNT; j++)
            expect_stands(numbered(text, "k", j), "of another tag");
    }
}

Test(tags, may_be_thirty_two_and_each_drops_it)
{
    char texts[ENGINE_TAGS_MAX][ENGINE_TAG_BYTES_MAX];
    struct bytes all[ENGINE_TAGS_MAX];

    if (!can(ENGINE_CAN_TAG))
        return;
    for (int i = 0; i < ENGINE_TAGS_MAX; i++) {
        memset(texts[i], 'a', sizeof texts[i]);
        texts[i][sizeof texts[i] - 1] = (char)i;
        all[i] = bytes_of(texts[i], sizeof texts[i]);
    }
    for (int i = 0; i < ENGINE_TAGS_MAX; i++) {
        expect_status(put_tagged(NS, KEY, all, ENGINE_TAGS_MAX), ENGINE_CREATED, "put");
        expect_stands(KEY, "put");
        expect_status(flush_tag(NS, all[i]), ENGINE_OK, "flush");
        expect_gone(KEY, "flushed");
    }
}

Test(tags, make_what_they_drop_nothing_to_conditions)
{
    static const struct engine_condition if_absent = { .if_none_match = { .given = true, .any = true } };
    static const struct engine_condition if_any = { .if_match = { .given = true, .any = true } };
    const struct bytes red = BYTES("red");

    if (!can(ENGINE_CAN_TAG | ENGINE_CAN_CONDITIONS))
        return;
    put_tagged(NS, KEY, &red, 1);
    flush_tag(NS, red);
    expect_status(touch_for(NS, KEY, 1000, NULL), ENGINE_MISS, "touch");
    expect_status(put_if(NS, KEY, BYTES("x"), &if_any), ENGINE_MISMATCH, "replace");
    expect_status(delete_if(NS, KEY, NULL), ENGINE_MISS, "delete");
    expect_status(put_if(NS, KEY, BYTES("x"), &if_absent), ENGINE_CREATED, "create");
    flush_tag(NS, red);
    expect_stands(KEY, "without tags");
}

Test(tags, go_together_with_flushes_of_more)
{
    const struct bytes red = BYTES("red");

    if (!can(ENGINE_CAN_TAG | ENGINE_CAN_FLUSH))
        return;
    for (int i = 0; i < 4; i++) {
        put_tagged(NS, KEY, &red, 1);
        flush(i % 2 ? NS : BYTES_NONE);
        expect_gone(KEY, "flushed with all");
        put_tagged(NS, KEY, &red, 1);
        expect_stands(KEY, "written anew");
        flush_tag(NS, red);
        expect_gone(KEY, "flushed by its tag");
    }
}

Test(tags, of_many_entries_drop_them_at_once)
{
    const struct bytes red = BYTES("red");
    struct engine_put with = { .tags = &red, .tag_count = 1 };
    static struct engine_op ops[500];
    static char texts[500][32];
    struct value *value;

    if (!can(ENGINE_CAN_TAG))
        return;
    value = value_for(BYTES("x"), BYTES("text/plain"));
    for (int i = 0; i < 500; i++) {
        ops[i] = op_for(ENGINE_PUT, NS, numbered(texts[i], "k", i));
        ops[i].put = i % 2 ? &with : NULL;
        ops[i].value = value;
    }
    client_run_batch(&client, ops, 500);
    value_unref(value);
    expect_status(flush_tag(NS, red), ENGINE_OK, "flush");
    for (int i = 0; i < 500; i++) {
        ops[i] = op_for(ENGINE_GET, NS, ops[i].key);
        ops[i].without_value = true;
    }
    client_run_batch(&client, ops, 500);
    for (int i = 0; i < 500; i++)
        expect_status(ops[i], i % 2 ? ENGINE_MISS : ENGINE_OK, "after");
}

Test(tags, flushed_are_gone_for_other_sessions_at_once)
{
    const struct bytes red = BYTES("red");
    struct client other;

    if (!can(ENGINE_CAN_TAG))
        return;
    client_open(&other);
    for (int i = 0; i < 50; i++) {
        struct engine_op op = op_for(ENGINE_GET, NS, KEY);
        put_tagged(NS, KEY, &red, 1);
        client_run(&other, &op);
        expect_status(op, ENGINE_OK, "before");
        value_unref(op.entry.value);
        flush_tag(NS, red);
        op = op_for(ENGINE_GET, NS, KEY);
        client_run(&other, &op);
        expect_status(op, ENGINE_MISS, "after");
    }
    client_close(&other);
}

/* ---- Races ---- */

static void race_to_tag(struct racer *racer)
{
    const struct bytes both[] = { BYTES("red"), BYTES("blue") };
    struct engine_put with = { .tags = both, .tag_count = 2 };
    char text[32];

    for (int i = 0; i < 60; i++) {
        struct engine_op op = op_for(racer->index == 0 ? ENGINE_FLUSH : ENGINE_PUT, NS, BYTES_NONE);
        if (racer->index == 0) {
            op.tag = both[0];
        } else {
            op.key = numbered(text, "k", (int)racer->index * 1000 + i);
            op.put = &with;
            op.value = value_for(BYTES("x"), BYTES(""));
        }
        client_run(&racer->client, &op);
        value_unref(op.value);
        racer->failed += op.status != (racer->index == 0 ? ENGINE_OK : ENGINE_CREATED);
    }
}

Test(tags, flushed_among_racing_writers_leave_nothing_older)
{
    const struct bytes blue = BYTES("blue");
    char text[32];

    if (!can(ENGINE_CAN_TAG))
        return;
    race(4, race_to_tag);
    expect_status(flush_tag(NS, blue), ENGINE_OK, "flush");
    for (int racer = 1; racer < 4; racer++)
        for (int i = 0; i < 60; i++)
            expect_gone(numbered(text, "k", racer * 1000 + i), "written before the last flush");
}
