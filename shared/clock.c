/* clock.c - see clock.h. The offset is read on each call, so a test that moves it moves every process at once. */
#include "clock.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Of both clocks, and of the wall clock alone. */
static const _Atomic int64_t no_offset[2];
static const _Atomic int64_t *offset_us = no_offset;

static int64_t
read_clock(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000 + atomic_load_explicit(offset_us, memory_order_relaxed);
}

int64_t
clock_wall_us(void)
{
	return read_clock(CLOCK_REALTIME) + atomic_load_explicit(&offset_us[1], memory_order_relaxed);
}

int64_t
clock_mono_us(void)
{
	return read_clock(CLOCK_MONOTONIC);
}

int64_t
clock_steady_us(void)
{
	return clock_mono_us() - atomic_load_explicit(offset_us, memory_order_relaxed);
}

void
clock_format(int64_t wall_us, char out[CLOCK_RFC3339_SIZE])
{
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm parts;
	size_t length;

	gmtime_r(&seconds, &parts);
	length = strftime(out, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(out + length, CLOCK_RFC3339_SIZE - length, ".%06dZ", (int)(wall_us % 1000000));
}

bool
clock_use_offset_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	void *map;

	if (fd < 0)
		return false;
	map = mmap(NULL, sizeof(no_offset), PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
	if (map == MAP_FAILED)
		return false;
	offset_us = map;
	return true;
}
