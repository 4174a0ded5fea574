/*
 * settings_duty.c - reads the run-time settings once a second, for the keeper itself and for the master's log level.
 * Every node does it for its own processes.
 */
#include "config.h"
#include "duty.h"
#include "log.h"
#include "settings.h"

void
settings_apply(void *arg)
{
	const struct keeper *keeper = arg;
	const struct config *config = keeper->heritage->config;

	log_set_level((enum log_level)config->log_level);
	atomic_store(&keeper->heritage->board->log_level, config->log_level + 1);
}

/* Over as soon as it is asked: what is read late is read again by the next. */
void
settings_run(struct keeper *keeper, struct duty *duty)
{
	settings_load(keeper->settings);
	duty_done(duty);
}
