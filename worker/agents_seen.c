/* agents_seen.c - see agents_seen.h. */
#include "agents_seen.h"
#include "aside.h"

#include <uthash.h>

enum { SEEN_MAX = 50000 };

struct agent {
	char tenant[24];
	struct slice values[2];
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

void
agents_seen_note(struct agents_seen *seen, int64_t tenant, struct slice agent_id)
{
	struct agent *agent;
	char key[300];
	int length = snprintf(key, sizeof(key), "%lld %.*s", (long long)tenant, SLICE_ARG(agent_id));
	size_t prefix;

	if (length < 0 || (size_t)length >= sizeof(key) || HASH_COUNT(seen->agents) >= SEEN_MAX)
		return;
	HASH_FIND(hh, seen->agents, key, (size_t)length, agent);
	if (agent)
		return;
	agent = mem_zero(sizeof(*agent) + (size_t)length + 1);
	memcpy(agent->key, key, (size_t)length);
	prefix = (size_t)snprintf(agent->tenant, sizeof(agent->tenant), "%lld", (long long)tenant);
	agent->values[db_param(QUERY_AGENT_SEEN, "tenant")] = slice_of(agent->tenant);
	agent->values[db_param(QUERY_AGENT_SEEN, "agent_id")] =
	    (struct slice){agent->key + prefix + 1, (size_t)length - prefix - 1};
	HASH_ADD_KEYPTR(hh, seen->agents, agent->key, (size_t)length, agent);
}

void
agents_seen_flush(struct agents_seen *seen)
{
	struct agent *agent, *next;

	/* Nobody waits for it: who does anything is noted again. */
	HASH_ITER(hh, seen->agents, agent, next)
	{
		HASH_DEL(seen->agents, agent);
		aside_send(seen->db, QUERY_AGENT_SEEN, agent->values, NULL, NULL);
		free(agent);
	}
}
