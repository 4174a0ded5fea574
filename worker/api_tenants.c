/*
 * api_tenants.c - a new tenant, with its first admin; and the roles that there are.
 *
 * The password is hashed in the pool before anything is written, so the tenant and its admin are made in one statement.
 */
#include "api.h"
#include "body.h"
#include "new_password.h"
#include "username.h"

/* The order of fields_tenant. */
enum { NAME, DESCRIPTION, QUOTAS, ADMIN_USERNAME, ADMIN_PASSWORD, TENANT_FIELDS };

struct new_tenant {
	struct new_password new; /* of the admin */
	struct field_value fields[TENANT_FIELDS];
};

static bool
name_fits(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!memchr("abcdefghijklmnopqrstuvwxyz0123456789_-", name.data[i], 38))
			return false;
	return name.len > 0 && name.data[0] >= 'a' && name.data[0] <= 'z';
}

static bool
check(struct request *request, const struct new_tenant *tenant)
{
	struct field_errors *errors = arena_zero(&request->arena, sizeof(*errors));
	struct slice username = tenant->fields[ADMIN_USERNAME].text, password = tenant->fields[ADMIN_PASSWORD].text;
	const char *fault = username.data ? username_fault(username) : NULL;

	errors->arena = &request->arena;
	if (!name_fits(tenant->fields[NAME].text))
		field_error_add(errors, "/name", "bad_name", "must have a to z, 0 to 9, - and _, and begin with a letter");
	if (username.data && !password.data)
		field_error_add(errors, "/admin_password", "required", "the first admin needs a password");
	if (password.data && !username.data)
		field_error_add(errors, "/admin_username", "required", "whose password is it?");
	if (fault)
		field_error_add(errors, "/admin_username", "bad_name", fault);
	if (password.data)
		new_password_check(password, username, "/admin_password", errors);
	if (errors->count)
		request_fail_fields(request, ERROR_VALIDATION_FAILED, errors, "errors lists every field that does not fit");
	return errors->count == 0;
}

enum step
api_tenant_hash(struct request *request)
{
	struct new_tenant *tenant = arena_zero(&request->arena, sizeof(*tenant));

	request->state = tenant;
	tenant->new.request = request;
	if (!body_read(request, tenant->fields) || !check(request, tenant))
		return STEP_DONE;
	if (!tenant->fields[ADMIN_USERNAME].text.data)
		return STEP_NEXT;
	return new_password_hash(&tenant->new, tenant->fields[ADMIN_PASSWORD].text);
}

bool
api_tenant_create_prepare(struct request *request, struct call *call)
{
	const struct new_tenant *tenant = request->state;

	if (*tenant->new.hash)
		call_set(call, "password_hash", slice_of(tenant->new.hash));
	return true;
}

void
api_tenant_create_finish(struct request *request, struct call *call, const struct db_result *result)
{
	if (result->count)
		call_finish(request, call, result);
	else
		call_fail(call, ERROR_CONFLICT, "there is a tenant of this name already");
}

static void
write_role(struct json_writer *writer, const char *role)
{
	uint32_t perms = perm_of_role(slice_of(role));

	json_write_object_open(writer);
	json_write_member_text(writer, "name", role);
	json_write_key(writer, "permissions");
	json_write_array_open(writer);
	for (int perm = 0; perm < PERM_COUNT; perm++)
		if (perm_name((enum perm)perm) && (perms & 1u << perm))
			json_write_string(writer, slice_of(perm_name((enum perm)perm)));
	json_write_array_close(writer);
	json_write_object_close(writer);
}

enum step
api_roles(struct request *request)
{
	struct json_writer writer;
	const char *role;

	json_write_begin(&writer, &request->reply);
	json_write_object_open(&writer);
	json_write_key(&writer, "items");
	json_write_array_open(&writer);
	for (int i = 0; (role = perm_role(i)); i++)
		write_role(&writer, role);
	json_write_array_close(&writer);
	json_write_member_string(&writer, "next_cursor", SLICE_NONE);
	json_write_object_close(&writer);
	request->status = 200;
	return STEP_NEXT;
}
