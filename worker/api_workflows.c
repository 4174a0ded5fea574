/* api_workflows.c - workflows: from a template or a graph to rows, and one workflow with its tasks. */
#include "api.h"
#include "ask.h"
#include "graph.h"
#include "rows.h"
#include "templates.h"
#include "uuid.h"

static bool
refuse(struct call *call, const char *pointer, const char *code, const char *detail)
{
	struct field_errors errors = {.arena = &call->request->arena};

	field_error_add(&errors, pointer, code, detail);
	return call_fail_fields(call, &errors);
}

static bool
compile(struct call *call, const struct json *json, int at)
{
	struct request *request = call->request;
	struct graph_plan *plan = arena_zero(&request->arena, sizeof(*plan));
	struct field_errors *errors = arena_zero(&request->arena, sizeof(*errors));

	errors->arena = &request->arena;
	if (!graph_compile(json, at, "/tasks", false, &request->arena, plan, errors))
		return call_fail_fields(call, errors);
	call_set(call, "plan", plan->text);
	return true;
}

bool
api_workflow_prepare(struct request *request, struct call *call)
{
	int tasks = call_field(call, "tasks")->token;
	struct slice name = call_field(call, "template")->text;
	struct slice template = name.data ? templates_find(name) : SLICE_NONE;
	struct json *json = arena_alloc(&request->arena, sizeof(*json));
	struct json_error error;

	if (call_field(call, "tasks")->text.data && name.data)
		return refuse(call, "/template", "conflict", "give a template or tasks, not both");
	if (call_field(call, "tasks")->text.data)
		return compile(call, &request->body, tasks);
	if (!name.data)
		return refuse(call, "/tasks", "required", "a workflow needs tasks, or a template such as review");
	/* What is not built in, the statement looks for among the tenant's own. */
	if (!template.data)
		return true;
	INVARIANT(json_parse(&request->arena, template, json, &error));
	return compile(call, json, 0);
}

void
api_workflow_finish(struct request *request, struct call *call, const struct db_result *result)
{
	if (result->count == 0)
		(void)!refuse(call, "/template", "unknown_template", "there is no template of this name");
	else
		call_finish(request, call, result);
}

static enum step
add_tasks(struct request *request, const struct db_result *result)
{
	struct json_writer writer;

	/* The workflow's object is open again: its last byte was the closing brace. */
	request->reply.len--;
	buf_add_text(&request->reply, ",\"tasks\":");
	json_write_begin(&writer, &request->reply);
	rows_write_array(&writer, result);
	buf_add_byte(&request->reply, '}');
	request->status = 200;
	return STEP_NEXT;
}

/* The workflow and its tasks are both in the hot tables, or both in the archive. */
struct lookup {
	struct slice *values;
	enum query_id tasks;
	bool archive;
};

static enum step ask_workflow(struct request *request, bool archive);

static enum step
ask_tasks(struct request *request, const struct db_result *result)
{
	const struct lookup *lookup = request->state;
	struct json_writer writer;

	if (result->count == 0 && !lookup->archive)
		return ask_workflow(request, true);
	if (result->count == 0)
		return request_fail(request, ERROR_NOT_FOUND, "there is no such workflow, or it is not yours");
	json_write_begin(&writer, &request->reply);
	rows_write_object(&writer, result, 0);
	if (!lookup->archive)
		request->match = slice_of(arena_string(&request->arena, db_get(result, 0, "_match")));
	return ask_send(request, lookup->tasks, lookup->values, add_tasks);
}

static enum step
ask_workflow(struct request *request, bool archive)
{
	enum query_id query = archive ? QUERY_WORKFLOW_GET_DONE : QUERY_WORKFLOW_GET;
	struct slice *values = ask_values(request, query);
	struct lookup *lookup = request->state;

	lookup->archive = archive;
	lookup->tasks = archive ? QUERY_WORKFLOW_TASKS_DONE : QUERY_WORKFLOW_TASKS;
	lookup->values = ask_values(request, lookup->tasks);
	ask_set(values, query, "tenant", ask_tenant(request));
	ask_set(values, query, "id", request->path_values[0]);
	ask_set(lookup->values, lookup->tasks, "tenant", ask_tenant(request));
	ask_set(lookup->values, lookup->tasks, "id", request->path_values[0]);
	return ask_send(request, query, values, ask_tasks);
}

enum step
api_workflow_get(struct request *request)
{
	uint8_t id[UUID_SIZE];

	if (!uuid_parse(request->path_values[0], id))
		return request_fail(request, ERROR_NOT_FOUND, "there is no such workflow, or it is not yours");
	request->state = arena_zero(&request->arena, sizeof(struct lookup));
	return ask_workflow(request, false);
}
