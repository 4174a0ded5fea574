/* env_file.c - see env_file.h. */
#include "env_file.h"
#include "buf.h"
#include "crypto.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_BYTES_MAX = 1 << 20 };

struct merging {
	char **variables;
	size_t count;
	size_t environment; /* how many of them are of the environment, which wins */
	const char *path;
	struct buf problem;
};

static void
add(struct merging *merging, const char *variable)
{
	merging->variables = mem_grow(merging->variables, (merging->count + 2) * sizeof(*merging->variables));
	merging->variables[merging->count++] = mem_string(variable);
	merging->variables[merging->count] = NULL;
}

/* Of two lines with one name the last counts, as with systemd. */
static void
add_from_file(struct merging *merging, const char *entry)
{
	size_t length = strcspn(entry, "=") + 1;

	for (size_t i = 0; i < merging->count; i++) {
		if (strncmp(merging->variables[i], entry, length) != 0)
			continue;
		if (i >= merging->environment) {
			crypto_wipe(merging->variables[i], strlen(merging->variables[i]));
			free(merging->variables[i]);
			merging->variables[i] = mem_string(entry);
		}
		return;
	}
	add(merging, entry);
}

/* Takes the quotes off a value, in place. False: the closing one is missing, or something follows it. */
static bool
unquote(char *value)
{
	char quote = *value, *out = value;
	const char *at = value + 1;

	if (quote != '"' && quote != '\'')
		return true;
	while (*at && *at != quote) {
		if (quote == '"' && *at == '\\' && (at[1] == '"' || at[1] == '\\'))
			at++;
		*out++ = *at++;
	}
	if (!*at || at[1])
		return false;
	*out = '\0';
	return true;
}

int
env_file_line(char *line, char **entry_r, const char **why_r)
{
	size_t length;
	char *value;

	while (isspace((unsigned char)*line))
		line++;
	length = strlen(line);
	while (length && isspace((unsigned char)line[length - 1]))
		line[--length] = '\0';
	if (!*line || *line == '#' || *line == ';')
		return 0;
	value = strchr(line, '=');
	if (!value || value == line || strspn(line, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") != (size_t)(value - line)) {
		*why_r = "is not NAME=value";
		return -1;
	}
	if (!unquote(value + 1)) {
		*why_r = "has a quote that is not closed at the end of the line";
		return -1;
	}
	*entry_r = line;
	return 1;
}

/* The text of the file, with a NUL behind it, to be wiped and freed; NULL: said why. */
static char *
read_file(struct merging *merging, size_t *length_r)
{
	int fd = open(merging->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat status;
	char *text = NULL;
	ssize_t got = -1;

	if (fd < 0 || fstat(fd, &status) != 0) {
		buf_printf(&merging->problem, ENV_FILE_NAME " names %s, which cannot be read: %s", merging->path, strerror(errno));
	} else if (!S_ISREG(status.st_mode) || status.st_size > FILE_BYTES_MAX) {
		buf_printf(&merging->problem, ENV_FILE_NAME " names %s, which is not a file of at most 1 MiB", merging->path);
	} else if ((status.st_uid != 0 && status.st_uid != geteuid()) || (status.st_mode & S_IWOTH)) {
		buf_printf(&merging->problem,
		           ENV_FILE_NAME " names %s, which others can change; it must belong to root or to who starts agentd, "
		                         "and `chmod o-w` it",
		           merging->path);
	} else {
		text = mem_zero((size_t)status.st_size + 1);
		got = read(fd, text, (size_t)status.st_size);
		*length_r = (size_t)MAX(got, 0);
		if (got < 0)
			buf_printf(&merging->problem, "%s: %s", merging->path, strerror(errno));
	}
	if (fd >= 0)
		close(fd);
	return text;
}

static void
take_lines(struct merging *merging, char *text)
{
	char *next = text, *line, *entry;
	const char *why;

	for (int number = 1; (line = strsep(&next, "\n")) && !merging->problem.len; number++) {
		int found = env_file_line(line, &entry, &why);
		if (found < 0)
			buf_printf(&merging->problem, "%s: line %d %s", merging->path, number, why);
		else if (found > 0)
			add_from_file(merging, entry);
	}
}

char **
env_file_merge(char *const *variables, char **problem_r)
{
	static const char own[] = ENV_FILE_NAME "=";
	struct merging merging = {0};
	size_t length = 0;
	char *text;

	merging.variables = mem_zero(sizeof(*merging.variables));
	for (char *const *at = variables; *at; at++)
		if (strncmp(*at, own, sizeof(own) - 1) == 0)
			merging.path = *at + sizeof(own) - 1;
		else
			add(&merging, *at);
	merging.environment = merging.count;
	text = merging.path && *merging.path ? read_file(&merging, &length) : NULL;
	if (text) {
		take_lines(&merging, text);
		crypto_wipe(text, length);
		free(text);
	}
	if (!merging.problem.len)
		return merging.variables;
	env_file_free(merging.variables);
	buf_add_byte(&merging.problem, '\0');
	*problem_r = merging.problem.data;
	return NULL;
}

void
env_file_drop(char **variables, const char *name)
{
	size_t length = strlen(name);
	char **kept = variables;

	for (; *variables; variables++) {
		if (strncmp(*variables, name, length) != 0 || (*variables)[length] != '=') {
			*kept++ = *variables;
			continue;
		}
		crypto_wipe(*variables, strlen(*variables));
		free(*variables);
	}
	*kept = NULL;
}

void
env_file_free(char **variables)
{
	for (char **at = variables; *at; at++) {
		crypto_wipe(*at, strlen(*at));
		free(*at);
	}
	free(variables);
}
