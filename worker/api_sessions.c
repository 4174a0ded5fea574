/*
 * api_sessions.c - refresh tokens, logout and the user's sessions. The answer to a refresh is stored, sealed, in the
 * transaction that uses the token up: a client that did not get it asks again and gets the same bytes.
 */
#include "api.h"
#include "ask.h"
#include "body.h"
#include "changes.h"
#include "config.h"
#include "issue.h"
#include "log.h"

struct refresh {
	struct request *request;
	struct field_value given;
	struct refresh_token token; /* what was given says */
	struct issue issue;         /* what comes of it */
	struct db_then then;
	struct slice *sealed_values;
	struct buf sealed;
};

/* One answer for all: what was wrong with the token is nobody's business but the log's. */
static enum step
refuse(struct request *request, const char *why)
{
	log_warning("security", "refresh refused", LOG_TEXT("reason", why), LOG_SLICE("address", request->address),
	            LOG_SLICE("request_id", request->id));
	return request_fail(request, ERROR_BAD_REFRESH_TOKEN,
	                    "the refresh token is not valid or was used before; log in again");
}

static struct slice
keep(struct request *request, struct slice text)
{
	return text.data ? (struct slice){arena_string(&request->arena, text), text.len} : SLICE_NONE;
}

/* Nothing is committed yet: makes the answer and what is stored of it. */
static const struct slice *
rotate(void *arg, const struct db_result *result)
{
	struct refresh *refresh = arg;
	struct request *request = refresh->request;
	struct issue *issue = &refresh->issue;

	if (result->count == 0 || !slice_is(db_get(result, 0, "result"), "rotated"))
		return NULL;
	issue->user_id = keep(request, db_get(result, 0, "user_id"));
	issue->username = keep(request, db_get(result, 0, "username"));
	issue->role = keep(request, db_get(result, 0, "role"));
	issue->display_name = keep(request, db_get(result, 0, "display_name"));
	issue->tenant_name = keep(request, db_get(result, 0, "tenant_name"));
	request->reply.len = 0;
	issue_write(request, issue, result, &request->reply);
	refresh->sealed.len = 0;
	refresh_seal(request->worker->refresh_keys, refresh->given.text, buf_slice(&request->reply), &refresh->sealed);
	ask_set(refresh->sealed_values, QUERY_SESSION_SEAL, "sealed", keep(request, buf_slice(&refresh->sealed)));
	return refresh->sealed_values;
}

static enum step
conclude(struct refresh *refresh, const struct db_result *result)
{
	struct request *request = refresh->request;
	struct slice outcome;

	if (result->status != DB_OK)
		return request_fail_database(request, result);
	if (result->count == 0)
		return refuse(request, "the session is not there");
	outcome = db_get(result, 0, "result");
	if (slice_is(outcome, "reused")) {
		changes_mark(request->worker->heritage);
		return refuse(request, "used before: the session is ended");
	}
	if (slice_is(outcome, "refused"))
		return refuse(request, "the session has ended, or its user is not active");
	if (slice_is(outcome, "again") && !refresh_unseal(request->worker->refresh_keys, refresh->given.text,
	                                                  db_get(result, 0, "sealed"), &request->reply))
		return refuse(request, "the stored answer cannot be opened");
	request->status = 200;
	return STEP_NEXT;
}

static void
refreshed(void *arg, const struct db_result *result)
{
	struct refresh *refresh = arg;
	struct request *request = refresh->request;
	enum step step = conclude(refresh, result);

	buf_free(&refresh->sealed);
	request_resume(request, step);
}

static void
send_refresh(struct refresh *refresh)
{
	struct request *request = refresh->request;
	const struct config *config = request->worker->config;
	struct slice tenant = issue_seconds(request, refresh->token.tenant), id = slice_of(refresh->token.session);
	struct slice *before = ask_values(request, QUERY_SESSION_LOCK),
	             *values = ask_values(request, QUERY_SESSION_REFRESH);

	refresh->sealed_values = ask_values(request, QUERY_SESSION_SEAL);
	ask_set(before, QUERY_SESSION_LOCK, "tenant", tenant);
	ask_set(before, QUERY_SESSION_LOCK, "id", id);
	ask_set(refresh->sealed_values, QUERY_SESSION_SEAL, "tenant", tenant);
	ask_set(refresh->sealed_values, QUERY_SESSION_SEAL, "id", id);
	ask_set(values, QUERY_SESSION_REFRESH, "tenant", tenant);
	ask_set(values, QUERY_SESSION_REFRESH, "id", id);
	ask_set(values, QUERY_SESSION_REFRESH, "hash", slice_of(refresh->token.hash));
	ask_set(values, QUERY_SESSION_REFRESH, "new_hash", slice_of(refresh->issue.token.hash));
	ask_set(values, QUERY_SESSION_REFRESH, "lifetime_s", issue_seconds(request, config->refresh_lifetime_s));
	ask_set(values, QUERY_SESSION_REFRESH, "token_lifetime_s", issue_seconds(request, config->jwt_lifetime_s));
	ask_set(values, QUERY_SESSION_REFRESH, "address", request->address);
	ask_set(values, QUERY_SESSION_REFRESH, "user_agent", issue_user_agent(request));
	ask_set(values, QUERY_SESSION_REFRESH, "request_id", request->id);
	refresh->then = (struct db_then){QUERY_SESSION_LOCK, before, QUERY_SESSION_SEAL, rotate};
	db_send_then(request->worker->db, QUERY_SESSION_REFRESH, values, &refresh->then, refreshed, refresh);
}

enum step
api_refresh(struct request *request)
{
	struct refresh *refresh;

	refresh = arena_zero(&request->arena, sizeof(*refresh));
	request->state = refresh;
	refresh->request = request;
	if (!body_read(request, &refresh->given))
		return STEP_DONE;
	if (!refresh_parse(request->worker->refresh_keys, refresh->given.text, &refresh->token))
		return refuse(request, "not one of ours");
	issue_begin(request, &refresh->issue, refresh->token.tenant, refresh->token.session);
	send_refresh(refresh);
	return STEP_WAIT;
}

static bool
is_user(struct request *request, struct call *call)
{
	return request->principal.kind == PRINCIPAL_USER ||
	       call_fail(call, ERROR_FORBIDDEN, "sessions are of users who logged in; an API key has none");
}

bool
api_sessions_prepare(struct request *request, struct call *call)
{
	if (!is_user(request, call))
		return false;
	call_set(call, "session", request->principal.session);
	return true;
}

bool
api_session_prepare(struct request *request, struct call *call)
{
	return is_user(request, call);
}

/* One that has ended meanwhile is as good. */
void
api_logout_finish(struct request *request, struct call *call, const struct db_result *result)
{
	(void)request;
	(void)result;
	call->status = 204;
}

bool
api_logout_prepare(struct request *request, struct call *call)
{
	if (request->principal.kind != PRINCIPAL_USER || !request->principal.session.data)
		return call_fail(call, ERROR_FORBIDDEN,
		                 "only a session can log out; an API key is ended by POST /api/v1/keys/{key_id}/revoke");
	call_set(call, "id", request->principal.session);
	return true;
}
