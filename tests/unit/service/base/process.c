/* Tests of service/base/process.h: what can be known of this very process. */
#include "service/base/process.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

Test(process, an_open_file_is_one_descriptor_more)
{
    struct process_usage before, with;
    int fd;

    process_usage(&before);
    fd = open("/dev/null", O_RDONLY);
    cr_assert_geq(fd, 0);
    process_usage(&with);
    close(fd);
    cr_assert_eq(with.open_fds, before.open_fds + 1);
    cr_assert_geq(with.max_fds, with.open_fds);
}

Test(process, memory_time_and_start_are_plausible)
{
    struct process_usage usage;
    double now = (double)time(NULL);

    process_usage(&usage);
    cr_assert_gt(usage.resident_bytes, 100 * 1024);
    cr_assert_geq(usage.virtual_bytes, usage.resident_bytes);
    cr_assert_geq(usage.cpu_seconds, 0);
    cr_assert(usage.start_seconds > now - 3600 && usage.start_seconds < now + 2, "%f", usage.start_seconds);
}
