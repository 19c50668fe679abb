/* text_file.h - small files that settings are read from: secrets with one value
 * each, as they are mounted, and the policies of namespaces.
 * Threading: pure, but for reading the file. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include "service/base/bytes.h"

#define TEXT_FILE_MAX 65536

/* Tells one state of a file from another: written to, replaced, or another file
 * behind the same symbolic link. */
struct file_stamp {
    dev_t device;
    ino_t inode; /* 0: there is no such file, or it cannot be looked at */
    off_t size;
    struct timespec modified, changed;
};

/* The stamp of what stands at `path` now. */
void file_stamp_take(struct file_stamp *stamp, const char *path);
bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b);

/* All of a regular file of at most `max` bytes, without the newline at its end,
 * to wipe and free(). An empty file is a fault: a secret that was never filled
 * in must not read as "no secret". `stamp` (may be NULL) is that of the file
 * that was read. NULL with a static text that fits behind the path; for
 * failures of the system it is strerror()'s. */
char *text_file_read_most(const char *path, size_t max, struct file_stamp *stamp, const char **why) MUST_CHECK;

/* The same with TEXT_FILE_MAX. */
char *text_file_read(const char *path, const char **why) MUST_CHECK;
