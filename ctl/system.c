/* system.c - whoami, status and metrics. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "members.h"
#include "output.h"

static enum ctl_exit
who_am_i(struct ctl *ctl)
{
	static const struct output_field fields[] = {
	    {"NAME", "name", OUTPUT_TEXT, false, 0},
	    {"KIND", "kind", OUTPUT_TEXT, false, 0},
	    {"ROLE", "role", OUTPUT_TEXT, false, 0},
	    {"TENANT", "tenant", OUTPUT_TEXT, false, 0},
	    {"ID", "id", OUTPUT_TEXT, false, 0},
	    {"PERMISSIONS", "permissions", OUTPUT_TEXT, false, 0},
	    {0},
	};
	json_t *me = NULL;
	enum ctl_exit code = http_request(ctl, "GET", "/auth/me", NULL, "cannot tell who you are.", &me);

	if (code == CTL_DONE)
		output_object(ctl, me, fields, "name");
	json_decref(me);
	return code;
}

static enum ctl_exit
show_sections(struct ctl *ctl, const char *path, const char *what)
{
	json_t *answer = NULL;
	enum ctl_exit code = http_request(ctl, "GET", path, NULL, what, &answer);

	if (code == CTL_DONE)
		members_show(ctl, answer);
	json_decref(answer);
	return code;
}

static enum ctl_exit
show_status(struct ctl *ctl)
{
	return show_sections(ctl, "/system/status", "cannot get the status.");
}

static enum ctl_exit
show_metrics(struct ctl *ctl)
{
	return show_sections(ctl, "/metrics/system", "cannot get the metrics.");
}

const struct command system_commands[] = {
    {"whoami", NULL, "show who you are to the server, and what you may do", NULL, who_am_i},
    {"status", NULL, "show the state of the server", NULL, show_status},
    {"metrics", NULL, "show what the server measures of itself", NULL, show_metrics},
    {0},
};
