#include "routes/entry/entry_lease.h"

#include "routes/route.h"
#include "service/base/buffer.h"

static void send_won(struct http_exchange *ex, uint64_t token)
{
    static const char head[] = "won;token=";
    char *text = http_scratch(ex, sizeof head + FORMAT_HEX64_LEN);

    /* A new exchange's scratch has room for this. */
    if (!text)
        return;
    memcpy(text, head, sizeof head - 1);
    format_hex64(text + sizeof head - 1, token);
    text[sizeof head - 1 + FORMAT_HEX64_LEN] = '\0';
    http_reply_field(ex, "Cache-Lease", text);
}

/* To fill takes far less than most leases, which are for a holder that died;
 * and no wait in whole seconds is shorter (RFC 9110 section 10.2.3). */
static void send_held(struct http_exchange *ex)
{
    http_reply_field(ex, "Cache-Lease", "held");
    http_reply_field(ex, "Retry-After", "1");
}

void entry_lease_fields(struct http_exchange *ex)
{
    const struct engine_op *op = &route_state(ex)->op;

    if (op->lease == ENGINE_LEASE_WON)
        send_won(ex, op->lease_token);
    else if (op->lease == ENGINE_LEASE_HELD)
        send_held(ex);
}
