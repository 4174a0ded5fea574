/* tenant_bounds.c - see tenant_bounds.h. */
#include "tenant_bounds.h"
#include "clock.h"
#include "crypto.h"
#include "db.h"

#include <uthash.h>

enum { POLL_US = 1000000 };

struct bound {
	int64_t tenant;
	int64_t rate;
	uint32_t full; /* bits 1 << enum tenant_bound */
	UT_hash_handle hh;
};

struct tenant_bounds {
	struct db *db;
	struct bound *known;
	int64_t next_us; /* by the steady clock */
	bool asked;
	struct slice none[QUERY_PARAMS_MAX];
};

static void
forget(struct tenant_bounds *bounds)
{
	struct bound *bound, *next;

	HASH_ITER(hh, bounds->known, bound, next)
	{
		HASH_DEL(bounds->known, bound);
		free(bound);
	}
}

static uint32_t
bit(struct slice cell, enum tenant_bound bound)
{
	return cell.data && cell.data[0] == 't' ? 1u << bound : 0;
}

static void
answered(void *arg, const struct db_result *result)
{
	struct tenant_bounds *bounds = arg;

	bounds->asked = false;
	if (result->status != DB_OK)
		return;
	forget(bounds);
	for (int row = 0; row < result->count; row++) {
		struct bound *bound = mem_alloc(sizeof(*bound));
		struct slice rate = db_get(result, row, "rate_limit");
		*bound = (struct bound){.tenant = strtoll(db_get(result, row, "tenant").data, NULL, 10),
		                        .rate = rate.data ? strtoll(rate.data, NULL, 10) : 0,
		                        .full = bit(db_get(result, row, "tasks_full"), TENANT_BOUND_TASKS) |
		                                bit(db_get(result, row, "workflows_full"), TENANT_BOUND_WORKFLOWS)};
		HASH_ADD(hh, bounds->known, tenant, sizeof(bound->tenant), bound);
	}
}

static const struct bound *
find(const struct tenant_bounds *bounds, int64_t tenant)
{
	struct bound *bound;

	HASH_FIND(hh, bounds->known, &tenant, sizeof(tenant), bound);
	return bound;
}

struct tenant_bounds *
tenant_bounds_new(struct db *db)
{
	struct tenant_bounds *bounds = mem_zero(sizeof(*bounds));

	bounds->db = db;
	return bounds;
}

void
tenant_bounds_free(struct tenant_bounds *bounds)
{
	forget(bounds);
	free(bounds);
}

void
tenant_bounds_tick(struct tenant_bounds *bounds)
{
	int64_t now_us = clock_steady_us();
	uint32_t jitter;

	if (bounds->asked || now_us < bounds->next_us || !db_ready(bounds->db))
		return;
	/* A little less than a second, at random, so that workers do not ask in step. */
	crypto_random(&jitter, sizeof(jitter));
	bounds->next_us = now_us + POLL_US * 3 / 4 + jitter % (POLL_US / 4);
	bounds->asked = true;
	db_send(bounds->db, QUERY_TENANT_BOUNDS, bounds->none, answered, bounds);
}

bool
tenant_bounds_full(const struct tenant_bounds *bounds, int64_t tenant, enum tenant_bound bound)
{
	const struct bound *found = find(bounds, tenant);

	return found && (found->full >> bound & 1);
}

int64_t
tenant_bounds_rate(const struct tenant_bounds *bounds, int64_t tenant)
{
	const struct bound *found = find(bounds, tenant);

	return found ? found->rate : 0;
}
