/*
 * config.c - from the environment to struct config.
 *
 * Every variable is looked at before anything is refused, so that one start names all errors. A value that is refused
 * leaves its default in place and its origin CONFIG_BROKEN: later checks skip it rather than complain twice.
 */
#include "base.h"

#include "config.h"
#include "config_row.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_WAIT_MS = 10000, SHOWN_BYTES = 80, COMPARED_BYTES = 48 };

/* Escapes what could move a terminal's cursor or forge a line. */
static void
add_shown(struct buf *out, const char *text)
{
	for (size_t i = 0; text[i]; i++) {
		unsigned char byte = (unsigned char)text[i];

		if (i == SHOWN_BYTES) {
			buf_add_text(out, "...");
			return;
		}
		if (byte < 0x20 || byte == 0x7f)
			buf_printf(out, "\\x%02x", byte);
		else
			buf_add_byte(out, text[i]);
	}
}

void
config_error(struct config_errors *errors, const char *name, const char *value, const char *why)
{
	struct buf message = {0};

	add_shown(&message, name);
	if (value) {
		buf_add_text(&message, "=\"");
		add_shown(&message, value);
		buf_add_byte(&message, '"');
	}
	buf_printf(&message, " %s", why);
	buf_add_byte(&message, '\0');
	errors->messages = mem_grow(errors->messages, (errors->count + 1) * sizeof(*errors->messages));
	errors->messages[errors->count++] = message.data;
}

void
config_errors_free(struct config_errors *errors)
{
	for (size_t i = 0; i < errors->count; i++)
		free(errors->messages[i]);
	free(errors->messages);
	*errors = (struct config_errors){0};
}

static const char *
lookup(char *const *variables, const char *name)
{
	size_t length = strlen(name);

	for (; *variables; variables++)
		if (strncmp(*variables, name, length) == 0 && (*variables)[length] == '=')
			return *variables + length + 1;
	return NULL;
}

/* The bytes read, at most size; -1: errno says why. A pipe without a writer is waited for, but not for ever. */
static ssize_t
read_all(int fd, char *data, size_t size)
{
	size_t length = 0;

	while (length < size) {
		struct pollfd ready = {.fd = fd, .events = POLLIN};
		int count = poll(&ready, 1, FILE_WAIT_MS);
		ssize_t got;

		if (count == 0)
			errno = ETIMEDOUT;
		if (count == 0 || (count < 0 && errno != EINTR))
			return -1;
		if (count < 0)
			continue;
		got = read(fd, data + length, size - length);
		if (got == 0)
			break;
		if (got < 0 && errno != EAGAIN && errno != EINTR)
			return -1;
		length += got > 0 ? (size_t)got : 0;
	}
	return (ssize_t)length;
}

/* NULL, or why data does not hold the secret. One line end at the end is the editor's, not the secret's. */
static const char *
read_secret(const char *path, char *data, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	struct stat status;
	const char *problem = NULL;
	ssize_t got = 0;
	size_t length;

	if (fd < 0)
		return strerror(errno);
	if (fstat(fd, &status) != 0)
		problem = strerror(errno);
	else if (!S_ISREG(status.st_mode) && !S_ISFIFO(status.st_mode))
		problem = "it is neither a regular file nor a pipe";
	else if ((got = read_all(fd, data, size - 1)) < 0)
		problem = strerror(errno);
	close(fd);
	if (problem)
		return problem;
	length = MIN((size_t)got, size - 1);
	data[length] = '\0';
	if (strlen(data) != length)
		return "it contains a zero byte";
	if (length > 0 && data[length - 1] == '\n')
		data[--length] = '\0';
	if (length > 0 && data[length - 1] == '\r')
		data[--length] = '\0';
	return length == 0 ? "it is empty" : NULL;
}

struct loader {
	char *const *variables;
	struct config *config;
	struct config_errors *errors;
};

static void
parse(struct loader *loader, enum config_setting setting, enum config_origin origin, const char *text)
{
	const struct config_row *row = &config_rows[setting];
	char name[CONFIG_NAME_SIZE];
	struct buf why = {0};

	loader->config->origins[setting] = origin;
	if (!config_value_parse(row, text, loader->config, &why)) {
		buf_add_byte(&why, '\0');
		config_error(loader->errors, config_source(setting, origin, name), row->flags & CONFIG_SECRET ? NULL : text,
		             why.data);
		loader->config->origins[setting] = CONFIG_BROKEN;
	}
	buf_free(&why);
}

static void
parse_file(struct loader *loader, enum config_setting setting, const char *path)
{
	/* Room for a line end and for one byte too many, so that the length check sees what is too long. */
	size_t size = (size_t)config_rows[setting].max + 4;
	char *data = mem_zero(size);
	const char *problem = *path ? read_secret(path, data, size) : "it must name a file";
	char name[CONFIG_NAME_SIZE];
	struct buf why = {0};

	if (!problem) {
		parse(loader, setting, CONFIG_FROM_FILE, data);
	} else {
		buf_printf(
		    &why,
		    "does not name a file that holds the secret (%s); name a readable file or pipe with only the secret in it",
		    problem);
		buf_add_byte(&why, '\0');
		config_error(loader->errors, config_source(setting, CONFIG_FROM_FILE, name), path, why.data);
		loader->config->origins[setting] = CONFIG_BROKEN;
	}
	buf_free(&why);
	explicit_bzero(data, size);
	free(data);
}

static void
load_default(struct loader *loader, enum config_setting setting)
{
	const struct config_row *row = &config_rows[setting];
	struct buf why = {0};
	bool valid = config_value_parse(row, row->defaults[loader->config->environment], loader->config, &why);

	/* A default that its own row refuses is a mistake in config.def. */
	INVARIANT(valid);
	loader->config->origins[setting] = CONFIG_FROM_DEFAULT;
}

static void
load_setting(struct loader *loader, enum config_setting setting)
{
	const struct config_row *row = &config_rows[setting];
	char name[CONFIG_NAME_SIZE], file_name[CONFIG_NAME_SIZE];
	const char *own = lookup(loader->variables, config_source(setting, CONFIG_FROM_VARIABLE, name));
	const char *file = NULL, *plain = NULL;

	if (row->flags & CONFIG_SECRET)
		file = lookup(loader->variables, config_source(setting, CONFIG_FROM_FILE, file_name));
	if (row->flags & CONFIG_PLAIN_NAME)
		plain = lookup(loader->variables, row->name);
	load_default(loader, setting);
	if (own && file) {
		config_error(loader->errors, file_name, NULL,
		             "is set, and so is the same name without _FILE; set only one of the two");
		loader->config->origins[setting] = CONFIG_BROKEN;
	} else if (own) {
		parse(loader, setting, CONFIG_FROM_VARIABLE, own);
	} else if (file) {
		parse_file(loader, setting, file);
	} else if (plain && *plain) {
		parse(loader, setting, CONFIG_FROM_PLAIN, plain);
	}
}

static bool
load_environment(struct loader *loader)
{
	const char *text = lookup(loader->variables, CONFIG_PREFIX "ENV");
	int found = text ? config_choice_find(config_environments, text) : ENVIRONMENT_DEVELOPMENT;
	struct buf why = {0};

	if (found >= 0) {
		loader->config->environment = (enum environment)found;
		return true;
	}
	buf_add_text(&why, "is not an environment; use ");
	config_choice_list(&why, config_environments);
	buf_add_byte(&why, '\0');
	config_error(loader->errors, CONFIG_PREFIX "ENV", text, why.data);
	buf_free(&why);
	return false;
}

/* Levenshtein's distance. */
static size_t
distance(const char *a, size_t a_length, const char *b, size_t b_length)
{
	size_t row[COMPARED_BYTES + 1];

	INVARIANT(b_length <= COMPARED_BYTES);
	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			size_t above = row[j];

			row[j] = MIN(MIN(above, row[j - 1]) + 1, diagonal + (a[i - 1] != b[j - 1]));
			diagonal = above;
		}
	}
	return row[b_length];
}

/* The nearest known name: known are AGENTD_ENV, every setting, and _FILE of every secret. */
static void
nearest(const char *name, size_t length, char out[CONFIG_NAME_SIZE], size_t *distance_r)
{
	static const char environment[] = CONFIG_PREFIX "ENV";
	char candidate[CONFIG_NAME_SIZE];

	snprintf(out, CONFIG_NAME_SIZE, "%s", environment);
	*distance_r = distance(name, length, environment, sizeof(environment) - 1);
	for (int i = 0; i < SETTING_COUNT; i++) {
		for (int file = 0; file <= (config_rows[i].flags & CONFIG_SECRET ? 1 : 0); file++) {
			size_t far;

			config_source((enum config_setting)i, file ? CONFIG_FROM_FILE : CONFIG_FROM_VARIABLE, candidate);
			far = distance(name, length, candidate, strlen(candidate));
			if (far < *distance_r) {
				*distance_r = far;
				memcpy(out, candidate, sizeof(candidate));
			}
		}
	}
}

static bool
is_file_of_plain_setting(const char *name)
{
	for (int i = 0; i < SETTING_COUNT; i++) {
		char candidate[CONFIG_NAME_SIZE];

		if (strcmp(name, config_source((enum config_setting)i, CONFIG_FROM_FILE, candidate)) == 0)
			return true;
	}
	return false;
}

/* What `agentctl work` tells the command that it runs: agentd may be started by such a command. */
static bool
is_of_a_task(const char *variable)
{
	static const char *const names[] = {"TASK_ID", "LEASE_EPOCH", "DEADLINE", "AGENT_ID", "ROLE", "WORKFLOW_ID"};
	const char *name = variable + strlen(CONFIG_PREFIX);

	for (size_t i = 0; i < ARRAY_LENGTH(names); i++)
		if (strncmp(name, names[i], strlen(names[i])) == 0 && name[strlen(names[i])] == '=')
			return true;
	return false;
}

/* The value is not shown: it may be a secret whose name was mistyped. */
static void
refuse_unknown(struct config_errors *errors, const char *variable)
{
	size_t length = strcspn(variable, "="), far = COMPARED_BYTES;
	char *name = mem_zero(length + 1);
	char known[CONFIG_NAME_SIZE];
	struct buf why = {0};

	memcpy(name, variable, length);
	if (length <= COMPARED_BYTES)
		nearest(name, length, known, &far);
	if (far > 0) {
		buf_add_text(&why, "is not a setting; ");
		if (is_file_of_plain_setting(name))
			buf_add_text(&why, "only secrets are read from files: set the name without _FILE");
		else if (far * 2 <= length - strlen(CONFIG_PREFIX))
			buf_printf(&why, "did you mean %s?", known);
		else
			buf_add_text(&why, "unset it (`agentd config --example` lists every setting)");
		buf_add_byte(&why, '\0');
		config_error(errors, name, NULL, why.data);
	}
	buf_free(&why);
	free(name);
}

struct config *
config_load(char *const *variables, bool embedded, struct config_errors *errors_r)
{
	struct config *config = mem_zero(sizeof(*config));
	struct loader loader = {variables, config, errors_r};
	bool environment_known;

	*errors_r = (struct config_errors){0};
	environment_known = load_environment(&loader);
	for (int i = 0; i < SETTING_COUNT; i++)
		load_setting(&loader, (enum config_setting)i);
	for (char *const *at = variables; *at; at++)
		if (strncmp(*at, CONFIG_PREFIX, strlen(CONFIG_PREFIX)) == 0 && !is_of_a_task(*at))
			refuse_unknown(errors_r, *at);
	config->embedded =
	    embedded || (config->environment <= ENVIRONMENT_TESTING && !*config->database_url && !*config->db_host);
	config_check(config, environment_known, errors_r);
	if (errors_r->count == 0)
		return config;
	config_free(config);
	return NULL;
}

static bool
holds_secret(const char *variable)
{
	char name[CONFIG_NAME_SIZE];

	for (int i = 0; i < SETTING_COUNT; i++)
		for (int plain = 0; plain <= (config_rows[i].flags & CONFIG_PLAIN_NAME ? 1 : 0); plain++) {
			size_t length =
			    strlen(config_source((enum config_setting)i, plain ? CONFIG_FROM_PLAIN : CONFIG_FROM_VARIABLE, name));

			if ((config_rows[i].flags & CONFIG_SECRET) && strncmp(variable, name, length) == 0 &&
			    variable[length] == '=')
				return true;
		}
	return false;
}

void
config_scrub(char **variables)
{
	char **kept = variables;

	for (; *variables; variables++) {
		char *variable = *variables;

		if (holds_secret(variable)) {
			explicit_bzero(variable, strlen(variable));
		} else {
			*variables = *kept;
			*kept++ = variable;
		}
	}
	/* What was wiped stays behind the end, for whoever owns it. */
	*variables = *kept;
	*kept = NULL;
}

void
config_variable(enum config_setting setting, char name_r[CONFIG_NAME_SIZE])
{
	config_source(setting, CONFIG_FROM_VARIABLE, name_r);
}

bool
config_is_secret(enum config_setting setting)
{
	return config_rows[setting].flags & CONFIG_SECRET;
}

void
config_forget(const struct config *config, enum config_setting setting)
{
	char *text = (char *)(uintptr_t)config_value_text(&config_rows[setting], config);

	INVARIANT(config_is_secret(setting));
	explicit_bzero(text, strlen(text));
}

void
config_free(struct config *config)
{
	if (!config)
		return;
	for (int i = 0; i < SETTING_COUNT; i++) {
		char *text;

		if (config_rows[i].type != CONFIG_TYPE_TEXT)
			continue;
		text = (char *)(uintptr_t)config_value_text(&config_rows[i], config);
		if (text && (config_rows[i].flags & CONFIG_SECRET))
			config_forget(config, (enum config_setting)i);
		free(text);
	}
	free(config);
}
