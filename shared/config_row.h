/*
 * config_row.h - the table of settings as data, and what the config_*.c files share. Nobody else includes it.
 */
#ifndef AGENTD_CONFIG_ROW_H
#define AGENTD_CONFIG_ROW_H

#include "base.h"
#include "buf.h"
#include "config.h"

#define CONFIG_PREFIX "AGENTD_"

enum config_type { CONFIG_TYPE_INT, CONFIG_TYPE_BOOL, CONFIG_TYPE_TEXT, CONFIG_TYPE_CHOICE, CONFIG_TYPE_RATIO };
enum config_flag {
	CONFIG_SECRET = 1,
	CONFIG_REQUIRED = 2,
	CONFIG_PLANNED = 4,
	CONFIG_PLAIN_NAME = 8,
	CONFIG_RUNTIME = 16,
	CONFIG_FIXED = 32,
	CONFIG_LINES = 64
};

struct config_row {
	const char *name; /* without the prefix */
	const char *member;
	enum config_type type;
	const char *defaults[ENVIRONMENT_COUNT];
	int64_t min, max;
	const char *const *choices; /* ends with NULL; for CHOICE only */
	unsigned flags;
	size_t offset; /* of the member in struct config */
	const char *doc;
};

struct config_group {
	const char *name;
	const char *doc;
	int first; /* its first setting */
};

enum {
	CONFIG_GROUP_COUNT = 0
#define CONFIG_GROUP(name, doc) +1
#define CONFIG(...)
#include "config.def"
};

/* In the order of config.def; both indexed from 0. */
extern const struct config_row config_rows[SETTING_COUNT];
extern const struct config_group config_groups[CONFIG_GROUP_COUNT];
extern const char *const config_environments[ENVIRONMENT_COUNT + 1];

/* The index of text in choices, whatever its case; -1: not there. */
int config_choice_find(const char *const *choices, const char *text);
/* Appends "a, b or c". */
void config_choice_list(struct buf *out, const char *const *choices);

/* Sets the member from text. False: why says what is wrong with it and what would be right; the member is as it was. */
MUST_CHECK bool config_value_parse(const struct config_row *row, const char *text, struct config *config,
                                   struct buf *why);
/* Appends the value as a user would write it, secret or not. */
void config_value_write(const struct config_row *row, const struct config *config, struct buf *out);
/* The value of a TEXT setting, without a copy. */
const char *config_value_text(const struct config_row *row, const struct config *config);

/* The name of the variable that a setting came from or should come from, written into out. */
const char *config_source(enum config_setting setting, enum config_origin origin, char out[CONFIG_NAME_SIZE]);

/* Adds `name="value" why`, with the value cut and escaped; value NULL: without. Takes no ownership. */
void config_error(struct config_errors *errors, const char *name, const char *value, const char *why);

/* The rules that involve more than one value, or the environment: config_check.c. */
void config_check(const struct config *config, bool environment_known, struct config_errors *errors);

#endif
