/* address_rule.c - see address_rule.h. The ranges are those of RFC 6890 and of the registries that follow it. */
#include "address_rule.h"
#include "cidr.h"

static const char *const internal[] = {
    "0.0.0.0/8",       /* this network */
    "10.0.0.0/8",      /* private */
    "100.64.0.0/10",   /* shared by carriers */
    "127.0.0.0/8",     /* loopback */
    "169.254.0.0/16",  /* link-local: metadata of clouds */
    "172.16.0.0/12",   /* private */
    "192.0.0.0/24",    /* protocol assignments */
    "192.0.2.0/24",    /* documentation */
    "192.88.99.0/24",  /* 6to4 relays */
    "192.168.0.0/16",  /* private */
    "198.18.0.0/15",   /* benchmarks */
    "198.51.100.0/24", /* documentation */
    "203.0.113.0/24",  /* documentation */
    "224.0.0.0/4",     /* multicast */
    "240.0.0.0/4",     /* reserved, broadcast */
    "64:ff9b::/96",    /* NAT64 */
    "64:ff9b:1::/48",  /* NAT64 of a network's own */
    "100::/64",        /* discard */
    "2001::/23",       /* protocol assignments, Teredo */
    "2001:db8::/32",   /* documentation */
    "2002::/16",       /* 6to4 */
    "3fff::/20",       /* documentation */
    "5f00::/16",       /* segment routing */
    "fc00::/7",        /* unique local */
    "fe80::/10",       /* link-local */
    "fec0::/10",       /* site-local, of old */
    "ff00::/8",        /* multicast */
};

/* "::", "::1" and IPv4 in its old form within IPv6: all but the mapped form, which stands for IPv4 itself. */
static bool
is_low(const struct cidr *address)
{
	for (int i = 0; i < 10; i++)
		if (address->bytes[i])
			return false;
	return address->bytes[10] != 0xff || address->bytes[11] != 0xff;
}

bool
address_is_internal(const struct cidr *address)
{
	struct cidr range;

	for (size_t i = 0; i < ARRAY_LENGTH(internal); i++) {
		INVARIANT(cidr_parse(slice_of(internal[i]), &range));
		if (cidr_covers(&range, address))
			return true;
	}
	return is_low(address);
}

bool
address_may_be_reached(const struct cidr *address, const struct cidr_list *allowed)
{
	return !address_is_internal(address) || (allowed && cidr_list_covers(allowed, address));
}
