/* audit.c - agentctl audit: who changed what, whether the record of it is whole, and the record itself to be kept
 * elsewhere. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "resource.h"

static const struct output_field columns[] = {
    {"AT", "at", OUTPUT_TIME, false, 0},
    {"ACTOR", "actor", OUTPUT_TEXT, false, 24},
    {"ACTION", "action", OUTPUT_TEXT, false, 0},
    {"KIND", "subject_type", OUTPUT_TEXT, true, 0},
    {"SUBJECT", "subject_id", OUTPUT_TEXT, false, 40},
    {"ADDRESS", "address", OUTPUT_TEXT, false, 0},
    {"BEFORE", "before", OUTPUT_TEXT, true, 0},
    {"AFTER", "after", OUTPUT_TEXT, true, 0},
    {"DETAILS", "details", OUTPUT_TEXT, true, 0},
    {"ACTOR ID", "actor_id", OUTPUT_TEXT, true, 0},
    {"REQUEST", "request_id", OUTPUT_TEXT, true, 0},
    {"N", "n", OUTPUT_TEXT, true, 0},
    {0},
};

static const struct resource resource = {"the audit log", "the audit log", "/audit", "/audit", "id", columns, columns};

static enum ctl_exit
list(struct ctl *ctl)
{
	static const struct payload_field filters[] = {
	    {"actor", OPTION_ACTOR, PAYLOAD_TEXT, false, 0, 0},     {"action", OPTION_ACTION, PAYLOAD_TEXT, false, 0, 0},
	    {"subject", OPTION_SUBJECT, PAYLOAD_TEXT, false, 0, 0}, {"from", OPTION_SINCE, PAYLOAD_TEXT, false, 0, 0},
	    {"to", OPTION_UNTIL, PAYLOAD_TEXT, false, 0, 0},        {0},
	};

	return resource_list(ctl, &resource, filters);
}

static void
add_up(json_t *total, const json_t *part, const char *name)
{
	json_object_set_new(total, name,
	                    json_integer(json_integer_value(json_object_get(total, name)) +
	                                 json_integer_value(json_object_get(part, name))));
}

/* Part by part; the verdict on all of it is the last part's, with the numbers of all. */
static enum ctl_exit
read_verdict(const struct ctl *ctl, json_t **verdict_r)
{
	static const char *const sums[] = {"rows", "checkpoints", "unknown_keys"};
	json_t *total = json_object(), *next = json_string("0");
	enum ctl_exit code = CTL_DONE;

	while (code == CTL_DONE && json_is_string(next)) {
		char *path = http_path("/audit/verify?limit=2000&cursor=%s", json_string_value(next));
		json_t *part = NULL;

		code = http_request(ctl, "GET", path, NULL, "cannot check the audit log.", &part);
		if (code == CTL_DONE) {
			for (size_t i = 0; i < ARRAY_LENGTH(sums); i++)
				add_up(total, part, sums[i]);
			json_object_set(total, "last", json_object_get(part, "last"));
			json_object_set(total, "valid", json_object_get(part, "valid"));
			json_object_set(total, "problem", json_object_get(part, "problem"));
			json_object_set(total, "head", json_object_get(part, "head"));
			json_decref(next);
			next = json_is_true(json_object_get(part, "valid")) ? json_incref(json_object_get(part, "next_cursor"))
			                                                    : json_null();
		}
		json_decref(part);
		free(path);
	}
	json_decref(next);
	*verdict_r = total;
	return code;
}

static enum ctl_exit
verify(struct ctl *ctl)
{
	static const struct output_field fields[] = {
	    {"VALID", "valid", OUTPUT_TEXT, false, 0},
	    {"ROWS", "rows", OUTPUT_TEXT, false, 0},
	    {"LAST ROW", "last", OUTPUT_TEXT, false, 0},
	    {"GOOD SIGNATURES", "checkpoints", OUTPUT_TEXT, false, 0},
	    {"UNKNOWN KEYS", "unknown_keys", OUTPUT_TEXT, false, 0},
	    {"HEAD", "head", OUTPUT_TEXT, true, 0},
	    {0},
	};
	json_t *verdict = NULL;
	enum ctl_exit code = read_verdict(ctl, &verdict);

	if (code == CTL_DONE)
		output_object(ctl, verdict, fields, "last");
	if (code == CTL_DONE && !json_is_true(json_object_get(verdict, "valid")))
		code = output_error(CTL_FAILED, "the audit log was touched.",
		                    output_string(json_object_get(verdict, "problem"), "detail", ""),
		                    "agentd audit verify, on the server, and compare with an export from before");
	json_decref(verdict);
	return code;
}

/* The end of the JSON value that begins at text: strings are skipped, brackets counted. Never past the NUL. */
static const char *
end_of_value(const char *text)
{
	int depth = 0;

	for (; *text; text++) {
		if (*text == '"')
			for (text++; *text && *text != '"'; text++)
				text += *text == '\\' && text[1];
		if (!*text)
			break;
		depth += (*text == '{' || *text == '[') - (*text == '}' || *text == ']');
		if (depth == 0 && (*text == '}' || *text == ']'))
			return text + 1;
	}
	return text;
}

/* Byte for byte as the server wrote them: the hashes are about exactly these. */
static void
print_items(const char *body)
{
	const char *at = strchr(body, '[');

	for (at = at ? at + 1 : body; *at == '{'; at += strspn(at, ", \r\n\t")) {
		const char *end = end_of_value(at);

		fwrite(at, 1, (size_t)(end - at), stdout);
		putchar('\n');
		at = end;
	}
}

static enum ctl_exit
export_all(struct ctl *ctl)
{
	enum ctl_exit code = CTL_DONE;
	json_t *next = json_string("0");

	while (json_is_string(next) && code == CTL_DONE) {
		char *path = http_path("/audit/export?limit=2000&cursor=%s", json_string_value(next));
		struct http_call *call = http_call_new(ctl, "GET", path, NULL, 0);

		http_call_perform(call);
		json_decref(next);
		next = json_incref(json_object_get(call->json, "next_cursor"));
		if (http_call_ok(call) && call->json)
			print_items(call->body);
		else
			code = http_call_report(ctl, call, "cannot export the audit log.");
		http_call_free(call);
		free(path);
	}
	json_decref(next);
	if (code == CTL_DONE && (fflush(stdout) != 0 || ferror(stdout)))
		code = output_error(CTL_FAILED, "cannot write the audit log.", "standard output does not take it", NULL);
	return code;
}

const struct command audit_commands[] = {
    {"audit list", NULL, "list who changed what, and what was refused",
     OPTIONS(OPTION_ACTOR, OPTION_ACTION, OPTION_SUBJECT, OPTION_SINCE, OPTION_UNTIL, OPTION_LIMIT), list,
     .more = "  agentctl audit list --action refused     what was refused\n"
             "  agentctl audit list --action key         all about keys, -o wide with before and after"},
    {"audit verify", NULL, "check on the server that no row was changed afterwards", NULL, verify},
    {"audit export", NULL, "write the log with its hashes, one JSON object a line", NULL, export_all,
     .more = "`agentd audit verify --file FILE` checks such a file without the server."},
    {0},
};
