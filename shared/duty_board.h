/*
 * duty_board.h - what the keeper's duties did, for whoever shows it: a table in shared memory.
 *
 * The master maps it before the first fork; the keeper of the node writes, everybody reads. A record stays when the
 * keeper dies: the next one finds it by its name and counts on.
 */
#ifndef AGENTD_DUTY_BOARD_H
#define AGENTD_DUTY_BOARD_H

#include "base.h"

#include <pthread.h>
#include <stdatomic.h>

enum { DUTY_BOARD_MAX = 64, DUTY_NAME_SIZE = 32, DUTY_ERROR_SIZE = 200 };

struct json_writer;

struct duty_record {
	char name[DUTY_NAME_SIZE];
	_Atomic bool leader; /* run by the leader of the cluster only */
	_Atomic bool running;
	_Atomic uint64_t runs; /* that are over */
	_Atomic uint64_t failures;
	_Atomic uint64_t overdue;    /* runs that passed their deadline */
	_Atomic int64_t last_us;     /* how long the last run took */
	_Atomic int64_t total_us;    /* all runs together */
	_Atomic int64_t ended_us;    /* wall clock: the end of the last run; 0: none yet */
	_Atomic int64_t failed_us;   /* wall clock: the last failure; 0: none */
	char error[DUTY_ERROR_SIZE]; /* of the last failure: duty_board_error() */
};

struct duty_board {
	pthread_mutex_t lock; /* of the texts */
	_Atomic int64_t
	    leads_until_us; /* clock_steady_us: this node's keeper leads the cluster until then, unless it goes on */
	_Atomic int64_t leads_since_us; /* wall clock */
	_Atomic uint64_t take_overs;    /* how often this node's keeper began to lead */
	_Atomic int count;
	struct duty_record records[DUTY_BOARD_MAX];
};

/* NULL: errno says why. */
MUST_CHECK struct duty_board *duty_board_new(void);

/* True if this node's keeper leads the cluster at this moment. */
bool duty_board_leads(const struct duty_board *board);

/* The record of that name, made if need be. For the keeper only. */
struct duty_record *duty_board_record(struct duty_board *board, const char *name);
void duty_board_fail(struct duty_board *board, struct duty_record *record, const char *why);
void duty_board_error(struct duty_board *board, const struct duty_record *record, char error_r[DUTY_ERROR_SIZE]);

/* The member "keeper" of an object that is open: who leads, and what each duty did. */
void duty_board_write(struct duty_board *board, struct json_writer *writer);

#endif
