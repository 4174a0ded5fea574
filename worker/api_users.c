/*
 * api_users.c - users, by those who manage them.
 *
 * Nobody gives a role that may do more than the giver, and nobody changes a user who may: a key with user:manage alone
 * does not become an admin by way of one. Whether the last admin would go is judged by the statements, under a lock.
 */
#include "api.h"
#include "ask.h"
#include "body.h"
#include "new_password.h"
#include "problem.h"
#include "username.h"
#include "uuid.h"

/* The order of fields_user. */
enum { USERNAME, PASSWORD, ROLE, DISPLAY_NAME, USER_FIELDS };

struct make {
	struct new_password new;
	struct field_value fields[USER_FIELDS];
};

struct reset {
	struct new_password new;
	struct field_value password;
};

static bool
may_give(const struct request *request, struct slice role)
{
	uint32_t named = (uint32_t)((UINT64_C(1) << PERM_COUNT) - 1) & ~(1u << PERM_NONE);

	return !(perm_of_role(role) & named & ~request->principal.perms);
}

static const char too_high[] =
    "this is about a role that may do more than you may; somebody with that role has to do it";

/* The roles that the caller may give, with commas between them. */
static struct slice
grantable(struct request *request)
{
	const char *list = "", *role;

	for (int i = 0; (role = perm_role(i)); i++)
		if (may_give(request, slice_of(role)))
			list = arena_printf(&request->arena, "%s%s%s", list, *list ? "," : "", role);
	return slice_of(list);
}

static struct field_errors *
new_errors(struct request *request)
{
	struct field_errors *errors = arena_zero(&request->arena, sizeof(*errors));

	errors->arena = &request->arena;
	return errors;
}

static enum step
refuse_fields(struct request *request, const struct field_errors *errors)
{
	return request_fail_fields(request, ERROR_VALIDATION_FAILED, errors, "errors lists every field that does not fit");
}

/* What the fields alone cannot say, about all that is there. */
static void
check_rules(struct request *request, const struct make *make, struct field_errors *errors)
{
	const struct field_value *name = &make->fields[USERNAME], *password = &make->fields[PASSWORD];
	struct slice username = body_has_text(request, name) ? name->text : SLICE_NONE;
	const char *fault = username.len ? username_fault(username) : NULL;

	if (fault)
		field_error_add(errors, "/username", "bad_name", fault);
	if (body_has_text(request, password))
		new_password_check(password->text, username, "/password", errors);
}

enum step
api_user_hash(struct request *request)
{
	struct make *make = arena_zero(&request->arena, sizeof(*make));
	struct field_errors *errors = new_errors(request);
	bool good = body_check(request, make->fields, errors);

	request->state = make;
	make->new.request = request;
	check_rules(request, make, errors);
	if (!good || errors->count)
		return refuse_fields(request, errors);
	if (!may_give(request, make->fields[ROLE].text))
		return request_fail(request, ERROR_FORBIDDEN, "%s", too_high);
	return new_password_hash(&make->new, make->fields[PASSWORD].text);
}

bool
api_user_create_prepare(struct request *request, struct call *call)
{
	struct make *make = request->state;

	call_set(call, "password_hash", slice_of(make->new.hash));
	return true;
}

bool
api_user_change_prepare(struct request *request, struct call *call)
{
	call_set(call, "grantable", grantable(request));
	return true;
}

bool
api_user_patch_prepare(struct request *request, struct call *call)
{
	struct slice role = call_field(call, "role")->text;

	if (role.data && !may_give(request, role))
		return call_fail(call, ERROR_FORBIDDEN, too_high);
	return api_user_change_prepare(request, call);
}

static void
set_etag(struct request *request, const struct db_result *result)
{
	request->etag = slice_of(arena_printf(&request->arena, "\"%.*s\"", SLICE_ARG(db_get(result, 0, "_etag"))));
}

void
api_user_get_finish(struct request *request, struct call *call, const struct db_result *result)
{
	call_finish(request, call, result);
	if (result->count)
		set_etag(request, result);
}

static void
refuse(struct call *call, const struct db_result *result, enum error error, const char *detail)
{
	struct problem problem = {.error = error, .detail = slice_of(detail), .request_id = call->request->id};

	if (error == ERROR_PRECONDITION_FAILED)
		problem.current_version = db_get(result, 0, "_version");
	call->is_error = true;
	call->status = error_kind(error)->status;
	problem_write(&call->out, &problem);
}

void
api_user_change_finish(struct request *request, struct call *call, const struct db_result *result)
{
	static const struct {
		const char *result;
		enum error error;
		const char *detail;
	} refusals[] = {
	    {"precondition", ERROR_PRECONDITION_FAILED,
	     "If-Match names another version than the one that is there (current_version); read it again"},
	    {"forbidden", ERROR_FORBIDDEN, too_high},
	    {"last_admin", ERROR_LAST_ADMIN, "this is the last active admin of the tenant; make another one first"},
	    {"own_account", ERROR_OWN_ACCOUNT,
	     "nobody takes away the own role, state or account by accident; another admin has to do it. The own password "
	     "is "
	     "changed at POST /api/v1/auth/password"},
	};
	struct slice judgement = result->count ? db_get(result, 0, "_result") : SLICE_NONE;

	for (size_t i = 0; i < ARRAY_LENGTH(refusals); i++)
		if (judgement.data && slice_is(judgement, refusals[i].result)) {
			refuse(call, result, refusals[i].error, refusals[i].detail);
			return;
		}
	call_finish(request, call, result);
	if (!call->is_error && call->status != 204) {
		set_etag(request, result);
		request_add_header(request, "ETag", request->etag);
	}
}

static enum step
found(struct request *request, const struct db_result *result)
{
	struct reset *reset = request->state;
	struct field_errors *errors = new_errors(request);

	if (result->count == 0)
		return request_fail(request, ERROR_NOT_FOUND, "there is no such thing, or it is not yours");
	if (!may_give(request, db_get(result, 0, "role")))
		return request_fail(request, ERROR_FORBIDDEN, "%s", too_high);
	new_password_check(reset->password.text, db_get(result, 0, "username"), "/password", errors);
	return errors->count ? refuse_fields(request, errors) : new_password_hash(&reset->new, reset->password.text);
}

enum step
api_user_password_hash(struct request *request)
{
	struct reset *reset = arena_zero(&request->arena, sizeof(*reset));
	struct slice *values = ask_values(request, QUERY_USER_GET);
	uint8_t bytes[UUID_SIZE];

	request->state = reset;
	reset->new.request = request;
	if (!body_read(request, &reset->password))
		return STEP_DONE;
	if (!uuid_parse(request->path_values[0], bytes))
		return request_fail(request, ERROR_NOT_FOUND, "there is no such thing, or it is not yours");
	ask_set(values, QUERY_USER_GET, "tenant", ask_tenant(request));
	ask_set(values, QUERY_USER_GET, "id", request->path_values[0]);
	return ask_send(request, QUERY_USER_GET, values, found);
}

bool
api_user_password_prepare(struct request *request, struct call *call)
{
	struct reset *reset = request->state;

	call_set(call, "password_hash", slice_of(reset->new.hash));
	call_set(call, "grantable", grantable(request));
	return true;
}
