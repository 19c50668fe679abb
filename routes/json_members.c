#include "routes/json_members.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>

#include "routes/problem.h"
#include "service/base/ttl.h"

static const char no_64_bits[] = "not an integer of 64 bits";

static bool fault_is(struct json_members_fault *fault, struct bytes name, const char *reason)
{
    fault->named = name.ptr != NULL;
    fault->name_len = name.len < sizeof fault->name ? name.len : sizeof fault->name;
    if (name.ptr)
        memcpy(fault->name, name.ptr, fault->name_len);
    snprintf(fault->reason, sizeof fault->reason, "%s", reason);
    return false;
}

static const struct json_member *find(const struct json_member *members, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(members[i].name, name) == 0)
            return &members[i];
    return NULL;
}

/* BYTES_NONE for what is no string. */
static struct bytes text_of(const json_t *json)
{
    return json_is_string(json) ? bytes_of(json_string_value(json), json_string_length(json)) : BYTES_NONE;
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

static const char *read_duration(const struct json_member *member, const json_t *json, int64_t *value)
{
    struct bytes text = text_of(json);
    int64_t duration = 0;
    const char *fault = NULL;

    if (json_is_number(json) && (json_number_value(json) > 0 || json_number_value(json) < 0))
        fault = ttl_from_seconds(json_number_value(json), &duration);
    else if (text.ptr && !text_is_zero(text))
        fault = ttl_parse(text, &duration);
    else if (!json_is_number(json) && !text.ptr)
        fault = "neither a number of seconds nor a text like \"90s\"";
    if (fault)
        return fault;
    if (duration < member->min || duration > member->max)
        return member->out_of_bounds;
    *value = duration;
    return NULL;
}

static const char *read_ttl(const json_t *json, int64_t *value)
{
    if (json_is_null(json)) {
        *value = TTL_NONE;
        return NULL;
    }
    if (json_is_number(json))
        return ttl_from_seconds(json_number_value(json), value);
    if (json_is_string(json))
        return ttl_parse(text_of(json), value);
    return "neither a number of seconds, nor a text like \"90s\", nor null";
}

static const char *read_word(const struct json_member *member, const json_t *json, int64_t *value)
{
    struct bytes word = text_of(json);

    for (int64_t i = 0; word.ptr && member->words[i]; i++) {
        if (bytes_equal(word, bytes_str(member->words[i]))) {
            *value = i;
            return NULL;
        }
    }
    return "not one of the words known here";
}

static const char *read_integer(const struct json_member *member, const json_t *json, int64_t *value)
{
    int64_t number = json_integer_value(json);

    if (json_is_real(json) && fabs(json_real_value(json)) < 0x1p63)
        return "not written as a whole number";
    if (!json_is_integer(json))
        return no_64_bits;
    if (number < member->min || number > member->max)
        return member->out_of_bounds;
    *value = number;
    return NULL;
}

static const char *read_member(const struct json_member *member, const json_t *json)
{
    switch (member->kind) {
    case JSON_MEMBER_INTEGER:
        return read_integer(member, json, member->value);
    case JSON_MEMBER_DURATION:
        return read_duration(member, json, member->value);
    case JSON_MEMBER_TTL:
        return read_ttl(json, member->value);
    case JSON_MEMBER_WORD:
        return read_word(member, json, member->value);
    case JSON_MEMBER_FLAG:
        break;
    }
    *member->value = json_is_true(json);
    return json_is_boolean(json) ? NULL : "neither true nor false";
}

/* ---- The body ---- */

/* jansson refuses integers beyond 64 bits without naming the member, so the
 * text is read once more, with integers as reals, to find it. */
static bool name_huge_integer(struct bytes body, const struct json_member *members, size_t count,
                              struct json_members_fault *fault)
{
    json_error_t error;
    json_t *object = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &error);
    bool named = false;
    const char *name;
    json_t *json;

    json_object_foreach (object, name, json) {
        named = json_is_real(json) && fabs(json_real_value(json)) >= 0x1p63;
        if (!named)
            continue;
        (void)fault_is(fault, bytes_str(name), find(members, count, name) ? no_64_bits : "unknown member");
        break;
    }
    json_decref(object);
    return named;
}

static json_t *parse_object(struct bytes body, const struct json_member *members, size_t count,
                            struct json_members_fault *fault)
{
    json_error_t error;
    json_t *object = json_loadb(body.ptr, body.len, JSON_REJECT_DUPLICATES, &error);

    if (json_is_object(object))
        return object;
    if (object) {
        (void)fault_is(fault, BYTES_NONE, "the body is not a JSON object");
    } else if (json_error_code(&error) != json_error_numeric_overflow ||
               !name_huge_integer(body, members, count, fault)) {
        (void)fault_is(fault, BYTES_NONE, "");
        snprintf(fault->reason, sizeof fault->reason, "the body is not well-formed JSON: %s", error.text);
    }
    json_decref(object);
    return NULL;
}

static bool read_all(json_t *object, const struct json_member *members, size_t count,
                     struct json_members_fault *fault)
{
    const char *name;
    json_t *json;

    json_object_foreach (object, name, json) {
        const struct json_member *member = find(members, count, name);
        const char *reason = member ? read_member(member, json) : "unknown member";
        if (reason)
            return fault_is(fault, bytes_str(name), reason);
    }
    for (size_t i = 0; i < count; i++)
        if (members[i].required && !json_object_get(object, members[i].name))
            return fault_is(fault, bytes_str(members[i].name), "missing");
    return true;
}

bool json_members_parse(struct bytes body, const struct json_member *members, size_t count,
                        struct json_members_fault *fault)
{
    json_t *object = body.len > 0 ? parse_object(body, members, count, fault) : json_object();
    bool good;

    if (!object)
        return body.len > 0 ? false : fault_is(fault, BYTES_NONE, "out of memory");
    good = read_all(object, members, count, fault);
    json_decref(object);
    return good;
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
