/*
 * scoreboard.h - what the processes of one node show each other, in shared memory.
 *
 * The master maps it before the first fork. A slot is written only by the process that owns it; the master and
 * `agentd status` read it and trust nothing in it. The ready board is the exception: any process may say that a queue
 * has work, and everyone who waits for that queue looks. Nothing blocks.
 */
#ifndef AGENTD_SCOREBOARD_H
#define AGENTD_SCOREBOARD_H

#include "base.h"

#include <stdatomic.h>
#include <sys/types.h>

enum { SCOREBOARD_SLOTS_MAX = 272, SCOREBOARD_QUEUES = 4096, SCOREBOARD_TEXT = 64 };

enum process_state { PROCESS_NONE, PROCESS_STARTING, PROCESS_READY, PROCESS_DRAINING };

struct scoreboard_slot {
	char name[32]; /* "worker 0" */
	_Atomic pid_t pid;
	_Atomic int state;              /* enum process_state */
	_Atomic int64_t heartbeat_us;   /* monotonic: the last turn of its loop */
	_Atomic int connections;        /* open client connections */
	_Atomic int in_flight;          /* requests without an answer yet */
	_Atomic uint64_t requests;      /* answered since the process started */
	_Atomic int64_t tls_expires_s;  /* end of the certificate, seconds of the epoch; 0: no TLS */
	_Atomic bool waiting;           /* has agents that wait for work */
	_Atomic uint32_t refused;       /* system calls that the kernel refused (master/sandbox.h) */
	_Atomic int refused_call;       /* the number of the last of them */
	char request[SCOREBOARD_TEXT];  /* id of the request being worked on: a crash names it */
	char endpoint[SCOREBOARD_TEXT]; /* its method and path template */
	char stage[16];
};

struct scoreboard {
	int64_t started_us; /* wall clock */
	int slot_count;
	_Atomic int nodes;               /* of the cluster that are alive, this one included; 0: not known yet */
	_Atomic int others_with_redis;   /* for how many of the others Redis counts limits */
	_Atomic int64_t clock_offset_us; /* from clock_mono_us to the time that the nodes share: Redis's, or the wall clock's */
	_Atomic int64_t redis_seen_us;   /* when Redis last counted for this node, in that time; 0: never */
	_Atomic int log_level; /* what the keeper read in the settings, plus one: for the master; 0: nothing yet */
	_Atomic bool draining; /* the node is on its way out: not ready for new clients */
	/* Grows when a queue of that hash gets work: a waiter that saw a number looks again when it has changed. */
	_Atomic uint32_t ready[SCOREBOARD_QUEUES];
	struct scoreboard_slot slots[SCOREBOARD_SLOTS_MAX];
};

/* Maps a board of zeros. NULL: errno says why. */
MUST_CHECK struct scoreboard *scoreboard_new(int slot_count);

/* The entry of the ready board for a tenant's queue. */
unsigned scoreboard_queue(int64_t tenant, struct slice queue);

const char *scoreboard_state_name(int state);

#endif
