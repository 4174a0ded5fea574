/* session.c - see session.h; and agentctl session: where one is logged in. */
#include "base.h"

#include "command.h"
#include "context.h"
#include "http.h"
#include "json_print.h"
#include "private_file.h"
#include "resource.h"
#include "session.h"

#include <unistd.h>

enum { EARLY_S = 30, PAUSE_S = 5, TIMEOUT_MS = 5000 };

static bool
is_due(const struct context *context)
{
	int64_t now_s = time(NULL);

	return context->refresh && context->expires_s - EARLY_S <= now_s && context->pause_until_s <= now_s;
}

/* The server gives the same answer again for 10 s, so a lost one costs nothing. */
static struct http_call *
ask(const struct ctl *ctl)
{
	struct ctl anonymous = *ctl;
	struct context context = *ctl->context;
	struct http_call *call = NULL;

	context.key = context.refresh = NULL;
	anonymous.context = &context;
	for (int tries = 0; tries < 2; tries++) {
		json_t *body = json_pack("{s:s}", "refresh_token", ctl->context->refresh);

		http_call_free(call);
		call = http_call_new(&anonymous, "POST", "/auth/refresh", json_print_text(body), TIMEOUT_MS);
		json_decref(body);
		http_call_perform(call);
		if (!http_call_may_retry(call) || call->status)
			break;
	}
	return call;
}

/* This run has the new token even if the file cannot have it. */
static void
go_on_with(const struct ctl *ctl, const struct context_login *login)
{
	if (!context_store(ctl->context, login))
		output_note(ctl, "the renewed token is lost at the end of this run; then log in again.");
	context_use(ctl->context, login);
}

static void
refresh(const struct ctl *ctl)
{
	struct context *context = ctl->context;
	struct http_call *call = ask(ctl);
	struct context_login login;

	if (http_call_ok(call) && context_login_read(call->json, &login)) {
		go_on_with(ctl, &login);
	} else if (call->status == 401) {
		/* It will never be good again; the request that comes now says what to do. */
		login = (struct context_login){.key = context->key};
		go_on_with(ctl, &login);
	} else {
		context->pause_until_s = time(NULL) + PAUSE_S;
	}
	http_call_free(call);
}

void
session_keep(const struct ctl *ctl)
{
	struct context *context = ctl->context;
	char *why = NULL;
	int lock;

	if (!is_due(context))
		return;
	lock = private_file_lock(context->path, &why);
	if (lock < 0) {
		/* Without turns a token could be used twice, which ends the session. */
		output_note(ctl, "the token cannot be renewed: %s", why);
		context->pause_until_s = time(NULL) + PAUSE_S;
		free(why);
		return;
	}
	context_reload(context);
	if (is_due(context))
		refresh(ctl);
	close(lock);
}

static const struct output_field columns[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"CURRENT", "current", OUTPUT_TEXT, false, 0},
    {"SINCE", "created_at", OUTPUT_TIME, false, 0},
    {"LAST USED", "last_used_at", OUTPUT_TIME, false, 0},
    {"ADDRESS", "address", OUTPUT_TEXT, false, 0},
    {"CLIENT", "user_agent", OUTPUT_TEXT, false, 30},
    {"EXPIRES", "expires_at", OUTPUT_TIME, true, 0},
    {0},
};

static const struct resource resource = {"the session", "the sessions", "/auth/sessions", "/auth/sessions/%s",
                                         "id",          columns,        columns};

static enum ctl_exit
list(struct ctl *ctl)
{
	return resource_list(ctl, &resource, NULL);
}

static enum ctl_exit delete (struct ctl *ctl) {
	enum ctl_exit code;

	if (!resource_confirm(ctl, "End this session with all its tokens? [y/N] ", &code)) return code;
	return resource_change(ctl, &resource, "DELETE", resource.item, NULL, "end", "has ended");
}

const struct command session_commands[] = {
    {"session list", NULL, "list where you are logged in", OPTIONS(OPTION_LIMIT), list},
    {"session delete", "ID", "end one of your sessions, everywhere within a second", OPTIONS(OPTION_YES), delete},
    {0},
};
