/* process_usage.h - what this process uses of the machine, as metrics: memory, processor, descriptors. */
#ifndef AGENTD_PROCESS_USAGE_H
#define AGENTD_PROCESS_USAGE_H

#include "base.h"

/* Once in each process, before it is confined: later /proc is closed to it. */
void process_usage_open(void);
/* Called often; looks once a second, and at the descriptors every ten. now_us: wall clock. */
void process_usage_tick(int64_t now_us);

#endif
