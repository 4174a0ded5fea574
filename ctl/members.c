/* members.c - an object whose members are not known beforehand, for people. */
#include "base.h"

#include "json_print.h"
#include "members.h"
#include "output.h"
#include "text.h"

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
	} else if (json_is_null(value)) {
		fputc('-', out);
	} else if (json_is_string(value)) {
		fputs(json_string_value(value), out);
	} else {
		json_print_line(out, value);
	}
}

static void
print_section(const char *name, const json_t *value, int width)
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

		text_write_fitted(stdout, label, width);
		puts(line);
		free(label);
	}
	free(safe);
	free(text);
}

void
members_show(const struct ctl *ctl, json_t *object)
{
	json_t *section;
	const char *name;
	int width = 14;

	if (output_json(ctl, object))
		return;
	json_object_foreach(object, name, section) width = MAX(width, (int)strlen(name) + 2);
	json_object_foreach(object, name, section) print_section(name, section, width);
}
