/*
 * duty.h - the keeper's duties: one row and one file each.
 *
 * A duty runs every interval, unless its last run is still on its way; it never blocks the others. To add one: a file
 * with a run function, a row in keeper.c.
 */
#ifndef AGENTD_DUTY_H
#define AGENTD_DUTY_H

#include "base.h"
#include "db.h"
#include "heritage.h"

struct duty;

struct keeper {
	const struct heritage *heritage;
	struct event_base *base;
	struct db *db;
	bool ready_told;
};

struct duty {
	const char *name;
	/* Starts one run; calls duty_done() when it is over. */
	void (*run)(struct keeper *keeper, struct duty *duty);
	struct keeper *keeper;
	int64_t due_us;
	bool running;
};

void duty_done(struct duty *duty);

void leases_run(struct keeper *keeper, struct duty *duty); /* leases.c */
void due_run(struct keeper *keeper, struct duty *duty);    /* due.c */

#endif
