/* Tests of service/config/cpus.h, on made-up file trees. */
#include "service/config/cpus.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[64];

static void make_root(void)
{
    strcpy(root, "/tmp/cubby-cpus-XXXXXX");
    cr_assert_not_null(mkdtemp(root));
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *at)
{
    (void)status, (void)type, (void)at;
    return remove(path);
}

static void remove_root(void)
{
    nftw(root, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(cpus, .init = make_root, .fini = remove_root);

/* Writes <root>/<path> with all its folders. */
static void put(const char *path, const char *text)
{
    char full[512];
    FILE *file;

    snprintf(full, sizeof full, "%s/%s", root, path);
    for (char *slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(full, 0700);
        *slash = '/';
    }
    file = fopen(full, "w");
    cr_assert_not_null(file, "%s", full);
    fputs(text, file);
    fclose(file);
}

Test(cpus, without_files_there_is_no_quota)
{
    cr_expect_eq(cpus_quota(root), 0);
    cr_expect_geq(cpus_available(root), 1);
}

Test(cpus, v2_quota_is_rounded_up)
{
    put("proc/self/cgroup", "0::/\n");
    put("sys/fs/cgroup/cpu.max", "150000 100000\n");
    cr_expect_eq(cpus_quota(root), 2);
    put("sys/fs/cgroup/cpu.max", "200000 100000\n");
    cr_expect_eq(cpus_quota(root), 2);
    put("sys/fs/cgroup/cpu.max", "1000 100000\n");
    cr_expect_eq(cpus_quota(root), 1);
    cr_expect_eq(cpus_available(root), 1);
    put("sys/fs/cgroup/cpu.max", "max 100000\n");
    cr_expect_eq(cpus_quota(root), 0);
}

Test(cpus, v2_smallest_quota_up_to_the_root_wins)
{
    put("proc/self/cgroup", "0::/kubepods/pod1/app\n");
    put("sys/fs/cgroup/kubepods/pod1/app/cpu.max", "max 100000\n");
    put("sys/fs/cgroup/kubepods/pod1/cpu.max", "300000 100000\n");
    put("sys/fs/cgroup/kubepods/cpu.max", "800000 100000\n");
    cr_expect_eq(cpus_quota(root), 3);
    put("sys/fs/cgroup/cpu.max", "100000 100000\n");
    cr_expect_eq(cpus_quota(root), 1);
}

Test(cpus, v2_path_of_another_namespace_leaves_the_root)
{
    put("proc/self/cgroup", "0::/../../elsewhere\n");
    put("sys/fs/cgroup/cpu.max", "400000 100000\n");
    cr_expect_eq(cpus_quota(root), 4);
    put("proc/self/cgroup", "0::/not/mounted/here\n");
    cr_expect_eq(cpus_quota(root), 4);
}

Test(cpus, v1_quota_is_read_from_the_cpu_hierarchy)
{
    put("proc/self/cgroup", "5:memory:/docker/x\n4:cpuset:/\n3:cpu,cpuacct:/docker/x\n1:name=systemd:/\n");
    put("sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_quota_us", "250000\n");
    put("sys/fs/cgroup/cpu,cpuacct/docker/x/cpu.cfs_period_us", "100000\n");
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    put("sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n");
    cr_expect_eq(cpus_quota(root), 3);
}

Test(cpus, v1_in_a_container_reads_what_is_mounted)
{
    put("proc/self/cgroup", "3:cpuacct,cpu:/docker/of-the-host\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "50000\n");
    cr_expect_eq(cpus_quota(root), 2);
}

Test(cpus, other_controllers_do_not_count)
{
    put("proc/self/cgroup", "4:cpuset:/\n3:cpuacct:/\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "100000\n");
    put("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n");
    cr_expect_eq(cpus_quota(root), 0);
}

Test(cpus, nonsense_sets_no_quota)
{
    put("proc/self/cgroup", "0::/\nnonsense\n");
    put("sys/fs/cgroup/cpu.max", "-5 100000\n");
    cr_expect_eq(cpus_quota(root), 0);
    put("sys/fs/cgroup/cpu.max", "100000 0\n");
    cr_expect_eq(cpus_quota(root), 0);
    put("sys/fs/cgroup/cpu.max", "9223372036854775807 1\n");
    cr_expect_eq(cpus_quota(root), 8192);
    put("sys/fs/cgroup/cpu.max", "");
    cr_expect_eq(cpus_quota(root), 0);
}
