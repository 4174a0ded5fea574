/* bind.c - see bind.h. */
#include "bind.h"
#include "ask.h"
#include "trace.h"
#include "tracing.h"
#include "uuid.h"

enum source {
	SOURCE_CONSTANT,
	SOURCE_DERIVED,
	SOURCE_PATH,
	SOURCE_BODY,
	SOURCE_QUERY,
	SOURCE_TENANT,
	SOURCE_ACTOR,
	SOURCE_ACTOR_ID,
	SOURCE_PRINCIPAL,
	SOURCE_ADDRESS,
	SOURCE_REQUEST_ID,
	SOURCE_NEW_ID,
	SOURCE_ALL_KEYS,
	SOURCE_ONLY_KEY,
	SOURCE_TRACEPARENT,
	SOURCE_TRACESTATE,
	SOURCE_IF_MATCH
};

struct binding {
	enum source source;
	int index;
};

enum { ENDPOINTS_MAX = 160 };

static struct binding bindings[ENDPOINTS_MAX][QUERY_PARAMS_MAX];

static const struct {
	const char *name;
	enum source source;
} specials[] = {
    {"tenant", SOURCE_TENANT},           {"actor", SOURCE_ACTOR},
    {"actor_id", SOURCE_ACTOR_ID},       {"address", SOURCE_ADDRESS},
    {"request_id", SOURCE_REQUEST_ID},   {"id", SOURCE_NEW_ID},
    {"new_id", SOURCE_NEW_ID},           {"all_keys", SOURCE_ALL_KEYS},
    {"principal", SOURCE_PRINCIPAL},     {"only_key", SOURCE_ONLY_KEY},
    {"traceparent", SOURCE_TRACEPARENT}, {"tracestate", SOURCE_TRACESTATE},
    {"if_match", SOURCE_IF_MATCH},
};

static bool
find_special(const char *name, struct binding *binding_r)
{
	for (size_t i = 0; i < ARRAY_LENGTH(specials); i++)
		if (strcmp(specials[i].name, name) == 0) {
			binding_r->source = specials[i].source;
			return true;
		}
	return false;
}

/* The number of the {placeholder} of that name in the path, or -1. */
static int
find_placeholder(const char *path, const char *name)
{
	size_t length = strlen(name);
	int count = 0;

	while ((path = strchr(path, '{'))) {
		if (strncmp(path + 1, name, length) == 0 && path[1 + length] == '}')
			return count;
		path++;
		count++;
	}
	return -1;
}

static bool
resolve(const struct endpoint *endpoint, const char *name, struct binding *binding_r)
{
	if (strcmp(name, "tenant") == 0)
		return find_special(name, binding_r);
	for (int i = 0; i < ENDPOINT_CONSTANTS_MAX && endpoint->constants[i].name; i++)
		if (strcmp(endpoint->constants[i].name, name) == 0) {
			*binding_r = (struct binding){
			    endpoint->constants[i].value == ENDPOINT_DERIVED ? SOURCE_DERIVED : SOURCE_CONSTANT, i};
			return true;
		}
	*binding_r = (struct binding){SOURCE_PATH, find_placeholder(endpoint->path, name)};
	if (binding_r->index >= 0)
		return true;
	*binding_r = (struct binding){SOURCE_BODY, field_find(endpoint->body, slice_of(name))};
	if (binding_r->index >= 0)
		return true;
	*binding_r = (struct binding){SOURCE_QUERY, field_find(endpoint->query, slice_of(name))};
	return binding_r->index >= 0 || find_special(name, binding_r);
}

void
bind_init(void)
{
	INVARIANT(endpoint_count <= ENDPOINTS_MAX);
	for (int i = 0; i < endpoint_count; i++) {
		const struct query *query;
		if (!endpoint_table[i].sql)
			continue;
		query = &query_table[endpoint_table[i].sql - 1];
		for (int p = 0; p < query->param_count; p++)
			if (!resolve(&endpoint_table[i], query->params[p].name, &bindings[i][p])) {
				fprintf(stderr, "agentd: endpoint %s: nothing gives @%s of %s\n", endpoint_table[i].operation,
				        query->params[p].name, query->name);
				abort();
			}
	}
}

/* Whatever it is for: of a task, and of the base of a plan, it says whether there is a trace. */
static struct slice
new_id(struct request *request)
{
	char *id = arena_alloc(&request->arena, UUID_TEXT_SIZE);

	uuid_new(id);
	trace_mark(id, request->context.trace.present);
	return (struct slice){id, UUID_TEXT_SIZE - 1};
}

static struct slice
value_of(struct request *request, struct call *call, const struct binding *binding)
{
	const struct principal *who = &request->principal;

	switch (binding->source) {
	case SOURCE_CONSTANT:
		return slice_of(request->endpoint->constants[binding->index].value);
	case SOURCE_DERIVED:
		return SLICE_NONE;
	case SOURCE_PATH:
		return request->path_values[binding->index];
	case SOURCE_BODY:
		return call->fields[binding->index].text;
	case SOURCE_QUERY:
		return request->query[binding->index].text;
	case SOURCE_TENANT:
		return ask_tenant(request);
	case SOURCE_ACTOR:
		return who->name;
	case SOURCE_ACTOR_ID:
		return who->owner;
	case SOURCE_PRINCIPAL:
		return ask_principal(request);
	case SOURCE_ADDRESS:
		return request->address;
	case SOURCE_REQUEST_ID:
		return request->id;
	case SOURCE_NEW_ID:
		return new_id(request);
	case SOURCE_ALL_KEYS:
		return who->perms & 1u << PERM_KEY_MANAGE ? SLICE("true") : SLICE("false");
	case SOURCE_ONLY_KEY:
		return who->kind == PRINCIPAL_KEY ? who->id : SLICE_NONE;
	case SOURCE_TRACEPARENT:
		return tracing_parent(request);
	case SOURCE_TRACESTATE:
		return tracing_state(request);
	case SOURCE_IF_MATCH:
		return request_header(request, "if-match");
	}
	INVARIANT(false);
	return SLICE_NONE;
}

void
bind_call(struct request *request, struct call *call)
{
	const struct query *query = &query_table[request->endpoint->sql - 1];
	const struct binding *row = bindings[request->endpoint - endpoint_table];

	for (int p = 0; p < query->param_count; p++)
		call->values[p] = value_of(request, call, &row[p]);
}

bool
bind_path_fits(const struct request *request, const struct call *call)
{
	const struct query *query = &query_table[request->endpoint->sql - 1];
	const struct binding *row = bindings[request->endpoint - endpoint_table];
	uint8_t bytes[UUID_SIZE];

	for (int p = 0; p < query->param_count; p++)
		if (row[p].source == SOURCE_PATH && query->params[p].type == QUERY_TYPE_UUID &&
		    !uuid_parse(call->values[p], bytes))
			return false;
	return true;
}
