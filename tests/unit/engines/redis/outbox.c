#include "engines/redis/outbox.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* Takes everything out, `step` bytes at a time. */
static size_t drain(struct outbox *outbox, char *out, size_t step)
{
    struct iovec pieces[4];
    size_t len = 0;

    while (redis_outbox_peek(outbox, pieces, 4) > 0) {
        size_t part = pieces[0].iov_len < step ? pieces[0].iov_len : step;
        memcpy(out + len, pieces[0].iov_base, part);
        len += part;
        redis_outbox_consume(outbox, part);
    }
    return len;
}

Test(redis_outbox, commands_are_arrays_of_bulk_strings)
{
    static const char expected[] = "*3\r\n$3\r\nSET\r\n$3\r\na\0b\r\n$2\r\n-5\r\n";
    struct outbox outbox;
    char out[128];

    redis_outbox_init(&outbox);
    redis_outbox_command(&outbox, 3);
    redis_outbox_bulk(&outbox, BYTES("SET"));
    redis_outbox_bulk(&outbox, BYTES("a\0b"));
    redis_outbox_bulk_number(&outbox, -5);
    cr_assert_eq(redis_outbox_unsent(&outbox), sizeof expected - 1);
    cr_assert_eq(drain(&outbox, out, 128), sizeof expected - 1);
    cr_assert_arr_eq(out, expected, sizeof expected - 1);
    cr_assert_eq(redis_outbox_unsent(&outbox), 0);
    cr_assert_not(outbox.failed);
    redis_outbox_release(&outbox);
}

Test(redis_outbox, large_values_are_referenced_and_order_is_kept)
{
    enum { LARGE = 100000, ROUNDS = 40 };
    struct value *large = value_create(BYTES(""), LARGE), *small = value_create(BYTES(""), 10);
    struct outbox outbox;
    char *out = malloc((LARGE + 20) * ROUNDS);

    redis_outbox_init(&outbox);
    for (size_t step = 1000; step < 200000; step *= 7) {
        size_t at = 0;
        memset(value_writable(large), 'L', LARGE);
        memset(value_writable(small), 's', 10);
        for (int i = 0; i < ROUNDS; i++) {
            redis_outbox_add(&outbox, BYTES("head"));
            redis_outbox_add_value(&outbox, large);
            redis_outbox_add_value(&outbox, small);
        }
        cr_assert_eq(large->refs, ROUNDS + 1, "not copied");
        cr_assert_eq(drain(&outbox, out, step), (size_t)ROUNDS * (LARGE + 14));
        cr_assert_eq(large->refs, 1, "given back");
        for (int i = 0; i < ROUNDS; i++, at += LARGE + 14) {
            cr_assert_arr_eq(out + at, "headLL", 6);
            cr_assert_arr_eq(out + at + 4 + LARGE - 1, "Lssssssssss", 11);
        }
    }
    redis_outbox_add_value(&outbox, large);
    redis_outbox_release(&outbox);
    cr_assert_eq(large->refs, 1, "given back when unsent");
    value_unref(large);
    value_unref(small);
    free(out);
}

/* Commands of all sizes one after the other, so that each place of a chunk's end is met. */
Test(redis_outbox, a_chunk_may_end_anywhere_in_a_command)
{
    enum { COMMANDS = 3000, ARGUMENT = 40 };
    static char argument[ARGUMENT], out[COMMANDS * 80], expected[COMMANDS * 80];
    struct outbox outbox;
    size_t len = 0;

    memset(argument, 'a', sizeof argument);
    redis_outbox_init(&outbox);
    for (int i = 0; i < COMMANDS; i++) {
        int part = i * 7 % ARGUMENT;
        long long number = i % 2 ? INT64_MIN + i : INT64_MAX - i;
        redis_outbox_command(&outbox, 2);
        redis_outbox_bulk(&outbox, bytes_of(argument, (size_t)part));
        redis_outbox_bulk_number(&outbox, number);
        len += (size_t)sprintf(expected + len, "*2\r\n$%d\r\n%.*s\r\n$%d\r\n%lld\r\n", part, part, argument,
                               snprintf(NULL, 0, "%lld", number), number);
    }
    cr_assert_eq(redis_outbox_unsent(&outbox), len);
    cr_assert_eq(drain(&outbox, out, 5000), len);
    cr_assert_arr_eq(out, expected, len);
    redis_outbox_release(&outbox);
}
