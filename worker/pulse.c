/* pulse.c - see pulse.h. */
#include "pulse.h"
#include "cache.h"
#include "clock.h"
#include "config.h"
#include "db.h"
#include "health.h"
#include "log.h"
#include "process.h"

struct pulse {
	struct worker *worker;
	struct health_pool *row;
	uint32_t pings, resets, reconnects; /* wishes that were heard */
	bool asking;
	int64_t sent_us;
};

struct pulse *
pulse_new(struct worker *worker)
{
	struct pulse *pulse = mem_zero(sizeof(*pulse));
	struct health_pool *row = health_board_pool(worker->heritage->health, worker->heritage->slot);

	*pulse = (struct pulse){.worker = worker, .row = row};
	/* The process before this one had its own pool. */
	atomic_store(&row->asked_us, 0);
	atomic_store(&row->answered_us, 0);
	atomic_store(&row->read_only, false);
	atomic_store(&row->short_us, 0);
	atomic_store(&row->size, (int)worker->config->db_pool_size);
	pulse->pings = atomic_load(&row->ping_wish);
	pulse->resets = atomic_load(&row->reset_wish);
	pulse->reconnects = atomic_load(&row->reconnect_wish);
	return pulse;
}

void
pulse_free(struct pulse *pulse)
{
	free(pulse);
}

static void
pinged(void *arg, const struct db_result *result)
{
	struct pulse *pulse = arg;
	int64_t now_us = clock_steady_us();

	pulse->asking = false;
	if (result->status != DB_OK || !result->count)
		return;
	atomic_store(&pulse->row->read_only, slice_is(db_get(result, 0, "read_only"), "t"));
	atomic_store(&pulse->row->response_us, now_us - pulse->sent_us);
	atomic_store(&pulse->row->answered_us, now_us);
}

/* What has no answer yet is asked for again, but keeps its age: that is what tells that something is wrong. */
static void
ping(struct pulse *pulse)
{
	if (pulse->asking || !pulse->worker->ready_told)
		return;
	pulse->asking = true;
	pulse->sent_us = clock_steady_us();
	if (atomic_load(&pulse->row->answered_us) >= atomic_load(&pulse->row->asked_us))
		atomic_store(&pulse->row->asked_us, pulse->sent_us);
	db_send(pulse->worker->db, QUERY_DATABASE_PING, NULL, pinged, pulse);
}

static bool
heard(_Atomic uint32_t *wish, uint32_t *known)
{
	uint32_t now = atomic_load(wish);
	bool is_new = now != *known;

	*known = now;
	return is_new;
}

void
pulse_tick(struct pulse *pulse)
{
	struct worker *worker = pulse->worker;

	atomic_store(&pulse->row->up, db_up(worker->db));
	atomic_store(&pulse->row->redis_up, cache_up(worker->cache));
	if (heard(&pulse->row->reset_wish, &pulse->resets)) {
		log_warning("health", "the pool is made anew, as the keeper wishes");
		db_reset(worker->db, "its connections are made anew: health checks failed");
	}
	if (heard(&pulse->row->reconnect_wish, &pulse->reconnects) && worker->cache)
		cache_reconnect(worker->cache, "the connection is made anew: health checks failed");
	if (heard(&pulse->row->ping_wish, &pulse->pings))
		ping(pulse);
}
