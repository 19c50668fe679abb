/* primitive.c - the header section of a request for a counter, limit or lock:
 * none has query parameters, and all bodies are small. Threading: the
 * exchange's. */
#include "routes/json_members.h"
#include "routes/route.h"

#define BODY_MAX 4096

void primitive_begin(struct http_exchange *ex)
{
    (void)!route_no_parameters(ex);
}

void primitive_body_begin(struct http_exchange *ex)
{
    if (route_no_parameters(ex))
        json_members_accept(ex, BODY_MAX);
}
