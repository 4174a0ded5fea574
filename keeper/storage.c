/*
 * storage.c - sheds writes while a disk is full, and takes them again when there is room.
 *
 * Embedded, the disk of the database is this node's: below AGENTD_DISK_RESERVE_MB writes stop, before PostgreSQL runs
 * out of room for its log and stops itself. With any PostgreSQL its own word counts (SQLSTATE 53100, noted by whoever
 * hears it). Writes are taken again when a quarter more than the reserve is free and, after PostgreSQL's word, when two
 * writes that need room have succeeded. Every node judges for itself.
 */
#include "clock.h"
#include "config.h"
#include "duty.h"
#include "health.h"
#include "log.h"
#include "node_usage.h"
#include "recover.h"

enum { PROBE_PAUSE_US = 2000000, PROBES = 2 };

static struct {
	struct duty *duty;
	enum health_storage known;
	int successes; /* probes in a row */
	int64_t probe_us;
} run;

static struct health_board *
health(void)
{
	return run.duty->keeper->heritage->health;
}

/* What is free, of what is wanted: more than 0 only where the disk is this node's. */
static bool
has_room(const struct config *config, bool resuming)
{
	int64_t reserve = config->disk_reserve_mb << 20, free_bytes;

	if (!config->embedded || !reserve)
		return true;
	free_bytes = node_disk_free(config->state_dir);
	return free_bytes < 0 || free_bytes >= (resuming ? reserve + reserve / 4 : reserve);
}

/* The state may have been changed by whoever heard PostgreSQL: what is known here follows. */
static void
tell(void)
{
	enum health_storage storage = health_storage(health());
	struct keeper *keeper = run.duty->keeper;
	const char *why = storage == HEALTH_STORAGE_FULL ? "PostgreSQL has no room on its disk" : "the disk is nearly full";

	if ((storage == HEALTH_STORAGE_OK) == (run.known == HEALTH_STORAGE_OK)) {
		run.known = storage;
		return;
	}
	run.known = storage;
	run.successes = 0;
	if (storage == HEALTH_STORAGE_OK) {
		log_info("health", "there is room again: writes are taken");
		recover_ended(keeper, HEALTH_DISK);
		return;
	}
	log_error("health", "writes are refused, reads go on", LOG_TEXT("reason", why),
	          LOG_TEXT("hint", "make room; writes are taken again by themselves"));
	recover_began(keeper, HEALTH_DISK, "disk", "shed_writes", why);
}

static void
probed(void *arg, const struct db_result *result)
{
	(void)arg;
	run.successes = result->status == DB_OK ? run.successes + 1 : 0;
	run.probe_us = clock_steady_us() + PROBE_PAUSE_US;
	if (run.successes >= PROBES)
		health_storage_set(health(), HEALTH_STORAGE_OK);
	tell();
	duty_done(run.duty);
}

void
storage_run(struct keeper *keeper, struct duty *duty)
{
	const struct config *config = keeper->heritage->config;
	enum health_storage storage;

	run.duty = duty;
	storage = health_storage(health());
	if (storage == HEALTH_STORAGE_OK && !has_room(config, false))
		health_storage_set(health(), HEALTH_STORAGE_LOW);
	else if (storage == HEALTH_STORAGE_LOW && has_room(config, true))
		health_storage_set(health(), HEALTH_STORAGE_OK);
	tell();
	if (run.known == HEALTH_STORAGE_FULL && has_room(config, true) && db_ready(keeper->db) &&
	    clock_steady_us() >= run.probe_us)
		db_send(keeper->db, QUERY_STORAGE_PROBE, NULL, probed, NULL);
	else
		duty_done(duty);
}
