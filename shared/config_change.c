/*
 * config_change.c - settings that change while running: trying a change out on a copy, by the rules of the start.
 */
#include "base.h"

#include "config_row.h"

bool
config_changes(enum config_setting setting)
{
	return config_rows[setting].flags & CONFIG_RUNTIME;
}

int
config_find(struct slice name)
{
	for (int i = 0; i < SETTING_COUNT; i++)
		if (slice_is(name, config_rows[i].member))
			return i;
	return -1;
}

struct config_fact
config_fact(enum config_setting setting)
{
	const struct config_row *row = &config_rows[setting];

	return (struct config_fact){.name = row->member,
	                            .doc = row->doc,
	                            .secret = row->flags & CONFIG_SECRET,
	                            .number = row->type == CONFIG_TYPE_INT || row->type == CONFIG_TYPE_RATIO,
	                            .truth = row->type == CONFIG_TYPE_BOOL};
}

static const char **
text_member(struct config *config, enum config_setting setting)
{
	return (const char **)(void *)((char *)config + config_rows[setting].offset);
}

void
config_keep_fixed(const struct config *now, struct config *next, struct buf *names)
{
	for (int i = 0; i < SETTING_COUNT; i++) {
		const struct config_row *row = &config_rows[i];
		struct buf was = {0}, is = {0}, why = {0};

		if (row->flags & CONFIG_FIXED) {
			config_value_write(row, now, &was);
			config_value_write(row, next, &is);
			if (!slice_equal(buf_slice(&was), buf_slice(&is))) {
				buf_add_byte(&was, '\0');
				INVARIANT(config_value_parse(row, was.data, next, &why));
				buf_printf(names, "%s" CONFIG_PREFIX "%s", names->len ? ", " : "", row->name);
			}
		}
		buf_free(&was);
		buf_free(&is);
		buf_free(&why);
	}
}

static bool
is_own_text(enum config_setting setting)
{
	return config_rows[setting].type == CONFIG_TYPE_TEXT && config_changes(setting);
}

struct config *
config_copy(const struct config *config)
{
	struct config *copy = mem_alloc(sizeof(*copy));

	*copy = *config;
	for (int i = 0; i < SETTING_COUNT; i++)
		if (is_own_text((enum config_setting)i))
			*text_member(copy, (enum config_setting)i) = mem_string(config_value_text(&config_rows[i], config));
	return copy;
}

void
config_copy_free(struct config *copy)
{
	for (int i = 0; i < SETTING_COUNT; i++)
		if (is_own_text((enum config_setting)i))
			free((void *)(uintptr_t)config_value_text(&config_rows[i], copy));
	free(copy);
}

bool
config_set(struct config *config, enum config_setting setting, const char *text, enum config_origin origin,
           struct buf *why)
{
	INVARIANT(config_changes(setting));
	if (!config_value_parse(&config_rows[setting], text, config, why))
		return false;
	config->origins[setting] = origin;
	return true;
}

void
config_get(const struct config *config, enum config_setting setting, struct buf *out)
{
	config_value_write(&config_rows[setting], config, out);
}

static bool
is_known(const struct config_errors *errors, const char *message)
{
	for (size_t i = 0; i < errors->count; i++)
		if (strcmp(errors->messages[i], message) == 0)
			return true;
	return false;
}

/* A running process has wiped secrets that the rules ask for: what was wrong before the change is not about it. */
void
config_check_change(const struct config *before, const struct config *after, struct config_errors *errors_r)
{
	struct config_errors known = {0}, found = {0};

	*errors_r = (struct config_errors){0};
	config_check(before, true, &known);
	config_check(after, true, &found);
	for (size_t i = 0; i < found.count; i++) {
		if (is_known(&known, found.messages[i]))
			continue;
		errors_r->messages = mem_grow(errors_r->messages, (errors_r->count + 1) * sizeof(*errors_r->messages));
		errors_r->messages[errors_r->count++] = mem_string(found.messages[i]);
	}
	config_errors_free(&known);
	config_errors_free(&found);
}
