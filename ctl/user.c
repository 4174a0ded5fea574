/*
 * user.c - agentctl user: the users of the tenant; agentctl passwd: the own password.
 *
 * A user is named by the name or the id. Passwords are asked for or read from a file, never taken from the arguments.
 */
#include "base.h"

#include "command.h"
#include "credential.h"
#include "http.h"
#include "output.h"
#include "resource.h"

static const struct output_field columns[] = {
    {"NAME", "username", OUTPUT_TEXT, false, 32},
    {"ROLE", "role", OUTPUT_TEXT, false, 0},
    {"ACTIVE", "active", OUTPUT_TEXT, false, 0},
    {"DISPLAY NAME", "display_name", OUTPUT_TEXT, false, 32},
    {"LAST LOGIN", "last_login", OUTPUT_TIME, false, 0},
    {"ID", "id", OUTPUT_TEXT, true, 0},
    {"CREATED", "created_at", OUTPUT_TIME, true, 0},
    {"UPDATED", "updated_at", OUTPUT_TIME, true, 0},
    {"PASSWORD SINCE", "password_changed_at", OUTPUT_TIME, true, 0},
    {"VERSION", "version", OUTPUT_TEXT, true, 0},
    {0},
};

static const struct resource resource = {"the user", "the users", "/users", "/users/%s", "username", columns, columns};

static bool
is_id(const char *text)
{
	return strlen(text) == 36 && strspn(text, "0123456789abcdefABCDEF-") == 36;
}

/* The user that the first word names. */
static enum ctl_exit
find(const struct ctl *ctl, const char *what, json_t **user_r)
{
	const char *name = ctl->args.items[0];
	char *path = is_id(name) ? http_path("/users/%s", name) : mem_string("/users");
	json_t *answer = NULL;
	enum ctl_exit code;

	if (!is_id(name))
		http_path_query(&path, "username", name);
	code = http_request(ctl, "GET", path, NULL, what, &answer);
	free(path);
	*user_r = NULL;
	if (code == CTL_DONE)
		*user_r = json_incref(is_id(name) ? answer : json_array_get(json_object_get(answer, "items"), 0));
	json_decref(answer);
	if (code == CTL_DONE && !*user_r)
		code = output_error(CTL_NOT_FOUND, what, "there is no user of this name", "agentctl user list");
	return code;
}

/* One request about the user that the first word names. body is taken over. */
static enum ctl_exit
change(const struct ctl *ctl, const char *method, const char *format, json_t *body, const char *what, const char *done)
{
	json_t *user, *answer = NULL;
	enum ctl_exit code = find(ctl, what, &user);
	char *path;

	if (code != CTL_DONE) {
		json_decref(body);
		return code;
	}
	path = http_path(format, output_string(user, "id", ""));
	code = http_request(ctl, method, path, body, what, &answer);
	if (code == CTL_DONE)
		resource_show_change(ctl, &resource, json_is_null(answer) ? user : answer, done);
	json_decref(answer);
	json_decref(user);
	free(path);
	return code;
}

static enum ctl_exit
list(struct ctl *ctl)
{
	static const struct payload_field filters[] = {{"role", OPTION_ROLE, PAYLOAD_TEXT, false, 0, 0}, {0}};
	struct resource filtered = resource;
	const char *status = ctl_option(ctl, OPTION_STATUS);

	if (status && strcmp(status, "active") != 0 && strcmp(status, "inactive") != 0)
		return output_error(CTL_USAGE, "cannot list the users.", "--status must be active or inactive",
		                    "agentctl user list --status active");
	if (status)
		filtered.list = strcmp(status, "active") == 0 ? "/users?active=true" : "/users?active=false";
	return resource_list(ctl, &filtered, filters);
}

static enum ctl_exit
get(struct ctl *ctl)
{
	json_t *user;
	enum ctl_exit code = find(ctl, "cannot get the user.", &user);

	if (code == CTL_DONE)
		output_object(ctl, user, resource.details, resource.id);
	json_decref(user);
	return code;
}

static enum ctl_exit
create(struct ctl *ctl)
{
	const char *role = ctl_option(ctl, OPTION_ROLE), *name = ctl_option(ctl, OPTION_NAME);
	json_t *body, *answer = NULL;
	char *password;
	enum ctl_exit code = credential_new(ctl, NULL, &password);

	if (code != CTL_DONE)
		return code;
	body = json_pack("{s:s, s:s, s:s*, s:s*}", "username", ctl->args.items[0], "password", password, "role", role,
	                 "display_name", name);
	credential_wipe(password);
	if (!body)
		return output_error(CTL_USAGE, "cannot make the user.", "the name and the password must be UTF-8", NULL);
	code = http_create(ctl, resource.list, body, "cannot make the user.", &answer);
	if (code == CTL_DONE)
		resource_show_change(ctl, &resource, answer, "is there");
	json_decref(answer);
	return code;
}

static enum ctl_exit
set_role(struct ctl *ctl)
{
	return change(ctl, "PATCH", "/users/%s", json_pack("{s:s}", "role", ctl->args.items[1]), "cannot change the role.",
	              "has the role from now on; the old sessions have ended");
}

static enum ctl_exit
activate(struct ctl *ctl)
{
	return change(ctl, "PATCH", "/users/%s", json_pack("{s:b}", "active", 1), "cannot activate the user.", "is active");
}

static enum ctl_exit
deactivate(struct ctl *ctl)
{
	return change(ctl, "PATCH", "/users/%s", json_pack("{s:b}", "active", 0), "cannot deactivate the user.",
	              "is not active any more; all sessions have ended");
}

static enum ctl_exit
set_password(struct ctl *ctl)
{
	char *password;
	json_t *body;
	enum ctl_exit code = credential_new(ctl, NULL, &password);

	if (code != CTL_DONE)
		return code;
	body = json_pack("{s:s}", "password", password);
	credential_wipe(password);
	if (!body)
		return output_error(CTL_USAGE, "cannot set the password.", "it must be UTF-8", NULL);
	return change(ctl, "POST", "/users/%s/password", body, "cannot set the password.",
	              "has the new password; all sessions have ended");
}

static enum ctl_exit
delete_user(struct ctl *ctl)
{
	enum ctl_exit code;

	if (!resource_confirm(ctl, "Delete this user, with all sessions and keys, for good? [y/N] ", &code))
		return code;
	return change(ctl, "DELETE", "/users/%s", NULL, "cannot delete the user.",
	              "is deleted, with all sessions and keys");
}

static enum ctl_exit
own_password(struct ctl *ctl)
{
	char *current, *new;
	json_t *body, *answer = NULL;
	enum ctl_exit code = credential_new(ctl, &current, &new);

	if (code != CTL_DONE)
		return code;
	body = json_pack("{s:s, s:s}", "current_password", current, "new_password", new);
	credential_wipe(current);
	credential_wipe(new);
	if (!body)
		return output_error(CTL_USAGE, "cannot change the password.", "both must be UTF-8", NULL);
	code = http_request(ctl, "POST", "/auth/password", body, "cannot change the password.", &answer);
	if (code == CTL_DONE)
		output_note(ctl, "the password is changed and every session of yours has ended; next: agentctl login");
	json_decref(answer);
	return code;
}

const struct command user_commands[] = {
    {"user list", NULL, "list the users", OPTIONS(OPTION_ROLE, OPTION_STATUS, OPTION_LIMIT), list,
     .more = "--status is active or inactive."},
    {"user get", "NAME|ID", "show a user", NULL, get},
    {"user create", "NAME", "make a user (role viewer, unless --role says another)",
     OPTIONS(OPTION_ROLE, OPTION_NAME, OPTION_PASSWORD_FILE), create,
     .more = "The password is asked for twice on the terminal, or read with --password-file:\n"
             "  openssl rand -base64 18 | tee ada.password | agentctl user create ada --password-file -"},
    {"user set-role", "NAME|ID ROLE", "give a user another role; ends the sessions", NULL, set_role},
    {"user activate", "NAME|ID", "let a user log in again", NULL, activate},
    {"user deactivate", "NAME|ID", "keep a user out: sessions end, keys are not accepted", NULL, deactivate},
    {"user passwd", "NAME|ID", "give another user a new password; ends the sessions", OPTIONS(OPTION_PASSWORD_FILE),
     set_password},
    {"user delete", "NAME|ID", "delete a user with all sessions and keys", OPTIONS(OPTION_YES), delete_user},
    {0},
};

const struct command password_commands[] = {
    {"passwd", NULL, "change your own password; ends your sessions", OPTIONS(OPTION_PASSWORD_FILE), own_password,
     .more =
         "Asked for on the terminal; a --password-file has the current password in its first line and the new one in\n"
         "its second."},
    {0},
};
