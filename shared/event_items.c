/* event_items.c - see event_items.h. */
#include "event_items.h"

/* Where the value at the beginning of text ends: at a comma or a bracket of the array around it. */
static size_t
value_length(struct slice text)
{
	bool quoted = false;
	int depth = 0;

	for (size_t i = 0; i < text.len; i++) {
		char c = text.data[i];
		if (quoted) {
			i += c == '\\';
			quoted = c != '"';
		} else if (c == '"') {
			quoted = true;
		} else if (c == '{' || c == '[') {
			depth++;
		} else if (depth > 0 && (c == '}' || c == ']')) {
			depth--;
		} else if (depth == 0 && (c == ',' || c == ']')) {
			return i;
		}
	}
	return 0;
}

bool
event_items_next(struct slice *rest, struct slice *item_r)
{
	size_t length;

	/* The opening bracket, or the comma behind the element before. */
	if (rest->len == 0 || rest->data[0] == ']')
		return false;
	*rest = (struct slice){rest->data + 1, rest->len - 1};
	length = value_length(*rest);
	*item_r = (struct slice){rest->data, length};
	*rest = (struct slice){rest->data + length, rest->len - length};
	return length > 0;
}
