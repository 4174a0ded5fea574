/* nodes.c - says that this node is alive, and how it is, and learns what others say. */
#include "cache.h"
#include "config.h"
#include "duty.h"
#include "health.h"
#include "node_usage.h"

#include <math.h>
#include <unistd.h>

static void
beaten(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	duty_note(duty, result);
	if (result->status == DB_OK && result->count) {
		int others = (int)strtol(db_get(result, 0, "others").data, NULL, 10);
		struct scoreboard *board = duty->keeper->heritage->board;
		atomic_store(&board->nodes, others + 1);
		atomic_store(&board->others_with_redis, (int)strtol(db_get(result, 0, "with_redis").data, NULL, 10));
		relay_others(duty->keeper->relay, others);
	}
	duty_done(duty);
}

static void
set_disk(struct slice *values, const struct heritage *heritage)
{
	static char text[32];
	double percent = node_disk_percent(heritage->config->state_dir);

	snprintf(text, sizeof(text), "%.2f", percent);
	values[db_param(QUERY_NODE_BEAT, "disk_percent")] = isnan(percent) ? SLICE_NONE : slice_of(text);
}

/* The first of the workers' certificates to end. */
static void
set_certificate(struct slice *values, struct scoreboard *board)
{
	static char text[24];
	int64_t first_s = 0;

	for (int i = 0; i < board->slot_count; i++) {
		int64_t expires_s = atomic_load(&board->slots[i].tls_expires_s);
		if (expires_s && atomic_load(&board->slots[i].pid) && (!first_s || expires_s < first_s))
			first_s = expires_s;
	}
	snprintf(text, sizeof(text), "%lld", (long long)first_s);
	values[db_param(QUERY_NODE_BEAT, "certificate_s")] = first_s ? slice_of(text) : SLICE_NONE;
}

void
nodes_run(struct keeper *keeper, struct duty *duty)
{
	static char name[65], skew[32];
	static struct slice values[QUERY_PARAMS_MAX];

	if (!*name && gethostname(name, sizeof(name) - 1) != 0)
		snprintf(name, sizeof(name), "unknown");
	/* Of the node, not of this process: a keeper that follows another is no further node. */
	values[db_param(QUERY_NODE_BEAT, "id")] = slice_of(keeper->heritage->board->node);
	values[db_param(QUERY_NODE_BEAT, "name")] = slice_of(name);
	values[db_param(QUERY_NODE_BEAT, "version")] = slice_of(PACKAGE_VERSION);
	snprintf(skew, sizeof(skew), "%.3f", health_skew_ms());
	values[db_param(QUERY_NODE_BEAT, "clock_skew_ms")] = isnan(health_skew_ms()) ? SLICE_NONE : slice_of(skew);
	values[db_param(QUERY_NODE_BEAT, "health")] = slice_of(health_status_name(health_overall(keeper->heritage->health)));
	set_disk(values, keeper->heritage);
	set_certificate(values, keeper->heritage->board);
	values[db_param(QUERY_NODE_BEAT, "redis")] = cache_up(keeper->cache) ? SLICE("true") : SLICE("false");
	db_send(keeper->db, QUERY_NODE_BEAT, values, beaten, duty);
}
