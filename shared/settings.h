/*
 * settings.h - run-time settings: what the table `settings` says, over what this process was started with.
 *
 * The process's struct config is changed in place, inside a callback of the loop and so between two turns of it: nobody
 * keeps a text of a setting that can change beyond a turn. What a row cannot be understood as is logged and left out,
 * for a newer version may have written it. Nothing blocks.
 */
#ifndef AGENTD_SETTINGS_H
#define AGENTD_SETTINGS_H

#include "config.h"
#include "db.h"

struct settings;

/* applied is called after something has changed. config is this process's own since the fork. */
struct settings *settings_new(struct db *db, const struct config *config, void (*applied)(void *arg), void *arg);
void settings_free(struct settings *settings);
/* Reads the table and applies it; asked while it reads, it reads again. */
void settings_load(struct settings *settings);
/* To be called now and then: asks again after a failure. */
void settings_tick(struct settings *settings);
/* True once the table has been read: before that, only the environment holds. */
bool settings_loaded(const struct settings *settings);

/* What this process was started with; the caller must not free it. */
const struct config *settings_base(const struct settings *settings);
/* Puts the rows of `settings_get` over a copy of the base, for config_copy_free(). */
MUST_CHECK struct config *settings_over(const struct settings *settings, const struct db_result *result);

#endif
