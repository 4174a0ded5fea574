/*
 * api_password.c - POST /auth/password: who knows the own password gives it another one.
 *
 * A stolen token is not enough, and guessing with it is delayed as at a login. It ends all sessions of the user, this
 * one too.
 */
#include "api.h"
#include "ask.h"
#include "body.h"
#include "changes.h"
#include "login_guard.h"
#include "new_password.h"
#include "password_pool.h"

/* The order of fields_password_change. */
enum { CURRENT, NEW, FIELDS };

struct renewal {
	struct new_password new; /* first */
	struct field_value fields[FIELDS];
	struct login_guard guard;
	struct slice version;
};

static struct field_errors *
new_errors(struct request *request)
{
	struct field_errors *errors = arena_zero(&request->arena, sizeof(*errors));

	errors->arena = &request->arena;
	return errors;
}

static enum step
refuse(struct request *request, const struct field_errors *errors)
{
	return request_fail_fields(request, ERROR_VALIDATION_FAILED, errors,
	                           "the password was not changed; errors says why");
}

static void
checked(void *arg, bool ok, const char *hash UNUSED)
{
	struct renewal *renewal = arg;
	struct request *request = renewal->new.request;
	struct field_errors *errors = new_errors(request);

	if (ok) {
		login_guard_succeeded(&renewal->guard);
		request_resume(request, new_password_hash(&renewal->new, renewal->fields[NEW].text));
		return;
	}
	login_guard_failed(&renewal->guard);
	field_error_add(errors, "/current_password", "wrong_password", "is not the password that you have now");
	request_resume(request, refuse(request, errors));
}

static enum step
found(struct request *request, const struct db_result *result)
{
	struct renewal *renewal = request->state;
	const char *hash = NULL;

	if (result->count) {
		hash = arena_string(&request->arena, db_get(result, 0, "password_hash"));
		renewal->version = slice_of(arena_string(&request->arena, db_get(result, 0, "version")));
	}
	if (!password_verify_send(request->worker->passwords, renewal->fields[CURRENT].text, hash, checked, renewal))
		return new_password_busy(request);
	return STEP_WAIT;
}

enum step
api_password_check(struct request *request)
{
	const struct principal *who = &request->principal;
	struct renewal *renewal = arena_zero(&request->arena, sizeof(*renewal));
	struct slice *values = ask_values(request, QUERY_USER_SECRET);
	struct field_errors *errors = new_errors(request);

	request->state = renewal;
	renewal->new.request = request;
	if (who->kind != PRINCIPAL_USER)
		return request_fail(request, ERROR_FORBIDDEN, "an API key has no password; log in as the user who has one");
	if (!body_check(request, renewal->fields, errors))
		return refuse(request, errors);
	new_password_check(renewal->fields[NEW].text, who->name, "/new_password", errors);
	if (slice_equal(renewal->fields[NEW].text, renewal->fields[CURRENT].text))
		field_error_add(errors, "/new_password", "unchanged", "must be another one than current_password");
	if (errors->count)
		return refuse(request, errors);
	renewal->guard = login_guard_of(request, who->tenant_name, who->name);
	if (login_guard_begin(&renewal->guard, request) == STEP_DONE)
		return STEP_DONE;
	ask_set(values, QUERY_USER_SECRET, "tenant", ask_tenant(request));
	ask_set(values, QUERY_USER_SECRET, "id", who->id);
	return ask_send(request, QUERY_USER_SECRET, values, found);
}

static enum step
stored(struct request *request, const struct db_result *result)
{
	if (result->count == 0)
		return request_fail(
		    request, ERROR_CONFLICT,
		    "your account was changed by somebody else at the same moment; nothing was done, try again");
	changes_mark(request->worker->heritage);
	request->status = 204;
	return STEP_NEXT;
}

enum step
api_password_store(struct request *request)
{
	struct renewal *renewal = request->state;
	const struct principal *who = &request->principal;
	struct slice *values = ask_values(request, QUERY_USER_PASSWORD_OWN);

	ask_set(values, QUERY_USER_PASSWORD_OWN, "tenant", ask_tenant(request));
	ask_set(values, QUERY_USER_PASSWORD_OWN, "id", who->id);
	ask_set(values, QUERY_USER_PASSWORD_OWN, "version", renewal->version);
	ask_set(values, QUERY_USER_PASSWORD_OWN, "password_hash", slice_of(renewal->new.hash));
	ask_set(values, QUERY_USER_PASSWORD_OWN, "actor", who->name);
	ask_set(values, QUERY_USER_PASSWORD_OWN, "principal", ask_principal(request));
	ask_set(values, QUERY_USER_PASSWORD_OWN, "address", request->address);
	ask_set(values, QUERY_USER_PASSWORD_OWN, "request_id", request->id);
	return ask_send(request, QUERY_USER_PASSWORD_OWN, values, stored);
}
