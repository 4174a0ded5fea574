/* proctitle.c - Linux shows the memory of argv as the command line, so a title is written over it. */
#include "proctitle.h"

#include <sys/prctl.h>

extern char **environ;

static char *title;
static size_t title_size;

void
proctitle_init(int argc, char **argv)
{
	char *end = argv[0], *variables;
	size_t count = 0;
	char **copy;

	for (int i = 0; i < argc; i++)
		if (argv[i] == end)
			end += strlen(argv[i]) + 1;
	variables = end;
	for (char **at = environ; *at; at++, count++)
		if (*at == end)
			end += strlen(*at) + 1;
	copy = mem_alloc((count + 1) * sizeof(*copy));
	for (size_t i = 0; i < count; i++)
		copy[i] = mem_string(environ[i]);
	copy[count] = NULL;
	environ = copy;
	title = argv[0];
	title_size = (size_t)(end - argv[0]);
	/* Secrets may be among them, and this memory can be read in /proc. */
	explicit_bzero(variables, (size_t)(end - variables));
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
