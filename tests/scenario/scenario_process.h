/*
 * scenario_process.h - programs that the driver starts, and what /proc tells about them and their children.
 *
 * Every program is started in a session of its own, whose id is its pid, and dies with the driver. The driver is the
 * subreaper, so a process that outlives its parent becomes the driver's child: nothing that a server leaves behind can
 * hide, whatever session it moved to.
 */
#ifndef AGENTD_SCENARIO_PROCESS_H
#define AGENTD_SCENARIO_PROCESS_H

#include "arena.h"
#include "base.h"

#include <sys/types.h>

struct failure;

/* Environment variables: a list that ends with NULL, owned by the arena. */
struct environment {
	struct arena *arena;
	char **list;
	int count;
	int room;
};

/* The driver's own, without everything that agentd and agentctl would read. */
void environment_init(struct environment *environment, struct arena *arena);
/* Adds or replaces; value NULL removes. */
void environment_set(struct environment *environment, const char *name, const char *value);

struct process_start {
	char *const *arguments; /* NULL at the end; the first is the path */
	char *const *environment;
	const char *folder; /* to run in, or NULL: the driver's */
	const char *output; /* files to append to */
	const char *errors; /* may be the same as output */
};

/* The pid, or -1: failure says why. A program that cannot be executed exits with 127. */
MUST_CHECK pid_t process_start(const struct process_start *start, struct failure *failure);
/* Waits until it ended and reaps it. False: the deadline has come. */
MUST_CHECK bool process_wait(pid_t pid, int64_t deadline, int *status_r);
/* "exit status 1", "signal 9 (KILL)": in the arena. */
const char *process_describe(int status, struct arena *arena);

/* The pid of a live child of parent whose command line contains title, the youngest of several; 0: none. */
pid_t process_find_child(pid_t parent, const char *title);
/* Waits until the process is gone, or dead and not reaped yet. */
MUST_CHECK bool process_wait_gone(pid_t pid, int64_t deadline);

/* What still lives of a session, and what fell to the driver and belongs to none of its sessions; reaps the dead. */
int process_leftovers(pid_t session, struct arena *arena, const char **list_r);
/* Kills every process of every session that the driver ever started and reaps them. */
void process_kill_all(void);
/* Signals every process of a session. */
void process_signal_session(pid_t session, int signal);

#endif
