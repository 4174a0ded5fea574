/*
 * config.h - the settings of this process: read once from the environment, checked, and constant from then on.
 *
 * shared/config.def lists every setting; each row is a member of struct config here. Loading reports every error at
 * once and never shows a secret. Nothing blocks, except that a secret's NAME_FILE that is a pipe is waited for (10 s).
 */
#ifndef AGENTD_CONFIG_H
#define AGENTD_CONFIG_H

#include "base.h"
#include "buf.h"

enum environment { ENVIRONMENT_DEVELOPMENT, ENVIRONMENT_TESTING, ENVIRONMENT_STAGING, ENVIRONMENT_PRODUCTION };
enum { ENVIRONMENT_COUNT = 4 };

/* The values of CHOICE members. LOG_LEVEL is enum log_level (log.h), RATE_LIMIT_STRATEGY enum limit_strategy (limit.h).
 */
enum log_format { LOG_FORMAT_JSON, LOG_FORMAT_TEXT };
enum access_mode { ACCESS_LOG_OFF, ACCESS_LOG_ON, ACCESS_LOG_ERRORS, ACCESS_LOG_SAMPLED };
enum cache_backend { CACHE_BACKEND_MEMORY, CACHE_BACKEND_REDIS };
enum jwt_algorithm { JWT_HS256, JWT_EDDSA, JWT_ES256, JWT_RS256 };
enum cors_policy { CORS_OFF, CORS_DEVELOPMENT, CORS_PRODUCTION, CORS_PUBLIC, CORS_INTERNAL };

enum config_setting {
#define CONFIG_GROUP(name, doc)
#define CONFIG(name, ...) SETTING_##name,
#include "config.def"
	SETTING_COUNT
};

/* Where a value came from: the table, AGENTD_NAME, NAME, or the file that AGENTD_NAME_FILE names. */
enum config_origin {
	CONFIG_FROM_DEFAULT,
	CONFIG_FROM_VARIABLE,
	CONFIG_FROM_PLAIN,
	CONFIG_FROM_FILE,
	CONFIG_FROM_SETTINGS, /* the table `settings`: shared/settings.h */
	CONFIG_BROKEN /* only while loading */
};

#define CONFIG_MEMBER_INT(member) int64_t member;
#define CONFIG_MEMBER_BOOL(member) bool member;
#define CONFIG_MEMBER_TEXT(member) const char *member;
#define CONFIG_MEMBER_CHOICE(member) int member;
#define CONFIG_MEMBER_RATIO(member) double member;

/* Owned by the caller of config_load(); texts are never NULL and live as long as it does. */
struct config {
	enum environment environment;
	bool embedded; /* agentd runs its own PostgreSQL: asked for, or development or testing without a database named */
	enum config_origin origins[SETTING_COUNT];
#define CONFIG_GROUP(name, doc)
#define CONFIG(name, member, type, ...) CONFIG_MEMBER_##type(member)
#include "config.def"
};

/* One sentence an error, without a newline: the variable, its value unless secret, why, and what would be right. */
struct config_errors {
	char **messages;
	size_t count;
};

/*
 * Reads `NAME=value` strings up to NULL (as in environ). embedded is the wish of `agentd --embedded`: it wins over a
 * database that is named. NULL: errors_r, which is always initialised, holds all that is wrong.
 */
MUST_CHECK struct config *config_load(char *const *variables, bool embedded, struct config_errors *errors_r);
void config_errors_free(struct config_errors *errors);
/* Takes the variables that hold secrets out of `NAME=value` strings up to NULL, and wipes them there. */
void config_scrub(char **variables);
/* The variable of a setting: AGENTD_NAME. */
enum { CONFIG_NAME_SIZE = 64 };
void config_variable(enum config_setting setting, char name_r[CONFIG_NAME_SIZE]);
bool config_is_secret(enum config_setting setting);
/* Wipes a secret that is needed no more: the setting is empty from here on. */
void config_forget(const struct config *config, enum config_setting setting);
/* Wipes the secrets first. NULL is fine. */
void config_free(struct config *config);

/* Settings that can change while agentd runs are those with RUNTIME in config.def. */
bool config_changes(enum config_setting setting);
/* The setting whose member has that name, or -1. */
int config_find(struct slice name);
struct config_fact {
	const char *name; /* the member: the setting's name in the API */
	const char *doc;
	bool secret;
	bool number;
	bool truth;
};
struct config_fact config_fact(enum config_setting setting);
/* A copy to try changes on; its texts that cannot change are borrowed. */
MUST_CHECK struct config *config_copy(const struct config *config);
void config_copy_free(struct config *copy);
/* Sets one that can change. False: why says what is wrong with the text; nothing was changed. */
MUST_CHECK bool config_set(struct config *config, enum config_setting setting, const char *text, enum config_origin origin,
                           struct buf *why);
/* Appends the value as a user would write it; of a secret too. */
void config_get(const struct config *config, enum config_setting setting, struct buf *out);
/* The rules that involve more than one setting: what is wrong after the change and was not before. */
void config_check_change(const struct config *before, const struct config *after, struct config_errors *errors_r);

/* In what a reload has read: takes the values of settings that only a start reads from `now`; names of those that differ,
 * with commas. */
void config_keep_fixed(const struct config *now, struct config *next, struct buf *names);

const char *config_environment_name(enum environment environment);

/*
 * What libpq takes: DATABASE_URL, else a keyword string of DB_HOST and the rest. NULL when embedded: the master knows
 * that address. The caller wipes and frees it.
 */
MUST_CHECK char *config_database_url(const struct config *config);

/* Every setting for people: its value, "(set)" or "(not set)" for a secret, and where the value came from. */
void config_print(const struct config *config, FILE *out);

enum config_reference { CONFIG_REFERENCE_ENV, CONFIG_REFERENCE_MARKDOWN };
/* Every setting with its bounds and defaults: contrib/agentd.env, or a table for each group. */
void config_print_reference(FILE *out, enum config_reference format);

#endif
