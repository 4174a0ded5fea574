/*
 * scoreboard.h - what the processes of one node show each other, in shared memory.
 *
 * The master maps it before the first fork. A slot is written only by the process that owns it; the master and
 * `agentd status` read it and trust nothing in it. Two exceptions: any process may say on the ready board that a queue
 * has work, and everyone who waits for that queue looks; and the keeper may wish that a process is replaced. Nothing
 * blocks.
 */
#ifndef AGENTD_SCOREBOARD_H
#define AGENTD_SCOREBOARD_H

#include "base.h"

#include <stdatomic.h>
#include <sys/types.h>

enum {
	SCOREBOARD_SLOTS_MAX = 544,
	SCOREBOARD_QUEUES = 4096,
	SCOREBOARD_TEXT = 64,
	SCOREBOARD_FRAMES = 24,
	SCOREBOARD_END = 160
};

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
	_Atomic bool replace; /* the keeper's wish: another process in its place, and this one to finish and leave */

	/* Written by the process as it crashes (master/crash.c): addresses are the master's too, which forked it. */
	int crash_signal;
	uintptr_t crash_at;
	int crash_frame_count;
	uintptr_t crash_frames[SCOREBOARD_FRAMES];
};

/* What the master remembers of the processes that had a slot. Written by the master only. */
struct scoreboard_record {
	int generation; /* 1 is what was started first; each reload and upgrade is one more */
	int restarts;   /* ends that nobody asked for */
	int hangs;      /* how many of them because it did not move */
	int64_t started_us;
	int64_t ended_us; /* wall clock; 0: never */
	char last_end[SCOREBOARD_END];
};

struct scoreboard {
	char version[24]; /* of the program that made it */
	char node[40]; /* id of the node, for as long as it runs: a UUID */
	pid_t master;
	char address[80]; /* where it listens */
	_Atomic int generation;
	int64_t started_us; /* wall clock */
	int slot_count;     /* two generations of processes fit */
	_Atomic int nodes;               /* of the cluster that are alive, this one included; 0: not known yet */
	_Atomic int others_with_redis;   /* for how many of the others Redis counts limits */
	_Atomic int64_t clock_offset_us; /* from clock_mono_us to the time that the nodes share: Redis's, or the wall clock's */
	_Atomic int64_t redis_seen_us;   /* when Redis last counted for this node, in that time; 0: never */
	_Atomic uint64_t
	    log_levels;        /* what the keeper read in the settings (log_levels.h), for the master; 0: nothing yet */
	_Atomic bool draining; /* the node is on its way out: not ready for new clients */
	_Atomic uint32_t backup_wish; /* grows when the keeper wants the master to start a backup */
	/* Grows when a queue of that hash gets work: a waiter that saw a number looks again when it has changed. */
	_Atomic uint32_t ready[SCOREBOARD_QUEUES];
	struct scoreboard_slot slots[SCOREBOARD_SLOTS_MAX];
	struct scoreboard_record records[SCOREBOARD_SLOTS_MAX];
};

/* The name under which it is shared (shared_memory.h). */
#define SCOREBOARD_MEMORY "scoreboard 1"

/* Maps a board of zeros, or the one that was adopted. NULL: errno says why. */
MUST_CHECK struct scoreboard *scoreboard_new(int slot_count);

/* The entry of the ready board for a tenant's queue. */
unsigned scoreboard_queue(int64_t tenant, struct slice queue);

const char *scoreboard_state_name(int state);

#endif
