/* ask.c - see ask.h. */
#include "ask.h"

struct ask {
	struct request *request;
	ask_rows *on_rows;
};

static void
answered(void *arg, const struct db_result *result)
{
	struct ask *ask = arg;
	struct request *request = ask->request;
	enum step step;

	if (result->status != DB_OK)
		step = request_fail_database(request, result);
	else
		step = ask->on_rows(request, result);
	request_resume(request, step);
}

enum step
ask_send(struct request *request, enum query_id query, const struct slice *values, ask_rows *on_rows)
{
	struct ask *ask = arena_alloc(&request->arena, sizeof(*ask));

	*ask = (struct ask){request, on_rows};
	db_send(request->worker->db, query, values, answered, ask);
	return STEP_WAIT;
}

struct slice *
ask_values(struct request *request, enum query_id query)
{
	return arena_zero(&request->arena, (size_t)(query_table[query].param_count + 1) * sizeof(struct slice));
}

void
ask_set(struct slice *values, enum query_id query, const char *name, struct slice value)
{
	int param = db_param(query, name);

	INVARIANT(param >= 0);
	values[param] = value;
}

struct slice
ask_tenant(struct request *request)
{
	if (!request->tenant_text.data)
		request->tenant_text = slice_of(arena_printf(&request->arena, "%lld", (long long)request->principal.tenant));
	return request->tenant_text;
}

struct slice
ask_principal(struct request *request)
{
	const struct principal *who = &request->principal;

	if (who->kind == PRINCIPAL_NOBODY)
		return SLICE_NONE;
	return slice_of(arena_printf(&request->arena, "%s:%.*s", who->kind == PRINCIPAL_KEY ? "key" : "user",
	                             SLICE_ARG(who->id)));
}
