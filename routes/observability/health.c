#include "routes/answer.h"
#include "routes/problem.h"
#include "routes/route.h"

void health_answer(struct http_exchange *ex)
{
    answer_json_static(ex, 200, BYTES("{\"status\":\"ok\"}\n"));
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
        answer_json_static(ex, 200, BYTES("{\"status\":\"ready\"}\n"));
}
