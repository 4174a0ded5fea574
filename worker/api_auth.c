/* api_auth.c - login and who am I. A wrong name and a wrong password look the same, in words and in time. */
#include "api.h"
#include "ask.h"
#include "body.h"
#include "changes.h"
#include "clock.h"
#include "config.h"
#include "issue.h"
#include "jwt.h"
#include "log.h"
#include "login_guard.h"
#include "new_password.h"
#include "password_pool.h"
#include "revocations.h"
#include "schemas.h"

/* The order of fields_login. */
enum { USERNAME, PASSWORD, TENANT_NAME, LOGIN_FIELDS };

struct login {
	struct request *request;
	struct field_value fields[LOGIN_FIELDS];
	struct login_guard guard;
	bool found;
	char *hash;
	struct slice new_hash; /* to be stored instead; absent: it is good as it is */
	struct slice version;
	struct slice id, username, role, display_name, tenant, tenant_name;
	bool active;
	struct issue issue;
};

static struct slice
keep(struct request *request, struct slice text)
{
	return text.data ? (struct slice){arena_string(&request->arena, text), text.len} : SLICE_NONE;
}

static enum step
refuse(struct login *login)
{
	struct request *request = login->request;

	log_warning("security", "login refused", LOG_SLICE("username", login->fields[USERNAME].text),
	            LOG_SLICE("address", request->address), LOG_SLICE("request_id", request->id));
	return request_fail(request, ERROR_BAD_CREDENTIALS, "no active user has this name and password");
}

static void
password_checked(void *arg, bool ok, const char *hash)
{
	struct login *login = arg;
	struct request *request = login->request;

	if (ok && login->found && login->active) {
		login_guard_succeeded(&login->guard);
		login->new_hash = hash ? keep(request, slice_of(hash)) : SLICE_NONE;
		request_resume(request, STEP_NEXT);
		return;
	}
	login_guard_failed(&login->guard);
	request_resume(request, refuse(login));
}

static enum step
user_found(struct request *request, const struct db_result *result)
{
	struct login *login = request->state;

	if (result->count == 1) {
		login->found = true;
		login->hash = arena_string(&request->arena, db_get(result, 0, "password_hash"));
		login->id = keep(request, db_get(result, 0, "id"));
		login->username = keep(request, db_get(result, 0, "username"));
		login->role = keep(request, db_get(result, 0, "role"));
		login->display_name = keep(request, db_get(result, 0, "display_name"));
		login->tenant = keep(request, db_get(result, 0, "tenant"));
		login->tenant_name = keep(request, db_get(result, 0, "tenant_name"));
		login->active = db_get(result, 0, "active").data[0] == 't';
		login->version = keep(request, db_get(result, 0, "version"));
		request->suspect = (struct principal){.kind = PRINCIPAL_USER,
		                                      .id = login->id,
		                                      .name = login->username,
		                                      .tenant = strtoll(arena_string(&request->arena, login->tenant), NULL, 10)};
	}
	if (!password_verify_send(request->worker->passwords, login->fields[PASSWORD].text, login->hash, password_checked,
	                          login))
		return new_password_busy(request);
	return STEP_WAIT;
}

enum step
api_login_find(struct request *request)
{
	struct login *login = arena_zero(&request->arena, sizeof(*login));
	struct slice *values = ask_values(request, QUERY_USER_FOR_LOGIN);

	request->state = login;
	login->request = request;
	if (!body_read(request, login->fields))
		return STEP_DONE;
	login->guard = login_guard_of(request, login->fields[TENANT_NAME].text, login->fields[USERNAME].text);
	if (login_guard_begin(&login->guard, request) == STEP_DONE)
		return STEP_DONE;
	ask_set(values, QUERY_USER_FOR_LOGIN, "username", login->fields[USERNAME].text);
	ask_set(values, QUERY_USER_FOR_LOGIN, "tenant_name", login->fields[TENANT_NAME].text);
	return ask_send(request, QUERY_USER_FOR_LOGIN, values, user_found);
}

/* Between the look at the password and now the user may have been changed. */
static enum step
logged_in(struct request *request, const struct db_result *result)
{
	struct login *login = request->state;

	if (result->count == 0)
		return refuse(login);
	issue_write(request, &login->issue, result, &request->reply);
	request->status = 200;
	return STEP_NEXT;
}

enum step
api_login_token(struct request *request)
{
	const struct config *config = request->worker->config;
	struct login *login = request->state;
	struct slice *values = ask_values(request, QUERY_USER_LOGGED_IN);
	int64_t tenant = strtoll(arena_string(&request->arena, login->tenant), NULL, 10);

	login->issue = (struct issue){.user_id = login->id,
	                              .username = login->username,
	                              .role = login->role,
	                              .display_name = login->display_name,
	                              .tenant_name = login->tenant_name};
	issue_begin(request, &login->issue, tenant, NULL);
	ask_set(values, QUERY_USER_LOGGED_IN, "tenant", login->tenant);
	ask_set(values, QUERY_USER_LOGGED_IN, "id", login->id);
	ask_set(values, QUERY_USER_LOGGED_IN, "version", login->version);
	ask_set(values, QUERY_USER_LOGGED_IN, "new_hash", login->new_hash);
	ask_set(values, QUERY_USER_LOGGED_IN, "session", slice_of(login->issue.token.session));
	ask_set(values, QUERY_USER_LOGGED_IN, "token_hash", slice_of(login->issue.token.hash));
	ask_set(values, QUERY_USER_LOGGED_IN, "lifetime_s", issue_seconds(request, config->refresh_lifetime_s));
	ask_set(values, QUERY_USER_LOGGED_IN, "token_lifetime_s", issue_seconds(request, config->jwt_lifetime_s));
	ask_set(values, QUERY_USER_LOGGED_IN, "address", request->address);
	ask_set(values, QUERY_USER_LOGGED_IN, "user_agent", issue_user_agent(request));
	ask_set(values, QUERY_USER_LOGGED_IN, "request_id", request->id);
	return ask_send(request, QUERY_USER_LOGGED_IN, values, logged_in);
}

/* What stage_limit has counted this request by. */
static void
write_limits(struct json_writer *writer, const struct request *request)
{
	json_write_key(writer, "limits");
	json_write_object_open(writer);
	json_write_member_int(writer, "limit", request->limit.limit);
	json_write_member_int(writer, "remaining", request->limit.remaining);
	json_write_member_int(writer, "window_s", request->worker->config->rate_limit_window_s);
	json_write_member_int(writer, "reset_in_seconds", (request->limit.reset_us + 999999) / 1000000);
	json_write_object_close(writer);
}

/* What a key may do for some names only. */
static void
write_limited(struct json_writer *writer, const struct principal *who)
{
	json_write_key(writer, "limited");
	json_write_array_open(writer);
	for (int i = 0; who->scopes && i < who->scopes->count; i++)
		if (who->scopes->list[i].perms & who->limited)
			json_write_string(writer, who->scopes->list[i].text);
	json_write_array_close(writer);
}

enum step
api_me(struct request *request)
{
	const struct principal *who = &request->principal;
	struct json_writer writer;

	json_write_begin(&writer, &request->reply);
	json_write_object_open(&writer);
	json_write_member_text(&writer, "kind", who->kind == PRINCIPAL_USER ? "user" : "key");
	json_write_member_string(&writer, "id", who->id);
	json_write_member_string(&writer, "name", who->name);
	json_write_member_string(&writer, "role", who->role);
	json_write_key(&writer, "permissions");
	json_write_array_open(&writer);
	for (int perm = 0; perm < PERM_COUNT; perm++)
		if (perm_name((enum perm)perm) && (who->perms & 1u << perm) &&
		    (perm != PERM_TENANT_MANAGE || who->tenant == TENANT_DEFAULT))
			json_write_string(&writer, slice_of(perm_name((enum perm)perm)));
	json_write_array_close(&writer);
	write_limited(&writer, who);
	json_write_member_string(&writer, "tenant", who->tenant_name);
	json_write_member_string(&writer, "session", who->session);
	write_limits(&writer, request);
	json_write_object_close(&writer);
	request->status = 200;
	return STEP_NEXT;
}

static void
write_claims(struct json_writer *writer, const struct jwt_claims *claims)
{
	json_write_key(writer, "claims");
	json_write_object_open(writer);
	json_write_member_string(writer, "user_id", claims->user_id);
	json_write_member_string(writer, "username", claims->username);
	json_write_member_string(writer, "role", claims->role);
	json_write_member_string(writer, "tenant", claims->tenant);
	json_write_member_string(writer, "jti", claims->jti);
	json_write_member_string(writer, "sid", claims->session);
	json_write_member_int(writer, "iat", claims->issued_at);
	json_write_member_int(writer, "exp", claims->expires_at);
	json_write_object_close(writer);
}

enum step
api_verify_token(struct request *request)
{
	struct field_value token;
	struct jwt_claims claims;
	enum jwt_result result;
	struct json_writer writer;

	if (!body_read(request, &token))
		return STEP_DONE;
	result = jwt_verify(request->worker->jwt_keys, token.text, request_time_us(request) / 1000000, &request->arena, &claims);
	/* Another tenant's token is as unknown here as a forged one, even when its time is over. */
	if ((result == JWT_VALID || result == JWT_EXPIRED || result == JWT_NOT_YET) &&
	    claims.tenant_id != request->principal.tenant)
		result = JWT_UNKNOWN_KEY;
	if (result == JWT_VALID && revocations_refuse_token(request->worker->revocations, &claims))
		result = JWT_REVOKED;
	json_write_begin(&writer, &request->reply);
	json_write_object_open(&writer);
	json_write_member_bool(&writer, "valid", result == JWT_VALID);
	if (result == JWT_VALID)
		write_claims(&writer, &claims);
	else
		json_write_member_text(&writer, "reason", jwt_result_code(result));
	json_write_object_close(&writer);
	request->status = 200;
	return STEP_NEXT;
}

void
api_announced(struct request *request, struct call *call, const struct db_result *result)
{
	(void)call;
	(void)result;
	changes_mark(request->worker->heritage);
}
