/* If-Match and If-None-Match: met, failed, and atomic. */
#include <criterion/criterion.h>

#include "tests/contract/contract.h"

#define NS BYTES("conditions")
#define KEY BYTES("key")

TestSuite(conditions, .init = contract_open, .fini = contract_close, .timeout = 120);

static const struct engine_condition if_any = { .if_match = { .given = true, .any = true } };
static const struct engine_condition if_absent = { .if_none_match = { .given = true, .any = true } };
static const struct engine_condition if_empty = { .if_match = { .given = true } };
static const struct engine_condition if_none_empty = { .if_none_match = { .given = true } };

static struct engine_condition match(const engine_version *versions, size_t count)
{
    return (struct engine_condition){ .if_match = { .given = true, .count = count, .versions = versions } };
}

static struct engine_condition none_match(const engine_version *versions, size_t count)
{
    return (struct engine_condition){ .if_none_match = { .given = true, .count = count, .versions = versions } };
}

static void expect_mismatch(struct engine_op op, engine_version stands, const char *what)
{
    expect_status(op, ENGINE_MISMATCH, what);
    cr_assert_eq(op.entry.version, stands, "%s: it tells the wrong version", what);
}

Test(conditions, create_if_absent_creates_once)
{
    struct engine_op op;

    if (!can(ENGINE_CAN_CONDITIONS))
        return;
    op = put_if(NS, KEY, BYTES("one"), &if_absent);
    expect_status(op, ENGINE_CREATED, "first");
    expect_mismatch(put_if(NS, KEY, BYTES("two"), &if_absent), op.entry.version, "second");
    expect_value(NS, KEY, BYTES("one"), "the first stands");
    delete_if(NS, KEY, NULL);
    expect_status(put_if(NS, KEY, BYTES("three"), &if_absent), ENGINE_CREATED, "after delete");
}

Test(conditions, put_if_match_replaces_only_the_version_named)
{
    engine_version first, second, list[3];
    struct engine_condition condition;

    if (!can(ENGINE_CAN_CONDITIONS))
        return;
    first = put(NS, KEY, BYTES("one")).entry.version;
    condition = match(&first, 1);
    second = put_if(NS, KEY, BYTES("two"), &condition).entry.version;
    cr_assert_neq(second, first);
    expect_mismatch(put_if(NS, KEY, BYTES("three"), &condition), second, "stale");
    expect_value(NS, KEY, BYTES("two"), "unchanged");
    list[0] = first;
    list[1] = first ^ 1;
    list[2] = second;
    condition = match(list, 3);
    expect_status(put_if(NS, KEY, BYTES("four"), &condition), ENGINE_OK, "one of a list");
    expect_status(put_if(NS, KEY, BYTES("five"), &if_any), ENGINE_OK, "any");
}

Test(conditions, if_match_never_creates)
{
    engine_version some = 12345;
    struct engine_condition condition = match(&some, 1);

    if (!can(ENGINE_CAN_CONDITIONS))
        return;
    expect_mismatch(put_if(NS, KEY, BYTES("one"), &condition), 0, "a version");
    expect_mismatch(put_if(NS, KEY, BYTES("one"), &if_any), 0, "any");
    expect_mismatch(put_if(NS, KEY, BYTES("one"), &if_empty), 0, "empty list");
    expect_status(get(NS, KEY), ENGINE_MISS, "nothing was stored");
}

Test(conditions, an_empty_list_matches_nothing)
{
    engine_version version;

    if (!can(ENGINE_CAN_CONDITIONS))
        return;
    version = put(NS, KEY, BYTES("one")).entry.version;
    expect_mismatch(put_if(NS, KEY, BYTES("two"), &if_empty), version, "if-match");
    expect_status(put_if(NS, KEY, BYTES("three"), &if_none_empty), ENGINE_OK, "if-none-match");
    expect_value(NS, KEY, BYTES("three"), "after");
}

Test(conditions, put_if_none_match_spares_the_versions_named)
{
    engine_version version, list[2];
    struct engine_condition condition;

    if (!can(ENGINE_CAN_CONDITIONS))
        return;
    version = put(NS, KEY, BYTES("one")).entry.version;
    list[0] = version ^ 1;
    list[1] = version;
    condition = none_match(list, 2);
    expect_mismatch(put_if(NS, KEY, BYTES("two"), &condition), version, "named");
    condition = none_match(list, 1);
    expect_status(put_if(NS, KEY, BYTES("three"), &condition), ENGINE_OK, "another one");
    expect_status(delete_if(NS, KEY, NULL), ENGINE_OK, "delete");
    condition = none_match(list, 2);
    expect_status(put_if(NS, KEY, BYTES("four"), &condition), ENGINE_CREATED, "nothing stands");
}

Test(conditions, both_must_hold)
{
    engine_version version, other;
    struct engine_condition condition;

    if (!can(ENGINE_CAN_CONDITIONS))
        return;
    version = put(NS, KEY, BYTES("one")).entry.version;
    other = version ^ 1;
    condition = (struct engine_condition){ { .given = true, .count = 1, .versions = &version },
                                           { .given = true, .any = true } };
    expect_mismatch(put_if(NS, KEY, BYTES("two"), &condition), version, "contradictory");
    condition.if_none_match = (struct engine_tags){ .given = true, .count = 1, .versions = &other };
    expect_status(put_if(NS, KEY, BYTES("three"), &condition), ENGINE_OK, "both met");
    expect_value(NS, KEY, BYTES("three"), "after");
}

Test(conditions, delete_obeys_them)
{
    engine_version version, other;
    struct engine_condition condition;

    if (!can(ENGINE_CAN_CONDITIONS))
        return;
    version = put(NS, KEY, BYTES("one")).entry.version;
    other = version ^ 1;
    condition = match(&other, 1);
    expect_mismatch(delete_if(NS, KEY, &condition), version, "another version");
    condition = none_match(&version, 1);
    expect_mismatch(delete_if(NS, KEY, &condition), version, "none-match of its version");
    expect_mismatch(delete_if(NS, KEY, &if_absent), version, "none-match any");
    expect_value(NS, KEY, BYTES("one"), "it stands");
    condition = match(&version, 1);
    expect_status(delete_if(NS, KEY, &condition), ENGINE_OK, "its version");
    expect_mismatch(delete_if(NS, KEY, &condition), 0, "absent, if-match");
    expect_mismatch(delete_if(NS, KEY, &if_any), 0, "absent, any");
    expect_status(delete_if(NS, KEY, &if_absent), ENGINE_MISS, "absent, none-match");
}

Test(conditions, touch_obeys_them)
{
    engine_version version, other;
    struct engine_condition condition;

    if (!can(ENGINE_CAN_CONDITIONS))
        return;
    version = put(NS, KEY, BYTES("one")).entry.version;
    other = version ^ 1;
    condition = match(&other, 1);
    expect_mismatch(touch_for(NS, KEY, 5000, &condition), version, "another version");
    cr_assert_eq(get(NS, KEY).entry.ttl_ms, ENGINE_NO_EXPIRY);
    condition = match(&version, 1);
    expect_status(touch_for(NS, KEY, 5000, &condition), ENGINE_OK, "its version");
    expect_status(touch_for(NS, KEY, 6000, &if_any), ENGINE_OK, "any");
    cr_assert_eq(get(NS, KEY).entry.version, version);
    delete_if(NS, KEY, NULL);
    expect_mismatch(touch_for(NS, KEY, 5000, &if_any), 0, "absent");
}

Test(conditions, get_leaves_them_to_the_caller)
{
    struct engine_op op;
    engine_version version = put(NS, KEY, BYTES("one")).entry.version;

    op = op_for(ENGINE_GET, NS, KEY);
    op.condition = &if_absent;
    op.without_value = true;
    client_run(&client, &op);
    expect_status(op, ENGINE_OK, "get");
    cr_assert_eq(op.entry.version, version);
}

/* ---- Races ---- */

enum { RACERS = 4, ROUNDS = 100 };

static unsigned created[RACERS][ROUNDS];

static void race_to_create(struct racer *racer)
{
    char text[32];

    for (int round = 0; round < ROUNDS; round++) {
        struct engine_op op = op_for(ENGINE_PUT, NS, numbered(text, "round-", round));
        op.value = value_for(BYTES("x"), BYTES("text/plain"));
        op.condition = &if_absent;
        race_meet(racer);
        client_run(&racer->client, &op);
        created[racer->index][round] = op.status == ENGINE_CREATED;
        racer->failed += op.status != ENGINE_CREATED && op.status != ENGINE_MISMATCH;
        value_unref(op.value);
    }
}

Test(conditions, of_racing_creators_exactly_one_creates)
{
    if (!can(ENGINE_CAN_CONDITIONS))
        return;
    race(RACERS, race_to_create);
    for (int round = 0; round < ROUNDS; round++) {
        unsigned count = 0;
        for (int i = 0; i < RACERS; i++)
            count += created[i][round];
        cr_assert_eq(count, 1, "round %d: %u created", round, count);
    }
}

/* Adds one to the number stored under KEY; false when another was faster. */
static bool try_to_add(struct racer *racer)
{
    struct engine_op op = op_for(ENGINE_GET, NS, KEY);
    struct engine_condition condition;
    engine_version version;
    unsigned count;

    client_run(&racer->client, &op);
    if (op.status != ENGINE_OK || op.entry.bytes != sizeof count) {
        racer->failed++;
        return true;
    }
    version = op.entry.version;
    memcpy(&count, op.entry.value->data, sizeof count);
    value_unref(op.entry.value);
    count++;
    condition = match(&version, 1);
    op = op_for(ENGINE_PUT, NS, KEY);
    op.value = value_for(bytes_of((char *)&count, sizeof count), BYTES(""));
    op.condition = &condition;
    client_run(&racer->client, &op);
    value_unref(op.value);
    racer->failed += op.status != ENGINE_OK && op.status != ENGINE_MISMATCH;
    return op.status != ENGINE_MISMATCH;
}

static void race_to_add(struct racer *racer)
{
    for (int round = 0; round < ROUNDS; round++)
        while (!try_to_add(racer))
            continue;
}

Test(conditions, no_update_is_lost_between_racing_writers)
{
    unsigned count = 0;

    if (!can(ENGINE_CAN_CONDITIONS))
        return;
    put(NS, KEY, bytes_of((char *)&count, sizeof count));
    race(RACERS, race_to_add);
    count = RACERS * ROUNDS;
    expect_value(NS, KEY, bytes_of((char *)&count, sizeof count), "the sum");
}
