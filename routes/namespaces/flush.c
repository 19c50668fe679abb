/* flush.c - POST /flush: everything, a namespace, those of its entries that have
 * a tag, or (flush_prefix.c) those whose keys begin in one way.
 *
 * What is wanted stands in the body, in the query, or in both if they agree.
 * Threading: the exchange's. */
#include "routes/access.h"
#include "routes/json_members.h"
#include "routes/outcome.h"
#include "routes/problem.h"
#include "routes/route.h"
#include "routes/text/text.h"
#include "service/base/buffer.h"

/* A prefix of PATH_KEY_MAX bytes, each as \u00XX. */
#define FLUSH_BODY_MAX (6 * PATH_KEY_MAX + 1024)

/* ---- Which entries ---- */

/* BYTES_NONE: not given. */
struct wanted {
    struct bytes ns, tag, prefix;
};

static bool read_body(struct http_exchange *ex, struct wanted *wanted)
{
    const struct json_member members[] = {
        { .name = "namespace", JSON_MEMBER_TEXT, .text = &wanted->ns },
        { .name = "tag", JSON_MEMBER_TEXT, .text = &wanted->tag },
        { .name = "prefix", JSON_MEMBER_TEXT, .text = &wanted->prefix },
    };

    return json_members_read(ex, http_body(ex), members, sizeof members / sizeof members[0]);
}

/* The query parameters stand in for members of the body. */
static bool read_query(struct http_exchange *ex, struct wanted *wanted)
{
    static const struct bytes names[] = { { "namespace", 9 }, { "tag", 3 }, { "prefix", 6 } };
    struct bytes values[3];
    struct bytes *slots[3] = { &wanted->ns, &wanted->tag, &wanted->prefix };
    struct path_scratch *scratch = &route_state(ex)->scratch; /* no path here needs it */

    if (!route_parameters(ex, names, 3, values, (struct query_scratch){ (char *)scratch, sizeof *scratch }))
        return false;
    for (int i = 0; i < 3; i++) {
        if (values[i].ptr && slots[i]->ptr && !bytes_equal(values[i], *slots[i])) {
            problem_send_about(ex, PROBLEM_BAD_REQUEST, names[i], "not the same in query and body");
            return false;
        }
        if (values[i].ptr)
            *slots[i] = values[i];
    }
    return true;
}

/* The name of what is wrong, or BYTES_NONE with `*fault` untouched. */
static struct bytes find_fault(const struct wanted *wanted, const char **fault)
{
    if (wanted->ns.ptr && !path_namespace_valid(wanted->ns)) {
        *fault = path_outcome_detail(PATH_BAD_NAMESPACE);
        return BYTES("namespace");
    }
    if ((wanted->tag.ptr || wanted->prefix.ptr) && !wanted->ns.ptr) {
        *fault = "needed with a tag or a prefix";
        return BYTES("namespace");
    }
    if (wanted->tag.ptr && wanted->prefix.ptr) {
        *fault = "not together with a tag";
        return BYTES("prefix");
    }
    if (wanted->tag.ptr && (wanted->tag.len == 0 || wanted->tag.len > ENGINE_TAG_BYTES_MAX)) {
        *fault = "a tag has 1 to 64 bytes";
        return BYTES("tag");
    }
    /* An empty one is a slip; a whole namespace is flushed without. */
    if (wanted->prefix.ptr && (wanted->prefix.len == 0 || wanted->prefix.len > PATH_KEY_MAX)) {
        *fault = "a prefix has 1 to 1024 bytes";
        return BYTES("prefix");
    }
    return BYTES_NONE;
}

static bool is_possible(struct http_exchange *ex, const struct wanted *wanted)
{
    unsigned capabilities = route_thread(ex)->session->engine->capabilities;
    bool possible = (!wanted->tag.ptr || capabilities & ENGINE_CAN_TAG) &&
                    (!wanted->prefix.ptr || capabilities & ENGINE_CAN_LIST);

    if (!possible)
        problem_send(ex, PROBLEM_NOT_SUPPORTED_BY_ENGINE,
                     wanted->tag.ptr ? "this engine has no tags; see GET /capabilities"
                                    : "this engine cannot list keys, nor find those of a prefix");
    return possible;
}

/* ---- The answer ---- */

static void finish(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);
    struct buffer text;

    if (state->op.status != ENGINE_OK) {
        outcome_send(ex, &state->op);
        return;
    }
    buffer_init_fixed(&text, route_thread(ex)->text, ROUTE_TEXT_SIZE);
    buffer_add(&text, BYTES("{\"flushed\":\""));
    buffer_add(&text, state->entry.ns.len > 0 ? state->entry.ns : BYTES("*"));
    buffer_add_char(&text, '"');
    if (state->op.tag.len > 0)
        text_add_member(&text, "tag", state->op.tag);
    buffer_add(&text, BYTES("}\n"));
    http_reply_field(ex, "Content-Type", "application/json");
    http_send_copy(ex, 200, buffer_bytes(&text));
}

void flush_begin(struct http_exchange *ex)
{
    json_members_accept(ex, FLUSH_BODY_MAX);
}

void flush_complete(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);
    struct wanted wanted = { BYTES_NONE, BYTES_NONE, BYTES_NONE };
    const char *fault = NULL;
    struct bytes culprit;

    if (!read_body(ex, &wanted) || !read_query(ex, &wanted))
        return;
    culprit = find_fault(&wanted, &fault);
    if (culprit.ptr) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, culprit, fault);
        return;
    }
    if (!access_check_flush(ex, wanted.ns) || !is_possible(ex, &wanted))
        return;
    state->entry = (struct path_entry){ wanted.ns, wanted.prefix };
    http_note_route(ex, state->route->name, wanted.ns);
    if (wanted.prefix.ptr) {
        flush_prefix(ex);
        return;
    }
    state->op.tag = wanted.tag;
    route_submit(ex, ENGINE_FLUSH, finish);
}
