/*
 * settings_duty.c - reads the run-time settings once a second, for the keeper itself and for the master's log levels.
 * Every node does it for its own processes.
 */
#include "config.h"
#include "duty.h"
#include "log_levels.h"
#include "settings.h"

void
settings_apply(void *arg)
{
	const struct keeper *keeper = arg;
	const struct config *config = keeper->heritage->config;

	uint64_t levels = log_levels_of((enum log_level)config->log_level, config->log_levels);

	log_set_levels(levels);
	db_set_slow(keeper->db, config->slow_query_ms);
	atomic_store(&keeper->heritage->board->log_levels, levels);
}

/* Over as soon as it is asked: what is read late is read again by the next. */
void
settings_run(struct keeper *keeper, struct duty *duty)
{
	settings_load(keeper->settings);
	duty_done(duty);
}
