/*
 * floor_looks.c - see floor_looks.h.
 *
 * Stragglers lower the floors first; then their queue is marked as ready, so that waiting agents ask again.
 */
#include "floor_looks.h"
#include "clock.h"
#include "db.h"
#include "process.h"
#include "wake.h"

struct floor_looks {
	struct worker *worker;
	struct floors *floors;
	struct floors_look look;
	struct slice values[QUERY_PARAMS_MAX];
	char tenant[24];
	struct buf text;
	bool looking;
};

struct floor_looks *
floor_looks_new(struct worker *worker, struct floors *floors)
{
	struct floor_looks *looks = mem_zero(sizeof(*looks));

	looks->worker = worker;
	looks->floors = floors;
	return looks;
}

void
floor_looks_free(struct floor_looks *looks)
{
	buf_free(&looks->text);
	free(looks);
}

static int64_t
number(const struct db_result *result, int row, const char *column)
{
	return strtoll(db_get(result, row, column).data, NULL, 10);
}

static void
looked(void *arg, const struct db_result *result)
{
	struct floor_looks *looks = arg;
	const struct floors_look *look = &looks->look;
	bool ok = result->status == DB_OK && result->count > 0;
	int found = ok ? result->count - 1 : 0; /* the last row says how long it took */

	looks->looking = false;
	for (int row = 0; row < found; row++)
		floors_found(looks->floors, look, number(result, row, "priority"), number(result, row, "floor_us"));
	floors_looked(looks->floors, look, clock_steady_us(), ok ? number(result, found, "took_us") : -1);
	if (found && look->kind == FLOORS_LOWER)
		wake_queue(looks->worker->heritage, look->tenant, slice_of(look->queue));
}

void
floor_looks_tick(struct floor_looks *looks, int64_t now_us)
{
	struct floors_look *look = &looks->look;
	enum query_id query;

	if (looks->looking || !floors_due(looks->floors, now_us, look))
		return;
	query = look->kind == FLOORS_RAISE ? QUERY_TASK_FLOORS : QUERY_TASK_STRAGGLERS;
	buf_clear(&looks->text, SIZE_MAX);
	floors_write_times(look->at_us, &looks->text);
	snprintf(looks->tenant, sizeof(looks->tenant), "%lld", (long long)look->tenant);
	looks->values[db_param(query, "tenant")] = slice_of(looks->tenant);
	looks->values[db_param(query, "queue")] = slice_of(look->queue);
	looks->values[db_param(query, "special")] = look->special ? SLICE("true") : SLICE("false");
	looks->values[db_param(query, "floors")] = buf_slice(&looks->text);
	looks->looking = true;
	db_send(looks->worker->db, query, looks->values, looked, looks);
}
