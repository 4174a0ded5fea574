/*
 * duty.h - the keeper's duties: one row and one file each.
 *
 * A duty runs every interval, unless its last run is still on its way; it never blocks the others. To add one: a file
 * with a run function, a row in keeper.c. One with .leader is begun by the leader of the cluster only; if it has several
 * steps, it asks keeper_is_leader() before each. What it did is on the node's board (shared/duty_board.h).
 */
#ifndef AGENTD_DUTY_H
#define AGENTD_DUTY_H

#include "base.h"
#include "db.h"
#include "heritage.h"
#include "relay.h"
#include "settle.h"

struct duty;
struct duty_record;
struct leader;
struct webhooks;

struct keeper {
	const struct heritage *heritage;
	struct event_base *base;
	struct db *db;
	struct cache *cache; /* NULL: no Redis is wanted */
	struct settler settler;
	struct relay *relay;
	struct trace_export *traces;
	struct settings *settings;
	struct leader *leader;
	struct webhooks *webhooks;
	bool ready_told;
	int64_t leave_us; /* told to stop: leaves at this time at the latest; 0: not told */
};

struct duty {
	const char *name;
	/* Starts one run; calls duty_done() when it is over. */
	void (*run)(struct keeper *keeper, struct duty *duty);
	int64_t pause_ms; /* between two runs; 0: the setting KEEPER_INTERVAL_MS */
	int intervals;    /* or so many times that setting; 0: once */
	int64_t deadline_ms; /* a run that takes longer has failed; 0: 30 s */
	bool leader;         /* only the leader of the cluster does it */
	bool eased;          /* harmless beside others of its kind: who does not lead does it more rarely */
	bool always;         /* runs without a database too */
	struct keeper *keeper;
	struct duty_record *record;
	int64_t due_us;
	int64_t ease_us; /* how much later than that, for who does not lead */
	int64_t began_us;
	int64_t rest_us;
	int failures_in_a_row;
	bool running;
	bool failed;  /* this run */
	bool overdue; /* this run */
};

/* True if this node's keeper leads the cluster at this moment. */
bool keeper_is_leader(const struct keeper *keeper);

/* For keeper.c: before the first run; and at each of its ticks. */
void duty_init(struct duty *duty, struct keeper *keeper);
void duty_tick(struct duty *duty, int64_t now_us);

/*
 * The duty knows what there is to do; full: there is more. A look that took long is followed by a longer rest: indexes
 * are full of dead entries while an old snapshot is open, and reading them is not to keep a processor busy.
 */
void duty_looked(struct duty *duty, bool full);
/* This run has failed, if its statement has; or for that reason. To be called before duty_done(). */
void duty_note(struct duty *duty, const struct db_result *result);
void duty_fail(struct duty *duty, const char *why);
void duty_done(struct duty *duty);

void leases_run(struct keeper *keeper, struct duty *duty);    /* leases.c */
void due_run(struct keeper *keeper, struct duty *duty);       /* due.c */
void decide_run(struct keeper *keeper, struct duty *duty);    /* decide.c */
void deadlines_run(struct keeper *keeper, struct duty *duty); /* deadlines.c */
void schedules_run(struct keeper *keeper, struct duty *duty); /* schedules.c */
void unpark_run(struct keeper *keeper, struct duty *duty);    /* unpark.c */
void forget_run(struct keeper *keeper, struct duty *duty);    /* forget.c */
void gauges_run(struct keeper *keeper, struct duty *duty);   /* gauges.c */
void gauges_tick(const struct keeper *keeper);
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
void alerts_run(struct keeper *keeper, struct duty *duty);   /* alerts.c */
void alerts_prune_run(struct keeper *keeper, struct duty *duty);
void webhooks_run(struct keeper *keeper, struct duty *duty); /* webhooks.c */
void seal_run(struct keeper *keeper, struct duty *duty);          /* seal.c */
void checkpoint_run(struct keeper *keeper, struct duty *duty);
void backups_run(struct keeper *keeper, struct duty *duty);       /* backups.c */
void audit_retention_run(struct keeper *keeper, struct duty *duty); /* audit_retention.c */
void expire_memory_run(struct keeper *keeper, struct duty *duty); /* expire_memory.c */
void tenants_full_run(struct keeper *keeper, struct duty *duty);   /* tenants.c */
void tenants_forget_run(struct keeper *keeper, struct duty *duty);

#endif
