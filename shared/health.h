/*
 * health.h - how the parts of this node are, in memory that its processes share.
 *
 * The keeper checks and writes (keeper/health.c); everyone reads, so that /health, /readyz, metrics and `agentd status`
 * say the same. Nobody waits for anybody: a reader that meets a writer looks again. The master maps the board before
 * the first fork. What a worker knows of its own pool it writes into its row of `pools`; what the keeper wishes of it
 * stands there too.
 *
 * A finding that is critical is shown as a warning until it has come three times in a row: then the part is unhealthy.
 */
#ifndef AGENTD_HEALTH_H
#define AGENTD_HEALTH_H

#include "base.h"
#include "scoreboard.h"

#include <stdatomic.h>

enum health_status { HEALTH_UNKNOWN, HEALTH_HEALTHY, HEALTH_WARNING, HEALTH_CRITICAL };

/* What is checked on every node; a process of slot n has two more: health_worker(n), health_pool(n). */
enum health_part {
	HEALTH_CPU,
	HEALTH_MEMORY,
	HEALTH_DISK,
	HEALTH_DATABASE,
	HEALTH_REDIS,
	HEALTH_QUEUE,
	HEALTH_CLOCK,
	HEALTH_CERTIFICATE,
	HEALTH_AGENTS,
	HEALTH_BACKUP,
	HEALTH_FIXED_PARTS
};
enum {
	HEALTH_PARTS_MAX = HEALTH_FIXED_PARTS + 2 * SCOREBOARD_SLOTS_MAX,
	HEALTH_FAILURES = 3, /* in a row */
	HEALTH_NAME = 32,
	HEALTH_MESSAGE = 200
};

/* What one check found. */
struct health_finding {
	enum health_status status;
	double response_ms; /* NAN: nothing was asked */
	char message[HEALTH_MESSAGE];
};

struct health_component {
	char name[HEALTH_NAME]; /* "": not in use */
	enum health_status status;
	int failures;       /* critical findings in a row */
	int64_t since_us;   /* wall clock: it has been so since */
	int64_t checked_us; /* wall clock */
	double response_ms; /* NAN: nothing was asked */
	char message[HEALTH_MESSAGE];
};

/* What a worker says of its connections; written by the worker. The three wishes are the keeper's. */
struct health_pool {
	_Atomic int size;
	_Atomic int up;
	_Atomic bool redis_up;
	_Atomic bool read_only;      /* the last answer came from a session that cannot write */
	_Atomic int64_t asked_us;    /* clock_steady_us: when the last ping was sent, */
	_Atomic int64_t answered_us; /* and when the last answer came; */
	_Atomic int64_t response_us; /* how long that one took */
	_Atomic int64_t short_us;    /* when it could not take a connection for want of descriptors or memory; 0: never */
	_Atomic uint32_t ping_wish;  /* each grows when it is wished once more */
	_Atomic uint32_t reset_wish; /* give all connections up and make new ones */
	_Atomic uint32_t reconnect_wish; /* the same with Redis */
};

/* Whether there is room for what is written. */
enum health_storage {
	HEALTH_STORAGE_OK,
	HEALTH_STORAGE_LOW, /* the disk of the embedded database has less left than AGENTD_DISK_RESERVE_MB */
	HEALTH_STORAGE_FULL /* PostgreSQL said that its disk is full */
};

struct health_board;

/* Maps a board on which nothing is known. NULL: errno says why. */
MUST_CHECK struct health_board *health_board_new(void);

static inline int
health_worker(int slot)
{
	return HEALTH_FIXED_PARTS + 2 * slot;
}

static inline int
health_pool(int slot)
{
	return HEALTH_FIXED_PARTS + 2 * slot + 1;
}

/* For the keeper alone. name is kept from the first time on. True: the status changed. */
bool health_put(struct health_board *board, int part, const char *name, const struct health_finding *finding,
                int64_t wall_us);
/* A round of checks is over; what is older than stale_us from now on is not known any more: the keeper is not there. */
void health_round(struct health_board *board, int64_t stale_us);
/* False: nothing is known of that part. */
MUST_CHECK bool health_get(const struct health_board *board, int part, struct health_component *component_r);
/* There is no such part any more. */
void health_forget(struct health_board *board, int part);
/* One more than the highest part that was ever known. */
int health_parts(const struct health_board *board);
/* What the status of a part means for the node: what it can do without is a warning at most. */
enum health_status health_weight(int part, enum health_status status);
/* The worst of all parts, weighed; unknown while nothing is known. Workers are critical when all of them are. */
enum health_status health_overall(const struct health_board *board);

struct health_pool *health_board_pool(struct health_board *board, int slot);

/* The keeper says how it is; whoever hears from PostgreSQL that its disk is full says that. */
enum health_storage health_storage(const struct health_board *board);
void health_storage_set(struct health_board *board, enum health_storage storage);
/*
 * The database's time, by which tokens, keys and schedules are judged: whatever somebody does to this node's clock,
 * they keep their times. The wall clock until the database has told. For the keeper: what it told just now, twice if
 * that is a surprise; false: once more.
 */
int64_t health_time_us(const struct health_board *board);
MUST_CHECK bool health_time_set(struct health_board *board, int64_t database_us);
/* How often something was done about a part. */
int health_recoveries(const struct health_board *board);
void health_recovery_count(struct health_board *board);

const char *health_status_name(enum health_status status);
/* Processor, memory, disk: over 90 % is a warning, over 95 % is critical; NAN is not known. */
enum health_status health_of_percent(double percent);
/* What becomes of a component by one more finding. Pure. True: its status changed. */
bool health_take(struct health_component *component, const struct health_finding *finding, int64_t wall_us);

#endif
