/* Names never alias, and a cluster's tags lie where they must. */
#include "engines/redis/keys.h"

#include <criterion/criterion.h>
#include <stdio.h>

static struct bytes entry(const struct redis_keys *keys, struct bytes ns, struct bytes key, struct redis_name *name)
{
    cr_assert(redis_keys_entry(keys, redis_keys_bucket(keys, ns, key), ns, key, name));
    return redis_name_bytes(name);
}

Test(redis_keys, a_prefix_without_delimiters_is_good)
{
    cr_assert(redis_keys_prefix_is_good(BYTES("cubby")));
    cr_assert(redis_keys_prefix_is_good(BYTES("a.b-c_d/e")));
    cr_assert_not(redis_keys_prefix_is_good(BYTES_NONE));
    cr_assert_not(redis_keys_prefix_is_good(BYTES("a:b")));
    cr_assert_not(redis_keys_prefix_is_good(BYTES("a{b")));
    cr_assert_not(redis_keys_prefix_is_good(BYTES("a*")));
    cr_assert_not(redis_keys_prefix_is_good(BYTES("a b")));
    cr_assert_not(redis_keys_prefix_is_good(BYTES("a\n")));
}

Test(redis_keys, names_of_one_server)
{
    struct redis_keys keys;
    struct redis_name name;

    redis_keys_init(&keys, BYTES("cubby"), false);
    cr_assert(bytes_equal(entry(&keys, BYTES("users"), BYTES("a:b\0c"), &name), BYTES("cubby:users:a:b\0c")));
    cr_assert(redis_keys_generation(&keys, 0, BYTES("users"), &name));
    cr_assert(bytes_equal(redis_name_bytes(&name), BYTES("cubby::gen:users")));
    cr_assert(redis_keys_generation(&keys, 0, BYTES_NONE, &name));
    cr_assert(bytes_equal(redis_name_bytes(&name), BYTES("cubby::gen:")));
}

Test(redis_keys, no_two_pairs_share_a_name)
{
    static const struct bytes pairs[][2] = {
        { { "a", 1 }, { "b:c", 3 } }, { { "a", 1 }, { ":b:c", 4 } }, { { "ab", 2 }, { "c", 1 } },
        { { "a", 1 }, { "bc", 2 } },  { { "a", 1 }, { "b\0c", 3 } }, { { "a", 1 }, { "b", 1 } },
        { { "gen", 3 }, { "a", 1 } }, { { "a", 1 }, { ":gen:a", 6 } },
    };
    enum { COUNT = sizeof pairs / sizeof pairs[0] };

    for (int clustered = 0; clustered < 2; clustered++) {
        struct redis_name names[COUNT], generation;
        struct redis_keys keys;
        redis_keys_init(&keys, BYTES("p"), clustered);
        for (int i = 0; i < COUNT; i++) {
            entry(&keys, pairs[i][0], pairs[i][1], &names[i]);
            for (int j = 0; j < i; j++)
                cr_assert_not(bytes_equal(redis_name_bytes(&names[i]), redis_name_bytes(&names[j])), "%d %d", i, j);
            cr_assert(redis_keys_generation(&keys, 0, BYTES("a"), &generation));
            cr_assert_not(bytes_equal(redis_name_bytes(&names[i]), redis_name_bytes(&generation)));
        }
    }
}

/* Tags hold any bytes, colons and braces among them. */
Test(redis_keys, no_name_is_shared_with_what_the_service_keeps_besides)
{
    static const struct bytes tags[] = { { "t", 1 }, { "t:u", 3 }, { ":", 1 }, { "}{", 2 }, { "\0", 1 } };
    enum { TAGS = sizeof tags / sizeof tags[0], NAMES = TAGS + 6 };

    for (int clustered = 0; clustered < 2; clustered++) {
        struct redis_name names[NAMES];
        struct redis_keys keys;
        redis_keys_init(&keys, BYTES("p"), clustered);
        for (int i = 0; i < TAGS; i++)
            cr_assert(redis_keys_tag(&keys, 0, BYTES("a"), tags[i], &names[i]));
        cr_assert(redis_keys_generation(&keys, 0, BYTES("a"), &names[TAGS]));
        cr_assert(redis_keys_generation(&keys, 0, BYTES_NONE, &names[TAGS + 1]));
        cr_assert(redis_keys_index(&keys, 0, BYTES("a"), &names[TAGS + 2], &names[TAGS + 3]));
        cr_assert(redis_keys_entry(&keys, 0, BYTES("a"), BYTES("t"), &names[TAGS + 4]));
        cr_assert(redis_keys_entry(&keys, 0, BYTES("tag"), BYTES("a:t"), &names[TAGS + 5]));
        for (int i = 0; i < NAMES; i++)
            for (int j = 0; j < i; j++)
                cr_assert_not(bytes_equal(redis_name_bytes(&names[i]), redis_name_bytes(&names[j])), "%d %d", i, j);
    }
}

/* The scripts derive these from the names of the generations. */
Test(redis_keys, names_of_tags_and_of_an_index)
{
    struct redis_keys keys;
    struct redis_name name, lens;

    redis_keys_init(&keys, BYTES("cubby"), false);
    cr_assert(redis_keys_tag(&keys, 0, BYTES("users"), BYTES("a:\0"), &name));
    cr_assert(bytes_equal(redis_name_bytes(&name), BYTES("cubby::tag:users:a:\0")));
    cr_assert(redis_keys_index(&keys, 0, BYTES("users"), &name, &lens));
    cr_assert(bytes_equal(redis_name_bytes(&name), BYTES("cubby::end:users")));
    cr_assert(bytes_equal(redis_name_bytes(&lens), BYTES("cubby::len:users")));
}

Test(redis_keys, what_is_too_long_is_refused)
{
    char text[1025] = { 0 };
    struct redis_keys keys;
    struct redis_name name;

    redis_keys_init(&keys, BYTES("p"), false);
    cr_assert(redis_keys_entry(&keys, 0, bytes_of(text, 64), bytes_of(text, 1024), &name));
    cr_assert_not(redis_keys_entry(&keys, 0, bytes_of(text, 65), bytes_of(text, 1), &name));
    cr_assert_not(redis_keys_entry(&keys, 0, bytes_of(text, 1), bytes_of(text, 1025), &name));
}

/* Redis Cluster specification, appendix A: CRC16("123456789") is 31C3. */
Test(redis_keys, crc16_is_the_specifications)
{
    cr_assert_eq(redis_keys_crc16(0, BYTES("123456789")), 0x31c3);
    cr_assert_eq(redis_keys_crc16(redis_keys_crc16(0, BYTES("1234")), BYTES("56789")), 0x31c3);
    cr_assert_eq(redis_keys_crc16(0, BYTES("foo")) % KEYS_SLOTS, 12182);
    cr_assert_eq(redis_keys_crc16(0, BYTES("\xff\x00\x80")), redis_keys_crc16(0, BYTES("\xff\x00\x80")));
}

Test(redis_keys, each_bucket_has_a_tag_of_its_own_in_its_own_slots)
{
    struct redis_keys keys;
    char text[16];

    redis_keys_init(&keys, BYTES("p"), true);
    for (unsigned bucket = 0; bucket < KEYS_BUCKETS; bucket++) {
        int len = snprintf(text, sizeof text, "%u", keys.tags[bucket]);
        unsigned slot = redis_keys_crc16(0, bytes_of(text, (size_t)len)) % KEYS_SLOTS;
        cr_assert_eq(slot, keys.slots[bucket]);
        cr_assert_eq(slot / KEYS_BUCKET_SLOTS, bucket);
    }
}
