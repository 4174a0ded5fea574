/*
 * master.h - the master process: what it holds, and the steps of its life, one file each.
 *
 * The master never parses network input and never talks to the database while it serves. Signals only set flags
 * (signals.c); supervise.c is the loop that clears a flag first and then works.
 */
#ifndef AGENTD_MASTER_H
#define AGENTD_MASTER_H

#include "base.h"
#include "embedded.h"
#include "heritage.h"
#include "listen.h"
#include "services.h"
#include "state.h"

enum { MASTER_CHILDREN_MAX = SCOREBOARD_SLOTS_MAX + 1 };

enum master_phase { MASTER_STARTING, MASTER_UP, MASTER_STOPPING, MASTER_STOPPED };

struct master {
	const struct config *config;
	struct state_user user;
	char *folder;
	int lock_fd;
	struct embedded embedded; /* only when config->embedded */
	char *database_url;
	char *secret;
	char address[LISTEN_ADDRESS_SIZE];
	char metrics_address[LISTEN_ADDRESS_SIZE];
	int metrics_memory; /* descriptor of what metrics_map() made */
	struct heritage heritage;
	int lifeline[2]; /* children hold the reading end */
	struct child children[MASTER_CHILDREN_MAX];
	int child_count;
	enum master_phase phase;
	int stop_order;
	int64_t stop_deadline_us;
	bool killed; /* the deadline of this order has passed once */
};

/* spawn.c: starts a child; it is running afterwards, or start_us says when to try again. */
void master_spawn(struct master *master, struct child *child);
/* reap.c: takes notice of every child that ended. */
void master_reap(struct master *master);
/* supervise.c: starts everything and runs until told to stop; returns the exit status. */
int master_supervise(struct master *master);

/* signals.c */
void signals_init(void);
/* Readable when a signal came. */
int signals_fd(void);
/* Returns and clears the flag of one signal. */
bool signals_take(int signal_number);
void signals_drain(void);
/* In a child: back to defaults, nothing blocked, SIGINT and SIGPIPE ignored. */
void signals_reset(void);

#endif
