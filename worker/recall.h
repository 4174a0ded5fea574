/*
 * recall.h - ends what is open for an identity that is refused by now: streams of events and waits for work. Who was
 * admitted once would hear of everything for as long as the connection lasts.
 *
 * A key's streams and waits end whenever something about the key changes: a client that may go on comes again.
 */
#ifndef AGENTD_RECALL_H
#define AGENTD_RECALL_H

struct worker;

/* Called by the worker's tick after a change of identities. */
void recall_refused(struct worker *worker);

#endif
