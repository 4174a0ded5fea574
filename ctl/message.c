/* message.c - agentctl message: what agents say to each other. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "list.h"
#include "resource.h"

static const struct output_field columns[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"FROM", "from_agent_id", OUTPUT_TEXT, false, 24},
    {"TO", "to_agent_id", OUTPUT_TEXT, false, 24},
    {"TO ROLE", "to_role", OUTPUT_TEXT, false, 20},
    {"TYPE", "message_type", OUTPUT_TEXT, false, 24},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"SENT", "sent_at", OUTPUT_TIME, false, 0},
    {"TASK", "task_id", OUTPUT_TEXT, true, 0},
    {"REPLY TO", "reply_to", OUTPUT_TEXT, true, 0},
    {"DELIVERIES", "delivery_count", OUTPUT_TEXT, true, 0},
    {"CONTENT", "content", OUTPUT_TEXT, true, 0},
    {0},
};

static const struct output_field details[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"FROM", "from_agent_id", OUTPUT_TEXT, false, 0},
    {"TO", "to_agent_id", OUTPUT_TEXT, false, 0},
    {"TO ROLE", "to_role", OUTPUT_TEXT, false, 0},
    {"TYPE", "message_type", OUTPUT_TEXT, false, 0},
    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"TASK", "task_id", OUTPUT_TEXT, false, 0},
    {"DELIVERIES", "delivery_count", OUTPUT_TEXT, false, 0},
    {"UNDELIVERABLE", "undeliverable", OUTPUT_TEXT, false, 0},
    {"THREAD", "thread_id", OUTPUT_TEXT, false, 0},
    {"REPLY TO", "reply_to", OUTPUT_TEXT, false, 0},
    {"SENT", "sent_at", OUTPUT_TIME, false, 0},
    {"RECEIVED", "received_at", OUTPUT_TIME, false, 0},
    {"RECEIVED BY", "received_by", OUTPUT_TEXT, false, 0},
    {"PROCESSED", "processed_at", OUTPUT_TIME, false, 0},
    {"CONTENT", "content", OUTPUT_TEXT, false, 0},
    {0},
};

static const struct resource resource = {"the message", "the messages", "/messages", "/messages/%s",
                                         "id",          columns,        details};

static enum ctl_exit
send_message(struct ctl *ctl)
{
	static const struct payload_field fields[] = {
	    {"from_agent_id", OPTION_FROM, PAYLOAD_TEXT, true, 0, 0},
	    {"to_agent_id", OPTION_TO, PAYLOAD_TEXT, false, 0, 0},
	    {"to_role", OPTION_TO_ROLE, PAYLOAD_TEXT, false, 0, 0},
	    {"broadcast", OPTION_BROADCAST, PAYLOAD_FLAG, false, 0, 0},
	    {"message_type", OPTION_TYPE, PAYLOAD_TEXT, true, 0, 0},
	    {"content", OPTION_CONTENT, PAYLOAD_JSON, true, 0, 0},
	    {"task_id", OPTION_TASK, PAYLOAD_TEXT, false, 0, 0},
	    {"epoch", OPTION_EPOCH, PAYLOAD_NUMBER, false, 1, 2147483647},
	    {"reply_to", OPTION_REPLY_TO, PAYLOAD_TEXT, false, 0, 0},
	    {0},
	};
	int receivers = ctl_flag(ctl, OPTION_TO) + ctl_flag(ctl, OPTION_TO_ROLE) + ctl_flag(ctl, OPTION_BROADCAST);
	enum ctl_exit code;
	json_t *body;

	if (receivers != 1)
		return output_error(CTL_USAGE, "wrong usage.", "give one of --to, --to-role and --broadcast",
		                    "agentctl help message send");
	body = payload_build(ctl, fields, &code);
	return body ? resource_create(ctl, &resource, resource.list, body) : code;
}

static enum ctl_exit
list(struct ctl *ctl)
{
	static const struct payload_field filters[] = {
	    {"from_agent_id", OPTION_FROM, PAYLOAD_TEXT, false, 0, 0},
	    {"to_agent_id", OPTION_TO, PAYLOAD_TEXT, false, 0, 0},
	    {"message_type", OPTION_TYPE, PAYLOAD_TEXT, false, 0, 0},
	    {"status", OPTION_STATUS, PAYLOAD_TEXT, false, 0, 0},
	    {0},
	};

	return resource_list(ctl, &resource, filters);
}

static enum ctl_exit
get(struct ctl *ctl)
{
	return resource_get(ctl, &resource);
}

static enum ctl_exit
acknowledge(struct ctl *ctl)
{
	return resource_change(ctl, &resource, "POST", "/messages/%s/ack", NULL, "acknowledge", "is dealt with");
}

static enum ctl_exit
show_thread(struct ctl *ctl)
{
	const char *id = ctl->args.items[0], *what = "cannot get the thread.";
	char *path = http_path(resource.item, id);
	json_t *message = NULL;
	enum ctl_exit code = http_request(ctl, "GET", path, NULL, what, &message);

	free(path);
	if (code != CTL_DONE)
		return code;
	path = mem_string(resource.list);
	http_path_query(&path, "thread_id", output_string(message, "thread_id", id));
	code = list_show(ctl, path, what, columns, "id");
	json_decref(message);
	free(path);
	return code;
}

enum { INBOX_WAIT_S = 20, INBOX_SLACK_MS = 10000 };

/* One look into the inbox, at most wait_s long. What comes is ours: the server does not give it again for a while. */
static enum ctl_exit
take_messages(const struct ctl *ctl, double wait_s, json_t **answer_r)
{
	char *path = http_path("/agents/%s/inbox", ctl->args.items[0]), wait[32];
	struct http_call *call;
	enum ctl_exit code = CTL_DONE;

	snprintf(wait, sizeof(wait), "%g", wait_s);
	http_path_query(&path, "wait_s", wait_s > 0 ? wait : NULL);
	http_path_query(&path, "max", ctl_option(ctl, OPTION_MAX));
	call = http_call_new(ctl, "GET", path, NULL, (int64_t)(wait_s * 1000) + INBOX_SLACK_MS);
	http_call_perform(call);
	if (http_call_ok(call) && json_is_array(json_object_get(call->json, "items")))
		*answer_r = json_incref(call->json);
	else
		code = http_call_report(ctl, call, "cannot look into the inbox.");
	http_call_free(call);
	free(path);
	return code;
}

static enum ctl_exit
look_into_inbox(struct ctl *ctl)
{
	bool wait = ctl_flag(ctl, OPTION_WAIT);
	double left = ctl->timeout_s > 0 ? ctl->timeout_s : 1e9;
	json_t *answer = NULL;
	enum ctl_exit code;

	for (;;) {
		double step = wait ? MIN(left, (double)INBOX_WAIT_S) : 0;

		code = take_messages(ctl, step, &answer);
		left -= step;
		if (code != CTL_DONE || json_array_size(json_object_get(answer, "items")) || !wait || left <= 0)
			break;
		json_decref(answer);
		answer = NULL;
	}
	if (code == CTL_DONE && wait && json_array_size(json_object_get(answer, "items")) == 0)
		code = output_error_why(CTL_TIMED_OUT, "no message came.", "try again with a longer --timeout SECONDS",
		                        "the inbox stayed empty for %g s", ctl->timeout_s);
	else if (code == CTL_DONE)
		output_list(ctl, answer, columns, "id");
	json_decref(answer);
	return code;
}

const struct command message_commands[] = {
    {"message send", NULL, "send a message",
     OPTIONS(OPTION_FROM, OPTION_TO, OPTION_TO_ROLE, OPTION_BROADCAST, OPTION_TYPE, OPTION_CONTENT, OPTION_TASK,
             OPTION_EPOCH, OPTION_REPLY_TO),
     send_message,
     .more =
         "agentctl message send --from sena-1 --to-role rune --type status_update --content '{\"text\": \"done\"}'"},
    {"message list", NULL, "list the messages",
     OPTIONS(OPTION_FROM, OPTION_TO, OPTION_TYPE, OPTION_STATUS, OPTION_LIMIT), list},
    {"message get", "ID", "show a message", NULL, get},
    {"message ack", "ID", "say that you have dealt with it", NULL, acknowledge},
    {"message thread", "ID", "list the messages that answer each other, with this one", OPTIONS(OPTION_LIMIT),
     show_thread},
    {"message inbox", "AGENT", "take the messages that wait for an agent", OPTIONS(OPTION_WAIT, OPTION_MAX),
     look_into_inbox, .more = "What is shown counts as received; say with `message ack` that it is dealt with."},
    {0},
};
