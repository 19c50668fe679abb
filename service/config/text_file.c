#include "service/config/text_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads up to `max` bytes; -1 on a failure. */
static ssize_t read_some(int fd, char *out, size_t max)
{
    size_t len = 0;

    while (len < max) {
        ssize_t n = read(fd, out + len, max - len);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        len += (size_t)n;
    }
    return (ssize_t)len;
}

static size_t without_newline(const char *text, size_t len)
{
    if (len > 0 && text[len - 1] == '\n')
        len--;
    if (len > 0 && text[len - 1] == '\r')
        len--;
    return len;
}

/* The text of the open file, or NULL with *why. */
static char *read_text(int fd, size_t max, const char **why)
{
    char *text = malloc(max + 1);
    ssize_t n = text ? read_some(fd, text, max + 1) : -1;
    size_t len = n > 0 ? without_newline(text, (size_t)n) : 0;

    if (n < 0)
        *why = strerror(errno);
    else if ((size_t)n > max)
        *why = max == TEXT_FILE_MAX ? "larger than 65536 bytes" : "larger than 1 MiB";
    else if (len == 0)
        *why = "empty";
    else if (memchr(text, '\0', len))
        *why = "holds a NUL byte";
    else {
        text[len] = '\0';
        return text;
    }
    if (n > 0)
        explicit_bzero(text, (size_t)n);
    free(text);
    return NULL;
}

static void fill_stamp(struct file_stamp *stamp, const struct stat *status)
{
    *stamp = (struct file_stamp){
        .device = status->st_dev,
        .inode = status->st_ino,
        .size = status->st_size,
        .modified = status->st_mtim,
        .changed = status->st_ctim,
    };
}

void file_stamp_take(struct file_stamp *stamp, const char *path)
{
    struct stat status;

    *stamp = (struct file_stamp){ .inode = 0 };
    if (stat(path, &status) == 0)
        fill_stamp(stamp, &status);
}

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

bool file_stamp_equal(const struct file_stamp *a, const struct file_stamp *b)
{
    return a->device == b->device && a->inode == b->inode && a->size == b->size &&
           same_time(a->modified, b->modified) && same_time(a->changed, b->changed);
}

char *text_file_read_most(const char *path, size_t max, struct file_stamp *stamp, const char **why)
{
    /* Without waiting, should it be a pipe. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    struct stat status;
    char *text = NULL;

    if (fd < 0) {
        *why = strerror(errno);
        return NULL;
    }
    if (fstat(fd, &status) != 0)
        *why = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        *why = "not a regular file";
    else
        text = read_text(fd, max, why);
    if (text && stamp)
        fill_stamp(stamp, &status);
    close(fd);
    return text;
}

char *text_file_read(const char *path, const char **why)
{
    return text_file_read_most(path, TEXT_FILE_MAX, NULL, why);
}
