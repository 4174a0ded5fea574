/*
 * master.h - the master process: what it holds, and the steps of its life, one file each.
 *
 * The master never parses network input and never talks to the database while it serves. Signals only set flags
 * (signals.c); supervise.c is the loop that clears a flag first and then works.
 */
#ifndef AGENTD_MASTER_H
#define AGENTD_MASTER_H

#include "base.h"
#include "edition.h"
#include "embedded.h"
#include "heritage.h"
#include "services.h"
#include "state.h"

enum { MASTER_CHILDREN_MAX = SCOREBOARD_SLOTS_MAX + 1 };

enum master_phase { MASTER_STARTING, MASTER_UP, MASTER_STOPPING, MASTER_STOPPED };

/* Why processes are replaced while the node serves. */
enum succession_reason { SUCCESSION_NONE, SUCCESSION_RELOAD, SUCCESSION_UPGRADE, SUCCESSION_REPLACE };

struct master {
	struct state_user user;
	char *folder;
	int lock_fd;
	struct embedded embedded; /* only when the configuration says embedded */
	struct edition *now;      /* what serves */
	struct edition *next;     /* what fresh children get while they stand by; NULL: the same */
	struct heritage heritage; /* what all editions share */
	int lifeline[2];          /* children hold the reading end */
	struct child children[MASTER_CHILDREN_MAX];
	int child_count;
	int slots; /* of the scoreboard: not what stands there, which children can write */
	int generation;
	enum master_phase phase;
	int stop_order;
	int64_t stop_deadline_us;

	/* succession.c */
	enum succession_reason succession;
	bool succession_failed;
	int64_t succession_began_us;
	int64_t succession_deadline_us;
	bool reload_wanted;

	/* upgrade.c */
	bool upgrade_wanted;
	pid_t upgrade_check; /* the new program, which looks whether it could; 0: none */
	bool upgrade_checked; /* it could: to be done on this turn */
	int64_t upgrade_deadline_us;
	bool reverting;
	int previous_program;   /* to become again if this one does not serve; -1: none */
	int previous_variables; /* the settings that it had (launch_pack) */

	/* hang.c */
	int64_t looked_us;
	int64_t trust_us; /* nobody is held to have hung before that */

	/* backup_job.c */
	pid_t backup_pid; /* 0: none runs */
	int64_t backup_started_us;
	uint32_t backup_wish; /* of the scoreboard, as far as it was obeyed */

	int control_fd; /* control.c; -1: none */
};

/* children.c: who runs. A child that is added is started by the loop. */
struct child *child_add(struct master *master, enum service service, int index, int generation);
/* Writes its name: what people and the log call it. */
void child_name(struct child *child);
/* Its place among the metrics by process. */
int child_place(const struct child *child);
/* How many more would find a slot. */
int child_room(const struct master *master);
/* Tells it to stop, once; it is killed at the deadline and forgotten when it is gone. */
void child_leave(struct child *child, int64_t deadline_us);
/* Forgets those that left and are gone; kills those whose time is up. */
void children_bury(struct master *master);

/* spawn.c: starts a child; it is running afterwards, or start_us says when to try again. */
void master_spawn(struct master *master, struct child *child);
/* reap.c: takes notice of every child that ended. */
void master_reap(struct master *master);
/* supervise.c: starts everything and runs until told to stop; returns the exit status. */
int master_supervise(struct master *master);
/* supervise.c: says where the node can be reached: to people, to the state folder and in the scoreboard. */
void master_tell_address(struct master *master);
/* stop.c: begins to stop the node, and one step of it. */
void stop_begin(struct master *master);
void stop_continue(struct master *master);

/* hang.c: ends who does not move. Called on every turn of the loop. */
void hang_look(struct master *master);

/* reload.c: reads the settings again and has a new generation follow, unless they are wrong. */
void reload_begin(struct master *master);

/*
 * succession.c: a new generation of processes, or one process, stands by beside the old; when all of it is ready the old
 * leaves, and if it does not get ready everything stays as it was.
 */
/* False: no room yet, earlier generations are still leaving. */
MUST_CHECK bool succession_begin(struct master *master, enum succession_reason reason);
/* One process alone, in a slot of its own. */
void succession_replace(struct master *master, struct child *child);
void succession_step(struct master *master);

/* upgrade.c: has the program file looked at, and becomes it. */
void upgrade_begin(struct master *master);
void upgrade_step(struct master *master);
/* The new generation serves: the way back is closed. Nothing if there was no upgrade. */
void upgrade_done(struct master *master);
/* A child that is nobody's ended: true if it was the look at the new program. */
bool upgrade_reap(struct master *master, pid_t pid, int status);
/* The new program does not serve: the next step becomes the one before again. */
void upgrade_revert(struct master *master);

/* signals.c */
void signals_init(void);
/* Readable when a signal came. */
int signals_fd(void);
/* Returns and clears the flag of one signal. */
bool signals_take(int signal_number);
void signals_drain(void);
/* True if some signal's flag is set. */
bool signals_noted(void);
/* In a child: back to defaults, nothing blocked, SIGINT and SIGPIPE ignored. */
void signals_reset(void);

#endif
