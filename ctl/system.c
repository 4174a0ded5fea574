/* system.c - whoami and status. */
#include "base.h"

#include "command.h"
#include "http.h"
#include "json_print.h"
#include "output.h"
#include "text.h"

enum ctl_exit
system_whoami(struct ctl *ctl)
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

/* "pending 3, processing 1": objects and arrays as deep as they go, for people. */
static void
print_plain(FILE *out, const json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;
	bool first = true;

	if (json_is_object(value)) {
		json_object_foreach((json_t *)(uintptr_t)value, key, member)
		{
			fprintf(out, "%s%s ", first ? "" : ", ", key);
			print_plain(out, member);
			first = false;
		}
	} else if (json_is_array(value)) {
		json_array_foreach(value, i, member)
		{
			fputs(i ? "\n" : "", out);
			print_plain(out, member);
		}
	} else if (json_is_string(value)) {
		fputs(json_string_value(value), out);
	} else {
		json_print_line(out, value);
	}
}

static void
print_section(const char *name, const json_t *value)
{
	char *text = NULL, *safe, *line, *rest;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	INVARIANT(out);
	print_plain(out, value);
	fclose(out);
	safe = text_escape_lines(text, len);
	rest = safe;
	for (bool first = true; (line = strsep(&rest, "\n")); first = false) {
		char *label = text_escape(first ? name : "", first ? strlen(name) : 0);

		text_write_fitted(stdout, label, MAX(14, text_width(label) + 2));
		puts(line);
		free(label);
	}
	free(safe);
	free(text);
}

enum ctl_exit
system_status(struct ctl *ctl)
{
	json_t *status = NULL, *section;
	const char *name;
	enum ctl_exit code = http_request(ctl, "GET", "/system/status", NULL, "cannot get the status.", &status);

	if (code == CTL_DONE && !output_json(ctl, status))
		json_object_foreach(status, name, section) print_section(name, section);
	json_decref(status);
	return code;
}
