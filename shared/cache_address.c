/* cache_address.c - see cache_address.h. */
#include "cache_address.h"
#include "config.h"

#include <ctype.h>

enum { PORT = 6379, DB_MOST = 15 };

static const char *const form =
    "is not understood; write redis://[[user]:password@]host[:port][/db] or unix://[[user]:password@]/path[?db=N]";

static int
hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Copies what lies between with its percent signs undone. False: it does not fit, or holds a bad escape or a zero. */
static bool
take(const char *from, const char *end, char *out, size_t size)
{
	size_t length = 0;

	for (; from < end; from++) {
		char c = *from;
		if (c == '%') {
			if (end - from < 3 || hex(from[1]) < 0 || hex(from[2]) < 0)
				return false;
			c = (char)(hex(from[1]) << 4 | hex(from[2]));
			from += 2;
		}
		if (c == '\0' || length + 1 >= size)
			return false;
		out[length++] = c;
	}
	out[length] = '\0';
	return true;
}

/* A whole decimal number up to most; an empty text leaves the value as it is. */
static bool
take_number(const char *from, const char *end, int most, int *value)
{
	int number = 0;

	if (from == end)
		return true;
	for (; from < end; from++) {
		if (!isdigit((unsigned char)*from) || number > most)
			return false;
		number = number * 10 + (*from - '0');
	}
	*value = number;
	return number <= most;
}

static bool
take_credentials(const char **at, const char *end, struct cache_address *address)
{
	const char *sign = memrchr(*at, '@', (size_t)(end - *at)), *colon;

	if (!sign)
		return true;
	colon = memchr(*at, ':', (size_t)(sign - *at));
	if (!colon || !take(*at, colon, address->user, sizeof(address->user)) ||
	    !take(colon + 1, sign, address->password, sizeof(address->password)) || !*address->password)
		return false;
	*at = sign + 1;
	return true;
}

/* host[:port], where an IPv6 address is in brackets. */
static bool
take_host(const char *at, const char *end, struct cache_address *address)
{
	bool bracket = at < end && *at == '[';
	const char *stop = memchr(at, bracket ? ']' : ':', (size_t)(end - at));
	const char *host_end = stop ? stop : end;

	at += bracket;
	if ((bracket && !stop) || at >= host_end || !take(at, host_end, address->host, sizeof(address->host)))
		return false;
	at = host_end + (bracket ? 1 : 0);
	if (at == end)
		return true;
	return *at == ':' && at + 1 < end && take_number(at + 1, end, 65535, &address->port) && address->port > 0;
}

const char *
cache_address_parse(const char *url, struct cache_address *address_r)
{
	static const char tcp[] = "redis://", local[] = "unix://";
	const char *end, *path;
	bool good;

	*address_r = (struct cache_address){.port = PORT};
	if (strncmp(url, "rediss://", 9) == 0)
		return "asks for TLS, which agentd does not speak to Redis; use redis:// in a network that you trust, or a "
		       "unix socket of a tunnel";
	if (strncmp(url, tcp, sizeof(tcp) - 1) == 0) {
		url += sizeof(tcp) - 1;
		end = url + strcspn(url, "/");
		path = *end ? end + 1 : end;
		good = take_credentials(&url, end, address_r) && take_host(url, end, address_r) &&
		       take_number(path, path + strlen(path), DB_MOST, &address_r->db);
	} else if (strncmp(url, local, sizeof(local) - 1) == 0) {
		url += sizeof(local) - 1;
		end = strstr(url, "?db=") ? strstr(url, "?db=") : url + strlen(url);
		path = *end ? end + 4 : end;
		good = take_credentials(&url, end, address_r) && *url == '/' &&
		       take(url, end, address_r->host, sizeof(address_r->host)) &&
		       take_number(path, path + strlen(path), DB_MOST, &address_r->db);
	} else {
		good = false;
	}
	return good ? NULL : form;
}

void
cache_address_get(const struct config *config, struct cache_address *address_r)
{
	if (*config->redis_url) {
		const char *wrong = cache_address_parse(config->redis_url, address_r);
		INVARIANT(!wrong);
		return;
	}
	*address_r = (struct cache_address){.port = (int)config->redis_port, .db = (int)config->redis_db};
	snprintf(address_r->host, sizeof(address_r->host), "%s", config->redis_host);
	snprintf(address_r->password, sizeof(address_r->password), "%s", config->redis_password);
}
