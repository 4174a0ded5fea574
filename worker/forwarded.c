/* forwarded.c - see forwarded.h. */
#include "forwarded.h"
#include "http_target.h"

#include <strings.h>

/* What stands behind the last comma; the rest of the list loses it. */
static struct slice
take_last(struct slice *list)
{
	const char *comma = list->len ? memrchr(list->data, ',', list->len) : NULL;
	size_t start = comma ? (size_t)(comma - list->data) + 1 : 0;
	struct slice member = {list->data + start, list->len - start};

	list->len = comma ? start - 1 : 0;
	while (member.len && (member.data[0] == ' ' || member.data[0] == '\t'))
		member = (struct slice){member.data + 1, member.len - 1};
	while (member.len && (member.data[member.len - 1] == ' ' || member.data[member.len - 1] == '\t'))
		member.len--;
	return member;
}

static bool
is_port(struct slice text)
{
	unsigned port = 0;

	if (text.len == 0 || text.len > 5)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		port = port * 10 + (unsigned)(text.data[i] - '0');
	}
	return port <= 65535;
}

static struct slice
behind(struct slice text, const char *at)
{
	return (struct slice){at, (size_t)(text.data + text.len - at)};
}

static bool
parse_member(struct slice member, struct cidr *address_r)
{
	const char *colon = member.len ? memchr(member.data, ':', member.len) : NULL;
	const char *close;

	if (member.len && member.data[0] == '[') {
		struct slice inside, rest;
		close = memchr(member.data, ']', member.len);
		if (!close || !colon || colon > close)
			return false;
		inside = (struct slice){member.data + 1, (size_t)(close - member.data) - 1};
		rest = behind(member, close + 1);
		if (rest.len && (rest.data[0] != ':' || !is_port(behind(rest, rest.data + 1))))
			return false;
		return cidr_parse_address(inside, address_r);
	}
	/* One colon is a port; more are an IPv6 address. */
	if (colon && !memchr(colon + 1, ':', behind(member, colon + 1).len)) {
		if (!is_port(behind(member, colon + 1)))
			return false;
		member.len = (size_t)(colon - member.data);
	}
	return cidr_parse_address(member, address_r);
}

static bool
is_named(const struct http_parser *parser, const char *data, int header, const char *lower_name)
{
	return http_text_is(http_span_slice(data, parser->headers[header].name), slice_of(lower_name));
}

struct cidr
forwarded_for(const struct cidr_list *trusted, const struct cidr *peer, const struct http_parser *parser,
              const char *data)
{
	struct cidr believed = *peer;
	int hops = 0;

	for (int i = parser->header_count; i-- > 0;) {
		struct slice list;
		if (!is_named(parser, data, i, "x-forwarded-for"))
			continue;
		list = http_span_slice(data, parser->headers[i].value);
		do {
			if (!cidr_list_covers(trusted, &believed) || hops++ == FORWARDED_HOPS_MAX ||
			    !parse_member(take_last(&list), &believed))
				return believed;
		} while (list.len);
	}
	return believed;
}

bool
forwarded_secure(const struct cidr_list *trusted, const struct cidr *peer, const struct http_parser *parser,
                 const char *data)
{
	if (!cidr_list_covers(trusted, peer))
		return false;
	for (int i = parser->header_count; i-- > 0;)
		if (is_named(parser, data, i, "x-forwarded-proto")) {
			struct slice list = http_span_slice(data, parser->headers[i].value);
			return http_text_is(take_last(&list), SLICE("https"));
		}
	return false;
}
