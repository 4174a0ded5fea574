/*
 * event.h - how one event is shown, wherever it comes from.
 */
#ifndef AGENTCTL_EVENT_H
#define AGENTCTL_EVENT_H

#include "ctl.h"

/* One line in the chosen format (json is one line too: the list has no end), flushed. */
void event_print(const struct ctl *ctl, const json_t *event);

#endif
