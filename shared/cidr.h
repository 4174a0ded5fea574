/*
 * cidr.h - address ranges: "10.0.0.0/8", "2001:db8::/32", or one address. Pure.
 *
 * All addresses are held as IPv6; an IPv4 address is its v4-mapped form (RFC 4291 2.5.5.2), so "10.0.0.1" and
 * "::ffff:10.0.0.1" are the same, whichever way a socket, a header or a setting spells it.
 */
#ifndef AGENTD_CIDR_H
#define AGENTD_CIDR_H

#include "base.h"

struct sockaddr;

enum { CIDR_TEXT_SIZE = 52 };

struct cidr {
	uint8_t bytes[16];
	int bits; /* of the 128 that count; the others are zero */
};

/*
 * An address, or an address and the number of bits that count. Strict: no blanks, no leading zeros, no zone, no bits
 * set outside the prefix ("10.0.0.1/8" is refused: it may be a typing error). False: *cidr_r is as it was.
 */
MUST_CHECK bool cidr_parse(struct slice text, struct cidr *cidr_r);
/* The same without a prefix: exactly one address. */
MUST_CHECK bool cidr_parse_address(struct slice text, struct cidr *cidr_r);
/* The address of a socket; False if it is of another family than IPv4 and IPv6. */
MUST_CHECK bool cidr_of(const struct sockaddr *from, struct cidr *cidr_r);
/* True if all of inner lies in range. */
bool cidr_covers(const struct cidr *range, const struct cidr *inner);
/* True if the address lies in range. */
bool cidr_match(const struct cidr *range, const struct sockaddr *address);
/* The text of an address or range in its usual form: IPv4 without "::ffff:", a prefix only if it is not one address. */
void cidr_write(const struct cidr *cidr, char text_r[CIDR_TEXT_SIZE]);

/* A comma-separated list; blanks around members and empty members are fine. */
struct cidr_list {
	struct cidr *ranges;
	int count;
};

/* False: *bad_r is the member that is not a range, and nothing needs to be freed. */
MUST_CHECK bool cidr_list_parse(struct slice text, struct cidr_list *list_r, struct slice *bad_r);
void cidr_list_free(struct cidr_list *list);
bool cidr_list_covers(const struct cidr_list *list, const struct cidr *address);

#endif
