/* db_hosts.c - see db_hosts.h. */
#include "db_hosts.h"
#include "buf.h"

#include <libpq-fe.h>

/* What a connection string says, as libpq reads it; it has been read before, so it can be. */
static const char *
value_of(PQconninfoOption *options, const char *keyword)
{
	for (PQconninfoOption *option = options; option && option->keyword; option++)
		if (strcmp(option->keyword, keyword) == 0 && option->val && *option->val)
			return option->val;
	return NULL;
}

static int
count_items(const char *list)
{
	int count = 1;

	while ((list = strchr(list, ','))) {
		list++;
		count++;
	}
	return count;
}

/* A list of one item holds for all hosts. */
static struct slice
item_of(const char *list, int number)
{
	for (number %= count_items(list); number > 0; number--)
		list = strchr(list, ',') + 1;
	return (struct slice){list, strcspn(list, ",")};
}

static char *
turn(const char *list, int first)
{
	struct buf out = {0};

	if (!list)
		return NULL;
	for (int i = 0; i < count_items(list); i++) {
		if (i)
			buf_add_byte(&out, ',');
		buf_add_slice(&out, item_of(list, first + i));
	}
	buf_add_byte(&out, '\0');
	return out.data;
}

void
db_hosts_turn(const char *url, int first, struct db_hosts *hosts_r)
{
	PQconninfoOption *options = PQconninfoParse(url, NULL);

	hosts_r->host = turn(value_of(options, "host"), first);
	hosts_r->hostaddr = turn(value_of(options, "hostaddr"), first);
	hosts_r->port = turn(value_of(options, "port"), first);
	PQconninfoFree(options);
}

void
db_hosts_clear(struct db_hosts *hosts)
{
	free(hosts->host);
	free(hosts->hostaddr);
	free(hosts->port);
	*hosts = (struct db_hosts){0};
}

static bool
is_item(const char *list, int number, const char *text)
{
	struct slice item = list ? item_of(list, number) : SLICE_NONE;

	return item.len == 0 || slice_equal(item, slice_of(text));
}

int
db_hosts_after(const char *url, const char *host, const char *port)
{
	PQconninfoOption *options = PQconninfoParse(url, NULL);
	const char *hosts = value_of(options, "host"), *ports = value_of(options, "port");
	int number = 0;

	if (!hosts)
		hosts = value_of(options, "hostaddr");
	while (hosts && number < count_items(hosts) - 1 && !(is_item(hosts, number, host) && is_item(ports, number, port)))
		number++;
	PQconninfoFree(options);
	return number + 1;
}
