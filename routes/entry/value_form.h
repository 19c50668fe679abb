/* value_form.h - how the JSON view shows a value: found once, then remembered.
 *
 * Ownership: borrows the value. Threading: any thread that may read the value;
 * threads that race find the same answer, so relaxed atomics do. */
#pragma once

#include "service/base/bytes.h"
#include "service/base/value.h"

/* VALUE_FORM_JSON when the content type is JSON and the bytes are well-formed
 * (json_text.h), else by what UTF-8 says of them; never VALUE_FORM_UNKNOWN. The
 * first call reads the whole value, so the bytes must be final; later calls
 * cost one load. A route that stores JSON asks here too: another answer than
 * VALUE_FORM_JSON is malformed text, and json_text_valid() says where. */
enum value_form value_form_of(struct value *value) MUST_CHECK;
