/* Replies pass or fail before the library reads them, however they are cut. */
#include "engines/memcached/guard.h"

#include <criterion/criterion.h>

#include <string.h>

enum { SET = 1, ADD = 2, NOOP = 10, VERSION = 11, GETK = 12, GETKQ = 13, STAT = 16, MECHS = 32, AUTH = 33 };

struct text {
    size_t len;
    unsigned char bytes[70000];
};

/* Appends a reply whose body is `body_len` bytes, `sent` of which are there. */
static void add(struct text *text, unsigned opcode, unsigned status, size_t key_len, unsigned extras, uint32_t body_len,
                size_t sent)
{
    unsigned char *h = text->bytes + text->len;

    memset(h, 'x', GUARD_HEADER_BYTES + sent);
    memset(h, 0, GUARD_HEADER_BYTES);
    h[0] = 0x81;
    h[1] = (unsigned char)opcode;
    h[2] = (unsigned char)(key_len >> 8);
    h[3] = (unsigned char)key_len;
    h[4] = (unsigned char)extras;
    h[6] = (unsigned char)(status >> 8);
    h[7] = (unsigned char)status;
    for (int i = 0; i < 4; i++)
        h[8 + i] = (unsigned char)(body_len >> (24 - 8 * i));
    text->len += GUARD_HEADER_BYTES + sent;
}

/* In pieces of each of these sizes the verdict must be the same. */
static bool passes(const struct text *text, enum guard_mode mode, bool *ended)
{
    static const size_t sizes[] = { 70000, 1, 2, 7, 23, 24, 25, 100 };
    bool verdict = false;

    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        struct reply_guard guard = { .max_value = 1000 };
        bool good = true;
        guard_expect(&guard, mode, UINT64_MAX);
        for (size_t at = 0; good && at < text->len; at += sizes[s])
            good = guard_feed(&guard, text->bytes + at, text->len - at < sizes[s] ? text->len - at : sizes[s]);
        if (s > 0)
            cr_assert_eq(good, verdict, "in pieces of %zu", sizes[s]);
        verdict = good;
        cr_assert_eq(good, guard.fault == NULL);
        if (ended)
            *ended = guard.ended;
    }
    return verdict;
}

static bool one_passes(enum guard_mode mode, unsigned opcode, unsigned status, size_t key_len, unsigned extras,
                       uint32_t body_len)
{
    static struct text text;

    text.len = 0;
    add(&text, opcode, status, key_len, extras, body_len, body_len > 60000 ? 300 : body_len);
    return passes(&text, mode, NULL);
}

Test(guard, hits_and_their_end_pass)
{
    static struct text text;
    bool ended;

    add(&text, GETKQ, 0, 250, 4, 250 + 4 + 1000, 1254);
    add(&text, GETKQ, 0, 1, 4, 5, 5);
    cr_assert(passes(&text, GUARD_READS, &ended));
    cr_assert_not(ended);
    add(&text, NOOP, 0, 0, 0, 0, 0);
    cr_assert(passes(&text, GUARD_READS, &ended));
    cr_assert(ended);
}

Test(guard, nothing_may_follow_the_end)
{
    static struct text text;

    add(&text, NOOP, 0, 0, 0, 0, 0);
    text.bytes[text.len++] = 0x81;
    cr_assert_not(passes(&text, GUARD_READS, NULL));
    text.len = 0;
    add(&text, SET, 0, 0, 0, 0, 0);
    add(&text, SET, 0, 0, 0, 0, 0);
    cr_assert_not(passes(&text, GUARD_STORE, NULL));
}

Test(guard, a_half_reply_does_not_end)
{
    static struct text text;
    bool ended;

    add(&text, SET, 2, 0, 0, 5, 4);
    cr_assert(passes(&text, GUARD_STORE, &ended));
    cr_assert_not(ended);
}

Test(guard, hostile_hits_are_refused)
{
    cr_assert(one_passes(GUARD_READS, GETKQ, 0, 10, 4, 14));
    cr_assert_not(one_passes(GUARD_READS, GETKQ, 0, 251, 4, 255), "a key that is too long");
    cr_assert_not(one_passes(GUARD_READS, GETKQ, 0, 65535, 4, 65539), "a key that is much too long");
    cr_assert_not(one_passes(GUARD_READS, GETKQ, 0, 300, 4, 10), "a key longer than the body");
    cr_assert_not(one_passes(GUARD_READS, GETKQ, 0, 0, 4, 4), "no key");
    cr_assert_not(one_passes(GUARD_READS, GETKQ, 0, 10, 0, 10), "no flags");
    cr_assert_not(one_passes(GUARD_READS, GETKQ, 0, 10, 255, 300), "too many extras");
    cr_assert_not(one_passes(GUARD_READS, GETKQ, 0, 10, 4, 1015), "a value over the limit");
    cr_assert_not(one_passes(GUARD_READS, GETKQ, 0, 10, 4, UINT32_MAX), "a length that wraps around");
    cr_assert_not(one_passes(GUARD_READS, GETKQ, 0x84, 0, 0, 0), "an error");
    cr_assert_not(one_passes(GUARD_READS, GETK, 0, 10, 4, 14), "another command");
    cr_assert_not(one_passes(GUARD_READS, VERSION, 0, 0, 0, 6), "a version");
    cr_assert_not(one_passes(GUARD_READS, STAT, 0, 0, 0, 0), "statistics");
    cr_assert_not(one_passes(GUARD_READS, NOOP, 0, 0, 0, 3), "an end with a body");
    cr_assert_not(one_passes(GUARD_READS, NOOP, 1, 0, 0, 0), "an end in error");
}

Test(guard, hostile_greetings_are_refused)
{
    cr_assert(one_passes(GUARD_GREETING, VERSION, 0, 0, 0, 6));
    cr_assert_not(one_passes(GUARD_GREETING, VERSION, 0, 0, 0, 25), "a long version");
    cr_assert_not(one_passes(GUARD_GREETING, VERSION, 0, 0, 0, 60000), "a very long version");
    cr_assert_not(one_passes(GUARD_GREETING, VERSION, 0, 6, 0, 6), "a version in the key");
    cr_assert(one_passes(GUARD_GREETING, STAT, 0, 13, 0, 20));
    cr_assert_not(one_passes(GUARD_GREETING, STAT, 0, 13, 0, UINT32_MAX), "statistics whose length wraps around");
    cr_assert_not(one_passes(GUARD_GREETING, STAT, 0, 341, 0, 341), "long statistics");
    cr_assert_not(one_passes(GUARD_GREETING, MECHS, 0, 0, 0, UINT32_MAX), "mechanisms whose length wraps around");
    cr_assert(one_passes(GUARD_GREETING, AUTH, 0x20, 0, 0, 12));
    cr_assert_not(one_passes(GUARD_GREETING, AUTH, 0, 0, 0, 60000), "a long challenge");
    cr_assert_not(one_passes(GUARD_GREETING, SET, 0, 0, 0, 0), "not a greeting");
}

Test(guard, a_greeting_ends_some_time)
{
    struct reply_guard guard = { .max_value = 1000 };
    struct text *text = calloc(1, sizeof *text);
    int sent = 0;

    add(text, STAT, 0, 1, 0, 2, 2);
    guard_expect(&guard, GUARD_GREETING, UINT64_MAX);
    while (guard_feed(&guard, text->bytes, text->len) && sent < 10 * GUARD_GREETING_REPLIES)
        sent++;
    cr_assert_eq(sent, GUARD_GREETING_REPLIES);
    free(text);
}

Test(guard, answers_to_writes)
{
    cr_assert(one_passes(GUARD_STORE, SET, 0, 0, 0, 0));
    cr_assert(one_passes(GUARD_STORE, ADD, 2, 0, 0, 24));
    cr_assert_not(one_passes(GUARD_STORE, SET, 0, 0, 0, 1), "a success with a body");
    cr_assert_not(one_passes(GUARD_STORE, SET, 2, 0, 0, 341), "a long message");
    cr_assert_not(one_passes(GUARD_STORE, SET, 2, 3, 0, 24), "a message with a key");
    cr_assert_not(one_passes(GUARD_STORE, NOOP, 0, 0, 0, 0), "another command");
    cr_assert_not(one_passes(GUARD_NOTHING, SET, 0, 0, 0, 0), "nothing was asked");
}

Test(guard, what_is_no_reply_is_refused)
{
    static const unsigned char ascii[] = "SERVER_ERROR out of memory\r\n", request[24] = { 0x80 };
    struct text text = { .len = sizeof ascii };

    memcpy(text.bytes, ascii, sizeof ascii);
    cr_assert_not(passes(&text, GUARD_READS, NULL));
    memcpy(text.bytes, request, sizeof request);
    text.len = sizeof request;
    cr_assert_not(passes(&text, GUARD_READS, NULL));
}

Test(guard, the_status_of_an_error_is_kept)
{
    struct reply_guard guard = { .max_value = 1000 };
    struct text text = { .len = 0 };

    add(&text, SET, GUARD_STATUS_NO_MEMORY, 0, 0, 5, 5);
    guard_expect(&guard, GUARD_STORE, UINT64_MAX);
    cr_assert(guard_feed(&guard, text.bytes, text.len));
    cr_assert_eq(guard.status, GUARD_STATUS_NO_MEMORY);
    guard_expect(&guard, GUARD_STORE, UINT64_MAX);
    cr_assert_eq(guard.status, 0);
    cr_assert_eq(guard.max_value, 1000);
}
