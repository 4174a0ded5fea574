/*
 * duty.c - how a duty runs: when, for how long, and what is remembered of it.
 *
 * Duties do not know of one another. One that fails comes back after a pause that grows, with jitter; one that takes
 * too long is counted as failed and goes on, while the others run; what runs is never begun a second time.
 */
#include "duty.h"
#include "clock.h"
#include "config.h"
#include "crypto.h"
#include "duty_board.h"
#include "leader.h"
#include "log.h"
#include "metrics.h"

enum { REST = 5, REST_MOST_US = 5000000, DEADLINE_MS = 30000, BACKOFF_FIRST_MS = 1000, BACKOFF_DOUBLINGS = 5, EASED = 4 };

bool
keeper_is_leader(const struct keeper *keeper)
{
	return leader_leads(keeper->leader);
}

/* Its number on the board, and among the metrics. */
static int
place_of(const struct duty *duty)
{
	return (int)(duty->record - duty->keeper->heritage->duties->records);
}

void
duty_init(struct duty *duty, struct keeper *keeper)
{
	duty->keeper = keeper;
	duty->record = duty_board_record(keeper->heritage->duties, duty->name);
	metrics_name(METRICS_LABEL_DUTY, place_of(duty), duty->name);
	atomic_store(&duty->record->leader, duty->leader);
	atomic_store(&duty->record->running, false);
}

static void
fail(struct duty *duty, const char *why)
{
	log_warning("keeper", "a duty failed", LOG_TEXT("duty", duty->name), LOG_TEXT("reason", why),
	            LOG_INT("in_a_row", duty->failures_in_a_row + 1));
	metrics_add(METRIC_DUTY_FAILURES, place_of(duty), 1);
	duty_board_fail(duty->keeper->heritage->duties, duty->record, why);
}

void
duty_fail(struct duty *duty, const char *why)
{
	if (!duty->failed)
		fail(duty, why);
	duty->failed = true;
}

/* A database that cannot be reached is not the duty's fault, and not forgotten by the connection. */
void
duty_note(struct duty *duty, const struct db_result *result)
{
	if (result->status == DB_FAILED || result->status == DB_TIMEOUT)
		duty_fail(duty, result->message);
}

void
duty_looked(struct duty *duty, bool full)
{
	duty->rest_us = full ? 0 : MIN((clock_steady_us() - duty->began_us) * REST, (int64_t)REST_MOST_US);
}

/* Half of it is chance, so that the nodes of a cluster do not try again all at once. */
static int64_t
backoff_us(const struct duty *duty)
{
	int64_t most_us = INT64_C(1000) * BACKOFF_FIRST_MS << MIN(duty->failures_in_a_row - 1, BACKOFF_DOUBLINGS);
	uint32_t random;

	crypto_random(&random, sizeof(random));
	return most_us / 2 + most_us / 2 * (random % 1000) / 1000;
}

void
duty_done(struct duty *duty)
{
	int64_t interval_ms = duty->keeper->heritage->config->keeper_interval_ms;
	int64_t pause_ms = duty->pause_ms ? duty->pause_ms : interval_ms * MAX(duty->intervals, 1);
	int64_t now_us = clock_steady_us(), took_us = now_us - duty->began_us;
	struct duty_record *record = duty->record;

	duty->running = false;
	duty->failures_in_a_row = duty->failed ? duty->failures_in_a_row + 1 : 0;
	duty->due_us = now_us + MAX(pause_ms * 1000, duty->rest_us);
	duty->ease_us = pause_ms * 1000 * (EASED - 1);
	if (duty->failed)
		duty->due_us = MAX(duty->due_us, now_us + backoff_us(duty));
	metrics_add(METRIC_DUTY_RUNS, place_of(duty), 1);
	metrics_add(METRIC_DUTY_TIME, place_of(duty), took_us);
	metrics_set(METRIC_DUTY_LAST, place_of(duty), clock_wall_us());
	atomic_fetch_add(&record->runs, 1);
	atomic_store(&record->last_us, took_us);
	atomic_fetch_add(&record->total_us, took_us);
	atomic_store(&record->ended_us, clock_wall_us());
	atomic_store(&record->running, false);
}

static void
begin(struct duty *duty, int64_t now_us)
{
	struct keeper *keeper = duty->keeper;
	struct scoreboard_slot *slot = &keeper->heritage->board->slots[keeper->heritage->slot];

	duty->running = true;
	duty->failed = duty->overdue = false;
	duty->began_us = now_us;
	atomic_store(&duty->record->running, true);
	/* If the process dies or hangs in it, the master says in what. */
	snprintf(slot->endpoint, sizeof(slot->endpoint), "%s", duty->name);
	duty->run(keeper, duty);
	slot->endpoint[0] = '\0';
}

static void
check_deadline(struct duty *duty, int64_t now_us)
{
	int64_t deadline_ms = duty->deadline_ms ? duty->deadline_ms : DEADLINE_MS;
	char why[80];

	if (duty->overdue || now_us - duty->began_us < deadline_ms * 1000)
		return;
	snprintf(why, sizeof(why), "it was not done after %lld s", (long long)(deadline_ms / 1000));
	duty->overdue = true;
	atomic_fetch_add(&duty->record->overdue, 1);
	duty_fail(duty, why);
}

/*
 * Of many nodes one looks often; the others look often enough to cover for one that has just died. Whether this node leads
 * is asked at the end of the pause: it may have become the leader meanwhile.
 */
static bool
is_due(const struct duty *duty, int64_t now_us)
{
	bool leads = keeper_is_leader(duty->keeper);

	if (now_us < duty->due_us || (duty->leader && !leads) || (!duty->always && !db_ready(duty->keeper->db)))
		return false;
	return leads || !duty->eased || now_us >= duty->due_us + duty->ease_us;
}

void
duty_tick(struct duty *duty, int64_t now_us)
{
	if (duty->running)
		check_deadline(duty, now_us);
	else if (is_due(duty, now_us))
		begin(duty, now_us);
}
