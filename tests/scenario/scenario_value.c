/* scenario_value.c - what a word stands for now: variables and their values; see scenario_text.h. */
#include "base.h"
#include "scenario_text.h"

static struct variable *
find_variable(const struct variables *variables, struct slice name)
{
	struct variable *at = variables->first;

	while (at && !slice_is(name, at->name))
		at = at->next;
	return at;
}

void
variables_set(struct variables *variables, const char *name, struct slice value)
{
	struct variable *variable = find_variable(variables, slice_of(name));

	if (!variable) {
		variable = arena_zero(variables->arena, sizeof(*variable));
		variable->name = arena_string(variables->arena, slice_of(name));
		variable->next = variables->first;
		variables->first = variable;
	}
	variable->value = (struct slice){arena_string(variables->arena, value), value.len};
}

static void
add_escaped(struct buf *out, struct slice value)
{
	for (size_t i = 0; i < value.len; i++) {
		unsigned char c = (unsigned char)value.data[i];

		if (c == '"' || c == '\\')
			buf_printf(out, "\\%c", c);
		else if (c < 0x20)
			buf_printf(out, "\\u%04x", c);
		else
			buf_add_byte(out, (char)c);
	}
}

static bool
add_variable(const struct text_part *part, const struct variables *variables, struct buf *out, struct failure *failure)
{
	struct variable *variable = variables ? find_variable(variables, part->source) : NULL;

	if (!variables)
		buf_add_byte(out, 'X');
	else if (!variable)
		return failure_set(failure, 0,
		                   "$%.*s is not set: capture it above with `let %.*s = ...`, or write \\$ for a dollar",
		                   SLICE_ARG(part->source), SLICE_ARG(part->source));
	else if (part->kind == TEXT_VARIABLE_IN_JSON_STRING)
		add_escaped(out, variable->value);
	else
		buf_add_slice(out, variable->value);
	return true;
}

bool
text_value(const struct text *text, const struct variables *variables, struct arena *arena, struct slice *value_r,
           struct failure *failure)
{
	struct buf out = {0};
	struct slice inner;
	bool fine = true;

	for (const struct text_part *part = text->parts; part && fine; part = part->next) {
		if (part->kind == TEXT_LITERAL) {
			buf_add_slice(&out, part->source);
		} else if (part->kind == TEXT_REPEAT) {
			fine = text_value(part->inner, variables, arena, &inner, failure);
			for (size_t i = 0; fine && i < part->count; i++)
				buf_add_slice(&out, inner);
		} else {
			fine = add_variable(part, variables, &out, failure);
		}
	}
	*value_r = (struct slice){fine ? arena_string(arena, buf_slice(&out)) : NULL, out.len};
	buf_free(&out);
	return fine;
}
