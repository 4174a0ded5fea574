/*
 * agents.c - looks at every agent of the cluster, once an interval, and takes back what lost agents hold. The leader
 * does it; should two do it at once, each change is still recorded once and each lease ends once.
 */
#include "clock.h"
#include "config.h"
#include "duty.h"
#include "log.h"
#include "recover.h"

/* After a time without database agents had nobody to beat at: they get as long as it takes to be found lost. */
enum { ROUNDS_BEFORE = 3 };

static int rounds;

static void
looked(void *arg, const struct db_result *result)
{
	struct duty *duty = arg;

	rounds = result->status == DB_OK ? rounds + 1 : 0;
	if (result->status == DB_OK && result->count && !slice_is(db_get(result, 0, "leases"), "0"))
		log_warning("health", "the leases of lost agents were taken back",
		            LOG_SLICE("agents", db_get(result, 0, "agents")), LOG_SLICE("leases", db_get(result, 0, "leases")),
		            LOG_SLICE("names", db_get(result, 0, "names")));
	if (result->status == DB_OK && result->count && slice_is(db_get(result, 0, "all_at_once"), "t"))
		log_error("health", "more than half of the agents fell silent at once: nothing is taken back",
		          LOG_SLICE("silent", db_get(result, 0, "silent")),
		          LOG_TEXT("hint", "is it the network? Leases run out by themselves"));
	duty_done(duty);
}

void
agents_run(struct keeper *keeper, struct duty *duty)
{
	static char interval_s[24];
	static struct slice values[QUERY_PARAMS_MAX];

	duty->pause_ms = keeper->heritage->config->health_interval_s * 1000;
	snprintf(interval_s, sizeof(interval_s), "%lld", (long long)keeper->heritage->config->health_interval_s);
	values[db_param(QUERY_HEALTH_AGENTS, "interval_s")] = slice_of(interval_s);
	values[db_param(QUERY_HEALTH_AGENTS, "may_take")] = rounds >= ROUNDS_BEFORE ? SLICE("true") : SLICE("false");
	values[db_param(QUERY_HEALTH_AGENTS, "node")] = slice_of(recover_node());
	db_send(keeper->db, QUERY_HEALTH_AGENTS, values, looked, duty);
}
