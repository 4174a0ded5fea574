/*
 * forwarded.h - whom a request comes from when trusted proxies stand between (X-Forwarded-For). Pure.
 *
 * Each proxy appends the address that it was connected from, so the header is believed from its right end, and only as
 * far as the proxies that wrote it are in the list: what a client wrote into it itself is never reached.
 */
#ifndef AGENTD_FORWARDED_H
#define AGENTD_FORWARDED_H

#include "base.h"
#include "cidr.h"
#include "http_parse.h"

enum { FORWARDED_HOPS_MAX = 16 };

/*
 * peer is who connected. All X-Forwarded-For headers count as one list. Members are addresses, also as "1.2.3.4:80",
 * "[::1]" and "[::1]:80"; at the first that is none, and behind FORWARDED_HOPS_MAX trusted ones, the walk ends with the
 * last address that was believed.
 */
struct cidr forwarded_for(const struct cidr_list *trusted, const struct cidr *peer, const struct http_parser *parser,
                          const char *data);
/* True if a trusted peer says that its client came by TLS: the last member of X-Forwarded-Proto is https. */
bool forwarded_secure(const struct cidr_list *trusted, const struct cidr *peer, const struct http_parser *parser,
                      const char *data);

#endif
