#include "routes/answer.h"

#include <string.h>

#include "routes/problem.h"

static void add_fields(struct http_exchange *ex)
{
    http_reply_field(ex, "Content-Type", "application/json");
    http_reply_field(ex, "Cache-Control", "no-store");
}

void answer_json(struct http_exchange *ex, unsigned status, struct bytes body)
{
    add_fields(ex);
    http_send_copy(ex, status, body);
}

void answer_json_static(struct http_exchange *ex, unsigned status, struct bytes body)
{
    add_fields(ex);
    http_send_static(ex, status, body);
}

void answer_json_owned(struct http_exchange *ex, unsigned status, char *body, size_t len)
{
    add_fields(ex);
    http_send_owned(ex, status, body, len);
}

void answer_json_document(struct http_exchange *ex, json_t *document, size_t flags)
{
    char *text = document ? json_dumps(document, flags) : NULL;
    size_t len = text ? strlen(text) : 0;

    json_decref(document);
    if (!text) {
        problem_send(ex, PROBLEM_OVERLOADED, "out of memory");
        return;
    }
    text[len] = '\n'; /* takes the place of the NUL */
    answer_json_owned(ex, 200, text, len + 1);
}
