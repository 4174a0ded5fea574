/*
 * cache_address.h - where Redis is, and who asks: from the settings REDIS_URL, or REDIS_HOST and the rest.
 *
 * Forms of a URL: redis://[[user]:password@]host[:port][/db] and unix://[[user]:password@]/path[?db=N]. What stands
 * before the @ may be percent-encoded. Nothing here blocks.
 */
#ifndef AGENTD_CACHE_ADDRESS_H
#define AGENTD_CACHE_ADDRESS_H

#include "base.h"

struct config;

struct cache_address {
	char host[256]; /* a name, an IP address, or the path of a unix socket, which begins with / */
	int port;
	int db;
	char user[65]; /* "": the default user */
	char password[1025];
};

/* NULL: good. Else what is wrong with the URL and what would be right; no part of it is in the text. */
const char *cache_address_parse(const char *url, struct cache_address *address_r);

/* What the settings say; they were checked when they were loaded. */
void cache_address_get(const struct config *config, struct cache_address *address_r);

#endif
