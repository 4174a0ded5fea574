/* settings.c - see settings.h. */
#include "settings.h"
#include "buf.h"
#include "log.h"

struct settings {
	struct db *db;
	struct config *base; /* as it was at the start */
	struct config *live; /* the process's own */
	void (*applied)(void *arg);
	void *arg;
	bool loaded;
	bool stale; /* it could not be read, or not yet */
	bool loading;
	bool again;
};

struct settings *
settings_new(struct db *db, const struct config *config, void (*applied)(void *arg), void *arg)
{
	struct settings *settings = mem_zero(sizeof(*settings));

	settings->db = db;
	settings->base = config_copy(config);
	/* Constant to all but this file. */
	settings->live = (struct config *)(uintptr_t)config;
	settings->applied = applied;
	settings->stale = true;
	settings->arg = arg;
	return settings;
}

void
settings_free(struct settings *settings)
{
	if (!settings)
		return;
	config_copy_free(settings->base);
	free(settings);
}

bool
settings_loaded(const struct settings *settings)
{
	return settings->loaded;
}

const struct config *
settings_base(const struct settings *settings)
{
	return settings->base;
}

static void
put_row(struct config *config, struct slice name, struct slice value)
{
	int setting = config_find(name);
	struct buf why = {0}, text = {0};

	buf_add_slice(&text, value);
	buf_add_byte(&text, '\0');
	if (setting < 0 || !config_changes((enum config_setting)setting))
		buf_add_text(&why, "is not a setting that this version can change while it runs");
	else if (config_set(config, (enum config_setting)setting, text.data, CONFIG_FROM_SETTINGS, &why))
		why.len = 0;
	if (why.len)
		log_warning("settings", "a stored setting is left out", LOG_SLICE("name", name),
		            LOG_SLICE("reason", buf_slice(&why)));
	buf_free(&why);
	buf_free(&text);
}

struct config *
settings_over(const struct settings *settings, const struct db_result *result)
{
	struct config *config = config_copy(settings->base);

	for (int row = 0; row < result->count; row++)
		if (db_get(result, row, "name").data)
			put_row(config, db_get(result, row, "name"), db_get(result, row, "value"));
	return config;
}

/* True if it was another value. */
static bool
take_over(struct settings *settings, enum config_setting setting, const struct config *wanted)
{
	struct buf old = {0}, new = {0}, why = {0};
	bool differs, set = true;

	config_get(settings->live, setting, &old);
	config_get(wanted, setting, &new);
	differs = !slice_equal(buf_slice(&old), buf_slice(&new));
	buf_add_byte(&new, '\0');
	if (differs)
		set = config_set(settings->live, setting, new.data, wanted->origins[setting], &why);
	INVARIANT(set);
	settings->live->origins[setting] = wanted->origins[setting];
	buf_free(&old);
	buf_free(&new);
	buf_free(&why);
	return differs;
}

static void
apply(struct settings *settings, const struct db_result *result)
{
	struct config *wanted = settings_over(settings, result);
	int changed = 0;

	for (int i = 0; i < SETTING_COUNT; i++)
		if (config_changes((enum config_setting)i))
			changed += take_over(settings, (enum config_setting)i, wanted);
	config_copy_free(wanted);
	if (changed) {
		log_info("settings", "run-time settings took effect", LOG_INT("changed", changed));
		settings->applied(settings->arg);
	}
}

static void
loaded(void *arg, const struct db_result *result)
{
	struct settings *settings = arg;

	settings->loading = false;
	settings->stale = result->status != DB_OK;
	if (result->status == DB_OK) {
		apply(settings, result);
		settings->loaded = true;
	}
	if (settings->again)
		settings_load(settings);
}

void
settings_load(struct settings *settings)
{
	settings->again = settings->loading;
	if (settings->loading)
		return;
	settings->loading = true;
	db_send(settings->db, QUERY_SETTINGS_GET, NULL, loaded, settings);
}

void
settings_tick(struct settings *settings)
{
	if (settings->stale && !settings->loading && db_ready(settings->db))
		settings_load(settings);
}
