#include "service/http/fields.h"
#include "service/http/private.h"

/* More lines than any client needs; MHD's memory pool bounds their bytes. */
#define FIELD_LINES_MAX 100
#define METHOD_MAX 32
#define VERDICT_OK ((struct http_verdict){ 0, NULL })
#define REFUSE(status_code, text) ((struct http_verdict){ (status_code), (text) })

struct audit {
    struct http_exchange *ex;
    struct http_verdict verdict;
    unsigned lines;
    unsigned host_lines;
    const char *cursor; /* end of the last thing seen in MHD's buffer */
    bool layout_known;  /* the buffer is laid out as libmicrohttpd 0.9 does */
};

/* ---- The bytes between the strings ----
 *
 * libmicrohttpd 0.9 parses in place: it puts NULs over the separators and
 * hands out C strings. A NUL that the client sent, a folded line or a bare LF
 * is not visible in those strings, but it is in the gaps between them: a field
 * name starts exactly two bytes (CR LF) after the end of what stood before it.
 * 1.0 refuses such requests itself and lays its buffer out differently. */

static void layout_begin(struct audit *audit, const char *method, const char *version)
{
    const char *uri = audit->ex->raw_uri;

    audit->layout_known = MHD_get_version()[0] == '0';
    if (!audit->layout_known)
        return;
    if (uri != method + strlen(method) + 1 || version != uri + audit->ex->raw_uri_len + 1)
        audit->verdict = REFUSE(400, "malformed request line");
    audit->cursor = version + strlen(version);
}

static void layout_field(struct audit *audit, struct bytes name, struct bytes value)
{
    const char *gap = name.ptr + name.len + 1;

    if (!audit->layout_known || audit->verdict.status != 0)
        return;
    if (name.ptr != audit->cursor + 2 || value.ptr < gap)
        audit->verdict = REFUSE(400, "malformed line end, folded line or NUL in the header section");
    audit->cursor = value.ptr + value.len;
}

static void layout_end(struct audit *audit, const char *method)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(audit->ex->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);

    if (!audit->layout_known || audit->verdict.status != 0 || !info)
        return;
    if ((size_t)(audit->cursor + 4 - method) != info->header_size)
        audit->verdict = REFUSE(400, "malformed line end, folded line or NUL in the header section");
}

/* ---- Room ---- */

/* The most that an answer's status line and fields take. */
#define ANSWER_BYTES ((size_t)1024)
/* MHD's record of a field, query parameter or cookie. */
#define RECORD_BYTES ((size_t)64)

static enum MHD_Result count_record(void *context, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                    const char *value, size_t value_len)
{
    size_t *bytes = context;

    (void)name;
    (void)value;
    *bytes += RECORD_BYTES;
    if (kind == MHD_COOKIE_KIND)
        *bytes += name_len + value_len + 4; /* parsed in a copy */
    return MHD_YES;
}

bool http_leaves_room(struct http_exchange *ex)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(ex->mhd, MHD_CONNECTION_INFO_REQUEST_HEADER_SIZE);
    size_t bytes = info ? info->header_size : 0;

    /* The densest section, of cookies like `a=b; `, takes fifteen times its
     * length; most requests are so short that nothing has to be counted. */
    if (bytes <= (HTTP_POOL_BYTES - ANSWER_BYTES) / 15)
        return true;
    MHD_get_connection_values_n(ex->mhd, MHD_HEADER_KIND | MHD_COOKIE_KIND | MHD_GET_ARGUMENT_KIND, count_record,
                                &bytes);
    return bytes + ANSWER_BYTES <= HTTP_POOL_BYTES;
}

/* ---- Fields ---- */

/* Joins a repeated list field in the exchange's scratch. */
static bool join(struct http_exchange *ex, struct bytes *joined, struct bytes more)
{
    char *room = http_scratch(ex, joined->len + 2 + more.len);

    if (!room)
        return false;
    memcpy(room, joined->ptr, joined->len);
    memcpy(room + joined->len, ", ", 2);
    memcpy(room + joined->len + 2, more.ptr, more.len);
    *joined = bytes_of(room, joined->len + 2 + more.len);
    return true;
}

static struct http_verdict keep_field(struct http_exchange *ex, enum http_field field, struct bytes value)
{
    struct bytes *slot = &ex->request.fields[field];

    if (!slot->ptr) {
        *slot = value;
        return VERDICT_OK;
    }
    if (!http_field_is_list(field))
        return field == HTTP_FIELD_HOST             ? REFUSE(400, "more than one Host field")
               : field == HTTP_FIELD_CONTENT_LENGTH ? REFUSE(400, "more than one Content-Length field")
                                                    : REFUSE(400, "a field that may stand once is repeated");
    return join(ex, slot, value) ? VERDICT_OK : REFUSE(431, "the repeated fields are too long");
}

static enum MHD_Result visit_field(void *context, enum MHD_ValueKind kind, const char *name, size_t name_len,
                                   const char *value, size_t value_len)
{
    struct audit *audit = context;
    struct bytes field_name = bytes_of(name, name_len);
    struct bytes field_value = bytes_of(value ? value : "", value_len);
    enum http_field field;

    (void)kind;
    layout_field(audit, field_name, field_value);
    if (audit->verdict.status != 0)
        return MHD_NO;
    if (!http_is_token(field_name))
        audit->verdict = REFUSE(400, "malformed field name");
    else if (!http_is_field_value(field_value))
        audit->verdict = REFUSE(400, "control byte in a field value");
    else if (++audit->lines > FIELD_LINES_MAX)
        audit->verdict = REFUSE(431, "too many header fields");
    else if ((field = http_field_of(field_name)) == HTTP_FIELD_TRANSFER_ENCODING &&
             !bytes_equal_nocase(field_value, BYTES("chunked")))
        /* Blanks count here: libmicrohttpd compares without trimming. */
        audit->verdict = REFUSE(400, "Transfer-Encoding is not chunked");
    else if (field != HTTP_FIELDS)
        audit->verdict = keep_field(audit->ex, field, bytes_trim(field_value));
    return audit->verdict.status == 0 ? MHD_YES : MHD_NO;
}

/* ---- The parts ---- */

/* Origin form, absolute form or `*` (RFC 9112 section 3.2); leaves the path. */
static struct http_verdict audit_target(struct http_exchange *ex)
{
    struct http_request *request = &ex->request;
    struct bytes path = request->path;

    if (!http_is_target(path) || (request->query.len > 0 && !http_is_target(request->query)))
        return REFUSE(400, "malformed request target");
    if (path.ptr[0] == '/' || (request->method == HTTP_OPTIONS && bytes_equal(path, BYTES("*"))))
        return VERDICT_OK;
    if (path.len > 7 && bytes_equal_nocase(bytes_of(path.ptr, 7), BYTES("http://")))
        path = bytes_of(path.ptr + 7, path.len - 7);
    else if (path.len > 8 && bytes_equal_nocase(bytes_of(path.ptr, 8), BYTES("https://")))
        path = bytes_of(path.ptr + 8, path.len - 8);
    else
        return REFUSE(400, "the request target is neither a path nor an absolute URI");
    struct bytes authority = bytes_cut(&path, '/');
    if (authority.len == 0 || !http_is_host(authority))
        return REFUSE(400, "malformed authority in the request target");
    /* The slash stands right before what is left. */
    request->path = path.ptr ? bytes_of(path.ptr - 1, path.len + 1) : BYTES("/");
    return VERDICT_OK;
}

static struct http_verdict audit_framing(struct http_request *request, bool http_1_0)
{
    struct bytes length = request->fields[HTTP_FIELD_CONTENT_LENGTH];
    bool chunked = request->fields[HTTP_FIELD_TRANSFER_ENCODING].ptr != NULL;

    if (chunked && length.ptr)
        return REFUSE(400, "Content-Length together with Transfer-Encoding");
    if (chunked && http_1_0)
        return REFUSE(400, "Transfer-Encoding in an HTTP/1.0 request");
    if (length.ptr) {
        if (!http_parse_content_length(length, &request->content_length))
            return REFUSE(400, "malformed Content-Length");
        request->has_length = true;
    }
    request->has_body = chunked || request->content_length > 0;
    return VERDICT_OK;
}

static struct http_verdict audit_rest(const struct http_request *request, bool http_1_0)
{
    struct bytes host = request->fields[HTTP_FIELD_HOST];
    struct bytes expect = request->fields[HTTP_FIELD_EXPECT];

    if (!host.ptr && !http_1_0)
        return REFUSE(400, "HTTP/1.1 without a Host field");
    if (host.ptr && !http_is_host(host))
        return REFUSE(400, "malformed Host field");
    if (expect.ptr && !bytes_equal_nocase(expect, BYTES("100-continue")))
        return REFUSE(417, "only Expect: 100-continue is known");
    return VERDICT_OK;
}

struct http_verdict http_audit(struct http_exchange *ex, const char *method, const char *version)
{
    struct audit audit = { .ex = ex };
    struct http_request *request = &ex->request;
    bool http_1_0 = strcmp(version, "HTTP/1.0") == 0;

    request->method_name = bytes_str(method);
    request->method = http_method_of(request->method_name);
    if (!http_is_token(request->method_name) || request->method_name.len > METHOD_MAX)
        return REFUSE(400, "malformed method");
    layout_begin(&audit, method, version);
    if (audit.verdict.status == 0)
        MHD_get_connection_values_n(ex->mhd, MHD_HEADER_KIND, visit_field, &audit);
    layout_end(&audit, method);
    if (audit.verdict.status == 0)
        audit.verdict = audit_target(ex);
    if (audit.verdict.status == 0)
        audit.verdict = audit_framing(request, http_1_0);
    if (audit.verdict.status == 0)
        audit.verdict = audit_rest(request, http_1_0);
    return audit.verdict;
}
