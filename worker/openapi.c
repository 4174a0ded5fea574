/* openapi.c - see openapi.h. What is not in the table is not in the document, and the other way round. */
#include "openapi.h"
#include "db.h"
#include "endpoint.h"
#include "error.h"
#include "json_write.h"
#include "schemas.h"

static void write_field(struct json_writer *w, const struct field *field, bool answer);

static const char *
type_of(enum field_type type)
{
	static const char *const types[] = {[FIELD_TEXT] = "string",  [FIELD_INT] = "integer",   [FIELD_NUMBER] = "number",
	                                    [FIELD_BOOL] = "boolean", [FIELD_UUID] = "string",   [FIELD_TIME] = "string",
	                                    [FIELD_JSON] = NULL,      [FIELD_OBJECT] = "object", [FIELD_ARRAY] = "array"};

	return types[type];
}

static void
write_bounds(struct json_writer *w, const struct field *field)
{
	bool text = field->type == FIELD_TEXT && !field->choices, array = field->type == FIELD_ARRAY;

	if (field->type == FIELD_NUMBER && (field->min || field->max)) {
		json_write_key(w, "minimum");
		json_write_double(w, (double)field->min / 1000);
		json_write_key(w, "maximum");
		json_write_double(w, (double)field->max / 1000);
	} else if (field->type == FIELD_INT && (field->min || field->max)) {
		json_write_member_int(w, "minimum", field->min);
		json_write_member_int(w, "maximum", field->max);
	} else if (text || array) {
		if (field->min)
			json_write_member_int(w, text ? "minLength" : "minItems", field->min);
		json_write_member_int(w, text ? "maxLength" : "maxItems",
		                      field->max ? field->max
		                      : text     ? FIELD_TEXT_MAX
		                                 : FIELD_ARRAY_MAX);
	}
}

static void
write_object(struct json_writer *w, const struct field *fields, bool answer)
{
	json_write_object_open(w);
	json_write_member_text(w, "type", "object");
	if (fields) {
		bool any = false;
		json_write_key(w, "properties");
		json_write_object_open(w);
		for (const struct field *field = fields; field->name; field++) {
			json_write_key(w, field->name);
			write_field(w, field, answer);
			any = any || field->required;
		}
		json_write_object_close(w);
		if (!answer)
			json_write_member_bool(w, "additionalProperties", false);
		if (any) {
			json_write_key(w, "required");
			json_write_array_open(w);
			for (const struct field *field = fields; field->name; field++)
				if (field->required)
					json_write_string(w, slice_of(field->name));
			json_write_array_close(w);
		}
	}
	json_write_object_close(w);
}

static void
write_type(struct json_writer *w, enum field_type type, bool nullable)
{
	if (!type_of(type))
		return;
	json_write_key(w, "type");
	if (!nullable) {
		json_write_string(w, slice_of(type_of(type)));
		return;
	}
	json_write_array_open(w);
	json_write_string(w, slice_of(type_of(type)));
	json_write_string(w, SLICE("null"));
	json_write_array_close(w);
}

static void
write_fallback(struct json_writer *w, const struct field *field)
{
	json_write_key(w, "default");
	if (field->type == FIELD_TEXT || field->type == FIELD_UUID || field->type == FIELD_TIME)
		json_write_string(w, slice_of(field->fallback));
	else
		json_write_raw(w, slice_of(field->fallback));
}

static void
write_choices(struct json_writer *w, const struct field *field, bool nullable)
{
	json_write_key(w, "enum");
	json_write_array_open(w);
	for (int i = 0; field->choices[i]; i++)
		json_write_string(w, slice_of(field->choices[i]));
	if (nullable)
		json_write_null(w);
	json_write_array_close(w);
}

static void
write_items(struct json_writer *w, const struct field *field, bool answer)
{
	json_write_key(w, "items");
	if (field->fields) {
		write_object(w, field->fields, answer);
		return;
	}
	json_write_object_open(w);
	write_type(w, field->element, false);
	json_write_object_close(w);
}

static void
write_field(struct json_writer *w, const struct field *field, bool answer)
{
	bool nullable = answer || (!field->required && !field->fallback);

	if (field->type == FIELD_OBJECT && field->fields) {
		write_object(w, field->fields, answer);
		return;
	}
	json_write_object_open(w);
	write_type(w, field->type, nullable);
	if (field->doc)
		json_write_member_text(w, "description", field->doc);
	if (field->type == FIELD_UUID || field->type == FIELD_TIME)
		json_write_member_text(w, "format", field->type == FIELD_UUID ? "uuid" : "date-time");
	if (field->choices)
		write_choices(w, field, nullable);
	if (!answer)
		write_bounds(w, field);
	if (field->fallback)
		write_fallback(w, field);
	if (field->type == FIELD_ARRAY)
		write_items(w, field, answer);
	json_write_object_close(w);
}

static void
write_ref(struct json_writer *w, const char *kind, const char *name)
{
	char ref[128];

	snprintf(ref, sizeof(ref), "#/components/%s/%s", kind, name);
	json_write_object_open(w);
	json_write_member_text(w, "$ref", ref);
	json_write_object_close(w);
}

static void
write_content(struct json_writer *w, const char *media)
{
	json_write_key(w, "content");
	json_write_object_open(w);
	json_write_key(w, media);
	json_write_object_open(w);
	json_write_key(w, "schema");
}

static void
close_content(struct json_writer *w)
{
	json_write_object_close(w);
	json_write_object_close(w);
}

static void
write_parameter(struct json_writer *w, const char *name, const char *in, const struct field *field)
{
	json_write_object_open(w);
	json_write_member_text(w, "name", name);
	json_write_member_text(w, "in", in);
	json_write_member_bool(w, "required", !field);
	if (field && field->doc)
		json_write_member_text(w, "description", field->doc);
	json_write_key(w, "schema");
	if (field) {
		struct field plain = *field;
		plain.doc = NULL;
		plain.required = true;
		write_field(w, &plain, false);
	} else {
		json_write_object_open(w);
		json_write_member_text(w, "type", "string");
		json_write_object_close(w);
	}
	json_write_object_close(w);
}

static void
write_header(struct json_writer *w, const char *name, const char *doc)
{
	json_write_object_open(w);
	json_write_member_text(w, "name", name);
	json_write_member_text(w, "in", "header");
	json_write_member_bool(w, "required", false);
	json_write_member_text(w, "description", doc);
	json_write_key(w, "schema");
	json_write_raw(w, SLICE("{\"type\":\"string\"}"));
	json_write_object_close(w);
}

/* Held against what is there: by the statement, or, without one, by the steps of whatever is patched. */
static bool
takes_if_match(const struct endpoint *endpoint)
{
	return endpoint->sql ? db_param((enum query_id)(endpoint->sql - 1), "if_match") >= 0 : endpoint->method == HTTP_PATCH;
}

static void
write_parameters(struct json_writer *w, const struct endpoint *endpoint)
{
	json_write_key(w, "parameters");
	json_write_array_open(w);
	for (const char *at = strchr(endpoint->path, '{'); at; at = strchr(at + 1, '{')) {
		char name[64];
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(at + 1, "}"), at + 1);
		write_parameter(w, name, "path", NULL);
	}
	for (const struct field *field = endpoint->query; field && field->name; field++)
		write_parameter(w, field->name, "query", field);
	if (endpoint->once)
		write_header(w, "Idempotency-Key",
		             "1 to 200 visible ASCII characters, new for each request: sent again within 24 hours it makes "
		             "nothing again and gets the first answer");
	if (takes_if_match(endpoint))
		write_header(w, "If-Match", "the ETag of what was read: 412 if it has been changed since");
	json_write_array_close(w);
}

static void
write_body(struct json_writer *w, const struct endpoint *endpoint)
{
	if (!endpoint->body)
		return;
	json_write_key(w, "requestBody");
	json_write_object_open(w);
	json_write_member_bool(w, "required", !endpoint->body_optional);
	write_content(w, "application/json");
	if (!endpoint->many) {
		write_object(w, endpoint->body, !endpoint->body->name);
	} else {
		json_write_object_open(w);
		json_write_key(w, "oneOf");
		json_write_array_open(w);
		write_object(w, endpoint->body, false);
		json_write_object_open(w);
		json_write_member_text(w, "type", "array");
		json_write_member_int(w, "maxItems", 1000);
		json_write_key(w, "items");
		json_write_object_open(w);
		json_write_member_text(w, "type", "object");
		json_write_object_close(w);
		json_write_object_close(w);
		json_write_array_close(w);
		json_write_object_close(w);
	}
	close_content(w);
	json_write_object_close(w);
}

static bool
is_page(const struct endpoint *endpoint)
{
	return endpoint->sql && query_table[endpoint->sql - 1].kind == QUERY_KIND_MANY;
}

static void
write_page(struct json_writer *w, const struct endpoint *endpoint)
{
	json_write_object_open(w);
	json_write_member_text(w, "type", "object");
	json_write_key(w, "properties");
	json_write_object_open(w);
	json_write_key(w, "items");
	json_write_object_open(w);
	json_write_member_text(w, "type", "array");
	json_write_key(w, "items");
	write_ref(w, "schemas", endpoint->reply->name);
	json_write_object_close(w);
	json_write_key(w, "next_cursor");
	json_write_raw(w, SLICE("{\"type\":[\"string\",\"null\"]}"));
	json_write_object_close(w);
	json_write_object_close(w);
}

static void
write_responses(struct json_writer *w, const struct endpoint *endpoint)
{
	char status[8];

	snprintf(status, sizeof(status), "%d", endpoint->status ? endpoint->status : 200);
	json_write_key(w, "responses");
	json_write_object_open(w);
	json_write_key(w, status);
	json_write_object_open(w);
	json_write_member_text(w, "description", endpoint->doc);
	if (endpoint->reply) {
		write_content(w, endpoint->content_type ? endpoint->content_type : "application/json");
		if (is_page(endpoint))
			write_page(w, endpoint);
		else
			write_ref(w, "schemas", endpoint->reply->name);
		close_content(w);
	}
	json_write_object_close(w);
	json_write_key(w, "4XX");
	write_ref(w, "responses", "Problem");
	json_write_key(w, "5XX");
	write_ref(w, "responses", "Problem");
	json_write_object_close(w);
}

/* Also for programs: x-permission is `open` for who is not known, `any` for who is. */
static void
write_permission(struct json_writer *w, const struct endpoint *endpoint)
{
	const char *name = perm_name(endpoint->perm);
	char text[128];

	if (name) {
		snprintf(text, sizeof(text), "Needs the permission `%s`%s.", name,
		         endpoint->only_default ? ", in the tenant `default`" : "");
		json_write_member_text(w, "description", text);
	}
	json_write_member_text(w, "x-permission", name ? name : endpoint->perm == PERM_NONE ? "open" : "any");
	if (endpoint->only_default)
		json_write_member_text(w, "x-tenant", "default");
}

static void
write_operation(struct json_writer *w, const struct endpoint *endpoint)
{
	static const char *const verbs[] = {
	    [HTTP_GET] = "get", [HTTP_POST] = "post", [HTTP_PUT] = "put", [HTTP_PATCH] = "patch", [HTTP_DELETE] = "delete"};

	json_write_key(w, verbs[endpoint->method]);
	json_write_object_open(w);
	json_write_member_text(w, "operationId", endpoint->operation);
	json_write_member_text(w, "summary", endpoint->doc);
	json_write_key(w, "tags");
	json_write_array_open(w);
	json_write_string(w, slice_of(endpoint->tag));
	json_write_array_close(w);
	write_permission(w, endpoint);
	json_write_key(w, "security");
	json_write_raw(w, endpoint->perm == PERM_NONE ? SLICE("[]") : SLICE("[{\"bearer\":[]},{\"apiKey\":[]}]"));
	write_parameters(w, endpoint);
	write_body(w, endpoint);
	write_responses(w, endpoint);
	json_write_object_close(w);
}

static bool
is_first_of_path(int index)
{
	for (int i = 0; i < index; i++)
		if (strcmp(endpoint_table[i].path, endpoint_table[index].path) == 0)
			return false;
	return true;
}

static void
write_paths(struct json_writer *w)
{
	json_write_key(w, "paths");
	json_write_object_open(w);
	for (int i = 0; i < endpoint_count; i++) {
		if (!is_first_of_path(i))
			continue;
		json_write_key(w, endpoint_table[i].path);
		json_write_object_open(w);
		for (int j = i; j < endpoint_count; j++)
			if (strcmp(endpoint_table[j].path, endpoint_table[i].path) == 0)
				write_operation(w, &endpoint_table[j]);
		json_write_object_close(w);
	}
	json_write_object_close(w);
}

static bool
is_first_of_schema(int index)
{
	for (int i = 0; i < index; i++)
		if (endpoint_table[i].reply == endpoint_table[index].reply)
			return false;
	return endpoint_table[index].reply != NULL;
}

static const struct field problem_error_fields[] = {{.name = "pointer", .type = FIELD_TEXT},
                                                    {.name = "code", .type = FIELD_TEXT},
                                                    {.name = "detail", .type = FIELD_TEXT},
                                                    {0}};
static const struct field problem_fields[] = {
    {.name = "type", .type = FIELD_TEXT},
    {.name = "title", .type = FIELD_TEXT},
    {.name = "status", .type = FIELD_INT},
    {.name = "detail", .type = FIELD_TEXT},
    {.name = "code", .type = FIELD_TEXT, .doc = "stable: programs may depend on it"},
    {.name = "request_id", .type = FIELD_TEXT},
    {.name = "errors", .type = FIELD_ARRAY, .fields = problem_error_fields},
    {0}};

static void
write_components(struct json_writer *w)
{
	json_write_key(w, "components");
	json_write_object_open(w);
	json_write_key(w, "securitySchemes");
	json_write_raw(w, SLICE("{\"bearer\":{\"type\":\"http\",\"scheme\":\"bearer\",\"description\":\"An access token of "
	                        "/auth/login, or an API "
	                        "key\"},\"apiKey\":{\"type\":\"apiKey\",\"in\":\"header\",\"name\":\"X-API-Key\"}}"));
	json_write_key(w, "schemas");
	json_write_object_open(w);
	json_write_key(w, "Problem");
	write_object(w, problem_fields, true);
	for (int i = 0; i < endpoint_count; i++)
		if (is_first_of_schema(i)) {
			json_write_key(w, endpoint_table[i].reply->name);
			write_object(w, endpoint_table[i].reply->fields, true);
		}
	json_write_object_close(w);
	json_write_key(w, "responses");
	json_write_raw(w, SLICE("{\"Problem\":{\"description\":\"What went wrong (RFC 9457)\",\"content\":{\"application/"
	                        "problem+json\":{\"schema\":{\"$ref\":\"#/components/schemas/Problem\"}}}}}"));
	json_write_object_close(w);
}

void
openapi_write(struct buf *out)
{
	struct json_writer w;

	json_write_begin(&w, out);
	json_write_object_open(&w);
	json_write_member_text(&w, "openapi", "3.1.0");
	json_write_key(&w, "info");
	json_write_object_open(&w);
	json_write_member_text(&w, "title", "agentd");
	json_write_member_text(&w, "version", PACKAGE_VERSION);
	json_write_member_text(&w, "description", "Durable workflows for agents in any language, over plain HTTP.");
	json_write_key(&w, "license");
	json_write_raw(&w, SLICE("{\"name\":\"Apache-2.0\",\"identifier\":\"Apache-2.0\"}"));
	json_write_object_close(&w);
	json_write_key(&w, "servers");
	json_write_raw(&w, SLICE("[{\"url\":\"/\"}]"));
	write_paths(&w);
	write_components(&w);
	json_write_object_close(&w);
}
