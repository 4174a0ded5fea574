/* gauges.h - metrics of the node and of what the database holds, which the keeper writes for all processes. */
#ifndef AGENTD_GAUGES_H
#define AGENTD_GAUGES_H

struct heritage;

/* What holds as long as the keeper runs. */
void gauges_begin(const struct heritage *heritage);

#endif
