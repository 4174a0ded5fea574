/*
 * process.h - what a worker process has one of. Everything in worker/ belongs to the loop's thread.
 */
#ifndef AGENTD_PROCESS_H
#define AGENTD_PROCESS_H

#include "base.h"
#include "cidr.h"
#include "crypto_seal.h"
#include "heritage.h"
#include "settle.h"

#include <sys/queue.h>

struct access_log;
struct conn;
struct crypto_hmac;
struct event;
struct event_base;
struct request;

TAILQ_HEAD(conn_list, conn);
TAILQ_HEAD(request_list, request);

/* What a connection waits for; each kind has one fixed time, so its list is in order of deadline. */
enum conn_wait {
	CONN_WAIT_IDLE,
	CONN_WAIT_HEAD,
	CONN_WAIT_BODY,
	CONN_WAIT_WRITE,
	CONN_WAIT_LINGER,
	CONN_WAIT_ANSWER,
	CONN_WAIT_LONG,
	CONN_WAIT_COUNT
};

struct worker {
	const struct heritage *heritage;
	const struct config *config;
	struct scoreboard_slot *slot;
	struct event_base *base;
	struct db *db;
	struct cache *cache; /* NULL: no Redis is wanted */
	struct quota *quota;
	struct settler settler;
	struct jwt_keys *jwt_keys;
	struct refresh_keys *refresh_keys;
	uint8_t seal_keys[2][CRYPTO_SEAL_KEY]; /* of the secret, and of the one before it or the same again */
	struct token_cache *tokens;
	struct password_pool *passwords;
	struct crypto_hmac *digests[2]; /* once.c: keyed by the secret, and by the previous one (NULL: there is none) */
	struct key_cache *keys;
	struct tenant_bounds *bounds;
	struct changes *changes;
	struct revocations *revocations;
	bool identities_changed; /* since the last tick */
	struct waiters *waiters;
	struct follow *follow;
	struct agents_seen *agents;
	struct refusals *refusals;
	struct access_log *access_log;
	struct settings *settings;
	struct pulse *pulse;
	struct tls *tls; /* NULL: plain HTTP */
	struct cidr_list trusted; /* proxies that are believed */
	struct event *accept_event;
	struct event *accept_retry;
	struct event *metrics_event; /* NULL: no metrics port */
	struct conn_list conns[CONN_WAIT_COUNT];
	int conn_count;
	int metrics_conn_count; /* of them on the metrics port */
	int stream_count;       /* requests whose answer grows */
	struct request_list requests; /* begun and not freed, orphans included */
	int request_count;
	struct event *wake_event;
	int waiting; /* requests that a mark on the ready board may concern */
	bool draining;
	bool ready_told;
	bool accepting;
	int64_t started_us;
	int64_t drain_deadline_us;
	int64_t now_us; /* wall clock at the last turn: for Date and tokens */
};

/* wakeup.c: begins to hear of marks on the node's ready board. */
void wakeup_start(struct worker *worker);
void wakeup_stop(struct worker *worker);
/* So many more requests wait: marks are written to this process as long as there are any. */
void wakeup_count(struct worker *worker, int change);
/* How often an entry of the board was marked. */
uint32_t wakeup_marks(const struct worker *worker, unsigned bucket);

/* accept.c */
void accept_start(struct worker *worker);
/* Takes what is in the queue already, then closes the socket: who comes later is refused and can go elsewhere. */
void accept_stop(struct worker *worker);

#endif
