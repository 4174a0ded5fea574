/* node_usage.c - see node_usage.h. */
#include "node_usage.h"
#include "cgroup.h"

#include <fcntl.h>
#include <math.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { TEXT_MAX = 8192 };

struct node_cpu
node_cpu_parse(const char *text)
{
	/* user nice system idle iowait irq softirq steal; guest times are in user and nice already. */
	unsigned long long times[8] = {0};
	struct node_cpu cpu = {0};

	/* The first line is that of all cores; "cpu0" is one of them. */
	if (strncmp(text, "cpu ", 4) != 0 ||
	    sscanf(text + 4, "%llu %llu %llu %llu %llu %llu %llu %llu", &times[0], &times[1], &times[2], &times[3],
	           &times[4], &times[5], &times[6], &times[7]) < 4)
		return cpu;
	for (int i = 0; i < 8; i++)
		cpu.total += times[i];
	cpu.busy = cpu.total - times[3] - times[4];
	return cpu;
}

static double
line_value(const char *text, const char *name)
{
	const char *line = strstr(text, name);
	unsigned long long value;

	if (!line || (line != text && line[-1] != '\n') || sscanf(line + strlen(name), ": %llu kB", &value) != 1)
		return NAN;
	return (double)value;
}

double
node_memory_parse(const char *text)
{
	double total = line_value(text, "MemTotal"), available = line_value(text, "MemAvailable");

	return total > 0 ? 100 * (total - available) / total : NAN;
}

static const char *
read_text(const char *root, const char *name, char text[TEXT_MAX])
{
	char path[1024];
	int fd = (size_t)snprintf(path, sizeof(path), "%s%s", root, name) < sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	ssize_t length = fd < 0 ? 0 : read(fd, text, TEXT_MAX - 1);

	if (fd >= 0)
		close(fd);
	text[MAX(length, 0)] = '\0';
	return text;
}

struct node_cpu
node_cpu_read(const char *root, int64_t now_us)
{
	char text[TEXT_MAX];
	struct cgroup_cpu cpu;

	if (cgroup_cpu_read(root, &cpu))
		return (struct node_cpu){(uint64_t)cpu.usage_us, (uint64_t)((double)now_us * cpu.cores), true};
	return node_cpu_parse(read_text(root, "/proc/stat", text));
}

double
node_cpu_percent(const struct node_cpu *before, const struct node_cpu *after)
{
	if (before->total == 0 || after->total <= before->total || after->busy < before->busy ||
	    before->limited != after->limited)
		return NAN;
	return 100 * (double)(after->busy - before->busy) / (double)(after->total - before->total);
}

double
node_memory_percent(const char *root)
{
	char text[TEXT_MAX];

	return fmax(node_memory_parse(read_text(root, "/proc/meminfo", text)), cgroup_memory_percent(root));
}

/* Of a path that cannot be reached, the nearest folder above that can. */
static bool
find_disk(const char *path, struct statvfs *fs_r)
{
	char at[4096];
	char *slash;

	if ((size_t)snprintf(at, sizeof(at), "%s", path) >= sizeof(at))
		return false;
	while (statvfs(at, fs_r) != 0) {
		slash = strrchr(at, '/');
		if (!slash || !at[1])
			return false;
		slash[slash == at] = '\0';
	}
	return fs_r->f_blocks > 0;
}

double
node_disk_percent(const char *path)
{
	struct statvfs fs;
	double used;

	if (!find_disk(path, &fs))
		return NAN;
	used = (double)(fs.f_blocks - fs.f_bfree);
	return 100 * used / (used + (double)fs.f_bavail);
}

int64_t
node_disk_free(const char *path)
{
	struct statvfs fs;

	return find_disk(path, &fs) ? (int64_t)(fs.f_bavail * fs.f_frsize) : -1;
}
