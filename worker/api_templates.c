/* api_templates.c - templates: checked and compiled as workflows are; those that are built in are nobody's to change.
 */
#include "api.h"
#include "graph.h"
#include "templates.h"

bool
api_template_builtin(struct request *request, struct call *call)
{
	call_set(call, "builtin", templates_list(&request->arena));
	return true;
}

bool
api_template_free(struct request *request, struct call *call)
{
	struct slice name = call_value(call, "name");

	if (!templates_find(name).data)
		return true;
	return call_fail(call, ERROR_CONFLICT,
	                 arena_printf(&request->arena,
	                              "%.*s is built into agentd and stays as it is; PUT your own under another name",
	                              SLICE_ARG(name)));
}

static bool
name_fits(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (!memchr("abcdefghijklmnopqrstuvwxyz0123456789._-", name.data[i], 39))
			return false;
	return name.len >= 1 && name.len <= 100;
}

bool
api_template_prepare(struct request *request, struct call *call)
{
	struct field_errors *errors = arena_zero(&request->arena, sizeof(*errors));
	struct graph_plan *plan = arena_zero(&request->arena, sizeof(*plan));

	errors->arena = &request->arena;
	if (!name_fits(call_value(call, "name")))
		return call_fail(call, ERROR_VALIDATION_FAILED,
		                 "the name of a template has 1 to 100 characters out of a-z, 0-9, dot, underscore and hyphen");
	if (!api_template_free(request, call))
		return false;
	if (!graph_compile(&request->body, call_field(call, "tasks")->token, "/tasks", false, &request->arena, plan,
	                   errors))
		return call_fail_fields(call, errors);
	call_set(call, "plan", plan->text);
	return true;
}
