/*
 * db_queue.c - where calls wait for their turn: one queue a lane, in which tenants take turns.
 *
 * A lane has a line for each tenant that has calls waiting, and a line goes to the end after each call that was taken
 * from it. So a tenant who floods fills what others leave, and is the first to be refused when there is too much.
 */
#include "db_private.h"

static int64_t
tenant_of(int lane, const struct db_call *call)
{
	int param = db_param((enum query_id)(lane % QUERY_COUNT), "tenant");
	struct slice text = param < 0 ? SLICE_NONE : call->values[param];
	int64_t tenant = 0;

	/* Digits by the server's own hand, or nothing. */
	for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
		tenant = tenant * 10 + text.data[i] - '0';
	return tenant;
}

static struct db_line *
line_of(struct db *db, int lane, const struct db_call *call)
{
	struct db_lane *at = &db->lanes[lane];
	int64_t tenant = tenant_of(lane, call);
	struct db_line *line;

	HASH_FIND(hh, at->by_tenant, &tenant, sizeof(tenant), line);
	if (line)
		return line;
	line = TAILQ_FIRST(&db->unused_lines);
	if (line)
		TAILQ_REMOVE(&db->unused_lines, line, entry);
	else
		line = mem_alloc(sizeof(*line));
	*line = (struct db_line){.tenant = tenant};
	TAILQ_INIT(&line->calls);
	HASH_ADD(hh, at->by_tenant, tenant, sizeof(line->tenant), line);
	TAILQ_INSERT_TAIL(&at->turn, line, entry);
	return line;
}

static void
take_out(struct db *db, int lane, struct db_line *line, struct db_call *call)
{
	struct db_lane *at = &db->lanes[lane];

	TAILQ_REMOVE(&line->calls, call, entry);
	line->count--;
	at->queued--;
	if (line->count > 0)
		return;
	TAILQ_REMOVE(&at->turn, line, entry);
	HASH_DEL(at->by_tenant, line);
	TAILQ_INSERT_HEAD(&db->unused_lines, line, entry);
}

void
db_queue_put(struct db *db, int lane, struct db_call *call)
{
	struct db_line *line = line_of(db, lane, call);

	TAILQ_INSERT_TAIL(&line->calls, call, entry);
	line->count++;
	db->lanes[lane].queued++;
	db->waiting[lane / 64] |= UINT64_C(1) << lane % 64;
}

void
db_queue_return(struct db *db, int lane, struct db_call *call)
{
	struct db_line *line = line_of(db, lane, call);

	TAILQ_INSERT_HEAD(&line->calls, call, entry);
	line->count++;
	db->lanes[lane].queued++;
	db->waiting[lane / 64] |= UINT64_C(1) << lane % 64;
}

struct db_call *
db_queue_first(struct db *db, int lane)
{
	struct db_line *line = TAILQ_FIRST(&db->lanes[lane].turn);

	return line ? TAILQ_FIRST(&line->calls) : NULL;
}

struct db_call *
db_queue_take(struct db *db, int lane)
{
	struct db_lane *at = &db->lanes[lane];
	struct db_line *line = TAILQ_FIRST(&at->turn);
	struct db_call *call = TAILQ_FIRST(&line->calls);

	TAILQ_REMOVE(&at->turn, line, entry);
	TAILQ_INSERT_TAIL(&at->turn, line, entry);
	take_out(db, lane, line, call);
	return call;
}

struct db_call *
db_queue_take_surplus(struct db *db, int lane)
{
	struct db_line *line, *longest = TAILQ_FIRST(&db->lanes[lane].turn);
	struct db_call *call;

	TAILQ_FOREACH(line, &db->lanes[lane].turn, entry)
	{
		if (line->count > longest->count)
			longest = line;
	}
	call = TAILQ_LAST(&longest->calls, db_calls);
	take_out(db, lane, longest, call);
	return call;
}

struct db_call *
db_queue_take_due(struct db *db, int lane, int64_t due_us)
{
	struct db_line *line;

	TAILQ_FOREACH(line, &db->lanes[lane].turn, entry)
	{
		struct db_call *call = TAILQ_FIRST(&line->calls);
		if (call->deadline_us > due_us)
			continue;
		take_out(db, lane, line, call);
		return call;
	}
	return NULL;
}

void
db_queue_init(struct db *db)
{
	TAILQ_INIT(&db->unused_lines);
	for (int lane = 0; lane < DB_LANES; lane++)
		TAILQ_INIT(&db->lanes[lane].turn);
}

void
db_queue_free(struct db *db)
{
	struct db_line *line;

	for (int lane = 0; lane < DB_LANES; lane++)
		while (db->lanes[lane].queued)
			free(db_queue_take(db, lane));
	while ((line = TAILQ_FIRST(&db->unused_lines))) {
		TAILQ_REMOVE(&db->unused_lines, line, entry);
		free(line);
	}
}
