/*
 * cgroup.h - what the control group of this process may use, and uses: in a container the machine's figures say little.
 *
 * Reads proc/self/cgroup and sys/fs/cgroup below a given root ("" is the machine's own; tests have recorded files).
 * Version 2, version 1 and both at once; of a group and those above it the one that is tightest counts. Only reads
 * small files of the kernel. Kernel documentation: admin-guide/cgroup-v2, cgroup-v1/memory, scheduler/sched-bwc.
 */
#ifndef AGENTD_CGROUP_H
#define AGENTD_CGROUP_H

#include "base.h"

/* Percent of the limit of memory, without what the kernel can drop (inactive file pages). NAN: there is no limit. */
double cgroup_memory_percent(const char *root);

struct cgroup_cpu {
	double cores;     /* that may be used at once */
	int64_t usage_us; /* processor time since the group was made */
};

/* False: there is no limit. */
MUST_CHECK bool cgroup_cpu_read(const char *root, struct cgroup_cpu *cpu_r);

#endif
