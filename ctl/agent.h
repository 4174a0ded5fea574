/*
 * agent.h - what agent list and top share.
 */
#ifndef AGENTCTL_AGENT_H
#define AGENTCTL_AGENT_H

#include "ctl.h"

/* Gives each of the agents the member running_tasks, as far as the caller may see the tasks. Changes the array. */
void agent_count_running(const struct ctl *ctl, json_t *agents);

#endif
