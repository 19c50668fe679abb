/* document.c - /openapi.json, and /docs with what the page is made of.
 *
 * Static bytes (openapi/assets.h), compressed for clients that take gzip. They
 * change with the binary only, so a client keeps them and asks by their tag.
 * Threading: the exchange's. */
#include "openapi/assets.h"
#include "routes/entry/etag.h"
#include "routes/route.h"
#include "routes/text/field.h"

/* The page runs its own scripts and styles and talks to this service alone. */
static const char page_policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                                  "img-src 'self' data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'";

static bool is_zero(struct bytes weight)
{
    for (size_t i = 0; i < weight.len; i++)
        if (weight.ptr[i] != '0' && weight.ptr[i] != '.')
            return false;
    return true;
}

/* Whether a member's weight is above 0; what is malformed is not taken. */
static bool is_wanted(struct bytes *rest)
{
    struct field_parameter parameter;
    enum field_step step;
    bool wanted = true;

    while ((step = field_take_parameter(rest, &parameter)) == FIELD_PARAMETER)
        if (bytes_equal_nocase(parameter.name, BYTES("q")))
            wanted = !is_zero(parameter.value);
    return wanted && step == FIELD_END;
}

/* RFC 9110 section 12.5.3. A client that says nothing may not know gzip. */
static bool takes_gzip(struct bytes accept_encoding)
{
    bool gzip = false, named = false;

    while (accept_encoding.len > 0) {
        struct bytes coding;
        bool wanted;

        field_skip_blanks(&accept_encoding);
        if (accept_encoding.len == 0 || field_take_char(&accept_encoding, ','))
            continue;
        coding = field_take_token(&accept_encoding);
        wanted = is_wanted(&accept_encoding);
        if (accept_encoding.len > 0 && !field_take_char(&accept_encoding, ','))
            return false;
        if (bytes_equal_nocase(coding, BYTES("gzip")) || bytes_equal_nocase(coding, BYTES("x-gzip"))) {
            gzip = wanted;
            named = true;
        } else if (!named && bytes_equal(coding, BYTES("*"))) {
            gzip = wanted;
        }
    }
    return gzip;
}

/* Whether the client has this version already. A malformed field is no reason
 * to withhold the page. */
static bool is_known(struct http_exchange *ex, engine_version version)
{
    struct route_state *state = route_state(ex);
    struct engine_condition condition = { .if_none_match = { .given = false } };

    return !etag_parse_list(http_request(ex)->fields[HTTP_FIELD_IF_NONE_MATCH], ETAG_WEAK, state->if_none_match,
                            &condition.if_none_match) &&
           condition.if_none_match.given && !engine_condition_holds(&condition, version);
}

void document_begin(struct http_exchange *ex)
{
    (void)!route_no_parameters(ex);
}

void document_answer(struct http_exchange *ex)
{
    const struct http_request *request = http_request(ex);
    /* There is one for each row of the table: the paths are the same. */
    const struct openapi_asset *asset = openapi_asset_find(request->path);
    bool gzip = takes_gzip(request->fields[HTTP_FIELD_ACCEPT_ENCODING]);
    const char *from = gzip ? asset->gzip : asset->plain;
    struct bytes body = bytes_of(from, (size_t)((gzip ? asset->gzip_end : asset->plain_end) - from));
    /* Each representation has a tag of its own (RFC 9110 section 8.8.3.3). */
    engine_version version = asset->version ^ gzip;

    etag_format(version, route_state(ex)->etag);
    http_reply_field(ex, "ETag", route_state(ex)->etag);
    http_reply_field(ex, "Cache-Control", "no-cache");
    http_reply_field(ex, "Vary", "Accept-Encoding");
    if (is_known(ex, version)) {
        http_send_length(ex, 304, body.len);
        return;
    }
    http_reply_field(ex, "Content-Type", asset->content_type);
    http_reply_field(ex, "X-Content-Type-Options", "nosniff");
    http_reply_field(ex, "Referrer-Policy", "no-referrer");
    http_reply_field(ex, "Content-Security-Policy", page_policy);
    if (gzip)
        http_reply_field(ex, "Content-Encoding", "gzip");
    http_send_static(ex, 200, body);
}
