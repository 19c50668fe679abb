/* assets.h - the interface's document, its page and the page's viewer, as
 * bytes inside the binary.
 *
 * The table is written by CMakeLists.txt, from its list of files. Threading and
 * ownership: constant data. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "service/base/bytes.h"

struct openapi_asset {
    const char *path;         /* where it is served: "/docs/page.css" */
    const char *content_type;
    const char *plain, *plain_end;
    const char *gzip, *gzip_end; /* the same, compressed (RFC 1952) */
    uint64_t version;            /* changes with the content */
};

/* The asset served at `path`, or NULL. */
const struct openapi_asset *openapi_asset_find(struct bytes path);
