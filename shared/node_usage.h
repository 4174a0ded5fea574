/*
 * node_usage.h - how busy this machine is, or the part of it that the control group may use: processor, memory, disk, in
 * percent.
 *
 * The parse functions are pure; the others read /proc and /sys below a root ("" but for tests) and ask the file system
 * once, which does not block for long. What cannot be known is NAN.
 */
#ifndef AGENTD_NODE_USAGE_H
#define AGENTD_NODE_USAGE_H

#include "base.h"

/* Processor time of all cores since boot, in ticks; of a limited group in microseconds. Zeros: not known. */
struct node_cpu {
	uint64_t busy;
	uint64_t total;
	bool limited; /* by a control group */
};

/* The text of /proc/stat (proc(5)); zeros when its first line is not what it should be. */
struct node_cpu node_cpu_parse(const char *text);
/* Percent in use, from the text of /proc/meminfo; NAN when it does not say. */
double node_memory_parse(const char *text);

/* now_us: a monotonic clock. */
struct node_cpu node_cpu_read(const char *root, int64_t now_us);
/* Percent of the time between two readings; NAN when one of them is not known or no time passed. */
double node_cpu_percent(const struct node_cpu *before, const struct node_cpu *after);
/* Of the machine or of the group's limit, whichever is tighter. */
double node_memory_percent(const char *root);
/*
 * Of the file system that holds path, as df(1) says it: of what is there for ordinary users. Where path cannot be reached
 * it is that of the nearest folder above that can.
 */
double node_disk_percent(const char *path);
/* Bytes that ordinary users may still write there; -1: not known. */
int64_t node_disk_free(const char *path);

#endif
