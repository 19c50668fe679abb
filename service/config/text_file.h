/* text_file.h - small files that hold one value, as mounted secrets do.
 * Threading: pure, but for reading the file. */
#pragma once

#include "service/base/bytes.h"

#define TEXT_FILE_MAX 65536

/* All of a regular file of at most TEXT_FILE_MAX bytes, without the newline at
 * its end, to wipe and free(). An empty file is a fault: a secret that was
 * never filled in must not read as "no secret". NULL with a static text that
 * fits behind the path; for failures of the system it is strerror()'s. */
char *text_file_read(const char *path, const char **why) MUST_CHECK;
