/* batch.h - POST /cache/{ns}: many operations in one request, or an import.
 *
 * By the content type: application/x-ndjson is an import (import.c), anything
 * else a batch in JSON (batch.c). GET as application/x-ndjson is an export
 * (export.c), which the listing's route calls. Threading: the exchange's. */
#pragma once

#include "routes/route.h"

/* The most bytes of a batch's body: what one value may take in base64, and at
 * least 8 MiB. */
size_t batch_body_max(const struct settings *settings);

/* One line of an import, its newline apart: one value in base64 and 16 KiB. */
size_t batch_line_max(const struct settings *settings);

/* The steps of an import. */
void import_begin(struct http_exchange *ex);
void import_complete(struct http_exchange *ex);

/* Whether this Accept asks for an export: it names application/x-ndjson with a
 * weight above 0. */
bool export_wanted(struct bytes accept);

/* Answers a GET or HEAD of a namespace with its entries, one a line, as an
 * import takes them; of the query it knows `prefix`. */
void export_answer(struct http_exchange *ex);
