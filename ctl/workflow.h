/*
 * workflow.h - what the workflow commands share: waiting for the end, and showing a workflow.
 */
#ifndef AGENTCTL_WORKFLOW_H
#define AGENTCTL_WORKFLOW_H

#include "ctl.h"

/*
 * Polls until the workflow is completed, failed or cancelled, or --timeout passes; a server that is away is waited
 * for. On CTL_DONE *workflow_r is its last state. Otherwise what was wrong has been said.
 */
MUST_CHECK enum ctl_exit workflow_wait(const struct ctl *ctl, const char *id, json_t **workflow_r);
/* The whole workflow in the chosen format; tables too. */
void workflow_show(const struct ctl *ctl, const json_t *workflow);
/* Verdict and findings for people, or the JSON; returns 0, or CTL_WORKFLOW_FAILED with the reason on standard error. */
enum ctl_exit workflow_show_result(const struct ctl *ctl, const json_t *workflow);

#endif
