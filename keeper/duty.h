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
#include "relay.h"
#include "settle.h"

struct duty;

struct keeper {
	const struct heritage *heritage;
	struct event_base *base;
	struct db *db;
	struct cache *cache; /* NULL: no Redis is wanted */
	struct settler settler;
	struct relay *relay;
	struct settings *settings;
	bool ready_told;
	int64_t leave_us; /* told to stop: leaves at this time at the latest; 0: not told */
};

struct duty {
	const char *name;
	/* Starts one run; calls duty_done() when it is over. */
	void (*run)(struct keeper *keeper, struct duty *duty);
	int64_t pause_ms; /* between two runs; 0: the setting KEEPER_INTERVAL_MS */
	bool always;      /* runs without a database too */
	struct keeper *keeper;
	int64_t due_us;
	int64_t began_us;
	int64_t rest_us;
	bool running;
};

/*
 * The duty knows what there is to do; full: there is more. A look that took long is followed by a longer rest: indexes
 * are full of dead entries while an old snapshot is open, and reading them is not to keep a processor busy.
 */
void duty_looked(struct duty *duty, bool full);
void duty_done(struct duty *duty);

void leases_run(struct keeper *keeper, struct duty *duty);    /* leases.c */
void due_run(struct keeper *keeper, struct duty *duty);       /* due.c */
void decide_run(struct keeper *keeper, struct duty *duty);    /* decide.c */
void deadlines_run(struct keeper *keeper, struct duty *duty); /* deadlines.c */
void schedules_run(struct keeper *keeper, struct duty *duty); /* schedules.c */
void unpark_run(struct keeper *keeper, struct duty *duty);    /* unpark.c */
void forget_run(struct keeper *keeper, struct duty *duty);    /* forget.c */
void nodes_run(struct keeper *keeper, struct duty *duty);     /* nodes.c */
void archive_tasks_run(struct keeper *keeper, struct duty *duty); /* archive.c */
void archive_workflows_run(struct keeper *keeper, struct duty *duty);
void partitions_run(struct keeper *keeper, struct duty *duty);
void fold_run(struct keeper *keeper, struct duty *duty);      /* fold.c */
void history_run(struct keeper *keeper, struct duty *duty);   /* history.c */
void redeliver_run(struct keeper *keeper, struct duty *duty);     /* redeliver.c */
void settings_run(struct keeper *keeper, struct duty *duty);  /* settings_duty.c */
void settings_apply(void *keeper);
void health_run(struct keeper *keeper, struct duty *duty); /* health.c */
void health_prune_run(struct keeper *keeper, struct duty *duty);
double health_skew_ms(void); /* how far this node's clock is ahead of the database's; NAN: not known */
void storage_run(struct keeper *keeper, struct duty *duty); /* storage.c */
void agents_run(struct keeper *keeper, struct duty *duty);  /* agents.c */
void seal_run(struct keeper *keeper, struct duty *duty);          /* seal.c */
void checkpoint_run(struct keeper *keeper, struct duty *duty);
void audit_retention_run(struct keeper *keeper, struct duty *duty); /* audit_retention.c */
void expire_memory_run(struct keeper *keeper, struct duty *duty); /* expire_memory.c */
void tenants_full_run(struct keeper *keeper, struct duty *duty);   /* tenants.c */
void tenants_forget_run(struct keeper *keeper, struct duty *duty);

#endif
