/* cgroup.c - see cgroup.h. A file that is not there, or says something else, is no limit. */
#include "cgroup.h"

#include <fcntl.h>
#include <math.h>
#include <unistd.h>

enum { PATH_SIZE = 4096, TEXT_SIZE = 8192 };

/* Version 1 says "no limit" with a number near the largest there is. */
static const double unlimited = (double)(INT64_C(1) << 60);

/* A group's folder, and the one at which its hierarchy is mounted. */
struct group {
	char mount[PATH_SIZE];
	char folder[PATH_SIZE]; /* begins with mount */
};

static const char *
read_text(const char *folder, const char *name, char text[TEXT_SIZE])
{
	char path[PATH_SIZE + 64];
	int fd = -1;
	ssize_t length = 0;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) < sizeof(path))
		fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		length = read(fd, text, TEXT_SIZE - 1);
		close(fd);
	}
	text[MAX(length, 0)] = '\0';
	return text;
}

/* The number that a text begins with; NAN: it does not begin with one ("max"). */
static double
number(const char *text)
{
	char *end;
	double value = strtod(text, &end);

	return end == text ? NAN : value;
}

static double
read_number(const char *folder, const char *name)
{
	char text[TEXT_SIZE];

	return number(read_text(folder, name, text));
}

/* Of lines "name number". */
static double
read_member(const char *folder, const char *file, const char *name)
{
	char text[TEXT_SIZE];
	size_t length = strlen(name);

	read_text(folder, file, text);
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (strncmp(line, name, length) == 0 && line[length] == ' ')
			return number(line + length);
	}
	return NAN;
}

/* True if the comma-separated list has the word. */
static bool
has_word(struct slice list, const char *word)
{
	size_t length = strlen(word);

	for (size_t at = 0; at + length <= list.len; at++)
		if (memcmp(list.data + at, word, length) == 0 && (at == 0 || list.data[at - 1] == ',') &&
		    (at + length == list.len || list.data[at + length] == ','))
			return true;
	return false;
}

/*
 * The path of this process in the hierarchy of a controller of version 1, or (NULL) in that of version 2, from lines
 * "number:controllers:/path". False: it is in none.
 */
static bool
find_path(const char *root, const char *controller, char path[PATH_SIZE])
{
	char folder[PATH_SIZE], text[TEXT_SIZE];

	snprintf(folder, sizeof(folder), "%s/proc/self", root);
	read_text(folder, "cgroup", text);
	for (const char *line = text; line && *line; line = strchr(line, '\n')) {
		line += *line == '\n';
		const char *list = strchr(line, ':'), *colon = list ? strchr(list + 1, ':') : NULL;
		if (!colon)
			return false;
		struct slice names = {list + 1, (size_t)(colon - list - 1)};
		if (controller ? !has_word(names, controller) : names.len > 0)
			continue;
		snprintf(path, PATH_SIZE, "%.*s", (int)MIN(strcspn(colon + 1, "\n"), PATH_SIZE / 2), colon + 1);
		return true;
	}
	return false;
}

/* A path outside of the mount, as a container sees it whose own group is mounted there, is the mount itself. */
static bool
find_group(const char *root, const char *mount, const char *controller, struct group *group_r)
{
	char path[PATH_SIZE];

	if (!find_path(root, controller, path))
		return false;
	snprintf(group_r->mount, sizeof(group_r->mount), "%.1024s%s", root, mount);
	if ((size_t)snprintf(group_r->folder, sizeof(group_r->folder), "%.1500s%.2048s", group_r->mount, path) >=
	        sizeof(group_r->folder) ||
	    strstr(path, "/..") || access(group_r->folder, R_OK) != 0)
		snprintf(group_r->folder, sizeof(group_r->folder), "%s", group_r->mount);
	return access(group_r->folder, R_OK) == 0;
}

/* Goes to the group above; false: this was the highest. */
static bool
go_up(struct group *group)
{
	size_t mount = strlen(group->mount), length = strlen(group->folder);

	while (length > mount && group->folder[length - 1] != '/')
		length--;
	if (length <= mount)
		return false;
	group->folder[length - 1] = '\0';
	return true;
}

static double
memory_of(const char *folder, bool second)
{
	double limit = read_number(folder, second ? "memory.max" : "memory.limit_in_bytes");
	double used = read_number(folder, second ? "memory.current" : "memory.usage_in_bytes");
	double droppable = read_member(folder, "memory.stat", second ? "inactive_file" : "total_inactive_file");

	if (isnan(limit) || limit <= 0 || limit >= unlimited || isnan(used))
		return NAN;
	return 100 * fmax(used - (isnan(droppable) ? 0 : droppable), 0) / limit;
}

double
cgroup_memory_percent(const char *root)
{
	struct group group;
	double tightest = NAN;

	/* Where both versions are mounted, a controller is in one of them only. */
	if (find_group(root, "/sys/fs/cgroup", NULL, &group) || find_group(root, "/sys/fs/cgroup/unified", NULL, &group))
		do
			tightest = fmax(tightest, memory_of(group.folder, true));
		while (go_up(&group));
	if (find_group(root, "/sys/fs/cgroup/memory", "memory", &group))
		do
			tightest = fmax(tightest, memory_of(group.folder, false));
		while (go_up(&group));
	return tightest;
}

static bool
take_cpu(struct cgroup_cpu *cpu, double quota, double period, double usage_us)
{
	double cores = quota / period;

	if (isnan(cores) || isinf(cores) || quota <= 0 || isnan(usage_us) || (cpu->cores > 0 && cpu->cores <= cores))
		return false;
	*cpu = (struct cgroup_cpu){cores, (int64_t)usage_us};
	return true;
}

static bool
cpu_of_second(const char *folder, struct cgroup_cpu *cpu)
{
	char text[TEXT_SIZE];
	const char *space = strchr(read_text(folder, "cpu.max", text), ' ');

	return space && take_cpu(cpu, number(text), number(space), read_member(folder, "cpu.stat", "usage_usec"));
}

/* What is used stands in another hierarchy, which is often, not always, mounted together with this one. */
static bool
cpu_of_first(const char *root, const struct group *group, struct cgroup_cpu *cpu)
{
	char used[PATH_SIZE];
	int length = snprintf(used, sizeof(used), "%.1024s/sys/fs/cgroup/cpuacct%.2500s", root,
	                      group->folder + strlen(group->mount));

	return length < (int)sizeof(used) &&
	       take_cpu(cpu, read_number(group->folder, "cpu.cfs_quota_us"),
	                read_number(group->folder, "cpu.cfs_period_us"), read_number(used, "cpuacct.usage") / 1000);
}

bool
cgroup_cpu_read(const char *root, struct cgroup_cpu *cpu_r)
{
	struct group group;
	bool found = false;

	*cpu_r = (struct cgroup_cpu){0};
	if (find_group(root, "/sys/fs/cgroup", NULL, &group) || find_group(root, "/sys/fs/cgroup/unified", NULL, &group))
		do
			found = cpu_of_second(group.folder, cpu_r) || found;
		while (go_up(&group));
	if (find_group(root, "/sys/fs/cgroup/cpu", "cpu", &group))
		do
			found = cpu_of_first(root, &group, cpu_r) || found;
		while (go_up(&group));
	return found;
}
