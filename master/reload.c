/*
 * reload.c - SIGHUP: the settings are read again, and a new generation serves with them.
 *
 * Whatever is wrong with them (a value, a file, an address that is in use) is said, and nothing changes. A few settings
 * are of the node as a whole and need a restart; one that differs is said and keeps its value.
 */
#include "config.h"
#include "log.h"
#include "master.h"
#include "launch.h"
#include "notify.h"
#include "secrets.h"

static void
tell(const char *error)
{
	log_error("settings", "a setting is wrong", LOG_TEXT("error", error));
}

static void
refuse(struct edition *next, const struct master *master, const char *why)
{
	log_error("master", "the new settings are of no use; everything stays as it was", LOG_TEXT("reason", why));
	edition_free(next, master->now);
	notify_ready(master->heritage.board->address);
}

static void
keep_fixed(const struct config *now, struct config *next)
{
	struct buf names = {0};

	config_keep_fixed(now, next, &names);
	if (names.len)
		log_warning("settings", "settings that need a restart keep their values", LOG_SLICE("settings", buf_slice(&names)));
	buf_free(&names);
}

static struct edition *
read_settings(struct master *master)
{
	struct config *config = launch_load(master->now->config->embedded, tell);

	if (!config)
		return NULL;
	keep_fixed(master->now->config, config);
	return edition_new(config, config);
}

void
reload_begin(struct master *master)
{
	struct edition *next;

	if (child_room(master) < edition_workers(master->now) + 1)
		return; /* earlier generations are still leaving: later */
	master->reload_wanted = false;
	notify_reloading();
	log_info("master", "reading the settings again");
	next = read_settings(master);
	if (!next) {
		log_error("master", "the new settings are wrong; everything stays as it was");
		notify_ready(master->heritage.board->address);
		return;
	}
	if (!edition_find_secret(next, master->folder) ||
	    !edition_find_database(next, next->config->embedded ? master->embedded.url : NULL) ||
	    !edition_listen(next, master->now)) {
		refuse(next, master, "it cannot be opened; the line above says what");
		return;
	}
	if (child_room(master) < edition_workers(next) + 1) {
		refuse(next, master, "AGENTD_WORKERS has grown beyond twice what the node was started with; restart it");
		return;
	}
	if (!edition_open_log(next, &master->user)) {
		(void)!edition_open_log(master->now, &master->user);
		refuse(next, master, "AGENTD_LOG_FILE cannot be opened");
		return;
	}
	secrets_forget_used(next);
	master->next = next;
	if (!succession_begin(master, SUCCESSION_RELOAD)) {
		master->next = NULL;
		refuse(next, master, "there is no room for another generation of processes");
	}
}
