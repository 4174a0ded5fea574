/*
 * test_cgroup.c - limits of control groups, from files as kernels and containers show them, written below a folder of
 * the test's own.
 */
#include "base.h"

#include "cgroup.h"
#include "node_usage.h"

#include <ftw.h>
#include <math.h>
#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

static char root[] = "/tmp/agentd-cgroup-XXXXXX";

static void
put(const char *path, const char *text)
{
	char full[1024];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *at = full + strlen(root) + 1; (at = strchr(at, '/')); at++) {
		*at = '\0';
		(void)mkdir(full, 0700);
		*at = '/';
	}
	file = fopen(full, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static int
drop(const char *path, const struct stat *info UNUSED, int kind UNUSED, struct FTW *at UNUSED)
{
	return remove(path);
}

static int
set_up(void **state UNUSED)
{
	memcpy(root + sizeof(root) - 7, "XXXXXX", 6);
	return mkdtemp(root) ? 0 : -1;
}

static int
tear_down(void **state UNUSED)
{
	return nftw(root, drop, 16, FTW_DEPTH | FTW_PHYS);
}

static void
expect_near(double expected, double found)
{
	if (!(fabs(expected - found) < 0.001))
		fail_msg("%f, expected %f", found, expected);
}

#define SECOND "/sys/fs/cgroup"

/* A service of systemd below a slice with the tighter limit; 100 MiB of what is used can be dropped. */
static void
test_second_version_the_tightest_counts(void **state UNUSED)
{
	struct cgroup_cpu cpu;

	put("/proc/self/cgroup", "0::/work.slice/agentd.service\n");
	put(SECOND "/work.slice/memory.max", "1073741824\n");
	put(SECOND "/work.slice/memory.current", "1073741824\n");
	put(SECOND "/work.slice/memory.stat", "anon 12\nfile 9\ninactive_file 104857600\nactive_file 1\n");
	put(SECOND "/work.slice/agentd.service/memory.max", "2147483648\n");
	put(SECOND "/work.slice/agentd.service/memory.current", "536870912\n");
	put(SECOND "/work.slice/agentd.service/memory.stat", "inactive_file 0\n");
	put(SECOND "/work.slice/agentd.service/cpu.max", "150000 100000\n");
	put(SECOND "/work.slice/agentd.service/cpu.stat", "usage_usec 7000000\nuser_usec 5000000\nsystem_usec 2000000\n");
	put(SECOND "/work.slice/cpu.max", "max 100000\n");
	put(SECOND "/work.slice/cpu.stat", "usage_usec 9000000\n");
	expect_near(100.0 * (1073741824 - 104857600) / 1073741824, cgroup_memory_percent(root));
	assert_true(cgroup_cpu_read(root, &cpu));
	expect_near(1.5, cpu.cores);
	assert_int_equal(cpu.usage_us, 7000000);
}

static void
test_second_version_without_limits(void **state UNUSED)
{
	struct cgroup_cpu cpu;

	put("/proc/self/cgroup", "0::/user.slice\n");
	put(SECOND "/user.slice/memory.max", "max\n");
	put(SECOND "/user.slice/memory.current", "5\n");
	put(SECOND "/user.slice/cpu.max", "max 100000\n");
	put(SECOND "/user.slice/cpu.stat", "usage_usec 1\n");
	assert_true(isnan(cgroup_memory_percent(root)));
	assert_false(cgroup_cpu_read(root, &cpu));
}

/* In a container with a name space of its own the group is the root of what is mounted. */
static void
test_container_with_its_own_root(void **state UNUSED)
{
	struct cgroup_cpu cpu;

	put("/proc/self/cgroup", "0::/\n");
	put(SECOND "/memory.max", "536870912\n");
	put(SECOND "/memory.current", "268435456\n");
	put(SECOND "/cpu.max", "50000 100000\n");
	put(SECOND "/cpu.stat", "usage_usec 4000000\n");
	expect_near(50, cgroup_memory_percent(root));
	assert_true(cgroup_cpu_read(root, &cpu));
	expect_near(0.5, cpu.cores);
	/* A path that leads out of what is mounted, or is not there, is the root too. */
	put("/proc/self/cgroup", "0::/../../other\n");
	expect_near(50, cgroup_memory_percent(root));
	put("/proc/self/cgroup", "0::/system.slice/docker-12ab.scope\n");
	expect_near(50, cgroup_memory_percent(root));
}

static void
test_first_version(void **state UNUSED)
{
	struct cgroup_cpu cpu;

	put("/proc/self/cgroup", "9:name=systemd:/\n4:memory:/docker/12ab\n3:cpuacct,cpu:/docker/12ab\n0::/\n");
	put(SECOND "/memory/memory.limit_in_bytes", "9223372036854771712\n");
	put(SECOND "/memory/memory.usage_in_bytes", "99\n");
	put(SECOND "/memory/docker/12ab/memory.limit_in_bytes", "1000000\n");
	put(SECOND "/memory/docker/12ab/memory.usage_in_bytes", "960000\n");
	put(SECOND "/memory/docker/12ab/memory.stat", "inactive_file 1\ntotal_inactive_file 200000\n");
	put(SECOND "/cpu/docker/12ab/cpu.cfs_quota_us", "200000\n");
	put(SECOND "/cpu/docker/12ab/cpu.cfs_period_us", "100000\n");
	put(SECOND "/cpu/cpu.cfs_quota_us", "-1\n");
	put(SECOND "/cpu/cpu.cfs_period_us", "100000\n");
	put(SECOND "/cpuacct/docker/12ab/cpuacct.usage", "3000000000\n");
	put(SECOND "/cpuacct/cpuacct.usage", "9000000000\n");
	expect_near(76, cgroup_memory_percent(root));
	assert_true(cgroup_cpu_read(root, &cpu));
	expect_near(2, cpu.cores);
	assert_int_equal(cpu.usage_us, 3000000);
}

static void
test_nothing_and_rubbish_are_no_limit(void **state UNUSED)
{
	static const char *const texts[] = {"", "0", "0:", "0::", "::::\n", "0::/\n", "x\ny\n4:memory\n", "4:memory:/a\n"};
	struct cgroup_cpu cpu;

	assert_true(isnan(cgroup_memory_percent(root)));
	put(SECOND "/memory.max", "many\n");
	put(SECOND "/memory.current", "\n");
	put(SECOND "/cpu.max", "0 0\n");
	put(SECOND "/cpu.stat", "usage_usec\n");
	for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
		put("/proc/self/cgroup", texts[i]);
		assert_true(isnan(cgroup_memory_percent(root)));
		assert_false(cgroup_cpu_read(root, &cpu));
	}
}

/* What a node says of itself: the share of the two cores that the group may use, not of the machine's sixteen. */
static void
test_node_usage_respects_the_group(void **state UNUSED)
{
	struct node_cpu before, after;

	put("/proc/self/cgroup", "0::/\n");
	put("/proc/stat", "cpu  100 0 50 800 50 0 0 0 0 0\n");
	put("/proc/meminfo", "MemTotal: 8000 kB\nMemAvailable: 7000 kB\n");
	put(SECOND "/memory.max", "1000\n");
	put(SECOND "/memory.current", "970\n");
	put(SECOND "/cpu.max", "200000 100000\n");
	put(SECOND "/cpu.stat", "usage_usec 1000000\n");
	before = node_cpu_read(root, 10000000);
	put(SECOND "/cpu.stat", "usage_usec 2900000\n");
	after = node_cpu_read(root, 11000000);
	expect_near(95, node_cpu_percent(&before, &after));
	expect_near(97, node_memory_percent(root));
	put(SECOND "/cpu.max", "max 100000\n");
	put(SECOND "/memory.max", "max\n");
	after = node_cpu_read(root, 12000000);
	assert_int_equal(after.total, 1000);
	assert_true(isnan(node_cpu_percent(&before, &after)));
	expect_near(12.5, node_memory_percent(root));
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	static const struct CMUnitTest tests[] = {
	    TEST(test_second_version_the_tightest_counts), TEST(test_second_version_without_limits),
	    TEST(test_container_with_its_own_root),        TEST(test_first_version),
	    TEST(test_nothing_and_rubbish_are_no_limit),   TEST(test_node_usage_respects_the_group),
	};
	return cmocka_run_group_tests_name("cgroup", tests, NULL, NULL);
}
