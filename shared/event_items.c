/* event_items.c - see event_items.h. What is cut wrongly ends what it is in: nothing is read beyond the row. */
#include "event_items.h"

/* The place of the quote that ends the string whose first quote is at the place from; len: it does not end. */
static size_t
string_end(struct slice text, size_t from)
{
	size_t at = from + 1, backslashes;
	const char *quote;

	for (; (quote = memchr(text.data + at, '"', text.len - at)); at++) {
		at = (size_t)(quote - text.data);
		for (backslashes = 0; text.data[at - 1 - backslashes] == '\\'; backslashes++)
			;
		if (backslashes % 2 == 0)
			return at;
	}
	return text.len;
}

/* Where the value at the beginning of text ends: at a comma or a bracket of what is around it. */
static size_t
value_length(struct slice text)
{
	int depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		switch (text.data[i]) {
		case '"':
			i = string_end(text, i);
			break;
		case '{':
		case '[':
			depth++;
			break;
		case '}':
		case ']':
			if (depth-- == 0)
				return i;
			break;
		case ',':
			if (depth == 0)
				return i;
			break;
		default:
			break;
		}
	}
	return 0;
}

static struct slice
behind(struct slice text, size_t count)
{
	return (struct slice){text.data + count, text.len - count};
}

bool
event_items_take(struct slice *rest, struct slice *item_r)
{
	size_t length;

	/* The opening bracket, or the comma behind the element before. */
	if (rest->len == 0 || rest->data[0] == ']')
		return false;
	*rest = behind(*rest, 1);
	length = value_length(*rest);
	*item_r = (struct slice){rest->data, length};
	*rest = behind(*rest, length);
	return length > 0;
}

/* Takes a member with this head, '{"kind":' for example, off the text. */
static bool
take_member(struct slice *text, const char *head, struct slice *value_r)
{
	size_t head_length = strlen(head), length;

	if (text->len < head_length || memcmp(text->data, head, head_length) != 0)
		return false;
	*text = behind(*text, head_length);
	length = value_length(*text);
	*value_r = (struct slice){text->data, length};
	*text = behind(*text, length);
	return length > 0;
}

/* Takes a name in quotes off the text. */
static bool
take_name(struct slice *text, struct slice *name_r)
{
	const char *end = text->len > 1 && text->data[0] == '"' ? memchr(text->data + 1, '"', text->len - 1) : NULL;

	if (!end)
		return false;
	*name_r = (struct slice){text->data + 1, (size_t)(end - text->data) - 1};
	*text = behind(*text, name_r->len + 2);
	return true;
}

/* The members of {"name":[...],...}. */
static bool
read_columns(struct slice object, struct event_group *group)
{
	struct slice rest = behind(object, 1), name;

	while (rest.len > 0 && rest.data[0] != '}') {
		struct event_column *column = &group->column[group->columns];

		rest = behind(rest, rest.data[0] == ',');
		if (group->columns == EVENT_COLUMNS_MAX || !take_name(&rest, &name) ||
		    !take_member(&rest, ":", &column->values) || column->values.data[0] != '[')
			return false;
		column->name = name;
		group->columns++;
	}
	return rest.len > 0;
}

bool
event_group_begin(struct slice item, struct event_group *group_r)
{
	struct slice each;

	group_r->columns = 0;
	group_r->subject = SLICE_NONE;
	if (!take_member(&item, "{\"kind\":", &group_r->kind) || !take_member(&item, ",\"subject\":", &group_r->subjects) ||
	    group_r->subjects.data[0] != '[' || !take_member(&item, ",\"data\":", &group_r->data) ||
	    group_r->data.data[0] != '{' || !take_member(&item, ",\"each\":", &each) || each.data[0] != '{')
		return false;
	group_r->data = (struct slice){group_r->data.data + 1, group_r->data.len - 2};
	return read_columns(each, group_r);
}

bool
event_group_next(struct event_group *group)
{
	if (!event_items_take(&group->subjects, &group->subject))
		return false;
	for (int i = 0; i < group->columns; i++)
		if (!event_items_take(&group->column[i].values, &group->column[i].value))
			return false;
	return true;
}

struct slice
event_group_value(const struct event_group *group, const char *name)
{
	for (int i = 0; i < group->columns; i++)
		if (slice_is(group->column[i].name, name))
			return group->column[i].value;
	return SLICE_NONE;
}

void
event_group_write(const struct event_group *group, struct buf *out)
{
	bool first = group->data.len == 0;

	out->len = 0;
	buf_add_slice(out, SLICE("{\"kind\":"));
	buf_add_slice(out, group->kind);
	buf_add_slice(out, SLICE(",\"subject\":"));
	buf_add_slice(out, group->subject.data ? group->subject : SLICE("null"));
	buf_add_slice(out, SLICE(",\"data\":{"));
	buf_add_slice(out, group->data);
	for (int i = 0; group->subject.data && i < group->columns; i++, first = false) {
		buf_add_slice(out, first ? SLICE("\"") : SLICE(",\""));
		buf_add_slice(out, group->column[i].name);
		buf_add_slice(out, SLICE("\":"));
		buf_add_slice(out, group->column[i].value);
	}
	buf_add_slice(out, SLICE("}}"));
}

void
event_items_begin(struct event_items *items, struct slice row)
{
	*items = (struct event_items){.rest = row};
}

bool
event_items_next(struct event_items *items, struct slice *event_r)
{
	while (!event_group_next(&items->group)) {
		items->group.subjects = SLICE_NONE;
		if (!event_items_take(&items->rest, event_r))
			return false;
		if (!event_group_begin(*event_r, &items->group)) {
			items->group.subjects = SLICE_NONE;
			return true;
		}
	}
	event_group_write(&items->group, &items->text);
	*event_r = buf_slice(&items->text);
	return true;
}

void
event_items_end(struct event_items *items)
{
	buf_free(&items->text);
}
