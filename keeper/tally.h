/*
 * tally.h - what events count for: the counters of one tenant and of its agents.
 *
 * Counts are of what happened: a task that a gate sends back and that completes again counts twice. Rows are added in
 * their order; what is said of them is JSON for the statement metrics_count. Pure; nothing fails.
 */
#ifndef AGENTD_TALLY_H
#define AGENTD_TALLY_H

#include "base.h"

struct tally;

struct tally *tally_new(void);
void tally_free(struct tally *tally);
/* Counts one row: items is its JSON array, at its time as PostgreSQL writes it. What is no object of ours counts for
 * nothing. */
void tally_add(struct tally *tally, struct slice items, struct slice at);
/* {"tasks_created": n, ...}: columns of tenant_stats. Valid until the tally is freed, as are the others. */
struct slice tally_counts(struct tally *tally);
/* The same for the metrics: names the events, and adds what such a text says. */
void tally_name_events(void);
void tally_measure(struct slice counts);
/* [{"agent_id": ..., "leased": n, ...}, ...]: columns of agent_stats. */
struct slice tally_agents(struct tally *tally);
/* ["<id>", ...]: the workflows that completed or failed; how long they took stands in their rows. */
struct slice tally_ended(struct tally *tally);

#endif
