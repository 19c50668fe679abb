#include "routes/json_members.h"

#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "routes/problem.h"
#include "routes/text/json_reader.h"
#include "service/base/ttl.h"

#define MEMBERS_MAX 16

static bool fault_is(struct json_members_fault *fault, struct bytes name, const char *reason)
{
    fault->named = name.ptr != NULL;
    fault->name_len = name.len < sizeof fault->name ? name.len : sizeof fault->name;
    if (name.ptr)
        memcpy(fault->name, name.ptr, fault->name_len);
    snprintf(fault->reason, sizeof fault->reason, "%s", reason);
    return false;
}

/* ---- One member ---- */

static bool text_is_zero(struct bytes text)
{
    static const struct bytes units[] = { { "", 0 }, { "ms", 2 }, { "s", 1 }, { "m", 1 }, { "h", 1 }, { "d", 1 } };
    size_t zeros = 0;

    while (zeros < text.len && text.ptr[zeros] == '0')
        zeros++;
    for (size_t i = 0; zeros > 0 && i < sizeof units / sizeof units[0]; i++)
        if (bytes_equal(bytes_of(text.ptr + zeros, text.len - zeros), units[i]))
            return true;
    return false;
}

static bool is_zero(const struct json_item *item)
{
    struct bytes text = BYTES_NONE;
    double number;

    if (item->kind == JSON_KIND_NUMBER)
        return json_number_double(item->span, &number) && !(number > 0) && !(number < 0);
    return item->kind == JSON_KIND_STRING && !json_item_text(item, &text) && text_is_zero(text);
}

/* A TTL is never 0; a duration may be. */
static const char *read_duration(const struct json_member *member, const struct json_item *item, int64_t *value)
{
    int64_t duration = 0;
    const char *fault = NULL;

    if (item->kind != JSON_KIND_NUMBER && item->kind != JSON_KIND_STRING)
        return "neither a number of seconds nor a text like \"90s\"";
    if (!is_zero(item))
        fault = json_item_ttl(item, &duration);
    if (fault)
        return fault;
    if (duration < member->min || duration > member->max)
        return member->out_of_bounds;
    *value = duration;
    return NULL;
}

static const char *read_word(const struct json_member *member, const struct json_item *item, int64_t *value)
{
    struct bytes word = BYTES_NONE;

    for (int64_t i = 0; !json_item_text(item, &word) && member->words[i]; i++) {
        if (bytes_equal(word, bytes_str(member->words[i]))) {
            *value = i;
            return NULL;
        }
    }
    return "not one of the words known here";
}

static const char *read_integer(const struct json_member *member, const struct json_item *item, int64_t *value)
{
    int64_t number;
    double real;

    if (item->kind != JSON_KIND_NUMBER)
        return "not an integer of 64 bits";
    if (!json_number_i64(item->span, &number))
        return json_number_double(item->span, &real) && fabs(real) < 0x1p63 ? "not written as a whole number"
                                                                            : "not an integer of 64 bits";
    if (number < member->min || number > member->max)
        return member->out_of_bounds;
    *value = number;
    return NULL;
}

static const char *read_member(const struct json_member *member, const struct json_item *item)
{
    switch (member->kind) {
    case JSON_MEMBER_INTEGER:
        return read_integer(member, item, member->value);
    case JSON_MEMBER_DURATION:
        return read_duration(member, item, member->value);
    case JSON_MEMBER_TTL:
        return json_item_ttl(item, member->value);
    case JSON_MEMBER_WORD:
        return read_word(member, item, member->value);
    case JSON_MEMBER_TEXT:
        return json_item_text(item, member->text);
    case JSON_MEMBER_LIST:
        *member->text = item->span;
        return item->kind == JSON_KIND_ARRAY ? NULL : "not a list";
    case JSON_MEMBER_FLAG:
        break;
    }
    *member->value = item->span.ptr[0] == 't';
    return item->kind == JSON_KIND_BOOL ? NULL : "neither true nor false";
}

/* ---- The body ---- */

static bool pick(struct bytes body, const struct bytes *names, size_t count, struct json_item *items,
                 struct json_members_fault *fault)
{
    struct json_reader reader;
    struct bytes culprit = BYTES_NONE;

    switch (json_reader_pick(&reader, body.len > 0 ? body : BYTES("{}"), names, count, items, &culprit)) {
    case JSON_PICK_OK:
        return true;
    case JSON_PICK_NO_OBJECT:
        return fault_is(fault, BYTES_NONE, "the body is not a JSON object");
    case JSON_PICK_UNKNOWN:
        return fault_is(fault, culprit, "unknown member");
    case JSON_PICK_DUPLICATE:
        return fault_is(fault, culprit, "there twice");
    case JSON_PICK_FAULT:
        break;
    }
    fault->named = false;
    snprintf(fault->reason, sizeof fault->reason, "the body is not well-formed JSON: %s at byte %zu",
             reader.fault.reason, reader.fault.offset);
    return false;
}

bool json_members_parse(struct bytes body, const struct json_member *members, size_t count,
                        struct json_members_fault *fault)
{
    struct bytes names[MEMBERS_MAX];
    struct json_item items[MEMBERS_MAX];

    assert(count <= MEMBERS_MAX);
    for (size_t i = 0; i < count; i++)
        names[i] = bytes_str(members[i].name);
    if (!pick(body, names, count, items, fault))
        return false;
    for (size_t i = 0; i < count; i++) {
        const char *reason = items[i].span.ptr     ? read_member(&members[i], &items[i])
                             : members[i].required ? "missing"
                                                   : NULL;
        if (reason)
            return fault_is(fault, names[i], reason);
    }
    return true;
}

bool json_members_uncoded(struct http_exchange *ex)
{
    struct bytes encoding = http_request(ex)->fields[HTTP_FIELD_CONTENT_ENCODING];

    if (encoding.len == 0 || bytes_equal_nocase(encoding, BYTES("identity")))
        return true;
    problem_send_about(ex, PROBLEM_UNSUPPORTED_MEDIA_TYPE, BYTES("Content-Encoding"), "not taken");
    return false;
}

void json_members_accept(struct http_exchange *ex, size_t max)
{
    if (json_members_uncoded(ex))
        http_accept_body(ex, max, BYTES("application/json"));
}

bool json_members_read(struct http_exchange *ex, const struct value *body, const struct json_member *members,
                       size_t count)
{
    struct json_members_fault fault;

    if (json_members_parse(value_bytes(body), members, count, &fault))
        return true;
    if (fault.named)
        problem_send_about(ex, PROBLEM_BAD_REQUEST, bytes_of(fault.name, fault.name_len), fault.reason);
    else
        problem_send(ex, PROBLEM_BAD_REQUEST, fault.reason);
    return false;
}
