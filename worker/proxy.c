/* proxy.c - see proxy.h. */
#include "proxy.h"

#include <netinet/in.h>
#include <sys/socket.h>

enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21 };
enum { UNSPEC = 0x00, TCP_OVER_IPV4 = 0x11, TCP_OVER_IPV6 = 0x21 };
enum { IPV4_SIZE = 12, IPV6_SIZE = 36, TLV_HEAD = 3, TLV_CRC32C = 0x03, CRC_SIZE = 4 };

static const char signature[12] = "\r\n\r\n\0\r\nQUIT\n";

static size_t
number_at(const uint8_t *at)
{
	return (size_t)at[0] << 8 | at[1];
}

static enum proxy_outcome
refuse(struct proxy_header *header, const char *problem)
{
	header->problem = problem;
	return PROXY_BAD;
}

static enum proxy_outcome
ask_for(struct proxy_header *header, size_t wanted)
{
	header->wanted = wanted;
	return PROXY_MORE;
}

/* CRC-32C (RFC 3720 B.4) with the four bytes at `hole` taken as zeros: there the sum itself stands. */
static uint32_t
checksum(const uint8_t *bytes, size_t len, size_t hole)
{
	uint32_t sum = UINT32_MAX;

	for (size_t i = 0; i < len; i++) {
		sum ^= i >= hole && i < hole + CRC_SIZE ? 0 : bytes[i];
		for (int bit = 0; bit < 8; bit++)
			sum = sum >> 1 ^ (sum & 1 ? 0x82F63B78 : 0);
	}
	return ~sum;
}

static const char *
check_additions(const uint8_t *bytes, size_t at, size_t len)
{
	bool summed = false;

	while (at < len) {
		size_t size = len - at >= TLV_HEAD ? number_at(bytes + at + 1) : SIZE_MAX;
		uint32_t sum;

		if (size > len - at - MIN(TLV_HEAD, len - at))
			return "an addition does not fit into the header";
		if (bytes[at] == TLV_CRC32C) {
			if (size != CRC_SIZE || summed)
				return "a checksum is one of 4 bytes";
			summed = true;
			sum = (uint32_t)number_at(bytes + at + TLV_HEAD) << 16 | (uint32_t)number_at(bytes + at + TLV_HEAD + 2);
			if (sum != checksum(bytes, len, at + TLV_HEAD))
				return "the checksum is wrong";
		}
		at += TLV_HEAD + size;
	}
	return NULL;
}

static void
take_source(const uint8_t *at, int family, struct cidr *source_r)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	memcpy(&v4.sin_addr, at, sizeof(v4.sin_addr));
	if (family == TCP_OVER_IPV6)
		memcpy(&v6.sin6_addr, at, sizeof(v6.sin6_addr));
	INVARIANT(cidr_of(family == TCP_OVER_IPV4 ? (struct sockaddr *)&v4 : (struct sockaddr *)&v6, source_r));
}

static enum proxy_outcome
check_whole(const uint8_t *bytes, size_t len, struct proxy_header *header_r)
{
	int family = bytes[13];
	size_t addresses = family == TCP_OVER_IPV4 ? IPV4_SIZE : family == TCP_OVER_IPV6 ? IPV6_SIZE : 0;

	/* Of a connection of its own the proxy may say anything; it means nothing. */
	if (bytes[12] == COMMAND_LOCAL)
		return PROXY_DONE;
	if (!addresses && family != UNSPEC)
		return refuse(header_r, "only TCP over IPv4 or IPv6 is understood");
	if (len - PROXY_HEAD_SIZE < addresses)
		return refuse(header_r, "the addresses do not fit into the header");
	/* What stands behind UNSPEC has no form that could be checked. */
	header_r->problem = family == UNSPEC ? NULL : check_additions(bytes, PROXY_HEAD_SIZE + addresses, len);
	if (header_r->problem)
		return PROXY_BAD;
	header_r->has_source = addresses > 0;
	if (addresses)
		take_source(bytes + PROXY_HEAD_SIZE, family, &header_r->source);
	return PROXY_DONE;
}

enum proxy_outcome
proxy_parse(struct slice bytes, struct proxy_header *header_r)
{
	const uint8_t *data = (const uint8_t *)bytes.data;
	size_t size;

	*header_r = (struct proxy_header){.wanted = 0};
	if (bytes.len && memcmp(data, signature, MIN(bytes.len, sizeof(signature))) != 0)
		return refuse(header_r, *data == 'P' ? "this may be version 1; only version 2 is understood"
		                                     : "the connection does not begin with the header");
	if (bytes.len > 12 && data[12] != COMMAND_LOCAL && data[12] != COMMAND_PROXY)
		return refuse(header_r, "the version or the command is unknown");
	if (bytes.len < PROXY_HEAD_SIZE)
		return ask_for(header_r, PROXY_HEAD_SIZE - bytes.len);
	size = PROXY_HEAD_SIZE + number_at(data + 14);
	if (size > PROXY_SIZE_MAX)
		return refuse(header_r, "the header is longer than 2048 bytes");
	if (bytes.len < size)
		return ask_for(header_r, size - bytes.len);
	return check_whole(data, size, header_r);
}
