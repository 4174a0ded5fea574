/* role.c - agentctl role: what the roles may do. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "output.h"

static const struct output_field columns[] = {
    {"ROLE", "name", OUTPUT_TEXT, false, 0},
    {"PERMISSIONS", "permissions", OUTPUT_TEXT, false, 0},
    {0},
};

static enum ctl_exit
list(struct ctl *ctl)
{
	json_t *answer = NULL;
	enum ctl_exit code = http_request(ctl, "GET", "/roles", NULL, "cannot list the roles.", &answer);

	if (code == CTL_DONE)
		output_list(ctl, answer, columns, "name");
	json_decref(answer);
	return code;
}

const struct command role_commands[] = {
    {"role list", NULL, "list the roles and what each may do", NULL, list},
    {0},
};
