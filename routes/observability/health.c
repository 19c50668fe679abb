#include "routes/problem.h"
#include "routes/route.h"

static void send_status(struct http_exchange *ex, struct bytes body)
{
    http_reply_field(ex, "Content-Type", "application/json");
    http_reply_field(ex, "Cache-Control", "no-store");
    http_send_static(ex, 200, body);
}

void health_answer(struct http_exchange *ex)
{
    send_status(ex, BYTES("{\"status\":\"ok\"}\n"));
}

void ready_answer(struct http_exchange *ex)
{
    const struct routes_thread *thread = route_thread(ex);
    const char *reason = NULL;

    if (routes_draining(thread->routes))
        problem_send(ex, PROBLEM_NOT_READY, "draining");
    else if (!engine_ready(thread->session->engine, &reason))
        problem_send(ex, PROBLEM_NOT_READY, reason);
    else
        send_status(ex, BYTES("{\"status\":\"ready\"}\n"));
}
