/* alert.c - agentctl alert: what fires, the rules of it, and who is told. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "resource.h"

static const struct output_field alert_columns[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"STATE", "state", OUTPUT_STATUS, false, 0},
    {"SEVERITY", "severity", OUTPUT_TEXT, false, 0},
    {"RULE", "rule", OUTPUT_TEXT, false, 24},
    {"SUBJECT", "subject", OUTPUT_TEXT, false, 24},
    {"VALUE", "value", OUTPUT_TEXT, false, 12},
    {"FIRED", "fired_at", OUTPUT_TIME, false, 0},
    {"RESOLVED", "resolved_at", OUTPUT_TIME, false, 0},
    {"METRIC", "metric", OUTPUT_TEXT, true, 0},
    {"IS", "comparison", OUTPUT_TEXT, true, 0},
    {"THRESHOLD", "threshold", OUTPUT_TEXT, true, 0},
    {"LABELS", "labels", OUTPUT_TEXT, true, 0},
    {"TOLD", "deliveries", OUTPUT_TEXT, true, 0},
    {0},
};
static const struct output_field rule_columns[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"NAME", "name", OUTPUT_TEXT, false, 24},
    {"METRIC", "metric", OUTPUT_TEXT, false, 0},
    {"IS", "comparison", OUTPUT_TEXT, false, 0},
    {"THRESHOLD", "threshold", OUTPUT_TEXT, false, 0},
    {"SEVERITY", "severity", OUTPUT_TEXT, false, 0},
    {"ACTIVE", "active", OUTPUT_TEXT, false, 0},
    {"SUBJECT", "subject", OUTPUT_TEXT, true, 24},
    {"WINDOW (S)", "window_s", OUTPUT_TEXT, true, 0},
    {"FOR (S)", "for_s", OUTPUT_TEXT, true, 0},
    {"KEEP (S)", "keep_s", OUTPUT_TEXT, true, 0},
    {"LABELS", "labels", OUTPUT_TEXT, true, 0},
    {"BUILT IN", "builtin", OUTPUT_TEXT, true, 0},
    {"DESCRIPTION", "description", OUTPUT_TEXT, true, 60},
    {0},
};
static const struct output_field channel_columns[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},
    {"NAME", "name", OUTPUT_TEXT, false, 24},
    {"TYPE", "type", OUTPUT_TEXT, false, 0},
    {"URL", "url", OUTPUT_TEXT, false, 60},
    {"FROM", "min_severity", OUTPUT_TEXT, false, 0},
    {"ACTIVE", "active", OUTPUT_TEXT, false, 0},
    {"DELIVERED", "delivered_at", OUTPUT_TIME, true, 0},
    {"FAILED", "failed_at", OUTPUT_TIME, true, 0},
    {"ERROR", "error", OUTPUT_TEXT, true, 0},
    {"WHY NOT ACTIVE", "disabled_reason", OUTPUT_TEXT, true, 0},
    {"CREATED", "created_at", OUTPUT_TIME, true, 0},
    {0},
};
static const struct output_field delivery_columns[] = {
    {"ID", "id", OUTPUT_TEXT, false, 0},           {"EVENT", "event", OUTPUT_TEXT, false, 0},
    {"STATUS", "status", OUTPUT_STATUS, false, 0}, {"TRIES", "attempts", OUTPUT_TEXT, false, 0},
    {"NEXT", "next_at", OUTPUT_TIME, false, 0},    {"ANSWER", "answer_status", OUTPUT_TEXT, false, 0},
    {"ERROR", "error", OUTPUT_TEXT, false, 60},    {"CREATED", "created_at", OUTPUT_TIME, true, 0},
    {"ALERT", "alert_id", OUTPUT_TEXT, true, 0},   {0},
};

static const struct resource alerts = {"the alert", "the alerts",  "/alerts",    "/alerts/%s",
                                       "id",        alert_columns, alert_columns};
static const struct resource rules = {"the rule", "the rules",  "/alerts/rules", "/alerts/rules/%s",
                                      "id",       rule_columns, rule_columns};
static const struct resource channels = {"the channel", "the channels",  "/alerts/channels", "/alerts/channels/%s",
                                         "id",          channel_columns, channel_columns};

/* What the options say, and the name that the first word gives. NULL: what is wrong has been said. */
static json_t *
named(const struct ctl *ctl, const struct payload_field *fields, enum ctl_exit *code_r)
{
	json_t *body = payload_build(ctl, fields, code_r);

	if (body)
		json_object_set_new(body, "name", json_string(ctl->args.items[0]));
	return body;
}

static enum ctl_exit
change(struct ctl *ctl, const struct resource *resource, const struct payload_field *fields)
{
	enum ctl_exit code;
	json_t *body = payload_build(ctl, fields, &code);

	return body ? resource_change(ctl, resource, "PATCH", resource->item, body, "change", "is changed") : code;
}

static enum ctl_exit
activate(struct ctl *ctl, const struct resource *resource, bool active)
{
	return resource_change(ctl, resource, "PATCH", resource->item, json_pack("{s:b}", "active", active),
	                       active ? "resume" : "silence", active ? "is active" : "is silent");
}

static enum ctl_exit
list(struct ctl *ctl)
{
	static const struct payload_field filters[] = {
	    {"state", OPTION_STATUS, PAYLOAD_TEXT, false, 0, 0},
	    {"severity", OPTION_SEVERITY, PAYLOAD_TEXT, false, 0, 0},
	    {"rule", OPTION_RULE, PAYLOAD_TEXT, false, 0, 0},
	    {"subject", OPTION_SUBJECT, PAYLOAD_TEXT, false, 0, 0},
	    {0},
	};

	return resource_list(ctl, &alerts, filters);
}

static enum ctl_exit
get(struct ctl *ctl)
{
	return resource_get(ctl, &alerts);
}

#define RULE_FIELDS                                                     \
	{"subject", OPTION_SUBJECT, PAYLOAD_TEXT, false, 0, 0},             \
	    {"window_s", OPTION_WINDOW, PAYLOAD_NUMBER, false, 60, 1800},   \
	    {"for_s", OPTION_FOR, PAYLOAD_NUMBER, false, 0, 86400},         \
	    {"keep_s", OPTION_KEEP, PAYLOAD_NUMBER, false, 0, 86400},       \
	    {"severity", OPTION_SEVERITY, PAYLOAD_TEXT, false, 0, 0},       \
	    {"labels", OPTION_LABEL, PAYLOAD_LABELS, false, 0, 0},          \
	    {"description", OPTION_DESCRIPTION, PAYLOAD_TEXT, false, 0, 0}, \
	{                                                                   \
		0                                                               \
	}
#define RULE_OPTIONS                                                                                              \
	OPTION_COMPARISON, OPTION_THRESHOLD, OPTION_SUBJECT, OPTION_WINDOW, OPTION_FOR, OPTION_KEEP, OPTION_SEVERITY, \
	    OPTION_LABEL, OPTION_DESCRIPTION

static enum ctl_exit
rule_create(struct ctl *ctl)
{
	static const struct payload_field fields[] = {{"metric", OPTION_METRIC, PAYLOAD_TEXT, true, 0, 0},
	                                              {"comparison", OPTION_COMPARISON, PAYLOAD_TEXT, true, 0, 0},
	                                              {"threshold", OPTION_THRESHOLD, PAYLOAD_NUMBER, true, 0, 0},
	                                              RULE_FIELDS};
	enum ctl_exit code;
	json_t *body = named(ctl, fields, &code);

	return body ? resource_create(ctl, &rules, rules.list, body) : code;
}

static enum ctl_exit
rule_set(struct ctl *ctl)
{
	static const struct payload_field fields[] = {{"comparison", OPTION_COMPARISON, PAYLOAD_TEXT, false, 0, 0},
	                                              {"threshold", OPTION_THRESHOLD, PAYLOAD_NUMBER, false, 0, 0},
	                                              RULE_FIELDS};

	return change(ctl, &rules, fields);
}

static enum ctl_exit
rule_list(struct ctl *ctl)
{
	return resource_list(ctl, &rules, NULL);
}

static enum ctl_exit
rule_get(struct ctl *ctl)
{
	return resource_get(ctl, &rules);
}

static enum ctl_exit
rule_silence(struct ctl *ctl)
{
	return activate(ctl, &rules, false);
}

static enum ctl_exit
rule_resume(struct ctl *ctl)
{
	return activate(ctl, &rules, true);
}

static enum ctl_exit
rule_delete(struct ctl *ctl)
{
	return resource_delete(ctl, &rules);
}

/* The secret is shown this once. */
static enum ctl_exit
channel_create(struct ctl *ctl)
{
	static const struct payload_field fields[] = {{"url", OPTION_URL, PAYLOAD_TEXT, true, 0, 0},
	                                              {"min_severity", OPTION_SEVERITY, PAYLOAD_TEXT, false, 0, 0},
	                                              {0}};
	static const struct output_field shown[] = {{"ID", "id", OUTPUT_TEXT, false, 0},
	                                            {"NAME", "name", OUTPUT_TEXT, false, 0},
	                                            {"URL", "url", OUTPUT_TEXT, false, 0},
	                                            {"SECRET", "secret", OUTPUT_TEXT, false, 0},
	                                            {0}};
	enum ctl_exit code;
	json_t *body = named(ctl, fields, &code), *answer = NULL;

	if (!body)
		return code;
	code = http_create(ctl, channels.list, body, "cannot make the channel.", &answer);
	if (code == CTL_DONE) {
		output_object(ctl, answer, shown, "id");
		output_note(ctl, "The secret signs what is sent (Standard Webhooks); it is never shown again.");
	}
	json_decref(answer);
	return code;
}

static enum ctl_exit
channel_set(struct ctl *ctl)
{
	static const struct payload_field fields[] = {{"url", OPTION_URL, PAYLOAD_TEXT, false, 0, 0},
	                                              {"min_severity", OPTION_SEVERITY, PAYLOAD_TEXT, false, 0, 0},
	                                              {0}};

	return change(ctl, &channels, fields);
}

static enum ctl_exit
channel_list(struct ctl *ctl)
{
	return resource_list(ctl, &channels, NULL);
}

static enum ctl_exit
channel_get(struct ctl *ctl)
{
	return resource_get(ctl, &channels);
}

static enum ctl_exit
channel_silence(struct ctl *ctl)
{
	return activate(ctl, &channels, false);
}

static enum ctl_exit
channel_resume(struct ctl *ctl)
{
	return activate(ctl, &channels, true);
}

static enum ctl_exit
channel_delete(struct ctl *ctl)
{
	return resource_delete(ctl, &channels);
}

static enum ctl_exit
channel_test(struct ctl *ctl)
{
	return resource_change(ctl, &channels, "POST", "/alerts/channels/%s/test", NULL, "test",
	                       "is on its way; agentctl alert channel deliveries shows what comes of it");
}

static enum ctl_exit
channel_deliveries(struct ctl *ctl)
{
	char *path = http_path("/alerts/channels/%s/deliveries", ctl->args.items[0]);
	const struct resource deliveries = {"the delivery",   "the deliveries", path, path, "id",
	                                    delivery_columns, delivery_columns};
	enum ctl_exit code = resource_list(ctl, &deliveries, NULL);

	free(path);
	return code;
}

const struct command alert_commands[] = {
    {"alert list", NULL, "list what fires and what was resolved, newest first",
     OPTIONS(OPTION_STATUS, OPTION_SEVERITY, OPTION_RULE, OPTION_SUBJECT, OPTION_LIMIT), list},
    {"alert get", "ID", "show an alert, and who was told of it", NULL, get},
    {"alert rule list", NULL, "list the rules, agentd's own too", OPTIONS(OPTION_LIMIT), rule_list},
    {"alert rule get", "ID", "show a rule", NULL, rule_get},
    {"alert rule create", "NAME", "be told when a condition holds", OPTIONS(OPTION_METRIC, RULE_OPTIONS), rule_create,
     .more = "When a task of the role sena waits for more than a minute, for half a minute:\n"
             "  agentctl alert rule create slow-sena --metric queue_age_s --comparison '>' --threshold 60 --subject "
             "sena --for 30"},
    {"alert rule set", "ID", "change a rule", OPTIONS(RULE_OPTIONS), rule_set},
    {"alert rule silence", "ID", "do not look at it any more; what fires by it is resolved", NULL, rule_silence},
    {"alert rule resume", "ID", "look at it again", NULL, rule_resume},
    {"alert rule delete", "ID", "delete a rule that is not agentd's own", OPTIONS(OPTION_YES), rule_delete},
    {"alert channel list", NULL, "list who is told", OPTIONS(OPTION_LIMIT), channel_list},
    {"alert channel get", "ID", "show a channel", NULL, channel_get},
    {"alert channel create", "NAME", "tell a webhook; its secret is shown once", OPTIONS(OPTION_URL, OPTION_SEVERITY),
     channel_create,
     .more = "Only what is critical:\n"
             "  agentctl alert channel create pager --url https://example.com/hook --severity critical"},
    {"alert channel set", "ID", "change a channel", OPTIONS(OPTION_URL, OPTION_SEVERITY), channel_set},
    {"alert channel test", "ID", "send it a message that is no alert", NULL, channel_test},
    {"alert channel deliveries", "ID", "list what it was told, and what came of it", OPTIONS(OPTION_LIMIT),
     channel_deliveries},
    {"alert channel silence", "ID", "tell it nothing more", NULL, channel_silence},
    {"alert channel resume", "ID", "tell it again", NULL, channel_resume},
    {"alert channel delete", "ID", "delete a channel with its secret", OPTIONS(OPTION_YES), channel_delete},
    {0},
};
