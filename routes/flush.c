#include "routes/body.h"
#include "routes/outcome.h"
#include "routes/problem.h"
#include "routes/route.h"
#include "service/base/buffer.h"

#define FLUSH_BODY_MAX 4096

/* The query parameters stand in for members of the body. */
static bool read_query(struct http_exchange *ex, struct body_flush *flush)
{
    static const struct bytes names[] = { { "namespace", 9 }, { "tag", 3 }, { "prefix", 6 } };
    struct bytes values[3];
    struct bytes *slots[3] = { &flush->ns, &flush->tag, &flush->prefix };
    struct path_scratch *scratch = &route_state(ex)->scratch; /* no path here needs it */

    if (!route_parameters(ex, names, 3, values, (struct query_scratch){ scratch->key, sizeof scratch->key }))
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

static void finish(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);
    char memory[128];
    struct buffer text;

    if (state->op.status != ENGINE_OK) {
        outcome_send(ex, &state->op);
        return;
    }
    buffer_init_fixed(&text, memory, sizeof memory);
    buffer_add(&text, BYTES("{\"flushed\":\""));
    buffer_add(&text, state->entry.ns.len > 0 ? state->entry.ns : BYTES("*"));
    buffer_add(&text, BYTES("\"}\n"));
    http_reply_field(ex, "Content-Type", "application/json");
    http_send_copy(ex, 200, buffer_bytes(&text));
}

void flush_begin(struct http_exchange *ex)
{
    http_accept_body(ex, FLUSH_BODY_MAX, BYTES("application/json"));
}

void flush_complete(struct http_exchange *ex)
{
    struct route_state *state = route_state(ex);
    struct body_flush flush;

    if (!body_read_flush(ex, http_body(ex), &flush) || !read_query(ex, &flush))
        return;
    if (flush.ns.ptr && !path_namespace_valid(flush.ns)) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, BYTES("namespace"), path_outcome_detail(PATH_BAD_NAMESPACE));
        return;
    }
    if ((flush.tag.ptr || flush.prefix.ptr) && !flush.ns.ptr) {
        problem_send_about(ex, PROBLEM_BAD_REQUEST, BYTES("namespace"), "needed with a tag or a prefix");
        return;
    }
    if (flush.tag.ptr || flush.prefix.ptr) {
        problem_send(ex, PROBLEM_NOT_SUPPORTED_BY_ENGINE, "entries are flushed by namespace or all together");
        return;
    }
    state->entry = (struct path_entry){ flush.ns, BYTES_NONE };
    http_note_route(ex, state->route->name, flush.ns);
    route_submit(ex, ENGINE_FLUSH, finish);
}
