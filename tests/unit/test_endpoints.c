/*
 * test_endpoints.c - the endpoint table is whole: every row says what it must, its SQL gets every parameter, nothing is
 * open that should not be, and the OpenAPI document has all of it.
 */
#include "base.h"

#include "bind.h"
#include "db.h"
#include "openapi.h"
#include "reach.h"
#include "schemas.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>

/* Rows that anyone may call. Who adds one says here that it shows nothing and changes nothing. */
static const char *const open_rows[] = {"root",    "livez", "readyz", "startupz", "health",
                                        "openapi", "docs",  "jwks",   "login",    "refresh"};

/* Rows without a permission of their own: they are about who asks. */
static const char *const own_rows[] = {"me",        "verifyToken", "createKey",    "listKeys",      "getKey",
                                       "revokeKey", "deleteKey",   "suspendKey",   "reactivateKey", "rotateKey",
                                       "listRoles", "logout",      "listSessions", "endSession",    "changePassword"};

static bool
is_in(const char *const *list, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(list[i], text) == 0)
			return true;
	return false;
}

static const struct query *
query_of(const struct endpoint *row)
{
	return row->sql ? &query_table[row->sql - 1] : NULL;
}

static bool
has_param(const struct endpoint *row, const char *name)
{
	return row->sql && db_param((enum query_id)(row->sql - 1), name) >= 0;
}

static void
test_every_row_is_complete(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *row = &endpoint_table[i];
		if (!row->operation || !*row->operation)
			fail_msg("row %d has no operation id", i);
		if (!row->doc || !*row->doc || !row->tag || !*row->tag)
			fail_msg("%s has no doc or no tag", row->operation);
		if (!row->sql && !row->steps[0])
			fail_msg("%s needs sql or steps", row->operation);
		if (row->path[0] != '/' || (row->path[1] && row->path[strlen(row->path) - 1] == '/'))
			fail_msg("%s has a strange path", row->operation);
		if (row->many && (!row->body || !row->sql))
			fail_msg("%s takes an array of nothing", row->operation);
		if (row->body && row->method == HTTP_GET)
			fail_msg("%s is a GET with a body", row->operation);
		if (row->status && (row->status < 200 || row->status > 299))
			fail_msg("%s succeeds with status %d", row->operation, row->status);
	}
}

static void
test_operation_ids_are_unique(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++)
		for (int j = 0; j < i; j++)
			assert_string_not_equal(endpoint_table[i].operation, endpoint_table[j].operation);
}

static void
test_every_parameter_resolves(void **state UNUSED)
{
	bind_init(); /* aborts and names the parameter if one does not */
	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *row = &endpoint_table[i];
		bool derives = false;
		for (int c = 0; c < ENDPOINT_CONSTANTS_MAX && row->constants[c].name; c++) {
			derives = derives || row->constants[c].value == ENDPOINT_DERIVED;
			if (!has_param(row, row->constants[c].name))
				fail_msg("%s sets @%s, which its query does not have", row->operation, row->constants[c].name);
		}
		if (derives && !row->prepare)
			fail_msg("%s derives a parameter, but has no prepare", row->operation);
	}
}

/* What a client says must have an effect: a part of the path or a query parameter that no SQL takes is a mistake. */
static void
test_nothing_that_a_client_says_is_ignored(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *row = &endpoint_table[i];
		if (!row->sql)
			continue;
		for (const char *at = strchr(row->path, '{'); at; at = strchr(at + 1, '{')) {
			char name[64];
			snprintf(name, sizeof(name), "%.*s", (int)strcspn(at + 1, "}"), at + 1);
			if (!has_param(row, name))
				fail_msg("%s ignores {%s} of its path", row->operation, name);
		}
		for (const struct field *field = row->query; field && field->name; field++)
			if (!has_param(row, field->name))
				fail_msg("%s ignores the query parameter %s", row->operation, field->name);
		for (const struct field *field = row->body; field && field->name && !row->prepare; field++)
			if (!has_param(row, field->name))
				fail_msg("%s ignores the field %s", row->operation, field->name);
	}
}

/* What makes something can be sent again without making it twice. */
static void
test_what_creates_understands_an_idempotency_key(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++)
		if (endpoint_table[i].method == HTTP_POST && endpoint_table[i].status == 201 && !endpoint_table[i].once)
			fail_msg("%s creates, but does not repeat its answer", endpoint_table[i].operation);
}

/* A change of what somebody else has changed meanwhile can be refused. A sub-task has an epoch for that. */
static void
test_what_changes_understands_if_match(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *row = &endpoint_table[i];
		if (row->method == HTTP_PATCH && row->sql && !has_param(row, "if_match") && !has_param(row, "epoch"))
			fail_msg("%s changes what is there, whatever If-Match says", row->operation);
	}
}

/* An empty list is not the same as a list of nothing; what can be asked about without being there is named here. */
static void
test_lists_know_what_they_are_of(void **state UNUSED)
{
	static const char *const without[] = {"agentTasks", "agentMetrics", "inbox", "listMemoryAccesses"};

	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *row = &endpoint_table[i];
		bool named = false;
		for (size_t w = 0; w < ARRAY_LENGTH(without); w++)
			named = named || strcmp(without[w], row->operation) == 0;
		if (row->sql && query_of(row)->kind == QUERY_KIND_MANY && strchr(row->path, '{') && !row->within != named)
			fail_msg("%s: does it tell an empty list from one of nothing?", row->operation);
	}
}

static void
test_lists_have_pages(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *row = &endpoint_table[i];
		if (!row->sql || query_of(row)->kind != QUERY_KIND_MANY)
			continue;
		if (field_find(row->query, SLICE("limit")) < 0 || field_find(row->query, SLICE("cursor")) < 0)
			fail_msg("%s is a list without limit and cursor", row->operation);
		if (!strstr(query_of(row)->statements[query_of(row)->statement_count - 1].sql, "AS _cursor"))
			fail_msg("%s gives no _cursor", query_of(row)->name);
	}
}

static void
test_only_listed_rows_are_open(void **state UNUSED)
{
	size_t open = 0, own = 0;

	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *row = &endpoint_table[i];
		if ((row->perm == PERM_NONE) != is_in(open_rows, ARRAY_LENGTH(open_rows), row->operation))
			fail_msg("%s is open, or listed here without being so", row->operation);
		if ((row->perm == PERM_ANY) != is_in(own_rows, ARRAY_LENGTH(own_rows), row->operation))
			fail_msg("%s needs no permission, or is listed here without being so", row->operation);
		if (row->perm != PERM_NONE && strncmp(row->path, "/api/v1/", 8) != 0)
			fail_msg("%s is not below /api/v1/", row->operation);
		open += row->perm == PERM_NONE;
		own += row->perm == PERM_ANY;
	}
	assert_int_equal(open, ARRAY_LENGTH(open_rows));
	assert_int_equal(own, ARRAY_LENGTH(own_rows));
}

/* What each row asks for, written by hand. */
static const struct {
	const char *operation;
	const char *permission;
} permissions[] = {
#define PERMISSION(operation, permission) {operation, permission},
#include "../permissions.def"
#undef PERMISSION
};

static const char *
permission_of(const struct endpoint *row)
{
	static char text[64];
	const char *name = perm_name(row->perm);

	snprintf(text, sizeof(text), "%s%s",
	         name                     ? name
	         : row->perm == PERM_NONE ? "open"
	                                  : "any",
	         row->only_default ? "@default" : "");
	return text;
}

static void
test_every_row_has_the_permission_that_is_listed(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++) {
		const char *listed = NULL;
		for (size_t p = 0; p < ARRAY_LENGTH(permissions); p++)
			if (strcmp(permissions[p].operation, endpoint_table[i].operation) == 0)
				listed = permissions[p].permission;
		if (!listed)
			fail_msg("%s is not in tests/permissions.def", endpoint_table[i].operation);
		if (strcmp(listed, permission_of(&endpoint_table[i])) != 0)
			fail_msg("%s asks for %s; tests/permissions.def says %s", endpoint_table[i].operation,
			         permission_of(&endpoint_table[i]), listed);
	}
	/* Operations are unique, so as many rows are the same rows. */
	assert_int_equal(ARRAY_LENGTH(permissions), endpoint_count);
}

/* Who manages tenants sees them all, and settings are everybody's: neither is open to admins of any other tenant. */
static void
test_tenants_are_managed_from_one_tenant(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++) {
		enum perm perm = endpoint_table[i].perm;

		if (endpoint_table[i].only_default !=
		    (perm == PERM_TENANT_MANAGE || perm == PERM_CONFIG_READ || perm == PERM_CONFIG_WRITE))
			fail_msg("%s: tenant:manage, config:* and only_default belong together", endpoint_table[i].operation);
	}
}

/* An open row has no principal, so its SQL would run without a tenant. */
static void
test_open_rows_run_no_sql_of_a_tenant(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++)
		if (endpoint_table[i].perm == PERM_NONE && endpoint_table[i].sql)
			fail_msg("%s is open and runs %s", endpoint_table[i].operation, query_of(&endpoint_table[i])->name);
}

static void
test_changes_need_more_than_reading(void **state UNUSED)
{
	static const enum perm reading[] = {PERM_WORKFLOW_READ, PERM_AGENT_READ,  PERM_METRICS_READ,
	                                    PERM_HEALTH_READ,   PERM_CONFIG_READ, PERM_AUDIT_READ};

	for (int i = 0; i < endpoint_count; i++)
		for (size_t p = 0; p < ARRAY_LENGTH(reading); p++)
			/* A record of health is what somebody saw: whoever watches may say it, and it changes nothing else. */
			if (endpoint_table[i].method != HTTP_GET && endpoint_table[i].perm == reading[p] &&
			    strcmp(endpoint_table[i].operation, "createHealthRecord") != 0)
				fail_msg("%s changes something with %s", endpoint_table[i].operation, perm_name(reading[p]));
}

static void check_fields(const char *where, const struct field *fields, bool said_by_client);

static void
check_field(const char *where, const struct field *field, bool said_by_client)
{
	struct arena arena = ARENA_EMPTY;
	struct field_errors errors = {.arena = &arena};
	struct field_value value;

	if (strspn(field->name, "abcdefghijklmnopqrstuvwxyz0123456789_") != strlen(field->name) || !*field->name)
		fail_msg("%s: %s is no field name", where, field->name);
	if (said_by_client && (!field->doc || !*field->doc))
		fail_msg("%s: %s has no doc", where, field->name);
	if (field->min > field->max && field->max)
		fail_msg("%s: %s has no room between min and max", where, field->name);
	if ((field->type == FIELD_INT || field->type == FIELD_NUMBER) && field->min && !field->max)
		fail_msg("%s: %s has a min but no max", where, field->name);
	if (field->choices && (field->type != FIELD_TEXT || !field->choices[0]))
		fail_msg("%s: %s has strange choices", where, field->name);
	if (field->fallback && field->required)
		fail_msg("%s: %s is required and has a fallback", where, field->name);
	if (field->fallback && *field->fallback && !field_check_text(field, slice_of(field->fallback), &value, &errors))
		fail_msg("%s: the fallback of %s is not valid: %s", where, field->name, errors.list[0].detail);
	if (field->fields)
		check_fields(where, field->fields, said_by_client);
	arena_reset(&arena);
}

static void
check_fields(const char *where, const struct field *fields, bool said_by_client)
{
	if (said_by_client)
		assert_in_range(field_count(fields), 0, FIELD_COUNT_MAX); /* of what is checked into arrays of that size */
	for (int i = 0; fields && fields[i].name; i++) {
		if (field_find(fields, slice_of(fields[i].name)) != i)
			fail_msg("%s: %s is there twice", where, fields[i].name);
		check_field(where, &fields[i], said_by_client);
	}
}

static void
test_every_field_is_complete(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *row = &endpoint_table[i];
		check_fields(row->operation, row->body, true);
		check_fields(row->operation, row->query, true);
		if (row->reply)
			check_fields(row->reply->name, row->reply->fields, false);
	}
	for (int i = 0; i < message_type_count; i++)
		check_fields(message_types[i].name, message_types[i].content, false);
}

static void
test_message_types_are_those_of_the_system(void **state UNUSED)
{
	static const char *const names[] = {"task_request",      "task_response",    "analysis_submission",
	                                    "validation_result", "execution_result", "final_verdict",
	                                    "status_update",     "error_report",     "revision_request"};

	assert_int_equal(message_type_count, ARRAY_LENGTH(names));
	for (int i = 0; i < message_type_count; i++)
		assert_true(is_in(names, ARRAY_LENGTH(names), message_types[i].name));
}

/* --- the OpenAPI document --- */

static struct buf document;
static struct arena arena = ARENA_EMPTY;
static struct json json;

static int
write_document(void **state UNUSED)
{
	struct json_error error;

	openapi_write(&document);
	if (!json_parse(&arena, buf_slice(&document), &json, &error))
		fail_msg("the document is not JSON at %zu: %s", error.offset, error.reason);
	return 0;
}

static int
forget_document(void **state UNUSED)
{
	arena_reset(&arena);
	buf_free(&document);
	return 0;
}

static int
get(int at, const char *key)
{
	int value = json_get(&json, at, key);

	if (value == JSON_NONE)
		fail_msg("the document has no %s", key);
	return value;
}

static const char *
text_at(int at)
{
	return arena_string(&arena, json_string(&json, at, &arena));
}

static int
operation_of(const struct endpoint *row)
{
	static const char *const verbs[] = {
	    [HTTP_GET] = "get", [HTTP_POST] = "post", [HTTP_PUT] = "put", [HTTP_PATCH] = "patch", [HTTP_DELETE] = "delete"};

	return get(get(get(0, "paths"), row->path), verbs[row->method]);
}

static void
test_document_has_every_operation(void **state UNUSED)
{
	int paths = get(0, "paths"), operations = 0;

	assert_string_equal(text_at(get(0, "openapi")), "3.1.0");
	for (int key = json_first(&json, paths); key != JSON_NONE; key = json_next(&json, paths, key))
		operations += json_size(&json, json_value(&json, key));
	assert_int_equal(operations, endpoint_count);
	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *row = &endpoint_table[i];
		int operation = operation_of(row);
		char status[8];
		snprintf(status, sizeof(status), "%d", row->status ? row->status : 200);
		assert_string_equal(text_at(get(operation, "operationId")), row->operation);
		assert_string_equal(text_at(get(operation, "summary")), row->doc);
		get(get(operation, "responses"), status);
		get(get(operation, "responses"), "4XX");
		assert_int_equal(json_size(&json, get(operation, "security")) == 0, row->perm == PERM_NONE);
		assert_string_equal(text_at(get(operation, "x-permission")), perm_name(row->perm)     ? perm_name(row->perm)
		                                                             : row->perm == PERM_NONE ? "open"
		                                                                                      : "any");
		assert_int_equal(json_get(&json, operation, "x-tenant") != JSON_NONE, row->only_default);
		if (perm_name(row->perm))
			assert_non_null(strstr(text_at(get(operation, "description")), perm_name(row->perm)));
		assert_int_equal(json_get(&json, operation, "requestBody") != JSON_NONE, row->body != NULL);
	}
}

static int
find_parameter(int parameters, const char *name, const char *in)
{
	for (int at = json_first(&json, parameters); at != JSON_NONE; at = json_next(&json, parameters, at))
		if (strcmp(text_at(get(at, "name")), name) == 0 && strcmp(text_at(get(at, "in")), in) == 0)
			return at;
	fail_msg("no parameter %s in %s", name, in);
	return JSON_NONE;
}

static void
test_document_has_every_parameter_and_field(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *row = &endpoint_table[i];
		int operation = operation_of(row), parameters = get(operation, "parameters"), count = 0, schema;
		for (const char *at = strchr(row->path, '{'); at; at = strchr(at + 1, '{'), count++) {
			bool required = false;
			int found =
			    find_parameter(parameters, arena_printf(&arena, "%.*s", (int)strcspn(at + 1, "}"), at + 1), "path");
			assert_true(json_bool(&json, get(found, "required"), &required) && required);
		}
		for (const struct field *field = row->query; field && field->name; field++, count++)
			get(find_parameter(parameters, field->name, "query"), "schema");
		if (row->once)
			get(find_parameter(parameters, "Idempotency-Key", "header"), "description"), count++;
		if (row->sql ? has_param(row, "if_match") : row->method == HTTP_PATCH)
			get(find_parameter(parameters, "If-Match", "header"), "description"), count++;
		assert_int_equal(json_size(&json, parameters), count);
		if (!row->body)
			continue;
		schema = get(get(get(get(operation, "requestBody"), "content"), "application/json"), "schema");
		if (row->many)
			schema = json_first(&json, get(schema, "oneOf"));
		assert_int_equal(json_size(&json, get(schema, "properties")), field_count(row->body));
		for (const struct field *field = row->body; field->name; field++)
			get(get(schema, "properties"), field->name);
	}
}

/* "#/components/schemas/Task" */
static void
follow(const char *ref)
{
	int at = 0;

	assert_true(strncmp(ref, "#/", 2) == 0);
	for (const char *part = ref + 1; *part; part += strcspn(part + 1, "/") + 1)
		at = get(at, arena_printf(&arena, "%.*s", (int)strcspn(part + 1, "/"), part + 1));
	assert_int_equal(json_type(&json, at), JSON_OBJECT);
}

static int
follow_all(int at)
{
	int count = 0;

	if (json_type(&json, at) == JSON_OBJECT) {
		for (int key = json_first(&json, at); key != JSON_NONE; key = json_next(&json, at, key)) {
			if (strcmp(text_at(key), "$ref") == 0) {
				follow(text_at(json_value(&json, key)));
				count++;
			}
			count += follow_all(json_value(&json, key));
		}
	} else if (json_type(&json, at) == JSON_ARRAY) {
		for (int element = json_first(&json, at); element != JSON_NONE; element = json_next(&json, at, element))
			count += follow_all(element);
	}
	return count;
}

static void
test_document_has_what_it_refers_to(void **state UNUSED)
{
	int schemas = get(get(0, "components"), "schemas");

	assert_in_range(follow_all(0), 3 * endpoint_count - 1, 4 * endpoint_count);
	for (int i = 0; i < endpoint_count; i++)
		if (endpoint_table[i].reply)
			get(schemas, endpoint_table[i].reply->name);
	/* Two schemas of one name would be one key twice, which json_parse() refuses. */
}

/* What limited scopes are held against is there: in the path, in the body, asked ahead, or a step's to find. */
static void
test_reaches_can_be_held(void **state UNUSED)
{
	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *row = &endpoint_table[i];

		assert_int_equal(row->ahead != 0, row->judge != NULL);
		if (row->ahead)
			for (int p = 0; p < query_table[row->ahead - 1].param_count; p++)
				assert_true(db_param((enum query_id)(row->sql - 1), query_table[row->ahead - 1].params[p].name) >= 0);
		for (int g = 0; g < ENDPOINT_REACHES_MAX && row->reaches[g].kind; g++) {
			const char *name = row->reaches[g].name;
			char placeholder[64];
			int field = name ? field_find(row->body, slice_of(name)) : -1;

			assert_true(row->perm > PERM_ANY);
			snprintf(placeholder, sizeof(placeholder), "{%s}", name ? name : "");
			if (name && !strstr(row->path, placeholder) &&
			    (field < 0 || row->body[field].type != FIELD_TEXT || !row->sql))
				fail_msg("%s: nothing says its %s", row->operation, name);
			if (!name && !row->ahead && strcmp(row->operation, "leaseTasks") != 0)
				fail_msg("%s: nothing finds its %s out", row->operation, scope_kind_name(row->reaches[g].kind));
		}
	}
	assert_true(reach_enforces(1u << PERM_TASK_EXECUTE, SCOPE_ROLE));
	assert_true(reach_enforces(1u << PERM_AGENT_READ, SCOPE_AGENT));
	assert_true(reach_enforces(1u << PERM_WORKFLOW_CREATE, SCOPE_TEMPLATE));
	assert_false(reach_enforces(1u << PERM_WORKFLOW_READ, SCOPE_ROLE));
	assert_false(reach_enforces(1u << PERM_KEY_MANAGE, SCOPE_AGENT));
	assert_false(reach_enforces(1u << PERM_TASK_EXECUTE, SCOPE_TEMPLATE));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_every_row_is_complete),
	    cmocka_unit_test(test_operation_ids_are_unique),
	    cmocka_unit_test(test_every_parameter_resolves),
	    cmocka_unit_test(test_nothing_that_a_client_says_is_ignored),
	    cmocka_unit_test(test_what_creates_understands_an_idempotency_key),
	    cmocka_unit_test(test_what_changes_understands_if_match),
	    cmocka_unit_test(test_lists_know_what_they_are_of),
	    cmocka_unit_test(test_lists_have_pages),
	    cmocka_unit_test(test_only_listed_rows_are_open),
	    cmocka_unit_test(test_every_row_has_the_permission_that_is_listed),
	    cmocka_unit_test(test_tenants_are_managed_from_one_tenant),
	    cmocka_unit_test(test_open_rows_run_no_sql_of_a_tenant),
	    cmocka_unit_test(test_changes_need_more_than_reading),
	    cmocka_unit_test(test_reaches_can_be_held),
	    cmocka_unit_test(test_every_field_is_complete),
	    cmocka_unit_test(test_message_types_are_those_of_the_system),
	    cmocka_unit_test_setup_teardown(test_document_has_every_operation, write_document, forget_document),
	    cmocka_unit_test_setup_teardown(test_document_has_every_parameter_and_field, write_document, forget_document),
	    cmocka_unit_test_setup_teardown(test_document_has_what_it_refers_to, write_document, forget_document),
	};

	return cmocka_run_group_tests_name("endpoints", tests, NULL, NULL);
}
