/*
 * fuzz_address.c - what says who a client is: PROXY headers, X-Forwarded-For, addresses and ranges.
 *
 * The same bytes are taken for each of them. A PROXY header must be judged alike however it arrives, and never ask for
 * bytes behind itself; what is taken for an address must come back from its own text; no list makes a stranger trusted.
 */
#include "base.h"

#include "buf.h"
#include "cidr.h"
#include "forwarded.h"
#include "proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A block of exactly that size, so that a sanitizer sees a read past its end. */
static char *
exact(struct slice text)
{
	char *copy = mem_alloc(text.len + !text.len);

	if (text.len)
		memcpy(copy, text.data, text.len);
	return copy;
}

static enum proxy_outcome
parse_part(struct slice bytes, size_t len, struct proxy_header *header_r)
{
	char *copy = exact((struct slice){bytes.data, len});
	enum proxy_outcome outcome = proxy_parse((struct slice){copy, len}, header_r);

	INVARIANT(outcome != PROXY_MORE || (header_r->wanted > 0 && len + header_r->wanted <= PROXY_SIZE_MAX));
	INVARIANT(outcome != PROXY_BAD || header_r->problem);
	free(copy);
	return outcome;
}

/* As a connection reads it: what is asked for, or a byte at a time. Both end alike. */
static void
check_proxy(struct slice bytes)
{
	struct proxy_header quick, slow;
	enum proxy_outcome quickly, slowly;
	size_t have = 0, own;

	while ((quickly = parse_part(bytes, have, &quick)) == PROXY_MORE && have + quick.wanted <= bytes.len)
		have += quick.wanted;
	own = have;
	for (have = 0; (slowly = parse_part(bytes, have, &slow)) == PROXY_MORE && have < MIN(bytes.len, PROXY_SIZE_MAX);)
		have++;
	/* Slowly it may be refused sooner, never later. */
	INVARIANT(slowly == quickly || (quickly == PROXY_MORE && slowly == PROXY_BAD));
	if (quickly != PROXY_DONE)
		return;
	INVARIANT(have == own && quick.has_source == slow.has_source);
	INVARIANT(!quick.has_source || memcmp(&quick.source, &slow.source, sizeof(quick.source)) == 0);
}

static void
check_range(struct slice text)
{
	char *copy = exact(text), written[CIDR_TEXT_SIZE];
	struct cidr cidr, again;

	if (cidr_parse((struct slice){copy, text.len}, &cidr)) {
		INVARIANT(cidr.bits >= 0 && cidr.bits <= 128 && cidr_covers(&cidr, &cidr));
		cidr_write(&cidr, written);
		INVARIANT(cidr_parse(slice_of(written), &again) && memcmp(&again, &cidr, sizeof(cidr)) == 0);
		INVARIANT(cidr_parse_address(slice_of(written), &again) == (cidr.bits == 128));
	}
	free(copy);
}

static void
check_list(struct slice text)
{
	struct cidr stranger;
	struct cidr_list list;
	struct slice bad;
	bool one = false;

	if (!cidr_list_parse(text, &list, &bad)) {
		INVARIANT(bad.len && bad.data >= text.data && bad.data + bad.len <= text.data + text.len);
		return;
	}
	INVARIANT(cidr_parse(SLICE("203.0.113.7"), &stranger));
	for (int i = 0; i < list.count; i++)
		one = one || cidr_covers(&list.ranges[i], &stranger);
	INVARIANT(cidr_list_covers(&list, &stranger) == one);
	cidr_list_free(&list);
}

/* The bytes as a request of a proxy: who it says the client is was said by the proxy, or is the proxy. */
static void
check_forwarded(struct slice value)
{
	static struct cidr_list trusted;
	struct buf head = {0};
	struct http_parser parser;
	struct cidr proxy, stranger, client;
	struct slice bad;

	if (!trusted.count)
		INVARIANT(cidr_list_parse(SLICE("10.0.0.0/8"), &trusted, &bad));
	INVARIANT(cidr_parse(SLICE("10.0.0.1"), &proxy) && cidr_parse(SLICE("192.0.2.1"), &stranger));
	buf_add_slice(&head, SLICE("GET / HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: "));
	buf_add_slice(&head, value);
	buf_add_slice(&head, SLICE("\r\nX-Forwarded-For: 198.51.100.9, 10.2.2.2\r\n\r\n"));
	http_parse_init(&parser, 0);
	/* Unless the bytes have ended the head themselves. */
	if (http_parse(&parser, head.data, head.len) == HTTP_HEADERS_DONE && parser.head_len == head.len) {
		char text[CIDR_TEXT_SIZE];

		client = forwarded_for(&trusted, &stranger, &parser, head.data);
		INVARIANT(memcmp(&client, &stranger, sizeof(client)) == 0);
		INVARIANT(!forwarded_secure(&trusted, &stranger, &parser, head.data));
		client = forwarded_for(&trusted, &proxy, &parser, head.data);
		cidr_write(&client, text);
		/* Whatever stands left of it, or in headers that the bytes have added before it. */
		INVARIANT(strcmp(text, "198.51.100.9") == 0);
	}
	buf_free(&head);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct slice bytes = {size ? (const char *)data : "", size};

	check_proxy(bytes);
	check_range(bytes);
	check_list(bytes);
	check_forwarded(bytes);
	return 0;
}
