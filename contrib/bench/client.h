/*
 * client.h - one connection of a load generator to agentd, and what an agent says on it.
 *
 * One request in flight a connection. Sending and reading block; who has many connections reads when there is something
 * to read. Answers are trusted to be well-formed: whether they are is for tests to say. What fails ends the program.
 */
#ifndef BENCH_CLIENT_H
#define BENCH_CLIENT_H

#include "base.h"
#include "buf.h"

struct client {
	int fd;
	int number; /* the agent is `bench-NUMBER` */
	bool settling;
	int tasks; /* leased now */
	int64_t began_us;
	struct buf out;
	struct buf in;
	struct slice body; /* of the answer, in `in` */
	int status;
};

/* Where the server is, who asks, and a task's JSON of the role `bench`: of the environment. */
struct client_target {
	const char *url;
	const char *token;
	const char *task;
};

NORETURN void client_die(const char *format, ...) PRINTF_LIKE(1, 2);

/* BENCH_URL, BENCH_TOKEN and BENCH_TASK; all must be set. */
struct client_target client_target_read(void);
/* Connects to url (http://127.0.0.1:5000). The token is borrowed until client_close(). */
void client_open(struct client *client, int number, const char *url);
void client_close(struct client *client);

void client_post(struct client *client, const char *path, struct slice body);
/* Reads once, which waits if nothing has come. True when the answer is complete: see status and body. */
MUST_CHECK bool client_read(struct client *client);
void client_wait(struct client *client);

/* Asks for tasks; began_us is the moment at which it did. */
void client_lease(struct client *client, const char *role, int max, int wait_s);
/* Completes what the lease's answer holds: alone, or in an array. Returns how many tasks; none: nothing was sent. */
int client_settle(struct client *client, bool alone);

/* The first place of what in text, or NULL. */
const char *client_find(struct slice text, const char *what);
int client_count(struct slice text, const char *what);
/* A number of the command line, from 1 to 100000000. */
int client_number(const char *text);

#endif
