/*
 * heritage.h - everything that a child gets from the master by fork; there is no other way in.
 *
 * The child protocol: the child owns one slot of the scoreboard; it writes one byte to status_fd when it is ready; it
 * leaves when lifeline_fd reports end of file (the master is gone) or on SIGTERM, after what it has begun is finished.
 * It leaves with exit status 0 after that, and with 1 and a line in the log if it cannot start.
 */
#ifndef AGENTD_HERITAGE_H
#define AGENTD_HERITAGE_H

#include "base.h"
#include "crypto_seal.h"
#include "scoreboard.h"

struct address_count;
struct audit_keys;
struct config;
struct duty_board;
struct health_board;
struct limit_table;
struct span_ring;
struct throttle_table;

struct heritage {
	const struct config *config;
	const char *database_url;
	const char *direct_url; /* the same, past any pooler */
	const char *secret;          /* signs tokens */
	const char *previous_secret; /* still verifies; "" when there is none */
	struct audit_keys *audit_keys; /* derived from the secrets, and no way back to them: the keeper has no other */
	uint8_t channel_keys[2][CRYPTO_SEAL_KEY]; /* seal what signs webhooks: of the secret, and of the one before or the same */
	struct scoreboard *board;
	struct health_board *health;
	struct limit_table *limits;
	struct duty_board *duties; /* what the keeper did */
	struct address_count *addresses; /* open connections; an owner is a slot of the board */
	struct throttle_table *throttle; /* of logins */
	struct span_ring *spans;         /* one for each slot of the board */
	uint8_t hash_key[16]; /* for limit subjects: the same in all processes of the node */
	int listen_fd;        /* shared, non-blocking; -1 for processes that do not serve */
	int metrics_fd;       /* the same of the metrics port; -1: there is none */
	int *wake_fds;        /* an eventfd per slot: written when a queue that it may wait for has work */
	const char *process;  /* "worker 0", "keeper" */
	int slot;
	int index; /* among its kind */
	int status_fd;
	int lifeline_fd;
};

#endif
