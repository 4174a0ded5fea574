/* launch.c - see launch.h. */
#include "launch.h"
#include "buf.h"
#include "config.h"
#include "crypto.h"
#include "env_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 8 };

static struct {
	char path[PATH_MAX];
	int program;
	char **variables; /* of the environment, NULL at the end */
	bool embedded;
	char *name;       /* argv[0] */
	char **loaded;    /* by the last launch_load() */
	char **unpacked;  /* for the next one */
} launch = {.program = -1};

static void
wipe_strings(char **strings)
{
	for (char **at = strings; at && *at; at++)
		crypto_wipe(*at, strlen(*at));
}

static char **
copy_strings(char **strings)
{
	size_t count = 0;
	char **copy;

	while (strings[count])
		count++;
	copy = mem_zero((count + 1) * sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		copy[i] = mem_string(strings[i]);
	return copy;
}

void
launch_save(int argc, char **argv, char **variables)
{
	static const char gone[] = " (deleted)";
	ssize_t length = readlink("/proc/self/exe", launch.path, sizeof(launch.path) - 1);

	launch.path[MAX(length, 0)] = '\0';
	/* The kernel says so of a program whose file has been replaced: what is there now is what an upgrade wants. */
	if (length > (ssize_t)strlen(gone) && strcmp(launch.path + length - strlen(gone), gone) == 0)
		launch.path[length - (ssize_t)strlen(gone)] = '\0';
	launch.program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	launch.variables = copy_strings(variables);
	launch.name = mem_string(argc > 0 ? argv[0] : "agentd");
	for (int i = 1; i < argc; i++)
		launch.embedded = launch.embedded || strcmp(argv[i], "--embedded") == 0;
}

void
launch_forget(void)
{
	wipe_strings(launch.variables);
	if (launch.program >= 0)
		close(launch.program);
	launch.program = -1;
}

struct config *
launch_load(bool embedded, void (*tell)(const char *error))
{
	struct config_errors errors = {0};
	struct config *config = NULL;
	char *problem = NULL;
	char **variables = launch.unpacked ? launch.unpacked : env_file_merge(launch.variables, &problem);

	launch.unpacked = NULL;
	if (!variables) {
		tell(problem);
		free(problem);
		return NULL;
	}
	config = config_load(variables, embedded, &errors);
	for (size_t i = 0; i < errors.count; i++)
		tell(errors.messages[i]);
	config_errors_free(&errors);
	if (launch.loaded)
		env_file_free(launch.loaded);
	launch.loaded = variables;
	return config;
}

char **
launch_take_variables(void)
{
	char **taken = launch.loaded;

	launch.loaded = NULL;
	return taken;
}

int
launch_pack(char *const *variables)
{
	int fd = memfd_create("agentd settings", 0), problem;
	bool done = fd >= 0;

	for (; done && *variables; variables++)
		done = write(fd, *variables, strlen(*variables) + 1) == (ssize_t)strlen(*variables) + 1;
	problem = errno;
	if (done)
		return fd;
	if (fd >= 0)
		close(fd);
	errno = problem;
	return -1;
}

void
launch_unpack(int fd)
{
	struct stat status;
	size_t size, count = 0;
	char *text;

	if (fstat(fd, &status) != 0 || status.st_size <= 0)
		return;
	size = (size_t)status.st_size;
	text = mem_zero(size + 1);
	if (pread(fd, text, size, 0) == (ssize_t)size) {
		launch.unpacked = mem_zero(sizeof(*launch.unpacked));
		for (char *at = text; at < text + size; at += strlen(at) + 1) {
			launch.unpacked = mem_grow(launch.unpacked, (count + 2) * sizeof(*launch.unpacked));
			launch.unpacked[count++] = mem_string(at);
			launch.unpacked[count] = NULL;
		}
	}
	crypto_wipe(text, size);
	free(text);
}

void
launch_drop(const char *name)
{
	env_file_drop(launch.variables, name);
}

const char *
launch_path(void)
{
	return launch.path;
}

int
launch_program(void)
{
	return launch.program;
}

char *const *
launch_environment(void)
{
	return launch.variables;
}

char *const *
launch_arguments(const char *command, const char *resume)
{
	static char *arguments[ARGUMENTS_MAX];
	int count = 0;

	arguments[count++] = launch.name;
	if (launch.embedded)
		arguments[count++] = (char *)(uintptr_t)"--embedded";
	if (resume) {
		arguments[count++] = (char *)(uintptr_t)"--resume";
		arguments[count++] = (char *)(uintptr_t)resume;
	}
	if (command)
		arguments[count++] = (char *)(uintptr_t)command;
	arguments[count] = NULL;
	return arguments;
}
