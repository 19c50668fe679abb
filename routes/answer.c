#include "routes/answer.h"

void answer_json(struct http_exchange *ex, unsigned status, struct bytes body)
{
    http_reply_field(ex, "Content-Type", "application/json");
    http_reply_field(ex, "Cache-Control", "no-store");
    http_send_copy(ex, status, body);
}
