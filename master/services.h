/*
 * services.h - every kind of process that a node runs, in one table, and what the master knows of each running one.
 */
#ifndef AGENTD_SERVICES_H
#define AGENTD_SERVICES_H

#include "base.h"
#include "heritage.h"

#include <sys/types.h>

struct embedded;

enum service { SERVICE_POSTGRES, SERVICE_KEEPER, SERVICE_WORKER, SERVICE_COUNT };

struct service_kind {
	const char *name;
	/* Runs in the child and returns its exit status. NULL: it becomes another program (embedded_exec). */
	int (*main)(const struct heritage *heritage);
	bool serves;          /* takes connections of clients, and signs */
	bool needs_readiness; /* the node is up when each of these has said that it is ready */
	bool succeeds;        /* a new generation has one of its own; the others live through it */
	int stop_signal;
	int stop_order; /* 0 is stopped first; the next order when the one before is gone */
};

extern const struct service_kind service_kinds[SERVICE_COUNT];

/* One process that the master wants to run. */
struct child {
	enum service service;
	int index; /* among its kind */
	int slot;  /* in the scoreboard; -1 for postgres */
	int foreign_slot; /* in the scoreboard of the program before, when that is another; -1 */
	char name[32];
	pid_t pid; /* 0: not running */
	int status_fd;
	int generation;
	bool fresh;   /* stands by: it stays if all that are fresh get ready */
	bool old;     /* leaves when they are */
	bool leaving; /* was told to stop, and is not started again */
	bool ready;
	bool was_ready;
	int restarts;
	uint32_t refused; /* system calls, as far as was said */
	int backoff_ms;
	int64_t started_us;
	int64_t start_us;          /* when not running: when to start it */
	int64_t leave_deadline_us; /* when leaving: it is killed then */
	int64_t aborted_us;        /* it hung, and was told to die; 0: not */
};

#endif
