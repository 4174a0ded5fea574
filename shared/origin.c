/* origin.c - see origin.h. */
#include "origin.h"

#define LETTERS "abcdefghijklmnopqrstuvwxyz"

static size_t
span(struct slice text, const char *set)
{
	size_t length = 0;

	while (length < text.len && text.data[length] && strchr(set, text.data[length]))
		length++;
	return length;
}

static struct slice
after(struct slice text, size_t length)
{
	return (struct slice){text.data + length, text.len - length};
}

/* Decimal, 1 to 65535. */
static bool
is_port(struct slice text)
{
	unsigned port = 0;

	if (text.len == 0 || text.len > 5 || text.data[0] == '0' || span(text, "0123456789") != text.len)
		return false;
	for (size_t i = 0; i < text.len; i++)
		port = port * 10 + (unsigned)(text.data[i] - '0');
	return port <= 65535;
}

bool
origin_is_valid(struct slice text)
{
	size_t scheme = span(text, LETTERS "0123456789+.-"), host;
	struct slice rest;
	bool bracket;

	if (text.len > ORIGIN_MAX || span(text, LETTERS) == 0 || text.len < scheme + 4 ||
	    memcmp(text.data + scheme, "://", 3) != 0)
		return false;
	rest = after(text, scheme + 3);
	bracket = rest.data[0] == '[';
	rest = after(rest, bracket);
	host = span(rest, bracket ? "0123456789abcdef:." : LETTERS "0123456789.-_");
	rest = after(rest, host);
	if (host == 0 || (bracket && (rest.len == 0 || rest.data[0] != ']')))
		return false;
	rest = after(rest, bracket);
	if (rest.len == 0)
		return true;
	/* A browser leaves the usual port out. */
	if (rest.data[0] != ':' || !is_port(after(rest, 1)))
		return false;
	return !(slice_is(rest, ":80") && scheme == 4 && memcmp(text.data, "http", 4) == 0) &&
	       !(slice_is(rest, ":443") && scheme == 5 && memcmp(text.data, "https", 5) == 0);
}
