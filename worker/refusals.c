/* refusals.c - see refusals.h. */
#include "refusals.h"
#include "aside.h"
#include "clock.h"
#include "json_write.h"
#include "request.h"

#include <uthash.h>

enum { REASON_MAX = 200, NAME_MAX_SHOWN = 100 };

struct refusal {
	int64_t first_us; /* steady, for the window */
	int64_t first_wall_us, last_wall_us;
	int64_t count;
	int64_t tenant;
	int status;
	enum error error;
	const char *operation;
	char actor[NAME_MAX_SHOWN + 1];
	char actor_id[NAME_MAX_SHOWN + 1];
	char reason[REASON_MAX + 1];
	char address[64];
	char request_id[REQUEST_ID_MAX + 1]; /* of the first */
	UT_hash_handle hh;
	char key[];
};

struct refusals {
	struct db *db;
	struct refusal *list;
	int64_t lost; /* that had no place, or did not reach the database */
};

struct refusals *
refusals_new(struct db *db)
{
	struct refusals *refusals = mem_zero(sizeof(*refusals));

	refusals->db = db;
	return refusals;
}

void
refusals_free(struct refusals *refusals)
{
	struct refusal *refusal, *next;

	if (!refusals)
		return;
	HASH_ITER(hh, refusals->list, refusal, next)
	{
		HASH_DEL(refusals->list, refusal);
		free(refusal);
	}
	free(refusals);
}

static void
copy(char *out, size_t size, struct slice text)
{
	snprintf(out, size, "%.*s", (int)MIN(text.len, size - 1), text.data ? text.data : "");
}

static bool
is_refused(const struct request *request)
{
	return request->is_error &&
	       (request->status == 401 || request->status == 403 ||
	        (request->status == 429 && request->endpoint && request->endpoint->limit == LIMIT_CLASS_LOGIN));
}

static void
fill(struct refusal *refusal, const struct request *request, const struct principal *who)
{
	refusal->tenant = who->kind == PRINCIPAL_NOBODY ? TENANT_DEFAULT : who->tenant; /* nobody belongs to no other */
	refusal->status = request->status;
	refusal->error = request->error;
	refusal->operation = request->endpoint ? request->endpoint->operation : "none";
	copy(refusal->actor, sizeof(refusal->actor), who->kind == PRINCIPAL_NOBODY ? SLICE("nobody") : who->name);
	if (who->kind != PRINCIPAL_NOBODY)
		snprintf(refusal->actor_id, sizeof(refusal->actor_id), "%s:%.*s", who->kind == PRINCIPAL_KEY ? "key" : "user",
		         SLICE_ARG(who->id));
	copy(refusal->reason, sizeof(refusal->reason), request->refusal);
	copy(refusal->address, sizeof(refusal->address), request->address);
	copy(refusal->request_id, sizeof(refusal->request_id), request->id);
}

/* How long to wait differs from one to the next; they are alike all the same. */
static struct slice
reason_of(const struct request *request)
{
	return request->status == 429 ? SLICE_NONE : request->refusal;
}

void
refusals_note(struct refusals *refusals, const struct request *request)
{
	const struct principal *who = request->principal.kind == PRINCIPAL_NOBODY ? &request->suspect : &request->principal;
	char key[512];
	struct refusal *refusal;
	size_t length;

	if (!is_refused(request))
		return;
	length = (size_t)snprintf(key, sizeof(key), "%p %d %lld %d %.*s %.*s %.*s", (const void *)request->endpoint,
	                          request->error, (long long)who->tenant, who->kind, SLICE_ARG(who->id),
	                          SLICE_ARG(request->address), SLICE_ARG(reason_of(request)));
	length = MIN(length, sizeof(key) - 1);
	HASH_FIND(hh, refusals->list, key, length, refusal);
	if (!refusal && HASH_COUNT(refusals->list) >= REFUSALS_MAX) {
		refusals->lost++;
		return;
	}
	if (!refusal) {
		refusal = mem_zero(sizeof(*refusal) + length);
		fill(refusal, request, who);
		memcpy(refusal->key, key, length);
		refusal->first_us = clock_mono_us();
		refusal->first_wall_us = request->worker->now_us;
		HASH_ADD_KEYPTR(hh, refusals->list, refusal->key, length, refusal);
	}
	refusal->last_wall_us = request->worker->now_us;
	refusal->count++;
}

/* What did not arrive is told with what is lost otherwise. */
static void
sent(void *arg, const struct slice *values, const struct db_result *result)
{
	struct refusals *refusals = arg;

	(void)values;
	if (result->status != DB_OK)
		refusals->lost++;
}

static void
send_row(struct refusals *refusals, const struct refusal *refusal, const char *action, const struct buf *details)
{
	struct slice values[QUERY_PARAMS_MAX] = {0};
	char tenant[24];

	snprintf(tenant, sizeof(tenant), "%lld", (long long)refusal->tenant);
	values[db_param(QUERY_AUDIT_REFUSED, "tenant")] = slice_of(tenant);
	values[db_param(QUERY_AUDIT_REFUSED, "actor")] = slice_of(refusal->actor);
	if (*refusal->actor_id)
		values[db_param(QUERY_AUDIT_REFUSED, "actor_id")] = slice_of(refusal->actor_id);
	values[db_param(QUERY_AUDIT_REFUSED, "action")] = slice_of(action);
	values[db_param(QUERY_AUDIT_REFUSED, "subject_type")] = SLICE("endpoint");
	values[db_param(QUERY_AUDIT_REFUSED, "subject_id")] = slice_of(refusal->operation);
	values[db_param(QUERY_AUDIT_REFUSED, "details")] = buf_slice(details);
	if (*refusal->address)
		values[db_param(QUERY_AUDIT_REFUSED, "address")] = slice_of(refusal->address);
	if (*refusal->request_id)
		values[db_param(QUERY_AUDIT_REFUSED, "request_id")] = slice_of(refusal->request_id);
	aside_send(refusals->db, QUERY_AUDIT_REFUSED, values, sent, refusals);
}

static void
send_refusal(struct refusals *refusals, const struct refusal *refusal)
{
	struct buf details = {0};
	struct json_writer writer;
	char action[64];

	snprintf(action, sizeof(action), "refused.%s", error_kind(refusal->error)->code);
	json_write_begin(&writer, &details);
	json_write_object_open(&writer);
	json_write_member_int(&writer, "count", refusal->count);
	json_write_member_int(&writer, "status", refusal->status);
	json_write_member_text(&writer, "reason", refusal->reason);
	json_write_member_int(&writer, "over_ms", (refusal->last_wall_us - refusal->first_wall_us) / 1000);
	json_write_object_close(&writer);
	send_row(refusals, refusal, action, &details);
	buf_free(&details);
}

static void
send_lost(struct refusals *refusals)
{
	const struct refusal about = {.tenant = TENANT_DEFAULT, .operation = "any", .actor = "agentd"};
	struct buf details = {0};
	struct json_writer writer;

	json_write_begin(&writer, &details);
	json_write_object_open(&writer);
	json_write_member_int(&writer, "count", refusals->lost);
	json_write_member_text(&writer, "reason", "too many refusals at once, or no database: these were only counted");
	json_write_object_close(&writer);
	refusals->lost = 0;
	send_row(refusals, &about, "refused.not_recorded", &details);
	buf_free(&details);
}

void
refusals_flush(struct refusals *refusals, int64_t now_us, bool all)
{
	struct refusal *refusal, *next;

	if (!db_ready(refusals->db))
		return;
	HASH_ITER(hh, refusals->list, refusal, next)
	{
		if (!all && now_us - refusal->first_us < REFUSALS_WINDOW_US)
			break; /* in the order of their beginning */
		send_refusal(refusals, refusal);
		HASH_DEL(refusals->list, refusal);
		free(refusal);
	}
	if (refusals->lost)
		send_lost(refusals);
}
