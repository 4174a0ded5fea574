/* cidr.c - see cidr.h. What always holds: bits outside the prefix of a struct cidr are zero. */
#include "cidr.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

enum { ALL_BITS = 128, MAPPED_BITS = 96 };

static const uint8_t mapped_prefix[12] = {[10] = 0xFF, [11] = 0xFF};

static bool
is_mapped(const uint8_t bytes[16])
{
	return memcmp(bytes, mapped_prefix, sizeof(mapped_prefix)) == 0;
}

/* inet_pton() is as strict as this promises: four decimals without leading zeros, no zone. */
static bool
parse_bytes(struct slice text, uint8_t bytes_r[16], bool *mapped_r)
{
	char copy[INET6_ADDRSTRLEN];

	if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.data, '\0', text.len))
		return false;
	memcpy(copy, text.data, text.len);
	copy[text.len] = '\0';
	*mapped_r = !memchr(text.data, ':', text.len);
	if (!*mapped_r)
		return inet_pton(AF_INET6, copy, bytes_r) == 1;
	memcpy(bytes_r, mapped_prefix, sizeof(mapped_prefix));
	return inet_pton(AF_INET, copy, bytes_r + sizeof(mapped_prefix)) == 1;
}

static bool
parse_bits(struct slice text, int most, int *bits_r)
{
	int bits = 0;

	if (text.len == 0 || text.len > 3 || (text.len > 1 && text.data[0] == '0'))
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] < '0' || text.data[i] > '9')
			return false;
		bits = bits * 10 + (text.data[i] - '0');
	}
	*bits_r = bits;
	return bits <= most;
}

static uint8_t
mask_of(int bits, int byte)
{
	int counting = MIN(MAX(bits - byte * 8, 0), 8);

	return (uint8_t)(0xFF << (8 - counting));
}

static bool
is_clean(const struct cidr *cidr)
{
	for (int i = 0; i < 16; i++)
		if (cidr->bytes[i] & ~mask_of(cidr->bits, i))
			return false;
	return true;
}

bool
cidr_parse(struct slice text, struct cidr *cidr_r)
{
	const char *slash = text.len ? memchr(text.data, '/', text.len) : NULL;
	struct slice address = {text.data, slash ? (size_t)(slash - text.data) : text.len};
	struct cidr cidr = {.bits = ALL_BITS};
	bool mapped;

	if (!parse_bytes(address, cidr.bytes, &mapped))
		return false;
	if (slash) {
		struct slice bits = {slash + 1, text.len - address.len - 1};
		if (!parse_bits(bits, mapped ? ALL_BITS - MAPPED_BITS : ALL_BITS, &cidr.bits))
			return false;
		cidr.bits += mapped ? MAPPED_BITS : 0;
	}
	if (!is_clean(&cidr))
		return false;
	*cidr_r = cidr;
	return true;
}

bool
cidr_parse_address(struct slice text, struct cidr *cidr_r)
{
	return (text.len == 0 || !memchr(text.data, '/', text.len)) && cidr_parse(text, cidr_r);
}

bool
cidr_of(const struct sockaddr *from, struct cidr *cidr_r)
{
	cidr_r->bits = ALL_BITS;
	if (from->sa_family == AF_INET6) {
		memcpy(cidr_r->bytes, &((const struct sockaddr_in6 *)(const void *)from)->sin6_addr, 16);
		return true;
	}
	if (from->sa_family != AF_INET)
		return false;
	memcpy(cidr_r->bytes, mapped_prefix, sizeof(mapped_prefix));
	memcpy(cidr_r->bytes + sizeof(mapped_prefix), &((const struct sockaddr_in *)(const void *)from)->sin_addr, 4);
	return true;
}

bool
cidr_covers(const struct cidr *range, const struct cidr *inner)
{
	if (inner->bits < range->bits)
		return false;
	for (int i = 0; i < 16; i++)
		if ((inner->bytes[i] & mask_of(range->bits, i)) != range->bytes[i])
			return false;
	return true;
}

bool
cidr_match(const struct cidr *range, const struct sockaddr *address)
{
	struct cidr one;

	return cidr_of(address, &one) && cidr_covers(range, &one);
}

void
cidr_write(const struct cidr *cidr, char text_r[CIDR_TEXT_SIZE])
{
	bool mapped = is_mapped(cidr->bytes) && cidr->bits >= MAPPED_BITS;
	size_t length;

	if (mapped)
		INVARIANT(inet_ntop(AF_INET, cidr->bytes + sizeof(mapped_prefix), text_r, CIDR_TEXT_SIZE));
	else
		INVARIANT(inet_ntop(AF_INET6, cidr->bytes, text_r, CIDR_TEXT_SIZE));
	length = strlen(text_r);
	if (cidr->bits < ALL_BITS)
		snprintf(text_r + length, CIDR_TEXT_SIZE - length, "/%d", cidr->bits - (mapped ? MAPPED_BITS : 0));
}

static struct slice
take_member(struct slice *rest)
{
	const char *comma = rest->len ? memchr(rest->data, ',', rest->len) : NULL;
	struct slice member = {rest->data, comma ? (size_t)(comma - rest->data) : rest->len};
	size_t taken = member.len + (comma ? 1 : 0);

	*rest = (struct slice){rest->data + taken, rest->len - taken};
	while (member.len && (member.data[0] == ' ' || member.data[0] == '\t'))
		member = (struct slice){member.data + 1, member.len - 1};
	while (member.len && (member.data[member.len - 1] == ' ' || member.data[member.len - 1] == '\t'))
		member.len--;
	return member;
}

bool
cidr_list_parse(struct slice text, struct cidr_list *list_r, struct slice *bad_r)
{
	struct cidr_list list = {NULL, 0};

	while (text.len) {
		struct slice member = take_member(&text);
		if (member.len == 0)
			continue;
		list.ranges = mem_grow(list.ranges, (size_t)(list.count + 1) * sizeof(*list.ranges));
		if (!cidr_parse(member, &list.ranges[list.count])) {
			cidr_list_free(&list);
			*bad_r = member;
			return false;
		}
		list.count++;
	}
	*list_r = list;
	return true;
}

void
cidr_list_free(struct cidr_list *list)
{
	free(list->ranges);
	*list = (struct cidr_list){NULL, 0};
}

bool
cidr_list_covers(const struct cidr_list *list, const struct cidr *address)
{
	for (int i = 0; i < list->count; i++)
		if (cidr_covers(&list->ranges[i], address))
			return true;
	return false;
}
