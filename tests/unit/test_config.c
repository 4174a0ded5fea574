/*
 * test_config.c - settings: what is loaded, what is refused and in which words, and that no secret is ever shown.
 */
#include "base.h"

#include "config.h"
#include "limit.h"
#include "log.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STRONG "Zq8vX2mKd7LwR4tYb9Nc3HsJf6GpTe1A"
#define STRONG_LINE "AGENTD_SECRET=" STRONG
#define DATABASE_LINE "DATABASE_URL=postgresql://u:hunter2hunter2@db/agentd"
#define PRODUCTION "AGENTD_ENV=production", STRONG_LINE, DATABASE_LINE

/* The variables of one case; the compound literal lives as long as the test. */
#define VARIABLES(...) ((char *const[]){__VA_ARGS__ __VA_OPT__(, ) NULL})

static struct config *
load(char *const *variables)
{
	struct config_errors errors;
	struct config *config = config_load(variables, false, &errors);

	for (size_t i = 0; i < errors.count; i++)
		print_error("%s\n", errors.messages[i]);
	assert_int_equal(errors.count, 0);
	assert_non_null(config);
	config_errors_free(&errors);
	return config;
}

static void
load_refused(char *const *variables, struct config_errors *errors_r)
{
	assert_null(config_load(variables, false, errors_r));
	assert_true(errors_r->count > 0);
}

/* Exactly one error, which is this sentence. */
static void
assert_refused(char *const *variables, const char *sentence)
{
	struct config_errors errors;

	load_refused(variables, &errors);
	assert_string_equal(errors.messages[0], sentence);
	assert_int_equal(errors.count, 1);
	config_errors_free(&errors);
}

/* Exactly one error, which contains both. */
static void
assert_refused_with(char *const *variables, const char *name, const char *part)
{
	struct config_errors errors;

	load_refused(variables, &errors);
	assert_int_equal(errors.count, 1);
	if (strncmp(errors.messages[0], name, strlen(name)) != 0 || !strstr(errors.messages[0], part))
		fail_msg("\"%s\" does not begin with \"%s\" and contain \"%s\"", errors.messages[0], name, part);
	config_errors_free(&errors);
}

static void
assert_loads(char *const *variables)
{
	config_free(load(variables));
}

/* What was written into file, which is closed. */
static char *
taken(FILE *file)
{
	size_t size = 1 << 17, length;
	char *text = mem_zero(size);

	rewind(file);
	length = fread(text, 1, size - 1, file);
	assert_true(length > 0 && length < size - 1);
	fclose(file);
	return text;
}

static char *
printed(const struct config *config)
{
	FILE *out = tmpfile();

	assert_non_null(out);
	config_print(config, out);
	return taken(out);
}

static char *
reference(enum config_reference format)
{
	FILE *out = tmpfile();

	assert_non_null(out);
	config_print_reference(out, format);
	return taken(out);
}

/* A new file in a new folder; forget() removes both. */
static char *
make_file(const char *content, size_t length)
{
	char folder[] = "/tmp/test_config.XXXXXX";
	char *path = mem_alloc(sizeof(folder) + 8);
	FILE *file;

	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(folder) + 8, "%s/file", folder);
	if (content) {
		file = fopen(path, "w");
		assert_non_null(file);
		assert_int_equal(fwrite(content, 1, length, file), length);
		assert_int_equal(fclose(file), 0);
	}
	return path;
}

static void
forget(char *path)
{
	unlink(path);
	*strrchr(path, '/') = '\0';
	rmdir(path);
	free(path);
}

/* "NAME=path", to be freed. */
static char *
variable(const char *name, const char *value)
{
	char *text = NULL;

	assert_true(asprintf(&text, "%s=%s", name, value) > 0);
	return text;
}

static void
test_members_are_named_like_settings(UNUSED void **state)
{
	static const char *const names[][2] = {
#define CONFIG_GROUP(name, doc)
#define CONFIG(name, member, ...) {#name, #member},
#include "config.def"
	};

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		assert_int_equal(strlen(names[i][0]), strlen(names[i][1]));
		for (size_t j = 0; names[i][0][j]; j++)
			assert_int_equal(tolower(names[i][0][j]), names[i][1][j]);
	}
}

static void
test_defaults_of_development(UNUSED void **state)
{
	struct config *config = load(VARIABLES("HOME=/root", "PATH=/bin"));

	assert_int_equal(config->environment, ENVIRONMENT_DEVELOPMENT);
	assert_true(config->embedded);
	assert_string_equal(config->host, "127.0.0.1");
	assert_int_equal(config->port, 5000);
	assert_int_equal(config->workers, 1);
	assert_int_equal(config->log_level, LOG_LEVEL_DEBUG);
	assert_int_equal(config->log_format, LOG_FORMAT_JSON);
	assert_int_equal(config->cache_backend, CACHE_BACKEND_MEMORY);
	assert_int_equal(config->cors_policy, CORS_DEVELOPMENT);
	assert_int_equal(config->rate_limit_strategy, LIMIT_TOKEN_BUCKET);
	assert_true(config->metrics);
	assert_false(config->tracing);
	assert_true(config->trace_sample_rate == 0.1);
	assert_string_equal(config->secret, "");
	assert_null(config_database_url(config));
	config_free(config);
}

static void
test_defaults_of_testing(UNUSED void **state)
{
	struct config *config = load(VARIABLES("AGENTD_ENV=testing"));

	assert_int_equal(config->environment, ENVIRONMENT_TESTING);
	assert_true(config->embedded);
	assert_int_equal(config->port, 5001);
	assert_int_equal(config->workers, 1);
	assert_int_equal(config->log_level, LOG_LEVEL_WARNING);
	assert_int_equal(config->cors_policy, CORS_OFF);
	assert_false(config->metrics);
	config_free(config);
}

static void
test_defaults_of_staging(UNUSED void **state)
{
	struct config *config = load(VARIABLES("AGENTD_ENV=staging", STRONG_LINE, "AGENTD_DB_HOST=db"));

	assert_int_equal(config->environment, ENVIRONMENT_STAGING);
	assert_false(config->embedded);
	assert_string_equal(config->host, "0.0.0.0");
	assert_int_equal(config->workers, 2);
	assert_int_equal(config->log_level, LOG_LEVEL_INFO);
	assert_int_equal(config->cache_backend, CACHE_BACKEND_REDIS);
	assert_int_equal(config->cors_policy, CORS_INTERNAL);
	assert_int_equal(config->jwt_lifetime_s, 900);
	config_free(config);
}

static void
test_defaults_of_production(UNUSED void **state)
{
	struct config *config = load(VARIABLES(PRODUCTION));

	assert_int_equal(config->environment, ENVIRONMENT_PRODUCTION);
	assert_false(config->embedded);
	assert_int_equal(config->workers, 4);
	assert_int_equal(config->port, 5000);
	assert_int_equal(config->cors_policy, CORS_PRODUCTION);
	assert_int_equal(config->cache_backend, CACHE_BACKEND_REDIS);
	assert_string_equal(config->secret, STRONG);
	assert_string_equal(config->state_dir, "/var/lib/agentd");
	config_free(config);
}

static void
test_embedded(UNUSED void **state)
{
	struct config_errors errors;
	struct config *config = load(VARIABLES("AGENTD_DB_HOST=db"));

	assert_false(config->embedded);
	config_free(config);
	config = config_load(VARIABLES("AGENTD_ENV=production", STRONG_LINE), true, &errors);
	assert_non_null(config);
	assert_true(config->embedded);
	config_free(config);
	config = config_load(VARIABLES(PRODUCTION), true, &errors);
	assert_non_null(config);
	assert_true(config->embedded);
	assert_null(config_database_url(config));
	config_free(config);
}

static void
test_variables_override(UNUSED void **state)
{
	struct config *config =
	    load(VARIABLES("AGENTD_PORT=0", "AGENTD_HOST=::1", "AGENTD_METRICS=No", "AGENTD_TRACING=1",
	                   "AGENTD_LOG_LEVEL=ERROR", "AGENTD_LOG_FORMAT=text", "AGENTD_TRACE_SAMPLE_RATE=0.25",
	                   "AGENTD_CORS_POLICY=public", "AGENTD_RATE_LIMIT_STRATEGY=sliding_window"));

	assert_int_equal(config->port, 0);
	assert_string_equal(config->host, "::1");
	assert_false(config->metrics);
	assert_true(config->tracing);
	assert_int_equal(config->log_level, LOG_LEVEL_ERROR);
	assert_int_equal(config->log_format, LOG_FORMAT_TEXT);
	assert_true(config->trace_sample_rate == 0.25);
	assert_int_equal(config->cors_policy, CORS_PUBLIC);
	assert_int_equal(config->rate_limit_strategy, LIMIT_SLIDING_WINDOW);
	config_free(config);
}

static void
test_switch_words(UNUSED void **state)
{
	static const struct {
		char *line;
		bool on;
	} cases[] = {{"AGENTD_TRACING=on", true},     {"AGENTD_TRACING=off", false}, {"AGENTD_TRACING=true", true},
	             {"AGENTD_TRACING=false", false}, {"AGENTD_TRACING=1", true},    {"AGENTD_TRACING=0", false},
	             {"AGENTD_TRACING=yes", true},    {"AGENTD_TRACING=no", false}};

	for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
		struct config *config = load(VARIABLES(cases[i].line));

		assert_int_equal(config->tracing, cases[i].on);
		config_free(config);
	}
	assert_refused(VARIABLES("AGENTD_TRACING=maybe"),
	               "AGENTD_TRACING=\"maybe\" is not one of the choices; use off, on, false, true, 0, 1, no or yes");
	assert_refused_with(VARIABLES("AGENTD_TRACING="), "AGENTD_TRACING=\"\"", "use off, on");
}

static void
test_names_without_prefix(UNUSED void **state)
{
	struct config *config = load(VARIABLES("PORT=8080", "DATABASE_URL=postgres://a/b", "REDIS_URL=redis://r"));
	char *url = config_database_url(config);

	assert_int_equal(config->port, 8080);
	assert_string_equal(url, "postgres://a/b");
	assert_string_equal(config->redis_url, "redis://r");
	assert_false(config->embedded);
	free(url);
	config_free(config);
	config = load(VARIABLES("PORT=8080", "AGENTD_PORT=9090", "DATABASE_URL=", "HOST=elsewhere"));
	assert_int_equal(config->port, 9090);
	assert_true(config->embedded);
	assert_string_equal(config->host, "127.0.0.1");
	config_free(config);
	assert_loads(VARIABLES("PORT="));
	assert_refused(VARIABLES("PORT=http"), "PORT=\"http\" is not a whole decimal number; use one from 0 to 65535");
}

static void
test_whole_numbers(UNUSED void **state)
{
	static char *const not_numbers[] = {
	    "AGENTD_WORKERS=",    "AGENTD_WORKERS=-",  "AGENTD_WORKERS=+1",  "AGENTD_WORKERS= 1",  "AGENTD_WORKERS=1 ",
	    "AGENTD_WORKERS=0x1", "AGENTD_WORKERS=01", "AGENTD_WORKERS=1e1", "AGENTD_WORKERS=1.0", "AGENTD_WORKERS=two"};

	for (size_t i = 0; i < ARRAY_LENGTH(not_numbers); i++)
		assert_refused_with(VARIABLES(not_numbers[i]), "AGENTD_WORKERS=\"",
		                    "is not a whole decimal number; use one from 0 to 256");
	assert_refused(VARIABLES("AGENTD_WORKERS=257"), "AGENTD_WORKERS=\"257\" is too large; use one from 0 to 256");
	assert_refused(VARIABLES("AGENTD_WORKERS=-1"), "AGENTD_WORKERS=\"-1\" is too small; use one from 0 to 256");
	assert_refused_with(VARIABLES("AGENTD_WORKERS=18446744073709551617"), "AGENTD_WORKERS=\"1844", "is too large");
	assert_refused_with(VARIABLES("AGENTD_WORKERS=-99999999999999999999"), "AGENTD_WORKERS=\"-9999", "is too small");
	assert_loads(VARIABLES("AGENTD_WORKERS=256"));
}

static void
test_ratios(UNUSED void **state)
{
	static char *const wrong[] = {
	    "AGENTD_TRACE_SAMPLE_RATE=",    "AGENTD_TRACE_SAMPLE_RATE=1.01", "AGENTD_TRACE_SAMPLE_RATE=.5",
	    "AGENTD_TRACE_SAMPLE_RATE=1.",  "AGENTD_TRACE_SAMPLE_RATE=-0.5", "AGENTD_TRACE_SAMPLE_RATE=nan",
	    "AGENTD_TRACE_SAMPLE_RATE=0,5", "AGENTD_TRACE_SAMPLE_RATE=1e-1", "AGENTD_TRACE_SAMPLE_RATE=0.1.2"};
	struct config *config;

	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++)
		assert_refused_with(VARIABLES(wrong[i]), "AGENTD_TRACE_SAMPLE_RATE=\"", "is not a decimal number from 0 to 1");
	config = load(VARIABLES("AGENTD_TRACE_SAMPLE_RATE=1"));
	assert_true(config->trace_sample_rate == 1.0);
	config_free(config);
}

static void
test_texts(UNUSED void **state)
{
	char long_user[128];

	snprintf(long_user, sizeof(long_user), "AGENTD_USER=%065d", 0);
	assert_refused_with(VARIABLES(long_user), "AGENTD_USER=\"0000", "is too long; use at most 64 bytes");
	assert_refused_with(VARIABLES("AGENTD_HOST="), "AGENTD_HOST=\"\"", "is empty");
	assert_refused_with(VARIABLES("AGENTD_LOG_FILE=a\nb"), "AGENTD_LOG_FILE=\"a\\x0ab\"", "control character (byte 2)");
	assert_refused_with(VARIABLES("AGENTD_LOG_FILE=\x7f"), "AGENTD_LOG_FILE=\"\\x7f\"", "control character (byte 1)");
	assert_loads(VARIABLES("AGENTD_LOG_FILE="));
}

static void
test_choices(UNUSED void **state)
{
	assert_refused(VARIABLES("AGENTD_LOG_LEVEL=loud"),
	               "AGENTD_LOG_LEVEL=\"loud\" is not one of the choices; use debug, info, warning or error");
	assert_refused(VARIABLES("AGENTD_ENV=prod"),
	               "AGENTD_ENV=\"prod\" is not an environment; use development, testing, staging or production");
	assert_refused_with(VARIABLES("AGENTD_ENV="), "AGENTD_ENV=\"\"", "development, testing, staging or production");
}

static void
test_unknown_names(UNUSED void **state)
{
	assert_refused(VARIABLES("AGENTD_PROT=1"), "AGENTD_PROT is not a setting; did you mean AGENTD_PORT?");
	assert_refused(VARIABLES("AGENTD_SECERT=" STRONG), "AGENTD_SECERT is not a setting; did you mean AGENTD_SECRET?");
	assert_refused(VARIABLES("AGENTD_SECRET_FIEL=x"),
	               "AGENTD_SECRET_FIEL is not a setting; did you mean AGENTD_SECRET_FILE?");
	assert_refused(VARIABLES("AGENTD_EMV=testing"), "AGENTD_EMV is not a setting; did you mean AGENTD_ENV?");
	assert_refused(VARIABLES("AGENTD_PORT_FILE=x"),
	               "AGENTD_PORT_FILE is not a setting; only secrets are read from files: set the name without _FILE");
	assert_refused_with(VARIABLES("AGENTD_=1"), "AGENTD_ is not a setting", "unset it");
	assert_refused_with(VARIABLES("AGENTD_XYZZY_PLUGH_FROTZ=1"), "AGENTD_XYZZY_PLUGH_FROTZ is not a setting",
	                    "unset it");
	assert_refused_with(VARIABLES("AGENTD_A_NAME_THAT_IS_LONGER_THAN_ANY_THAT_WE_EVER_COMPARE=1"), "AGENTD_A_NAME",
	                    "unset it");
	assert_loads(VARIABLES("AGENT=1", "XAGENTD_PORT=2", "agentd_port=3"));
	assert_loads(VARIABLES("AGENTD_TASK_ID=1", "AGENTD_LEASE_EPOCH=2", "AGENTD_ROLE=x", "AGENTD_DEADLINE=y"));
	assert_refused_with(VARIABLES("AGENTD_TASK_IDS=1"), "AGENTD_TASK_IDS is not a setting", "unset it");
}

static void
test_all_errors_at_once(UNUSED void **state)
{
	struct config_errors errors;

	load_refused(VARIABLES("AGENTD_ENV=production", "AGENTD_PORT=x", "AGENTD_WORKERS=999", "AGENTD_BOGUS_NAME=1",
	                       "AGENTD_TLS_CERT_FILE=c.pem", "AGENTD_METRICS=perhaps", "AGENTD_LOG_LEVEL=loud",
	                       "AGENTD_CORS_ORIGINS=*", "AGENTD_ADMIN_PASSWORD=short", "AGENTD_TEST_CLOCK=/tmp/x"),
	             &errors);
	/* Those nine, and that SECRET and a database are missing. */
	assert_int_equal(errors.count, 11);
	config_errors_free(&errors);
}

static void
test_strict_needs_secret_and_database(UNUSED void **state)
{
	static char *const environments[] = {"AGENTD_ENV=staging", "AGENTD_ENV=production"};
	static const char wanted[] = "is required in staging and production";

	for (size_t i = 0; i < ARRAY_LENGTH(environments); i++) {
		assert_refused_with(VARIABLES(environments[i], DATABASE_LINE), "AGENTD_SECRET ", wanted);
		assert_refused_with(VARIABLES(environments[i], DATABASE_LINE, "AGENTD_SECRET="), "AGENTD_SECRET ", wanted);
		assert_refused_with(VARIABLES(environments[i], STRONG_LINE), "AGENTD_DATABASE_URL ", wanted);
	}
	assert_loads(VARIABLES("AGENTD_ENV=development"));
	assert_loads(VARIABLES("AGENTD_ENV=testing"));
}

static void
test_weak_secrets(UNUSED void **state)
{
	static char *const weak[] = {
	    "AGENTD_SECRET=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	    "AGENTD_SECRET=please-ChangeMe-before-you-go-live-1234",
	    "AGENTD_SECRET=my-super-SECRET-key-for-agents-98765",
	    "AGENTD_SECRET=development-Zq8vX2mKd7LwR4tYb9Nc3",
	    "AGENTD_SECRET=121212121212121212121212121212123456789",
	    "AGENTD_SECRET=Zq8vX2mKd7LwZq8vX2mKd7LwZq8vX2mKd7Lw",
	    "AGENTD_SECRET=abababcdabcdefabcdefabcabcdefaaabbbcccddd",
	};

	for (size_t i = 0; i < ARRAY_LENGTH(weak); i++) {
		assert_refused_with(VARIABLES("AGENTD_ENV=production", DATABASE_LINE, weak[i]), "AGENTD_SECRET ",
		                    "openssl rand");
		assert_refused_with(VARIABLES("AGENTD_ENV=staging", DATABASE_LINE, weak[i]), "AGENTD_SECRET ", "openssl rand");
		assert_loads(VARIABLES(weak[i]));
	}
	assert_refused_with(VARIABLES(PRODUCTION, "AGENTD_PREVIOUS_SECRET=changeme-changeme-changeme-changeme"),
	                    "AGENTD_PREVIOUS_SECRET ", "openssl rand");
}

static void
test_short_secrets_everywhere(UNUSED void **state)
{
	static char *const environments[] = {"AGENTD_ENV=development", "AGENTD_ENV=testing", "AGENTD_ENV=staging",
	                                     "AGENTD_ENV=production"};

	for (size_t i = 0; i < ARRAY_LENGTH(environments); i++)
		assert_refused(VARIABLES(environments[i], DATABASE_LINE, "AGENTD_SECRET=Zq8vX2mKd7LwR4tYb9Nc3HsJf6GpTe1"),
		               "AGENTD_SECRET is shorter than 32 characters; make one with `openssl rand -base64 48`");
}

static void
test_admin_password(UNUSED void **state)
{
	assert_refused_with(VARIABLES(PRODUCTION, "AGENTD_ADMIN_PASSWORD=elevenchars"), "AGENTD_ADMIN_PASSWORD ",
	                    "12 characters");
	assert_loads(VARIABLES(PRODUCTION, "AGENTD_ADMIN_PASSWORD=twelve-chars"));
	assert_loads(VARIABLES("AGENTD_ADMIN_PASSWORD=short"));
}

static void
test_trusted_proxies(UNUSED void **state)
{
	assert_refused_with(VARIABLES("AGENTD_TRUSTED_PROXIES=10.0.0.1/8"), "AGENTD_TRUSTED_PROXIES=\"10.0.0.1/8\"",
	                    "is not a list of addresses and ranges");
	assert_refused_with(VARIABLES("AGENTD_TRUSTED_PROXIES=10.0.0.0/8,proxy.example"), "AGENTD_TRUSTED_PROXIES",
	                    "is not a list of addresses and ranges");
	assert_refused_with(VARIABLES("AGENTD_PROXY_PROTOCOL=on"), "AGENTD_PROXY_PROTOCOL", "AGENTD_TRUSTED_PROXIES");
	assert_loads(VARIABLES("AGENTD_PROXY_PROTOCOL=on", "AGENTD_TRUSTED_PROXIES=10.0.0.0/8, ::1"));
}

static void
test_tls_files_only_together(UNUSED void **state)
{
	assert_refused(VARIABLES("AGENTD_TLS_CERT_FILE=c.pem"),
	               "AGENTD_TLS_CERT_FILE=\"c.pem\" is set without AGENTD_TLS_KEY_FILE; set both for TLS or neither");
	assert_refused_with(VARIABLES("AGENTD_TLS_KEY_FILE=k.pem"), "AGENTD_TLS_KEY_FILE=\"k.pem\"",
	                    "AGENTD_TLS_CERT_FILE");
	assert_loads(VARIABLES("AGENTD_TLS_CERT_FILE=c.pem", "AGENTD_TLS_KEY_FILE=k.pem"));
}

static void
test_origins(UNUSED void **state)
{
	static const char *const wrong[] = {"https://a.example/",
	                                    "https://a.example/x",
	                                    "a.example",
	                                    "https://",
	                                    "https://A.example",
	                                    "https://a:",
	                                    "https://a:0",
	                                    "https://a:65536",
	                                    "https://a, https://b",
	                                    "https://a,",
	                                    ",https://a",
	                                    "https://a,*",
	                                    "https://u@a",
	                                    "https://[::1",
	                                    "https://*.a.example",
	                                    "null",
	                                    "://a"};
	static const char *const right[] = {"https://a.example", "http://localhost:3000",
	                                    "https://[::1]:8443,http://b-c.example", "https://a:65535"};

	for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
		char *line = variable("AGENTD_CORS_ORIGINS", wrong[i]);
		char *internal = variable("AGENTD_CORS_INTERNAL_ORIGINS", wrong[i]);

		assert_refused_with(VARIABLES(line), "AGENTD_CORS_ORIGINS=\"", "scheme://host[:port]");
		assert_refused_with(VARIABLES(internal), "AGENTD_CORS_INTERNAL_ORIGINS=\"", "scheme://host[:port]");
		free(line);
		free(internal);
	}
	for (size_t i = 0; i < ARRAY_LENGTH(right); i++) {
		char *line = variable("AGENTD_CORS_ORIGINS", right[i]);

		assert_loads(VARIABLES(PRODUCTION, line));
		free(line);
	}
	assert_refused_with(VARIABLES(PRODUCTION, "AGENTD_CORS_ORIGINS=*"), "AGENTD_CORS_ORIGINS=\"*\"",
	                    "is no origin");
	assert_refused_with(VARIABLES("AGENTD_CORS_ORIGINS=*"), "AGENTD_CORS_ORIGINS=\"*\"", "is no origin");
}

static void
test_clock_only_in_testing(UNUSED void **state)
{
	assert_loads(VARIABLES("AGENTD_ENV=testing", "AGENTD_TEST_CLOCK=/tmp/clock"));
	assert_refused_with(VARIABLES("AGENTD_TEST_CLOCK=/tmp/clock"), "AGENTD_TEST_CLOCK=\"/tmp/clock\"",
	                    "AGENTD_ENV=testing");
	assert_refused_with(VARIABLES(PRODUCTION, "AGENTD_TEST_CLOCK=/tmp/clock"),
	                    "AGENTD_TEST_CLOCK=", "AGENTD_ENV=testing");
}

static void
test_database_url_form(UNUSED void **state)
{
	assert_refused_with(VARIABLES("DATABASE_URL=postgresql+psycopg2://u:pw@h/d"), "DATABASE_URL ",
	                    "begin with postgresql://");
	assert_refused_with(VARIABLES("AGENTD_DATABASE_URL=agentd"), "AGENTD_DATABASE_URL ", "begin with postgresql://");
	assert_loads(VARIABLES("AGENTD_DATABASE_URL=host=/run/postgresql dbname=agentd"));
}

static void
test_database_keywords(UNUSED void **state)
{
	struct config *config =
	    load(VARIABLES("AGENTD_DB_HOST=/run/my sockets", "AGENTD_DB_PORT=5433", "AGENTD_DB_USER=o'brien",
	                   "AGENTD_DB_PASSWORD=a\\b' host='evil", "AGENTD_DB_NAME=work"));
	char *url = config_database_url(config);

	assert_string_equal(url, "host='/run/my sockets' port=5433 user='o\\'brien' dbname='work' "
	                         "password='a\\\\b\\' host=\\'evil'");
	free(url);
	config_free(config);
	config = load(VARIABLES("AGENTD_DB_HOST=db"));
	url = config_database_url(config);
	assert_string_equal(url, "host='db' port=5432 user='agentd' dbname='agentd'");
	free(url);
	config_free(config);
}

static void
test_secret_from_file(UNUSED void **state)
{
	static const char *const contents[] = {STRONG, STRONG "\n", STRONG "\r\n"};

	for (size_t i = 0; i < ARRAY_LENGTH(contents); i++) {
		char *path = make_file(contents[i], strlen(contents[i]));
		char *line = variable("AGENTD_SECRET_FILE", path);
		struct config *config = load(VARIABLES(line));

		assert_string_equal(config->secret, STRONG);
		config_free(config);
		free(line);
		forget(path);
	}
}

static void
test_secret_from_pipe(UNUSED void **state)
{
	char *path = make_file(NULL, 0);
	char *line = variable("AGENTD_SECRET_FILE", path);
	struct config *config;
	int status;
	pid_t writer;

	assert_int_equal(mkfifo(path, 0600), 0);
	writer = fork();
	if (writer == 0) {
		FILE *pipe = fopen(path, "w");

		_exit(pipe && fputs(STRONG "\n", pipe) >= 0 && fclose(pipe) == 0 ? 0 : 1);
	}
	config = load(VARIABLES(line));
	assert_string_equal(config->secret, STRONG);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
	config_free(config);
	free(line);
	forget(path);
}

/* What such a file holds is refused with this reason, in words that name the file but not its content. */
static void
assert_file_refused(const char *content, size_t length, const char *reason)
{
	char *path = make_file(content, length);
	char *line = variable("AGENTD_DB_PASSWORD_FILE", path);
	struct config_errors errors;

	load_refused(VARIABLES(line), &errors);
	assert_int_equal(errors.count, 1);
	assert_non_null(strstr(errors.messages[0], "AGENTD_DB_PASSWORD_FILE"));
	if (!strstr(errors.messages[0], reason))
		fail_msg("\"%s\" does not say \"%s\"", errors.messages[0], reason);
	assert_null(strstr(errors.messages[0], "hunter2"));
	config_errors_free(&errors);
	free(line);
	forget(path);
}

static void
test_secret_files_refused(UNUSED void **state)
{
	char large[4096];

	memset(large, 'x', sizeof(large));
	assert_file_refused("hunter2\0hunter2", 15, "zero byte");
	assert_file_refused("hunter2\nhunter2\n", 16, "control character");
	assert_file_refused("\n", 1, "empty");
	assert_file_refused("", 0, "empty");
	assert_file_refused(large, sizeof(large), "too long; use at most 1024 bytes");
	assert_file_refused(NULL, 0, "No such file");
	assert_refused_with(VARIABLES("AGENTD_SECRET_FILE=/"), "AGENTD_SECRET_FILE=\"/\"",
	                    "neither a regular file nor a pipe");
	assert_refused_with(VARIABLES("AGENTD_SECRET_FILE=/dev/zero"),
	                    "AGENTD_SECRET_FILE=", "neither a regular file nor a pipe");
	assert_refused_with(VARIABLES("AGENTD_SECRET_FILE="), "AGENTD_SECRET_FILE=\"\"", "must name a file");
	assert_refused(VARIABLES(STRONG_LINE, "AGENTD_SECRET_FILE=/x"),
	               "AGENTD_SECRET_FILE is set, and so is the same name without _FILE; set only one of the two");
	/* One broken secret is one error, not also a missing one. */
	assert_refused_with(VARIABLES("AGENTD_ENV=production", DATABASE_LINE, "AGENTD_SECRET_FILE=/"),
	                    "AGENTD_SECRET_FILE=", "neither");
}

static void
test_file_at_its_bound(UNUSED void **state)
{
	char largest[1025];
	char *path, *line;
	struct config *config;

	memset(largest, 'x', 1024);
	largest[1024] = '\n';
	path = make_file(largest, sizeof(largest));
	line = variable("AGENTD_DB_PASSWORD_FILE", path);
	config = load(VARIABLES(line));
	assert_int_equal(strlen(config->db_password), 1024);
	config_free(config);
	free(line);
	forget(path);
}

static void
test_errors_never_show_secrets(UNUSED void **state)
{
	static const char *const secrets[] = {"SECRET",    "PREVIOUS_SECRET", "DATABASE_URL",  "DB_PASSWORD",
	                                      "REDIS_URL", "REDIS_PASSWORD",  "ADMIN_PASSWORD"};

	for (size_t i = 0; i < ARRAY_LENGTH(secrets); i++) {
		char line[128];
		struct config_errors errors;

		snprintf(line, sizeof(line), "AGENTD_%s=hunter2\n", secrets[i]);
		load_refused(VARIABLES("AGENTD_ENV=production", line), &errors);
		for (size_t j = 0; j < errors.count; j++)
			assert_null(strstr(errors.messages[j], "hunter2"));
		config_errors_free(&errors);
	}
}

static void
test_errors_are_one_printable_line(UNUSED void **state)
{
	char long_value[600];
	struct config_errors errors;

	snprintf(long_value, sizeof(long_value), "AGENTD_PORT=\x1b[2J\n%0500d", 0);
	load_refused(VARIABLES(long_value, "AGENTD_\nFORGED: all is well=1"), &errors);
	assert_int_equal(errors.count, 2);
	for (size_t i = 0; i < errors.count; i++) {
		assert_null(strpbrk(errors.messages[i], "\n\x1b"));
		assert_true(strlen(errors.messages[i]) < 300);
	}
	assert_non_null(strstr(errors.messages[0], "\\x1b[2J\\x0a"));
	config_errors_free(&errors);
}

/* The line of the setting, cut at its end; the caller frees text. */
static const char *
line_of(char *text, const char *name)
{
	char *line = strstr(text, name);

	assert_non_null(line);
	line[strcspn(line, "\n")] = '\0';
	return line;
}

static void
assert_line(const struct config *config, const char *name, const char *value, const char *source)
{
	char *text = printed(config);
	const char *line = line_of(text, name);

	if (!strstr(line, value) || strlen(line) < strlen(source) ||
	    strcmp(line + strlen(line) - strlen(source), source) != 0)
		fail_msg("\"%s\" does not show \"%s\" from \"%s\"", line, value, source);
	free(text);
}

static void
test_print(UNUSED void **state)
{
	char *path = make_file("hunter2", 7);
	char *line = variable("AGENTD_DB_PASSWORD_FILE", path);
	struct config *config = load(VARIABLES(PRODUCTION, line, "PORT=8080", "AGENTD_HOST=::1", "AGENTD_CACHE_TTL_S=5"));
	char *text = printed(config);

	assert_null(strstr(text, "hunter2"));
	assert_null(strstr(text, STRONG));
	assert_line(config, "environment ", "production", "production");
	assert_line(config, "database ", "external", "external");
	assert_line(config, "AGENTD_HOST ", "::1", "  AGENTD_HOST");
	assert_line(config, "AGENTD_PORT ", "8080", "  PORT");
	assert_line(config, "AGENTD_WORKERS ", "4", "  default");
	assert_line(config, "AGENTD_SECRET ", "(set)", "  AGENTD_SECRET");
	assert_line(config, "AGENTD_ADMIN_PASSWORD ", "(not set)", "  default");
	assert_line(config, "AGENTD_DB_PASSWORD ", "(set)", "  file (AGENTD_DB_PASSWORD_FILE)");
	assert_line(config, "AGENTD_DATABASE_URL ", "(set)", "  DATABASE_URL");
	assert_line(config, "AGENTD_CACHE_TTL_S ", "5", "  AGENTD_CACHE_TTL_S, not in effect yet");
	assert_line(config, "AGENTD_TRACE_SAMPLE_RATE ", "0.1", "  default");
	assert_line(config, "AGENTD_LOG_FILE ", "(empty)", "  default");
	free(text);
	config_free(config);
	free(line);
	forget(path);
}

static void
test_scrub(void **state UNUSED)
{
	char home[] = "HOME=/root", secret[] = STRONG_LINE, plain[] = DATABASE_LINE, file[] = "AGENTD_SECRET_FILE=/run/s";
	char longer[] = "AGENTD_SECRETS=x", port[] = "AGENTD_PORT=1";
	char *variables[] = {secret, home, plain, file, longer, port, NULL};

	config_scrub(variables);
	assert_ptr_equal(variables[0], home);
	assert_ptr_equal(variables[1], file);
	assert_ptr_equal(variables[2], longer);
	assert_ptr_equal(variables[3], port);
	assert_null(variables[4]);
	for (size_t i = 0; i < sizeof(secret); i++)
		assert_int_equal(secret[i], 0);
	for (size_t i = 0; i < sizeof(plain); i++)
		assert_int_equal(plain[i], 0);
	assert_string_equal(home, "HOME=/root");
}

static void
test_forget(void **state UNUSED)
{
	struct config *config = load(VARIABLES(PRODUCTION));

	config_forget(config, SETTING_SECRET);
	assert_string_equal(config->secret, "");
	assert_string_not_equal(config->database_url, "");
	config_free(config);
}

static void
test_breach_is_for_tests_only(void **state UNUSED)
{
	assert_refused(VARIABLES("AGENTD_ENV=development", "AGENTD_TEST_BREACH=on"),
	               "AGENTD_TEST_BREACH=\"on\" tries to break out and is only for AGENTD_ENV=testing; unset it");
	config_free(load(VARIABLES("AGENTD_ENV=testing", "AGENTD_TEST_BREACH=on")));
}

static void
test_reference_names_every_setting(UNUSED void **state)
{
	static const char *const names[] = {
#define CONFIG_GROUP(name, doc)
#define CONFIG(name, ...) "AGENTD_" #name,
#include "config.def"
	};
	char *env = reference(CONFIG_REFERENCE_ENV), *markdown = reference(CONFIG_REFERENCE_MARKDOWN);

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
		char *assignment = variable(names[i], "");
		char row[80], commented[80];

		snprintf(commented, sizeof(commented), "\n#%s", assignment);
		snprintf(row, sizeof(row), "\n| `%s` |", names[i]);
		assert_non_null(strstr(env, commented));
		assert_non_null(strstr(markdown, row));
		free(assignment);
	}
	/* Nothing takes effect before someone removes a #. */
	for (const char *at = env; at && *at; at = strchr(at, '\n') ? strchr(at, '\n') + 1 : NULL)
		assert_true(*at == '#' || *at == '\n');
	assert_non_null(strstr(env, "#   default development: 5000, testing: 5001, staging: 5000, production: 5000\n"));
	free(env);
	free(markdown);
}

static void
test_example_in_the_tree_is_current(UNUSED void **state)
{
	const char *source = getenv("SOURCE_DIR");
	char *path = NULL, *expected = reference(CONFIG_REFERENCE_ENV), *found;
	size_t size = strlen(expected) + 4096, length;
	FILE *file;

	assert_true(asprintf(&path, "%s/contrib/agentd.env", source ? source : ".") > 0);
	file = fopen(path, "r");
	if (!file)
		fail_msg("%s cannot be read; set SOURCE_DIR to the top of the tree", path);
	found = mem_zero(size);
	length = fread(found, 1, size - 1, file);
	fclose(file);
	if (length != strlen(expected) || strcmp(found, expected) != 0)
		fail_msg("%s is not what shared/config.def says; write it again with `agentd config --example`", path);
	free(found);
	free(expected);
	free(path);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_members_are_named_like_settings),
	    cmocka_unit_test(test_defaults_of_development),
	    cmocka_unit_test(test_defaults_of_testing),
	    cmocka_unit_test(test_defaults_of_staging),
	    cmocka_unit_test(test_defaults_of_production),
	    cmocka_unit_test(test_embedded),
	    cmocka_unit_test(test_variables_override),
	    cmocka_unit_test(test_switch_words),
	    cmocka_unit_test(test_names_without_prefix),
	    cmocka_unit_test(test_whole_numbers),
	    cmocka_unit_test(test_ratios),
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_choices),
	    cmocka_unit_test(test_unknown_names),
	    cmocka_unit_test(test_all_errors_at_once),
	    cmocka_unit_test(test_strict_needs_secret_and_database),
	    cmocka_unit_test(test_weak_secrets),
	    cmocka_unit_test(test_short_secrets_everywhere),
	    cmocka_unit_test(test_admin_password),
	    cmocka_unit_test(test_tls_files_only_together),
	    cmocka_unit_test(test_trusted_proxies),
	    cmocka_unit_test(test_origins),
	    cmocka_unit_test(test_clock_only_in_testing),
	    cmocka_unit_test(test_database_url_form),
	    cmocka_unit_test(test_database_keywords),
	    cmocka_unit_test(test_secret_from_file),
	    cmocka_unit_test(test_secret_from_pipe),
	    cmocka_unit_test(test_secret_files_refused),
	    cmocka_unit_test(test_file_at_its_bound),
	    cmocka_unit_test(test_errors_never_show_secrets),
	    cmocka_unit_test(test_errors_are_one_printable_line),
	    cmocka_unit_test(test_print),
	    cmocka_unit_test(test_scrub),
	    cmocka_unit_test(test_forget),
	    cmocka_unit_test(test_breach_is_for_tests_only),
	    cmocka_unit_test(test_reference_names_every_setting),
	    cmocka_unit_test(test_example_in_the_tree_is_current),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
