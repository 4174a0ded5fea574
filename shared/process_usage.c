/* process_usage.c - see process_usage.h. What cannot be looked at is not shown. */
#include "process_usage.h"
#include "clock.h"
#include "metrics.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

enum { LOOK_US = 1000000, COUNT_LOOKS = 10 };

static int memory_fd = -1;
static DIR *descriptors;
static int64_t next_us, cpu_us;
static unsigned looks;

static int64_t
time_us(struct timeval time)
{
	return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

static int64_t
processor_us(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_SELF, &usage) == 0 ? time_us(usage.ru_utime) + time_us(usage.ru_stime) : 0;
}

void
process_usage_open(void)
{
	/* What the parent had open is about the parent. */
	if (memory_fd >= 0)
		close(memory_fd);
	if (descriptors)
		closedir(descriptors);
	memory_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	descriptors = opendir("/proc/self/fd");
	next_us = 0;
	looks = 0;
	cpu_us = processor_us();
}

static void
look_at_memory(void)
{
	char text[128];
	ssize_t length = memory_fd < 0 ? -1 : pread(memory_fd, text, sizeof(text) - 1, 0);
	long long resident;

	if (length <= 0)
		return;
	text[length] = '\0';
	if (sscanf(text, "%*d %lld", &resident) == 1)
		metrics_set(METRIC_PROCESS_RSS, METRICS_OWN, resident * sysconf(_SC_PAGESIZE));
}

static void
look_at_processor(void)
{
	int64_t used_us = processor_us();

	if (used_us <= cpu_us)
		return;
	metrics_add(METRIC_PROCESS_CPU, METRICS_OWN, used_us - cpu_us);
	cpu_us = used_us;
}

static void
count_descriptors(void)
{
	struct rlimit most;
	int count = -2; /* . and .. */

	if (getrlimit(RLIMIT_NOFILE, &most) == 0)
		metrics_set(METRIC_PROCESS_MAX_FDS, METRICS_OWN, (int64_t)most.rlim_cur);
	if (!descriptors)
		return;
	rewinddir(descriptors);
	while (readdir(descriptors))
		count++;
	metrics_set(METRIC_PROCESS_FDS, METRICS_OWN, count);
}

void
process_usage_tick(int64_t now_us)
{
	int64_t steady_us = clock_steady_us();

	metrics_set(METRIC_PROCESS_HEARTBEAT, METRICS_OWN, now_us);
	if (steady_us < next_us)
		return;
	if (!next_us)
		metrics_set(METRIC_PROCESS_START_TIME, METRICS_OWN, now_us);
	next_us = steady_us + LOOK_US;
	look_at_memory();
	look_at_processor();
	if (looks++ % COUNT_LOOKS == 0)
		count_descriptors();
}
