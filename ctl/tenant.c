/* tenant.c - agentctl tenant: for admins of the tenant default, who make tenants, bound them and end them. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "private_file.h"
#include "resource.h"
#include "terminal.h"

static const struct output_field columns[] = {
    {"NAME", "name", OUTPUT_TEXT, false, 0},
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"QUOTAS", "quotas", OUTPUT_TEXT, false, 60},
    {"CREATED", "created_at", OUTPUT_TIME, false, 0},
    {"DESCRIPTION", "description", OUTPUT_TEXT, true, 0},
    {0},
};
static const struct output_field details[] = {
    {"NAME", "name", OUTPUT_TEXT, false, 0},
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"DESCRIPTION", "description", OUTPUT_TEXT, false, 0},
    {"QUOTAS", "quotas", OUTPUT_TEXT, false, 0},
    {"USAGE", "usage", OUTPUT_TEXT, false, 0},
    {"FULL OF", "full_of", OUTPUT_TEXT, false, 0},
    {"ADMIN", "admin_username", OUTPUT_TEXT, false, 0},
    {"CREATED", "created_at", OUTPUT_TIME, false, 0},
    {"DEACTIVATED", "deactivated_at", OUTPUT_TIME, false, 0},
    {0},
};

static const struct resource resource = {"the tenant", "the tenants", "/tenants", "/tenants/%s",
                                         "name",       columns,       details};

/* NAME=N, or NAME=none, which takes the quota away. False: said why. */
static bool
add_quota(json_t *quotas, const char *item)
{
	const char *split = strchr(item, '=');
	char *name = split && split > item ? strndup(item, (size_t)(split - item)) : NULL, *end = NULL;
	long value = split ? strtol(split + 1, &end, 10) : 0;
	bool none = split && strcmp(split + 1, "none") == 0;
	bool good = name && (none || (end > split + 1 && !*end)) &&
	            json_object_set_new(quotas, name, none ? json_null() : json_integer(value)) == 0;

	free(name);
	if (!good)
		output_error_why(CTL_USAGE, "the command line is not complete.", "agentctl help tenant set",
		                 "--quota \"%s\" is not NAME=NUMBER or NAME=none", item);
	return good;
}

/* Description and quotas, which create and set share. NULL: said why. */
static json_t *
build(const struct ctl *ctl, enum ctl_exit *code_r)
{
	static const struct payload_field fields[] = {
	    {"description", OPTION_DESCRIPTION, PAYLOAD_TEXT, false, 0, 0},
	    {0},
	};
	const struct option_words *given = &ctl->options[OPTION_QUOTA];
	json_t *body = payload_build(ctl, fields, code_r), *quotas = json_object();

	for (int i = 0; body && i < given->count; i++)
		if (!add_quota(quotas, given->items[i])) {
			*code_r = CTL_USAGE;
			json_decref(body);
			body = NULL;
		}
	if (body && given->count)
		json_object_set(body, "quotas", quotas);
	json_decref(quotas);
	return body;
}

/* The password of the first admin: from a file, or asked for. NULL: said why. */
static char *
admin_password(const struct ctl *ctl)
{
	const char *path = ctl_option(ctl, OPTION_PASSWORD_FILE);
	char *text = NULL, *why = NULL;
	size_t len = 0;

	if (path && (!private_file_read(path, false, &text, &len, &why) || !text))
		output_error(CTL_FAILED, "cannot read the password.", why ? why : "there is no such file", NULL);
	if (!path && !(text = terminal_ask("Password of the first admin: ", true)))
		output_error(CTL_USAGE, "cannot ask for the password.", "standard input is not a terminal",
		             "agentctl tenant create NAME --username ADMIN --password-file FILE");
	if (text)
		text[strcspn(text, "\r\n")] = '\0';
	free(why);
	return text;
}

static bool
add_admin(const struct ctl *ctl, json_t *body)
{
	const char *username = ctl_option(ctl, OPTION_USERNAME);
	char *password;
	bool good;

	if (!username)
		return true;
	password = admin_password(ctl);
	if (!password)
		return false;
	good = json_object_set_new(body, "admin_username", json_string(username)) == 0 &&
	       json_object_set_new(body, "admin_password", json_string(password)) == 0;
	private_file_wipe(password, strlen(password));
	if (!good)
		output_error(CTL_USAGE, "cannot make the tenant.", "the user name and the password must be UTF-8", NULL);
	return good;
}

static enum ctl_exit
create(struct ctl *ctl)
{
	enum ctl_exit code;
	json_t *body = build(ctl, &code), *answer = NULL;

	if (!body)
		return code;
	if (json_object_set_new(body, "name", json_string(ctl->args.items[0])) != 0 || !add_admin(ctl, body)) {
		json_decref(body);
		return CTL_USAGE;
	}
	code = http_request(ctl, "POST", resource.list, body, "cannot make the tenant.", &answer);
	if (code == CTL_DONE)
		output_object(ctl, answer, details, resource.id);
	json_decref(answer);
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
set(struct ctl *ctl)
{
	enum ctl_exit code;
	json_t *body = build(ctl, &code);

	return body ? resource_change(ctl, &resource, "PATCH", resource.item, body, "change", "is changed") : code;
}

static enum ctl_exit
deactivate(struct ctl *ctl)
{
	enum ctl_exit code;

	if (!resource_confirm(ctl, "Lock out all users and keys of this tenant? [y/N] ", &code))
		return code;
	return resource_change(ctl, &resource, "PATCH", resource.item, json_pack("{s:b}", "active", 0), "deactivate",
	                       "is deactivated: nobody of it gets in any more");
}

static enum ctl_exit
activate(struct ctl *ctl)
{
	return resource_change(ctl, &resource, "PATCH", resource.item, json_pack("{s:b}", "active", 1), "activate",
	                       "is active again");
}

static enum ctl_exit delete (struct ctl *ctl) {
	enum ctl_exit code;

	if (!resource_confirm(ctl, "Delete this tenant with ALL that it has, for good? [y/N] ", &code)) return code;
	return resource_change(ctl, &resource, "DELETE", resource.item, NULL, "delete",
	                       "is being deleted; it is gone when `agentctl tenant get` finds it no more");
}

const struct command tenant_commands[] = {
    {"tenant create", "NAME", "make a tenant, with its first admin if --username names one",
     OPTIONS(OPTION_USERNAME, OPTION_PASSWORD_FILE, OPTION_DESCRIPTION, OPTION_QUOTA), create,
     .more = "With an admin of its own and at most 20 users and 100000 open tasks:\n"
             "  agentctl tenant create acme --username kim --quota max_users=20 --quota max_open_tasks=100000\n"
             "Users of a tenant log in with: agentctl login --tenant acme"},
    {"tenant list", NULL, "list the tenants", OPTIONS(OPTION_LIMIT), list},
    {"tenant get", "NAME", "show a tenant, its quotas and what it has of them", NULL, get},
    {"tenant set", "NAME", "change the description or quotas of a tenant", OPTIONS(OPTION_DESCRIPTION, OPTION_QUOTA),
     set,
     .more = "Quotas: max_users, max_keys, max_agents, max_schedules, max_open_workflows, max_open_tasks, rate_limit.\n"
             "NAME=none takes one away; those not named stay."},
    {"tenant deactivate", "NAME", "lock out a tenant: its tokens and keys are refused everywhere", OPTIONS(OPTION_YES),
     deactivate},
    {"tenant activate", "NAME", "let a tenant in again", NULL, activate},
    {"tenant delete", "NAME", "delete a deactivated tenant with all that it has", OPTIONS(OPTION_YES), delete},
    {0},
};
