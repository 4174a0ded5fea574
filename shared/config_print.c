/*
 * config_print.c - settings for people: what is in effect, the reference, and the text that libpq takes.
 *
 * Only config_database_url() gives out a secret; nothing that is printed contains one.
 */
#include "base.h"

#include "config_row.h"

enum { VALUE_WIDTH = 40 };

static void
add_printed(struct buf *out, const struct config_row *row, const struct config *config)
{
	if (row->flags & CONFIG_SECRET)
		buf_add_text(out, *config_value_text(row, config) ? "(set)" : "(not set)");
	else if (row->type == CONFIG_TYPE_TEXT && !*config_value_text(row, config))
		buf_add_text(out, "(empty)");
	else
		config_value_write(row, config, out);
	buf_add_byte(out, '\0');
}

static void
print_setting(const struct config *config, enum config_setting setting, FILE *out)
{
	const struct config_row *row = &config_rows[setting];
	enum config_origin origin = config->origins[setting];
	char name[CONFIG_NAME_SIZE], source[CONFIG_NAME_SIZE];
	struct buf value = {0};

	add_printed(&value, row, config);
	config_source(setting, origin, source);
	fprintf(out, "%-32s%-*s  %s%s%s%s\n", config_source(setting, CONFIG_FROM_VARIABLE, name), VALUE_WIDTH, value.data,
	        origin == CONFIG_FROM_FILE ? "file (" : "", origin == CONFIG_FROM_DEFAULT ? "default" : source,
	        origin == CONFIG_FROM_FILE ? ")" : "", row->flags & CONFIG_PLANNED ? ", not in effect yet" : "");
	buf_free(&value);
}

static const struct config_group *
group_at(int setting)
{
	for (int i = 0; i < CONFIG_GROUP_COUNT; i++)
		if (config_groups[i].first == setting)
			return &config_groups[i];
	return NULL;
}

void
config_print(const struct config *config, FILE *out)
{
	fprintf(out, "%-32s%s\n", "environment", config_environment_name(config->environment));
	fprintf(out, "%-32s%s\n", "database", config->embedded ? "embedded" : "external");
	for (int i = 0; i < SETTING_COUNT; i++) {
		if (group_at(i))
			fprintf(out, "\n%s\n", group_at(i)->doc);
		print_setting(config, (enum config_setting)i, out);
	}
}

static void
add_bounds(struct buf *out, const struct config_row *row)
{
	switch (row->type) {
	case CONFIG_TYPE_INT:
		buf_printf(out, "whole number from %lld to %lld", (long long)row->min, (long long)row->max);
		break;
	case CONFIG_TYPE_RATIO:
		buf_printf(out, "number from %g to %g", (double)row->min / 1000, (double)row->max / 1000);
		break;
	case CONFIG_TYPE_BOOL:
		buf_add_text(out, "on or off");
		break;
	case CONFIG_TYPE_CHOICE:
		config_choice_list(out, row->choices);
		break;
	case CONFIG_TYPE_TEXT:
		if (row->min)
			buf_printf(out, "text of %lld to %lld bytes", (long long)row->min, (long long)row->max);
		else
			buf_printf(out, "text of at most %lld bytes", (long long)row->max);
		break;
	}
}

static void
add_notes(struct buf *out, const struct config_row *row)
{
	if (row->flags & CONFIG_REQUIRED)
		buf_add_text(out, "; required in staging and production");
	if (row->flags & CONFIG_SECRET)
		buf_printf(out, "; secret, " CONFIG_PREFIX "%s_FILE names a file to read it from", row->name);
	if (row->flags & CONFIG_PLAIN_NAME)
		buf_printf(out, "; %s is understood too", row->name);
	if (row->flags & CONFIG_PLANNED)
		buf_add_text(out, "; not in effect yet");
	if (row->flags & CONFIG_RUNTIME)
		buf_add_text(out, "; can be changed while running");
}

static void
add_defaults(struct buf *out, const struct config_row *row)
{
	const char *const *defaults = row->defaults;
	bool same = true;

	for (int i = 1; i < ENVIRONMENT_COUNT; i++)
		same = same && strcmp(defaults[i], defaults[0]) == 0;
	if (same) {
		buf_printf(out, "%s in every environment", *defaults[0] ? defaults[0] : "empty");
		return;
	}
	for (int i = 0; i < ENVIRONMENT_COUNT; i++)
		buf_printf(out, "%s%s: %s", i ? ", " : "", config_environments[i], *defaults[i] ? defaults[i] : "empty");
}

static void
add_env(struct buf *out, const struct config_row *row)
{
	buf_printf(out, "\n# %s\n#   ", row->doc);
	add_bounds(out, row);
	add_notes(out, row);
	buf_add_text(out, "\n#   default ");
	add_defaults(out, row);
	buf_printf(out, "\n#" CONFIG_PREFIX "%s=%s\n", row->name, row->defaults[ENVIRONMENT_PRODUCTION]);
}

static void
add_markdown(struct buf *out, const struct config_row *row)
{
	buf_printf(out, "| `" CONFIG_PREFIX "%s` | %s | ", row->name, row->doc);
	add_bounds(out, row);
	add_notes(out, row);
	buf_add_text(out, " | ");
	add_defaults(out, row);
	buf_add_text(out, " |\n");
}

static const char env_head[] =
    "# Settings of agentd, for EnvironmentFile= of systemd or --env-file of a container.\n"
    "# Written by `agentd config --example` from shared/config.def; a line takes effect without its leading #.\n"
    "# Values show the default of production. `agentd config` shows what is in effect, `agentd config --check` tests "
    "it.\n"
    "\n"
    "# the environment, which chooses the defaults: development, testing, staging or production\n"
    "#   default development\n"
    "#" CONFIG_PREFIX "ENV=production\n";

static const char markdown_head[] =
    "`" CONFIG_PREFIX
    "ENV` chooses the environment and with it the defaults: development (also when it is not set), testing,\n"
    "staging or production.\n";

void
config_print_reference(FILE *out, enum config_reference format)
{
	bool markdown = format == CONFIG_REFERENCE_MARKDOWN;
	struct buf text = {0};

	buf_add_text(&text, markdown ? markdown_head : env_head);
	for (int i = 0; i < SETTING_COUNT; i++) {
		const struct config_group *group = group_at(i);

		if (group && markdown)
			buf_printf(&text, "\n### %s\n\n| variable | meaning | value | default |\n|-|-|-|-|\n", group->doc);
		else if (group)
			buf_printf(&text, "\n\n# --- %s ---\n", group->doc);
		(markdown ? add_markdown : add_env)(&text, &config_rows[i]);
	}
	fwrite(text.data, 1, text.len, out);
	buf_free(&text);
}

/* As libpq reads a keyword string: single quotes, with \ before ' and \. */
static void
add_keyword(struct buf *out, const char *keyword, const char *value)
{
	buf_printf(out, "%s='", keyword);
	for (; *value; value++) {
		if (*value == '\'' || *value == '\\')
			buf_add_byte(out, '\\');
		buf_add_byte(out, *value);
	}
	buf_add_text(out, "'");
}

char *
config_database_url(const struct config *config)
{
	struct buf out = {0};

	if (config->embedded)
		return NULL;
	if (*config->database_url)
		return mem_string(config->database_url);
	/* All the room that it can need, so that no copy of the password stays behind in freed memory. */
	buf_reserve(&out, 64 + 2 * (strlen(config->db_host) + strlen(config->db_user) + strlen(config->db_password) +
	                            strlen(config->db_name)));
	add_keyword(&out, "host", config->db_host);
	buf_printf(&out, " port=%lld ", (long long)config->db_port);
	add_keyword(&out, "user", config->db_user);
	buf_add_byte(&out, ' ');
	add_keyword(&out, "dbname", config->db_name);
	if (*config->db_password) {
		buf_add_byte(&out, ' ');
		add_keyword(&out, "password", config->db_password);
	}
	buf_add_byte(&out, '\0');
	return out.data;
}
