/* api_memory.c - memory that agents share: what a key may be, who may write it, and the record of reads. */
#include "api.h"
#include "aside.h"
#include "ask.h"
#include "problem.h"

enum { KEY_MAX = 200 };

/* What is wrong with a key, or NULL. It is UTF-8 without NUL already. */
static const char *
key_fault(struct slice key)
{
	size_t characters = 0;

	for (size_t i = 0; i < key.len; i++) {
		unsigned char byte = (unsigned char)key.data[i];
		bool is_c1 = byte == 0xC2 && i + 1 < key.len && (unsigned char)key.data[i + 1] < 0xA0;
		if (byte < 0x20 || byte == 0x7F || is_c1)
			return "a key must not contain control characters";
		characters += (byte & 0xC0) != 0x80;
	}
	return characters == 0 || characters > KEY_MAX ? "a key has 1 to 200 characters" : NULL;
}

static void
set_guards(struct request *request, struct call *call)
{
	bool is_admin = request->principal.perms == perm_of_role(SLICE("admin")); /* a key with scopes is none */

	call_set(call, "is_admin", is_admin ? SLICE("true") : SLICE("false"));
}

bool
api_memory_put_prepare(struct request *request, struct call *call)
{
	struct field_errors errors = {.arena = &request->arena};
	struct slice agent_id = call_field(call, "agent_id")->text;
	bool is_private = slice_is(call_field(call, "type")->text, "agent");
	const char *fault = key_fault(request->path_values[0]);

	if (fault)
		field_error_add(&errors, "key", "bad_key", fault);
	if (is_private && !agent_id.data)
		field_error_add(&errors, "/agent_id", "required", "a private entry needs the agent_id whose it is");
	if (errors.count)
		return call_fail_fields(call, &errors);
	call_set(call, "owner", is_private ? agent_id : SLICE(""));
	set_guards(request, call);
	return true;
}

bool
api_memory_delete_prepare(struct request *request, struct call *call)
{
	set_guards(request, call);
	return true;
}

static void
set_etag(struct request *request, const struct db_result *result)
{
	request->etag = slice_of(arena_printf(&request->arena, "\"%.*s\"", SLICE_ARG(db_get(result, 0, "version"))));
}

static void
refuse(struct call *call, const struct db_result *result, enum error error, const char *detail)
{
	struct problem problem = {.error = error,
	                          .detail = slice_of(detail),
	                          .request_id = call->request->id,
	                          .current_version = db_get(result, 0, "_version")};

	call->is_error = true;
	call->status = error_kind(error)->status;
	problem_write(&call->out, &problem);
}

void
api_memory_change_finish(struct request *request, struct call *call, const struct db_result *result)
{
	struct slice judgement = result->count ? db_get(result, 0, "_result") : SLICE("not_found");

	if (slice_is(judgement, "precondition"))
		refuse(call, result, ERROR_PRECONDITION_FAILED,
		       "If-Match names another version than the one that is there (current_version, 0: none); read it again");
	else if (slice_is(judgement, "version"))
		refuse(call, result, ERROR_CONFLICT,
		       "version is not the one that is there (current_version, 0: none); read it again");
	else if (slice_is(judgement, "read_only"))
		refuse(call, result, ERROR_CONFLICT,
		       "the entry is read_only: its first writer wrote it, and only the role admin may change it");
	else
		call_finish(request, call, result);
	if (!call->is_error && request->method == HTTP_PUT) {
		set_etag(request, result);
		request_add_header(request, "ETag", request->etag);
	}
}

void
api_memory_get_finish(struct request *request, struct call *call, const struct db_result *result)
{
	call_finish(request, call, result);
	if (result->count)
		set_etag(request, result);
}

/* Nobody waits for the record of a read; what many requests leave goes out together. */
void
api_memory_get_follow(struct request *request, struct call *call, const struct db_result *result)
{
	struct slice values[QUERY_PARAMS_MAX] = {0};

	ask_set(values, QUERY_MEMORY_READ, "tenant", ask_tenant(request));
	ask_set(values, QUERY_MEMORY_READ, "owner", db_get(result, 0, "_owner"));
	ask_set(values, QUERY_MEMORY_READ, "key", db_get(result, 0, "key"));
	ask_set(values, QUERY_MEMORY_READ, "version", db_get(result, 0, "version"));
	ask_set(values, QUERY_MEMORY_READ, "agent_id", call_value(call, "agent_id"));
	ask_set(values, QUERY_MEMORY_READ, "actor", request->principal.name);
	aside_send(request->worker->db, QUERY_MEMORY_READ, values, NULL, NULL);
}
