#include "routes/body.h"

#include <jansson.h>

#include "routes/problem.h"
#include "service/base/ttl.h"

static json_t *parse_object(struct http_exchange *ex, const struct value *body)
{
    json_error_t error;
    json_t *object = json_loadb(body->data, body->len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    char *detail;

    if (json_is_object(object))
        return object;
    detail = http_scratch(ex, JSON_ERROR_TEXT_LENGTH + 64);
    if (object)
        problem_send(ex, PROBLEM_BAD_REQUEST, "the body is not a JSON object");
    else if (detail && snprintf(detail, JSON_ERROR_TEXT_LENGTH + 64, "the body is not well-formed JSON: %s", error.text))
        problem_send(ex, PROBLEM_BAD_REQUEST, detail);
    else
        problem_send(ex, PROBLEM_BAD_REQUEST, "the body is not well-formed JSON");
    json_decref(object);
    return NULL;
}

static bool read_ttl(json_t *ttl, int64_t *ttl_ms, const char **fault)
{
    *fault = NULL;
    if (json_is_null(ttl))
        *ttl_ms = TTL_NONE;
    else if (json_is_number(ttl))
        *fault = ttl_from_seconds(json_number_value(ttl), ttl_ms);
    else if (json_is_string(ttl))
        *fault = ttl_parse(bytes_of(json_string_value(ttl), json_string_length(ttl)), ttl_ms);
    else
        *fault = "neither a number of seconds nor null";
    return *fault == NULL;
}

bool body_patch_ttl(struct http_exchange *ex, const struct value *body, int64_t *ttl_ms)
{
    json_t *object = parse_object(ex, body);
    bool found = false, good = object != NULL;
    const char *name, *fault;
    json_t *member;

    json_object_foreach (object, name, member) {
        found = strcmp(name, "ttl") == 0;
        if (!found)
            problem_send_about(ex, PROBLEM_BAD_REQUEST, bytes_str(name), "unknown member");
        else if (!read_ttl(member, ttl_ms, &fault))
            problem_send_about(ex, PROBLEM_BAD_REQUEST, bytes_str(name), fault);
        else
            continue;
        good = false;
        break;
    }
    if (good && !found) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, BYTES("ttl"), "missing");
        good = false;
    }
    json_decref(object);
    return good;
}

static const char *take_text(struct http_exchange *ex, json_t *member, struct bytes *text)
{
    size_t len = json_string_length(member);
    char *copy;

    if (!json_is_string(member))
        return "not a string";
    copy = http_scratch(ex, len);
    if (!copy)
        return "too long";
    memcpy(copy, json_string_value(member), len);
    *text = bytes_of(copy, len);
    return NULL;
}

bool body_read_flush(struct http_exchange *ex, const struct value *body, struct body_flush *flush)
{
    json_t *object, *member;
    const char *name, *fault = NULL;

    *flush = (struct body_flush){ BYTES_NONE, BYTES_NONE, BYTES_NONE };
    if (body->len == 0)
        return true;
    object = parse_object(ex, body);
    if (!object)
        return false;
    json_object_foreach (object, name, member) {
        struct bytes *slot = strcmp(name, "namespace") == 0 ? &flush->ns
                             : strcmp(name, "tag") == 0     ? &flush->tag
                             : strcmp(name, "prefix") == 0  ? &flush->prefix
                                                            : NULL;
        fault = slot ? take_text(ex, member, slot) : "unknown member";
        if (fault) {
            problem_send_about(ex, PROBLEM_BAD_REQUEST, bytes_str(name), fault);
            break;
        }
    }
    json_decref(object);
    return fault == NULL;
}
