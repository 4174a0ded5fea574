/*
 * db_param.c - parameters of queries by name.
 *
 * Names are asked for by every call of every request, so each query gets a small table that is hashed by name.
 */
#include "db.h"

enum { SLOTS = 128 };
_Static_assert(SLOTS >= 2 * QUERY_PARAMS_MAX, "a table that fills up makes searches long");

static signed char slots[QUERY_COUNT][SLOTS]; /* 1 + number of the parameter; 0: free */
static bool is_filled;

static unsigned
hash(const char *name)
{
	unsigned value = 0;

	while (*name)
		value = value * 31 + (unsigned char)*name++;
	return value % SLOTS;
}

static void
fill(void)
{
	for (int query = 0; query < QUERY_COUNT; query++)
		for (int i = 0; i < query_table[query].param_count; i++) {
			unsigned at = hash(query_table[query].params[i].name);
			while (slots[query][at])
				at = (at + 1) % SLOTS;
			slots[query][at] = (signed char)(i + 1);
		}
	is_filled = true;
}

int
db_param(enum query_id query, const char *name)
{
	if (!is_filled)
		fill();
	for (unsigned at = hash(name); slots[query][at]; at = (at + 1) % SLOTS)
		if (strcmp(query_table[query].params[slots[query][at] - 1].name, name) == 0)
			return slots[query][at] - 1;
	return -1;
}
