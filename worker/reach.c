/* reach.c - see reach.h. */
#include "reach.h"

bool
reach_enforces(uint32_t perms, enum scope_kind kind)
{
	for (int i = 0; i < endpoint_count; i++) {
		const struct endpoint *endpoint = &endpoint_table[i];

		for (int g = 0; g < ENDPOINT_REACHES_MAX && endpoint->reaches[g].kind; g++)
			if ((perms & 1u << endpoint->perm) && endpoint->reaches[g].kind == kind)
				return true;
	}
	return false;
}

static const char *
refusal(struct request *request)
{
	return arena_printf(
	    &request->arena,
	    "the key has the permission %s for some names only (see its scopes), and this is not about one of "
	    "them, or names none",
	    perm_name(request->endpoint->perm));
}

enum step
reach_refuse(struct request *request)
{
	return request_fail(request, ERROR_FORBIDDEN, "%s", refusal(request));
}

bool
reach_allows(const struct request *request, enum scope_kind kind, struct slice name)
{
	return !request->narrowed || scopes_allow(request->principal.scopes, request->endpoint->perm, kind, name);
}

/* The value that stands in the path for a guard, or nothing. */
static struct slice
path_value(const struct request *request, const char *name)
{
	const char *at = request->endpoint->path;
	size_t length = strlen(name);

	for (int i = 0; (at = strchr(at, '{')); i++, at++)
		if (strncmp(at + 1, name, length) == 0 && at[1 + length] == '}')
			return request->path_values[i];
	return SLICE_NONE;
}

enum step
reach_begin(struct request *request)
{
	const struct endpoint_reach *reaches = request->endpoint->reaches;
	bool more = false;

	request->narrowed = true;
	for (int i = 0; i < ENDPOINT_REACHES_MAX && reaches[i].kind; i++) {
		struct slice value = reaches[i].name ? path_value(request, reaches[i].name) : SLICE_NONE;

		more = more || !value.data;
		if (value.data && reach_allows(request, reaches[i].kind, value)) {
			request->narrowed = false;
			return STEP_NEXT;
		}
	}
	return more ? STEP_NEXT : reach_refuse(request);
}

bool
reach_call(struct request *request, struct call *call)
{
	const struct endpoint *endpoint = request->endpoint;

	if (!request->narrowed || endpoint->ahead)
		return true;
	for (int i = 0; i < ENDPOINT_REACHES_MAX && endpoint->reaches[i].kind; i++) {
		int field = field_find(endpoint->body, slice_of(endpoint->reaches[i].name));
		if (field >= 0 && reach_allows(request, endpoint->reaches[i].kind, call->fields[field].text))
			return true;
	}
	return call_fail(call, ERROR_FORBIDDEN, refusal(request));
}

bool
reach_judge(struct request *request, struct call *call, const struct db_result *result)
{
	if (result->count == 0) {
		call_not_found(call);
		return false;
	}
	return reach_allows(request, SCOPE_ROLE, db_get(result, 0, "role")) ||
	       reach_allows(request, SCOPE_AGENT, db_get(result, 0, "agent")) ||
	       call_fail(call, ERROR_FORBIDDEN, refusal(request));
}
