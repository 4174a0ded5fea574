/*
 * health.c - agentctl health: how the server is, what was found, what was healed; and doctor, which looks from outside
 * and says what to do.
 *
 * Always holds: health and doctor end with 1 when something is critical, so that scripts need not read.
 */
#include "base.h"

#include "command.h"
#include "http.h"
#include "resource.h"

static const struct output_field component_columns[] = {
    {"COMPONENT", "name", OUTPUT_TEXT, false, 0},    {"STATUS", "status", OUTPUT_STATUS, false, 0},
    {"MESSAGE", "message", OUTPUT_TEXT, false, 90},  {"MS", "response_time_ms", OUTPUT_TEXT, false, 0},
    {"FAILURES", "failures", OUTPUT_TEXT, true, 0},  {"SINCE", "since", OUTPUT_TIME, false, 0},
    {"CHECKED", "checked_at", OUTPUT_TIME, true, 0}, {0},
};

static enum ctl_exit
exit_of(const json_t *report)
{
	return strcmp(output_string(report, "status", ""), "critical") == 0 ? CTL_FAILED : CTL_DONE;
}

static void
show_report(struct ctl *ctl, const json_t *report)
{
	static const struct output_field node_columns[] = {{"NODE", "name", OUTPUT_TEXT, false, 0},
	                                                   {"STATUS", "status", OUTPUT_STATUS, false, 0},
	                                                   {"VERSION", "version", OUTPUT_TEXT, false, 0},
	                                                   {"CLOCK AHEAD BY MS", "clock_skew_ms", OUTPUT_TEXT, false, 0},
	                                                   {0}};
	static const struct output_field summary[] = {{"STATUS", "status", OUTPUT_STATUS, false, 0},
	                                              {"TAKES WRITES", "writes", OUTPUT_TEXT, false, 0},
	                                              {"RECOVERIES", "recoveries", OUTPUT_TEXT, false, 0},
	                                              {0}};

	if (output_json(ctl, report))
		return;
	output_object(ctl, report, summary, "status");
	if (ctl->format == CTL_NAME)
		return;
	putchar('\n');
	output_table(ctl, json_object_get(report, "components"), component_columns, 0);
	putchar('\n');
	output_table(ctl, json_object_get(report, "nodes"), node_columns, 0);
}

static enum ctl_exit
report(struct ctl *ctl)
{
	json_t *answer = NULL;
	enum ctl_exit code = http_request(ctl, "GET", "/health/report", NULL, "cannot get the health report.", &answer);

	if (code == CTL_DONE) {
		show_report(ctl, answer);
		code = exit_of(answer);
	}
	json_decref(answer);
	return code;
}

static enum ctl_exit
list_records(struct ctl *ctl)
{
	static const struct output_field columns[] = {{"AT", "recorded_at", OUTPUT_TIME, false, 0},
	                                              {"COMPONENT", "component", OUTPUT_TEXT, false, 0},
	                                              {"STATUS", "status", OUTPUT_STATUS, false, 0},
	                                              {"MESSAGE", "message", OUTPUT_TEXT, false, 80},
	                                              {"AGENT", "agent_id", OUTPUT_TEXT, false, 32},
	                                              {"NODE", "node", OUTPUT_TEXT, true, 0},
	                                              {"MS", "response_time_ms", OUTPUT_TEXT, true, 0},
	                                              {"DETAILS", "details", OUTPUT_TEXT, true, 0},
	                                              {0}};
	static const struct resource records = {
	    "the record", "the health records", "/health/records", "/health/records", "id", columns, columns};
	static const struct payload_field filters[] = {
	    {"component", OPTION_COMPONENT, PAYLOAD_TEXT, false, 0, 0},
	    {"status", OPTION_STATUS, PAYLOAD_TEXT, false, 0, 0},
	    {"agent_id", OPTION_AGENT_ID, PAYLOAD_TEXT, false, 0, 0},
	    {"from", OPTION_SINCE, PAYLOAD_TEXT, false, 0, 0},
	    {"to", OPTION_UNTIL, PAYLOAD_TEXT, false, 0, 0},
	    {0},
	};

	return resource_list(ctl, &records, filters);
}

static enum ctl_exit
list_recoveries(struct ctl *ctl)
{
	static const struct output_field columns[] = {
	    {"BEGAN", "began_at", OUTPUT_TIME, false, 0},   {"COMPONENT", "component", OUTPUT_TEXT, false, 0},
	    {"SUBJECT", "subject", OUTPUT_TEXT, false, 32}, {"ACTION", "action", OUTPUT_TEXT, false, 0},
	    {"ATTEMPT", "attempt", OUTPUT_TEXT, false, 0},  {"OUTCOME", "outcome", OUTPUT_STATUS, false, 0},
	    {"TOOK", "duration_ms", OUTPUT_MS, false, 0},   {"ERROR", "error", OUTPUT_TEXT, false, 70},
	    {"NODE", "node", OUTPUT_TEXT, true, 0},         {0}};
	static const struct resource recoveries = {"the recovery", "the recoveries", "/recoveries", "/recoveries",
	                                           "id",           columns,          columns};
	static const struct payload_field filters[] = {
	    {"component", OPTION_COMPONENT, PAYLOAD_TEXT, false, 0, 0},
	    {"outcome", OPTION_STATUS, PAYLOAD_TEXT, false, 0, 0},
	    {0},
	};

	return resource_list(ctl, &recoveries, filters);
}

/* --- doctor --- */

/* What to do about a component; the first whose name the component's begins with. */
static const char *
advice(const char *component)
{
	static const struct {
		const char *name, *advice;
	} rows[] = {
	    {"cpu", "agentctl top: who keeps it busy? Add workers on another node"},
	    {"memory", "give the container more, or lower AGENTD_MAX_CONNECTIONS"},
	    {"disk", "make room; writes are taken again by themselves"},
	    {"database", "look at PostgreSQL and its log; agentd connects again by itself"},
	    {"redis", "look at Redis; until then each node counts limits for itself"},
	    {"queue", "agentctl task list --status pending, agentctl task explain ID"},
	    {"clock", "start NTP on that node"},
	    {"certificate", "put a new one where AGENTD_TLS_CERT_FILE says; it is loaded by itself"},
	    {"agents", "agentctl agent list; agentctl health records --component agent"},
	    {"worker", "agentctl status; its log says what it was doing"},
	    {"pool", "agentctl health recoveries: it is made anew by itself"},
	};

	for (size_t i = 0; i < ARRAY_LENGTH(rows); i++)
		if (strncmp(component, rows[i].name, strlen(rows[i].name)) == 0)
			return rows[i].advice;
	return "";
}

static void
add(json_t *findings, const char *name, const char *status, const char *message, const char *next)
{
	json_array_append_new(
	    findings, json_pack("{s:s, s:s, s:s, s:s}", "check", name, "status", status, "message", message, "next", next));
}

/* One exchange; what it says is added. The answer, or NULL: it did not succeed. */
static json_t *
look(const struct ctl *ctl, json_t *findings, const char *name, const char *path, const char *next)
{
	struct http_call *call = http_call_new(ctl, "GET", path, NULL, 0);
	json_t *answer = NULL;
	char *why;

	http_call_perform(call);
	why = http_call_why(call);
	if (http_call_ok(call) && call->json)
		answer = json_incref(call->json);
	else
		add(findings, name, "critical", why, next);
	free(why);
	http_call_free(call);
	return answer;
}

static void
look_at_server(const struct ctl *ctl, json_t *findings)
{
	json_t *ready = look(ctl, findings, "ready", "/readyz", "look at the log of the server"), *missing, *me;
	size_t i;
	char text[120];

	if (ready)
		add(findings, "ready", "healthy", "the server is there and takes requests", "");
	json_array_foreach(json_object_get(ready, "missing"), i, missing)
	{
		snprintf(text, sizeof(text), "the server goes on without %.60s", json_string_value(missing));
		add(findings, json_string_value(missing), "warning", text, "see below, or ask who runs it");
	}
	json_decref(ready);
	me = look(ctl, findings, "identity", "/auth/me", "agentctl login");
	if (me) {
		snprintf(text, sizeof(text), "you are %.40s with the role %.20s", output_string(me, "name", "?"),
		         output_string(me, "role", "?"));
		add(findings, "identity", "healthy", text, "");
	}
	json_decref(me);
}

static void
look_at_components(const struct ctl *ctl, json_t *findings)
{
	json_t *answer = look(ctl, findings, "health", "/health/report", "use a key or a user with health:read"),
	       *component;
	size_t i;

	json_array_foreach(json_object_get(answer, "components"), i, component)
	{
		const char *name = output_string(component, "name", "?"),
		           *status = output_string(component, "status", "unknown");
		bool fine = strcmp(status, "healthy") == 0;

		add(findings, name, status, output_string(component, "message", ""), fine ? "" : advice(name));
	}
	json_decref(answer);
}

static void
look_at_recoveries(const struct ctl *ctl, json_t *findings)
{
	json_t *answer = look(ctl, findings, "recoveries", "/recoveries?outcome=given_up&limit=1", ""), *last;

	last = json_array_get(json_object_get(answer, "items"), 0);
	if (last)
		add(findings, output_string(last, "component", "?"), "warning", output_string(last, "error", ""),
		    "it did not heal by itself when tried: agentctl health recoveries");
	json_decref(answer);
}

static enum ctl_exit
doctor(struct ctl *ctl)
{
	static const struct output_field columns[] = {{"CHECK", "check", OUTPUT_TEXT, false, 0},
	                                              {"STATUS", "status", OUTPUT_STATUS, false, 0},
	                                              {"WHAT", "message", OUTPUT_TEXT, false, 80},
	                                              {"NEXT", "next", OUTPUT_TEXT, false, 0},
	                                              {0}};
	json_t *list = json_pack("{s:[]}", "items"), *findings = json_object_get(list, "items"), *finding;
	enum ctl_exit code = CTL_DONE;
	size_t i;

	look_at_server(ctl, findings);
	look_at_components(ctl, findings);
	look_at_recoveries(ctl, findings);
	output_list(ctl, list, columns, "check");
	json_array_foreach(findings, i, finding)
	{
		if (strcmp(output_string(finding, "status", ""), "critical") == 0)
			code = CTL_FAILED;
	}
	json_decref(list);
	return code;
}

const struct command health_commands[] = {
    {"health", NULL, "show how the server is: each component, the nodes", NULL, report,
     .more = "Ends with 1 when something that the server needs is critical."},
    {"health records", NULL, "list what was found when",
     OPTIONS(OPTION_COMPONENT, OPTION_STATUS, OPTION_AGENT_ID, OPTION_SINCE, OPTION_UNTIL, OPTION_LIMIT), list_records},
    {"health recoveries", NULL, "list what was done about it, and what came of that",
     OPTIONS(OPTION_COMPONENT, OPTION_STATUS, OPTION_LIMIT), list_recoveries,
     .more = "STATUS is the outcome: started, recovered, failed or given_up."},
    {0},
};

const struct command doctor_commands[] = {
    {"doctor", NULL, "look at everything from here, and say what to do", NULL, doctor,
     .more = "Ends with 1 when something is critical."},
    {0},
};
