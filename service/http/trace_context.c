#include "service/http/trace_context.h"

/* version "-" trace-id "-" parent-id "-" flags */
#define TRACE_AT 3
#define PARENT_AT (TRACE_AT + TRACE_ID_LEN + 1)
#define FLAGS_AT (PARENT_AT + TRACE_PARENT_LEN + 1)
#define FIELD_LEN (FLAGS_AT + 2)

static bool is_hex(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (!((text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f')))
            return false;
    return true;
}

static bool is_zero(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (text[i] != '0')
            return false;
    return true;
}

static bool has_length(struct bytes field)
{
    if (field.len == FIELD_LEN)
        return true;
    return field.len > FIELD_LEN && !is_zero(field.ptr, 2) && field.ptr[FIELD_LEN] == '-';
}

bool trace_context_read(struct bytes field, struct trace_context *context)
{
    const char *text = field.ptr;

    if (!text || !has_length(field))
        return false;
    if (text[2] != '-' || text[PARENT_AT - 1] != '-' || text[FLAGS_AT - 1] != '-')
        return false;
    if (!is_hex(text, 2) || (text[0] == 'f' && text[1] == 'f') || !is_hex(text + TRACE_AT, TRACE_ID_LEN) ||
        !is_hex(text + PARENT_AT, TRACE_PARENT_LEN) || !is_hex(text + FLAGS_AT, 2))
        return false;
    if (is_zero(text + TRACE_AT, TRACE_ID_LEN) || is_zero(text + PARENT_AT, TRACE_PARENT_LEN))
        return false;
    context->trace_id = bytes_of(text + TRACE_AT, TRACE_ID_LEN);
    context->parent_id = bytes_of(text + PARENT_AT, TRACE_PARENT_LEN);
    return true;
}
