/*
 * db_tenants.c - whose rows an execution may see: what row level security is told before it (the setting
 * agentd.tenants).
 *
 * The tenants of the calls, whatever the statements say; '*' for queries that are marked `all tenants` in sql/query/,
 * and none for those that are marked `no tenant`. In order and each once, so that the same tenants are the same text.
 */
#include "db_private.h"

static int64_t
tenant_of(const struct db_call *call, int param)
{
	struct slice text = call->values[param];
	int64_t tenant = 0;

	/* Digits by the server's own hand, or nothing. */
	for (size_t i = 0; i < text.len && text.data[i] >= '0' && text.data[i] <= '9'; i++)
		tenant = tenant * 10 + text.data[i] - '0';
	return tenant;
}

/* Puts tenant into the sorted list if it is not there; returns the new count. */
static int
insert(int64_t *list, int count, int64_t tenant)
{
	int at = count;

	while (at > 0 && list[at - 1] > tenant)
		at--;
	if (at > 0 && list[at - 1] == tenant)
		return count;
	memmove(&list[at + 1], &list[at], (size_t)(count - at) * sizeof(*list));
	list[at] = tenant;
	return count + 1;
}

void
db_tenants_write(const struct db_execution *execution, struct buf *out)
{
	enum query_scope scope = query_table[execution->query].scope;
	int param = db_param((enum query_id)execution->query, "tenant"), count = 0;
	int64_t list[DB_BATCH_MAX], last = -1;
	const struct db_call *call;

	out->len = 0;
	if (scope == QUERY_SCOPE_TENANT) {
		TAILQ_FOREACH(call, &execution->calls, entry)
		{
			int64_t tenant = tenant_of(call, param);
			if (tenant != last)
				count = insert(list, count, last = tenant);
		}
	}
	buf_add_text(out, scope == QUERY_SCOPE_ALL ? "*" : "{");
	for (int i = 0; i < count; i++) {
		if (i)
			buf_add_byte(out, ',');
		buf_add_int(out, list[i]);
	}
	if (scope != QUERY_SCOPE_ALL)
		buf_add_byte(out, '}');
	buf_add_byte(out, '\0');
}
