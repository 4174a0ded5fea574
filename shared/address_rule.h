/*
 * address_rule.h - which addresses are internal: what a program in the middle of a network must not be sent to by those
 * who may only name a URL (OWASP: server-side request forgery). Pure.
 *
 * Internal is what IANA's registries for special purposes do not call globally reachable, multicast, and what carries
 * an IPv4 address inside (6to4, Teredo, NAT64), whatever that is.
 */
#ifndef AGENTD_ADDRESS_RULE_H
#define AGENTD_ADDRESS_RULE_H

#include "base.h"

struct cidr;
struct cidr_list;

bool address_is_internal(const struct cidr *address);
/* True if it is not internal, or in one of the ranges; allowed may be NULL. */
bool address_may_be_reached(const struct cidr *address, const struct cidr_list *allowed);

#endif
