#include "routes/many/batch_op.h"

#include <stdio.h>

#include "tests/support/exact.h"

static const struct settings settings = { .cache_max_value_bytes = 1000, .cache_default_ttl_ms = 7000 };
static const struct engine engine = { .capabilities = ~0u };
static struct arena arena;

static bool read_with(const struct engine *by, bool import, struct bytes text, struct batch_op *op,
                      struct batch_fault *fault)
{
    struct batch_scope scope = { &settings, by, BYTES("ns"), &arena, import };

    return batch_op_read(&scope, text, op, fault);
}

/* The text stays with the operation, which borrows it. */
static struct bytes read_good(const char *json, struct batch_op *op)
{
    struct bytes text = exact_copy(bytes_str(json));
    struct batch_fault fault;

    cr_assert(read_with(&engine, false, text, op, &fault), "%s: %s", json, fault.detail);
    return text;
}

static void done(struct batch_op *op, struct bytes text)
{
    batch_op_release(op);
    arena_release(&arena);
    exact_free(text);
}

Test(batch_op, takes_a_lease_token_as_the_field_does)
{
    static const struct {
        const char *digits;
        uint64_t token; /* 0: none, so one that nobody has */
    } cases[] = {
        { "00000000000000ff", 255 }, { "FEDCBA9876543210", UINT64_C(0xfedcba9876543210) }, { "0000000000000000", 0 },
        { "", 0 },                   { "ff", 0 },                                          { "00000000000000fg", 0 },
        { "000000000000000ff", 0 },
    };
    char json[128];

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct batch_op op;
        struct batch_fault fault;
        struct bytes text;

        snprintf(json, sizeof json, "{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"lease_token\":\"%s\"}", cases[i].digits);
        text = exact_copy(bytes_str(json));
        cr_expect(read_with(&engine, false, text, &op, &fault), "%s", cases[i].digits);
        cr_expect_eq(op.op.put, &op.put);
        cr_expect_neq(op.put.lease, 0);
        if (cases[i].token != 0)
            cr_expect_eq(op.put.lease, cases[i].token);
        done(&op, text);
    }
}

Test(batch_op, reads_a_put_with_all_that_it_may_have)
{
    struct batch_op op;
    struct bytes text = read_good("{\"op\":\"put\",\"key\":\"a\\u0000\\ud83d\\ude00\",\"value\":{ \"n\" : 1e400 },\"ttl\":1.5,"
                                  "\"stale\":\"2s\",\"tags\":[\"x\",\"\\u0079\",\"x\"],\"fence_token\":9007199254740991,"
                                  "\"lease_token\":\"00000000000000ff\",\"if_match\":[\"\\\"0000000000000001\\\"\","
                                  "\"W/\\\"x\\\"\"],\"if_none_match\":\"*\"}",
                                  &op);

    cr_expect_eq(op.op.verb, ENGINE_PUT);
    cr_expect(bytes_equal(op.op.ns, BYTES("ns")));
    cr_expect(bytes_equal(op.op.key, BYTES("a\0\xF0\x9F\x98\x80")));
    cr_expect(bytes_equal(value_bytes(op.op.value), BYTES("{ \"n\" : 1e400 }")));
    cr_expect(bytes_equal(value_content_type(op.op.value), BYTES("application/json")));
    cr_expect_eq(op.op.ttl_ms, 1500);
    cr_expect_eq(op.op.idle_ms, ENGINE_NO_IDLE);
    cr_assert_eq(op.op.put, &op.put);
    cr_expect_eq(op.put.stale_ms, 2000);
    cr_assert_eq(op.put.tag_count, 2);
    cr_expect(bytes_equal(op.put.tags[1], BYTES("y")));
    cr_expect_eq(op.put.fence, UINT64_C(9007199254740991));
    cr_expect_eq(op.put.lease, 255);
    cr_assert_eq(op.op.condition, &op.condition);
    cr_assert_eq(op.condition.if_match.count, 1);
    cr_expect_eq(op.condition.if_match.versions[0], 1);
    cr_expect(op.condition.if_none_match.any);
    done(&op, text);
}

Test(batch_op, settles_times_as_one_put_does)
{
    static const struct {
        const char *json;
        int64_t ttl_ms, idle_ms;
    } cases[] = {
        { "{\"op\":\"put\",\"key\":\"k\",\"value\":1}", 7000, ENGINE_NO_IDLE },
        { "{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"ttl\":null}", ENGINE_NO_EXPIRY, ENGINE_NO_IDLE },
        { "{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"ttl\":\"none\",\"idle\":2}", ENGINE_NO_EXPIRY, 2000 },
        { "{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"ttl\":\"90s\",\"idle\":null}", 90000, ENGINE_NO_IDLE },
        { "{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"ttl\":0.0001}", 1, ENGINE_NO_IDLE },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct batch_op op;
        struct bytes text = read_good(cases[i].json, &op);

        cr_expect_eq(op.op.ttl_ms, cases[i].ttl_ms, "%s", cases[i].json);
        cr_expect_eq(op.op.idle_ms, cases[i].idle_ms, "%s", cases[i].json);
        cr_expect_null(op.op.put);
        cr_expect_null(op.op.condition);
        done(&op, text);
    }
}

Test(batch_op, keeps_the_condition_of_a_get_for_whoever_answers_it)
{
    struct batch_op op;
    struct bytes text = read_good("{\"op\":\"get\",\"key\":\"k\",\"if_none_match\":[]}", &op);

    cr_expect_null(op.op.condition);
    cr_expect(op.conditional && op.condition.if_none_match.given && !op.condition.if_none_match.any);
    done(&op, text);
}

Test(batch_op, an_import_needs_no_op_and_takes_put_alone)
{
    struct batch_fault fault;
    struct batch_op op;
    char put[] = "{\"key\":\"k\",\"value\":1}", get[] = "{\"op\":\"get\",\"key\":\"k\"}";

    cr_assert(read_with(&engine, true, bytes_str(put), &op, &fault));
    batch_op_release(&op);
    cr_expect_not(read_with(&engine, true, bytes_str(get), &op, &fault));
    cr_expect_str_eq(fault.detail, "\"op\": an import takes put only");
}

Test(batch_op, says_what_the_engine_cannot_do)
{
    static const struct {
        const char *json;
        unsigned lacks;
    } cases[] = {
        { "{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"tags\":[\"a\"]}", ENGINE_CAN_TAG },
        { "{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"fence_token\":1}", ENGINE_CAN_FENCE },
        { "{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"ttl\":1,\"stale\":1}", ENGINE_CAN_LEASE },
        { "{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"idle\":1}", ENGINE_CAN_SLIDE },
        { "{\"op\":\"delete\",\"key\":\"k\",\"if_match\":\"*\"}", ENGINE_CAN_CONDITIONS },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct engine lacking = { .capabilities = ~cases[i].lacks };
        struct bytes text = exact_copy(bytes_str(cases[i].json));
        struct batch_fault fault;
        struct batch_op op;

        cr_expect_not(read_with(&lacking, false, text, &op, &fault), "%s", cases[i].json);
        cr_expect_eq(fault.problem, PROBLEM_NOT_SUPPORTED_BY_ENGINE, "%s", cases[i].json);
        arena_release(&arena);
        exact_free(text);
    }
}

Test(batch_op, owns_nothing_after_a_fault)
{
    static const struct {
        const char *json;
        enum problem problem;
        const char *words;
    } bad[] = {
        { "{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"stale\":5,\"idle\":5}", PROBLEM_BAD_REQUEST, "\"stale\"" },
        { "{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"ttl\":null,\"stale\":5}", PROBLEM_BAD_REQUEST, "\"stale\"" },
        { "{\"op\":\"put\",\"key\":\"k\",\"value\":\"\\ud800\",\"content_type\":\"a/b\"}", PROBLEM_BAD_REQUEST, "surrogate" },
        { "{\"op\":\"put\",\"key\":\"k\",\"value\":1,\"lease_token\":17}", PROBLEM_BAD_REQUEST, "lease" },
        { "{\"op\":\"put\",\"key\":\"k\",\"value\":1} ,", PROBLEM_BAD_REQUEST, "follows" },
        { "{\"op\":\"put\",\"key\":\"k\",\"a\\u0000b\":1}", PROBLEM_BAD_REQUEST, "\"a" },
    };
    char large[1200];
    struct batch_fault fault;
    struct batch_op op;

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct bytes text = exact_copy(bytes_str(bad[i].json));

        cr_expect_not(read_with(&engine, false, text, &op, &fault), "%s", bad[i].json);
        cr_expect_eq(fault.problem, bad[i].problem);
        cr_expect(strstr(fault.detail, bad[i].words), "%s", fault.detail);
        arena_release(&arena);
        exact_free(text);
    }
    snprintf(large, sizeof large, "{\"op\":\"put\",\"key\":\"k\",\"value\":\"%01000d\"}", 0);
    cr_expect_not(read_with(&engine, false, bytes_str(large), &op, &fault));
    cr_expect_eq(fault.problem, PROBLEM_CONTENT_TOO_LARGE);
}
