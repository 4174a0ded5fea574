/* proctitle.c - Linux shows the memory of argv as the command line, so a title is written over it. */
#include "proctitle.h"

#include <sys/prctl.h>

extern char **environ;

static char *title;
static size_t title_size;

/* The environment's new place; kept here, since setenv() puts others in their place. */
static char **variables;
static char *texts;

static void
move_environment(void)
{
	size_t count = 0, size = 0;
	char *at;

	for (; environ[count]; count++)
		size += strlen(environ[count]) + 1;
	variables = mem_zero((count + 1) * sizeof(*variables));
	at = texts = mem_alloc(size + 1);
	for (size_t i = 0; i < count; i++) {
		variables[i] = at;
		at = stpcpy(at, environ[i]) + 1;
	}
	environ = variables;
}

void
proctitle_init(int argc, char **argv)
{
	char *end = argv[0], *first;

	for (int i = 0; i < argc; i++)
		if (argv[i] == end)
			end += strlen(argv[i]) + 1;
	first = end;
	for (char **at = environ; *at; at++)
		if (*at == end)
			end += strlen(*at) + 1;
	move_environment();
	title = argv[0];
	title_size = (size_t)(end - argv[0]);
	/* Secrets may be among them, and this memory can be read in /proc. */
	explicit_bzero(first, (size_t)(end - first));
}

void
proctitle_set(const char *name)
{
	char text[64];

	snprintf(text, sizeof(text), "agentd: %s", name);
	prctl(PR_SET_NAME, text + 8);
	if (!title_size)
		return;
	memset(title, 0, title_size);
	memcpy(title, text, MIN(strlen(text), title_size - 1));
}
