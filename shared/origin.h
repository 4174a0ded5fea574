/*
 * origin.h - web origins as browsers send them (RFC 6454 6.2): scheme://host[:port]. Pure.
 */
#ifndef AGENTD_ORIGIN_H
#define AGENTD_ORIGIN_H

#include "base.h"

enum { ORIGIN_MAX = 300 };

/* True if text is an origin in the one spelling that browsers send, so that comparing bytes is enough; "null" is none.
 */
bool origin_is_valid(struct slice text);

#endif
