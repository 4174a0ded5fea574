/* agents_seen.c - see agents_seen.h. */
#include "agents_seen.h"
#include "aside.h"
#include "clock.h"

#include <uthash.h>

enum { SEEN_MAX = 50000, KEEP_US = 60000000, PLAIN_US = 2000000, ASK_US = 500000 };

struct agent {
	char tenant[24];
	char wait_ms[24];
	struct slice values[3];
	int64_t seen_us;
	int64_t plain_until_us;
	int64_t asked_us;
	bool noted; /* since the last flush */
	UT_hash_handle hh;
	char key[]; /* "tenant agent_id": also holds the id */
};

struct agents_seen {
	struct db *db;
	struct agent *agents;
};

struct agents_seen *
agents_seen_new(struct db *db)
{
	struct agents_seen *seen = mem_zero(sizeof(*seen));

	seen->db = db;
	return seen;
}

void
agents_seen_free(struct agents_seen *seen)
{
	struct agent *agent, *next;

	HASH_ITER(hh, seen->agents, agent, next)
	{
		HASH_DEL(seen->agents, agent);
		free(agent);
	}
	free(seen);
}

static struct agent *
agent_new(struct agents_seen *seen, const char *key, size_t length)
{
	struct agent *agent = mem_zero(sizeof(*agent) + length + 1);
	const char *space = memchr(key, ' ', length);
	size_t prefix = (size_t)(space - key);

	memcpy(agent->key, key, length);
	memcpy(agent->tenant, key, MIN(prefix, sizeof(agent->tenant) - 1));
	agent->values[db_param(QUERY_AGENT_SEEN, "tenant")] = slice_of(agent->tenant);
	agent->values[db_param(QUERY_AGENT_SEEN, "agent_id")] =
	    (struct slice){agent->key + prefix + 1, length - prefix - 1};
	HASH_ADD_KEYPTR(hh, seen->agents, agent->key, length, agent);
	return agent;
}

static struct agent *
find(struct agents_seen *seen, const struct slice *values, char key[static 300])
{
	struct agent *agent;
	int length = snprintf(key, 300, "%.*s %.*s", SLICE_ARG(values[db_param(QUERY_AGENT_SEEN, "tenant")]),
	                      SLICE_ARG(values[db_param(QUERY_AGENT_SEEN, "agent_id")]));

	HASH_FIND(hh, seen->agents, key, (size_t)MIN(length, 299), agent);
	return agent;
}

static void
flushed(void *arg, const struct slice *values, const struct db_result *result)
{
	char key[300];
	struct agent *agent = find(arg, values, key);

	if (agent && result->status == DB_OK && result->count && slice_is(db_get(result, 0, "plain"), "t"))
		agent->plain_until_us = clock_steady_us() + PLAIN_US;
}

static void
send_note(struct agents_seen *seen, struct agent *agent)
{
	agent->noted = false;
	agent->asked_us = clock_steady_us();
	aside_send(seen->db, QUERY_AGENT_SEEN, agent->values, flushed, seen);
}

bool
agents_seen_note(struct agents_seen *seen, int64_t tenant, struct slice agent_id, int64_t wait_us)
{
	struct agent *agent;
	char key[300];
	int length = snprintf(key, sizeof(key), "%lld %.*s", (long long)tenant, SLICE_ARG(agent_id));

	if (length < 0 || (size_t)length >= sizeof(key))
		return false;
	HASH_FIND(hh, seen->agents, key, (size_t)length, agent);
	if (!agent && HASH_COUNT(seen->agents) >= SEEN_MAX)
		return false;
	if (!agent)
		agent = agent_new(seen, key, (size_t)length);
	agent->noted = true;
	agent->seen_us = clock_steady_us();
	snprintf(agent->wait_ms, sizeof(agent->wait_ms), "%lld", (long long)(wait_us / 1000));
	agent->values[db_param(QUERY_AGENT_SEEN, "wait_ms")] = slice_of(agent->wait_ms);
	/* Until it is known to be plain all its leases take the longer way: that is asked at once. */
	if (agent->plain_until_us <= agent->seen_us && agent->seen_us - agent->asked_us > ASK_US)
		send_note(seen, agent);
	return agent->plain_until_us > agent->seen_us;
}

void
agents_seen_flush(struct agents_seen *seen)
{
	int64_t now_us = clock_steady_us();
	struct agent *agent, *next;

	/* Nobody waits for it: who does anything is noted again. */
	HASH_ITER(hh, seen->agents, agent, next)
	{
		if (agent->noted) {
			send_note(seen, agent);
		} else if (now_us - agent->seen_us > KEEP_US) {
			HASH_DEL(seen->agents, agent);
			free(agent);
		}
	}
}
