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
/* The same, and then shows the result; the exit code says how it ended. */
enum ctl_exit workflow_wait_and_show(const struct ctl *ctl, const char *id);
/* workflow_events.c: prints each event of the workflow until it ends; the exit code says how it ended. */
enum ctl_exit workflow_watch_events(const struct ctl *ctl, const char *id);
/* workflow_run.c, workflow_graph.c */
enum ctl_exit workflow_run(struct ctl *ctl);
enum ctl_exit workflow_graph(struct ctl *ctl);
/* True when nothing will happen to it any more. */
bool workflow_is_final(const json_t *workflow);
/* Says why it was not completed, if it was not: CTL_WORKFLOW_FAILED. */
enum ctl_exit workflow_report_end(const json_t *workflow);
/* The whole workflow in the chosen format; tables too. */
void workflow_show(const struct ctl *ctl, const json_t *workflow);
/* Verdict and findings for people, or the JSON; returns 0, or CTL_WORKFLOW_FAILED with the reason on standard error. */
enum ctl_exit workflow_show_result(const struct ctl *ctl, const json_t *workflow);

#endif
