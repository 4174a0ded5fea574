/*
 * leader.c - see leader.h.
 *
 * A question every BEAT_MS, of who leads every LEADER_BEAT_US: is the lock this session's? What proves leadership is the
 * answer, and it is good from the moment at which the question was sent: PostgreSQL waits as long for the next one from a
 * later moment on, so the leader gives up before another one can begin, as long as the clocks of both count the same
 * seconds.
 */
#include "leader.h"
#include "clock.h"
#include "config.h"
#include "db.h"
#include "duty_board.h"
#include "heritage.h"
#include "log.h"
#include "uuid.h"

#include <event2/event.h>

enum { BEAT_MS = 500, LEADER_BEAT_US = 1000000, EARLY_US = 100000, PROOF_US = 3000000, ANSWER_MS = 1500 };

struct leader {
	const struct heritage *heritage;
	enum query_id query;
	char id[UUID_TEXT_SIZE];
	struct db *db;
	struct event *beat;
	struct slice values[QUERY_PARAMS_MAX];
	int64_t asked_us;
	int64_t until_us; /* proved to lead until then */
	bool asking;
	bool leads; /* as it was told to others last */
};

bool
leader_leads(const struct leader *leader)
{
	return clock_steady_us() < leader->until_us;
}

/* During a reload the node has two keepers: one that does not lead takes nothing back on the board. */
static void
lead_until(struct leader *leader, int64_t until_us)
{
	if (until_us || leader->until_us)
		atomic_store(&leader->heritage->duties->leads_until_us, until_us);
	leader->until_us = until_us;
}

static void
tell(struct leader *leader)
{
	struct duty_board *duties = leader->heritage->duties;

	if (leader_leads(leader) == leader->leads)
		return;
	leader->leads = !leader->leads;
	if (leader->leads) {
		atomic_store(&duties->leads_since_us, clock_wall_us());
		atomic_fetch_add(&duties->take_overs, 1);
	}
	log_info("keeper", leader->leads ? "this node leads the cluster" : "this node leads the cluster no longer");
}

static void
answered(void *arg, const struct db_result *result)
{
	struct leader *leader = arg;
	bool yes = result->status == DB_OK && result->count && slice_is(db_get(result, 0, "leads"), "t");

	leader->asking = false;
	/* No answer is no news: the last proof runs out by itself. */
	if (yes || result->status == DB_OK)
		lead_until(leader, yes ? leader->asked_us + PROOF_US : 0);
	tell(leader);
}

static void
on_beat(evutil_socket_t fd, short what, void *arg)
{
	struct leader *leader = arg;

	(void)fd;
	(void)what;
	tell(leader);
	if (leader->asking || !db_ready(leader->db))
		return;
	/* Who leads has time; who does not may have to begin. */
	if (leader->leads && clock_steady_us() - leader->asked_us < LEADER_BEAT_US - EARLY_US)
		return;
	leader->asking = true;
	leader->asked_us = clock_steady_us();
	db_send(leader->db, leader->query, leader->values, answered, leader);
}

static void
connect_to_database(struct leader *leader, struct event_base *base)
{
	const struct config *config = leader->heritage->config;
	/* Unnamed statements: this session needs only one, and none of the others is prepared for it. */
	struct db_options options = {.url = leader->heritage->direct_url,
	                             .application_name = "agentd leader",
	                             .pool_size = 1,
	                             .connect_timeout_ms = (int)MIN(config->db_connect_timeout_ms, PROOF_US / 1000),
	                             .statement_timeout_ms = ANSWER_MS,
	                             .pooled = true,
	                             .all_tenants = true};

	leader->db = db_new(base, &options);
	leader->query = !config->db_prepared && !*config->db_direct_url ? QUERY_KEEPER_LEAD_POOLED : QUERY_KEEPER_LEAD;
	leader->values[db_param(leader->query, "idle_ms")] = SLICE("3000");
	if (leader->query == QUERY_KEEPER_LEAD)
		return;
	uuid_new(leader->id);
	leader->values[db_param(leader->query, "holder")] = slice_of(leader->id);
}

struct leader *
leader_new(struct event_base *base, const struct heritage *heritage)
{
	static const struct timeval interval = {.tv_usec = BEAT_MS * 1000};
	struct leader *leader = mem_zero(sizeof(*leader));

	leader->heritage = heritage;
	connect_to_database(leader, base);
	leader->beat = event_new(base, -1, EV_PERSIST, on_beat, leader);
	INVARIANT(leader->beat && event_add(leader->beat, &interval) == 0);
	return leader;
}

void
leader_free(struct leader *leader)
{
	lead_until(leader, 0);
	tell(leader);
	event_free(leader->beat);
	db_free(leader->db);
	free(leader);
}
