/* launch.c - see launch.h. */
#include "launch.h"
#include "buf.h"
#include "config.h"
#include "crypto.h"
#include "env_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

enum { ARGUMENTS_MAX = 8 };

static struct {
	char path[PATH_MAX];
	int program;
	char **variables; /* of the environment, NULL at the end */
	bool embedded;
	char *name;       /* argv[0] */
} launch = {.program = -1};

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
	ssize_t length = readlink("/proc/self/exe", launch.path, sizeof(launch.path) - 1);

	launch.path[MAX(length, 0)] = '\0';
	launch.program = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	launch.variables = copy_strings(variables);
	launch.name = mem_string(argc > 0 ? argv[0] : "agentd");
	for (int i = 1; i < argc; i++)
		launch.embedded = launch.embedded || strcmp(argv[i], "--embedded") == 0;
}

void
launch_forget(void)
{
	for (char **at = launch.variables; at && *at; at++)
		crypto_wipe(*at, strlen(*at));
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
	char **variables = env_file_merge(launch.variables, &problem);

	if (!variables) {
		tell(problem);
		free(problem);
		return NULL;
	}
	config = config_load(variables, embedded, &errors);
	for (size_t i = 0; i < errors.count; i++)
		tell(errors.messages[i]);
	config_errors_free(&errors);
	env_file_free(variables);
	return config;
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
