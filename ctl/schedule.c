/* schedule.c - agentctl schedule: workflows that the clock starts. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "resource.h"

static const struct output_field columns[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"NAME", "name", OUTPUT_TEXT, false, 24},
    {"CRON", "cron", OUTPUT_TEXT, false, 24},
    {"ZONE", "time_zone", OUTPUT_TEXT, false, 20},
    {"ACTIVE", "active", OUTPUT_TEXT, false, 0},
    {"NEXT", "next_at", OUTPUT_TIME, false, 0},
    {"LAST", "last_at", OUTPUT_TIME, true, 0},
    {"TEMPLATE", "template", OUTPUT_TEXT, true, 0},
    {"FIRED", "fired", OUTPUT_TEXT, true, 0},
    {"OVERLAP", "overlap", OUTPUT_TEXT, true, 0},
    {"CATCH UP", "catch_up", OUTPUT_TEXT, true, 0},
    {"CREATED", "created_at", OUTPUT_TIME, true, 0},
    {0},
};

static const struct output_field details[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"NAME", "name", OUTPUT_TEXT, false, 0},
    {"CRON", "cron", OUTPUT_TEXT, false, 0},
    {"ZONE", "time_zone", OUTPUT_TEXT, false, 0},
    {"ACTIVE", "active", OUTPUT_TEXT, false, 0},
    {"NEXT", "next_at", OUTPUT_TIME, false, 0},
    {"LAST", "last_at", OUTPUT_TIME, false, 0},
    {"TEMPLATE", "template", OUTPUT_TEXT, false, 0},
    {"TASKS", "tasks", OUTPUT_TEXT, false, 0},
    {"INPUT", "input_data", OUTPUT_TEXT, false, 0},
    {"OVERLAP", "overlap", OUTPUT_TEXT, false, 0},
    {"CATCH UP", "catch_up", OUTPUT_TEXT, false, 0},
    {"LABELS", "labels", OUTPUT_TEXT, false, 0},
    {"DEADLINE (S)", "deadline_s", OUTPUT_TEXT, false, 0},
    {"FIRED", "fired", OUTPUT_TEXT, false, 0},
    {"SKIPPED", "skipped", OUTPUT_TEXT, false, 0},
    {"FAILURES", "failures", OUTPUT_TEXT, false, 0},
    {"LAST WORKFLOW", "last_workflow_id", OUTPUT_TEXT, false, 0},
    {"UPCOMING", "upcoming", OUTPUT_TEXT, false, 0},
    {"ERROR", "error_message", OUTPUT_TEXT, false, 0},
    {"CREATED", "created_at", OUTPUT_TIME, false, 0},
    {0},
};

static const struct resource resource = {"the schedule", "the schedules", "/schedules", "/schedules/%s",
                                         "id",           columns,         details};

/* Adds the graph of --tasks. False: said why. */
static bool
add_tasks(const struct ctl *ctl, json_t *body, enum ctl_exit *code_r)
{
	const char *file = ctl_option(ctl, OPTION_TASKS);
	json_t *tasks;

	if (!file == !ctl_option(ctl, OPTION_TEMPLATE)) {
		*code_r = output_error(CTL_USAGE, "wrong usage.",
		                       file ? "--template and --tasks cannot be given together"
		                            : "what shall it start? --template or --tasks is missing",
		                       "agentctl help schedule create");
		return false;
	}
	tasks = file ? payload_tasks(file) : NULL;
	if (tasks)
		json_object_set_new(body, "tasks", tasks);
	*code_r = file && !tasks ? CTL_FAILED : CTL_DONE;
	return *code_r == CTL_DONE;
}

static enum ctl_exit
create(struct ctl *ctl)
{
	static const struct payload_field fields[] = {
	    {"name", OPTION_NAME, PAYLOAD_TEXT, true, 0, 0},
	    {"cron", OPTION_CRON, PAYLOAD_TEXT, true, 0, 0},
	    {"time_zone", OPTION_ZONE, PAYLOAD_TEXT, false, 0, 0},
	    {"template", OPTION_TEMPLATE, PAYLOAD_TEXT, false, 0, 0},
	    {"input_data", OPTION_INPUT, PAYLOAD_JSON, false, 0, 0},
	    {"description", OPTION_DESCRIPTION, PAYLOAD_TEXT, false, 0, 0},
	    {"labels", OPTION_LABEL, PAYLOAD_LABELS, false, 0, 0},
	    {"deadline_s", OPTION_DEADLINE, PAYLOAD_NUMBER, false, 1, 31536000},
	    {"overlap", OPTION_OVERLAP, PAYLOAD_TEXT, false, 0, 0},
	    {"catch_up", OPTION_CATCH_UP, PAYLOAD_TEXT, false, 0, 0},
	    {0},
	};
	enum ctl_exit code;
	json_t *body = payload_build(ctl, fields, &code);

	if (!body)
		return code;
	if (add_tasks(ctl, body, &code))
		return resource_create(ctl, &resource, resource.list, body);
	json_decref(body);
	return code;
}

static enum ctl_exit
list(struct ctl *ctl)
{
	return resource_list(ctl, &resource, NULL);
}

static enum ctl_exit
get(struct ctl *ctl)
{
	return resource_get(ctl, &resource);
}

static enum ctl_exit
pause_schedule(struct ctl *ctl)
{
	return resource_change(ctl, &resource, "PATCH", resource.item, json_pack("{s:b}", "active", 0), "pause",
	                       "is paused");
}

static enum ctl_exit
resume(struct ctl *ctl)
{
	return resource_change(ctl, &resource, "PATCH", resource.item, json_pack("{s:b}", "active", 1), "resume",
	                       "goes on");
}

/* Starts it now; the answer is the workflow. */
static enum ctl_exit
run_now(struct ctl *ctl)
{
	static const struct output_field shown[] = {
	    {"WORKFLOW", "id", OUTPUT_TEXT, false, 0}, {"STATUS", "status", OUTPUT_STATUS, false, 0}, {0}};
	char *path = http_path("/schedules/%s/run", ctl->args.items[0]);
	json_t *answer = NULL;
	enum ctl_exit code = http_create(ctl, path, NULL, "cannot start the schedule's workflow.", &answer);

	if (code == CTL_DONE)
		output_object(ctl, answer, shown, "id");
	json_decref(answer);
	free(path);
	return code;
}

static enum ctl_exit delete (struct ctl *ctl) { return resource_delete(ctl, &resource); }

const struct command schedule_commands[] = {
    {"schedule create", NULL, "start a workflow again and again",
     OPTIONS(OPTION_NAME, OPTION_CRON, OPTION_ZONE, OPTION_TEMPLATE, OPTION_TASKS, OPTION_INPUT, OPTION_DESCRIPTION,
             OPTION_LABEL, OPTION_DEADLINE, OPTION_OVERLAP, OPTION_CATCH_UP),
     create,
     .more = "Every working day at nine in Seoul:\n"
             "  agentctl schedule create --name daily --cron \"0 9 * * 1-5\" --zone Asia/Seoul --template review"},
    {"schedule list", NULL, "list the schedules", OPTIONS(OPTION_LIMIT), list},
    {"schedule get", "ID", "show a schedule", NULL, get},
    {"schedule pause", "ID", "let it start nothing", NULL, pause_schedule},
    {"schedule resume", "ID", "let a paused schedule go on", NULL, resume},
    {"schedule run", "ID", "start its workflow now", NULL, run_now},
    {"schedule delete", "ID", "delete a schedule; what it started stays", OPTIONS(OPTION_YES), delete},
    {0},
};
