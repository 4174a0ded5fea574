/* nodes.c - says that this node is alive, and learns whether others are. */
#include "duty.h"
#include "uuid.h"

#include <unistd.h>

static void
beaten(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	if (result->status == DB_OK && result->count) {
		int others = (int)strtol(db_get(result, 0, "others").data, NULL, 10);
		atomic_store(&duty->keeper->heritage->board->nodes, others + 1);
		relay_others(duty->keeper->relay, others);
	}
	duty_done(duty);
}

void
nodes_run(struct keeper *keeper, struct duty *duty)
{
	static char id[UUID_TEXT_SIZE], name[65];
	static struct slice values[QUERY_PARAMS_MAX];

	if (!*id) {
		uuid_new(id);
		if (gethostname(name, sizeof(name) - 1) != 0)
			snprintf(name, sizeof(name), "unknown");
	}
	values[db_param(QUERY_NODE_BEAT, "id")] = slice_of(id);
	values[db_param(QUERY_NODE_BEAT, "name")] = slice_of(name);
	values[db_param(QUERY_NODE_BEAT, "version")] = slice_of(PACKAGE_VERSION);
	db_send(keeper->db, QUERY_NODE_BEAT, values, beaten, duty);
}
