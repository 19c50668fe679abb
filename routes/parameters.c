#include "routes/problem.h"
#include "routes/route.h"

bool route_parameters(struct http_exchange *ex, const struct bytes *names, size_t count, struct bytes *values,
                      struct query_scratch decoded)
{
    const struct query_table table = { names, count, route_state(ex)->is_raw, 0 };

    return route_query(ex, &table, values, decoded);
}

bool route_no_parameters(struct http_exchange *ex)
{
    return route_parameters(ex, NULL, 0, NULL, (struct query_scratch){ NULL, 0 });
}

bool route_query(struct http_exchange *ex, const struct query_table *table, struct bytes *values,
                 struct query_scratch decoded)
{
    const struct http_request *request = http_request(ex);
    struct bytes culprit = BYTES_NONE;
    enum query_outcome outcome;

    for (size_t i = 0; i < table->count; i++)
        values[i] = BYTES_NONE;
    if (!request->query.ptr)
        return true;
    outcome = query_parse(request->query, table, decoded, values, &culprit);
    if (outcome == QUERY_OK)
        return true;
    problem_send_about(ex, PROBLEM_BAD_REQUEST, culprit, query_outcome_detail(outcome));
    return false;
}
