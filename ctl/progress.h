/*
 * progress.h - how a waited-for workflow is shown while it runs: on a terminal one line for all and one a task,
 * redrawn; elsewhere one line a change. Everything goes to standard error.
 */
#ifndef AGENTCTL_PROGRESS_H
#define AGENTCTL_PROGRESS_H

#include "ctl.h"

struct progress {
	const struct ctl *ctl;
	bool live;    /* redraw in place */
	bool colour;  /* of standard error */
	int lines;    /* drawn last time */
	json_t *last; /* the tasks as shown last */
};

struct progress progress_begin(const struct ctl *ctl);
void progress_show(struct progress *progress, const json_t *workflow);
/* Notes in between would be drawn over: begin a new block after them. */
void progress_detach(struct progress *progress);
void progress_end(struct progress *progress);

#endif
