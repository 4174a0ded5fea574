/*
 * api_health.c - probes, open to everyone: they cost no statement and say no more than a name and a state; and the
 * report for those who may read it. What is known of the node is on the board that the keeper writes (shared/health.h).
 */
#include "api.h"
#include "cache.h"
#include "changes.h"
#include "clock.h"
#include "db.h"
#include "health.h"
#include "rows.h"

#include <math.h>

static enum step
answer(struct request *request, struct slice text)
{
	request->static_reply = text;
	request->status = 200;
	return STEP_NEXT;
}

enum step
api_livez(struct request *request)
{
	return answer(request, SLICE("{\"status\":\"ok\"}"));
}

/* With less than all the node still serves, so it stays in the load balancer. */
static enum step
answer_ready(struct request *request)
{
	static const struct slice texts[] = {SLICE("{\"status\":\"ok\",\"missing\":[]}"),
	                                     SLICE("{\"status\":\"ok\",\"missing\":[\"redis\"]}"),
	                                     SLICE("{\"status\":\"ok\",\"missing\":[\"writes\"]}"),
	                                     SLICE("{\"status\":\"ok\",\"missing\":[\"redis\",\"writes\"]}")};
	const struct worker *worker = request->worker;
	bool redis = !worker->cache || cache_up(worker->cache);
	bool writes = health_storage(worker->heritage->health) == HEALTH_STORAGE_OK;

	return answer(request, texts[(redis ? 0 : 1) + (writes ? 0 : 2)]);
}

enum step
api_readyz(struct request *request)
{
	/* Not of this worker, which may leave because another generation serves. */
	if (atomic_load(&request->worker->heritage->board->draining))
		return request_fail(request, ERROR_UNAVAILABLE, "not ready: this node is shutting down");
	if (!db_ready(request->worker->db))
		return request_fail(request, ERROR_UNAVAILABLE, "not ready: no connection to the database: %s",
		                    db_last_error(request->worker->db));
	if (changes_age_us(request->worker->changes) > CHANGES_STALE_US)
		return request_fail(request, ERROR_UNAVAILABLE,
		                    "not ready: the database has not told yet whose tokens and keys are revoked");
	return answer_ready(request);
}

/* Once it has started it has: what goes wrong later is not for this probe, which would have the node killed. */
enum step
api_startupz(struct request *request)
{
	return request->worker->ready_told ? answer(request, SLICE("{\"status\":\"ok\",\"missing\":[]}"))
	                                   : api_readyz(request);
}

/* The board's word, unless this worker knows of something worse itself. */
static enum health_status
status_of(const struct worker *worker, int part, const struct health_component *component)
{
	if (part == HEALTH_DATABASE && !db_ready(worker->db))
		return HEALTH_CRITICAL;
	if (part == HEALTH_DATABASE && component->status == HEALTH_UNKNOWN)
		return HEALTH_HEALTHY;
	if (part == HEALTH_REDIS && worker->cache && !cache_up(worker->cache))
		return MAX(component->status, HEALTH_WARNING);
	if (part == HEALTH_REDIS && worker->cache && component->status == HEALTH_UNKNOWN)
		return HEALTH_HEALTHY;
	return component->status;
}

static const char *const part_names[HEALTH_FIXED_PARTS] = {
    [HEALTH_CPU] = "cpu",      [HEALTH_MEMORY] = "memory",
    [HEALTH_DISK] = "disk",    [HEALTH_DATABASE] = "database",
    [HEALTH_REDIS] = "redis",  [HEALTH_QUEUE] = "queue",
    [HEALTH_CLOCK] = "clock",  [HEALTH_CERTIFICATE] = "certificate",
    [HEALTH_AGENTS] = "agents", [HEALTH_BACKUP] = "backup"};

enum step
api_health(struct request *request)
{
	const struct worker *worker = request->worker;
	const struct health_board *board = worker->heritage->health;
	enum health_status overall = health_overall(board);
	int64_t uptime_us = worker->now_us - worker->heritage->board->started_us;
	struct health_component component;
	struct json_writer writer;
	struct buf parts = {0};

	json_write_begin(&writer, &parts);
	json_write_object_open(&writer);
	for (int part = 0; part < HEALTH_FIXED_PARTS; part++) {
		bool known = health_get(board, part, &component);
		if (!known)
			component = (struct health_component){.status = HEALTH_UNKNOWN};
		if (!known && part != HEALTH_DATABASE && !(part == HEALTH_REDIS && worker->cache))
			continue;
		overall = MAX(overall, health_weight(part, status_of(worker, part, &component)));
		json_write_member_text(&writer, part_names[part], health_status_name(status_of(worker, part, &component)));
	}
	json_write_object_close(&writer);
	json_write_begin(&writer, &request->reply);
	json_write_object_open(&writer);
	json_write_member_text(&writer, "status", health_status_name(overall));
	json_write_member_text(&writer, "version", PACKAGE_VERSION);
	json_write_key(&writer, "uptime_s");
	json_write_double(&writer, (double)(uptime_us / 1000) / 1000);
	json_write_member_raw(&writer, "components", buf_slice(&parts));
	json_write_object_close(&writer);
	buf_free(&parts);
	request->status = db_ready(worker->db) ? 200 : 503;
	return STEP_NEXT;
}

/* --- the report --- */

static void
write_time(struct json_writer *writer, const char *key, int64_t wall_us)
{
	char text[CLOCK_RFC3339_SIZE];

	clock_format(wall_us, text);
	json_write_member_text(writer, key, text);
}

static void
write_component(struct json_writer *writer, const struct health_component *component)
{
	json_write_object_open(writer);
	json_write_member_text(writer, "name", component->name);
	json_write_member_text(writer, "status", health_status_name(component->status));
	json_write_member_text(writer, "message", component->message);
	json_write_key(writer, "response_time_ms");
	json_write_double(writer, component->response_ms);
	json_write_member_int(writer, "failures", component->failures);
	write_time(writer, "since", component->since_us);
	write_time(writer, "checked_at", component->checked_us);
	json_write_object_close(writer);
}

/* The part that SQL knows is an object: this one stays open and takes its members. */
void
api_report_finish(struct request *request, struct call *call, const struct db_result *result)
{
	const struct health_board *board = request->worker->heritage->health;
	struct health_component component;
	struct json_writer writer;
	struct buf head = {0};

	json_write_begin(&writer, &head);
	json_write_object_open(&writer);
	json_write_member_text(&writer, "status", health_status_name(health_overall(board)));
	json_write_member_bool(&writer, "writes", health_storage(board) == HEALTH_STORAGE_OK);
	json_write_key(&writer, "components");
	json_write_array_open(&writer);
	for (int part = 0; part < health_parts(board); part++)
		if (health_get(board, part, &component))
			write_component(&writer, &component);
	json_write_array_close(&writer);
	call_finish(request, call, result);
	buf_add_byte(&head, ',');
	buf_add(&head, call->out.data + 1, call->out.len - 1);
	buf_free(&call->out);
	call->out = head;
}
