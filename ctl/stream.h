/*
 * stream.h - following a stream of server-sent events (WHATWG HTML, "server-sent events") through lost connections.
 *
 * Always holds: what was given to the callback is not given again, and the server is asked for what comes after it, so
 * that no event is lost or doubled by a reconnect.
 */
#ifndef AGENTCTL_STREAM_H
#define AGENTCTL_STREAM_H

#include "ctl.h"

/*
 * Called for each event; false ends the following with CTL_DONE. after (may be NULL) is the id of the event after which
 * to begin. Comes back when the callback wants it, when --timeout has passed (CTL_TIMED_OUT, nothing said), or with an
 * error that was said.
 */
MUST_CHECK enum ctl_exit stream_follow(const struct ctl *ctl, const char *path, const char *after,
                                       bool (*take)(void *arg, const json_t *event), void *arg);

#endif
