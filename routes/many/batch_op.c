#include "routes/many/batch_op.h"

#include <stdint.h>
#include <stdio.h>

#include "routes/entry/entry_put.h"
#include "routes/entry/etag.h"
#include "routes/entry/tags.h"
#include "routes/policy.h"
#include "routes/text/decode.h"
#include "routes/text/json_reader.h"
#include "routes/text/media_type.h"
#include "routes/text/path.h"
#include "service/base/ttl.h"

enum member {
    MEMBER_OP,
    MEMBER_KEY,
    MEMBER_KEY_BASE64,
    MEMBER_VALUE,
    MEMBER_VALUE_BASE64,
    MEMBER_CONTENT_TYPE,
    MEMBER_TTL,
    MEMBER_IDLE,
    MEMBER_STALE,
    MEMBER_TAGS,
    MEMBER_FENCE_TOKEN,
    MEMBER_LEASE_TOKEN,
    MEMBER_IF_MATCH,
    MEMBER_IF_NONE_MATCH,
    MEMBERS
};

static const struct bytes names[MEMBERS] = {
    [MEMBER_OP] = { "op", 2 },
    [MEMBER_KEY] = { "key", 3 },
    [MEMBER_KEY_BASE64] = { "key_base64", 10 },
    [MEMBER_VALUE] = { "value", 5 },
    [MEMBER_VALUE_BASE64] = { "value_base64", 12 },
    [MEMBER_CONTENT_TYPE] = { "content_type", 12 },
    [MEMBER_TTL] = { "ttl", 3 },
    [MEMBER_IDLE] = { "idle", 4 },
    [MEMBER_STALE] = { "stale", 5 },
    [MEMBER_TAGS] = { "tags", 4 },
    [MEMBER_FENCE_TOKEN] = { "fence_token", 11 },
    [MEMBER_LEASE_TOKEN] = { "lease_token", 11 },
    [MEMBER_IF_MATCH] = { "if_match", 8 },
    [MEMBER_IF_NONE_MATCH] = { "if_none_match", 13 },
};

#define BIT(member) (1u << (member))
#define FOR_ALL                                                                                                      \
    (BIT(MEMBER_OP) | BIT(MEMBER_KEY) | BIT(MEMBER_KEY_BASE64) | BIT(MEMBER_IF_MATCH) | BIT(MEMBER_IF_NONE_MATCH))

static const struct verb_row {
    struct bytes name;
    enum engine_verb verb;
    unsigned members;
} verbs[] = {
    { { "put", 3 }, ENGINE_PUT, (1u << MEMBERS) - 1 },
    { { "get", 3 }, ENGINE_GET, FOR_ALL },
    { { "delete", 6 }, ENGINE_DELETE, FOR_ALL },
    { { "touch", 5 }, ENGINE_TOUCH, FOR_ALL | BIT(MEMBER_TTL) },
};

struct reading {
    const struct batch_scope *scope;
    struct json_item items[MEMBERS];
    struct batch_op *out;
    struct batch_fault *fault;
};

/* ---- Faults ---- */

static bool fail_as(struct batch_fault *fault, enum problem problem, struct bytes name, const char *reason)
{
    fault->problem = problem;
    if (name.ptr)
        snprintf(fault->detail, sizeof fault->detail, "\"%.*s\": %s",
                 (int)(name.len < JSON_NAME_MAX ? name.len : JSON_NAME_MAX), name.ptr, reason);
    else
        snprintf(fault->detail, sizeof fault->detail, "%s", reason);
    return false;
}

static bool fail(struct reading *r, enum member member, const char *reason)
{
    return fail_as(r->fault, PROBLEM_BAD_REQUEST, names[member], reason);
}

static bool fail_at(struct batch_fault *fault, const struct json_text_fault *where)
{
    fault->problem = PROBLEM_BAD_REQUEST;
    snprintf(fault->detail, sizeof fault->detail, "not well-formed JSON: %s at byte %zu", where->reason, where->offset);
    return false;
}

/* ---- Members of one kind ---- */

static bool has(const struct reading *r, enum member member)
{
    return r->items[member].span.ptr != NULL;
}

static bool take_string(struct reading *r, enum member member, const struct json_item *item, struct bytes *text)
{
    const char *reason = json_item_text(item, text);

    return !reason || fail(r, member, reason);
}

/* Decoded where it lies, as strings are; the text is the reader's own to write to. */
static bool take_base64(struct reading *r, enum member member, struct bytes *bytes)
{
    return take_string(r, member, &r->items[member], bytes) &&
           (decode_base64(*bytes, (char *)(uintptr_t)bytes->ptr, &bytes->len) || fail(r, member, "not base64"));
}

/* `null` gives TTL_NONE. */
static bool take_duration(struct reading *r, enum member member, int64_t *ms)
{
    const char *reason = json_item_ttl(&r->items[member], ms);

    return !reason || fail(r, member, reason);
}

/* ---- Names ---- */

static bool read_key(struct reading *r)
{
    struct engine_op *op = &r->out->op;
    enum member member = has(r, MEMBER_KEY) ? MEMBER_KEY : MEMBER_KEY_BASE64;

    if (!has(r, member))
        return fail(r, MEMBER_KEY, "missing");
    if (has(r, MEMBER_KEY) && has(r, MEMBER_KEY_BASE64))
        return fail(r, MEMBER_KEY_BASE64, "not together with key");
    if (!(member == MEMBER_KEY ? take_string(r, member, &r->items[member], &op->key) : take_base64(r, member, &op->key)))
        return false;
    op->ns = r->scope->ns;
    if (op->key.len == 0)
        return fail(r, member, "empty");
    return op->key.len <= PATH_KEY_MAX || fail(r, member, "over 1024 bytes");
}

static bool read_verb(struct reading *r)
{
    const struct verb_row *row = &verbs[0];
    struct bytes name;

    if (has(r, MEMBER_OP)) {
        if (!take_string(r, MEMBER_OP, &r->items[MEMBER_OP], &name))
            return false;
        while (row < verbs + sizeof verbs / sizeof verbs[0] && !bytes_equal(row->name, name))
            row++;
        if (row == verbs + sizeof verbs / sizeof verbs[0])
            return fail(r, MEMBER_OP, "not one of get, put, delete, touch");
        if (r->scope->import && row->verb != ENGINE_PUT)
            return fail(r, MEMBER_OP, "an import takes put only");
    } else if (!r->scope->import) {
        return fail(r, MEMBER_OP, "missing");
    }
    for (int i = 0; i < MEMBERS; i++)
        if (has(r, (enum member)i) && !(row->members & BIT(i)))
            return fail(r, (enum member)i, "not for this op");
    r->out->op.verb = row->verb;
    return true;
}

/* ---- Conditions ---- */

/* Adds the versions that `text` names to the `count` in `versions`. */
static bool add_tags(struct reading *r, enum member member, struct bytes text, engine_version *versions,
                     struct engine_tags *tags)
{
    engine_version found[ETAG_LIST_MAX];
    struct engine_tags part;
    const char *reason =
        etag_parse_list(text, member == MEMBER_IF_MATCH ? ETAG_STRONG : ETAG_WEAK, found, &part);

    if (!reason && part.count > ETAG_LIST_MAX - tags->count)
        reason = "more than 64 tags";
    if (reason)
        return fail(r, member, reason);
    tags->any |= part.any;
    memcpy(versions + tags->count, found, part.count * sizeof *found);
    tags->count += part.count;
    return true;
}

static bool add_tag_list(struct reading *r, enum member member, engine_version *versions, struct engine_tags *tags)
{
    struct json_reader list;
    struct json_item item;
    struct bytes text;

    if (!json_reader_open(&list, r->items[member].span))
        return false;
    while (json_reader_next(&list, &item) == JSON_ITEM)
        if (!take_string(r, member, &item, &text) || !add_tags(r, member, text, versions, tags))
            return false;
    return true;
}

static bool read_tags_of(struct reading *r, enum member member, struct engine_tags *tags)
{
    const struct json_item *item = &r->items[member];
    engine_version versions[ETAG_LIST_MAX], *kept;
    struct bytes text;

    if (!has(r, member))
        return true;
    if (item->kind == JSON_KIND_ARRAY ? !add_tag_list(r, member, versions, tags)
                                      : !take_string(r, member, item, &text) ||
                                            !add_tags(r, member, text, versions, tags))
        return false;
    r->out->conditional = tags->given = true;
    kept = arena_take(r->scope->arena, (tags->count + 1) * sizeof *kept);
    if (!kept)
        return fail_as(r->fault, PROBLEM_OVERLOADED, BYTES_NONE, "out of memory");
    memcpy(kept, versions, tags->count * sizeof *kept);
    tags->versions = kept;
    return true;
}

static bool read_condition(struct reading *r)
{
    struct batch_op *out = r->out;

    if (!read_tags_of(r, MEMBER_IF_MATCH, &out->condition.if_match) ||
        !read_tags_of(r, MEMBER_IF_NONE_MATCH, &out->condition.if_none_match))
        return false;
    if (out->conditional && out->op.verb != ENGINE_GET)
        out->op.condition = &out->condition;
    return true;
}

/* ---- What a put has besides ---- */

static bool keep_tags(struct reading *r, const struct tag_list *list)
{
    struct engine_put *put = &r->out->put;
    struct bytes *kept = arena_take(r->scope->arena, (list->count + 1) * sizeof *kept);

    if (!kept)
        return fail_as(r->fault, PROBLEM_OVERLOADED, BYTES_NONE, "out of memory");
    memcpy(kept, list->items, list->count * sizeof *kept);
    put->tags = kept;
    put->tag_count = list->count;
    return true;
}

static bool read_tags(struct reading *r)
{
    struct tag_list tags;
    struct json_reader list;
    struct json_item item;

    if (!has(r, MEMBER_TAGS))
        return true;
    if (r->items[MEMBER_TAGS].kind != JSON_KIND_ARRAY || !json_reader_open(&list, r->items[MEMBER_TAGS].span))
        return fail(r, MEMBER_TAGS, "not a list");
    tag_list_init(&tags);
    while (json_reader_next(&list, &item) == JSON_ITEM) {
        struct bytes tag;
        const char *reason;

        if (!take_string(r, MEMBER_TAGS, &item, &tag))
            return false;
        reason = tag_list_add(&tags, tag);
        if (reason)
            return fail(r, MEMBER_TAGS, reason);
    }
    return keep_tags(r, &tags);
}

static bool read_fence(struct reading *r)
{
    unsigned long long number;

    if (!has(r, MEMBER_FENCE_TOKEN))
        return true;
    if (!bytes_to_u64(r->items[MEMBER_FENCE_TOKEN].span, ENTRY_FENCE_MAX, &number) || number < 1)
        return fail(r, MEMBER_FENCE_TOKEN, "not a whole number from 1 to 2^63");
    r->out->put.fence = number;
    return true;
}

static bool read_lease(struct reading *r)
{
    struct bytes digits;

    if (!has(r, MEMBER_LEASE_TOKEN))
        return true;
    if (!take_string(r, MEMBER_LEASE_TOKEN, &r->items[MEMBER_LEASE_TOKEN], &digits))
        return false;
    r->out->put.lease = entry_lease_token_read(digits);
    return true;
}

static bool read_stale(struct reading *r, const struct policy_write *write)
{
    int64_t ms;

    if (!has(r, MEMBER_STALE))
        return true;
    if (!take_duration(r, MEMBER_STALE, &ms))
        return false;
    if (ms == TTL_NONE)
        return true;
    if (write->ttl_ms == TTL_NONE || write->idle_ms != ENGINE_NO_IDLE)
        return fail(r, MEMBER_STALE, "goes with a ttl and without idle");
    r->out->put.stale_ms = ms;
    return true;
}

/* ---- The value ---- */

static bool read_content_type(struct reading *r, struct bytes *content_type)
{
    const char *reason;

    if (!has(r, MEMBER_CONTENT_TYPE))
        return true;
    if (!take_string(r, MEMBER_CONTENT_TYPE, &r->items[MEMBER_CONTENT_TYPE], content_type))
        return false;
    reason = media_type_fault(*content_type);
    return !reason || fail(r, MEMBER_CONTENT_TYPE, reason);
}

/* The bytes to store, still in the text; `*is_json`: they are known to be
 * well-formed. */
static bool read_bytes(struct reading *r, struct bytes *content_type, struct bytes *bytes, bool *is_json)
{
    *is_json = false;
    if (has(r, MEMBER_VALUE) == has(r, MEMBER_VALUE_BASE64))
        return fail(r, has(r, MEMBER_VALUE) ? MEMBER_VALUE_BASE64 : MEMBER_VALUE,
                    has(r, MEMBER_VALUE) ? "not together with value" : "missing");
    *content_type = has(r, MEMBER_VALUE) ? BYTES("application/json") : BYTES("application/octet-stream");
    if (!read_content_type(r, content_type))
        return false;
    if (has(r, MEMBER_VALUE_BASE64))
        return take_base64(r, MEMBER_VALUE_BASE64, bytes);
    if (!has(r, MEMBER_CONTENT_TYPE) || media_type_is_json(*content_type)) {
        *is_json = true;
        *bytes = r->items[MEMBER_VALUE].span;
        return true;
    }
    return r->items[MEMBER_VALUE].kind == JSON_KIND_STRING
               ? take_string(r, MEMBER_VALUE, &r->items[MEMBER_VALUE], bytes)
               : fail(r, MEMBER_VALUE, "only a string goes with a content_type that is not JSON");
}

static bool read_times(struct reading *r, struct policy_write *write)
{
    write->ttl_given = has(r, MEMBER_TTL);
    write->idle_given = has(r, MEMBER_IDLE);
    if ((write->ttl_given && !take_duration(r, MEMBER_TTL, &write->ttl_ms)) ||
        (write->idle_given && !take_duration(r, MEMBER_IDLE, &write->idle_ms)))
        return false;
    if (write->idle_given && write->idle_ms == TTL_NONE)
        write->idle_ms = ENGINE_NO_IDLE;
    return true;
}

static bool is_supported(struct reading *r)
{
    unsigned lacks = ~r->scope->engine->capabilities;
    const struct engine_put *put = &r->out->put;
    enum member member = (lacks & ENGINE_CAN_TAG) && put->tag_count > 0            ? MEMBER_TAGS
                         : (lacks & ENGINE_CAN_FENCE) && put->fence != 0           ? MEMBER_FENCE_TOKEN
                         : (lacks & ENGINE_CAN_LEASE) && put->lease != 0           ? MEMBER_LEASE_TOKEN
                         : (lacks & ENGINE_CAN_LEASE) && put->stale_ms > 0         ? MEMBER_STALE
                         : (lacks & ENGINE_CAN_SLIDE) && r->out->op.idle_ms > 0    ? MEMBER_IDLE
                         : (lacks & ENGINE_CAN_CONDITIONS) && r->out->op.condition ? MEMBER_IF_MATCH
                                                                                   : MEMBERS;

    return member == MEMBERS ||
           fail_as(r->fault, PROBLEM_NOT_SUPPORTED_BY_ENGINE, names[member], "this engine cannot do that");
}

static bool read_put(struct reading *r)
{
    const struct batch_scope *scope = r->scope;
    struct engine_op *op = &r->out->op;
    struct engine_put *put = &r->out->put;
    struct policy_write write = { 0 };
    struct bytes content_type = BYTES_NONE, bytes = BYTES_NONE;
    enum problem problem;
    const char *reason;
    bool is_json;

    if (!read_bytes(r, &content_type, &bytes, &is_json) || !read_times(r, &write) || !read_tags(r) ||
        !read_fence(r) || !read_lease(r))
        return false;
    reason = policy_settle(scope->settings, scope->engine, scope->ns, bytes.len, &write, put, &problem);
    if (reason)
        return fail_as(r->fault, problem, names[problem == PROBLEM_BAD_REQUEST ? MEMBER_TTL : MEMBER_VALUE], reason);
    op->ttl_ms = write.ttl_ms;
    op->idle_ms = write.idle_ms;
    if (!read_stale(r, &write) || !is_supported(r))
        return false;
    if (put->tag_count > 0 || put->stale_ms > 0 || put->fence || put->lease || put->max_entries || put->max_bytes)
        op->put = put;
    op->value = value_create(content_type, bytes.len);
    if (!op->value)
        return fail_as(r->fault, PROBLEM_OVERLOADED, BYTES_NONE, "out of memory");
    memcpy(value_writable(op->value), bytes.ptr, bytes.len);
    if (is_json)
        atomic_store_explicit(&op->value->form, VALUE_FORM_JSON, memory_order_relaxed);
    return true;
}

static bool read_touch(struct reading *r)
{
    const char *reason;

    if (!has(r, MEMBER_TTL))
        return fail(r, MEMBER_TTL, "missing");
    if (!take_duration(r, MEMBER_TTL, &r->out->op.ttl_ms))
        return false;
    reason = policy_check_ttl(policy_of(r->scope->settings, r->scope->ns), r->out->op.ttl_ms);
    return reason ? fail(r, MEMBER_TTL, reason) : is_supported(r);
}

/* ---- The whole ---- */

static bool read_members(struct reading *r, struct bytes text)
{
    struct json_reader reader;
    struct bytes culprit = BYTES_NONE;

    switch (json_reader_pick(&reader, text, names, MEMBERS, r->items, &culprit)) {
    case JSON_PICK_OK:
        return true;
    case JSON_PICK_NO_OBJECT:
        return fail_as(r->fault, PROBLEM_BAD_REQUEST, BYTES_NONE, "not a JSON object");
    case JSON_PICK_UNKNOWN:
        return fail_as(r->fault, PROBLEM_BAD_REQUEST, culprit, "unknown member");
    case JSON_PICK_DUPLICATE:
        return fail_as(r->fault, PROBLEM_BAD_REQUEST, culprit, "there twice");
    case JSON_PICK_FAULT:
        break;
    }
    return fail_at(r->fault, &reader.fault);
}

bool batch_op_read(const struct batch_scope *scope, struct bytes text, struct batch_op *out,
                   struct batch_fault *fault)
{
    struct reading r = { .scope = scope, .out = out, .fault = fault };

    memset(out, 0, sizeof *out);
    if (!read_members(&r, text) || !read_verb(&r) || !read_key(&r) || !read_condition(&r))
        return false;
    switch (out->op.verb) {
    case ENGINE_PUT:
        return read_put(&r);
    case ENGINE_TOUCH:
        return read_touch(&r);
    default:
        return is_supported(&r);
    }
}

void batch_op_release(struct batch_op *op)
{
    value_unref(op->op.value);
    value_unref(op->op.entry.value);
    op->op.value = op->op.entry.value = NULL;
}
