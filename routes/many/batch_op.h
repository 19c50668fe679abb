/* batch_op.h - one operation of a batch, or one line of an import, read from
 * its JSON object.
 *
 *   {"op":"put","key":"b","value":{"n":1e400},"ttl":60}
 *
 *   op             get, put, delete, touch; an import knows put alone, and needs no "op"
 *   key            or key_base64
 *   value          with a JSON content type, or none: the JSON itself, stored
 *                  with its bytes as they came, as application/json; with
 *                  another content type: a string, whose characters are stored
 *   value_base64   any bytes, as they are; application/octet-stream
 *   content_type   for either
 *   ttl, idle, stale     a number of seconds, "90s", or null
 *   tags           list of strings
 *   fence_token, lease_token
 *   if_match, if_none_match    as the header field, or a list of tags
 *
 * get and delete take a key and conditions, touch a ttl besides, put
 * everything. Strings are decoded where they lie, so the text must be writable
 * and stay until the operation is done.
 *
 * Ownership: a read operation owns a reference to its value;
 * batch_op_release() drops it, and that of the entry that was found.
 * Threading: one thread. */
#pragma once

#include "engines/engine.h"
#include "routes/many/arena.h"
#include "routes/problem.h"
#include "service/config/settings.h"

struct batch_op {
    struct engine_op op;
    struct engine_put put;
    struct engine_condition condition; /* of a GET too, whose op.condition stays NULL */
    bool conditional;
    bool pending; /* the engine has it; see batch_trip.h */
};

/* What operations are read against. */
struct batch_scope {
    const struct settings *settings;
    const struct engine *engine;
    struct bytes ns;
    struct arena *arena; /* tags and versions; lives as long as the operations */
    bool import;
};

#define BATCH_DETAIL_MAX 200

struct batch_fault {
    enum problem problem;
    char detail[BATCH_DETAIL_MAX]; /* NUL-terminated */
};

/* Reads the object that is all of `text`. On false `*out` owns nothing. */
bool batch_op_read(const struct batch_scope *scope, struct bytes text, struct batch_op *out,
                   struct batch_fault *fault) MUST_CHECK;

void batch_op_release(struct batch_op *op);
