#include "routes/many/export_line.h"

#include "routes/entry/value_form.h"
#include "routes/many/batch_op.h"
#include "tests/support/exact.h"

static struct value *make_value(struct bytes type, struct bytes bytes)
{
    struct value *value = value_create(type, bytes.len);

    cr_assert_not_null(value);
    if (bytes.len > 0)
        memcpy(value_writable(value), bytes.ptr, bytes.len);
    return value;
}

/* The whole line, put together from its pieces. */
static void write_line(struct bytes key, struct value *value, int64_t ttl_ms, int64_t idle_ms, struct buffer *whole)
{
    struct engine_op op = { .key = key, .entry = { .value = value, .ttl_ms = ttl_ms, .idle_ms = idle_ms } };
    char memory[EXPORT_PIECE_MAX];
    struct export_line line;
    struct buffer piece;

    export_line_init(&line, &op);
    buffer_init_fixed(&piece, memory, sizeof memory);
    while (export_line_next(&line, &piece)) {
        cr_assert_not(piece.failed);
        buffer_add(whole, buffer_bytes(&piece));
        buffer_clear(&piece);
    }
}

Test(export_line, writes_each_form_so_that_it_is_one_line)
{
    static const struct {
        struct bytes key, type, bytes;
        int64_t ttl_ms, idle_ms;
        const char *line;
    } cases[] = {
        { B("a"), B("application/json"), B("{ \"n\":1e400}"), 1500, 0, "{\"key\":\"a\",\"ttl\":1.5,\"value\":{ \"n\":1e400}}\n" },
        { B("a"), B("application/json"), B("[1,\n2]"), -1, 0,
          "{\"key\":\"a\",\"ttl\":null,\"content_type\":\"application/json\",\"value_base64\":\"WzEsCjJd\"}\n" },
        { B("a"), B("application/x+json"), B("1"), -1, 0,
          "{\"key\":\"a\",\"ttl\":null,\"content_type\":\"application/x+json\",\"value\":1}\n" },
        { B("a"), B("application/json"), B("no"), -1, 0,
          "{\"key\":\"a\",\"ttl\":null,\"content_type\":\"application/json\",\"value_base64\":\"bm8=\"}\n" },
        { B("\"\n"), B("text/plain"), B("h\n\""), -1, 60000,
          "{\"key\":\"\\\"\\n\",\"ttl\":null,\"idle\":60.0,\"content_type\":\"text/plain\",\"value_base64\":\"aAoi\"}\n" },
        { B("a"), B("text/plain"), B("plain"), -1, 0,
          "{\"key\":\"a\",\"ttl\":null,\"content_type\":\"text/plain\",\"value\":\"plain\"}\n" },
        { B("\xff"), B("a/b"), B(""), -1, 0,
          "{\"key_base64\":\"/w==\",\"ttl\":null,\"content_type\":\"a/b\",\"value\":\"\"}\n" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct value *value = make_value(cases[i].type, cases[i].bytes);
        struct buffer whole;

        buffer_init(&whole, 1 << 20);
        write_line(cases[i].key, value, cases[i].ttl_ms, cases[i].idle_ms, &whole);
        cr_expect(bytes_equal(buffer_bytes(&whole), bytes_str(cases[i].line)), "%.*s", SHOW(buffer_bytes(&whole)));
        buffer_release(&whole);
        value_unref(value);
    }
}

static void check_round_trip(struct bytes key, struct bytes type, struct bytes bytes)
{
    static const struct settings settings = { .cache_max_value_bytes = 1 << 20, .cache_default_ttl_ms = 1000 };
    static const struct engine engine = { .capabilities = ~0u };
    struct value *value = make_value(type, bytes);
    struct arena arena = { 0 };
    struct batch_scope scope = { &settings, &engine, BYTES("ns"), &arena, true };
    struct batch_fault fault;
    struct batch_op back;
    struct buffer whole;

    buffer_init(&whole, 4 << 20);
    write_line(key, value, 5000, ENGINE_NO_IDLE, &whole);
    cr_assert_not(whole.failed);
    cr_expect_eq(memchr(whole.ptr, '\n', whole.len), whole.ptr + whole.len - 1);
    cr_assert(batch_op_read(&scope, bytes_of(whole.ptr, whole.len - 1), &back, &fault), "%s", fault.detail);
    cr_expect(bytes_equal(back.op.key, key));
    cr_expect_eq(back.op.ttl_ms, 5000);
    cr_expect(bytes_equal(value_bytes(back.op.value), bytes));
    cr_expect(bytes_equal(value_content_type(back.op.value), type));
    cr_expect_eq(value_form_of(back.op.value), value_form_of(value));
    batch_op_release(&back);
    arena_release(&arena);
    buffer_release(&whole);
    value_unref(value);
}

Test(export_line, is_read_back_exactly_whatever_the_length)
{
    static char bytes[10000];

    for (size_t len = 0; len < sizeof bytes; len += len < 20 ? 1 : len / 3 + 1) {
        for (size_t i = 0; i < len; i++)
            bytes[i] = (char)(i * 7 + len);
        check_round_trip(BYTES("k\0\xff"), BYTES("a/b"), bytes_of(bytes, len));
        for (size_t i = 0; i < len; i++)
            bytes[i] = i % 9 == 0 ? '\\' : (char)('a' + i % 26);
        check_round_trip(BYTES("k"), BYTES("text/plain"), bytes_of(bytes, len));
        memset(bytes, '\x01', len);
        check_round_trip(BYTES("k"), BYTES("text/plain"), bytes_of(bytes, len));
        memset(bytes, '1', len);
        check_round_trip(BYTES("k"), BYTES("application/json"), bytes_of(bytes, len));
    }
}
