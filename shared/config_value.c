/*
 * config_value.c - the table of settings, and the way from text to a member of struct config and back.
 *
 * Numbers are strict decimal, whatever the locale: no sign but '-', no spaces, no leading zeros, no exponents.
 */
#include "base.h"

#include "config_row.h"

#include "limit.h"
#include "log.h"

#include <strings.h>

static const char *const log_levels[] = {[LOG_LEVEL_DEBUG] = "debug",
                                         [LOG_LEVEL_INFO] = "info",
                                         [LOG_LEVEL_WARNING] = "warning",
                                         [LOG_LEVEL_ERROR] = "error",
                                         NULL};
static const char *const log_formats[] = {[LOG_FORMAT_JSON] = "json", [LOG_FORMAT_TEXT] = "text", NULL};
static const char *const access_logs[] = {[ACCESS_LOG_OFF] = "off",
                                          [ACCESS_LOG_ON] = "on",
                                          [ACCESS_LOG_ERRORS] = "errors",
                                          [ACCESS_LOG_SAMPLED] = "sampled",
                                          NULL};
static const char *const cache_backends[] = {[CACHE_BACKEND_MEMORY] = "memory", [CACHE_BACKEND_REDIS] = "redis", NULL};
static const char *const jwt_algorithms[] = {
    [JWT_HS256] = "HS256", [JWT_EDDSA] = "EdDSA", [JWT_ES256] = "ES256", [JWT_RS256] = "RS256", NULL};
static const char *const cors_policies[] = {
    [CORS_OFF] = "off",       [CORS_DEVELOPMENT] = "development", [CORS_PRODUCTION] = "production",
    [CORS_PUBLIC] = "public", [CORS_INTERNAL] = "internal",       NULL};
static const char *const limit_strategies[] = {[LIMIT_TOKEN_BUCKET] = "token_bucket",
                                               [LIMIT_FIXED_WINDOW] = "fixed_window",
                                               [LIMIT_SLIDING_WINDOW] = "sliding_window",
                                               NULL};
static const char *const switch_words[] = {"off", "on", "false", "true", "0", "1", "no", "yes", NULL}; /* odd: on */

const char *const config_environments[] = {[ENVIRONMENT_DEVELOPMENT] = "development",
                                           [ENVIRONMENT_TESTING] = "testing",
                                           [ENVIRONMENT_STAGING] = "staging",
                                           [ENVIRONMENT_PRODUCTION] = "production",
                                           NULL};

/* The words of config.def's flags column. */
enum { SECRET = CONFIG_SECRET, REQUIRED = CONFIG_REQUIRED, PLANNED = CONFIG_PLANNED, PLAIN = CONFIG_PLAIN_NAME, LINES = CONFIG_LINES, RUNTIME = CONFIG_RUNTIME, FIXED = CONFIG_FIXED };

#define BOUNDS_INT(low, high) .min = (low), .max = (high)
#define BOUNDS_TEXT(low, high) .min = (low), .max = (high)
#define BOUNDS_RATIO(low, high) .min = (low), .max = (high)
#define BOUNDS_BOOL(low, high) .choices = NULL
#define BOUNDS_CHOICE(list, none) .choices = (list)

const struct config_row config_rows[] = {
#define CONFIG_GROUP(name, doc)
#define CONFIG(name_, member_, type_, development, testing, staging, production, min_, max_, flags_, doc_) \
	{                                                                                                      \
	    .name = #name_,                                                                                    \
	    .member = #member_,                                                                                \
	    .type = CONFIG_TYPE_##type_,                                                                       \
	    .defaults = {development, testing, staging, production},                                           \
	    BOUNDS_##type_(min_, max_),                                                                        \
	    .flags = (flags_),                                                                                 \
	    .offset = offsetof(struct config, member_),                                                        \
	    .doc = doc_,                                                                                       \
	},
#include "config.def"
};

/* A group's constant takes the number of the setting that follows it, without using it up. */
enum group_first {
#define CONFIG_GROUP(name, doc) GROUP_##name, GROUP_BEFORE_##name = GROUP_##name - 1,
#define CONFIG(name, ...) GROUP_SETTING_##name,
#include "config.def"
	GROUP_SETTING_END
};

const struct config_group config_groups[] = {
#define CONFIG_GROUP(name_, doc_) {#name_, doc_, GROUP_##name_},
#define CONFIG(...)
#include "config.def"
};

const char *
config_environment_name(enum environment environment)
{
	return config_environments[environment];
}

const char *
config_value_text(const struct config_row *row, const struct config *config)
{
	INVARIANT(row->type == CONFIG_TYPE_TEXT);
	return *(const char *const *)(const void *)((const char *)config + row->offset);
}

int
config_choice_find(const char *const *choices, const char *text)
{
	for (int i = 0; choices[i]; i++)
		if (strcasecmp(choices[i], text) == 0)
			return i;
	return -1;
}

void
config_choice_list(struct buf *out, const char *const *choices)
{
	for (int i = 0; choices[i]; i++) {
		if (i)
			buf_add_text(out, choices[i + 1] ? ", " : " or ");
		buf_add_text(out, choices[i]);
	}
}

/* False: not a decimal number. One that does not fit an int64_t becomes the nearest that does, so bounds refuse it. */
static bool
parse_decimal(const char *text, int64_t *value_r)
{
	bool negative = *text == '-';
	int64_t value = 0;

	text += negative;
	if (!*text || (*text == '0' && text[1]))
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return false;
		if (__builtin_mul_overflow(value, 10, &value) || __builtin_add_overflow(value, *text - '0', &value))
			value = INT64_MAX;
	}
	*value_r = negative ? -value : value;
	return true;
}

static bool
parse_int(const struct config_row *row, const char *text, int64_t *value_r, struct buf *why)
{
	int64_t value;

	if (!parse_decimal(text, &value))
		buf_add_text(why, "is not a whole decimal number");
	else if (value < row->min || value > row->max)
		buf_add_text(why, value < row->min ? "is too small" : "is too large");
	else {
		*value_r = value;
		return true;
	}
	buf_printf(why, "; use one from %lld to %lld", (long long)row->min, (long long)row->max);
	return false;
}

/* At most 15 digits, so that digits and scale are exact in a double and one division rounds once. */
static bool
parse_ratio(const struct config_row *row, const char *text, double *value_r, struct buf *why)
{
	double low = (double)row->min / 1000, high = (double)row->max / 1000;
	double digits = 0, scale = 1;
	int count = 0;
	bool point = false, valid = true;

	for (const char *at = text; *at && valid; at++) {
		if (*at == '.' && !point && count) {
			point = true;
		} else if (*at >= '0' && *at <= '9' && count < 15) {
			digits = digits * 10 + (*at - '0');
			scale *= point ? 10 : 1;
			count++;
		} else {
			valid = false;
		}
	}
	if (valid && count && text[strlen(text) - 1] != '.' && digits / scale >= low && digits / scale <= high) {
		*value_r = digits / scale;
		return true;
	}
	buf_printf(why, "is not a decimal number from %g to %g of at most 15 digits; write it as in 0.25", low, high);
	return false;
}

static bool
parse_text(const struct config_row *row, const char *text, const char **value_r, struct buf *why)
{
	size_t length = strlen(text);

	if (length < (size_t)row->min) {
		buf_printf(why, "is %s; use at least %lld byte%s, or unset the variable for the default",
		           length ? "too short" : "empty", (long long)row->min, row->min == 1 ? "" : "s");
		return false;
	}
	if (row->max && length > (size_t)row->max) {
		buf_printf(why, "is too long; use at most %lld bytes", (long long)row->max);
		return false;
	}
	for (size_t i = 0; i < length; i++) {
		bool line_end = text[i] == '\n' || text[i] == '\r';
		if (((unsigned char)text[i] < 0x20 || text[i] == 0x7f) && !(line_end && (row->flags & CONFIG_LINES))) {
			buf_printf(why, "contains a control character (byte %zu); remove it: a line break or a tab, most often",
			           i + 1);
			return false;
		}
	}
	free((void *)(uintptr_t)*value_r);
	*value_r = mem_string(text);
	return true;
}

static bool
parse_choice(const char *const *choices, const char *text, int *value_r, struct buf *why)
{
	int value = config_choice_find(choices, text);

	if (value < 0) {
		buf_add_text(why, "is not one of the choices; use ");
		config_choice_list(why, choices);
		return false;
	}
	*value_r = value;
	return true;
}

bool
config_value_parse(const struct config_row *row, const char *text, struct config *config, struct buf *why)
{
	void *to = (char *)config + row->offset;
	int word;

	switch (row->type) {
	case CONFIG_TYPE_INT:
		return parse_int(row, text, to, why);
	case CONFIG_TYPE_RATIO:
		return parse_ratio(row, text, to, why);
	case CONFIG_TYPE_TEXT:
		return parse_text(row, text, to, why);
	case CONFIG_TYPE_CHOICE:
		return parse_choice(row->choices, text, to, why);
	case CONFIG_TYPE_BOOL:
		break;
	}
	if (!parse_choice(switch_words, text, &word, why))
		return false;
	*(bool *)to = word % 2;
	return true;
}

void
config_value_write(const struct config_row *row, const struct config *config, struct buf *out)
{
	const void *from = (const char *)config + row->offset;

	switch (row->type) {
	case CONFIG_TYPE_INT:
		buf_add_int(out, *(const int64_t *)from);
		break;
	case CONFIG_TYPE_BOOL:
		buf_add_text(out, *(const bool *)from ? "on" : "off");
		break;
	case CONFIG_TYPE_TEXT:
		buf_add_text(out, *(const char *const *)from);
		break;
	case CONFIG_TYPE_CHOICE:
		buf_add_text(out, row->choices[*(const int *)from]);
		break;
	case CONFIG_TYPE_RATIO:
		buf_printf(out, "%.15g", *(const double *)from);
		break;
	}
}

const char *
config_source(enum config_setting setting, enum config_origin origin, char out[CONFIG_NAME_SIZE])
{
	snprintf(out, CONFIG_NAME_SIZE, "%s%s%s", origin == CONFIG_FROM_PLAIN ? "" : CONFIG_PREFIX,
	         config_rows[setting].name, origin == CONFIG_FROM_FILE ? "_FILE" : "");
	return out;
}
