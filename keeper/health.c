/*
 * health.c - the round of health checks: every AGENTD_HEALTH_INTERVAL_S, and every 5 s at least while something is
 * critical.
 *
 * A round asks (PostgreSQL, Redis, the workers' pools), waits for the answers while other duties go on, and writes what
 * was found on the board of health. It runs with and without a database. Every node checks itself; what is found is
 * this node's.
 */
#include "health.h"
#include "cache.h"
#include "check.h"
#include "clock.h"
#include "config.h"
#include "duty.h"
#include "log.h"
#include "recover.h"

#include <inttypes.h>
#include <math.h>

enum { LOOK_MS = 250, RECORD_ROUNDS = 10, SLOW_MS = 1000, JUMP_US = 1000000, START_US = 10000000, PATIENCE_US = 15000000 };
enum { SKEW_WARNING_MS = 1000, SKEW_CRITICAL_MS = 10000, AGE_WARNING_S = 300, AGE_CRITICAL_S = 3600 };

static struct {
	struct keeper *keeper;
	bool begun;
	int left; /* answers that are waited for */
	int rounds;
	int64_t due_us, asked_us;
	int64_t asked_wall_us;
	int64_t mono_offset_us; /* from the monotonic to the wall clock, at the last look */
	double skew_ms;         /* NAN: not known */
	bool doubtful;          /* the database's time is a surprise: it is asked once more */
} run = {.skew_ms = NAN};

double
health_skew_ms(void)
{
	return run.skew_ms;
}

static double
since_ms(int64_t then_us)
{
	return (double)(clock_steady_us() - then_us) / 1000;
}

static int64_t
integer(const struct db_result *result, const char *name)
{
	struct slice cell = db_get(result, 0, name);

	return cell.data ? strtoll(cell.data, NULL, 10) : 0;
}

static double
real(const struct db_result *result, const char *name)
{
	struct slice cell = db_get(result, 0, name);

	return cell.data ? strtod(cell.data, NULL) : NAN;
}

/* --- clocks --- */

static void
check_clock(double spread_ms)
{
	double skew_ms = run.skew_ms;
	enum health_status status = isnan(skew_ms)                                                     ? HEALTH_UNKNOWN
	                            : fabs(skew_ms) > SKEW_CRITICAL_MS                                 ? HEALTH_CRITICAL
	                            : fabs(skew_ms) > SKEW_WARNING_MS || (spread_ms > SKEW_WARNING_MS) ? HEALTH_WARNING
	                                                                                               : HEALTH_HEALTHY;

	if (isnan(skew_ms))
		check_found(run.keeper, HEALTH_CLOCK, "clock", status, NAN, "not known: the database's answer took too long");
	else if (fabs(skew_ms) > SKEW_WARNING_MS)
		check_found(run.keeper, HEALTH_CLOCK, "clock", status, NAN,
		            "%.0f ms %s that of the database; agentd goes by the database's, certificates and logs by this one",
		            fabs(skew_ms), skew_ms > 0 ? "ahead of" : "behind");
	else
		check_found(run.keeper, HEALTH_CLOCK, "clock", status, NAN,
		            "%.0f ms from that of the database; nodes differ by %.0f ms", skew_ms,
		            isnan(spread_ms) ? 0 : spread_ms);
}

/* Somebody set the wall clock; what agentd measures itself goes by one that nobody sets. */
static void
notice_jump(void)
{
	int64_t offset_us = clock_wall_us() - clock_mono_us(), jump_us = offset_us - run.mono_offset_us;

	if (run.mono_offset_us && (jump_us > JUMP_US || jump_us < -JUMP_US)) {
		run.due_us = 0;
		log_warning(
		    "health", "the clock of this node jumped", LOG_INT("by_ms", jump_us / 1000),
		    LOG_TEXT("hint",
		             "agentd goes by the database's clock, certificates and logs by this one; is NTP at work?"));
	}
	run.mono_offset_us = offset_us;
}

/* --- the database --- */

static void
check_queue(const struct db_result *result)
{
	double age_s = real(result, "age_s");

	if (isnan(age_s))
		check_found(run.keeper, HEALTH_QUEUE, "queue", HEALTH_HEALTHY, NAN, "nothing waits");
	else
		check_found(run.keeper, HEALTH_QUEUE, "queue",
		            age_s > AGE_CRITICAL_S  ? HEALTH_CRITICAL
		            : age_s > AGE_WARNING_S ? HEALTH_WARNING
		                                    : HEALTH_HEALTHY,
		            NAN, "the next task of %.*s has waited for %.0f s", (int)MIN(db_get(result, 0, "queue").len, 64),
		            db_get(result, 0, "queue").data, fmax(age_s, 0));
}

/* One agent that is lost is no reason to call the node unhealthy. */
static void
check_agents(const struct db_result *result)
{
	int64_t warning = integer(result, "warning"), critical = integer(result, "critical");

	check_found(run.keeper, HEALTH_AGENTS, "agents", warning || critical ? HEALTH_WARNING : HEALTH_HEALTHY, NAN,
	            "%" PRId64 " healthy, %" PRId64 " warning, %" PRId64 " critical, %" PRId64 " silent",
	            integer(result, "healthy"), warning, critical, integer(result, "unknown"));
}

static void
check_database(const struct db_result *result, double response_ms)
{
	int64_t version = integer(result, "version"), own = query_migrations[query_migration_count - 1].version;
	int64_t connections = integer(result, "connections"), most = integer(result, "max_connections");
	double share = most > 0 ? 100 * (double)connections / (double)most : NAN;

	if (version < own)
		check_found(run.keeper, HEALTH_DATABASE, "database", HEALTH_CRITICAL, response_ms,
		            "its schema is %" PRId64 ", this agentd needs %" PRId64 ": run `agentd migrate up`", version, own);
	else if (version > own)
		check_found(run.keeper, HEALTH_DATABASE, "database", HEALTH_WARNING, response_ms,
		            "its schema is %" PRId64 ", newer than the %" PRId64 " of this agentd: upgrade this node", version,
		            own);
	else if (response_ms > SLOW_MS)
		check_found(run.keeper, HEALTH_DATABASE, "database", HEALTH_WARNING, response_ms, "slow: %.0f ms for a ping",
		            response_ms);
	else
		check_found(run.keeper, HEALTH_DATABASE, "database",
		            health_of_percent(share) == HEALTH_HEALTHY ? HEALTH_HEALTHY : HEALTH_WARNING, response_ms,
		            "primary, schema %" PRId64 ", %" PRId64 " of %" PRId64 " connections in use", version, connections,
		            most);
}

static void
looked(void *arg, const struct db_result *result)
{
	double response_ms = *(double *)arg;

	run.left--;
	if (result->status != DB_OK || !result->count) {
		check_found(run.keeper, HEALTH_DATABASE, "database", HEALTH_CRITICAL, response_ms, "it does not answer: %s",
		            result->message);
		return;
	}
	check_database(result, response_ms);
	check_queue(result);
	check_agents(result);
	check_clock(real(result, "spread_ms"));
}

static void
pinged(void *arg, const struct db_result *result)
{
	static double response_ms;
	double middle_us = (double)run.asked_wall_us / 2 + (double)clock_wall_us() / 2;
	bool standby;

	(void)arg;
	response_ms = since_ms(run.asked_us);
	if (result->status != DB_OK || !result->count) {
		run.left--;
		check_found(run.keeper, HEALTH_DATABASE, "database", HEALTH_CRITICAL, response_ms, "it does not answer: %s",
		            result->message);
		return;
	}
	run.skew_ms = response_ms < SLOW_MS ? (middle_us - (double)integer(result, "now_us")) / 1000 : NAN;
	/* As much later as the answer took to come back. */
	if (response_ms < SLOW_MS)
		run.doubtful =
		    !health_time_set(run.keeper->heritage->health, integer(result, "now_us") + (int64_t)(response_ms * 500));
	standby = slice_is(db_get(result, 0, "standby"), "t");
	if (standby || slice_is(db_get(result, 0, "read_only"), "t")) {
		run.left--;
		check_found(run.keeper, HEALTH_DATABASE, "database", HEALTH_CRITICAL, response_ms, "it can only be read: %s",
		            standby ? "this PostgreSQL is a standby" : "somebody made it read-only");
		return;
	}
	db_send(run.keeper->db, QUERY_HEALTH_LOOK, NULL, looked, &response_ms);
}

static void
ask_database(void)
{
	struct keeper *keeper = run.keeper;

	if (!db_ready(keeper->db)) {
		run.skew_ms = NAN;
		check_found(keeper, HEALTH_DATABASE, "database", HEALTH_CRITICAL, NAN, "no connection: %.150s",
		            db_last_error(keeper->db));
		return;
	}
	run.left++;
	run.asked_wall_us = clock_wall_us();
	db_send(keeper->db, QUERY_DATABASE_PING, NULL, pinged, NULL);
}

/* --- Redis: what is written must be read again, or it is not Redis that answers --- */

static const char *
nonce(void)
{
	static char text[24];

	snprintf(text, sizeof(text), "%d", run.rounds);
	return text;
}

static void
read_back(void *arg, const struct cache_result *result)
{
	(void)arg;
	run.left--;
	if (result->status != CACHE_OK)
		check_found(run.keeper, HEALTH_REDIS, "redis", HEALTH_CRITICAL, since_ms(run.asked_us),
		            "it does not answer: %s", result->message);
	else if (!slice_is(cache_text(result, 0), nonce()))
		check_found(run.keeper, HEALTH_REDIS, "redis", HEALTH_CRITICAL, since_ms(run.asked_us),
		            "what was written is not what is read");
	else
		check_found(run.keeper, HEALTH_REDIS, "redis", HEALTH_HEALTHY, since_ms(run.asked_us), "answers");
}

static void
ask_redis(void)
{
	const struct config *config = run.keeper->heritage->config;
	struct cache *cache = run.keeper->cache;
	char key[160];
	struct slice set[] = {SLICE("SET"), SLICE_NONE, slice_of(nonce()), SLICE("EX"), SLICE("60")};
	struct slice get[] = {SLICE("GET"), SLICE_NONE};

	if (!cache)
		return;
	snprintf(key, sizeof(key), "%s:health:%s:%d", config->redis_prefix, recover_node(),
	         (int)atomic_load(&run.keeper->heritage->board->slots[run.keeper->heritage->slot].pid));
	set[1] = get[1] = slice_of(key);
	if (!cache_up(cache))
		check_found(run.keeper, HEALTH_REDIS, "redis", HEALTH_CRITICAL, NAN,
		            "no connection: %.100s; limits are counted by each node for itself", cache_last_error(cache));
	else if (cache_send(cache, set, ARRAY_LENGTH(set), NULL, NULL) &&
	         cache_send(cache, get, ARRAY_LENGTH(get), read_back, NULL))
		run.left++;
	else
		check_found(run.keeper, HEALTH_REDIS, "redis", HEALTH_WARNING, NAN, "too many commands wait for it");
}

/* --- the round --- */

static void
begin(void)
{
	const struct scoreboard *board = run.keeper->heritage->board;

	run.begun = true;
	run.doubtful = false;
	run.asked_us = clock_steady_us();
	check_begin(run.rounds++ % RECORD_ROUNDS == 0);
	for (int i = 0; i < board->slot_count; i++)
		atomic_fetch_add(&health_board_pool(run.keeper->heritage->health, i)->ping_wish, 1);
	check_machine(run.keeper);
	check_certificate(run.keeper);
	ask_database();
	ask_redis();
}

static void
conclude(void)
{
	int64_t interval_us = run.keeper->heritage->config->health_interval_s * 1000000;

	check_processes(run.keeper);
	health_round(run.keeper->heritage->health, 3 * interval_us + PATIENCE_US);
	run.begun = false;
	if (run.doubtful)
		run.due_us = 0;
	else
		run.due_us = run.asked_us + (check_worried() ? check_pause_us(run.keeper) : interval_us);
}

/* While a node starts nothing is ready, which is no news; if that takes long, it is. */
static bool
is_late(void)
{
	static int64_t began_us;

	if (!began_us)
		began_us = clock_steady_us();
	return clock_steady_us() - began_us > START_US;
}

/* The pools have until the next look to answer; other duties go on meanwhile. */
void
health_run(struct keeper *keeper, struct duty *duty)
{
	duty->pause_ms = LOOK_MS;
	run.keeper = keeper;
	notice_jump();
	if (run.begun && run.left == 0)
		conclude();
	else if (!run.begun && clock_steady_us() >= run.due_us && (keeper->ready_told || is_late()))
		begin();
	recover_flush(keeper);
	duty_done(duty);
}

static void
pruned(void *arg, const struct db_result *result)
{
	if (result->status == DB_OK && result->count && integer(result, "pruned"))
		log_debug("keeper", "old health records dropped", LOG_INT("rows", integer(result, "pruned")));
	duty_done(arg);
}

void
health_prune_run(struct keeper *keeper, struct duty *duty)
{
	static char days[24];
	static struct slice values[QUERY_PARAMS_MAX];

	snprintf(days, sizeof(days), "%lld", (long long)keeper->heritage->config->health_retention_days);
	values[db_param(QUERY_HEALTH_PRUNE, "retention_days")] = slice_of(days);
	db_send(keeper->db, QUERY_HEALTH_PRUNE, values, pruned, duty);
}
