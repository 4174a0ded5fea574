/* json_print.c - the JSON writer of agentctl; recursion is bounded by jansson's parser (2048 levels). */
#include "base.h"

#include "json_print.h"
#include "text.h"

static void
print_escaped(FILE *out, uint32_t character)
{
	static const char letters[] = "b\bf\fn\nr\rt\t\"\"\\\\";

	for (const char *letter = letters; *letter; letter += 2)
		if (character == (uint8_t)letter[1]) {
			fprintf(out, "\\%c", letter[0]);
			return;
		}
	fprintf(out, "\\u%04x", (unsigned)character);
}

void
json_print_string(FILE *out, const char *text, size_t len)
{
	fputc('"', out);
	for (size_t at = 0, step; at < len; at += step) {
		uint32_t character = 0xfffd;

		step = text_decode(text + at, len - at, &character);
		if (step == 0) {
			fputs("\xef\xbf\xbd", out);
			step = 1;
		} else if (text_is_unsafe(character) || character == '"' || character == '\\') {
			print_escaped(out, character);
		} else {
			fwrite(text + at, 1, step, out);
		}
	}
	fputc('"', out);
}

static void
print_real(FILE *out, double value)
{
	char text[40];

	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	fprintf(out, "%s%s", text, strpbrk(text, ".e") ? "" : ".0");
}

static void print_value(FILE *out, const json_t *value, int depth);

/* depth < 0: everything on one line. */
static void
print_break(FILE *out, int depth)
{
	if (depth >= 0)
		fprintf(out, "\n%*s", depth * 2, "");
}

static void
print_array(FILE *out, const json_t *value, int depth)
{
	int inner = depth < 0 ? depth : depth + 1;
	size_t count = json_array_size(value);

	fputc('[', out);
	for (size_t i = 0; i < count; i++) {
		if (i)
			fputc(',', out);
		print_break(out, inner);
		print_value(out, json_array_get(value, i), inner);
	}
	if (count)
		print_break(out, depth);
	fputc(']', out);
}

static void
print_object(FILE *out, const json_t *value, int depth)
{
	int inner = depth < 0 ? depth : depth + 1;
	bool first = true;
	const char *key;
	json_t *member;

	fputc('{', out);
	json_object_foreach((json_t *)(uintptr_t)value, key, member)
	{
		if (!first)
			fputc(',', out);
		first = false;
		print_break(out, inner);
		json_print_string(out, key, strlen(key));
		fputs(depth < 0 ? ":" : ": ", out);
		print_value(out, member, inner);
	}
	if (!first)
		print_break(out, depth);
	fputc('}', out);
}

static void
print_value(FILE *out, const json_t *value, int depth)
{
	switch (value ? json_typeof(value) : JSON_NULL) {
	case JSON_OBJECT:
		print_object(out, value, depth);
		break;
	case JSON_ARRAY:
		print_array(out, value, depth);
		break;
	case JSON_STRING:
		json_print_string(out, json_string_value(value), json_string_length(value));
		break;
	case JSON_INTEGER:
		fprintf(out, "%" JSON_INTEGER_FORMAT, json_integer_value(value));
		break;
	case JSON_REAL:
		print_real(out, json_real_value(value));
		break;
	case JSON_TRUE:
		fputs("true", out);
		break;
	case JSON_FALSE:
		fputs("false", out);
		break;
	case JSON_NULL:
		fputs("null", out);
		break;
	}
}

void
json_print_pretty(FILE *out, const json_t *value)
{
	print_value(out, value, 0);
}

void
json_print_line(FILE *out, const json_t *value)
{
	print_value(out, value, -1);
}

char *
json_print_text(const json_t *value)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out = open_memstream(&text, &len);

	INVARIANT(out);
	json_print_line(out, value);
	fclose(out);
	INVARIANT(text);
	return text;
}
