/*
 * config_check.c - rules that no single row of config.def can state: pairs, forms, and what staging and production ask.
 *
 * A setting whose own value was refused already is not complained about again. Secrets never reach a message.
 */
#include "base.h"

#include "backup_plan.h"
#include "cache_address.h"
#include "cidr.h"
#include "config_row.h"
#include "jws.h"
#include "log_levels.h"
#include "origin.h"
#include "otlp.h"

#include <strings.h>

enum { SECRET_LEAST = 32, SECRET_DIFFERENT = 10, PASSWORD_LEAST = 12 };

#define MAKE_SECRET "make one with `openssl rand -base64 48`"

struct check {
	const struct config *config;
	struct config_errors *errors;
	bool strict; /* staging or production */
};

static void
refuse(struct check *check, enum config_setting setting, const char *why)
{
	const struct config_row *row = &config_rows[setting];
	enum config_origin origin = check->config->origins[setting];
	char name[CONFIG_NAME_SIZE];
	struct buf value = {0};

	if (origin == CONFIG_BROKEN)
		return;
	if (origin != CONFIG_FROM_DEFAULT && !(row->flags & CONFIG_SECRET)) {
		config_value_write(row, check->config, &value);
		buf_add_byte(&value, '\0');
	}
	config_error(check->errors, config_source(setting, origin, name), value.data, why);
	buf_free(&value);
}

static size_t
count_different(const char *text)
{
	bool seen[256] = {false};
	size_t count = 0;

	for (; *text; text++) {
		count += !seen[(unsigned char)*text];
		seen[(unsigned char)*text] = true;
	}
	return count;
}

/* One piece over and over: a text that repeats itself after n bytes equals itself moved by n. */
static bool
is_repetition(const char *text, size_t length)
{
	for (size_t step = 1; step <= length / 2; step++)
		if (memcmp(text, text + step, length - step) == 0)
			return true;
	return false;
}

static const char *
weakness(const char *secret)
{
	static const char *const words[] = {"changeme", "change-me",   "change_me", "secret",   "password",   "development",
	                                    "insecure", "placeholder", "example",   "default-", "0123456789", "abcdefgh"};

	for (size_t i = 0; i < ARRAY_LENGTH(words); i++)
		if (strcasestr(secret, words[i]))
			return "contains a word or row of characters that is easy to guess; " MAKE_SECRET;
	if (is_repetition(secret, strlen(secret)))
		return "repeats itself; " MAKE_SECRET;
	if (count_different(secret) < SECRET_DIFFERENT)
		return "has fewer than 10 different characters; " MAKE_SECRET;
	return NULL;
}

static void
check_secret(struct check *check, enum config_setting setting, const char *secret)
{
	const char *weak = check->strict && *secret ? weakness(secret) : NULL;

	if (check->strict && !*secret && (config_rows[setting].flags & CONFIG_REQUIRED))
		refuse(check, setting,
		       "is required in staging and production; set it, or the same name with _FILE; " MAKE_SECRET);
	else if (*secret && strlen(secret) < SECRET_LEAST)
		refuse(check, setting, "is shorter than 32 characters; " MAKE_SECRET);
	else if (weak)
		refuse(check, setting, weak);
}

static void
check_database(struct check *check)
{
	const struct config *config = check->config;
	const char *url = config->database_url;
	bool is_url = strncmp(url, "postgresql://", 13) == 0 || strncmp(url, "postgres://", 11) == 0;

	if (*url && !is_url && (strstr(url, "://") || !strchr(url, '=')))
		refuse(
		    check, SETTING_DATABASE_URL,
		    "is not understood by libpq; begin with postgresql:// or write keywords as in \"host=db dbname=agentd\"");
	if (check->strict && !*url && !*config->db_host && !config->embedded &&
	    config->origins[SETTING_DB_HOST] != CONFIG_BROKEN)
		refuse(check, SETTING_DATABASE_URL,
		       "is required in staging and production; set it, or AGENTD_DB_HOST and the rest, or start `agentd "
		       "--embedded`");
}

static void
check_tls(struct check *check)
{
	const struct config *config = check->config;
	bool certificate = *config->tls_cert_file || config->origins[SETTING_TLS_CERT_FILE] == CONFIG_BROKEN;
	bool key = *config->tls_key_file || config->origins[SETTING_TLS_KEY_FILE] == CONFIG_BROKEN;

	if (certificate && !key)
		refuse(check, SETTING_TLS_CERT_FILE, "is set without AGENTD_TLS_KEY_FILE; set both for TLS or neither");
	else if (key && !certificate)
		refuse(check, SETTING_TLS_KEY_FILE, "is set without AGENTD_TLS_CERT_FILE; set both for TLS or neither");
}

static void
check_redis(struct check *check)
{
	struct cache_address address;
	const char *wrong = *check->config->redis_url ? cache_address_parse(check->config->redis_url, &address) : NULL;

	if (wrong)
		refuse(check, SETTING_REDIS_URL, wrong);
	explicit_bzero(&address, sizeof(address));
}

#define MAKE_KEY "make one with `openssl genpkey -algorithm ed25519`"

/* The algorithm of a key in PEM, or NULL: the setting was refused. */
static const char *
check_pem(struct check *check, enum config_setting setting, const char *pem, bool signs)
{
	const char *why, *algorithm;
	struct jws_key *key = jws_key_of_pem(slice_of(pem), NULL, &why);
	char text[160];

	if (key && signs && !jws_key_can_sign(key))
		why = "is a public key, which cannot sign";
	if (why) {
		snprintf(text, sizeof(text), "%s; " MAKE_KEY, why);
		refuse(check, setting, text);
	}
	algorithm = why ? NULL : jws_key_algorithm(key);
	jws_key_free(key);
	return algorithm;
}

static void
check_token_keys(struct check *check)
{
	static const char *const names[] = {
	    [JWT_HS256] = "HS256", [JWT_EDDSA] = "EdDSA", [JWT_ES256] = "ES256", [JWT_RS256] = "RS256"};
	const struct config *config = check->config;
	const char *algorithm = *config->jwt_key ? check_pem(check, SETTING_JWT_KEY, config->jwt_key, true) : NULL;

	if (config->origins[SETTING_JWT_ALGORITHM] == CONFIG_BROKEN)
		return;
	if (*config->jwt_key && config->jwt_algorithm == JWT_HS256)
		refuse(check, SETTING_JWT_KEY, "is not used by AGENTD_JWT_ALGORITHM=HS256; choose the key's algorithm, or unset it");
	else if (!*config->jwt_key && config->jwt_algorithm != JWT_HS256)
		refuse(check, SETTING_JWT_KEY, "is needed by AGENTD_JWT_ALGORITHM; set it, or the same name with _FILE; " MAKE_KEY);
	else if (algorithm && strcmp(algorithm, names[config->jwt_algorithm]) != 0)
		refuse(check, SETTING_JWT_KEY, "is a key of another algorithm than AGENTD_JWT_ALGORITHM says; set the one or the other");
	if (*config->jwt_previous_key)
		(void)check_pem(check, SETTING_JWT_PREVIOUS_KEY, config->jwt_previous_key, false);
}

static void
check_origins(struct check *check, enum config_setting setting, const char *list)
{
	if (strcmp(list, "*") == 0) {
		refuse(check, setting,
		       "is no origin: these are compared letter by letter; list the origins, or choose "
		       "AGENTD_CORS_POLICY=public for answers that anyone may read");
		return;
	}
	for (const char *at = list; at && *list; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		if (!origin_is_valid((struct slice){at, strcspn(at, ",")})) {
			refuse(
			    check, setting,
			    "is not a list of origins; write each as scheme://host[:port] in lower case, without a path, and put a "
			    "comma and no space between them");
			return;
		}
	}
}

static void
check_proxies(struct check *check)
{
	const struct config *config = check->config;
	struct cidr_list list;
	struct slice bad;

	if (!cidr_list_parse(slice_of(config->trusted_proxies), &list, &bad)) {
		refuse(
		    check, SETTING_TRUSTED_PROXIES,
		    "is not a list of addresses and ranges; write each as 10.1.2.3, 10.0.0.0/8 or 2001:db8::/32, with no bits "
		    "set behind the prefix");
		return;
	}
	if (config->proxy_protocol && list.count == 0 && config->origins[SETTING_TRUSTED_PROXIES] != CONFIG_BROKEN)
		refuse(check, SETTING_PROXY_PROTOCOL,
		       "is on without AGENTD_TRUSTED_PROXIES, so that nobody may send the header; list the proxies there");
	cidr_list_free(&list);
}

static void
check_log_levels(struct check *check)
{
	struct buf why = {0};

	if (!log_levels_check(check->config->log_levels, &why)) {
		buf_add_byte(&why, '\0');
		refuse(check, SETTING_LOG_LEVELS, why.data);
	}
	buf_free(&why);
}

static void
check_traces(struct check *check)
{
	const char *url = check->config->trace_endpoint, *rest = check->config->trace_headers;
	char line[2048];
	bool wrong;

	if ((strncmp(url, "http://", 7) != 0 && strncmp(url, "https://", 8) != 0) || strpbrk(url, " @\t"))
		refuse(check, SETTING_TRACE_ENDPOINT,
		       "is not the address of a collector; write it as http://host:4318/v1/traces, without user and password "
		       "(AGENTD_TRACE_HEADERS takes those)");
	while (otlp_header(&rest, line, sizeof(line), &wrong))
		;
	if (wrong)
		refuse(
		    check, SETTING_TRACE_HEADERS,
		    "is not a list of headers; write name=value,name=value, and in a value %20 for a space, %2C for a comma");
	explicit_bzero(line, sizeof(line));
}

static void
check_backups(struct check *check)
{
	const struct config *config = check->config;
	struct backup_plan plan;
	const char *why;

	if (*config->backup_schedule && !backup_plan_parse(slice_of(config->backup_schedule), &plan, &why))
		refuse(check, SETTING_BACKUP_SCHEDULE, why);
	else if (*config->backup_schedule && !*config->backup_dir)
		refuse(check, SETTING_BACKUP_SCHEDULE, "is set without AGENTD_BACKUP_DIR; say where the backups are to go");
	if (*config->backup_dir && *config->backup_dir != '/')
		refuse(check, SETTING_BACKUP_DIR, "is not an absolute path");
}

static void
check_webhooks(struct check *check)
{
	struct cidr_list list;
	struct slice bad;

	if (cidr_list_parse(slice_of(check->config->webhook_allowed_ranges), &list, &bad))
		cidr_list_free(&list);
	else
		refuse(check, SETTING_WEBHOOK_ALLOWED_RANGES,
		       "is not a list of addresses and ranges; write each as 10.1.2.3, 10.0.0.0/8 or fd00::/8, with no bits set "
		       "behind the prefix");
}

void
config_check(const struct config *config, bool environment_known, struct config_errors *errors)
{
	struct check check = {config, errors, environment_known && config->environment >= ENVIRONMENT_STAGING};
	size_t password = strlen(config->admin_password);

	check_database(&check);
	check_tls(&check);
	check_proxies(&check);
	check_webhooks(&check);
	check_redis(&check);
	check_log_levels(&check);
	check_traces(&check);
	check_secret(&check, SETTING_SECRET, config->secret);
	check_secret(&check, SETTING_PREVIOUS_SECRET, config->previous_secret);
	check_secret(&check, SETTING_BACKUP_KEY, config->backup_key);
	check_backups(&check);
	check_token_keys(&check);
	if (check.strict && password > 0 && password < PASSWORD_LEAST)
		refuse(&check, SETTING_ADMIN_PASSWORD,
		       "is shorter than 12 characters; staging and production need at least that");
	check_origins(&check, SETTING_CORS_ORIGINS, config->cors_origins);
	check_origins(&check, SETTING_CORS_INTERNAL_ORIGINS, config->cors_internal_origins);
	if (environment_known && config->environment != ENVIRONMENT_TESTING && *config->test_clock)
		refuse(&check, SETTING_TEST_CLOCK, "moves time and is only for AGENTD_ENV=testing; unset it");
	if (environment_known && config->environment != ENVIRONMENT_TESTING && config->test_breach)
		refuse(&check, SETTING_TEST_BREACH, "tries to break out and is only for AGENTD_ENV=testing; unset it");
}
