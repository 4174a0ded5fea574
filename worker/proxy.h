/*
 * proxy.h - the header of the PROXY protocol, version 2, that a proxy writes before the first byte of its client
 * (proxy-protocol.txt of HAProxy, section 2.2).
 *
 * Pure, strict, bounded: only the binary form; a stream connection over IPv4 or IPv6, or one that the proxy makes for
 * itself (LOCAL) or knows nothing about (UNSPEC); additions (TLVs) must fit, and a checksum among them must be right.
 * Never asks for bytes behind the header: what follows belongs to TLS or HTTP.
 */
#ifndef AGENTD_PROXY_H
#define AGENTD_PROXY_H

#include "base.h"
#include "cidr.h"

enum { PROXY_HEAD_SIZE = 16, PROXY_SIZE_MAX = 2048 };

enum proxy_outcome { PROXY_MORE, PROXY_DONE, PROXY_BAD };

struct proxy_header {
	size_t wanted;       /* PROXY_MORE: so many further bytes, and no more, belong to the header */
	bool has_source;     /* PROXY_DONE: false: the proxy speaks for itself */
	struct cidr source;  /* who connected to the proxy */
	const char *problem; /* PROXY_BAD: why; static */
};

/* Looks at what has arrived, from the first byte of the connection on. */
MUST_CHECK enum proxy_outcome proxy_parse(struct slice bytes, struct proxy_header *header_r);

#endif
