/* hiredis_compat.h - the parts of hiredis this engine uses, from 0.14 to 1.x.
 *
 * Only the redis box includes this; only here does hiredis' version matter. */
#pragma once

#include <hiredis/hiredis.h>
#include <stdlib.h>

#if HIREDIS_MAJOR >= 1
#define REDIS_HAS_TLS 1
#include <hiredis/hiredis_ssl.h>
typedef size_t redis_array_count;
#else
#define REDIS_HAS_TLS 0
typedef int redis_array_count;
#endif
